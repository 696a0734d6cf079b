/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* gethostbyname(), gethostbyname2(), gethostbyaddr() and their _r forms; getnameinfo().
 *
 * The plain forms answer from memory of their own, which the next call overwrites, as libc's.
 */
#include "intercept/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef NETDB_INTERNAL
#define NETDB_INTERNAL (-1) /* musl has no name for "see errno" */
#endif

enum {
	STATIC_BYTES = 8192,
	SERVICE_BYTES = 1024,
	NUMBER_BYTES = INET6_ADDRSTRLEN + IF_NAMESIZE + 2
};

int names_h_errno(enum rpc_resolve_status status)
{
	switch (status) {
	case RPC_RESOLVED:
		return 0;
	case RPC_RESOLVE_NO_DATA:
		return NO_DATA;
	case RPC_RESOLVE_AGAIN:
		return TRY_AGAIN;
	case RPC_RESOLVE_FAIL:
		return NO_RECOVERY;
	case RPC_RESOLVE_NONE:
	default:
		return HOST_NOT_FOUND;
	}
}

/* ---- struct hostent -------------------------------------------------------------------------- */

struct room {
	char *at;
	size_t left;
};

/* Memory of the caller's buffer; NULL if it is used up. */
static void *take(struct room *room, size_t size, size_t align)
{
	size_t gap = (align - (uintptr_t)room->at % align) % align;
	if (gap + size > room->left) {
		return NULL;
	}
	void *memory = room->at + gap;
	room->at += gap + size;
	room->left -= gap + size;
	return memory;
}

/* 0 or ERANGE. */
static int hostent_fill(struct hostent *out, const struct names *n, int family, struct room room)
{
	size_t size = family == AF_INET ? 4 : 16;
	char **list = take(&room, (n->count + 2) * sizeof *list, sizeof *list);
	char *name = take(&room, strlen(n->canonical) + 1, 1);
	if (!list || !name) {
		return ERANGE;
	}
	memcpy(name, n->canonical, strlen(n->canonical) + 1);
	for (size_t i = 0; i < n->count; i++) {
		list[i] = take(&room, size, 4);
		if (!list[i]) {
			return ERANGE;
		}
		memcpy(list[i], n->addresses[i].addr + 16 - size, size);
	}
	list[n->count] = NULL;
	list[n->count + 1] = NULL;
	*out = (struct hostent){ .h_name = name,
				 .h_aliases = &list[n->count + 1],
				 .h_addrtype = family,
				 .h_length = (int)size,
				 .h_addr_list = list };
	return 0;
}

struct by {
	const char *name;              /* by name, or */
	const struct rpc_addr *number; /* by address */
	int family;
};

/* As the _r functions return: 0 or an errno, *result, *h. */
static int find_r(const struct by *by, struct hostent *out, struct room room,
		  struct hostent **result, int *h)
{
	struct names *n = malloc(sizeof *n);
	enum rpc_resolve_status status = RPC_RESOLVE_FAIL;
	int error = n ? 0 : ENOMEM;
	*result = NULL;
	if (n && by->name) {
		status = names_find(by->name, by->family, n);
	} else if (n && by->number) {
		memset(n, 0, sizeof *n);
		n->addresses[n->count++] = *by->number;
		status = names_of(by->number, n->canonical);
	}
	*h = names_h_errno(status);
	if (n && status == RPC_RESOLVED) {
		error = hostent_fill(out, n, by->family, room);
		*h = error ? NETDB_INTERNAL : 0;
		*result = error ? NULL : out;
	} else if (status == RPC_RESOLVE_AGAIN) {
		error = EAGAIN;
	}
	free(n);
	return error;
}

static struct hostent *find_static(const struct by *by)
{
	static char memory[STATIC_BYTES];
	static struct hostent entry;
	struct room room = { memory, sizeof memory };
	struct hostent *result;
	int error = find_r(by, &entry, room, &result, &h_errno);
	if (error && !result) {
		errno = error;
	}
	debug_name(by->name ? "gethostbyname" : "gethostbyaddr", by->name,
		   result ? NULL : hstrerror(h_errno));
	return result;
}

EXPORT struct hostent *gethostbyname2(const char *name, int family)
{
	if (!names_on()) {
		return LIBC(gethostbyname2)(name, family);
	}
	if (family != AF_INET && family != AF_INET6) {
		h_errno = NETDB_INTERNAL;
		errno = EAFNOSUPPORT;
		return NULL;
	}
	struct by by = { .name = name, .family = family };
	return find_static(&by);
}

EXPORT struct hostent *gethostbyname(const char *name)
{
	return names_on() ? gethostbyname2(name, AF_INET) : LIBC(gethostbyname)(name);
}

/* NOLINTNEXTLINE(readability-function-size): libc has so many */
EXPORT int gethostbyname2_r(const char *name, int family, struct hostent *entry, char *buffer,
			    size_t size, struct hostent **result, int *h)
{
	if (!names_on()) {
		return LIBC(gethostbyname2_r)(name, family, entry, buffer, size, result, h);
	}
	struct by by = { .name = name, .family = family };
	struct room room = { buffer, size };
	if (family != AF_INET && family != AF_INET6) {
		*result = NULL;
		*h = NETDB_INTERNAL;
		return EAFNOSUPPORT;
	}
	return find_r(&by, entry, room, result, h);
}

EXPORT int gethostbyname_r(const char *name, struct hostent *entry, char *buffer, size_t size,
			   struct hostent **result, int *h)
{
	if (!names_on()) {
		return LIBC(gethostbyname_r)(name, entry, buffer, size, result, h);
	}
	return gethostbyname2_r(name, AF_INET, entry, buffer, size, result, h);
}

