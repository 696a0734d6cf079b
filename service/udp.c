/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: the wanted addresses (ifscan.h) times the ports (primary, secondary) are compared
 * with the sockets that are open, at start, when netlink reports a change, and on SIGHUP; new ones
 * are bound, gone ones closed. Loopback addresses get the primary port only, IPv6 addresses no
 * third one: that is for a gateway to map (portmap.h).
 */
#include "service/udp_socket.h"

#include "service/handover.h"
#include "service/ifscan.h"
#include "service/log.h"
#include "service/portmap.h"
#include "service/portmap_rule.h"
#include "service/service.h"
#include "service/tcprelay.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
	BUFFER_WANTED_BYTES = 4 * 1024 * 1024, /* decision S17 */
	RESCAN_MS = 30000,                     /* without netlink, vl1 15 */
	RESCAN_SETTLE_MS = 250,                /* one change makes several messages */
};

socklen_t udp_sockaddr(const struct zt_endpoint *e, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof *out);
	if (e->family == 4) {
		struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(e->port) };
		memcpy(&in.sin_addr, e->ip, 4);
		memcpy(out, &in, sizeof in);
		return sizeof in;
	}
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(e->port) };
	memcpy(&in6.sin6_addr, e->ip, 16);
	memcpy(out, &in6, sizeof in6);
	return sizeof in6;
}

bool udp_from_sockaddr(const struct sockaddr_storage *sa, struct zt_endpoint *out)
{
	*out = (struct zt_endpoint){ 0 };
	if (sa->ss_family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof in);
		memcpy(out->ip, &in.sin_addr, 4);
		out->port = ntohs(in.sin_port);
		out->family = 4;
		return true;
	}
	if (sa->ss_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof in6);
		memcpy(out->ip, &in6.sin6_addr, 16);
		out->port = ntohs(in6.sin6_port);
		out->family = 6;
		return true;
	}
	return false;
}

struct udp_socket *udp_socket_find(struct udp *udp, int32_t number)
{
	if (number < 0) {
		return NULL;
	}
	struct udp_socket *socket = &udp->sockets[number % UDP_MAX_SOCKETS];
	return socket->local.family != 0 && socket->number == number ? socket : NULL;
}

/* ---- one socket ----------------------------------------------------------------------------- */

static void option_set(int fd, int level, int name, int value)
{
	/* None of these is needed to work; each makes it better where the kernel has it. */
	(void)setsockopt(fd, level, name, &value, sizeof value);
}

static uint32_t option_get(int fd, int name)
{
	int value = 0;
	socklen_t length = sizeof value;
	(void)getsockopt(fd, SOL_SOCKET, name, &value, &length);
	return (uint32_t)value;
}

/* A bound socket with the options of vl1 18 and S17, or -errno. */
static int socket_bind(const struct zt_endpoint *local)
{
	bool is_v4 = local->family == 4;
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return -errno;
	}
	if (is_v4) {
		option_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	} else {
		option_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		option_set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
	}
	option_set(fd, SOL_SOCKET, SO_RCVBUF, BUFFER_WANTED_BYTES);
	option_set(fd, SOL_SOCKET, SO_SNDBUF, BUFFER_WANTED_BYTES);
	option_set(fd, IPPROTO_UDP, UDP_GRO, 1);
	struct sockaddr_storage name;
	socklen_t length = udp_sockaddr(local, &name);
	if (bind(fd, (struct sockaddr *)&name, length) != 0) {
		int error = -errno;
		(void)close(fd);
		return error;
	}
	return fd;
}

static bool kernel_has_gso(int fd)
{
	int off = 0;
	return setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &off, sizeof off) == 0;
}

