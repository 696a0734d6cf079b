/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/endpoint.h"

#include "core/zt.h"

#include <arpa/inet.h> /* inet_ntop and inet_pton: text only, no I/O */
#include <stdio.h>
#include <string.h>

/* First bytes of the wire form, vl1 8.1. */
enum {
	TYPE_NONE = 0,
	TYPE_ETHERNET = 1,
	TYPE_BLUETOOTH = 2,
	TYPE_OTHER = 3,
	TYPE_IPV4 = 4,
	TYPE_IPV6 = 6,
};

static size_t ip_bytes(const struct zt_endpoint *e)
{
	return e->family == 6 ? 16 : 4;
}

int endpoint_read(struct rd *r, struct zt_endpoint *out)
{
	struct zt_endpoint e = { 0 };
	uint8_t type = rd_u8(r);
	switch (type) {
	case TYPE_NONE:
		break;
	case TYPE_ETHERNET:
	case TYPE_BLUETOOTH:
		(void)rd_bytes(r, 6);
		break;
	case TYPE_OTHER:
		(void)rd_bytes(r, rd_u16(r));
		break;
	case TYPE_IPV4:
	case TYPE_IPV6:
		e.family = type;
		rd_copy(r, e.ip, ip_bytes(&e));
		e.port = rd_u16(r);
		break;
	default:
		r->bad = true;
		return ZT_E_MALFORMED;
	}
	if (r->bad) {
		return ZT_E_SHORT;
	}
	*out = e;
	return 0;
}

void endpoint_write(struct wr *w, const struct zt_endpoint *e)
{
	wr_u8(w, e->family);
	if (e->family != 0) {
		wr_bytes(w, e->ip, ip_bytes(e));
		wr_u16(w, e->port);
	}
}

const char *endpoint_ip_text(const struct zt_endpoint *e, char out[ENDPOINT_TEXT_MAX])
{
	out[0] = '\0';
	if (e->family != 0) {
		(void)inet_ntop(e->family == 6 ? AF_INET6 : AF_INET, e->ip, out, ENDPOINT_TEXT_MAX);
	}
	return out;
}

const char *endpoint_text(const struct zt_endpoint *e, char out[ENDPOINT_TEXT_MAX])
{
	char ip[ENDPOINT_TEXT_MAX];
	out[0] = '\0';
	if (e->family != 0) {
		(void)snprintf(out, ENDPOINT_TEXT_MAX, "%.48s/%u", endpoint_ip_text(e, ip),
			       e->port);
	}
	return out;
}

/* One to five decimal digits and nothing else. */
static bool port_parse(const char *text, uint16_t *out)
{
	uint32_t value = 0;
	size_t digits = 0;
	for (; text[digits] >= '0' && text[digits] <= '9' && digits < 6; digits++) {
		value = value * 10 + (uint32_t)(text[digits] - '0');
	}
	if (digits == 0 || text[digits] != '\0' || value > UINT16_MAX) {
		return false;
	}
	*out = (uint16_t)value;
	return true;
}

bool endpoint_parse(const char *text, struct zt_endpoint *out)
{
	struct zt_endpoint e = { 0 };
	char ip[ENDPOINT_TEXT_MAX];
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	if (length >= sizeof ip || (slash && !port_parse(slash + 1, &e.port))) {
		return false;
	}
	memcpy(ip, text, length);
	ip[length] = '\0';
	e.family = strchr(ip, ':') ? 6 : 4;
	if (inet_pton(e.family == 6 ? AF_INET6 : AF_INET, ip, e.ip) != 1) {
		return false;
	}
	*out = e;
	return true;
}

