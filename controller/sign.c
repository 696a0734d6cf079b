/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "controller/sign.h"

#include "core/chunk.h"

#include <stdlib.h>
#include <string.h>

struct controller_job *job_new(struct controller *c)
{
	struct controller_job *job = calloc(1, sizeof(*job));
	if (job) {
		job->owner = c;
		job->signer = c->identity;
	}
	return job;
}

void revocation_batch_free(struct revocation_batch *batch)
{
	if (batch) {
		free(batch->recipients);
		free(batch);
	}
}

void job_free(struct controller_job *job)
{
	if (!job) {
		return;
	}
	for (size_t i = 0; i < job->config_count; i++) {
		netconf_free(job->configs[i].nc);
		free(job->configs[i].chunks);
	}
	revocation_batch_free(job->batch);
	identity_wipe(&job->signer);
	free(job);
}

/* ---- configurations ----------------------------------------------------------------------------
 */

static int sign_credentials(struct netconf *nc, const struct identity *signer)
{
	int err = com_sign(&nc->com, signer);
	for (size_t i = 0; !err && i < nc->capability_count; i++) {
		err = capability_sign(&nc->capabilities[i], signer, nc->issued_to);
	}
	for (size_t i = 0; !err && i < nc->tag_count; i++) {
		err = tag_sign(&nc->tags[i], signer);
	}
	for (size_t i = 0; !err && i < nc->coo_count; i++) {
		err = coo_sign(&nc->coos[i], signer);
	}
	return err;
}

static void write_chunks(struct job_config *config, const struct identity *signer,
			 const struct chunk_source *source)
{
	size_t count = chunk_count(source->dict_length);
	size_t overhead = CHUNK_MAX_BYTES - VL2_CHUNK_DATA_MAX_BYTES;
	size_t capacity = source->dict_length + count * overhead;
	uint8_t *bytes = malloc(capacity);
	if (!bytes) {
		return;
	}
	size_t used = 0;
	for (size_t i = 0; i < count; i++) {
		struct wr w = wr_init(bytes + used, capacity - used);
		if (chunk_write(&w, source, i, signer) != 0) {
			free(bytes);
			return;
		}
		config->lengths[i] = wr_length(&w);
		used += config->lengths[i];
	}
	config->chunks = bytes;
	config->chunk_count = count;
}

static void sign_config(struct job_config *config, const struct identity *signer, uint8_t *dict)
{
	struct wr w = wr_init(dict, VL2_CONFIG_MAX_BYTES - 1);
	if (sign_credentials(config->nc, signer) != 0) {
		return;
	}
	netconf_write(&w, config->nc);
	struct chunk_source source = { .nwid = config->to.nwid,
				       .update_id = config->update_id,
				       .dict = dict,
				       .dict_length = wr_length(&w) };
	if (!w.bad) {
		write_chunks(config, signer, &source);
	}
	netconf_free(config->nc);
	config->nc = NULL;
}

/* ---- revocations -------------------------------------------------------------------------------
 */

/* NETWORK_CREDENTIALS with nothing but revocations (vl2 5.3, 9.6). */
static void sign_revocations(struct revocation_batch *batch, const struct identity *signer)
{
	struct wr w = wr_init(batch->payload, sizeof(batch->payload));
	wr_u8(&w, 0);
	wr_u16(&w, 0);
	wr_u16(&w, 0);
	wr_u16(&w, (uint16_t)batch->target_count);
	for (size_t i = 0; i < batch->target_count; i++) {
		struct revocation rev = { .id = batch->targets[i].id,
					  .nwid = batch->nwid,
					  .threshold = batch->threshold,
					  .flags = REVOCATION_FAST_PROPAGATE,
					  .target = batch->targets[i].address,
					  .type = CREDENTIAL_COM };
		if (revocation_sign(&rev, signer) != 0) {
			return;
		}
		revocation_write(&w, &rev);
	}
	wr_u16(&w, 0);
	batch->payload_length = w.bad ? 0 : wr_length(&w);
}

void controller_job_run(struct controller_job *job)
{
	if (job->batch) {
		sign_revocations(job->batch, &job->signer);
	}
	uint8_t *dict = job->config_count ? malloc(VL2_CONFIG_MAX_BYTES) : NULL;
	for (size_t i = 0; dict && i < job->config_count; i++) {
		sign_config(&job->configs[i], &job->signer, dict);
	}
	free(dict);
}
