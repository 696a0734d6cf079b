/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* See libc.h. */
#include <features.h>

typedef int not_empty;

#ifndef __GLIBC__
#include "tests/shim/libc.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

const char *strerrorname_np(int error)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
#define E(name) { name, #name }
		E(E2BIG),         E(EACCES),       E(EADDRINUSE),
		E(EADDRNOTAVAIL), E(EAFNOSUPPORT), E(EAGAIN),
		E(EALREADY),      E(EBADF),        E(ECHILD),
		E(ECONNABORTED),  E(ECONNREFUSED), E(ECONNRESET),
		E(EDESTADDRREQ),  E(EDOM),         E(EEXIST),
		E(EFAULT),        E(EHOSTUNREACH), E(EINPROGRESS),
		E(EINTR),         E(EINVAL),       E(EISCONN),
		E(EMFILE),        E(EMSGSIZE),     E(ENETDOWN),
		E(ENETUNREACH),   E(ENOBUFS),      E(ENODEV),
		E(ENOENT),        E(ENOMEM),       E(ENOPROTOOPT),
		E(ENOSYS),        E(ENOTCONN),     E(ENOTSOCK),
		E(ENOTTY),        E(ENXIO),        E(EOPNOTSUPP),
		E(EPERM),         E(EPIPE),        E(EPROTONOSUPPORT),
		E(EPROTOTYPE),    E(ESPIPE),       E(ESOCKTNOSUPPORT),
		E(ETIMEDOUT),     E(ETOOMANYREFS),
#undef E
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (names[i].number == error) {
			return names[i].name;
		}
	}
	return NULL;
}

const char *sigabbrev_np(int number)
{
	return number == SIGPIPE   ? "PIPE"
	       : number == SIGKILL ? "KILL"
	       : number == SIGALRM ? "ALRM"
	       : number == SIGSEGV ? "SEGV"
				   : "another";
}

int close_range(unsigned first, unsigned last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

void closefrom(int first)
{
	(void)close_range((unsigned)first, UINT_MAX, 0);
}
#endif
