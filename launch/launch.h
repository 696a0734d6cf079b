/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* zerotier-intercept: run a program with its sockets on a virtual network (issue 4 part 9).
 *
 * How this works: the shell script launch/zerotier-intercept.sh is what users call and may source;
 * it finds this program, zerotier-intercept-exec, beside the library in LIBDIR. This program reads
 * the options (main.c), finds the network's control socket (network.c), looks whether the target
 * can be intercepted at all (target.c: the loader ignores LD_PRELOAD silently where it cannot),
 * sets the environment and becomes the target by exec. So exit status and signals are the target's
 * own.
 */
#ifndef LAUNCH_LAUNCH_H
#define LAUNCH_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit codes, as env(1), nohup(1) and timeout(1) have them. */
enum {
	LAUNCH_OURS = 125,    /* zerotier-intercept itself failed: options, network, library */
	LAUNCH_CANNOT = 126,  /* the program is there and cannot be run so */
	LAUNCH_MISSING = 127, /* there is no such program */
	LAUNCH_PATH_BYTES = 4096,
};

/* One sentence on standard error with the program's name. */
void launch_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- network.c ------------------------------------------------------------------------------- */

/* The control socket for `wanted`: 16 hex digits, a network's name, a path (with a slash), or NULL:
 * the only network of `home`. 0, or LAUNCH_OURS after saying why. */
int network_find(const char *home, const char *wanted, char out[LAUNCH_PATH_BYTES]);

/* ---- target.c -------------------------------------------------------------------------------- */

/* Where execvp() would find `name`. 0, LAUNCH_MISSING or LAUNCH_CANNOT after saying why. */
int target_find(const char *name, char out[LAUNCH_PATH_BYTES]);
/* Can LD_PRELOAD=`library` reach the program at `path`? Follows #! lines. *library may be changed
 * to the one for the target's libc. 0, or LAUNCH_CANNOT after saying why and what else to do. */
int target_check(const char *path, char library[LAUNCH_PATH_BYTES]);

#endif
