/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/validated.h"

#include "core/mem.h"

#include <sodium.h>

/* 4096 entries of 24 bytes: more than a root validates in 80 s at the cap of S19. */
enum { BUCKETS = 1024, WAYS = 4, DIGEST_BYTES = 16 };

struct entry {
	uint64_t address; /* 0 = empty */
	uint8_t digest[DIGEST_BYTES];
};

struct validated {
	struct entry entries[BUCKETS][WAYS];
	uint8_t next[BUCKETS];
};

struct validated *validated_new(void)
{
	return zt_calloc(1, sizeof(struct validated));
}

void validated_free(struct validated *validated)
{
	zt_free(validated);
}

/* All of the key counts: an address alone is 40 bits, and half a key can be kept while the other
 * half is replaced. */
static struct entry entry_of(const struct identity *identity)
{
	uint8_t hash[crypto_hash_sha512_BYTES];
	struct entry entry = { .address = identity->address };
	(void)crypto_hash_sha512(hash, identity->public_key, sizeof identity->public_key);
	memcpy(entry.digest, hash, sizeof entry.digest);
	return entry;
}

static bool bucket_has(const struct entry bucket[WAYS], const struct entry *entry)
{
	for (size_t i = 0; i < WAYS; i++) {
		if (bucket[i].address == entry->address &&
		    memcmp(bucket[i].digest, entry->digest, sizeof entry->digest) == 0) {
			return true;
		}
	}
	return false;
}

void validated_add(struct validated *validated, const struct identity *identity)
{
	struct entry entry = entry_of(identity);
	size_t bucket = identity->address % BUCKETS;
	if (bucket_has(validated->entries[bucket], &entry)) {
		return;
	}
	uint8_t way = validated->next[bucket];
	validated->entries[bucket][way] = entry;
	validated->next[bucket] = (uint8_t)((way + 1) % WAYS);
}

bool validated_has(const struct validated *validated, const struct identity *identity)
{
	struct entry entry = entry_of(identity);
	return bucket_has(validated->entries[identity->address % BUCKETS], &entry);
}
