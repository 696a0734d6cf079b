/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: a check is a slot with the identity, and for a HELLO the packet and the key
 * already agreed on. Its hash runs elsewhere as a job whose id is the slot and a serial number, so
 * a late answer finds its slot or nothing. Strangers' HELLOs are capped at 50 a second in all
 * (anybody can send them from invented addresses); identities that we asked an upstream for are
 * not, they are few and bounded by what we ask. No slot or no room in the job queue: dropped and
 * counted, the sender repeats.
 */
#include "core/checks.h"

#include "core/mem.h"
#include "core/peer_impl.h"

enum {
	CHECK_SLOTS = 64,
	CHECKS_PER_SECOND = 50,
	CHECKS_BURST = 16,
	/* Larger HELLOs do not exist: 137 bytes and 17 for each moon. */
	HELLO_KEPT_MAX_BYTES = PATH_MTU_BYTES,
};

struct check {
	uint64_t job_id; /* 0 = free */
	struct identity identity;
	struct crypt_key *key; /* NULL: from WHOIS */
	struct frag_origin origin;
	int64_t since_ms;
	size_t length;
	uint8_t bytes[HELLO_KEPT_MAX_BYTES];
};

struct checks {
	uint64_t serial;
	struct limit_bucket strangers;
	struct check slots[CHECK_SLOTS];
};

struct checks *checks_new(void)
{
	struct checks *checks = zt_calloc(1, sizeof *checks);
	if (checks) {
		limit_bucket_init(&checks->strangers, CHECKS_PER_SECOND, CHECKS_BURST);
	}
	return checks;
}

void checks_free(struct checks *checks)
{
	if (!checks) {
		return;
	}
	for (size_t i = 0; i < CHECK_SLOTS; i++) {
		crypt_key_free(checks->slots[i].key);
	}
	zt_free(checks);
}

static bool is_under_way(const struct checks *checks, uint64_t address)
{
	for (size_t i = 0; i < CHECK_SLOTS; i++) {
		const struct check *c = &checks->slots[i];
		if (c->job_id && c->identity.address == address) {
			return true;
		}
	}
	return false;
}

static struct check *free_slot(struct checks *checks)
{
	for (size_t i = 0; i < CHECK_SLOTS; i++) {
		if (checks->slots[i].job_id == 0) {
			return &checks->slots[i];
		}
	}
	return NULL;
}

/* Hand the hash out; the slot is then taken. */
static bool start(struct zt_node *node, struct check *check, const struct identity *identity)
{
	struct checks *checks = node->checks;
	struct zt_job job = {
		.id = ++checks->serial * CHECK_SLOTS + (uint64_t)(check - checks->slots),
		.kind = ZT_JOB_IDENTITY_HASH,
	};
	memcpy(job.input, identity->public_key, sizeof job.input);
	if (!node->callbacks->job || !node->callbacks->job(node->context, &job)) {
		node_count(node, ZT_COUNT_DROP_JOB_QUEUE);
		return false;
	}
	check->job_id = job.id;
	check->identity = *identity;
	return true;
}

/* The identity is good. `key` is taken over. */
static struct peer *admit(struct zt_node *node, struct zt_now now, const struct identity *identity,
			  struct crypt_key *key)
{
	struct peer *peer = peers_find(&node->peers, identity->address);
	if (peer) {
		crypt_key_free(key);
		return identity_equal(&peer->identity, identity) ? peer : NULL;
	}
	if (peer_add(node, now, identity, key, &peer) != 0) {
		crypt_key_free(key);
		node_count(node, ZT_COUNT_DROP_MEMORY);
		return NULL;
	}
	return peer;
}

bool checks_have_room(const struct zt_node *node, struct zt_now now,
		      const struct identity *identity)
{
	struct checks *checks = node->checks;
	return free_slot(checks) && !is_under_way(checks, identity->address) &&
	       limit_bucket_has(&checks->strangers, now.mono_ms);
}

void checks_hello(struct zt_node *node, struct zt_now now, const struct rx_packet *packet,
		  const struct identity *identity, struct crypt_key *key)
{
	if (validated_has(node->validated, identity)) {
		struct peer *peer = admit(node, now, identity, key);
		if (peer) {
			rx_opened(node, now, packet, peer);
		}
		return;
	}
	struct checks *checks = node->checks;
	struct check *check = free_slot(checks);
	if (is_under_way(checks, identity->address) || packet->length > HELLO_KEPT_MAX_BYTES ||
	    !check || !limit_bucket_take(&checks->strangers, now.mono_ms)) {
		node_count(node, ZT_COUNT_DROP_RATE);
		crypt_key_free(key);
		return;
	}
	if (!start(node, check, identity)) {
		crypt_key_free(key);
		return;
	}
	check->key = key;
	check->origin = packet->origin;
	check->since_ms = packet->since_ms;
	check->length = packet->length;
	memcpy(check->bytes, packet->bytes, packet->length);
}

void checks_whois(struct zt_node *node, struct zt_now now, const struct identity *identity)
{
	if (validated_has(node->validated, identity)) {
		(void)admit(node, now, identity, NULL);
		return;
	}
	struct check *check = free_slot(node->checks);
	if (is_under_way(node->checks, identity->address)) {
		return;
	}
	if (!check) {
		node_count(node, ZT_COUNT_DROP_RATE);
		return;
	}
	if (start(node, check, identity)) {
		check->key = NULL;
	}
}

void checks_done(struct zt_node *node, struct zt_now now, const struct zt_job *job)
{
	struct check *check = &node->checks->slots[job->id % CHECK_SLOTS];
	if (job->id == 0 || check->job_id != job->id) {
		return;
	}
	struct crypt_key *key = check->key;
	bool is_hello = key != NULL;
	check->key = NULL;
	check->job_id = 0; /* its content stays until the next check starts: not before we return */
	if (!identity_hash_ok(check->identity.address, job->output)) {
		node_count(node, ZT_COUNT_DROP_IDENTITY);
		crypt_key_free(key);
		return;
	}
	validated_add(node->validated, &check->identity);
	struct peer *peer = admit(node, now, &check->identity, key);
	if (peer && is_hello) {
		const struct rx_packet packet = {
			.origin = check->origin,
			.bytes = check->bytes,
			.length = check->length,
			.since_ms = check->since_ms,
		};
		rx_opened(node, now, &packet, peer);
	}
}
