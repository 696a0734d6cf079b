/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_whole(int fd, size_t max, char **bytes, size_t *length)
{
	struct stat st;
	if (fstat(fd, &st) != 0) {
		return -errno;
	}
	if (!S_ISREG(st.st_mode)) {
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	}
	if (st.st_size < 0 || (size_t)st.st_size > max) {
		return -EFBIG;
	}
	size_t size = (size_t)st.st_size;
	char *buffer = malloc(size + 1);
	if (!buffer) {
		return -ENOMEM;
	}
	size_t done = 0;
	while (done < size) {
		ssize_t n = read(fd, buffer + done, size - done);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			int error = -errno;
			free(buffer);
			return error;
		}
		if (n == 0) {
			break; /* it shrank meanwhile */
		}
		done += (size_t)n;
	}
	buffer[done] = '\0';
	*bytes = buffer;
	*length = done;
	return 0;
}

int file_read(const char *path, size_t max, char **bytes, size_t *length)
{
	/* O_NONBLOCK: opening a FIFO must not block us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		return -errno;
	}
	int error = read_whole(fd, max, bytes, length);
	(void)close(fd);
	return error;
}

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, bytes, length);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return -errno;
		}
		bytes += n;
		length -= (size_t)n;
	}
	return 0;
}

/* The rename is durable only once the directory is. Not every file system can do it; then never
 * mind. */
static void sync_directory_of(const char *path)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;
	if (length >= sizeof directory) {
		return;
	}
	memcpy(directory, path, length);
	directory[length] = '\0';
	int fd =
	    open(slash ? (length > 0 ? directory : "/") : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)fsync(fd);
		(void)close(fd);
	}
}

int file_write(const char *path, const void *bytes, size_t length, mode_t mode)
{
	char temporary[PATH_MAX];
	int n = snprintf(temporary, sizeof temporary, "%s.tmp", path);
	if (n < 0 || (size_t)n >= sizeof temporary) {
		return -ENAMETOOLONG;
	}
	/* A leftover of a crash is ours to replace; a symbolic link there is not followed. */
	(void)unlink(temporary);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		return -errno;
	}
	int error = fchmod(fd, mode) == 0 ? 0 : -errno; /* whatever the umask is */
	if (error == 0) {
		error = write_all(fd, bytes, length);
	}
	if (error == 0 && fsync(fd) != 0) {
		error = -errno;
	}
	if (close(fd) != 0 && error == 0) {
		error = -errno;
	}
	if (error == 0 && rename(temporary, path) != 0) {
		error = -errno;
	}
	if (error != 0) {
		(void)unlink(temporary);
		return error;
	}
	sync_directory_of(path);
	return 0;
}

int file_mkdirs(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t length = strlen(path);
	if (length == 0 || length >= sizeof part) {
		return length == 0 ? -ENOENT : -ENAMETOOLONG;
	}
	memcpy(part, path, length + 1);
	for (size_t i = 1; i <= length; i++) {
		if (part[i] != '/' && part[i] != '\0') {
			continue;
		}
		char saved = part[i];
		part[i] = '\0';
		if (mkdir(part, mode) != 0 && errno != EEXIST) {
			return -errno;
		}
		part[i] = saved;
	}
	struct stat st;
	if (stat(path, &st) != 0) {
		return -errno;
	}
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}
