/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* RPC_RESOLVE: one question, one answer; the service does the waiting, and its end is noticed. */
#include "intercept/names.h"

#include "rpc/sys.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

enum { ANSWER_S = 120 }; /* more than all servers' timeouts together */

static bool is_files_only(void)
{
	return strncasecmp(init_dns, "file", 4) == 0;
}

bool names_on(void)
{
	return on() && strcasecmp(init_dns, "host") != 0;
}

static int64_t clock_s(void)
{
	struct timespec now = { 0, 0 };
	(void)sys(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Bytes received, or -errno. */
static long receive(int fd, struct iovec *iov, size_t count)
{
	struct timeval wait = { .tv_sec = ANSWER_S };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = count };
	int64_t until = clock_s() + ANSWER_S;
	(void)sys(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
	long n;
	do {
		n = sys(SYS_recvmsg, fd, &m, MSG_TRUNC | MSG_CMSG_CLOEXEC);
	} while (n == -EINTR && clock_s() < until);
	return n;
}

/* Ask; the answer's parts go into `iov`, whose first is its head. False: no answer. */
static bool ask(struct rpc_resolve *m, const void *bytes, size_t length, struct iovec *iov,
		size_t count)
{
	struct rpc_resolved *head = iov[0].iov_base;
	if (length > sizeof m->bytes) {
		return false;
	}
	m->h = (struct rpc_header){ .op = RPC_RESOLVE };
	m->flags = is_files_only() ? RPC_RESOLVE_FILES : 0;
	m->length = (uint32_t)length;
	memcpy(m->bytes, bytes, length);
	int from = client_start(&m->h, offsetof(struct rpc_resolve, bytes) + length, -1);
	if (from < 0) {
		return false;
	}
	long n = receive(from, iov, count);
	(void)sys(SYS_close, from);
	return n >= (long)sizeof *head && head->h.op == RPC_RESOLVE && head->h.error == 0 &&
	       head->h.length == (unsigned long)n && head->status <= RPC_RESOLVE_FAIL &&
	       head->count <= RPC_RESOLVE_RECORDS_MAX;
}

long ask_service(struct rpc_header *request, size_t length, void *answer, size_t capacity)
{
	struct iovec iov = { .iov_base = answer, .iov_len = capacity };
	int from = client_start(request, length, -1);
	if (from < 0) {
		return from;
	}
	long n = receive(from, &iov, 1);
	(void)sys(SYS_close, from);
	int error = client_verdict(answer, n);
	return error ? error : n;
}

struct answer {
	struct rpc_resolved head;
	uint8_t rest[RPC_RESOLVE_RECORDS_MAX * sizeof(struct rpc_addr) + NAMES_TEXT];
};

/* The text behind the records. */
static void tail_copy(const struct answer *a, char out[NAMES_TEXT])
{
	size_t length = a->head.length < NAMES_TEXT ? a->head.length : NAMES_TEXT - 1;
	memcpy(out, a->rest + a->head.count * sizeof(struct rpc_addr), length);
	out[length] = '\0';
}

/* Does the head describe what came? */
static bool is_whole(const struct answer *a)
{
	size_t records = a->head.count * sizeof(struct rpc_addr);
	return a->head.length <= NAMES_TEXT &&
	       a->head.h.length == sizeof a->head + records + a->head.length;
}

enum rpc_resolve_status ask_host(const char *name, int family, struct names *out)
{
	struct answer a = { .head = { .status = 0 } };
	struct iovec iov = { .iov_base = &a, .iov_len = sizeof a };
	struct rpc_resolve m = { .kind = RPC_RESOLVE_HOST, .family = (uint32_t)family };
	if (strlen(name) >= NAMES_TEXT) {
		return RPC_RESOLVE_NONE;
	}
	if (!ask(&m, name, strlen(name), &iov, 1) || !is_whole(&a)) {
		return RPC_RESOLVE_AGAIN;
	}
	if (a.head.status != RPC_RESOLVED) {
		return a.head.status;
	}
	for (size_t i = 0; i < a.head.count && out->count < NAMES_MAX; i++) {
		struct rpc_addr *to = &out->addresses[out->count];
		memcpy(to, a.rest + i * sizeof *to, sizeof *to);
		out->count += to->family == AF_INET || to->family == AF_INET6;
	}
	tail_copy(&a, out->canonical);
	return out->count > 0 ? RPC_RESOLVED : RPC_RESOLVE_NO_DATA;
}

enum rpc_resolve_status ask_address(const struct rpc_addr *address, char out[NAMES_TEXT])
{
	struct answer a = { .head = { .status = 0 } };
	struct iovec iov = { .iov_base = &a, .iov_len = sizeof a };
	struct rpc_resolve m = { .kind = RPC_RESOLVE_ADDRESS };
	if (!ask(&m, address, sizeof *address, &iov, 1) || !is_whole(&a)) {
		return RPC_RESOLVE_AGAIN;
	}
	tail_copy(&a, out);
	return a.head.status == RPC_RESOLVED && out[0] == '\0' ? RPC_RESOLVE_NONE : a.head.status;
}

long ask_raw(const struct ask_raw *q, enum rpc_resolve_status *status)
{
	struct rpc_resolved head = { .status = 0 };
	struct iovec iov[2] = { { .iov_base = &head, .iov_len = sizeof head },
				{ .iov_base = q->answer, .iov_len = q->capacity } };
	struct rpc_resolve m = { .kind = q->kind,
				 .type = (uint16_t)q->type,
				 .class = (uint16_t)q->class };
	*status = RPC_RESOLVE_AGAIN;
	if (!ask(&m, q->bytes, q->length, iov, 2) || head.count != 0 ||
	    head.length != head.h.length - sizeof head) {
		return -1;
	}
	*status = head.status;
	return head.length < q->capacity ? (long)head.length : (long)q->capacity;
}
