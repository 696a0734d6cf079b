/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Whole files: read bounded, written so that a crash or a full disk leaves the old one intact. */
#ifndef SERVICE_FILE_H
#define SERVICE_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* Read all of a regular file of at most `max` bytes into malloc'd memory with a NUL after it.
 * 0, or -errno (-EFBIG: larger, -EISDIR / -EINVAL: not a regular file). */
int file_read(const char *path, size_t max, char **bytes, size_t *length);

/* Write to a temporary name beside it, fsync, rename over it, fsync the directory. 0 or -errno; on
 * failure the old file is as it was and nothing is left behind. */
int file_write(const char *path, const void *bytes, size_t length, mode_t mode);

/* mkdir -p. 0 or -errno. */
int file_mkdirs(const char *path, mode_t mode);

#endif
