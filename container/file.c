/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Small files, whole. */
#include "container/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 64 * 1024 };

int file_slurp(const char *path, char **text, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	char *bytes = calloc(1, FILE_MAX_BYTES + 1);
	size_t have = 0;
	int error = bytes ? 0 : -ENOMEM;
	while (error == 0 && have <= FILE_MAX_BYTES) {
		ssize_t n = read(fd, bytes + have, FILE_MAX_BYTES + 1 - have);
		if (n <= 0) {
			error = n < 0 && errno != EINTR ? -errno : 0;
			if (n == 0 || error != 0) {
				break;
			}
			continue;
		}
		have += (size_t)n;
	}
	(void)close(fd);
	if (error == 0 && have > FILE_MAX_BYTES) {
		error = -EFBIG;
	}
	if (error != 0) {
		free(bytes);
		return error;
	}
	bytes[have] = '\0';
	*text = bytes;
	*length = have;
	return 0;
}

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, bytes, length);
		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		bytes += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int file_replace(const char *path, const void *bytes, size_t length, unsigned mode)
{
	char beside[INIT_PATH_BYTES + 8];
	(void)snprintf(beside, sizeof beside, "%s.new", path);
	int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		return -errno;
	}
	int error = write_all(fd, bytes, length);
	if (error == 0 && (fchmod(fd, mode) != 0 || fsync(fd) != 0)) {
		error = -errno;
	}
	(void)close(fd);
	if (error == 0 && rename(beside, path) != 0) {
		error = -errno;
	}
	if (error != 0) {
		(void)unlink(beside);
	}
	return error;
}