bool endpoint_ip_equal(const struct zt_endpoint *a, const struct zt_endpoint *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool endpoint_equal(const struct zt_endpoint *a, const struct zt_endpoint *b)
{
	return a->port == b->port && endpoint_ip_equal(a, b);
}

/* ---- scope, vl1 8.2 ------------------------------------------------------------------------- */

struct block {
	uint32_t net;
	uint8_t bits;
	uint8_t scope;
};

/* The first row that contains the address wins. */
static const struct block ipv4_blocks[] = {
	{ 0x00000000, 8, SCOPE_NONE },           { 0xff000000, 8, SCOPE_NONE },
	{ 0xe0000000, 4, SCOPE_MULTICAST },      { 0x7f000000, 8, SCOPE_LOOPBACK },
	{ 0x06000000, 8, SCOPE_PSEUDO_PRIVATE }, { 0x0b000000, 8, SCOPE_PSEUDO_PRIVATE },
	{ 0x15000000, 8, SCOPE_PSEUDO_PRIVATE }, { 0x16000000, 8, SCOPE_PSEUDO_PRIVATE },
	{ 0x19000000, 8, SCOPE_PSEUDO_PRIVATE }, { 0x1a000000, 8, SCOPE_PSEUDO_PRIVATE },
	{ 0x1c000000, 8, SCOPE_PSEUDO_PRIVATE }, { 0x1d000000, 8, SCOPE_PSEUDO_PRIVATE },
	{ 0x1e000000, 8, SCOPE_PSEUDO_PRIVATE }, { 0x33000000, 8, SCOPE_PSEUDO_PRIVATE },
	{ 0x37000000, 8, SCOPE_PSEUDO_PRIVATE }, { 0x38000000, 8, SCOPE_PSEUDO_PRIVATE },
	{ 0xf0000000, 4, SCOPE_PSEUDO_PRIVATE }, { 0xa9fe0000, 16, SCOPE_LINK_LOCAL },
	{ 0x0a000000, 8, SCOPE_PRIVATE },        { 0x64400000, 10, SCOPE_PRIVATE },
	{ 0xac100000, 12, SCOPE_PRIVATE },       { 0xc0a80000, 16, SCOPE_PRIVATE },
	{ 0xc0000200, 24, SCOPE_PRIVATE },       { 0xc6120000, 15, SCOPE_PRIVATE },
	{ 0xc6336400, 24, SCOPE_PRIVATE },       { 0xcb007100, 24, SCOPE_PRIVATE },
};

static enum endpoint_scope ipv4_scope(const uint8_t *ip)
{
	struct rd r = rd_init(ip, 4);
	uint32_t address = rd_u32(&r);
	for (size_t i = 0; i < sizeof ipv4_blocks / sizeof ipv4_blocks[0]; i++) {
		if ((address ^ ipv4_blocks[i].net) >> (32 - ipv4_blocks[i].bits) == 0) {
			return (enum endpoint_scope)ipv4_blocks[i].scope;
		}
	}
	return SCOPE_GLOBAL;
}

static enum endpoint_scope ipv6_scope(const uint8_t *ip)
{
	static const uint8_t zeros[16];
	static const uint8_t link_local_one[16] = { 0xfe, 0x80, [15] = 1 };
	static const uint8_t mapped_loopback[3] = { 0xff, 0xff, 127 };
	if (ip[0] == 0xff) {
		return SCOPE_MULTICAST;
	}
	if (memcmp(ip, link_local_one, 16) == 0) {
		return SCOPE_LOOPBACK;
	}
	if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) {
		return SCOPE_LINK_LOCAL;
	}
	if ((ip[0] & 0xfe) == 0xfc) {
		return SCOPE_PRIVATE;
	}
	if (memcmp(ip, zeros, 15) == 0 && ip[15] <= 1) {
		return ip[15] == 0 ? SCOPE_NONE : SCOPE_LOOPBACK;
	}
	if (memcmp(ip, zeros, 9) == 0 && memcmp(ip + 10, mapped_loopback, 3) == 0) {
		return SCOPE_LOOPBACK;
	}
	return SCOPE_GLOBAL;
}

enum endpoint_scope endpoint_scope(const struct zt_endpoint *e)
{
	switch (e->family) {
	case 4:
		return ipv4_scope(e->ip);
	case 6:
		return ipv6_scope(e->ip);
	default:
		return SCOPE_NONE;
	}
}

bool endpoint_path_ok(const struct zt_endpoint *e)
{
	/* Hurricane Electric's tunnels: the reference avoids them, so peers do not expect them. */
	static const struct zt_endpoint tunnels = { .ip = { 0x20, 0x01, 0x04, 0x70 },
						    .port = 32,
						    .family = 6 };
	switch (endpoint_scope(e)) {
	case SCOPE_PSEUDO_PRIVATE:
	case SCOPE_GLOBAL:
	case SCOPE_SHARED:
	case SCOPE_PRIVATE:
		return !endpoint_within(e, &tunnels);
	default:
		return false;
	}
}

bool endpoint_within(const struct zt_endpoint *ip, const struct zt_endpoint *net)
{
	size_t bits = net->port;
	if (ip->family == 0 || ip->family != net->family || bits > ip_bytes(net) * 8) {
		return false;
	}
	if (memcmp(ip->ip, net->ip, bits / 8) != 0) {
		return false;
	}
	size_t rest = bits % 8;
	return rest == 0 || (ip->ip[bits / 8] ^ net->ip[bits / 8]) >> (8 - rest) == 0;
}