/* An address of `length` bytes. False: not of this family. */
static bool number_of(const void *bytes, socklen_t length, int family, struct rpc_addr *out)
{
	*out = (struct rpc_addr){ .family = (uint8_t)family };
	size_t size = family == AF_INET ? 4 : 16;
	if ((family != AF_INET && family != AF_INET6) || length != size) {
		return false;
	}
	if (family == AF_INET) {
		out->addr[10] = out->addr[11] = 0xff;
	}
	memcpy(out->addr + 16 - size, bytes, size);
	return true;
}

EXPORT struct hostent *gethostbyaddr(const void *bytes, socklen_t length, int family)
{
	struct rpc_addr number;
	struct by by = { .number = &number, .family = family };
	if (!names_on()) {
		return LIBC(gethostbyaddr)(bytes, length, family);
	}
	if (!number_of(bytes, length, family, &number)) {
		h_errno = HOST_NOT_FOUND;
		return NULL;
	}
	return find_static(&by);
}

/* NOLINTNEXTLINE(readability-function-size): libc has so many */
EXPORT int gethostbyaddr_r(const void *bytes, socklen_t length, int family, struct hostent *entry,
			   char *buffer, size_t size, struct hostent **result, int *h)
{
	struct rpc_addr number;
	struct by by = { .number = &number, .family = family };
	struct room room = { buffer, size };
	if (!names_on()) {
		return LIBC(gethostbyaddr_r)(bytes, length, family, entry, buffer, size, result, h);
	}
	if (!number_of(bytes, length, family, &number)) {
		*result = NULL;
		*h = HOST_NOT_FOUND;
		return EINVAL;
	}
	return find_r(&by, entry, room, result, h);
}

/* ---- getnameinfo ----------------------------------------------------------------------------- */

static bool text_out(char *out, socklen_t size, const char *text)
{
	size_t length = strlen(text) + 1;
	if (length > size) {
		return false;
	}
	memcpy(out, text, length);
	return true;
}

/* Whose zone is an interface, and said by name. */
static bool is_of_a_link(const struct rpc_addr *a)
{
	return rpc_is_link_local(a) || (a->addr[0] == 0xff && (a->addr[1] & 0x0f) == 0x02);
}

/* "fe80::1%zt..." */
static void number_text(const struct rpc_addr *a, char out[NUMBER_BYTES])
{
	char name[IF_NAMESIZE];
	bool is_v4 = a->family == AF_INET;
	(void)inet_ntop(a->family, is_v4 ? a->addr + 12 : a->addr, out, INET6_ADDRSTRLEN);
	size_t length = strlen(out);
	if (is_v4 || a->scope == 0) {
		return;
	}
	if (is_of_a_link(a) && if_indextoname(a->scope, name)) {
		(void)snprintf(out + length, NUMBER_BYTES - length, "%%%s", name);
	} else {
		(void)snprintf(out + length, NUMBER_BYTES - length, "%%%u", a->scope);
	}
}

static int host_out(const struct rpc_addr *a, char *host, socklen_t size, int flags)
{
	char name[NAMES_TEXT] = "", number[NUMBER_BYTES];
	enum rpc_resolve_status status = RPC_RESOLVE_NONE;
	if (!(flags & NI_NUMERICHOST)) {
		status = names_of(a, name);
		if (status == RPC_RESOLVED) {
			return text_out(host, size, name) ? 0 : EAI_OVERFLOW;
		}
	}
	if (flags & NI_NAMEREQD) {
		return status == RPC_RESOLVE_AGAIN ? EAI_AGAIN : EAI_NONAME;
	}
	number_text(a, number);
	return text_out(host, size, number) ? 0 : EAI_OVERFLOW;
}

static int service_out(in_port_t port, char *service, socklen_t size, int flags)
{
	struct servent entry, *found = NULL;
	char buffer[SERVICE_BYTES], number[8];
	if (!(flags & NI_NUMERICSERV) &&
	    getservbyport_r(port, (flags & NI_DGRAM) ? "udp" : "tcp", &entry, buffer, sizeof buffer,
			    &found) == 0 &&
	    found) {
		return text_out(service, size, found->s_name) ? 0 : EAI_OVERFLOW;
	}
	(void)snprintf(number, sizeof number, "%u", ntohs(port));
	return text_out(service, size, number) ? 0 : EAI_OVERFLOW;
}

/* NOLINTNEXTLINE(readability-function-size): libc has so many */
EXPORT int getnameinfo(const struct sockaddr *sa, socklen_t length, char *host, socklen_t host_size,
		       char *service, socklen_t service_size, int flags)
{
	struct rpc_addr a;
	enum {
		KNOWN = NI_NUMERICHOST | NI_NUMERICSERV | NI_NOFQDN | NI_NAMEREQD | NI_DGRAM | 0xe0
	};
	bool is_ours = names_on() && length >= sizeof sa->sa_family &&
		       (sa->sa_family == AF_INET || sa->sa_family == AF_INET6);
	if (!is_ours) {
		return LIBC(getnameinfo)(sa, length, host, host_size, service, service_size, flags);
	}
	if (flags & ~KNOWN) {
		return EAI_BADFLAGS;
	}
	bool wants_host = host && host_size > 0, wants_service = service && service_size > 0;
	if ((!wants_host && !wants_service) || (!wants_host && (flags & NI_NAMEREQD))) {
		return EAI_NONAME;
	}
	if (addr_in(sa->sa_family, sa, length, &a) != 0) {
		return EAI_FAMILY;
	}
	int saved = errno;
	int error = wants_host ? host_out(&a, host, host_size, flags) : 0;
	if (!error && wants_service) {
		error = service_out(a.port_be, service, service_size, flags);
	}
	errno = saved;
	return error;
}
