/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* GET /netcon/sockets and /netcon/sockets/<nwid>: the virtual sockets, as ss(8) shows those of the
 * kernel (issue 4 part 9).
 *
 * Queues: of a listener, how many connections wait for accept() and the backlog. Of a connection,
 * what the program has not read (in the stack, and the kernel memory that holds it on the way) and
 * what the peer has not acknowledged or we have not taken from the program. The two ends of a
 * short cut are each other's: nothing of them passes through here, and the queues are not known.
 */
#include "core/zt.h"
#include "service/api.h"
#include "service/vdgram.h"
#include "service/vsock.h"

#include <arpa/inet.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static const char *state_name(const struct vsock *s)
{
	static const char *const names[VSOCK_STATES] = {
		[VSOCK_FRESH] = "CLOSED",        [VSOCK_BOUND] = "BOUND",
		[VSOCK_CONNECTING] = "SYN-SENT", [VSOCK_ESTABLISHED] = "ESTAB",
		[VSOCK_FAILED] = "FAILED",       [VSOCK_LISTEN] = "LISTEN",
		[VSOCK_CLOSED] = "CLOSED",
	};
	/* of the kernel's numbering, where the stack knows better than the record */
	static const char *const tcp[] = { "",           "ESTAB",      "SYN-SENT",  "SYN-RECV",
					   "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED",
					   "CLOSE-WAIT", "LAST-ACK",   "LISTEN",    "CLOSING" };
	if (s->dgram) { /* as ss says it */
		return s->dgram->is_connected ? "ESTAB" : "UNCONN";
	}
	if (s->tcp && s->state == VSOCK_ESTABLISHED) {
		struct stack_tcp_info info = { .state = 1 };
		vsock_ops(s)->tcp_info(s->tcp, &info);
		return info.state > 0 && info.state < sizeof tcp / sizeof *tcp ? tcp[info.state]
									       : "ESTAB";
	}
	return s->state < VSOCK_STATES ? names[s->state] : "CLOSED";
}

/* "10.0.0.1:80", "[fd00::1]:80"; "*:80" for a dual stack socket's any address. */
static json_t *address_json(const struct vsock *s, const struct rpc_addr *a)
{
	char ip[INET6_ADDRSTRLEN] = "", text[INET6_ADDRSTRLEN + 16];
	unsigned port = ntohs(a->port_be);
	bool is_v4 = s->family == AF_INET || vaddr_is_v4(a);
	(void)inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? a->addr + 12 : a->addr, ip, sizeof ip);
	if (a->family == 0) {
		(void)snprintf(text, sizeof text, "*:*");
	} else {
		(void)snprintf(text, sizeof text, is_v4 ? "%s:%u" : "[%s]:%u", ip, port);
	}
	return json_string(text);
}

/* Bytes of kernel memory on their way to the program. */
static int64_t undelivered(const struct vsock *s)
{
	int bytes = 0;
	return s->watch.fd >= 0 && ioctl(s->watch.fd, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

static void queues(struct vsock *s, int64_t *receive, int64_t *send)
{
	*receive = *send = 0;
	if (s->state == VSOCK_LISTEN) {
		*receive = vsock_waiting(s);
		*send = s->listener->backlog;
	} else if (s->dgram) {
		*receive = undelivered(s);
		*send = s->watch.fd >= 0 ? (int64_t)vsock_unread(s) : 0;
	} else if (s->state == VSOCK_ESTABLISHED && !s->is_shortcut) {
		struct stack_tcp_info info = { 0 };
		if (s->tcp) {
			vsock_ops(s)->tcp_info(s->tcp, &info);
		}
		size_t waits = s->watch.fd >= 0 ? vsock_unread(s) : 0;
		waits -= s->has_pawn && waits > 0;
		*receive = info.unread_bytes + undelivered(s);
		*send = (int64_t)waits + info.unacked_bytes;
	}
}

static const char *protocol_name(const struct vsock *s)
{
	return !s->dgram ? "tcp" : !s->dgram->is_ping ? "udp" : "icmp";
}

static json_t *socket_json(struct vsock *s)
{
	char nwid[20];
	int64_t receive, send;
	queues(s, &receive, &send);
	(void)snprintf(nwid, sizeof nwid, "%016llx", (unsigned long long)s->vhost->net->nwid);
	struct rpc_addr none = { .family = 0 };
	bool has_remote = s->state == VSOCK_ESTABLISHED || s->state == VSOCK_CONNECTING ||
			  (s->dgram && s->dgram->is_connected);
	return json_pack("{s:s, s:s, s:i, s:s, s:o, s:o, s:I, s:I, s:i, s:i, s:b}", "nwid", nwid,
			 "protocol", protocol_name(s), "family", s->family == AF_INET6 ? 6 : 4,
			 "state", state_name(s), "local", address_json(s, &s->local), "remote",
			 address_json(s, has_remote ? &s->remote : &none), "recvQ",
			 (json_int_t)receive, "sendQ", (json_int_t)send, "pid", (int)s->pid, "uid",
			 (int)s->uid, "shortcut", (int)s->is_shortcut);
}

void api_sockets(struct service *service, const char *nwid_text, struct api_reply *reply)
{
	uint64_t nwid = 0;
	if (nwid_text && (!api_id(nwid_text, 16, &nwid) || !net_find(service, nwid))) {
		api_reply_json(reply, 404, json_object());
		return;
	}
	json_t *array = json_array();
	for (const struct net *net = service->networks; array && net; net = net->next) {
		if (!net->vhost || (nwid_text && net->nwid != nwid)) {
			continue;
		}
		for (struct vsock *s = net->vhost->all.first; s; s = s->all.next) {
			(void)json_array_append_new(array, socket_json(s));
		}
	}
	api_reply_json(reply, 200, array);
}
