/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Datagram sockets of a virtual host: UDP and ping (spec/intercept.md 3.5, decisions S7, 175-177).
 *
 * How this works
 * A datagram socket is a vsock with a SOCK_SEQPACKET pair and this part beside it. Each message
 * that crosses the pair is one datagram, with a header that names the peer or, on a connected
 * socket, without (rpc/dgram.h). Nothing is queued here: what the program sends waits in B until
 * the socket's turn, what arrives is put into A at once or dropped and counted.
 *
 * Linux connects a datagram socket as often as the program likes, while a name can be given to B
 * only once. The first connect() names B; a later one to another peer only marks the name as out of
 * date, and from then on every datagram down has a header.
 *
 * vdgram.c: life, bind, connect. vdgram_out.c: from the program. vdgram_in.c: to the programs.
 * vdgram_opt.c: options and groups.
 */
#ifndef SERVICE_VDGRAM_H
#define SERVICE_VDGRAM_H

#include "rpc/dgram.h"
#include "service/vsock.h"

#define VSOCK_OF_PORT(e) ((struct vsock *)(void *)((char *)(e)-offsetof(struct vsock, port)))

enum { VDGRAM_GROUPS_MAX = 20 }; /* Linux: igmp_max_memberships */

struct vdgram {
	bool is_ping;
	bool is_connected;
	bool is_named;                    /* B has its name */
	bool is_renamed;                  /* ... and it is not true any more */
	bool is_autobound;                /* nobody asked for this port by number */
	bool is_in_stack;                 /* the stack was told that the port is wanted */
	bool is_marked;                   /* a message that says "ask SOERROR" is on its way */
	bool has_loop_off, has_loop6_off; /* IP_MULTICAST_LOOP, IPV6_MULTICAST_LOOP; default on */
	bool has_all_off, has_all6_off;   /* IP_MULTICAST_ALL */
	uint8_t slot; /* of the destination of the last datagram, for its share of the turn */
	uint8_t multicast_ttl; /* default 1 */
	uint8_t multicast_hops;
	int error;                  /* what SOERROR tells next */
	uint32_t dropped;           /* did not fit into A */
	uint32_t multicast_ifindex; /* as set, for reading it back */
	uint8_t multicast_if[4];    /* the same as an address of IPv4 */
	struct rpc_addr bound;      /* what bind() said: what dissolving a connection leaves */
	struct rpc_addr *groups;    /* VDGRAM_GROUPS_MAX of them, or NULL */
	size_t group_count;
};

/* A group that sockets of this host are members of. */
struct vdgram_group {
	struct vdgram_group *next;
	struct rpc_addr group;
	unsigned members;
};

/* A datagram on its way to programs. Addresses are v4-mapped, ports included. */
struct vdgram_packet {
	struct rpc_addr from, to;
	const uint8_t *bytes; /* UDP: payload; ping: the ICMP message */
	size_t length;
	uint8_t tos, ttl;
	bool is_to_many; /* broadcast or multicast: to all that listen */
	bool is_ping;
	uint32_t ifindex;
};

/* ---- vdgram.c ---- */

/* Make `s`, which has no pair yet, a datagram socket. 0 or -ENOMEM. */
int vdgram_new(struct vsock *s, bool is_ping);
/* Give back port, groups and memory. */
void vdgram_end(struct vsock *s);
/* What the host needs for them: port tables and the descriptor in error messages. 0 or -ENOMEM...
 */
int vdgram_open(struct vhost *vhost, uint64_t key);
void vdgram_close(struct vhost *vhost);
int vdgram_bind(struct vsock *s, const struct rpc_addr *address, bool is_free);
/* Take a port if it has none. */
int vdgram_autobind(struct vsock *s);
/* family AF_UNSPEC dissolves. 0 or -errno. */
int vdgram_connect(struct vsock *s, const struct rpc_addr *address);
/* The socket's turn: send what the program wrote. May free it. */
void vdgram_turn(struct vsock *s);
/* Send everything that the program wrote before a call that must come after it. */
void vdgram_drain(struct vsock *s);
/* The error that recv() shall report. It is kept until it is asked for. */
void vdgram_error_set(struct vsock *s, int error);
int vdgram_error_take(struct vsock *s);
/* It has a port: the stack must know. 0 or -errno, then it has none any more. */
int vdgram_port_opened(struct vsock *s);
struct ports *vdgram_ports(const struct vsock *s);
/* Broadcast address of IPv4: everybody's, or one of our subnets'. */
bool vdgram_is_broadcast(const struct vhost *vhost, const struct rpc_addr *address);
/* The source address towards `to`, as vsock_source. */
int vdgram_source(const struct vsock *s, const struct rpc_addr *to, struct rpc_addr *out);
/* B's buffer bounds what A may have unread: as large as the kernel gives, or SO_RCVBUF. */
void vdgram_buffer(struct vsock *s);

/* ---- vdgram_out.c ---- */

/* Send one message that the program wrote. */
void vdgram_send(struct vsock *s, const uint8_t *message, size_t length);
/* Has the destination of its last datagram room in this turn? */
bool vdgram_has_share(const struct vsock *s);
/* A turn begins. */
void vdgram_shares_renew(struct vhost *vhost);

/* ---- vdgram_in.c ---- */

/* To whom it belongs. False: nobody. */
bool vdgram_deliver(struct vhost *vhost, const struct vdgram_packet *p);
/* To this socket; dropped if it does not fit. */
void vdgram_give(struct vsock *s, const struct vdgram_packet *p);
void vdgram_stack_callbacks(struct stack_callbacks *callbacks);

/* ---- vdgram_opt.c ---- */

/* As sockopt_set and sockopt_get. */
int vdgram_option_set(struct vsock *s, int level, int name, const void *value, uint32_t length);
int vdgram_option_get(struct vsock *s, int level, int name, void *value, uint32_t *length);
/* Become a member. 0, -EADDRINUSE (it is one), -ENOBUFS, ... */
int vdgram_group_join(struct vsock *s, const struct rpc_addr *group);
/* Leave all groups. */
void vdgram_groups_leave(struct vsock *s);
bool vdgram_is_member(const struct vsock *s, const struct rpc_addr *group);
/* Is any socket of the host? */
bool vdgram_is_joined(const struct vhost *vhost, const struct rpc_addr *group);

#endif
