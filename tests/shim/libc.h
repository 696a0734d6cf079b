/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What glibc has and musl does not, so that the same cases run with either. */
#ifndef TESTS_SHIM_LIBC_H
#define TESTS_SHIM_LIBC_H

#ifndef __GLIBC__
const char *strerrorname_np(int error); /* NULL if it has no name here */
const char *sigabbrev_np(int number);
/* By syscall(), which the interceptor knows, too. */
int close_range(unsigned first, unsigned last, int flags);
void closefrom(int first);
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

#endif
