/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: four small arrays, searched linearly: a member has a handful of each (128 at
 * most, vl2 "Selected constants"). Everything in them was signed by the network's controller, so a
 * member cannot make us store what it likes.
 */
#include "core/held.h"

#include "core/mem.h"

#include <string.h>

enum { THRESHOLDS_MAX = VL2_TAGS_MAX + VL2_CAPABILITIES_MAX + VL2_COOS_MAX };

void held_fini(struct held *held)
{
	zt_free(held->tags);
	zt_free(held->capabilities);
	zt_free(held->coos);
	zt_free(held->thresholds);
	*held = (struct held){ 0 };
}

static uint64_t threshold_of(const struct held *held, uint8_t type, uint32_t id)
{
	for (size_t i = 0; i < held->threshold_count; i++) {
		const struct held_threshold *t = &held->thresholds[i];
		if (t->type == type && t->id == id) {
			return t->threshold;
		}
	}
	return 0;
}

/* `stored` is the timestamp of the one held, 0 = none. */
static enum cred_result judge(uint64_t stored, uint64_t offered, bool is_equal, uint64_t threshold)
{
	if (offered < stored) {
		return CRED_REJECTED;
	}
	if (is_equal) {
		return CRED_REDUNDANT;
	}
	return threshold > 0 && offered <= threshold ? CRED_REJECTED : CRED_NEW;
}

/* Serialised forms decide equality: structs have padding and unions. */
static bool tag_equal(const struct tag *a, const struct tag *b)
{
	uint8_t x[TAG_MAX_BYTES], y[TAG_MAX_BYTES];
	struct wr wx = wr_init(x, sizeof(x)), wy = wr_init(y, sizeof(y));
	tag_write(&wx, a);
	tag_write(&wy, b);
	return wr_length(&wx) == wr_length(&wy) && memcmp(x, y, wr_length(&wx)) == 0;
}

static bool capability_equal(const struct capability *a, const struct capability *b)
{
	uint8_t x[CAPABILITY_MAX_BYTES], y[CAPABILITY_MAX_BYTES];
	struct wr wx = wr_init(x, sizeof(x)), wy = wr_init(y, sizeof(y));
	capability_write(&wx, a);
	capability_write(&wy, b);
	return wr_length(&wx) == wr_length(&wy) && memcmp(x, y, wr_length(&wx)) == 0;
}

static bool coo_equal(const struct coo *a, const struct coo *b)
{
	uint8_t x[COO_MAX_BYTES], y[COO_MAX_BYTES];
	struct wr wx = wr_init(x, sizeof(x)), wy = wr_init(y, sizeof(y));
	coo_write(&wx, a);
	coo_write(&wy, b);
	return wr_length(&wx) == wr_length(&wy) && memcmp(x, y, wr_length(&wx)) == 0;
}

static struct tag *tag_find(const struct held *held, uint32_t id)
{
	for (size_t i = 0; i < held->tag_count; i++) {
		if (held->tags[i].id == id) {
			return &held->tags[i];
		}
	}
	return NULL;
}

static struct capability *capability_find(const struct held *held, uint32_t id)
{
	for (size_t i = 0; i < held->capability_count; i++) {
		if (held->capabilities[i].id == id) {
			return &held->capabilities[i];
		}
	}
	return NULL;
}

static struct coo *coo_find(const struct held *held, uint32_t id)
{
	for (size_t i = 0; i < held->coo_count; i++) {
		if (held->coos[i].id == id) {
			return &held->coos[i];
		}
	}
	return NULL;
}

enum cred_result held_tag_judge(const struct held *held, const struct tag *tag)
{
	const struct tag *old = tag_find(held, tag->id);
	return judge(old ? old->timestamp : 0, tag->timestamp, old && tag_equal(old, tag),
		     threshold_of(held, CREDENTIAL_TAG, tag->id));
}

enum cred_result held_capability_judge(const struct held *held, const struct capability *cap)
{
	const struct capability *old = capability_find(held, cap->id);
	return judge(old ? old->timestamp : 0, cap->timestamp, old && capability_equal(old, cap),
		     threshold_of(held, CREDENTIAL_CAPABILITY, cap->id));
}

enum cred_result held_coo_judge(const struct held *held, const struct coo *coo)
{
	const struct coo *old = coo_find(held, coo->id);
	return judge(old ? old->timestamp : 0, coo->timestamp, old && coo_equal(old, coo),
		     threshold_of(held, CREDENTIAL_COO, coo->id));
}

