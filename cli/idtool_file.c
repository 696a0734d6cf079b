/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/idtool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_START_BYTES = 4096 };

/* Reads until the end, growing the block; not by the size that stat tells, so that pipes work. */
static uint8_t *all_read(int fd, size_t max, size_t *length)
{
	size_t capacity = FILE_START_BYTES, used = 0;
	uint8_t *bytes = malloc(capacity + 1);
	while (bytes) {
		ssize_t n = read(fd, bytes + used, capacity - used);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0 || used + (size_t)n > max) {
			errno = n > 0 ? EFBIG : errno;
			if (n == 0) {
				bytes[used] = 0;
				*length = used;
				return bytes;
			}
			break;
		}
		used += (size_t)n;
		if (used == capacity) {
			uint8_t *more = realloc(bytes, 2 * capacity + 1);
			if (!more) {
				break;
			}
			bytes = more;
			capacity *= 2;
		}
	}
	free(bytes);
	return NULL;
}

uint8_t *file_read(const char *path, size_t max, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return NULL;
	}
	uint8_t *bytes = all_read(fd, max, length);
	int saved = errno;
	(void)close(fd);
	errno = saved;
	return bytes;
}

static int all_write(int fd, const uint8_t *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, bytes, length);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return errno;
		}
		bytes += n;
		length -= (size_t)n;
	}
	return 0;
}

static int place(const char *temporary, const char *path, enum file_existing existing)
{
	if (existing == FILE_REPLACE) {
		return rename(temporary, path) == 0 ? 0 : errno;
	}
	/* A hard link never replaces anything, on every Unix. */
	if (link(temporary, path) == 0) {
		(void)unlink(temporary);
		return 0;
	}
	if (errno != EPERM && errno != EOPNOTSUPP) {
		return errno;
	}
	/* A file system without hard links. */
	return renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0 ? 0 : errno;
}

/* So that the name survives a power failure, too. Best effort: not every file system can. */
static void folder_sync(const char *path)
{
	char copy[PATH_MAX];
	(void)snprintf(copy, sizeof copy, "%s", path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd);
		(void)close(fd);
	}
}

int file_write(const char *path, const void *bytes, size_t length, mode_t mode,
	       enum file_existing existing)
{
	char temporary[PATH_MAX];
	int n = snprintf(temporary, sizeof temporary, "%s.new.%ld", path, (long)getpid());
	if (n < 0 || (size_t)n >= sizeof temporary) {
		return ENAMETOOLONG;
	}
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		return errno;
	}
	int err = fchmod(fd, mode) == 0 ? all_write(fd, bytes, length) : errno;
	if (err == 0 && fsync(fd) != 0) {
		err = errno;
	}
	if (close(fd) != 0 && err == 0) {
		err = errno;
	}
	if (err == 0) {
		err = place(temporary, path, existing);
	}
	if (err != 0) {
		(void)unlink(temporary);
		return err;
	}
	folder_sync(path);
	return 0;
}
