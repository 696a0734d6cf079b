/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: each question of a program is one `ask`, which holds the descriptor for its
 * answer. For addresses it goes through the names to try (search list), asks A and AAAA at once,
 * and takes the first name that has addresses; the reasons for having none are kept as glibc keeps
 * them (no data before no answer before no such name). c-ares does the asking (resolver_wire.c):
 * timeouts, further servers, TCP for long answers. Its timeouts are a deadline of the loop; without
 * questions there is none.
 */
#include "service/resolver.h"

#include "service/log.h"
#include "service/resolver_wire.h"
#include "service/service.h"
#include "service/vaddr.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	TIMEOUT_MS = 5000, /* of one try; c-ares doubles it for the next */
	TRIES = 2,
	EDNS_BYTES = 1232, /* no fragments: RFC 9715 */
	CANDIDATES_MAX = 2,
	NAME_BYTES = 256,
};

struct ask {
	struct resolver *resolver;
	int reply;
	uid_t uid;
	struct rpc_header h;
	uint32_t kind, family, flags;
	uint16_t type, class;
	char candidates[CANDIDATES_MAX][NAME_BYTES + 140];
	size_t candidate, candidate_count;
	unsigned outstanding;
	bool has_no_data, has_no_answer;
	uint32_t count;
	struct rpc_addr records[RPC_RESOLVE_RECORDS_MAX];
	char name[NAME_BYTES]; /* canonical */
};

/* ---- answers --------------------------------------------------------------------------------- */

static void ask_end(struct ask *a, enum rpc_resolve_status status, const void *tail, size_t length)
{
	struct rpc_resolved r = { .h = a->h, .status = status };
	r.count = status == RPC_RESOLVED ? a->count : 0;
	r.length = (uint32_t)length;
	size_t records = r.count * sizeof a->records[0];
	r.h.length = (uint32_t)(sizeof r + records + length);
	r.h.error = 0;
	r.h.flags = 0;
	struct iovec iov[3] = { { .iov_base = &r, .iov_len = sizeof r },
				{ .iov_base = a->records, .iov_len = records } };
	memcpy(&iov[2].iov_base, &tail, sizeof tail); /* the kernel only reads it */
	iov[2].iov_len = length;
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 3 };
	(void)sendmsg(a->reply, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)close(a->reply);
	if (a->resolver) {
		resolver_share_give(a->resolver, a->uid);
	}
	free(a);
}

static void ask_end_addresses(struct ask *a)
{
	resolver_order(a->resolver->net, a->records, a->count);
	ask_end(a, RPC_RESOLVED, a->name, strlen(a->name));
}

static enum rpc_resolve_status status_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return RPC_RESOLVED;
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		return RPC_RESOLVE_NONE;
	case ARES_ENODATA:
		return RPC_RESOLVE_NO_DATA;
	case ARES_ENOMEM:
	case ARES_EFORMERR:
		return RPC_RESOLVE_FAIL;
	default: /* no answer, or one of a server that does not want to */
		return RPC_RESOLVE_AGAIN;
	}
}

static void status_note(struct ask *a, enum rpc_resolve_status status)
{
	a->has_no_data |= status == RPC_RESOLVE_NO_DATA;
	a->has_no_answer |= status == RPC_RESOLVE_AGAIN || status == RPC_RESOLVE_FAIL;
}

static enum rpc_resolve_status status_sum(const struct ask *a)
{
	return a->has_no_data     ? RPC_RESOLVE_NO_DATA
	       : a->has_no_answer ? RPC_RESOLVE_AGAIN
				  : RPC_RESOLVE_NONE;
}

/* ---- addresses of a name --------------------------------------------------------------------- */

static void ask_next(struct ask *a);

static void hostent_add(struct ask *a, const struct hostent *host)
{
	for (char **p = host->h_addr_list; *p && a->count < RPC_RESOLVE_RECORDS_MAX; p++) {
		a->records[a->count++] = host->h_addrtype == AF_INET
					     ? vaddr_v4((const uint8_t *)*p, 0)
					     : vaddr_v6((const uint8_t *)*p, 0);
	}
	if (host->h_name && a->name[0] == '\0') {
		(void)snprintf(a->name, sizeof a->name, "%s", host->h_name);
	}
}

