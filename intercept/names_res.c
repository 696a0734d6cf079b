/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* res_query() and its family: DNS messages for programs that read them themselves. Under both of
 * glibc's names: the old ones with two underscores, and the new ones without (2.34).
 */
#include "intercept/names.h"

#include <errno.h>
#include <resolv.h>
#include <stdio.h>

/* Before 2.34 glibc has them only with the underscores, and its header renames them. */
#if defined(__GLIBC__)
#define IS_OLD_GLIBC !__GLIBC_PREREQ(2, 34)
#else
#define IS_OLD_GLIBC 0
#endif
#if IS_OLD_GLIBC
#undef res_query
#undef res_search
#undef res_querydomain
#undef res_send
#undef res_nquery
#undef res_nsearch
#undef res_nquerydomain
#undef res_nsend
__typeof__(__res_query) res_query;
__typeof__(__res_search) res_search;
__typeof__(__res_querydomain) res_querydomain;
__typeof__(__res_send) res_send;
__typeof__(__res_nquery) res_nquery;
__typeof__(__res_nsearch) res_nsearch;
__typeof__(__res_nquerydomain) res_nquerydomain;
__typeof__(__res_nsend) res_nsend;
#define NATIVE(name) LIBC(__##name)
#else
#define NATIVE(name) LIBC(name)
#endif

/* The length, or -1 with h_errno. */
static int query(enum rpc_resolve_kind kind, const char *name, const int class_type[2],
		 unsigned char *answer, int capacity)
{
	enum rpc_resolve_status status = RPC_RESOLVE_FAIL;
	struct ask_raw q = { .kind = kind,
			     .class = class_type[0],
			     .type = class_type[1],
			     .bytes = name,
			     .length = strlen(name),
			     .answer = answer,
			     .capacity = capacity > 0 ? (size_t)capacity : 0 };
	long length = ask_raw(&q, &status);
	h_errno = names_h_errno(status);
	debug_name("res_query", name, status == RPC_RESOLVED ? NULL : hstrerror(h_errno));
	return status == RPC_RESOLVED ? (int)length : -1;
}

static int message_send(const unsigned char *message, int length, unsigned char *answer,
			int capacity)
{
	enum rpc_resolve_status status;
	struct ask_raw q = { .kind = RPC_RESOLVE_SEND,
			     .bytes = message,
			     .length = length > 0 ? (size_t)length : 0,
			     .answer = answer,
			     .capacity = capacity > 0 ? (size_t)capacity : 0 };
	long received = ask_raw(&q, &status);
	/* "No such name" comes as a message, too: that is what was asked for. */
	if (received > 0) {
		return (int)received;
	}
	errno = status == RPC_RESOLVE_AGAIN ? ETIMEDOUT : ECONNREFUSED;
	return -1;
}

static int query_below(const char *name, const char *domain, const int class_type[2],
		       unsigned char *answer, int capacity)
{
	char full[NAMES_TEXT];
	int length = domain ? snprintf(full, sizeof full, "%s.%s", name, domain)
			    : snprintf(full, sizeof full, "%s", name);
	if (length < 0 || (size_t)length >= sizeof full) {
		h_errno = NO_RECOVERY;
		return -1;
	}
	return query(RPC_RESOLVE_QUERY, full, class_type, answer, capacity);
}

EXPORT int res_query(const char *name, int class, int type, unsigned char *answer, int capacity)
{
	const int class_type[2] = { class, type };
	return names_on() ? query(RPC_RESOLVE_QUERY, name, class_type, answer, capacity)
			  : NATIVE(res_query)(name, class, type, answer, capacity);
}

EXPORT int res_search(const char *name, int class, int type, unsigned char *answer, int capacity)
{
	const int class_type[2] = { class, type };
	return names_on() ? query(RPC_RESOLVE_SEARCH, name, class_type, answer, capacity)
			  : NATIVE(res_search)(name, class, type, answer, capacity);
}

EXPORT int res_querydomain(const char *name, const char *domain, int class, int type,
			   unsigned char *answer, int capacity)
{
	const int class_type[2] = { class, type };
	return names_on() ? query_below(name, domain, class_type, answer, capacity)
			  : NATIVE(res_querydomain)(name, domain, class, type, answer, capacity);
}

EXPORT int res_send(const unsigned char *message, int length, unsigned char *answer, int capacity)
{
	return names_on() ? message_send(message, length, answer, capacity)
			  : NATIVE(res_send)(message, length, answer, capacity);
}

ALIAS(__res_query, res_query);
ALIAS(__res_search, res_search);
ALIAS(__res_querydomain, res_querydomain);
ALIAS(__res_send, res_send);

#ifdef __GLIBC__
/* statp carries a copy of h_errno. */
static int noted(res_state state, int result)
{
	if (state && result < 0) {
		state->res_h_errno = h_errno;
	}
	return result;
}

EXPORT int res_nquery(res_state state, const char *name, int class, int type, unsigned char *answer,
		      int capacity)
{
	const int class_type[2] = { class, type };
	return names_on()
		   ? noted(state, query(RPC_RESOLVE_QUERY, name, class_type, answer, capacity))
		   : NATIVE(res_nquery)(state, name, class, type, answer, capacity);
}

EXPORT int res_nsearch(res_state state, const char *name, int class, int type,
		       unsigned char *answer, int capacity)
{
	const int class_type[2] = { class, type };
	return names_on()
		   ? noted(state, query(RPC_RESOLVE_SEARCH, name, class_type, answer, capacity))
		   : NATIVE(res_nsearch)(state, name, class, type, answer, capacity);
}

/* NOLINTNEXTLINE(readability-function-size): libc has so many */
EXPORT int res_nquerydomain(res_state state, const char *name, const char *domain, int class,
			    int type, unsigned char *answer, int capacity)
{
	const int class_type[2] = { class, type };
	return names_on()
		   ? noted(state, query_below(name, domain, class_type, answer, capacity))
		   : NATIVE(res_nquerydomain)(state, name, domain, class, type, answer, capacity);
}

EXPORT int res_nsend(res_state state, const unsigned char *message, int length,
		     unsigned char *answer, int capacity)
{
	return names_on() ? message_send(message, length, answer, capacity)
			  : NATIVE(res_nsend)(state, message, length, answer, capacity);
}

ALIAS(__res_nquery, res_nquery);
ALIAS(__res_nsearch, res_nsearch);
ALIAS(__res_nquerydomain, res_nquerydomain);
ALIAS(__res_nsend, res_nsend);
#endif
