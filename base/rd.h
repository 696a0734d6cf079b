/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Bounded reader over borrowed bytes: everything that comes from outside is read through it.
 *
 * Errors are sticky: after the first read that does not fit, `bad` stays set and every further
 * read yields zeros, so a parser reads all its fields and asks once. All integers big-endian.
 */
#ifndef BASE_RD_H
#define BASE_RD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rd {
	const uint8_t *p, *end;
	bool bad;
};

static inline struct rd rd_init(const void *bytes, size_t length)
{
	const uint8_t *p = bytes;
	return (struct rd){ .p = p, .end = p ? p + length : p, .bad = false };
}

/* Bytes not read yet; 0 once the reader is bad. */
static inline size_t rd_left(const struct rd *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->p);
}

/* True only when everything was read and nothing is left over. */
static inline bool rd_done(const struct rd *r)
{
	return !r->bad && r->p == r->end;
}

/* Borrow the next `length` bytes, or NULL (and bad) when they are not there. */
static inline const uint8_t *rd_bytes(struct rd *r, size_t length)
{
	if (r->bad || (size_t)(r->end - r->p) < length) {
		r->bad = true;
		return NULL;
	}
	const uint8_t *p = r->p;
	r->p += length;
	return p;
}

/* Copy the next `length` bytes; zeros when they are not there. */
static inline void rd_copy(struct rd *r, void *out, size_t length)
{
	const uint8_t *p = rd_bytes(r, length);
	if (length == 0) {
		return;
	}
	if (p) {
		memcpy(out, p, length);
	} else {
		memset(out, 0, length);
	}
}

/* A child reader over the next `length` bytes: how every length from the wire is used. */
static inline struct rd rd_sub(struct rd *r, size_t length)
{
	const uint8_t *p = rd_bytes(r, length);
	struct rd child = { .p = p, .end = p ? p + length : p, .bad = p == NULL };
	return child;
}

/* `width` (1..8) bytes as one big-endian integer. */
static inline uint64_t rd_uint(struct rd *r, size_t width)
{
	const uint8_t *p = rd_bytes(r, width);
	uint64_t value = 0;
	for (size_t i = 0; p && i < width; i++) {
		value = value << 8 | p[i];
	}
	return value;
}

static inline uint8_t rd_u8(struct rd *r)
{
	return (uint8_t)rd_uint(r, 1);
}

static inline uint16_t rd_u16(struct rd *r)
{
	return (uint16_t)rd_uint(r, 2);
}

static inline uint32_t rd_u32(struct rd *r)
{
	return (uint32_t)rd_uint(r, 4);
}

/* A 40-bit node address. */
static inline uint64_t rd_u40(struct rd *r)
{
	return rd_uint(r, 5);
}

/* A 48-bit Ethernet address. */
static inline uint64_t rd_u48(struct rd *r)
{
	return rd_uint(r, 6);
}

static inline uint64_t rd_u64(struct rd *r)
{
	return rd_uint(r, 8);
}

#endif