static void on_addresses(struct ask *a, int status, const unsigned char *bytes, int length,
			 bool is_v6)
{
	struct hostent *host = NULL;
	if (status == ARES_SUCCESS) {
		status = is_v6 ? ares_parse_aaaa_reply(bytes, length, &host, NULL, NULL)
			       : ares_parse_a_reply(bytes, length, &host, NULL, NULL);
	}
	if (host) {
		hostent_add(a, host);
		ares_free_hostent(host);
	} else {
		status_note(a, status_of(status));
	}
	if (--a->outstanding > 0) {
		return;
	}
	if (a->count > 0) {
		ask_end_addresses(a);
	} else {
		a->candidate++;
		ask_next(a);
	}
}

static void on_a(void *context, int status, int timeouts, unsigned char *bytes, int length)
{
	(void)timeouts;
	on_addresses(context, status, bytes, length, false);
}

static void on_aaaa(void *context, int status, int timeouts, unsigned char *bytes, int length)
{
	(void)timeouts;
	on_addresses(context, status, bytes, length, true);
}

/* What the network's own domain says of this candidate. True if it is the last word. */
static bool own_answer(struct ask *a)
{
	struct rpc_addr found[RPC_RESOLVE_RECORDS_MAX];
	const char *name = a->candidates[a->candidate];
	int count = resolver_own_find(a->resolver->net, name, found);
	for (int i = 0; i < count; i++) {
		if (a->family == 0 || found[i].family == a->family) {
			a->records[a->count++] = found[i];
		}
	}
	if (a->count > 0) {
		(void)snprintf(a->name, sizeof a->name, "%s", name);
		return true;
	}
	a->has_no_data |= count > 0;
	return count > 0; /* a name that we do not know may be known to the network's servers */
}

static void ask_next(struct ask *a)
{
	struct resolver *r = a->resolver;
	bool may_ask =
	    (a->flags & RPC_RESOLVE_FILES) == 0 && r->net->dns_count > 0 && !r->is_ending;
	for (; a->candidate < a->candidate_count; a->candidate++) {
		if (own_answer(a)) {
			break;
		}
		if (!may_ask) {
			continue;
		}
		const char *name = a->candidates[a->candidate];
		bool wants_a = a->family != AF_INET6, wants_aaaa = a->family != AF_INET;
		a->outstanding = (unsigned)wants_a + wants_aaaa; /* before: it may end at once */
		if (wants_a) {
			ares_query(r->channel, name, ns_c_in, ns_t_a, on_a, a);
		}
		if (wants_aaaa) { /* `a` lives: one is outstanding */
			ares_query(r->channel, name, ns_c_in, ns_t_aaaa, on_aaaa, a);
		}
		return;
	}
	if (a->count > 0) {
		ask_end_addresses(a);
	} else {
		ask_end(a, status_sum(a), NULL, 0);
	}
}

/* Names to try, as glibc with "ndots:1": one without a dot is looked for in the network first. */
static void candidates_make(struct ask *a, const char *name)
{
	const char *domain = a->resolver->net->domain;
	size_t length = strlen(name);
	bool is_absolute = length > 0 && name[length - 1] == '.';
	bool has_domain = domain[0] != '\0' && !is_absolute;
	bool has_dot = memchr(name, '.', length - is_absolute) != NULL;
	size_t as_is = has_domain && !has_dot ? 1 : 0;
	(void)snprintf(a->candidates[as_is], sizeof a->candidates[0], "%.*s",
		       (int)(length - is_absolute), name);
	a->candidate_count = 1;
	if (has_domain) {
		(void)snprintf(a->candidates[1 - as_is], sizeof a->candidates[0], "%s.%s", name,
			       domain);
		a->candidate_count = 2;
	}
}

/* ---- names of an address, raw messages ------------------------------------------------------- */

static void on_names(void *context, int status, int timeouts, unsigned char *bytes, int length)
{
	struct ask *a = context;
	struct hostent *host = NULL;
	const struct rpc_addr *of = &a->records[0];
	bool is_v4 = vaddr_is_v4(of);
	(void)timeouts;
	if (status == ARES_SUCCESS) {
		status = ares_parse_ptr_reply(bytes, length, is_v4 ? of->addr + 12 : of->addr,
					      is_v4 ? 4 : 16, is_v4 ? AF_INET : AF_INET6, &host);
	}
	if (host && host->h_name) {
		ask_end(a, RPC_RESOLVED, host->h_name, strlen(host->h_name));
	} else {
		ask_end(a, host ? RPC_RESOLVE_NONE : status_of(status), NULL, 0);
	}
	if (host) {
		ares_free_hostent(host);
	}
}

