/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* System calls without libc in between: inside the interception library libc's functions are the
 * ones that it replaces, and many are cancellation points. Returns -errno as the kernel does.
 */
#ifndef RPC_SYS_H
#define RPC_SYS_H

#include <sys/syscall.h>

#if defined(__x86_64__)

static inline long sys6(long number, const long args[6])
{
	long result;
	register long r10 __asm__("r10") = args[3];
	register long r8 __asm__("r8") = args[4];
	register long r9 __asm__("r9") = args[5];
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(args[0]), "S"(args[1]), "d"(args[2]), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

static inline long sys6(long number, const long args[6])
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = args[0];
	register long x1 __asm__("x1") = args[1];
	register long x2 __asm__("x2") = args[2];
	register long x3 __asm__("x3") = args[3];
	register long x4 __asm__("x4") = args[4];
	register long x5 __asm__("x5") = args[5];
	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

#else
#error "rpc/sys.h: how does a program enter the kernel on this machine? Add it here."
#endif

/* sys(SYS_xxx, up to six arguments of any integer or pointer type) */
#define SYS_LONG(x) ((long)(x))
#define sys(number, ...)                                                                           \
	sys6((number), (const long[6]){ SYS_EACH(__VA_ARGS__, SYS_6, SYS_5, SYS_4, SYS_3, SYS_2,   \
						 SYS_1)(__VA_ARGS__) })
#define SYS_EACH(a, b, c, d, e, f, name, ...) name
#define SYS_1(a)                              SYS_LONG(a)
#define SYS_2(a, b)                           SYS_LONG(a), SYS_LONG(b)
#define SYS_3(a, b, c)                        SYS_2(a, b), SYS_LONG(c)
#define SYS_4(a, b, c, d)                     SYS_3(a, b, c), SYS_LONG(d)
#define SYS_5(a, b, c, d, e)                  SYS_4(a, b, c, d), SYS_LONG(e)
#define SYS_6(a, b, c, d, e, f)               SYS_5(a, b, c, d, e), SYS_LONG(f)

#endif
