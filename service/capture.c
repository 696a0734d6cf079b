/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: each capture has a ring of CAPTURE_BUFFER_BYTES that the loop fills and the HTTP
 * connection empties. A frame that does not fit whole is dropped and counted, so that a slow reader
 * costs memory once and never time. Records are those of the classic little-endian pcap format,
 * link type Ethernet, microseconds.
 */
#include "service/capture.h"

#include "service/log.h"
#include "service/net.h"

#include <stdlib.h>
#include <string.h>

enum {
	FILE_HEADER_BYTES = 24,
	RECORD_HEADER_BYTES = 16,
	SNAP_BYTES = 65535, /* the largest frame is far smaller: nothing is ever cut */
	LINK_ETHERNET = 1,
};

struct capture {
	struct api_stream stream; /* first: the capture is found from it */
	struct net *net;          /* NULL = left */
	struct capture *next;
	size_t start, used; /* of the ring */
	uint64_t frames, dropped;
	char ring[CAPTURE_BUFFER_BYTES];
};

static void ring_put(struct capture *capture, const void *bytes, size_t length)
{
	size_t at = (capture->start + capture->used) % CAPTURE_BUFFER_BYTES;
	size_t first = length < CAPTURE_BUFFER_BYTES - at ? length : CAPTURE_BUFFER_BYTES - at;
	memcpy(capture->ring + at, bytes, first);
	memcpy(capture->ring, (const char *)bytes + first, length - first);
	capture->used += length;
}

static void put_u32(uint8_t *out, uint32_t value)
{
	for (int i = 0; i < 4; i++) {
		out[i] = (uint8_t)(value >> (8 * i));
	}
}

static int64_t on_read(struct api_stream *stream, char *out, size_t max)
{
	struct capture *capture = (struct capture *)stream;
	size_t length = capture->used < max ? capture->used : max;
	if (length == 0) {
		return capture->net ? 0 : -1;
	}
	size_t rest = CAPTURE_BUFFER_BYTES - capture->start;
	size_t first = length < rest ? length : rest;
	memcpy(out, capture->ring + capture->start, first);
	memcpy(out + first, capture->ring, length - first);
	capture->start = (capture->start + length) % CAPTURE_BUFFER_BYTES;
	capture->used -= length;
	return (int64_t)length;
}

static void on_close(struct api_stream *stream)
{
	struct capture *capture = (struct capture *)stream;
	if (capture->net) {
		struct capture **at = &capture->net->captures;
		while (*at != capture) {
			at = &(*at)->next;
		}
		*at = capture->next;
		log_info("capture", "ended nwid=%016llx frames=%llu dropped=%llu",
			 (unsigned long long)capture->net->nwid,
			 (unsigned long long)capture->frames, (unsigned long long)capture->dropped);
	}
	free(capture);
}

struct api_stream *capture_new(struct net *net)
{
	struct capture *capture =
	    capture_count(net) < CAPTURES_MAX ? malloc(sizeof *capture) : NULL;
	if (!capture) {
		return NULL;
	}
	memset(capture, 0, offsetof(struct capture, ring));
	capture->stream = (struct api_stream){ .read = on_read, .close = on_close };
	capture->net = net;
	capture->next = net->captures;
	net->captures = capture;
	uint8_t header[FILE_HEADER_BYTES] = { 0 };
	put_u32(header, 0xa1b2c3d4);
	header[4] = 2; /* version 2.4 */
	header[6] = 4;
	put_u32(header + 16, SNAP_BYTES);
	put_u32(header + 20, LINK_ETHERNET);
	ring_put(capture, header, sizeof header);
	return &capture->stream;
}

void capture_frame(struct net *net, int64_t wall_ms, const uint8_t *bytes, uint32_t length)
{
	uint8_t header[RECORD_HEADER_BYTES];
	put_u32(header, (uint32_t)(wall_ms / 1000));
	put_u32(header + 4, (uint32_t)(wall_ms % 1000 * 1000));
	put_u32(header + 8, length);
	put_u32(header + 12, length);
	for (struct capture *capture = net->captures; capture; capture = capture->next) {
		if (CAPTURE_BUFFER_BYTES - capture->used < sizeof header + length) {
			capture->dropped++;
			net->capture_dropped++;
			continue;
		}
		ring_put(capture, header, sizeof header);
		ring_put(capture, bytes, length);
		capture->frames++;
		if (capture->stream.wake) {
			capture->stream.wake(&capture->stream);
		}
	}
}

size_t capture_count(const struct net *net)
{
	size_t count = 0;
	for (const struct capture *capture = net->captures; capture; capture = capture->next) {
		count++;
	}
	return count;
}

void capture_end_all(struct net *net)
{
	while (net->captures) {
		struct capture *capture = net->captures;
		net->captures = capture->next;
		capture->net = NULL;
		if (capture->stream.wake) {
			capture->stream.wake(&capture->stream);
		}
	}
}
