/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/lib/pcap.h"

enum {
	MAGIC = 0xa1b2c3d4,
	LINK_ETHERNET = 1,
	ETHERTYPE_IPV4 = 0x0800,
	IP_PROTOCOL_UDP = 17,
};

static uint32_t u32_le(struct rd *r)
{
	return __builtin_bswap32(rd_u32(r));
}

bool pcap_start(struct pcap *pcap, const uint8_t *bytes, size_t length)
{
	struct rd r = rd_init(bytes, length);
	uint32_t magic = u32_le(&r);
	(void)rd_bytes(&r, 16); /* version, zone, accuracy, snapshot length */
	uint32_t link = u32_le(&r);
	pcap->rest = r;
	return !r.bad && magic == MAGIC && link == LINK_ETHERNET;
}

/* False if the frame is something else, a later IP fragment included. */
static bool udp_read(struct rd frame, struct pcap_datagram *out)
{
	(void)rd_bytes(&frame, 12); /* Ethernet addresses */
	if (rd_u16(&frame) != ETHERTYPE_IPV4) {
		return false;
	}
	uint8_t version = rd_u8(&frame);
	(void)rd_bytes(&frame, 5);
	uint16_t fragment = rd_u16(&frame) & 0x3fff;
	out->ttl = rd_u8(&frame);
	uint8_t protocol = rd_u8(&frame);
	(void)rd_u16(&frame);
	out->from_ip = rd_u32(&frame);
	out->to_ip = rd_u32(&frame);
	if (version != 0x45 || fragment != 0 || protocol != IP_PROTOCOL_UDP) {
		return false;
	}
	out->from_port = rd_u16(&frame);
	out->to_port = rd_u16(&frame);
	uint16_t length = rd_u16(&frame);
	(void)rd_u16(&frame);
	out->length = length < 8 ? 0 : length - 8U;
	out->bytes = rd_bytes(&frame, out->length);
	return !frame.bad;
}

bool pcap_next(struct pcap *pcap, struct pcap_datagram *out)
{
	while (rd_left(&pcap->rest) > 0) {
		int64_t seconds = u32_le(&pcap->rest);
		out->time_us = seconds * 1000000 + u32_le(&pcap->rest);
		uint32_t length = u32_le(&pcap->rest);
		(void)u32_le(&pcap->rest); /* length before snapping */
		struct rd frame = rd_sub(&pcap->rest, length);
		if (!frame.bad && udp_read(frame, out)) {
			return true;
		}
	}
	return false;
}
