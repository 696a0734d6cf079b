/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Giving up what a daemon that reads strangers' datagrams does not need (design D9). */
#ifndef SERVICE_SANDBOX_H
#define SERVICE_SANDBOX_H

#include <stdbool.h>

/* First of all: close every descriptor from this number on, which we inherited. */
void sandbox_close_inherited(unsigned first);

/* Before the first datagram is read: no_new_privs, no core dumps of keys, and a filter of system
 * calls for all threads. False if the kernel refuses the filter (logged). */
bool sandbox_enter(void);

/* Is this a build in which the filter would break the tool (address sanitizer and the like)? */
bool sandbox_is_possible(void);

#endif