static int socket_open(struct udp *udp, const struct zt_endpoint *local, enum udp_role role)
{
	size_t slot = 0;
	while (slot < UDP_MAX_SOCKETS && udp->sockets[slot].local.family != 0) {
		slot++;
	}
	if (slot == UDP_MAX_SOCKETS) {
		return -ENOSPC;
	}
	int fd = inherited_udp(udp->service, local);
	fd = fd < 0 ? socket_bind(local) : fd;
	if (fd < 0) {
		return fd;
	}
	struct udp_socket *socket = &udp->sockets[slot];
	uint32_t use = ++udp->uses % (INT32_MAX / UDP_MAX_SOCKETS);
	*socket = (struct udp_socket){
		.udp = udp,
		.watch = { .fd = fd, .kind = WATCH_UDP },
		.number = (int32_t)((size_t)use * UDP_MAX_SOCKETS + slot),
		.role = role,
		.has_gso = kernel_has_gso(fd),
	};
	int error = loop_add(udp->service->loop, &socket->watch, EPOLLIN);
	if (error != 0) {
		(void)close(fd);
		return error;
	}
	socket->local = *local;
	udp->stats.sockets++;
	if (udp->stats.receive_buffer == 0) {
		udp->stats.receive_buffer = option_get(fd, SO_RCVBUF);
		udp->stats.send_buffer = option_get(fd, SO_SNDBUF);
	}
	return 0;
}

static void socket_close(struct udp *udp, struct udp_socket *socket)
{
	loop_remove(udp->service->loop, &socket->watch);
	(void)close(socket->watch.fd);
	socket->local.family = 0;
	udp->stats.sockets--;
}

/* ---- which sockets -------------------------------------------------------------------------- */

static struct udp_socket *socket_at(struct udp *udp, const struct zt_endpoint *local)
{
	for (size_t i = 0; i < UDP_MAX_SOCKETS; i++) {
		if (endpoint_equal(&udp->sockets[i].local, local)) {
			return &udp->sockets[i];
		}
	}
	return NULL;
}

struct wanted {
	size_t count;
	struct zt_endpoint local[UDP_MAX_SOCKETS];
	enum udp_role roles[UDP_MAX_SOCKETS];
};

static void wanted_add(struct wanted *wanted, const struct zt_endpoint *ip, uint16_t port,
		       enum udp_role role)
{
	if (wanted->count < UDP_MAX_SOCKETS) {
		wanted->roles[wanted->count] = role;
		wanted->local[wanted->count] = *ip;
		wanted->local[wanted->count++].port = port;
	}
}

static void wanted_fill(struct udp *udp, struct wanted *wanted)
{
	const struct settings *settings = &udp->service->settings;
	struct zt_endpoint ips[UDP_MAX_SOCKETS / 2];
	size_t count = ifscan(settings, udp->service->loopback_ok, ips, UDP_MAX_SOCKETS / 2);
	wanted->count = 0;
	for (size_t i = 0; i < count; i++) {
		bool is_far = endpoint_scope(&ips[i]) != SCOPE_LOOPBACK;
		wanted_add(wanted, &ips[i], settings->primary_port, UDP_PRIMARY);
		if (udp->secondary_port != 0 && is_far) {
			wanted_add(wanted, &ips[i], udp->secondary_port, UDP_SECONDARY);
		}
		if (udp->tertiary_port != 0 &&
		    portmap_local_ok(&wanted->local[wanted->count - 1])) {
			wanted_add(wanted, &ips[i], udp->tertiary_port, UDP_TERTIARY);
		}
	}
}

static bool wanted_has(const struct wanted *wanted, const struct zt_endpoint *local)
{
	for (size_t i = 0; i < wanted->count; i++) {
		if (endpoint_equal(&wanted->local[i], local)) {
			return true;
		}
	}
	return false;
}

size_t udp_endpoints(const struct udp *udp, struct zt_endpoint *out, size_t max)
{
	size_t count = 0;
	for (size_t i = 0; i < UDP_MAX_SOCKETS && count < max; i++) {
		if (udp->sockets[i].local.family != 0) {
			out[count++] = udp->sockets[i].local;
		}
	}
	return count;
}

/* Returns the last error of binding a primary port, 0 if all went well. */
static int sockets_update(struct udp *udp)
{
	struct wanted wanted;
	wanted_fill(udp, &wanted);
	for (size_t i = 0; i < UDP_MAX_SOCKETS; i++) {
		struct udp_socket *socket = &udp->sockets[i];
		if (socket->local.family != 0 && !wanted_has(&wanted, &socket->local)) {
			char text[ENDPOINT_TEXT_MAX];
			log_info("udp", "closed address=%s", endpoint_text(&socket->local, text));
			socket_close(udp, socket);
		}
	}
	int result = 0;
	for (size_t i = 0; i < wanted.count; i++) {
		char text[ENDPOINT_TEXT_MAX];
		if (socket_at(udp, &wanted.local[i])) {
			continue;
		}
		int error = socket_open(udp, &wanted.local[i], wanted.roles[i]);
		if (error == 0) {
			log_info("udp", "bound address=%s", endpoint_text(&wanted.local[i], text));
			continue;
		}
		errno = -error;
		log_warn_errno("udp", "cannot bind address=%s",
			       endpoint_text(&wanted.local[i], text));
		result = wanted.roles[i] == UDP_PRIMARY ? error : result;
	}
	return result;
}

