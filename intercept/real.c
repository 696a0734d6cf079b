/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: `real` starts out full of stubs that enter the kernel. The constructor calls
 * real_resolve(), which puts libc's functions in their places. Whoever calls a hook earlier (the
 * constructors of other libraries, a memory allocator that starts) gets the stub and resolves
 * nothing: it may hold the allocator's lock, and dlsym() of glibc before 2.34 calls calloc(). A
 * symbol that libc does not have stays a stub for ever. What the kernel cannot do alone
 * (initgroups) resolves on first use; there is no lock: one thread resolves, any other, and any
 * re-entry from inside dlsym(), is refused.
 */
#include "intercept/real.h"

#include "rpc/sys.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* As libc reports what the kernel answered. */
static long from_kernel(long result)
{
	if (result < 0 && result > -4096) {
		errno = (int)-result;
		return -1;
	}
	return result;
}

static long real_dup2(int fd, int number)
{
	if (fd == number) {
		long flags = sys(SYS_fcntl, fd, F_GETFD);
		return flags < 0 ? flags : fd;
	}
	return sys(SYS_dup3, fd, number, 0);
}

#define X(result, name, parameters, arguments, kernel)                                             \
	static result early_##name parameters                                                      \
	{                                                                                          \
		return (result)from_kernel(kernel);                                                \
	}
REAL_FIXED(X)
#undef X

static int early_fcntl(int fd, int command, ...)
{
	va_list list;
	va_start(list, command);
	long argument = va_arg(list, long);
	va_end(list);
	return (int)from_kernel(sys(SYS_fcntl, fd, command, argument));
}

static int early_ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	va_start(list, request);
	long argument = va_arg(list, long);
	va_end(list);
	return (int)from_kernel(sys(SYS_ioctl, fd, request, argument));
}

/* Never replaced: there is nothing in libc's but the kernel. */
static long kernel_syscall(long number, ...)
{
	long args[6];
	va_list list;
	va_start(list, number);
	for (int i = 0; i < 6; i++) {
		args[i] = va_arg(list, long);
	}
	va_end(list);
	return from_kernel(sys6(number, args));
}

static void early_closefrom(int first)
{
	(void)sys(SYS_close_range, first < 0 ? 0 : first, ~0U, 0);
}

static int early_initgroups(const char *user, gid_t group)
{
	if (real_resolve() && real.initgroups != early_initgroups) {
		return real.initgroups(user, group);
	}
	errno = EAGAIN; /* no way to read the group file from here */
	return -1;
}

struct real real = {
#define X(result, name, parameters, arguments, kernel) .name = early_##name,
	REAL_FIXED(X)
#undef X
	    .fcntl = early_fcntl,
	.fcntl64 = early_fcntl,
	.ioctl = early_ioctl,
	.syscall = kernel_syscall,
	.closefrom = early_closefrom,
	.initgroups = early_initgroups,
};

/* ISO C has no cast from void * to a function pointer; POSIX says that the bits are the same. */
static void find(void *member, const char *name)
{
	void *symbol = dlsym(RTLD_NEXT, name);
	if (symbol) {
		memcpy(member, &symbol, sizeof symbol);
	}
}

bool real_resolve(void)
{
	enum { NOT_YET, NOW, DONE };
	static atomic_int state;
	int expected = NOT_YET;
	if (atomic_load_explicit(&state, memory_order_acquire) == DONE) {
		return true;
	}
	if (!atomic_compare_exchange_strong(&state, &expected, NOW)) {
		return expected == DONE;
	}
	int saved = errno;
#define X(result, name, parameters, arguments, kernel) find(&real.name, #name);
	REAL_FIXED(X)
#undef X
	find(&real.fcntl, "fcntl");
	find(&real.fcntl64, "fcntl64");
	find(&real.ioctl, "ioctl");
	find(&real.closefrom, "closefrom");
	find(&real.initgroups, "initgroups");
	errno = saved;
	atomic_store_explicit(&state, DONE, memory_order_release);
	return true;
}
