/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/ifscan.h"

#include "service/log.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum {
	MAX_TEMPORARY = 32,
	IF_INET6_TEMPORARY = 0x01, /* flags of /proc/net/if_inet6, as IFA_F_* */
	IF_INET6_DAD_FAILED = 0x08,
	IF_INET6_TENTATIVE = 0x40,
};

/* IPv6 addresses that must not be bound: temporary ones change by the hour. getifaddrs() does not
 * say which they are. */
struct temporary {
	size_t count;
	uint8_t addresses[MAX_TEMPORARY][16];
};

static void temporary_read(struct temporary *out)
{
	out->count = 0;
	FILE *f = fopen("/proc/net/if_inet6", "re");
	if (!f) {
		return;
	}
	char line[160];
	while (out->count < MAX_TEMPORARY && fgets(line, sizeof line, f)) {
		unsigned flags = 0;
		uint8_t *to = out->addresses[out->count];
		char hex[33];
		/* NOLINTNEXTLINE(cert-err34-c): the kernel's own table; numbers are bounded */
		if (sscanf(line, "%32s %*x %*x %*x %x", hex, &flags) != 2 || strlen(hex) != 32 ||
		    !(flags & (IF_INET6_TEMPORARY | IF_INET6_DAD_FAILED | IF_INET6_TENTATIVE))) {
			continue;
		}
		for (size_t i = 0; i < 16; i++) {
			unsigned byte = 0;
			/* NOLINTNEXTLINE(cert-err34-c) */
			(void)sscanf(hex + 2 * i, "%2x", &byte);
			to[i] = (uint8_t)byte;
		}
		out->count++;
	}
	(void)fclose(f);
}

static bool temporary_has(const struct temporary *t, const struct zt_endpoint *address)
{
	for (size_t i = 0; i < t->count; i++) {
		if (address->family == 6 && memcmp(t->addresses[i], address->ip, 16) == 0) {
			return true;
		}
	}
	return false;
}

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool ifscan_usable(const struct settings *settings, const char *interface,
		   const struct zt_endpoint *address)
{
	static const char *const refused[] = { "lo", "zt", "tun", "tap" };
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		if (has_prefix(interface, refused[i])) {
			return false;
		}
	}
	for (size_t i = 0; i < settings->prefix_count; i++) {
		if (has_prefix(interface, settings->prefixes[i])) {
			return false;
		}
	}
	for (size_t i = 0; i < settings->path_rule_count; i++) {
		const struct path_rule *rule = &settings->path_rules[i];
		if (rule->peer == 0 && endpoint_within(address, &rule->net)) {
			return false;
		}
	}
	switch (endpoint_scope(address)) {
	case SCOPE_PSEUDO_PRIVATE:
	case SCOPE_GLOBAL:
	case SCOPE_SHARED:
	case SCOPE_PRIVATE:
		return true;
	case SCOPE_NONE:
	case SCOPE_MULTICAST:
	case SCOPE_LOOPBACK:
	case SCOPE_LINK_LOCAL:
		break;
	}
	return false;
}

static bool from_sockaddr(const struct sockaddr *sa, struct zt_endpoint *out)
{
	*out = (struct zt_endpoint){ 0 };
	if (sa && sa->sa_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof in);
		memcpy(out->ip, &in.sin_addr, 4);
		out->family = 4;
		return true;
	}
	if (sa && sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof in6);
		memcpy(out->ip, &in6.sin6_addr, 16);
		out->family = 6;
		return true;
	}
	return false;
}

static bool list_has(const struct zt_endpoint *list, size_t count, const struct zt_endpoint *e)
{
	for (size_t i = 0; i < count; i++) {
		if (endpoint_ip_equal(&list[i], e)) {
			return true;
		}
	}
	return false;
}

static size_t scan_interfaces(const struct settings *settings, struct zt_endpoint *out, size_t max)
{
	struct ifaddrs *list = NULL;
	if (getifaddrs(&list) != 0) {
		log_warn_errno("udp", "cannot list the interfaces");
		return 0;
	}
	struct temporary temporary;
	temporary_read(&temporary);
	size_t count = 0;
	for (const struct ifaddrs *i = list; i && count < max; i = i->ifa_next) {
		struct zt_endpoint address;
		if ((i->ifa_flags & IFF_UP) && from_sockaddr(i->ifa_addr, &address) &&
		    ifscan_usable(settings, i->ifa_name, &address) &&
		    !temporary_has(&temporary, &address) && !list_has(out, count, &address)) {
			out[count++] = address;
		}
	}
	freeifaddrs(list);
	return count;
}

size_t ifscan(const struct settings *settings, bool loopback_ok, struct zt_endpoint *out,
	      size_t max)
{
	size_t count = 0;
	bool has_loopback = false;
	for (size_t i = 0; i < settings->bind_count && count < max; i++) {
		if (!list_has(out, count, &settings->bind[i])) {
			has_loopback |= endpoint_scope(&settings->bind[i]) == SCOPE_LOOPBACK;
			out[count] = settings->bind[i];
			out[count++].port = 0;
		}
	}
	if (settings->bind_count == 0) {
		count = scan_interfaces(settings, out, max);
	}
	if (loopback_ok && !has_loopback && count < max) {
		out[count++] = (struct zt_endpoint){ .ip = { 127, 0, 0, 1 }, .family = 4 };
	}
	return count;
}
