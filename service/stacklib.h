/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Private copies of liblwip.so: one per network, because lwIP keeps its state in globals (design
 * D2). */
#ifndef SERVICE_STACKLIB_H
#define SERVICE_STACKLIB_H

#include "stack/stack.h"

#include <stddef.h>

struct stacklib {
	void *handle;                /* of dlopen, NULL when not loaded */
	int fd;                      /* the memfd; kept open as long as the handle lives */
	const struct stack_ops *ops; /* the copy's table */
};

/* Where the library is: beside the running program, then in the install directory, then in `home`
 * (may be NULL) if the file there is ours and nobody else may write to it. 0 and the path in
 * `path`, else -errno and a sentence in `why`. */
int stacklib_find(const char *home, char *path, size_t path_size, char *why, size_t why_size);
/* Load a private copy of the file at `path`. 0, else -errno and a sentence in `why`. */
int stacklib_load(struct stacklib *library, const char *path, char *why, size_t why_size);
/* Give the copy back; its stack must be destroyed. Under sanitizers it stays mapped (S25). */
void stacklib_unload(struct stacklib *library);

#endif
