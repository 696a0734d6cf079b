/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/handover_io.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SECTION_HEADER_BYTES = 6 };

void handover_out_free(struct handover_out *out)
{
	free(out->bytes);
	free(out->fds);
	*out = (struct handover_out){ 0 };
}

static bool bytes_reserve(struct handover_out *out, size_t more)
{
	if (out->is_bad || out->capacity - out->length >= more) {
		return !out->is_bad;
	}
	size_t capacity = out->capacity ? out->capacity : 65536;
	while (capacity - out->length < more) {
		capacity *= 2;
	}
	uint8_t *bytes = realloc(out->bytes, capacity);
	if (!bytes) {
		out->is_bad = true;
		return false;
	}
	out->bytes = bytes;
	out->capacity = capacity;
	return true;
}

struct wr handover_begin_section(struct handover_out *out, enum handover_tag tag, size_t room)
{
	if (room > UINT32_MAX || !bytes_reserve(out, room + SECTION_HEADER_BYTES)) {
		out->is_bad = true;
		return (struct wr){ .bad = true };
	}
	struct wr w = wr_init(out->bytes + out->length, room + SECTION_HEADER_BYTES);
	wr_u16(&w, (uint16_t)tag);
	wr_u32(&w, 0);
	return w;
}

void handover_end_section(struct handover_out *out, struct wr *w)
{
	if (w->bad || out->is_bad) {
		out->is_bad = true;
		return;
	}
	size_t length = wr_length(w);
	struct wr patch = wr_init(w->start + 2, 4);
	wr_u32(&patch, (uint32_t)(length - SECTION_HEADER_BYTES));
	out->length += length;
}

void handover_write_fd(struct handover_out *out, struct wr *w, int fd)
{
	if (fd >= 0 && out->fd_count == out->fd_capacity) {
		size_t capacity = out->fd_capacity ? out->fd_capacity * 2 : 64;
		int *fds = reallocarray(out->fds, capacity, sizeof *fds);
		if (!fds) {
			out->is_bad = true;
			return;
		}
		out->fds = fds;
		out->fd_capacity = capacity;
	}
	wr_u32(w, fd < 0 ? HANDOVER_NO_FD : (uint32_t)out->fd_count);
	if (fd >= 0) {
		out->fds[out->fd_count++] = fd;
	}
}

void handover_in_free(struct handover_in *in)
{
	for (size_t i = 0; i < in->fd_count; i++) {
		if (in->fds[i] >= 0) {
			(void)close(in->fds[i]);
		}
	}
	free(in->fds);
	if (in->bytes) {
		void *mapping;
		memcpy(&mapping, &in->bytes, sizeof mapping);
		(void)munmap(mapping, in->length);
	}
	*in = (struct handover_in){ 0 };
}

bool handover_next_section(struct rd *sections, enum handover_tag *tag, struct rd *contents)
{
	if (rd_left(sections) == 0) {
		return false;
	}
	*tag = (enum handover_tag)rd_u16(sections);
	*contents = rd_sub(sections, rd_u32(sections));
	return !sections->bad;
}

int handover_read_fd(struct handover_in *in, struct rd *r)
{
	uint32_t place = rd_u32(r);
	if (r->bad || place >= in->fd_count) {
		return -1;
	}
	int fd = in->fds[place];
	in->fds[place] = -1;
	return fd;
}
