/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a name stands for: see names.h. */
#include "intercept/names.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdlib.h>
#include <strings.h>

static void from_v4(const struct in_addr *in, struct rpc_addr *out)
{
	*out = (struct rpc_addr){ .family = AF_INET };
	out->addr[10] = out->addr[11] = 0xff;
	memcpy(out->addr + 12, in, 4);
}

/* The number behind %, or the interface's. */
static uint32_t scope_of(const char *text)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);
	return *text != '\0' && *end == '\0' ? (uint32_t)number : if_nametoindex(text);
}

bool names_number(const char *text, struct rpc_addr *out)
{
	struct in_addr v4;
	char copy[INET6_ADDRSTRLEN];
	const char *percent = strchr(text, '%');
	size_t length = percent ? (size_t)(percent - text) : strlen(text);
	if (!percent && inet_aton(text, &v4)) {
		from_v4(&v4, out);
		return true;
	}
	*out = (struct rpc_addr){ .family = AF_INET6 };
	if (length >= sizeof copy) {
		return false;
	}
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (inet_pton(AF_INET6, copy, out->addr) != 1) {
		return false;
	}
	out->scope = percent ? scope_of(percent + 1) : 0;
	return !percent || out->scope != 0;
}

/* "localhost" and what ends with it (RFC 6761); a dot at the end may follow. */
static bool is_localhost(const char *name)
{
	static const char word[] = "localhost";
	size_t length = strlen(name), size = sizeof word - 1;
	length -= length > 0 && name[length - 1] == '.';
	return length >= size && strncasecmp(name + length - size, word, size) == 0 &&
	       (length == size || name[length - size - 1] == '.');
}

static void localhost_add(int family, struct names *out)
{
	struct in_addr v4 = { .s_addr = htonl(INADDR_LOOPBACK) };
	if (family != AF_INET) {
		out->addresses[out->count] = (struct rpc_addr){ .family = AF_INET6 };
		out->addresses[out->count++].addr[15] = 1;
	}
	if (family != AF_INET6) {
		from_v4(&v4, &out->addresses[out->count++]);
	}
	memcpy(out->canonical, "localhost", sizeof "localhost");
}

/* ::1 before 127.0.0.1, as RFC 6724 has it; the rest as the file has it. */
static void loopback_first(struct names *n)
{
	static const uint8_t one[16] = { [15] = 1 };
	for (size_t i = 1; i < n->count; i++) {
		struct rpc_addr moved = n->addresses[i];
		if (memcmp(moved.addr, one, sizeof one) == 0) {
			memmove(&n->addresses[1], &n->addresses[0], i * sizeof moved);
			n->addresses[0] = moved;
		}
	}
}

enum rpc_resolve_status names_find(const char *name, int family, struct names *out)
{
	struct rpc_addr number;
	memset(out, 0, sizeof *out);
	if (names_number(name, &number)) {
		if (family == 0 || number.family == family) {
			out->addresses[out->count++] = number;
		}
		size_t length = strlen(name);
		memcpy(out->canonical, name, length < NAMES_TEXT ? length + 1 : 0);
		return out->count > 0 ? RPC_RESOLVED : RPC_RESOLVE_NO_DATA;
	}
	bool is_there = hosts_find(name, family, out);
	if (is_there && out->count > 0) {
		loopback_first(out);
		return RPC_RESOLVED;
	}
	if (is_localhost(name)) {
		localhost_add(family, out);
		return RPC_RESOLVED;
	}
	if (name[0] == '\0') {
		return RPC_RESOLVE_NONE;
	}
	enum rpc_resolve_status status = ask_host(name, family, out);
	return status == RPC_RESOLVE_NONE && is_there ? RPC_RESOLVE_NO_DATA : status;
}

enum rpc_resolve_status names_of(const struct rpc_addr *address, char out[NAMES_TEXT])
{
	if (hosts_name(address, out)) {
		return RPC_RESOLVED;
	}
	static const uint8_t one[16] = { [15] = 1 };
	bool is_loopback = address->family == AF_INET ? address->addr[12] == 127
						      : memcmp(address->addr, one, 16) == 0;
	if (is_loopback) {
		memcpy(out, "localhost", sizeof "localhost");
		return RPC_RESOLVED;
	}
	return ask_address(address, out);
}
