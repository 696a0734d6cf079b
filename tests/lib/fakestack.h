/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A TCP/IP stack for tests that is a script: the test decides what arrives and how much is taken.
 *
 * It keeps every rule of stack/stack.h that a caller can break and aborts the test program if one
 * is broken: a handle used after its end, more written than room() said, more consumed than lent.
 */
#ifndef TESTS_LIB_FAKESTACK_H
#define TESTS_LIB_FAKESTACK_H

#include "stack/stack.h"

/* How a connection ended, for asserts; its memory lives until fakestack_free. */
enum fake_end { FAKE_ALIVE, FAKE_CLOSED, FAKE_ABORTED, FAKE_REPORTED };

struct stack_tcp {
	struct stack *stack;
	struct stack_tcp *next;
	void *context;
	struct stack_ip local, remote;
	uint8_t *received;             /* what the peer sent and the caller did not consume */
	size_t received_length, piece; /* piece: bytes per lent iovec, 0 = all in one */
	uint8_t *sent;                 /* what the caller wrote */
	size_t sent_length, sent_capacity;
	size_t room;
	size_t consumed_total;
	bool has_fin;    /* tcp_shutdown_write was called */
	bool is_flushed; /* since the last write */
	enum fake_end end;
	int options[16]; /* last value set; index enum stack_option */
};

/* One datagram that the caller sent. */
struct fake_datagram {
	struct stack_ip local, remote;
	struct stack_marks marks;
	bool is_echo;
	size_t length;
	uint8_t bytes[256]; /* its beginning */
};

struct stack {
	struct stack_callbacks callbacks;
	void *context;
	struct stack_tcp *connections;
	unsigned listens[65536];
	int connect_error; /* next tcp_connect fails with it */
	size_t default_room;
	unsigned connect_count;
	unsigned udp_ports[65536];
	int group_count;
	int send_error; /* udp_send and echo_send fail with it */
	unsigned datagram_count;
	struct fake_datagram datagram; /* the last one */
};

struct stack *fakestack_new(const struct stack_callbacks *callbacks, void *context);
void fakestack_free(struct stack *stack);
const struct stack_ops *fakestack_ops(void);

/* The newest connection, NULL if none. */
struct stack_tcp *fakestack_last(struct stack *stack);
/* A peer connects: admit, then accepted. NULL if it was refused; *was_admitted says where. */
struct stack_tcp *fakestack_incoming(struct stack *stack, const struct stack_ip *local,
				     const struct stack_ip *remote, bool *was_admitted);
/* A datagram arrives; what the `datagram` callback said. */
bool fakestack_datagram(struct stack *stack, const struct stack_ip *local,
			const struct stack_ip *remote, const void *bytes, uint32_t length);
void fakestack_establish(struct stack_tcp *tcp);
/* Bytes arrive. */
void fakestack_receive(struct stack_tcp *tcp, const void *bytes, size_t length);
void fakestack_eof(struct stack_tcp *tcp);
/* `closed` with this error; the handle is dead. */
void fakestack_close(struct stack_tcp *tcp, int error);
/* The peer acknowledges: room grows by `length`. */
void fakestack_ack(struct stack_tcp *tcp, size_t length);

#endif
