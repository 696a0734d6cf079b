/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Which epoll sets of this process watch a descriptor: the kernel lists them, one line for each
 * watched number, in the set's own /proc/self/fdinfo/N:
 *
 *   tfd:        7 events:       19 data:                7  pos:0 ino:2b38 sdev:8
 *
 * Numbers are decimal for tfd, hexadecimal for events and data (proc(5)). Files are read in pieces
 * of a page, so a set with ten thousand entries needs no memory. Without /proc nothing is found.
 */
#include "intercept/host.h"

#include "rpc/sys.h"

#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>

enum { LINE_BYTES = 160, PIECE_BYTES = 4096, NAME_BYTES = 40 };

struct entry { /* linux_dirent64 */
	uint64_t inode;
	int64_t offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

/* Digits of `base` after `label`; the place after them, or NULL. */
static const char *number_after(const char *text, const char *label, unsigned base, uint64_t *out)
{
	const char *at = strstr(text, label);
	if (!at) {
		return NULL;
	}
	at += strlen(label);
	at += strspn(at, " \t");
	const char *start = at;
	*out = 0;
	for (;; at++) {
		unsigned digit = (unsigned char)*at - (unsigned)'0';
		if (digit > 9) {
			digit = *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10 : base;
		}
		if (digit >= base) {
			return at > start ? at : NULL;
		}
		*out = *out * base + digit;
	}
}

bool host_epoll_line(const char *line, int fd, struct host_epoll *out)
{
	uint64_t target, events, data;
	const char *at = strncmp(line, "tfd:", 4) == 0 ? line : NULL;
	at = at ? number_after(at, "tfd:", 10, &target) : NULL;
	at = at && target == (uint64_t)fd ? number_after(at, "events:", 16, &events) : NULL;
	if (!at || !number_after(at, "data:", 16, &data)) {
		return false;
	}
	out->events = (uint32_t)events;
	out->data = data;
	return true;
}

/* The file of one set, line by line. */
static bool set_watches(int file, int fd, struct host_epoll *out)
{
	char piece[PIECE_BYTES] = { 0 }, line[LINE_BYTES];
	size_t length = 0;
	for (;;) {
		long n = sys(SYS_read, file, piece, sizeof piece);
		if (n <= 0) {
			return false;
		}
		for (long i = 0; i < n; i++) {
			if (piece[i] != '\n') {
				line[length] = piece[i];
				length += length < sizeof line - 1;
				continue;
			}
			line[length] = '\0';
			length = 0;
			if (host_epoll_line(line, fd, out)) {
				return true;
			}
		}
	}
}

static bool is_epoll(long directory, const char *name)
{
	static const char wanted[] = "anon_inode:[eventpoll]";
	char target[NAME_BYTES];
	long n = sys(SYS_readlinkat, directory, name, target, sizeof target);
	return n == (long)sizeof wanted - 1 && memcmp(target, wanted, (size_t)n) == 0;
}

static bool look_into(const char *name, int fd, struct host_epoll *out)
{
	char path[NAME_BYTES] = "/proc/self/fdinfo/";
	uint64_t set;
	size_t length = strlen(path);
	if (strlen(name) >= sizeof path - length || !number_after(name, "", 10, &set)) {
		return false;
	}
	memcpy(path + length, name, strlen(name) + 1);
	long file = sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (file < 0) {
		return false;
	}
	out->set = (int)set;
	bool found = set_watches((int)file, fd, out);
	(void)sys(SYS_close, file);
	return found;
}

size_t host_epoll_find(int fd, struct host_epoll out[HOST_EPOLL_MAX])
{
	_Alignas(struct entry) char entries[1024] = { 0 };
	size_t count = 0;
	long directory =
	    sys(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0) {
		return 0;
	}
	long n;
	while ((n = sys(SYS_getdents64, directory, entries, sizeof entries)) > 0) {
		const struct entry *e;
		for (long at = 0; at < n && count < HOST_EPOLL_MAX; at += e->length) {
			e = (const struct entry *)(void *)(entries + at);
			count +=
			    is_epoll(directory, e->name) && look_into(e->name, fd, &out[count]);
		}
	}
	(void)sys(SYS_close, directory);
	return count;
}

int host_lay_over(int fd, int fresh, bool is_cloexec)
{
	struct host_epoll watches[HOST_EPOLL_MAX];
	size_t count = host_epoll_find(fd, watches);
	for (size_t i = 0; i < count; i++) {
		(void)sys(SYS_epoll_ctl, watches[i].set, EPOLL_CTL_DEL, fd, 0);
	}
	long result = sys(SYS_dup3, fresh, fd, is_cloexec ? O_CLOEXEC : 0);
	for (size_t i = 0; i < count; i++) {
		struct epoll_event event = { .events = watches[i].events,
					     .data.u64 = watches[i].data };
		(void)sys(SYS_epoll_ctl, watches[i].set, EPOLL_CTL_ADD, fd, &event);
	}
	return result < 0 ? (int)result : 0;
}
