/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works
 *
 * dlopen() gives the same handle for the same file, and dlmopen() stops after 11 copies (static
 * TLS). So the file is copied into a memfd and that is opened as /proc/self/fd/N: another inode,
 * another copy of all globals. glibc also recognises a file by its path string, so the number N
 * must not be used for a second copy while the first lives: the memfd stays open until the handle
 * is closed.
 */
#include "service/stacklib.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef NETCON_LIBDIR
#define NETCON_LIBDIR "/usr/local/lib/netcon" /* the Makefile's LIBDIR */
#endif

static const char LIBRARY[] = "liblwip.so";

/* The folder of the running program into `out`; false if the kernel does not say. */
static bool own_folder(char *out, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", out, size - 1);
	if (length <= 0) {
		return false;
	}
	out[length] = '\0';
	char *slash = strrchr(out, '/');
	if (!slash) {
		return false;
	}
	*slash = '\0';
	return true;
}

static bool join(char *out, size_t size, const char *folder)
{
	int length = snprintf(out, size, "%s/%s", folder, LIBRARY);
	return length > 0 && (size_t)length < size;
}

/* Code from the data directory runs with our rights: only our own file will do. */
static int home_check(const char *path, char *why, size_t why_size)
{
	struct stat file;
	if (stat(path, &file) != 0) {
		return -ENOENT;
	}
	if (file.st_uid != geteuid() || (file.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		(void)snprintf(
		    why, why_size,
		    "%s is not used: it must belong to this user and be writable by nobody "
		    "else (chown it and chmod go-w), or install the library in %s",
		    path, NETCON_LIBDIR);
		return -EACCES;
	}
	return 0;
}

int stacklib_find(const char *home, char *path, size_t path_size, char *why, size_t why_size)
{
	char folder[4096];
	if (own_folder(folder, sizeof(folder)) && join(path, path_size, folder) &&
	    access(path, R_OK) == 0) {
		return 0;
	}
	if (join(path, path_size, NETCON_LIBDIR) && access(path, R_OK) == 0) {
		return 0;
	}
	int error = -ENOENT;
	if (home && join(path, path_size, home)) {
		error = home_check(path, why, why_size);
	}
	if (error == -ENOENT) {
		(void)snprintf(
		    why, why_size,
		    "%s was found neither beside the program nor in %s%s%s: build it with "
		    "`make` or install it with `make install`",
		    LIBRARY, NETCON_LIBDIR, home ? " nor in " : "", home ? home : "");
	}
	return error;
}

/* The file's bytes in a new memfd, or -errno. */
static int copy_file(const char *path, char *why, size_t why_size)
{
	int from = open(path, O_RDONLY | O_CLOEXEC);
	if (from < 0) {
		int error = errno;
		(void)snprintf(why, why_size, "cannot read %s: %s", path, strerror(error));
		return -error;
	}
	int to = memfd_create(LIBRARY, MFD_CLOEXEC);
	ssize_t copied = to < 0 ? -1 : 1;
	while (copied > 0) {
		copied = sendfile(to, from, NULL, 1 << 24);
	}
	int error = copied < 0 ? errno : 0;
	(void)close(from);
	if (error != 0) {
		(void)snprintf(why, why_size, "cannot copy %s into memory: %s", path,
			       strerror(error));
		if (to >= 0) {
			(void)close(to);
		}
		return -error;
	}
	return to;
}

static const struct stack_ops *open_table(void *handle)
{
	const struct stack_ops *(*open_stack)(uint32_t);
	void *symbol = dlsym(handle, "stack_open");
	if (!symbol) {
		return NULL;
	}
	memcpy(&open_stack, &symbol, sizeof(open_stack)); /* POSIX: both pointers look alike */
	const struct stack_ops *ops = open_stack(STACK_ABI);
	return ops && ops->size >= sizeof(*ops) ? ops : NULL;
}

int stacklib_load(struct stacklib *library, const char *path, char *why, size_t why_size)
{
	*library = (struct stacklib){ .fd = -1 };
	int fd = copy_file(path, why, why_size);
	if (fd < 0) {
		return fd;
	}
	char name[32];
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		const char *text = dlerror();
		(void)snprintf(why, why_size, "cannot load %s: %s", path,
			       text ? text : "unknown error");
		(void)close(fd);
		return -ELIBBAD;
	}
	const struct stack_ops *ops = open_table(handle);
	if (!ops) {
		(void)snprintf(why, why_size,
			       "%s is not the stack library of this version: build or install both "
			       "together",
			       path);
		(void)dlclose(handle);
		(void)close(fd);
		return -ELIBBAD;
	}
	*library = (struct stacklib){ .handle = handle, .fd = fd, .ops = ops };
	return 0;
}

#if defined(__SANITIZE_ADDRESS__)
#define KEEP_MAPPED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEP_MAPPED 1
#endif
#endif

void stacklib_unload(struct stacklib *library)
{
#ifndef KEEP_MAPPED /* a leak checker needs the code to name what leaked */
	if (library->handle) {
		(void)dlclose(library->handle);
		(void)close(library->fd);
	}
#endif
	*library = (struct stacklib){ .fd = -1 };
}
