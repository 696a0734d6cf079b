/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A controller, a node under test and two peers of it, for tests of virtual networks: the
 * credentials that the controller signs, and the packets that the peers send. Results are the
 * handlers'. */
#ifndef TESTS_LIB_VL2CAST_H
#define TESTS_LIB_VL2CAST_H

#include "core/addr.h"
#include "core/mem.h"
#include "core/node_impl.h"
#include "core/vl2_impl.h"
#include "tests/lib/vl2node.h"

enum { WALL_MS = 1700000000 };

/* Identities of identities.json; the first controls the network. */
enum { CONTROLLER, LOCAL, REMOTE, THIRD, NODES };

struct cast {
	struct identity id[NODES];
	uint64_t nwid;
	struct vl2node v;
};

const char *cast_identity_text(size_t index);
/* The member's certificate of that time. */
struct com cast_com(const struct cast *c, size_t member, uint64_t timestamp);
/* A private network's configuration for the node under test; change it before it is joined. */
struct netconf *cast_config(const struct cast *c, uint64_t timestamp);
/* The dictionary, malloc'd; frees the configuration. */
uint8_t *cast_config_bytes(struct netconf *config, size_t *length);
/* Join with this configuration as the cached one; frees it. */
void cast_join(struct cast *c, struct netconf *config);
/* Not joined; joined to the plain network. All three peers are known and have paths. */
struct cast *cast_new(void);
struct cast *cast_joined(void);
void cast_free(struct cast *c);
uint64_t cast_address(const struct cast *c, size_t who);
uint64_t cast_counted(const struct cast *c, enum zt_counter counter);
/* ---- packets from a peer; the payload is what was written */
enum vl2_result cast_packet(struct cast *c, size_t from, uint8_t verb, const struct wr *w);
enum vl2_result cast_show_com(struct cast *c, size_t from, const struct com *com);
/* It shows a good certificate. */
void cast_prove(struct cast *c, size_t who);
enum vl2_result cast_show_revocation(struct cast *c, size_t from, size_t target,
				     uint64_t threshold);
enum vl2_result cast_frame(struct cast *c, size_t from);
enum vl2_result cast_ext_frame(struct cast *c, size_t from, uint64_t mac_to, uint64_t mac_from,
			       uint8_t flags);
/* An empty frame from the node's own stack. */
void cast_stack_sends(struct cast *c, uint64_t to, uint64_t from, uint16_t ether_type);
uint64_t cast_mac(const struct cast *c, size_t who);
enum zt_network_status cast_status(const struct cast *c);
uint64_t cast_revision(const struct cast *c);

#endif
