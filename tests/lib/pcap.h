/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* UDP datagrams out of a classic little-endian pcap file with Ethernet frames. */
#ifndef TESTS_LIB_PCAP_H
#define TESTS_LIB_PCAP_H

#include "base/rd.h"

#include <stdbool.h>
#include <stdint.h>

struct pcap {
	struct rd rest;
};

struct pcap_datagram {
	int64_t time_us;
	uint32_t from_ip, to_ip;
	uint16_t from_port, to_port;
	uint8_t ttl;
	const uint8_t *bytes; /* borrowed from the file */
	size_t length;
};

/* False if this is no such file. */
bool pcap_start(struct pcap *pcap, const uint8_t *bytes, size_t length);
/* The next UDP datagram over IPv4; other frames are stepped over. False at the end; then
 * rd_done(&pcap->rest) tells whether the file ended where it should. */
bool pcap_next(struct pcap *pcap, struct pcap_datagram *out);

#endif
