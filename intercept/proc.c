/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* chroot() and changes of user (spec/intercept.md 4, decision S4).
 *
 * How this works: fork, vfork, exec and threads need nothing, since no state of ours decides
 * anything. But after chroot() the service's path is out of reach, and after setuid() it may be
 * refused; so the control connection is opened before, and from then on it survives exec: no longer
 * close-on-exec, and announced as ZT_NC_CTL=descriptor:cookie. The new image takes it only if the
 * cookie is right.
 */
#include "intercept/intercept.h"

#include "rpc/sys.h"

#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <unistd.h>

static const char variable[] = "ZT_NC_CTL=";

static char *number_write(char *at, uint64_t number)
{
	char digits[24];
	size_t count = 0;
	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (count > 0) {
		*at++ = digits[--count];
	}
	return at;
}

/* putenv() without malloc: a longer copy of the vector, if the variable is not in it yet. */
static void announce(char *entry)
{
	size_t count = 0;
	for (; environ && environ[count]; count++) {
		if (strncmp(environ[count], variable, sizeof variable - 1) == 0) {
			environ[count] = entry;
			return;
		}
	}
	size_t bytes = (count + 2) * sizeof *environ;
	long memory =
	    sys(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory < 0 && memory > -4096) {
		return;
	}
	char **vector;
	memcpy(&vector, &memory, sizeof vector);
	if (count > 0) {
		memcpy(vector, environ, count * sizeof *environ);
	}
	vector[count] = entry;
	environ = vector;
}

static void carry(void)
{
	static char entry[64];
	int fd;
	uint64_t cookie;
	if (!client_current(&fd, &cookie)) {
		return;
	}
	memcpy(entry, variable, sizeof variable - 1);
	char *at = number_write(entry + sizeof variable - 1, (uint64_t)fd);
	*at++ = ':';
	*number_write(at, cookie) = '\0';
	(void)sys(SYS_fcntl, fd, F_SETFD, 0);
	announce(entry);
}

static int changed(int result)
{
	if (result == 0) {
		carry();
	}
	return result;
}

/* While we still may. That nobody is there is found out again when a socket is wanted. */
static bool is_prepared(void)
{
	return on() && client_fd() >= 0;
}

#define PROC(name, parameters, arguments)                                                          \
	EXPORT int name parameters                                                                 \
	{                                                                                          \
		return is_prepared() ? changed(real.name arguments) : real.name arguments;         \
	}

PROC(chroot, (const char *path), (path))
PROC(setuid, (uid_t uid), (uid))
PROC(setgid, (gid_t gid), (gid))
PROC(seteuid, (uid_t uid), (uid))
PROC(setegid, (gid_t gid), (gid))
PROC(setreuid, (uid_t ruid, uid_t euid), (ruid, euid))
PROC(setregid, (gid_t rgid, gid_t egid), (rgid, egid))
PROC(setresuid, (uid_t ruid, uid_t euid, uid_t suid), (ruid, euid, suid))
PROC(setresgid, (gid_t rgid, gid_t egid, gid_t sgid), (rgid, egid, sgid))
PROC(setgroups, (size_t count, const gid_t *groups), (count, groups))
PROC(initgroups, (const char *user, gid_t group), (user, group))
