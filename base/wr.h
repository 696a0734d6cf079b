/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Bounded writer, the mirror of base/rd.h: sticky error, big-endian integers. */
#ifndef BASE_WR_H
#define BASE_WR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct wr {
	uint8_t *start, *p, *end;
	bool bad;
};

static inline struct wr wr_init(void *bytes, size_t capacity)
{
	uint8_t *p = bytes;
	return (struct wr){ .start = p, .p = p, .end = p ? p + capacity : p, .bad = false };
}

/* Bytes written so far. */
static inline size_t wr_length(const struct wr *w)
{
	return (size_t)(w->p - w->start);
}

/* Bytes that still fit; 0 once the writer is bad. */
static inline size_t wr_left(const struct wr *w)
{
	return w->bad ? 0 : (size_t)(w->end - w->p);
}

/* Room for `length` bytes that the caller fills, or NULL (and bad). */
static inline uint8_t *wr_room(struct wr *w, size_t length)
{
	if (w->bad || (size_t)(w->end - w->p) < length) {
		w->bad = true;
		return NULL;
	}
	uint8_t *p = w->p;
	w->p += length;
	return p;
}

static inline void wr_bytes(struct wr *w, const void *bytes, size_t length)
{
	uint8_t *p = wr_room(w, length);
	if (p && length > 0) {
		memcpy(p, bytes, length);
	}
}

static inline void wr_zeros(struct wr *w, size_t length)
{
	uint8_t *p = wr_room(w, length);
	if (p && length > 0) {
		memset(p, 0, length);
	}
}

/* The low `width` (1..8) bytes of `value`, big-endian. */
static inline void wr_uint(struct wr *w, uint64_t value, size_t width)
{
	uint8_t *p = wr_room(w, width);
	for (size_t i = width; p && i > 0; i--) {
		p[i - 1] = (uint8_t)value;
		value >>= 8;
	}
}

static inline void wr_u8(struct wr *w, uint8_t value)
{
	wr_uint(w, value, 1);
}

static inline void wr_u16(struct wr *w, uint16_t value)
{
	wr_uint(w, value, 2);
}

static inline void wr_u32(struct wr *w, uint32_t value)
{
	wr_uint(w, value, 4);
}

static inline void wr_u40(struct wr *w, uint64_t value)
{
	wr_uint(w, value, 5);
}

static inline void wr_u48(struct wr *w, uint64_t value)
{
	wr_uint(w, value, 6);
}

static inline void wr_u64(struct wr *w, uint64_t value)
{
	wr_uint(w, value, 8);
}

/* Remember the current place, leaving a u16 to be patched with the bytes written after it. */
static inline size_t wr_mark16(struct wr *w)
{
	wr_u16(w, 0);
	return wr_length(w);
}

/* Store at the u16 before `mark` how many bytes were written since. */
static inline void wr_patch16(struct wr *w, size_t mark)
{
	if (w->bad) {
		return;
	}
	size_t length = wr_length(w) - mark;
	if (length > UINT16_MAX) {
		w->bad = true;
		return;
	}
	w->start[mark - 2] = (uint8_t)(length >> 8);
	w->start[mark - 1] = (uint8_t)length;
}

#endif
