/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* c-ares over the virtual network: its sockets are endpoints of the stack. For resolver.c. */
#ifndef SERVICE_RESOLVER_WIRE_H
#define SERVICE_RESOLVER_WIRE_H

#include "service/net.h"

#include <ares.h>
#include <stdbool.h>
#include <unistd.h>

enum {
	RESOLVER_ENDPOINTS = 16,
	RESOLVER_ASKS_MAX = 256,    /* of one network at a time */
	RESOLVER_ASKS_OF_ONE = 128, /* of one user, unless he is the service's */
};

/* One of c-ares' sockets; its number for c-ares is its place + 1. */
struct resolver_endpoint {
	struct vhost *never; /* NULL: see resolver_owns() */
	struct resolver *resolver;
	struct stack_tcp *tcp;
	struct stack_ip local, remote;
	const uint8_t *bytes; /* UDP: the datagram that is being delivered */
	size_t length;
	bool is_used, is_tcp, is_open; /* is_open: the stack knows the port */
	bool is_ready;                 /* TCP: something happened, c-ares is to look */
	bool has_eof;
	int error; /* TCP: the connection is gone */
};

struct resolver {
	struct net *net;
	ares_channel channel;
	struct resolver_endpoint endpoints[RESOLVER_ENDPOINTS];
	int64_t deadline_ms;
	unsigned asks;                   /* under way */
	uid_t askers[RESOLVER_ASKS_MAX]; /* whose they are, in no order */
	bool is_ending;
};

/* Make its channel use the stack. */
void resolver_wire(struct resolver *r);

/* May `uid` ask one more? Then it counts until it is given back. */
bool resolver_share_take(struct resolver *r, uid_t uid);
void resolver_share_give(struct resolver *r, uid_t uid);

#endif