/* Make room for one more element at the end of an array; NULL at the limit or without memory. */
static void *array_grow(void *array, size_t count, size_t size, size_t max)
{
	return count < max ? zt_realloc(array, (count + 1) * size) : NULL;
}

int held_tag_store(struct held *held, const struct tag *tag)
{
	struct tag *slot = tag_find(held, tag->id);
	if (!slot) {
		struct tag *tags =
		    array_grow(held->tags, held->tag_count, sizeof(*tags), VL2_TAGS_MAX);
		if (!tags) {
			return ZT_E_NO_ROOM;
		}
		held->tags = tags;
		slot = &tags[held->tag_count++];
	}
	*slot = *tag;
	return ZT_OK;
}

int held_capability_store(struct held *held, const struct capability *cap)
{
	struct capability *slot = capability_find(held, cap->id);
	if (!slot) {
		struct capability *caps = array_grow(held->capabilities, held->capability_count,
						     sizeof(*caps), VL2_CAPABILITIES_MAX);
		if (!caps) {
			return ZT_E_NO_ROOM;
		}
		held->capabilities = caps;
		slot = &caps[held->capability_count++];
	}
	*slot = *cap;
	return ZT_OK;
}

int held_coo_store(struct held *held, const struct coo *coo)
{
	struct coo *slot = coo_find(held, coo->id);
	if (!slot) {
		struct coo *coos =
		    array_grow(held->coos, held->coo_count, sizeof(*coos), VL2_COOS_MAX);
		if (!coos) {
			return ZT_E_NO_ROOM;
		}
		held->coos = coos;
		slot = &coos[held->coo_count++];
	}
	*slot = *coo;
	return ZT_OK;
}

bool held_revoke(struct held *held, uint8_t type, uint32_t id, uint64_t threshold)
{
	for (size_t i = 0; i < held->threshold_count; i++) {
		struct held_threshold *t = &held->thresholds[i];
		if (t->type == type && t->id == id) {
			bool is_higher = threshold > t->threshold;
			t->threshold = is_higher ? threshold : t->threshold;
			return is_higher;
		}
	}
	struct held_threshold *thresholds = array_grow(held->thresholds, held->threshold_count,
						       sizeof(*thresholds), THRESHOLDS_MAX);
	if (!thresholds) {
		return false;
	}
	held->thresholds = thresholds;
	thresholds[held->threshold_count++] =
	    (struct held_threshold){ .threshold = threshold, .id = id, .type = type };
	return true;
}

static bool is_usable(uint64_t timestamp, uint64_t threshold, const struct held_window *window)
{
	uint64_t distance = timestamp > window->config_timestamp
				? timestamp - window->config_timestamp
				: window->config_timestamp - timestamp;
	return distance <= window->delta && (threshold == 0 || timestamp > threshold);
}

const struct tag *held_tag_usable(const struct held *held, uint32_t id,
				  const struct held_window *window)
{
	const struct tag *tag = tag_find(held, id);
	uint64_t threshold = threshold_of(held, CREDENTIAL_TAG, id);
	return tag && is_usable(tag->timestamp, threshold, window) ? tag : NULL;
}

bool held_capability_usable(const struct held *held, const struct capability *cap,
			    const struct held_window *window)
{
	return is_usable(cap->timestamp, threshold_of(held, CREDENTIAL_CAPABILITY, cap->id),
			 window);
}

bool held_coo_usable(const struct held *held, const struct coo *coo,
		     const struct held_window *window)
{
	return is_usable(coo->timestamp, threshold_of(held, CREDENTIAL_COO, coo->id), window);
}

void held_sweep(struct held *held, const struct held_window *window)
{
	for (size_t i = held->tag_count; i-- > 0;) {
		const struct tag *tag = &held->tags[i];
		if (!is_usable(tag->timestamp, threshold_of(held, CREDENTIAL_TAG, tag->id),
			       window)) {
			held->tags[i] = held->tags[--held->tag_count];
		}
	}
	for (size_t i = held->capability_count; i-- > 0;) {
		if (!held_capability_usable(held, &held->capabilities[i], window)) {
			held->capabilities[i] = held->capabilities[--held->capability_count];
		}
	}
	for (size_t i = held->coo_count; i-- > 0;) {
		if (!held_coo_usable(held, &held->coos[i], window)) {
			held->coos[i] = held->coos[--held->coo_count];
		}
	}
}
