/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Whose memory is this?
 *
 * A child of vfork() has our memory and descriptors of its own: CPython's and Java's close and move
 * theirs before they exec. If that changed our hints, our datagram sockets would hand out headers
 * as data. So a hint that decides how bytes are read is changed only by the process that the memory
 * belongs to. Which one that is stands in a page: written after fork() by a handler, which vfork()
 * does not call; and cleared by the kernel in the child of a clone() without shared memory
 * (MADV_WIPEONFORK), which calls no handler either.
 */
#include "intercept/hint.h"

#include "rpc/sys.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

enum { PAGE_BYTES = 4096 };

uint8_t hint_table[HINT_MAX];
static _Atomic(_Atomic long *) owner; /* in the page; made for the first such hint */

/* NULL: there is no such page, as before Linux 4.14. */
static _Atomic long *owner_page(void)
{
	_Atomic long *known = atomic_load(&owner), *none = NULL;
	if (known) {
		return known;
	}
	long at = sys(SYS_mmap, 0, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (at < 0 && at > -PAGE_BYTES) {
		return NULL;
	}
	known = (_Atomic long *)at; /* NOLINT(performance-no-int-to-ptr) */
	if (sys(SYS_madvise, at, PAGE_BYTES, MADV_WIPEONFORK) < 0) {
		(void)sys(SYS_munmap, at, PAGE_BYTES);
		return NULL;
	}
	if (!atomic_compare_exchange_strong(&owner, &none, known)) {
		(void)sys(SYS_munmap, at, PAGE_BYTES); /* another thread was faster */
		return none;
	}
	return known;
}

/* An owner that is neither we nor our parent was a vfork child that came first after a clone(). */
static bool is_our_memory(void)
{
	_Atomic long *page = owner_page();
	long self = sys(SYS_getpid, 0), known = page ? atomic_load(page) : 0;
	if (!page || known == self) {
		return true;
	}
	if (known != 0 && known == sys(SYS_getppid, 0)) {
		return false;
	}
	atomic_store(page, self);
	return true;
}

void hint_after_fork(void)
{
	_Atomic long *page = atomic_load(&owner);
	if (page) {
		atomic_store(page, sys(SYS_getpid, 0));
	}
}

void hint_change(int fd, enum hint hint)
{
	bool decides = hint >= HINT_DGRAM || hint_get(fd) >= HINT_DGRAM;
	if (!decides || is_our_memory()) {
		__atomic_store_n(&hint_table[fd], (uint8_t)hint, __ATOMIC_RELAXED);
	}
}
