/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Our own mistakes abort loudly; they are never mistaken for bad input or a poor environment. */
#ifndef BASE_BUG_H
#define BASE_BUG_H

#include <stdio.h>
#include <stdlib.h>

__attribute__((noreturn, cold, unused)) static void bug_abort(const char *what, const char *file,
							      int line)
{
	(void)fprintf(stderr, "netcon: internal error: %s at %s:%d\n", what, file, line);
	abort();
}

/* BUG_ON(condition): the condition can only be true if this program is wrong. */
#define BUG_ON(condition)                                                                          \
	do {                                                                                       \
		if (__builtin_expect(!!(condition), 0)) {                                          \
			bug_abort(#condition, __FILE__, __LINE__);                                 \
		}                                                                                  \
	} while (0)

#endif
