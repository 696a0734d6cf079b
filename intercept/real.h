/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* libc's own functions behind the ones that this library replaces.
 *
 * Every member of `real` can be called at any time, also before our constructor ran: until the
 * symbol is resolved it points to a stub that resolves it, or enters the kernel itself where
 * dlsym() cannot be used (a memory allocator that is just being initialised calls us from inside
 * dlsym).
 */
#ifndef INTERCEPT_REAL_H
#define INTERCEPT_REAL_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

/* Types in which glibc and musl differ: the flags of sendmmsg() and recvmmsg(), ioctl()'s request.
 */
#ifdef __GLIBC__
typedef int mmsg_flags;
typedef unsigned long ioctl_request;
#else
typedef unsigned mmsg_flags;
typedef int ioctl_request;
#endif

#ifndef SYS_close_range
#define SYS_close_range 436 /* everywhere; newer than the headers of Debian 11 */
#endif

/* X(result, name, parameters, arguments, what the kernel is asked in its place) */
#define REAL_FIXED(X)                                                                              \
	X(int, socket, (int domain, int type, int protocol), (domain, type, protocol),             \
	  sys(SYS_socket, domain, type, protocol))                                                 \
	X(int, bind, (int fd, const struct sockaddr *addr, socklen_t length), (fd, addr, length),  \
	  sys(SYS_bind, fd, addr, length))                                                         \
	X(int, listen, (int fd, int backlog), (fd, backlog), sys(SYS_listen, fd, backlog))         \
	X(int, connect, (int fd, const struct sockaddr *addr, socklen_t length),                   \
	  (fd, addr, length), sys(SYS_connect, fd, addr, length))                                  \
	X(int, accept, (int fd, struct sockaddr *addr, socklen_t *length), (fd, addr, length),     \
	  sys(SYS_accept4, fd, addr, length, 0))                                                   \
	X(int, accept4, (int fd, struct sockaddr *addr, socklen_t *length, int flags),             \
	  (fd, addr, length, flags), sys(SYS_accept4, fd, addr, length, flags))                    \
	X(int, getsockname, (int fd, struct sockaddr *addr, socklen_t *length),                    \
	  (fd, addr, length), sys(SYS_getsockname, fd, addr, length))                              \
	X(int, getpeername, (int fd, struct sockaddr *addr, socklen_t *length),                    \
	  (fd, addr, length), sys(SYS_getpeername, fd, addr, length))                              \
	X(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *length),          \
	  (fd, level, name, value, length), sys(SYS_getsockopt, fd, level, name, value, length))   \
	X(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t length),     \
	  (fd, level, name, value, length), sys(SYS_setsockopt, fd, level, name, value, length))   \
	X(int, shutdown, (int fd, int how), (fd, how), sys(SYS_shutdown, fd, how))                 \
	X(ssize_t, send, (int fd, const void *bytes, size_t length, int flags),                    \
	  (fd, bytes, length, flags), sys(SYS_sendto, fd, bytes, length, flags, 0, 0))             \
	X(ssize_t, sendto,                                                                         \
	  (int fd, const void *bytes, size_t length, int flags, const struct sockaddr *addr,       \
	   socklen_t addr_length),                                                                 \
	  (fd, bytes, length, flags, addr, addr_length),                                           \
	  sys(SYS_sendto, fd, bytes, length, flags, addr, addr_length))                            \
	X(ssize_t, sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags),           \
	  sys(SYS_sendmsg, fd, m, flags))                                                          \
	X(int, sendmmsg, (int fd, struct mmsghdr *m, unsigned count, mmsg_flags flags),            \
	  (fd, m, count, flags), sys(SYS_sendmmsg, fd, m, count, flags))                           \
	X(ssize_t, recv, (int fd, void *bytes, size_t length, int flags),                          \
	  (fd, bytes, length, flags), sys(SYS_recvfrom, fd, bytes, length, flags, 0, 0))           \
	X(ssize_t, recvfrom,                                                                       \
	  (int fd, void *bytes, size_t length, int flags, struct sockaddr *addr,                   \
	   socklen_t *addr_length),                                                                \
	  (fd, bytes, length, flags, addr, addr_length),                                           \
	  sys(SYS_recvfrom, fd, bytes, length, flags, addr, addr_length))                          \
	X(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags),                 \
	  sys(SYS_recvmsg, fd, m, flags))                                                          \
	X(int, recvmmsg,                                                                           \
	  (int fd, struct mmsghdr *m, unsigned count, mmsg_flags flags, struct timespec *timeout), \
	  (fd, m, count, flags, timeout), sys(SYS_recvmmsg, fd, m, count, flags, timeout))         \
	X(ssize_t, read, (int fd, void *bytes, size_t length), (fd, bytes, length),                \
	  sys(SYS_read, fd, bytes, length))                                                        \
	X(ssize_t, write, (int fd, const void *bytes, size_t length), (fd, bytes, length),         \
	  sys(SYS_write, fd, bytes, length))                                                       \
	X(ssize_t, readv, (int fd, const struct iovec *iov, int count), (fd, iov, count),          \
	  sys(SYS_readv, fd, iov, count))                                                          \
	X(ssize_t, writev, (int fd, const struct iovec *iov, int count), (fd, iov, count),         \
	  sys(SYS_writev, fd, iov, count))                                                         \
	X(int, close, (int fd), (fd), sys(SYS_close, fd))                                          \
	X(int, close_range, (unsigned first, unsigned last, int flags), (first, last, flags),      \
	  sys(SYS_close_range, first, last, flags))                                                \
	X(int, dup, (int fd), (fd), sys(SYS_dup, fd))                                              \
	X(int, dup2, (int fd, int number), (fd, number), real_dup2(fd, number))                    \
	X(int, dup3, (int fd, int number, int flags), (fd, number, flags),                         \
	  sys(SYS_dup3, fd, number, flags))                                                        \
	X(int, chroot, (const char *path), (path), sys(SYS_chroot, path))                          \
	X(int, setuid, (uid_t uid), (uid), sys(SYS_setuid, uid))                                   \
	X(int, setgid, (gid_t gid), (gid), sys(SYS_setgid, gid))                                   \
	X(int, seteuid, (uid_t uid), (uid), sys(SYS_setresuid, -1, uid, -1))                       \
	X(int, setegid, (gid_t gid), (gid), sys(SYS_setresgid, -1, gid, -1))                       \
	X(int, setreuid, (uid_t ruid, uid_t euid), (ruid, euid), sys(SYS_setreuid, ruid, euid))    \
	X(int, setregid, (gid_t rgid, gid_t egid), (rgid, egid), sys(SYS_setregid, rgid, egid))    \
	X(int, setresuid, (uid_t ruid, uid_t euid, uid_t suid), (ruid, euid, suid),                \
	  sys(SYS_setresuid, ruid, euid, suid))                                                    \
	X(int, setresgid, (gid_t rgid, gid_t egid, gid_t sgid), (rgid, egid, sgid),                \
	  sys(SYS_setresgid, rgid, egid, sgid))                                                    \
	X(int, setgroups, (size_t count, const gid_t *groups), (count, groups),                    \
	  sys(SYS_setgroups, count, groups))

struct real {
#define X(result, name, parameters, arguments, kernel) result(*name) parameters;
	REAL_FIXED(X)
#undef X
	int (*fcntl)(int fd, int command, ...);
	int (*fcntl64)(int fd, int command, ...);
	int (*ioctl)(int fd, unsigned long request, ...);
	long (*syscall)(long number, ...);
	void (*closefrom)(int first);
	int (*initgroups)(const char *user, gid_t group);
};
extern struct real real;

/* Look all of them up. False if that is going on right now (by this or another thread). */
bool real_resolve(void);

#endif
