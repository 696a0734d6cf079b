/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A network address translator as RFC 4787 and its elders sort them; hairpinning is off. */
#ifndef TESTS_SIM_NAT_H
#define TESTS_SIM_NAT_H

#include "core/endpoint.h"

#include <stdbool.h>
#include <stdint.h>

enum nat_kind {
	NAT_FULL_CONE,       /* anyone may answer to a mapping */
	NAT_RESTRICTED,      /* only IPs that were sent to */
	NAT_PORT_RESTRICTED, /* only IP and port that were sent to */
	NAT_SYMMETRIC,       /* a mapping of its own for each destination */
	NAT_KINDS,
};

struct nat;

struct nat *nat_new(enum nat_kind kind, const struct zt_endpoint *public_ip, int64_t timeout_ms);
void nat_free(struct nat *nat);
const struct zt_endpoint *nat_public(const struct nat *nat);
const char *nat_kind_name(enum nat_kind kind);

/* A datagram leaves: under which public endpoint? Makes or refreshes the mapping. */
struct zt_endpoint nat_out(struct nat *nat, int64_t now_ms, const struct zt_endpoint *inside,
			   const struct zt_endpoint *to);
/* A datagram arrives at a public port: for whom inside? False: nobody, dropped. */
bool nat_in(struct nat *nat, int64_t now_ms, const struct zt_endpoint *from, uint16_t public_port,
	    struct zt_endpoint *inside);
/* Forget all mappings (power cut); new ones get other ports. */
void nat_reset(struct nat *nat);
/* Another public address, as after a new lease. Mappings are kept. */
void nat_public_set(struct nat *nat, const struct zt_endpoint *public_ip);

#endif
