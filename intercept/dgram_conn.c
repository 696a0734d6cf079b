/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* connect() and names of datagram sockets. The service knows; it sends what the program wrote
 * before it answers, so a call sees what the calls before it did. */
#include "intercept/dgram.h"
#include "intercept/host.h"

#include <netinet/in.h>
#include <string.h>

/* An IPv4 address for an AF_INET6 socket is taken as v4-mapped (ip6_datagram_connect). */
static int address_read(const struct who *who, const struct sockaddr *sa, socklen_t length,
			struct rpc_addr *out)
{
	if (who->family == AF_INET6 && sa->sa_family == AF_INET) {
		int error = addr_in(AF_INET, sa, length, out);
		out->family = AF_INET6;
		return error;
	}
	return addr_in(who->family, sa, length, out);
}

int dgram_connect(int fd, const struct who *who, const struct sockaddr *sa, socklen_t length)
{
	union client_reply reply;
	struct rpc_connect m = { .h = { .op = RPC_CONNECT } };
	if (length < sizeof sa->sa_family || length > sizeof(struct sockaddr_storage)) {
		return -EINVAL;
	}
	if (!addr_readable(sa, length)) {
		return -EFAULT;
	}
	bool is_dissolved = sa->sa_family == AF_UNSPEC;
	int error = is_dissolved ? 0 : address_read(who, sa, length, &m.addr);
	if (unlikely(host_is_possible) && !error && !is_dissolved && who->state == WHO_UNNAMED) {
		int taken = host_take(fd, who, &m.addr);
		if (taken != 0) {
			return taken < 0 ? taken : host_connect(fd, sa, length);
		}
	}
	error = error ? error : client_call(&m.h, sizeof m, fd, &reply, NULL);
	if (error) {
		debug_failure("connect to", fd, -error, &m.addr);
		return error;
	}
	hint_set(fd, is_dissolved ? HINT_DGRAM_DISSOLVED : HINT_DGRAM_CONNECTED);
	return 0;
}

int dgram_name(int fd, const struct who *who, uint32_t which, struct sockaddr *sa,
	       socklen_t *length)
{
	union client_reply reply;
	struct rpc_name m = { .h = { .op = RPC_NAME }, .which = which };
	if (which == RPC_NAME_REMOTE && who->state != WHO_CONNECTED) {
		return -ENOTCONN; /* B never had a name */
	}
	int error = client_call(&m.h, sizeof m, fd, &reply, NULL);
	return error ? error : addr_out(&reply.addr.addr, sa, length);
}
