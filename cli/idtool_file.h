/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Whole files, and writing them so that a crash leaves the old or the new one, never half of it. */
#ifndef CLI_IDTOOL_FILE_H
#define CLI_IDTOOL_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* At most `max` bytes, malloc'd, a NUL after them; NULL with errno set (EFBIG: larger). */
uint8_t *file_read(const char *path, size_t max, size_t *length);

enum file_existing { FILE_REPLACE, FILE_KEEP };
/* Through a temporary file beside it, fsync and rename. FILE_KEEP: EEXIST if there is one already.
 * 0 or an errno. */
int file_write(const char *path, const void *bytes, size_t length, mode_t mode,
	       enum file_existing existing);

#endif
