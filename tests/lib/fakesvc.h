/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A scripted service for tests of the interception library: the protocol of rpc/rpc.h over a real
 * SEQPACKET socket, a virtual network that is one table of listeners, and faults on request.
 *
 * It runs in a child process of its own, so that it can be killed at any message. Connections are
 * short cuts (B itself goes to the acceptor). Addresses of the host: 0.0.0.0, 127/8, 10.1.2.3.
 *
 * Special destinations: port 9 is never answered until a command decides it; address 10.9.9.9 is
 * ENETUNREACH at once; any other port without a listener refuses.
 *
 * Commands are lines written to `command` (a FIFO; fakesvc_command): they act before any message
 * that is sent after them.
 *   decide ERRNO      end all pending attempts: 0 connects them, else fails them
 *   next ERRNO        the same, as soon as there is one
 *   fault KIND OP     the next request OP (rpc_op) meets enum fakesvc_fault KIND
 *   restart           forget everything, as after kill -9 and a new start
 */
#ifndef TESTS_LIB_FAKESVC_H
#define TESTS_LIB_FAKESVC_H

#include <stdint.h>
#include <sys/types.h>

enum fakesvc_fault {
	FAKE_NO_FAULT,
	FAKE_DIE_BEFORE, /* exit instead of answering */
	FAKE_DIE_AFTER,  /* answer, then exit */
	FAKE_NO_REPLY,   /* close the reply end without an answer */
	FAKE_TRUNCATED,  /* half an answer */
	FAKE_EMPTY,      /* an answer of 0 bytes: end of file, seen from there */
	FAKE_NO_FD,      /* SOCKET without a descriptor */
	FAKE_TWO_FDS,    /* with two */
	FAKE_WRONG_FD,   /* with one that is no virtual socket */
	FAKE_HUGE_ERROR, /* an error number that is none */
	FAKE_REFUSE,     /* HELLO: EACCES, and closed with the request unread */
	FAKE_REFUSE_NOW, /* the same as soon as somebody connects, until further notice */
	FAKE_FAULTS,
};

enum { FAKE_OPS = 17 };

struct fakesvc_shared {
	uint32_t requests[FAKE_OPS]; /* how many of each op arrived */
	uint32_t connections;        /* control connections accepted */
	uint32_t malformed;
};

struct fakesvc {
	pid_t pid;
	char dir[64];     /* .../nc/<nwid>: its socket is dir/sock */
	char link[96];    /* a symlink to the socket, as HOME/nc_<nwid> is */
	char command[96]; /* the FIFO */
	struct fakesvc_shared *shared;
};

/* Start it in a directory of its own; the socket exists when this returns. 0 or -1. */
int fakesvc_start(struct fakesvc *svc);
/* The process alone, on files that exist (fakesvc_start and fakesvc_restart call it). 0 or -1. */
int fakesvc_fork(struct fakesvc *svc);
/* Kill it (SIGKILL) and wait. */
void fakesvc_kill(struct fakesvc *svc);
/* A new process on the same path, as after a crash. */
int fakesvc_restart(struct fakesvc *svc);
/* Kill it and remove its files. */
void fakesvc_stop(struct fakesvc *svc);
/* Write a command to the FIFO at `path`; nothing happens if path is NULL. */
void fakesvc_command(const char *path, const char *line);

#endif
