/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The node's UDP sockets: which addresses and ports, datagrams in and out in super-packets. */
#ifndef SERVICE_UDP_H
#define SERVICE_UDP_H

#include "core/zt.h"
#include "service/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service;
struct udp;

enum { UDP_MAX_SOCKETS = 64 };

/* Bind what settings and interfaces say (vl1 18, decision S20) and watch it. Also takes the primary
 * port when it is to be random and stores it in service->settings. 0 or -errno, logged. */
int udp_open(struct service *service, struct udp **out);
void udp_close(struct udp *udp);

/* Send the service's transmit arena and empty it. Also the core's arena_full. */
void udp_flush(struct udp *udp);

/* Bring the sockets in line with settings and interfaces: new ones are bound, gone ones closed. */
void udp_rescan(struct udp *udp);
void udp_advance(struct udp *udp, int64_t now_ms);
int64_t udp_deadline(const struct udp *udp);

/* WATCH_UDP and WATCH_NETLINK. */
void udp_on_readable(struct watch *w);
void udp_on_netlink(struct watch *w);

/* The bound addresses; returns how many were written. */
size_t udp_endpoints(const struct udp *udp, struct zt_endpoint *out, size_t max);
/* The port of the socket with this number (zt_path_view.socket), 0 if it is gone. */
uint16_t udp_socket_port(const struct udp *udp, int32_t socket);
/* 0 if nothing is bound to it. */
uint16_t udp_secondary_port(const struct udp *udp);
/* The port for a gateway to map, 0 if nothing is bound to it; and where it is bound. */
uint16_t udp_tertiary_port(const struct udp *udp);
size_t udp_tertiary_endpoints(const struct udp *udp, struct zt_endpoint *out, size_t max);
/* Tell the node which addresses are ours: the bound ones and the gateway's (portmap.h). */
void udp_tell_node(struct udp *udp);

struct udp_stats {
	uint64_t receives, datagrams_in, bytes_in; /* system calls and what they brought */
	uint64_t sends, runs, datagrams_out, bytes_out;
	uint64_t dropped, errors, fallbacks;
	uint32_t sockets, receive_buffer, send_buffer; /* bytes granted, as the kernel counts */
};
void udp_stats(const struct udp *udp, struct udp_stats *out);

#endif
