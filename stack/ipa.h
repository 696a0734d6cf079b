/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* An IP address inside the stack: always 16 bytes, IPv4 as ::ffff:a.b.c.d, so that comparing,
 * hashing and prefixes are one code for both families. No IPv6 packet may carry such an address
 * (frame input drops it), so the families cannot be confused from outside. */
#ifndef STACK_IPA_H
#define STACK_IPA_H

#include "stack/stack.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct ip_addr; /* lwIP's */

struct ipa {
	uint32_t word[4]; /* in the byte order of the wire */
};

static inline bool ipa_equal(const struct ipa *a, const struct ipa *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool ipa_is_v4(const struct ipa *a)
{
	return (a->word[0] | a->word[1]) == 0 && a->word[2] == htobe32(0xffff);
}

static inline struct ipa ipa_v4(uint32_t wire_order)
{
	return (struct ipa){ { 0, 0, htobe32(0xffff), wire_order } };
}

static inline bool ipa_is_unspecified(const struct ipa *a)
{
	return (a->word[0] | a->word[1] | a->word[3]) == 0 &&
	       (a->word[2] == 0 || a->word[2] == htobe32(0xffff));
}

/* The address as it lies in an IPv6 header. */
static inline struct ipa ipa_v6(const void *bytes)
{
	struct ipa a;
	memcpy(&a, bytes, sizeof(a));
	return a;
}

/* fe80::/10 */
static inline bool ipa_is_link_local(const struct ipa *a)
{
	return (a->word[0] & htobe32(0xffc00000)) == htobe32(0xfe800000);
}

/* ... or a group that does not leave the link, ff02::/16 and narrower */
static inline bool ipa_is_link_scope(const struct ipa *a)
{
	uint32_t first = be32toh(a->word[0]);
	return ipa_is_link_local(a) || (first >> 24 == 0xff && (first >> 16 & 0xf) <= 2);
}

/* ff02::1 */
static inline struct ipa ipa_all_nodes(void)
{
	return (struct ipa){ { htobe32(0xff020000), 0, 0, htobe32(1) } };
}

bool ipa_is_multicast(const struct ipa *a);
/* An address that one host can have and be reached by. */
bool ipa_is_unicast(const struct ipa *a);
/* Do the first `bits` of 128 agree? IPv4's prefix lengths are counted from 96. */
bool ipa_prefix_equal(const struct ipa *a, const struct ipa *b, unsigned bits);
/* The Ethernet address of a multicast group (RFC 1112 6.4, RFC 2464 7). */
void ipa_multicast_mac(const struct ipa *group, uint8_t mac[6]);

/* False: of no known family, or a prefix length too long. */
bool ipa_read(const struct stack_ip *from, struct ipa *out);
struct stack_ip ipa_name(const struct ipa *a, uint16_t port);
void ipa_to_lwip(const struct ipa *a, struct ip_addr *out);
struct ipa ipa_of_lwip(const struct ip_addr *a);

#endif
