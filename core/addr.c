/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/addr.h"

#include <string.h>

/* ---- MAC addresses ---------------------------------------------------------------------------
 *
 * The first octet is local and unicast and comes from the network's lowest byte; the other five are
 * the node address, masked with the network id's remaining five bytes so that one node has
 * different MACs on different networks. XOR makes the mapping its own inverse.
 */

enum { OCTET_RESERVED = 0x52, OCTET_SUBSTITUTE = 0x32 }; /* 52:54:00 is what hypervisors use */

static uint64_t network_mask(uint64_t nwid)
{
	uint64_t mask = 0;
	for (unsigned k = 1; k <= 5; k++) {
		mask = mask << 8 | (nwid >> (8 * k) & 0xff);
	}
	return mask;
}

uint8_t addr_first_octet(uint64_t nwid)
{
	uint8_t octet = (uint8_t)((nwid & 0xfe) | 0x02);
	return octet == OCTET_RESERVED ? OCTET_SUBSTITUTE : octet;
}

uint64_t addr_mac(uint64_t nwid, uint64_t address)
{
	return (uint64_t)addr_first_octet(nwid) << 40 |
	       ((address & 0xffffffffffULL) ^ network_mask(nwid));
}

uint64_t addr_of_mac(uint64_t nwid, uint64_t mac)
{
	return (mac & 0xffffffffffULL) ^ network_mask(nwid);
}

bool addr_mac_is_member(uint64_t nwid, uint64_t mac)
{
	return mac >> 40 == addr_first_octet(nwid);
}

/* ---- IPv6 addresses -------------------------------------------------------------------------- */

static void put(uint8_t *out, uint64_t value, size_t width)
{
	for (size_t i = width; i > 0; i--) {
		out[i - 1] = (uint8_t)value;
		value >>= 8;
	}
}

struct zt_endpoint addr_rfc4193(uint64_t nwid, uint64_t address)
{
	struct zt_endpoint e = { .family = 6, .port = 88 };
	e.ip[0] = 0xfd;
	put(e.ip + 1, nwid, 8);
	e.ip[9] = 0x99;
	e.ip[10] = 0x93;
	put(e.ip + 11, address, 5);
	return e;
}

struct zt_endpoint addr_6plane(uint64_t nwid, uint64_t address)
{
	struct zt_endpoint e = { .family = 6, .port = 40 };
	e.ip[0] = 0xfc;
	put(e.ip + 1, nwid ^ nwid >> 32, 4);
	put(e.ip + 5, address, 5);
	e.ip[15] = 0x01;
	return e;
}

/* ---- names and groups ------------------------------------------------------------------------ */

void addr_device_name(uint64_t nwid, unsigned trial, char out[ADDR_DEVICE_NAME_BYTES])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint64_t value = ((nwid ^ nwid >> 24) + trial) & 0xffffffffffULL;
	memcpy(out, "zt", 2);
	for (size_t i = 0; i < 8; i++) {
		out[2 + i] = letters[value >> (35 - 5 * i) & 31];
	}
	out[ADDR_DEVICE_NAME_BYTES - 1] = '\0';
}

struct zt_group addr_resolution_group(const struct zt_endpoint *ip)
{
	if (ip->family == 4) {
		uint32_t adi = (uint32_t)ip->ip[0] << 24 | (uint32_t)ip->ip[1] << 16 |
			       (uint32_t)ip->ip[2] << 8 | ip->ip[3];
		return (struct zt_group){ .mac = ADDR_MAC_BROADCAST, .adi = adi };
	}
	uint64_t low = (uint64_t)ip->ip[13] << 16 | (uint64_t)ip->ip[14] << 8 | ip->ip[15];
	return (struct zt_group){ .mac = 0x3333ff000000ULL | low, .adi = 0 };
}