/* ---- ports ---------------------------------------------------------------------------------- */

/* What the settings say of an extra port now. One that was chosen at random is kept; `before` is
 * the one of the service that we take over from, or 0. */
static void extra_choose(uint16_t *port, bool is_allowed, uint16_t wanted, uint16_t before)
{
	if (!is_allowed) {
		*port = 0;
	} else if (wanted != 0) {
		*port = wanted;
	} else if (*port == 0) {
		*port = before != 0 ? before : udp_port_random();
	}
}

static void extras_choose(struct udp *udp)
{
	const struct settings *settings = &udp->service->settings;
	extra_choose(&udp->secondary_port, settings->allow_secondary_port, settings->secondary_port,
		     inherited_secondary_port(udp->service));
	extra_choose(&udp->tertiary_port, portmap_is_allowed(settings, udp->service->loopback_ok),
		     settings->tertiary_port, 0);
}

void udp_rescan(struct udp *udp)
{
	extras_choose(udp);
	udp->rescan_ms =
	    udp->netlink.fd >= 0 ? INT64_MAX : loop_now(udp->service->loop).mono_ms + RESCAN_MS;
	(void)sockets_update(udp);
	portmap_update(udp->service->portmap);
	udp_tell_node(udp);
}

void udp_tell_node(struct udp *udp)
{
	struct zt_endpoint ours[UDP_MAX_SOCKETS + 1];
	const struct gateway_mapping *mapping = portmap_mapping(udp->service->portmap);
	size_t count = 0;
	if (mapping) { /* first: it must not be the one that is cut off */
		ours[count++] = mapping->external;
	}
	count += udp_endpoints(udp, ours + count, UDP_MAX_SOCKETS);
	if (udp->service->node) {
		zt_local_endpoints_set(udp->service->node, ours, count);
	}
}

