/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: the filter knows three kinds of calls. Those in the table are allowed. Those that
 * only an intruder wants end the process. Everything else fails with EPERM, so that a C library
 * that tries something new before falling back goes on working.
 */
#include "service/sandbox.h"

#include "service/log.h"

#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Needed while running, and why. */
static const int allowed[] = {
	/* the loop and its clock */
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
#ifdef __NR_epoll_pwait2 /* newer than the headers of Debian 11 */
	SCMP_SYS(epoll_pwait2),
#endif
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_create1), /* libmicrohttpd, when it is stopped and started */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(poll), /* libc: name look-ups of local.conf's users */
	SCMP_SYS(ppoll),
	/* descriptors: files, sockets, the programs' socketpairs */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(close),
	SCMP_SYS(close_range),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(fcntl),
	SCMP_SYS(ioctl), /* SIOCINQ, SIOCOUTQ, FIONREAD of a virtual socket's end */
	SCMP_SYS(lseek),
	SCMP_SYS(pipe2),
	SCMP_SYS(eventfd2),
	SCMP_SYS(splice),
	SCMP_SYS(sendfile), /* libmicrohttpd */
	/* sockets: UDP after an address change, netlink, the API, nc/<nwid>/sock */
	SCMP_SYS(socket),
	SCMP_SYS(socketpair),
	SCMP_SYS(bind),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(connect), /* a socketpair with names is made by connect */
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendmmsg),
	/* files of the home directory */
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(stat),
	SCMP_SYS(fstat),
	SCMP_SYS(lstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(fstatfs),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(readlink), /* where liblwip.so is */
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(rmdir),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(symlink),
	SCMP_SYS(symlinkat),
	SCMP_SYS(chmod),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	SCMP_SYS(chown), /* group of the control socket */
	SCMP_SYS(fchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(lchown),
	SCMP_SYS(umask),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(flock),
	/* memory; dlopen of another private copy of liblwip.so from a memfd */
	SCMP_SYS(brk),
	SCMP_SYS(mmap),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(mprotect),
	SCMP_SYS(madvise),
	SCMP_SYS(memfd_create),
	/* threads, signals, the end */
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(clock_nanosleep), /* libmicrohttpd, while it waits for a connection to end */
	SCMP_SYS(nanosleep),
	SCMP_SYS(alarm),
	SCMP_SYS(setitimer),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(gettid), /* abort() */
	SCMP_SYS(tgkill),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	/* who we and our clients are */
	SCMP_SYS(getpid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getgroups),
	SCMP_SYS(getrlimit),
	SCMP_SYS(prlimit64),
	SCMP_SYS(getrusage),
	SCMP_SYS(getrandom),
	SCMP_SYS(uname),
	SCMP_SYS(sysinfo),
};

/* No path of this program leads here. */
static const int fatal[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(mount),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(io_uring_setup),
};

void sandbox_close_inherited(unsigned first)
{
#ifdef __NR_close_range /* the kernel's name: Debian 11's C library lacks SYS_close_range */
	(void)syscall(__NR_close_range, first, ~0U, 0U);
#endif
}

bool sandbox_is_possible(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#else
	return true;
#endif
}

static int rules_add(scmp_filter_ctx filter, const int *calls, size_t count, uint32_t action)
{
	for (size_t i = 0; i < count; i++) {
		/* A call that this architecture does not have is no error. */
		int error = seccomp_rule_add(filter, action, calls[i], 0);
		if (error != 0 && error != -EDOM) {
			return error;
		}
	}
	return 0;
}

bool sandbox_enter(void)
{
	const struct rlimit no_core = { 0 }; /* a core dump would hold the secret key */
	(void)setrlimit(RLIMIT_CORE, &no_core);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		log_warn_errno("sandbox", "no_new_privs is not available");
	}
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int error = filter ? 0 : -ENOMEM;
	if (error == 0) {
		error =
		    rules_add(filter, allowed, sizeof allowed / sizeof *allowed, SCMP_ACT_ALLOW);
	}
	if (error == 0) {
		error =
		    rules_add(filter, fatal, sizeof fatal / sizeof *fatal, SCMP_ACT_KILL_PROCESS);
	}
	if (error == 0) {
		(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1); /* the worker too */
		/* A binary tree: 7 comparisons for a call instead of up to 140. */
		(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
		error = seccomp_load(filter);
	}
	seccomp_release(filter);
	if (error != 0) {
		log_warn("sandbox", "running without a filter of system calls: %s",
			 strerror(-error));
		return false;
	}
	return true;
}
