/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "stack/ipa.h"

#include <lwip/ip_addr.h>

bool ipa_is_multicast(const struct ipa *a)
{
	return ipa_is_v4(a) ? be32toh(a->word[3]) >> 28 == 14 : be32toh(a->word[0]) >> 24 == 0xff;
}

bool ipa_is_unicast(const struct ipa *a)
{
	if (ipa_is_v4(a)) {
		uint32_t first = be32toh(a->word[3]) >> 24;
		return first != 0 && first != 127 && first < 224;
	}
	bool is_low = (a->word[0] | a->word[1] | a->word[2]) == 0; /* ::, ::1 and their like */
	return !is_low && !ipa_is_multicast(a);
}

bool ipa_prefix_equal(const struct ipa *a, const struct ipa *b, unsigned bits)
{
	uint32_t differs = 0;
	for (unsigned i = 0; i < 4 && bits > i * 32; i++) {
		unsigned take = bits - i * 32;
		uint32_t mask = take >= 32 ? 0xffffffffu : ~(0xffffffffu >> take);
		differs |= (a->word[i] ^ b->word[i]) & htobe32(mask);
	}
	return differs == 0;
}

void ipa_multicast_mac(const struct ipa *group, uint8_t mac[6])
{
	if (ipa_is_v4(group)) {
		uint32_t low = htobe32(be32toh(group->word[3]) & 0x7fffff);
		mac[0] = 0x01;
		mac[1] = 0x00;
		mac[2] = 0x5e;
		memcpy(mac + 3, (const uint8_t *)&low + 1, 3);
	} else {
		memset(mac, 0x33, 2);
		memcpy(mac + 2, &group->word[3], 4);
	}
}

bool ipa_read(const struct stack_ip *from, struct ipa *out)
{
	if (from->family == 4 && from->bits <= 32) {
		uint32_t ip;
		memcpy(&ip, from->bytes, 4);
		*out = ipa_v4(ip);
		return true;
	}
	*out = ipa_v6(from->bytes);
	return from->family == 6 && from->bits <= 128 && !ipa_is_v4(out);
}

struct stack_ip ipa_name(const struct ipa *a, uint16_t port)
{
	bool is_v4 = ipa_is_v4(a);
	struct stack_ip name = { .family = is_v4 ? 4 : 6, .bits = is_v4 ? 32 : 128, .port = port };
	memcpy(name.bytes, is_v4 ? &a->word[3] : a->word, is_v4 ? 4 : 16);
	return name;
}

void ipa_to_lwip(const struct ipa *a, struct ip_addr *out)
{
	memset(out, 0, sizeof(*out));
	if (ipa_is_v4(a)) {
		ip_2_ip4(out)->addr = a->word[3];
		out->type = IPADDR_TYPE_V4;
	} else {
		memcpy(ip_2_ip6(out)->addr, a->word, sizeof(a->word));
		out->type = IPADDR_TYPE_V6;
	}
}

struct ipa ipa_of_lwip(const struct ip_addr *a)
{
	return IP_IS_V6(a) ? ipa_v6(ip_2_ip6(a)->addr) : ipa_v4(ip_2_ip4(a)->addr);
}
