/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* syscall(): programs that enter the kernel through libc's door but past its functions (libuv calls
 * accept4 so). Socket calls are led to the hooks; everything else passes, whatever its number: a
 * list of what is allowed would break programs for years.
 *
 * io_uring is refused: its CONNECT, ACCEPT and SOCKET would go past us to the host (decision S9),
 * and programs fall back.
 */
#include "intercept/intercept.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif

/* Arguments of system calls are longs, whatever they mean. */
static void *pointer(long argument)
{
	return (void *)argument; /* NOLINT(performance-no-int-to-ptr) */
}

static bool divert_data(long number, const long a[6], long *result)
{
	int fd = (int)a[0], flags = (int)a[3];
	switch (number) {
	case SYS_read:
		*result = read(fd, pointer(a[1]), (size_t)a[2]);
		return true;
	case SYS_write:
		*result = write(fd, pointer(a[1]), (size_t)a[2]);
		return true;
	case SYS_sendto:
		*result =
		    sendto(fd, pointer(a[1]), (size_t)a[2], flags, pointer(a[4]), (socklen_t)a[5]);
		return true;
	case SYS_recvfrom:
		*result =
		    recvfrom(fd, pointer(a[1]), (size_t)a[2], flags, pointer(a[4]), pointer(a[5]));
		return true;
	case SYS_sendmsg:
		*result = sendmsg(fd, pointer(a[1]), (int)a[2]);
		return true;
	case SYS_recvmsg:
		*result = recvmsg(fd, pointer(a[1]), (int)a[2]);
		return true;
	case SYS_sendmmsg:
		*result = sendmmsg(fd, pointer(a[1]), (unsigned)a[2], flags);
		return true;
	case SYS_recvmmsg:
		*result = recvmmsg(fd, pointer(a[1]), (unsigned)a[2], flags, pointer(a[4]));
		return true;
	default:
		return false;
	}
}

static bool divert_names(long number, const long a[6], long *result)
{
	int fd = (int)a[0];
	switch (number) {
	case SYS_bind:
		*result = bind(fd, pointer(a[1]), (socklen_t)a[2]);
		return true;
	case SYS_connect:
		*result = connect(fd, pointer(a[1]), (socklen_t)a[2]);
		return true;
	case SYS_accept:
		*result = accept(fd, pointer(a[1]), pointer(a[2]));
		return true;
	case SYS_accept4:
		*result = accept4(fd, pointer(a[1]), pointer(a[2]), (int)a[3]);
		return true;
	case SYS_getsockname:
		*result = getsockname(fd, pointer(a[1]), pointer(a[2]));
		return true;
	case SYS_getpeername:
		*result = getpeername(fd, pointer(a[1]), pointer(a[2]));
		return true;
	default:
		return false;
	}
}

static bool divert(long number, const long a[6], long *result)
{
	int fd = (int)a[0];
	switch (number) {
	case SYS_socket:
		*result = socket(fd, (int)a[1], (int)a[2]);
		return true;
	case SYS_listen:
		*result = listen(fd, (int)a[1]);
		return true;
	case SYS_shutdown:
		*result = shutdown(fd, (int)a[1]);
		return true;
	case SYS_getsockopt:
		*result = getsockopt(fd, (int)a[1], (int)a[2], pointer(a[3]), pointer(a[4]));
		return true;
	case SYS_setsockopt:
		*result = setsockopt(fd, (int)a[1], (int)a[2], pointer(a[3]), (socklen_t)a[4]);
		return true;
	case SYS_io_uring_setup:
		*result = done("io_uring_setup", -1, -ENOSYS);
		return true;
	default:
		return divert_names(number, a, result) || divert_data(number, a, result);
	}
}

EXPORT long syscall(long number, ...)
{
	long a[6], result;
	va_list list;
	va_start(list, number);
	for (int i = 0; i < 6; i++) {
		a[i] = va_arg(list, long);
	}
	va_end(list);
	if (on() && divert(number, a, &result)) {
		return result;
	}
	return real.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
