/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the cases of tests/unit/intercept share: sockets on 127.0.0.1 and states put into words, the
 * same words natively and under the interception library.
 */
#ifndef TESTS_LIB_LOOPBACK_H
#define TESTS_LIB_LOOPBACK_H

#include "tests/lib/preload.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
/* after the above, which it needs */
#include <cmocka.h>

/* A length the kernel cannot read. Sanitizers read it themselves and stop: there a good one. */
#ifdef __SANITIZE_ADDRESS__
#define LO_BAD_LENGTH (&(socklen_t){ 128 })
#else
#define LO_BAD_LENGTH ((socklen_t *)-1)
#endif

struct sockaddr_in lo_addr(const char *ip, uint16_t port);
/* A TCP socket with `flags` (SOCK_NONBLOCK...); aborts the case if there is none. */
int lo_socket(int flags);
/* A listener on 127.0.0.1 and its port. */
int lo_listener(uint16_t *port);
/* connect() to 127.0.0.1:port. */
int lo_connect(int fd, uint16_t port);
/* A port where nobody listens. */
uint16_t lo_closed_port(void);
/* Both ends of a connection. */
void lo_pair(int *client, int *server);

/* "connect: 0" or "connect: ECONNREFUSED" */
void say_result(const char *what, long result);
/* "what: 1 errno-name" of SO_ERROR */
void say_so_error(const char *what, int fd);
/* poll() with everything asked for, in words. */
void say_mask(const char *what, int fd);
/* The mask waits up to 5 s for `events` first. */
/* A clock that only goes forward. */
long clock_ms(void);
void say_mask_after(const char *what, int fd, short events);
/* select() sets: r w x */
void say_select(const char *what, int fd);
const char *error_name(int error);

/* ---- in the test program's own process ------------------------------------------------------- */

/* Start the scripted service for the whole group; for cmocka's group fixtures. */
int lo_service_start(void **state);
int lo_service_stop(void **state);
/* main() of a program all of whose cases are compared. */
int lo_main(int argc, char **argv, const struct preload_case *cases, size_t count);
/* Run a case natively and intercepted; fails the test unless both exit 0 and print the same. */
void lo_compare(const char *case_name);
/* Run a case under the library alone; fails unless it exits 0. Returns what it printed (static). */
const char *lo_intercepted(const char *case_name);

struct fakesvc;
struct fakesvc *lo_service(void);

#endif
