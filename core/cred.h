/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Tags, capabilities, certificates of ownership and revocations (vl2 5.2). */
#ifndef CORE_CRED_H
#define CORE_CRED_H

#include "base/rd.h"
#include "base/wr.h"
#include "core/proto2.h"
#include "core/rules.h"
#include "core/zt.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct identity;

/* A signature as it travels: anything but type 1 was skipped when read and never verifies. */
struct cred_signature {
	uint8_t type;
	uint8_t bytes[VL2_SIGNATURE_BYTES];
};

struct tag {
	uint64_t nwid, timestamp;
	uint32_t id, value;
	uint64_t issued_to, signer;
	struct cred_signature signature;
};

struct custody {
	uint64_t to, from;
	struct cred_signature signature;
};

struct capability {
	uint64_t nwid, timestamp;
	uint32_t id;
	uint8_t custody_max; /* 1 to VL2_CUSTODY_MAX */
	size_t rule_count;
	struct rule rules[VL2_CAPABILITY_RULES_MAX];
	size_t custody_count;
	struct custody custody[VL2_CUSTODY_MAX];
};

enum coo_thing_type { COO_MAC = 1, COO_IPV4 = 2, COO_IPV6 = 3 };

struct coo {
	uint64_t nwid, timestamp, flags;
	uint32_t id;
	size_t thing_count;
	struct {
		uint8_t type; /* enum coo_thing_type */
		uint8_t value[16];
	} things[VL2_COO_THINGS_MAX];
	uint64_t issued_to, signer;
	struct cred_signature signature;
};

enum { REVOCATION_FAST_PROPAGATE = 1 };

struct revocation {
	uint32_t id, credential_id;
	uint64_t nwid, threshold, flags;
	uint64_t target, signer;
	uint8_t type; /* enum credential_type */
	struct cred_signature signature;
};

/* Largest serialised forms, in bytes. */
enum {
	CRED_SIGNATURE_BYTES = 1 + 2 + VL2_SIGNATURE_BYTES,
	TAG_MAX_BYTES = 8 + 8 + 4 + 4 + 5 + 5 + CRED_SIGNATURE_BYTES + 2,
	CAPABILITY_MAX_BYTES = 8 + 8 + 4 + 2 + VL2_CAPABILITY_RULES_MAX * RULE_MAX_BYTES + 1 +
			       VL2_CUSTODY_MAX * (10 + CRED_SIGNATURE_BYTES) + 5 + 2,
	COO_MAX_BYTES = 8 + 8 + 8 + 4 + 2 + VL2_COO_THINGS_MAX * 17 + 10 + CRED_SIGNATURE_BYTES + 2,
	REVOCATION_MAX_BYTES = 4 + 4 + 8 + 4 + 4 + 8 + 8 + 10 + 1 + CRED_SIGNATURE_BYTES + 2,
};

int tag_read(struct rd *r, struct tag *out) ZT_MUST_CHECK;
void tag_write(struct wr *w, const struct tag *tag);
int capability_read(struct rd *r, struct capability *out) ZT_MUST_CHECK;
void capability_write(struct wr *w, const struct capability *cap);
int coo_read(struct rd *r, struct coo *out) ZT_MUST_CHECK;
void coo_write(struct wr *w, const struct coo *coo);
int revocation_read(struct rd *r, struct revocation *out) ZT_MUST_CHECK;
void revocation_write(struct wr *w, const struct revocation *rev);

/* Sign as `signer`, whose address is stored. Signing a capability appends the custody entry
 * signer -> `to`; ZT_E_NO_ROOM when the chain is full. */
int tag_sign(struct tag *tag, const struct identity *signer) ZT_MUST_CHECK;
int capability_sign(struct capability *cap, const struct identity *signer,
		    uint64_t to) ZT_MUST_CHECK;
int coo_sign(struct coo *coo, const struct identity *signer) ZT_MUST_CHECK;
int revocation_sign(struct revocation *rev, const struct identity *signer) ZT_MUST_CHECK;

/* Signed by this identity, and is that the controller of the credential's network? */
bool tag_verify(const struct tag *tag, const struct identity *controller);
bool coo_verify(const struct coo *coo, const struct identity *controller);
bool revocation_verify(const struct revocation *rev, const struct identity *controller);

/* The last owner in the chain; 0 when it is empty. */
uint64_t capability_issued_to(const struct capability *cap);
/* Chain rule of 5.2. `find` gives the identity of an address, or NULL: then *missing is that
 * address and the answer is false. */
bool capability_verify(const struct capability *cap,
		       const struct identity *(*find)(void *context, uint64_t address),
		       void *context, uint64_t *missing);

bool coo_owns_mac(const struct coo *coo, uint64_t mac);
bool coo_owns_ip(const struct coo *coo, const struct zt_endpoint *ip);

/* The bytes that a signature covers: the serialised form without the signature, between two
 * markers. */
void tag_write_signed(struct wr *w, const struct tag *tag);
void capability_write_signed(struct wr *w, const struct capability *cap);
void coo_write_signed(struct wr *w, const struct coo *coo);
void revocation_write_signed(struct wr *w, const struct revocation *rev);

#endif
