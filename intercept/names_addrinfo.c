/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* getaddrinfo(), freeaddrinfo(), getaddrinfo_a(), with glibc's answers where POSIX leaves a choice.
 *
 * A list is laid out as glibc lays out its own (each node with its address behind it in one block,
 * the canonical name in another), so that either freeaddrinfo() frees it.
 */
#include "intercept/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

enum { KINDS_MAX = 3, SERVICE_BYTES = 1024 };

/* A socket type and protocol that the caller may want, with the port of the service. */
struct kind {
	int type, protocol;
	in_port_t port; /* network order */
};

struct request {
	const char *node, *service;
	struct addrinfo hints;
	struct kind kinds[KINDS_MAX];
	size_t kind_count;
};

static const struct kind all_kinds[KINDS_MAX] = { { SOCK_STREAM, IPPROTO_TCP, 0 },
						  { SOCK_DGRAM, IPPROTO_UDP, 0 },
						  { SOCK_RAW, 0, 0 } };

/* ---- services -------------------------------------------------------------------------------- */

/* /etc/services through libc: no network is involved. */
static bool service_port(const char *name, int protocol, in_port_t *out)
{
	struct servent entry, *found = NULL;
	char buffer[SERVICE_BYTES];
	const char *word = protocol == IPPROTO_TCP ? "tcp" : "udp";
	if (protocol == 0 ||
	    getservbyname_r(name, word, &entry, buffer, sizeof buffer, &found) != 0 || !found) {
		return false;
	}
	*out = (in_port_t)found->s_port;
	return true;
}

static bool is_wanted(const struct kind *kind, const struct addrinfo *hints)
{
	return (hints->ai_socktype == 0 || hints->ai_socktype == kind->type) &&
	       (hints->ai_protocol == 0 || kind->protocol == hints->ai_protocol ||
		kind->type == SOCK_RAW);
}

static int kinds_find(struct request *q)
{
	const struct addrinfo *hints = &q->hints;
	char *end = NULL;
	unsigned long number = q->service ? strtoul(q->service, &end, 10) : 0;
	bool is_number = !q->service || (*q->service && *end == '\0' && number <= 65535);
	bool fits = false;
	if (!is_number && (hints->ai_flags & AI_NUMERICSERV)) {
		return EAI_NONAME;
	}
	for (size_t i = 0; i < KINDS_MAX; i++) {
		struct kind kind = all_kinds[i];
		if (!is_wanted(&kind, hints) ||
		    (hints->ai_socktype == 0 && hints->ai_protocol != 0 && kind.type == SOCK_RAW)) {
			continue;
		}
		fits = true;
		if (kind.type == SOCK_RAW) {
			kind.protocol = hints->ai_protocol;
		}
		kind.port = htons((uint16_t)number);
		if (is_number || service_port(q->service, kind.protocol, &kind.port)) {
			q->kinds[q->kind_count++] = kind;
		}
	}
	if (!fits) {
		return hints->ai_socktype ? EAI_SOCKTYPE : EAI_SERVICE;
	}
	return q->kind_count > 0 ? 0 : EAI_SERVICE;
}

/* ---- addresses ------------------------------------------------------------------------------- */

static void any_add(struct names *n, int family, bool is_passive)
{
	struct rpc_addr a = { .family = (uint8_t)family };
	if (family == AF_INET) {
		a.addr[10] = a.addr[11] = 0xff;
		if (!is_passive) {
			a.addr[12] = 127;
			a.addr[15] = 1;
		}
	} else {
		a.addr[15] = !is_passive;
	}
	n->addresses[n->count++] = a;
}

static void nobody(const struct addrinfo *hints, struct names *n)
{
	bool is_passive = (hints->ai_flags & AI_PASSIVE) != 0;
	memset(n, 0, sizeof *n);
	/* glibc: 0.0.0.0 before :: for servers, ::1 before 127.0.0.1 for clients */
	int first = is_passive ? AF_INET : AF_INET6, second = is_passive ? AF_INET6 : AF_INET;
	if (hints->ai_family == AF_UNSPEC || hints->ai_family == first) {
		any_add(n, first, is_passive);
	}
	if (hints->ai_family == AF_UNSPEC || hints->ai_family == second) {
		any_add(n, second, is_passive);
	}
}