static void ports_choose(struct udp *udp)
{
	struct settings *settings = &udp->service->settings;
	settings->primary_port_is_random = settings->primary_port == 0;
	if (settings->primary_port_is_random) {
		settings->primary_port = udp_port_random();
	}
	extras_choose(udp);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void netlink_open(struct udp *udp)
{
	udp->netlink = (struct watch){ .fd = -1, .kind = WATCH_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl name = { .nl_family = AF_NETLINK,
				    .nl_groups =
					RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR };
	if (fd < 0) {
		return;
	}
	udp->netlink.fd = fd;
	if (bind(fd, (struct sockaddr *)&name, sizeof name) != 0 ||
	    loop_add(udp->service->loop, &udp->netlink, EPOLLIN) != 0) {
		(void)close(fd);
		udp->netlink.fd = -1;
	}
}

static void buffers_log(const struct udp *udp)
{
	/* The kernel doubles what it grants, for its own book-keeping. */
	uint32_t receive = udp->stats.receive_buffer / 2, send = udp->stats.send_buffer / 2;
	if (udp->stats.sockets == 0) {
		log_warn("udp", "no usable network address; waiting for one");
	} else if (receive < BUFFER_WANTED_BYTES || send < BUFFER_WANTED_BYTES) {
		log_info("udp",
			 "socket buffers are smaller than wanted; `sysctl -w net.core.rmem_max=%d "
			 "net.core.wmem_max=%d` helps wanted=%d receive=%u send=%u",
			 BUFFER_WANTED_BYTES, BUFFER_WANTED_BYTES, BUFFER_WANTED_BYTES, receive,
			 send);
	}
}

int udp_open(struct service *service, struct udp **out)
{
	struct udp *udp = calloc(1, sizeof *udp);
	if (!udp) {
		return -ENOMEM;
	}
	udp->service = service;
	int error = udp_io_new(&udp->io);
	if (error != 0) {
		free(udp);
		return error;
	}
	ports_choose(udp);
	netlink_open(udp);
	udp->rescan_ms =
	    udp->netlink.fd >= 0 ? INT64_MAX : loop_now(service->loop).mono_ms + RESCAN_MS;
	error = service->settings.primary_port == 0 ? -EADDRINUSE : sockets_update(udp);
	if (error != 0 && udp->stats.sockets == 0) {
		udp_close(udp);
		return error;
	}
	buffers_log(udp);
	*out = udp;
	return 0;
}

void udp_close(struct udp *udp)
{
	if (!udp) {
		return;
	}
	for (size_t i = 0; i < UDP_MAX_SOCKETS; i++) {
		if (udp->sockets[i].local.family != 0) {
			socket_close(udp, &udp->sockets[i]);
		}
	}
	if (udp->netlink.fd >= 0) {
		loop_remove(udp->service->loop, &udp->netlink);
		(void)close(udp->netlink.fd);
	}
	udp_io_free(udp->io);
	free(udp);
}

void udp_flush(struct udp *udp)
{
	struct zt_arena *arena = &udp->service->arena;
	if (arena->tx_count > 0 &&
	    !tcprelay_send(udp->service->tcprelay, arena->bytes, arena->tx, arena->tx_count)) {
		udp_send(udp, arena->bytes, arena->tx, arena->tx_count);
	}
	arena->used = 0;
	arena->tx_count = 0;
}

static void datagrams_to_node(void *context, struct zt_datagram *datagrams, size_t count)
{
	struct service *service = context;
	if (tcprelay_heard_udp(service->tcprelay, datagrams, count)) {
		return;
	}
	zt_recv(service->node, loop_now(service->loop), datagrams, count);
}

void udp_on_readable(struct watch *w)
{
	struct udp_socket *socket =
	    (struct udp_socket *)((char *)w - offsetof(struct udp_socket, watch));
	udp_receive(socket, datagrams_to_node, socket->udp->service);
}

void udp_on_netlink(struct watch *w)
{
	struct udp *udp = (struct udp *)((char *)w - offsetof(struct udp, netlink));
	char drain[8192];
	while (recv(w->fd, drain, sizeof drain, MSG_DONTWAIT) > 0) {
		/* What changed does not matter: the scan looks at everything. */
	}
	int64_t when = loop_now(udp->service->loop).mono_ms + RESCAN_SETTLE_MS;
	if (when < udp->rescan_ms) {
		udp->rescan_ms = when;
	}
}

void udp_advance(struct udp *udp, int64_t now_ms)
{
	if (now_ms >= udp->rescan_ms) {
		udp_rescan(udp);
	}
}

int64_t udp_deadline(const struct udp *udp)
{
	return udp->rescan_ms;
}

uint16_t udp_socket_port(const struct udp *udp, int32_t socket)
{
	if (socket < 0) {
		return 0;
	}
	const struct udp_socket *s = &udp->sockets[socket % UDP_MAX_SOCKETS];
	return s->local.family != 0 && s->number == socket ? s->local.port : 0;
}

static bool role_is_bound(const struct udp *udp, enum udp_role role)
{
	for (size_t i = 0; i < UDP_MAX_SOCKETS; i++) {
		if (udp->sockets[i].local.family != 0 && udp->sockets[i].role == role) {
			return true;
		}
	}
	return false;
}

uint16_t udp_secondary_port(const struct udp *udp)
{
	return role_is_bound(udp, UDP_SECONDARY) ? udp->secondary_port : 0;
}

uint16_t udp_tertiary_port(const struct udp *udp)
{
	return role_is_bound(udp, UDP_TERTIARY) ? udp->tertiary_port : 0;
}

size_t udp_tertiary_endpoints(const struct udp *udp, struct zt_endpoint *out, size_t max)
{
	size_t count = 0;
	for (size_t i = 0; i < UDP_MAX_SOCKETS && count < max; i++) {
		if (udp->sockets[i].local.family != 0 && udp->sockets[i].role == UDP_TERTIARY) {
			out[count++] = udp->sockets[i].local;
		}
	}
	return count;
}

void udp_stats(const struct udp *udp, struct udp_stats *out)
{
	*out = udp->stats;
}
