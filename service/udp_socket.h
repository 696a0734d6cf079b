/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What udp.c (which sockets) and udp_gso.c (datagrams through them) share. */
#ifndef SERVICE_UDP_SOCKET_H
#define SERVICE_UDP_SOCKET_H

#include "service/udp.h"
#include "service/udp_run.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum {
	UDP_TX_MAX = 1024, /* datagrams in the transmit arena */
	UDP_ARENA_BYTES = 512 * 1024,
	UDP_NO_GSO_MAX = 64,
};

/* Which of the ports. */
enum udp_role { UDP_PRIMARY, UDP_SECONDARY, UDP_TERTIARY };

struct udp_socket {
	struct udp *udp;
	struct watch watch;
	struct zt_endpoint local; /* family 0 = free slot */
	int32_t number;           /* slot, and how often the slot was used: never the same twice */
	enum udp_role role;
	bool has_gso;
};

/* A destination that does not take super-packets from a socket (decision S18). */
struct udp_no_gso {
	int32_t socket; /* 0 = free */
	struct zt_endpoint to;
};

struct udp_io; /* udp_gso.c: buffers for receiving and sending */

struct udp {
	struct service *service;
	struct udp_io *io;
	struct watch netlink;
	int64_t rescan_ms;                      /* INT64_MAX = only when netlink says so */
	uint16_t secondary_port, tertiary_port; /* 0 = none */
	uint32_t uses;                          /* sockets opened so far */
	size_t no_gso_next;
	struct udp_no_gso no_gso[UDP_NO_GSO_MAX];
	struct udp_stats stats;
	struct udp_socket sockets[UDP_MAX_SOCKETS];
};

int udp_io_new(struct udp_io **out);
void udp_io_free(struct udp_io *io);

/* A port from 20000 on that nobody has, on UDP and TCP, IPv4 and IPv6; 0 if none was found. */
uint16_t udp_port_random(void);

/* The open socket with this number, or NULL. */
struct udp_socket *udp_socket_find(struct udp *udp, int32_t number);
socklen_t udp_sockaddr(const struct zt_endpoint *e, struct sockaddr_storage *out);
bool udp_from_sockaddr(const struct sockaddr_storage *sa, struct zt_endpoint *out);

/* The largest datagram that the route to `to` takes whole; 0 = the kernel does not say. */
uint16_t udp_route_bytes(const struct udp_socket *of, const struct zt_endpoint *to);
/* A datagram of `length` bytes was refused. True if the core cuts smaller ones from now on. */
bool udp_route_learn(const struct udp_socket *of, const struct zt_endpoint *to, uint16_t length);

/* Send all of `tx`; what cannot be sent is dropped and counted. */
void udp_send(struct udp *udp, const uint8_t *bytes, const struct zt_tx *tx, size_t count);
/* Read one batch and hand it to `each` as spans of datagrams. */
void udp_receive(struct udp_socket *socket,
		 void (*each)(void *context, struct zt_datagram *datagrams, size_t count),
		 void *context);

#endif