/* AI_ADDRCONFIG: the only family that the virtual host has an address of, or the one asked for. */
static int family_configured(const struct addrinfo *hints)
{
	struct interfaces all;
	bool has_v4 = false, has_v6 = false;
	if (!(hints->ai_flags & AI_ADDRCONFIG) || !interfaces_ask(&all)) {
		return hints->ai_family;
	}
	for (size_t i = 0; i < all.head.count; i++) {
		has_v4 |= all.addresses[i].family == AF_INET;
		has_v6 |= all.addresses[i].family == AF_INET6;
	}
	if (hints->ai_family == AF_UNSPEC) {
		return has_v4 == has_v6 ? AF_UNSPEC : has_v4 ? AF_INET : AF_INET6;
	}
	bool has_it = hints->ai_family == AF_INET ? has_v4 : has_v6;
	return has_it ? hints->ai_family : -1;
}

static int eai_of(enum rpc_resolve_status status)
{
	switch (status) {
	case RPC_RESOLVED:
		return 0;
	case RPC_RESOLVE_NO_DATA:
		return EAI_NODATA;
	case RPC_RESOLVE_AGAIN:
		return EAI_AGAIN;
	case RPC_RESOLVE_FAIL:
		return EAI_FAIL;
	case RPC_RESOLVE_NONE:
	default:
		return EAI_NONAME;
	}
}

/* AF_INET6 sockets take IPv4 addresses as ::ffff:a.b.c.d, if AI_V4MAPPED allows. */
static void v4_mapped_add(const struct request *q, struct names *n)
{
	struct names v4;
	int flags = q->hints.ai_flags;
	if (q->hints.ai_family != AF_INET6 || !(flags & AI_V4MAPPED) ||
	    (n->count > 0 && !(flags & AI_ALL)) ||
	    names_find(q->node, AF_INET, &v4) != RPC_RESOLVED) {
		return;
	}
	for (size_t i = 0; i < v4.count && n->count < NAMES_MAX; i++) {
		n->addresses[n->count] = v4.addresses[i];
		n->addresses[n->count++].family = AF_INET6;
	}
	if (n->canonical[0] == '\0') {
		memcpy(n->canonical, v4.canonical, sizeof n->canonical);
	}
}

static int number_fits(const struct request *q, struct rpc_addr *a)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	int family = q->hints.ai_family;
	bool is_v4 = memcmp(a->addr, mapped, sizeof mapped) == 0;
	if (family == AF_UNSPEC || family == a->family) {
		return 0;
	}
	if (is_v4 && (family == AF_INET || (q->hints.ai_flags & AI_V4MAPPED))) {
		a->family = (uint8_t)family;
		return 0;
	}
	return EAI_ADDRFAMILY;
}

static int addresses_find(const struct request *q, struct names *n)
{
	struct rpc_addr number;
	if (!q->node) {
		nobody(&q->hints, n);
		return 0;
	}
	if (names_number(q->node, &number)) {
		int error = number_fits(q, &number);
		memset(n, 0, sizeof *n);
		n->addresses[n->count++] = number;
		size_t length = strlen(q->node);
		memcpy(n->canonical, q->node, length < NAMES_TEXT ? length : NAMES_TEXT - 1);
		return error;
	}
	if (q->hints.ai_flags & AI_NUMERICHOST) {
		return EAI_NONAME;
	}
	int family = family_configured(&q->hints);
	if (family < 0) {
		return EAI_NONAME;
	}
	enum rpc_resolve_status status = names_find(q->node, family, n);
	if (status != RPC_RESOLVED) {
		n->count = 0;
	}
	v4_mapped_add(q, n);
	return n->count > 0 ? 0 : eai_of(status);
}

/* ---- the list -------------------------------------------------------------------------------- */

static struct addrinfo *node_new(const struct rpc_addr *a, const struct kind *kind, int flags)
{
	struct rpc_addr with_port = *a;
	struct sockaddr_storage address;
	socklen_t length = sizeof address;
	with_port.port_be = kind->port;
	(void)addr_out(&with_port, (struct sockaddr *)&address, &length);
	struct addrinfo *node = calloc(1, sizeof *node + length);
	if (!node) {
		return NULL;
	}
	*node = (struct addrinfo){ .ai_flags = flags,
				   .ai_family = a->family,
				   .ai_socktype = kind->type,
				   .ai_protocol = kind->protocol,
				   .ai_addrlen = length,
				   .ai_addr = (void *)(node + 1) };
	memcpy(node->ai_addr, &address, length);
	if (a->family == AF_INET6) { /* a number's zone, whatever the address is: "ff02::1%lo" */
		((struct sockaddr_in6 *)(void *)node->ai_addr)->sin6_scope_id = a->scope;
	}
	return node;
}

