/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The tags, capabilities, certificates of ownership and thresholds held for one member (vl2 5.4).
 */
#ifndef ZT_HELD_H
#define ZT_HELD_H

#include "core/cred.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cred_result {
	CRED_REJECTED,  /* older, revoked, of another network, or not signed by its controller */
	CRED_REDUNDANT, /* what we have already */
	CRED_NEW,
};

/* Credentials of one type and id up to this timestamp are revoked. */
struct held_threshold {
	uint64_t threshold;
	uint32_t id;
	uint8_t type; /* enum credential_type */
};

/* All zeros is the empty state. */
struct held {
	struct tag *tags;
	struct capability *capabilities;
	struct coo *coos;
	struct held_threshold *thresholds;
	size_t tag_count, capability_count, coo_count, threshold_count;
};

void held_fini(struct held *held);

/* Acceptance by timestamp alone, before the signature is looked at: CRED_NEW = worth verifying. */
enum cred_result held_tag_judge(const struct held *held, const struct tag *tag);
enum cred_result held_capability_judge(const struct held *held, const struct capability *cap);
enum cred_result held_coo_judge(const struct held *held, const struct coo *coo);

/* Store what was judged CRED_NEW and verified. ZT_E_NO_ROOM, ZT_E_NO_MEMORY. */
int held_tag_store(struct held *held, const struct tag *tag) ZT_MUST_CHECK;
int held_capability_store(struct held *held, const struct capability *cap) ZT_MUST_CHECK;
int held_coo_store(struct held *held, const struct coo *coo) ZT_MUST_CHECK;

/* Raise a threshold. True if it was lower. False also without memory or room. */
bool held_revoke(struct held *held, uint8_t type, uint32_t id, uint64_t threshold);

/* When a credential may be used: near enough to our own configuration, and not revoked. */
struct held_window {
	uint64_t config_timestamp, delta;
};
/* The member's tag of that id if it is usable now, else NULL. */
const struct tag *held_tag_usable(const struct held *held, uint32_t id,
				  const struct held_window *window);
/* May one of held's own be used now? */
bool held_capability_usable(const struct held *held, const struct capability *cap,
			    const struct held_window *window);
bool held_coo_usable(const struct held *held, const struct coo *coo,
		     const struct held_window *window);
/* Housekeeping: forget what is not usable. */
void held_sweep(struct held *held, const struct held_window *window);

#endif