/* d.c.b.a.in-addr.arpa, or its IPv6 form. */
static void reverse_name(const struct rpc_addr *a, char *out, size_t size)
{
	size_t at = 0;
	if (vaddr_is_v4(a)) {
		(void)snprintf(out, size, "%u.%u.%u.%u.in-addr.arpa", a->addr[15], a->addr[14],
			       a->addr[13], a->addr[12]);
		return;
	}
	for (int i = 15; i >= 0; i--) {
		at += (size_t)snprintf(out + at, size - at, "%x.%x.", a->addr[i] & 15,
				       a->addr[i] >> 4);
	}
	(void)snprintf(out + at, size - at, "ip6.arpa");
}

static void ask_address(struct ask *a, const struct rpc_resolve *m)
{
	char own[NAME_BYTES];
	const struct net *net = a->resolver->net;
	if (m->length < sizeof a->records[0]) {
		ask_end(a, RPC_RESOLVE_FAIL, NULL, 0);
		return;
	}
	memcpy(&a->records[0], m->bytes, sizeof a->records[0]);
	if (resolver_own_name(net, &a->records[0], own, sizeof own)) {
		ask_end(a, RPC_RESOLVED, own, strlen(own));
	} else if ((a->flags & RPC_RESOLVE_FILES) != 0 || net->dns_count == 0) {
		ask_end(a, RPC_RESOLVE_NONE, NULL, 0);
	} else {
		reverse_name(&a->records[0], a->candidates[0], sizeof a->candidates[0]);
		ares_query(a->resolver->channel, a->candidates[0], ns_c_in, ns_t_ptr, on_names, a);
	}
}

static void ask_raw(struct ask *a);

static void on_raw(void *context, int status, int timeouts, unsigned char *bytes, int length)
{
	struct ask *a = context;
	enum rpc_resolve_status result = status_of(status);
	(void)timeouts;
	bool is_last = result == RPC_RESOLVED || ++a->candidate >= a->candidate_count;
	if (!is_last) {
		status_note(a, result);
		ask_raw(a);
		return;
	}
	ask_end(a, result, bytes, length > 0 ? (size_t)length : 0);
}

static void ask_raw(struct ask *a)
{
	ares_query(a->resolver->channel, a->candidates[a->candidate], a->class, a->type, on_raw, a);
}

static void ask_message(struct ask *a, const struct rpc_resolve *m)
{
	bool may_ask = (a->flags & RPC_RESOLVE_FILES) == 0 && a->resolver->net->dns_count > 0;
	if (!may_ask) {
		ask_end(a, a->kind == RPC_RESOLVE_SEND ? RPC_RESOLVE_AGAIN : RPC_RESOLVE_NONE, NULL,
			0);
	} else if (a->kind == RPC_RESOLVE_SEND) {
		a->candidate_count = 1;
		ares_send(a->resolver->channel, m->bytes, (int)m->length, on_raw, a);
	} else {
		if (a->kind == RPC_RESOLVE_QUERY) {
			a->candidate_count = 1;
		}
		ask_raw(a);
	}
}

/* ---- the channel ----------------------------------------------------------------------------- */

static void deadline_set(struct resolver *r)
{
	struct timeval tv;
	const struct timeval *left = ares_timeout(r->channel, NULL, &tv);
	int64_t now_ms = loop_now(r->net->service->loop).mono_ms;
	r->deadline_ms = left ? now_ms + left->tv_sec * 1000 + left->tv_usec / 1000 + 1 : INT64_MAX;
	for (int i = 0; i < RESOLVER_ENDPOINTS; i++) {
		if (r->endpoints[i].is_ready) {
			r->deadline_ms = INT64_MIN;
		}
	}
}

static void servers_set(const struct resolver *r)
{
	struct ares_addr_node nodes[ZT_MAX_DNS_SERVERS] = { { .next = NULL } };
	const struct net *net = r->net;
	for (size_t i = 0; i < net->dns_count; i++) {
		const struct stack_ip *ip = &net->dns[i];
		nodes[i].family = ip->family == 4 ? AF_INET : AF_INET6;
		memcpy(&nodes[i].addr, ip->bytes, ip->family == 4 ? 4 : 16);
		nodes[i].next = i + 1 < net->dns_count ? &nodes[i + 1] : NULL;
	}
	int error = ares_set_servers(r->channel, net->dns_count > 0 ? nodes : NULL);
	if (error != ARES_SUCCESS) {
		log_warn("dns", "the network's DNS servers are not used: %s", ares_strerror(error));
	}
}