EXPORT void freeaddrinfo(struct addrinfo *list)
{
	if (!names_on()) {
		LIBC(freeaddrinfo)(list);
		return;
	}
	while (list) {
		struct addrinfo *next = list->ai_next;
		free(list->ai_canonname);
		free(list);
		list = next;
	}
}

static int list_make(const struct request *q, const struct names *n, struct addrinfo **out)
{
	struct addrinfo *first = NULL, **at = &first;
	for (size_t i = 0; i < n->count; i++) {
		for (size_t k = 0; k < q->kind_count; k++) {
			*at = node_new(&n->addresses[i], &q->kinds[k], q->hints.ai_flags);
			if (!*at) {
				freeaddrinfo(first);
				return EAI_MEMORY;
			}
			at = &(*at)->ai_next;
		}
	}
	if (first && (q->hints.ai_flags & AI_CANONNAME)) {
		first->ai_canonname = strdup(n->canonical[0] ? n->canonical : q->node);
		if (!first->ai_canonname) {
			freeaddrinfo(first);
			return EAI_MEMORY;
		}
	}
	*out = first;
	return 0;
}

static int hints_check(const struct request *q)
{
	enum {
		KNOWN = AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_V4MAPPED | AI_ALL |
			AI_ADDRCONFIG | AI_NUMERICSERV | 0x40 | 0x80 | 0x100 | 0x200 /* AI_IDN... */
	};
	if (!q->node && !q->service) {
		return EAI_NONAME;
	}
	if ((q->hints.ai_flags & ~KNOWN) || (!q->node && (q->hints.ai_flags & AI_CANONNAME))) {
		return EAI_BADFLAGS;
	}
	if (q->hints.ai_family != AF_UNSPEC && q->hints.ai_family != AF_INET &&
	    q->hints.ai_family != AF_INET6) {
		return EAI_FAMILY;
	}
	return 0;
}

EXPORT int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		       struct addrinfo **out)
{
	if (!names_on()) {
		return LIBC(getaddrinfo)(node, service, hints, out);
	}
	struct request q = { .node = node && strcmp(node, "*") == 0 ? NULL : node,
			     .service = service && strcmp(service, "*") == 0 ? NULL : service,
			     .hints = { .ai_flags = AI_V4MAPPED | AI_ADDRCONFIG } };
	struct names *n = malloc(sizeof *n);
	int saved = errno;
	if (!n) {
		return EAI_MEMORY;
	}
	if (hints) {
		q.hints = *hints;
	}
	int error = hints_check(&q);
	error = error ? error : kinds_find(&q);
	error = error ? error : addresses_find(&q, n);
	error = error ? error : list_make(&q, n, out);
	free(n);
	if (error != EAI_SYSTEM) {
		errno = saved;
	}
	debug_name("getaddrinfo", node, error ? gai_strerror(error) : NULL);
	return error;
}

/* ---- getaddrinfo_a --------------------------------------------------------------------------- */

#ifdef __GLIBC__
/* glibc's own would call its own getaddrinfo() in a thread. Here the answers are there when it
 * returns, which GAI_NOWAIT permits; who waits with gai_suspend() finds them done. */
EXPORT int getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *event)
{
	if (!names_on()) {
		return LIBC(getaddrinfo_a)(mode, list, count, event);
	}
	if (mode != GAI_WAIT && mode != GAI_NOWAIT) {
		errno = EINVAL;
		return EAI_SYSTEM;
	}
	for (int i = 0; i < count; i++) {
		struct gaicb *one = list[i];
		if (one) {
			one->__return = getaddrinfo(one->ar_name, one->ar_service, one->ar_request,
						    &one->ar_result);
		}
	}
	if (event && event->sigev_notify == SIGEV_SIGNAL) {
		(void)raise(event->sigev_signo);
	} else if (event && event->sigev_notify == SIGEV_THREAD && event->sigev_notify_function) {
		event->sigev_notify_function(event->sigev_value);
	}
	return 0;
}
#endif
