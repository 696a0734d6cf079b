/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* bindresvport(), rresvport(), rresvport_af(): ports that rsh and NFS took for a proof of root.
 *
 * How this works: libc has them with socket() and bind() inside, which no hook sees, so a virtual
 * socket was refused (EINVAL) and rresvport()'s socket was the host's. These are the same searches
 * through our own hooks. A descriptor that is not ours stays libc's. musl has none of them.
 */
#include "intercept/names.h"

#ifdef __GLIBC__
#include <netinet/in.h>
#include <stdatomic.h>
#include <unistd.h>

enum {
	RSV_FIRST = IPPORT_RESERVED / 2, /* rresvport() counts down to here */
	BIND_FIRST = 600, /* bindresvport() begins here; below it are daemons' ports */
	BIND_COUNT = IPPORT_RESERVED - BIND_FIRST,
};

/* The ports from `first` on, `count` of them, beginning `skip` behind the first. */
static int bind_search(int fd, struct sockaddr_in *sa, int first, int count, unsigned skip)
{
	int result = -1;
	for (int i = 0; i < count; i++) {
		sa->sin_port =
		    htons((uint16_t)(first + (int)((skip + (unsigned)i) % (unsigned)count)));
		result = bind(fd, (struct sockaddr *)sa, sizeof *sa);
		if (result == 0 || errno != EADDRINUSE) {
			break;
		}
	}
	return result;
}

EXPORT int bindresvport(int fd, struct sockaddr_in *sa)
{
	static atomic_uint next; /* two sockets of one process try different ports first */
	struct sockaddr_in any = { .sin_family = AF_INET };
	struct who who;
	if (!on() || !(ident_hinted(fd, &who) || ident_who(fd, &who))) {
		return LIBC(bindresvport)(fd, sa);
	}
	sa = sa ? sa : &any;
	if (sa->sin_family != AF_INET) {
		return done("bindresvport", fd, -EAFNOSUPPORT);
	}
	unsigned skip = (unsigned)getpid() + atomic_fetch_add(&next, 1);
	int result = bind_search(fd, sa, BIND_FIRST, BIND_COUNT, skip);
	if (result < 0 && errno == EADDRINUSE) {
		result = bind_search(fd, sa, RSV_FIRST, BIND_FIRST - RSV_FIRST, skip);
	}
	return result;
}

/* From *port downwards, and around. 0 or -1 with errno. */
static int rsv_search(int fd, struct sockaddr_storage *sa, socklen_t length, int *port)
{
	for (int i = RSV_FIRST; i < IPPORT_RESERVED; i++) {
		((struct sockaddr_in *)sa)->sin_port =
		    htons((uint16_t)*port); /* where sin6_port is */
		if (bind(fd, (struct sockaddr *)sa, length) == 0) {
			return 0;
		}
		if (errno != EADDRINUSE) {
			return -1;
		}
		*port = *port == RSV_FIRST ? IPPORT_RESERVED - 1 : *port - 1;
	}
	errno = EAGAIN;
	return -1;
}

EXPORT int rresvport_af(int *port, sa_family_t family)
{
	struct sockaddr_storage sa = { .ss_family = family };
	socklen_t length =
	    family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	if (!on() || (family != AF_INET && family != AF_INET6)) {
		return LIBC(rresvport_af)(port, family);
	}
	int fd = socket(family, SOCK_STREAM, 0);
	if (fd < 0) {
		return -1;
	}
	*port = *port < RSV_FIRST ? RSV_FIRST : *port;
	*port = *port >= IPPORT_RESERVED ? IPPORT_RESERVED - 1 : *port;
	if (rsv_search(fd, &sa, length, port) < 0) {
		int error = errno;
		(void)close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

EXPORT int rresvport(int *port)
{
	return rresvport_af(port, AF_INET);
}
#endif