/* Nothing of the host's settings: no resolv.conf, no hosts, no name of the machine. */
static int channel_open(struct resolver *r)
{
	static char lookups[] = "b", nothing[] = "/dev/null", domain[] = "invalid";
	char *domains[] = { domain };
	struct in_addr nobody = { .s_addr = 0 };
	struct ares_options options = {
		.flags = ARES_FLAG_EDNS,
		.timeout = TIMEOUT_MS,
		.tries = TRIES,
		.ndots = 0,
		.ednspsz = EDNS_BYTES,
		.lookups = lookups,
		.resolvconf_path = nothing,
		.domains = domains,
		.ndomains = 1,
		.servers = &nobody,
		.nservers = 1,
	};
	if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
		return -ENOMEM;
	}
	int error = ares_init_options(&r->channel, &options,
				      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
					  ARES_OPT_NDOTS | ARES_OPT_EDNSPSZ | ARES_OPT_LOOKUPS |
					  ARES_OPT_RESOLVCONF | ARES_OPT_DOMAINS |
					  ARES_OPT_SERVERS | ARES_OPT_NOROTATE);
	if (error != ARES_SUCCESS) {
		log_err("dns", "cannot start the resolver: %s", ares_strerror(error));
		return -ENOMEM;
	}
	resolver_wire(r);
	servers_set(r);
	return 0;
}

static struct resolver *resolver_of(struct net *net)
{
	if (!net->resolver) {
		struct resolver *r = calloc(1, sizeof *r);
		if (!r) {
			return NULL;
		}
		r->net = net;
		r->deadline_ms = INT64_MAX;
		if (channel_open(r) != 0) {
			free(r);
			return NULL;
		}
		net->resolver = r;
	}
	return net->resolver;
}

void resolver_update(struct net *net)
{
	if (net->resolver) {
		servers_set(net->resolver);
		deadline_set(net->resolver);
	}
}

void resolver_free(struct net *net)
{
	struct resolver *r = net->resolver;
	if (!r) {
		return;
	}
	r->is_ending = true;
	ares_destroy(r->channel); /* every callback comes: ARES_EDESTRUCTION */
	net->resolver = NULL;
	free(r);
}

int64_t resolver_deadline(const struct net *net)
{
	return net->resolver ? net->resolver->deadline_ms : INT64_MAX;
}

void resolver_advance(struct net *net)
{
	struct resolver *r = net->resolver;
	for (int i = 0; i < RESOLVER_ENDPOINTS; i++) {
		if (r->endpoints[i].is_ready) {
			r->endpoints[i].is_ready = false;
			ares_process_fd(r->channel, i + 1, i + 1);
		}
	}
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	deadline_set(r);
}

/* ---- questions ------------------------------------------------------------------------------- */

void resolver_ask(struct net *net, const struct rpc_resolve *m, uid_t uid, int reply)
{
	struct ask *a = calloc(1, sizeof *a);
	if (!a) {
		(void)close(reply); /* end of file: the library says "try again" */
		return;
	}
	a->reply = reply;
	a->h = m->h;
	struct resolver *r = resolver_of(net);
	if (!r || m->length > RPC_RESOLVE_MAX_BYTES || !resolver_share_take(r, uid)) {
		ask_end(a, r ? RPC_RESOLVE_AGAIN : RPC_RESOLVE_FAIL, NULL, 0);
		return;
	}
	a->resolver = r;
	a->uid = uid;
	a->kind = m->kind;
	a->family = m->family;
	a->flags = m->flags;
	a->type = m->type;
	a->class = m->class;
	char name[NAME_BYTES] = "";
	if (m->length < sizeof name) {
		memcpy(name, m->bytes, m->length); /* with the NUL of the array's end */
	}
	if (m->kind != RPC_RESOLVE_ADDRESS && m->kind != RPC_RESOLVE_SEND) {
		candidates_make(a, name);
	}
	if (m->kind == RPC_RESOLVE_HOST) {
		ask_next(a);
	} else if (m->kind == RPC_RESOLVE_ADDRESS) {
		ask_address(a, m);
	} else {
		ask_message(a, m);
	}
	deadline_set(r);
}
