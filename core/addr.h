/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What follows from a network id and a node address: MACs, IPv6 addresses, names (vl2 1, 8). */
#ifndef CORE_ADDR_H
#define CORE_ADDR_H

#include "core/zt.h"

#include <stdbool.h>
#include <stdint.h>

#define ADDR_MAC_BROADCAST 0xffffffffffffULL

/* The controller of a network. */
static inline uint64_t addr_controller(uint64_t nwid)
{
	return nwid >> 24;
}

static inline bool addr_mac_is_multicast(uint64_t mac)
{
	return mac >> 40 & 1;
}

/* The first octet of every member's MAC on this network. */
uint8_t addr_first_octet(uint64_t nwid);
uint64_t addr_mac(uint64_t nwid, uint64_t address);
/* The member that owns the MAC; only meaningful if addr_mac_is_member. */
uint64_t addr_of_mac(uint64_t nwid, uint64_t mac);
bool addr_mac_is_member(uint64_t nwid, uint64_t mac);

/* Derived IPv6 addresses; port = prefix length (88 and 40). */
struct zt_endpoint addr_rfc4193(uint64_t nwid, uint64_t address);
struct zt_endpoint addr_6plane(uint64_t nwid, uint64_t address);

/* "zt" and eight letters; `trial` counts up when a name is taken. */
enum { ADDR_DEVICE_NAME_BYTES = 11 };
void addr_device_name(uint64_t nwid, unsigned trial, char out[ADDR_DEVICE_NAME_BYTES]);

/* The multicast group in which the owner of an IP is looked for (ARP, neighbour discovery). */
struct zt_group addr_resolution_group(const struct zt_endpoint *ip);

#endif
