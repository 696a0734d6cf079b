/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* close() and dup(): the kernel's; only hints are moved or forgotten. Nothing here protects our
 * control connection (client.c notices when it is gone), and nothing here can fail or block by
 * itself.
 */
#include "intercept/hint.h"
#include "intercept/intercept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

static int copied(int from, int to)
{
	if (to >= 0) {
		hint_set(to, hint_get(from));
	}
	return to;
}

static void forget(unsigned first, unsigned last)
{
	for (unsigned fd = first; fd <= last && fd < HINT_MAX; fd++) {
		hint_set((int)fd, HINT_NONE);
	}
}

EXPORT int close(int fd)
{
	if (on()) {
		hint_set(fd, HINT_NONE);
	}
	return real.close(fd);
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
	int result = real.close_range(first, last, flags);
	if (on() && result == 0 && ((unsigned)flags & CLOSE_RANGE_CLOEXEC) == 0) {
		forget(first, last);
	}
	return result;
}

EXPORT void closefrom(int first)
{
	if (on()) {
		forget(first < 0 ? 0 : (unsigned)first, HINT_MAX - 1);
	}
	real.closefrom(first);
}

EXPORT int dup(int fd)
{
	int result = real.dup(fd);
	return on() ? copied(fd, result) : result;
}

EXPORT int dup2(int fd, int number)
{
	int result = real.dup2(fd, number);
	return on() ? copied(fd, result) : result;
}

EXPORT int dup3(int fd, int number, int flags)
{
	int result = real.dup3(fd, number, flags);
	return on() ? copied(fd, result) : result;
}

/* The third argument is a number, a pointer or missing; as a long it passes through unchanged. */
#define FCNTL(name)                                                                                \
	EXPORT int name(int fd, int command, ...)                                                  \
	{                                                                                          \
		va_list list;                                                                      \
		va_start(list, command);                                                           \
		long argument = va_arg(list, long);                                                \
		va_end(list);                                                                      \
		int result = real.name(fd, command, argument);                                     \
		bool is_dup = command == F_DUPFD || command == F_DUPFD_CLOEXEC;                    \
		return is_dup && on() ? copied(fd, result) : result;                               \
	}

FCNTL(fcntl)
#undef fcntl64
extern int fcntl64(int fd, int command, ...);
FCNTL(fcntl64)

ALIAS(__dup2, dup2);
ALIAS(__fcntl, fcntl);
