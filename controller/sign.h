/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Jobs: the signing work of a batch of configurations, or of revocations, for another thread. */
#ifndef CONTROLLER_SIGN_H
#define CONTROLLER_SIGN_H

#include "controller/state.h"
#include "core/netconf.h"

enum {
	JOB_CONFIGS_MAX = 16,
	REVOCATIONS_PER_PACKET = 60, /* 152 bytes each, vl2 5.2, in a packet of 10024 */
	REVOCATION_PAYLOAD_MAX = 1 + 2 + 2 + 2 + REVOCATIONS_PER_PACKET * REVOCATION_MAX_BYTES + 2,
};

struct job_config {
	struct zt_reply_to to;
	uint64_t update_id;
	struct netconf *nc;
	/* Out: chunks, one after the other; lengths[count]. NULL when something failed. */
	uint8_t *chunks;
	size_t chunk_count;
	size_t lengths[VL2_CONFIG_MAX_BYTES / VL2_CHUNK_DATA_MAX_BYTES + 1];
};

struct revocation_target {
	uint64_t address;
	uint32_t id;
};

/* One NETWORK_CREDENTIALS payload of revocations, and whom it goes to. */
struct revocation_batch {
	struct link link;
	uint64_t nwid, threshold;
	size_t target_count;
	struct revocation_target targets[REVOCATIONS_PER_PACKET];
	size_t recipient_count, sent;
	uint64_t *recipients;
	size_t payload_length; /* 0 until signed */
	uint8_t payload[REVOCATION_PAYLOAD_MAX];
};

struct controller_job {
	struct controller *owner; /* not touched by controller_job_run */
	struct identity signer;
	size_t config_count;
	struct job_config configs[JOB_CONFIGS_MAX];
	struct revocation_batch *batch; /* or NULL */
};

struct controller_job *job_new(struct controller *c);
void job_free(struct controller_job *job);
void revocation_batch_free(struct revocation_batch *batch);

#endif
