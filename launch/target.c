/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Can a preloaded library reach this program?
 *
 * The loader says nothing when it ignores LD_PRELOAD, and the program would use the host's network:
 * for this product that is the worst that can happen. So it is found out before: programs without
 * a loader (static), programs that gain rights when they start (set-user-ID, set-group-ID, file
 * capabilities: the kernel sets AT_SECURE), programs of another machine or another libc. Each
 * refusal names another way.
 */
#include "launch/launch.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
	HEAD_BYTES = 4096, /* headers and #! line */
	SCRIPTS_MAX = 4,   /* #! lines that name scripts; the kernel's own limit */
	CAPABILITIES_BYTES = 64,
};

/* ---- where ----------------------------------------------------------------------------------- */

/* 0, ENOENT or EACCES: is this a file that can be executed? */
static int executable(const char *path)
{
	struct stat file;
	if (stat(path, &file) != 0) {
		return errno == ENOTDIR ? ENOENT : errno;
	}
	return S_ISREG(file.st_mode) && access(path, X_OK) == 0 ? 0 : EACCES;
}

static int not_runnable(const char *name, const char *path, int error)
{
	struct stat file;
	if (error == ENOENT) {
		launch_complain("%s: no such program%s", name, strchr(name, '/') ? "" : " in PATH");
		return LAUNCH_MISSING;
	}
	if (stat(path, &file) == 0 && S_ISDIR(file.st_mode)) {
		launch_complain("%s is a directory", path);
	} else {
		launch_complain("%s: %s; is it executable? (chmod +x)", path, strerror(error));
	}
	return LAUNCH_CANNOT;
}

int target_find(const char *name, char out[LAUNCH_PATH_BYTES])
{
	const char *list = getenv("PATH");
	int found = ENOENT;
	char first[LAUNCH_PATH_BYTES] = "";
	if (strchr(name, '/') || !*name) {
		(void)snprintf(out, LAUNCH_PATH_BYTES, "%s", name);
		int error = *name ? executable(out) : ENOENT;
		return error ? not_runnable(name, out, error) : 0;
	}
	for (const char *p = list ? list : "/bin:/usr/bin"; p;) {
		size_t n = strcspn(p, ":");
		int length = snprintf(out, LAUNCH_PATH_BYTES, "%.*s%s%s", (int)n, p,
				      n > 0 ? "/" : "./", name);
		int error = length > 0 && length < LAUNCH_PATH_BYTES ? executable(out) : ENOENT;
		if (error == 0) {
			return 0;
		}
		if (error != ENOENT && found == ENOENT) { /* as execvp: go on, remember */
			found = error;
			memcpy(first, out, sizeof(first));
		}
		p = p[n] ? p + n + 1 : NULL;
	}
	return not_runnable(name, first, found);
}

/* ---- what ------------------------------------------------------------------------------------ */

struct head {
	unsigned char bytes[HEAD_BYTES + 1];
	size_t length;
};

static int head_read(const char *path, struct head *head)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, head->bytes, HEAD_BYTES);
	int error = errno;
	if (fd >= 0) {
		(void)close(fd);
	}
	head->length = n > 0 ? (size_t)n : 0;
	head->bytes[head->length] = '\0';
	return n < 0 ? error : 0;
}

static bool is_elf(const struct head *head)
{
	return head->length >= sizeof(Elf32_Ehdr) && memcmp(head->bytes, ELFMAG, SELFMAG) == 0;
}

/* e_machine lies at the same place in both classes. */
static bool is_same_machine(const struct head *a, const struct head *b)
{
	return a->bytes[EI_CLASS] == b->bytes[EI_CLASS] && a->bytes[EI_DATA] == b->bytes[EI_DATA] &&
	       memcmp(a->bytes + offsetof(Elf64_Ehdr, e_machine),
		      b->bytes + offsetof(Elf64_Ehdr, e_machine), sizeof(Elf64_Half)) == 0;
}

/* The loader that an ELF file of our own class asks for. False if none. */
static bool loader_of(const char *path, const struct head *head, char out[LAUNCH_PATH_BYTES])
{
	Elf64_Ehdr e;
	memcpy(&e, head->bytes, sizeof(e));
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool has_loader = false;
	for (unsigned i = 0; fd >= 0 && i < e.e_phnum && !has_loader; i++) {
		Elf64_Phdr p;
		off_t at = (off_t)(e.e_phoff + (uint64_t)i * e.e_phentsize);
		if (pread(fd, &p, sizeof(p), at) != (ssize_t)sizeof(p) || p.p_type != PT_INTERP ||
		    p.p_filesz == 0 || p.p_filesz >= LAUNCH_PATH_BYTES) {
			continue;
		}
		has_loader = pread(fd, out, p.p_filesz, (off_t)p.p_offset) == (ssize_t)p.p_filesz;
		out[p.p_filesz] = '\0';
	}
	if (fd >= 0) {
		(void)close(fd);
	}
	return has_loader;
}

/* Why the kernel would give this file more rights than we have; NULL = it would not. */
static const char *gains_rights(const char *path)
{
	struct stat file;
	char capabilities[CAPABILITIES_BYTES];
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 || stat(path, &file) != 0) {
		return NULL; /* the bits mean nothing then */
	}
	if ((file.st_mode & S_ISUID) && file.st_uid != getuid()) {
		return "set-user-ID";
	}
	if ((file.st_mode & S_ISGID) && (file.st_mode & S_IXGRP) && file.st_gid != getgid()) {
		return "set-group-ID";
	}
	if (getuid() != 0 &&
	    getxattr(path, "security.capability", capabilities, sizeof(capabilities)) > 0) {
		return "privileged by file capabilities";
	}
	return NULL;
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static int refuse_rights(const char *path, const char *kind)
{
	launch_complain(
	    "%s is %s: the loader ignores LD_PRELOAD for it, and it would use the host's "
	    "network. Run it as a user who gains nothing by it (root), run a copy of it "
	    "without that right (cp drops it), or without the right: setpriv --no-new-privs "
	    "zerotier-intercept ...",
	    path, kind);
	return LAUNCH_CANNOT;
}

static int refuse_static(const char *path)
{
	launch_complain(
	    "%s is statically linked: no library can be loaded into it, and it would use the "
	    "host's network. Use a dynamically linked build of it, or let a program that can be "
	    "intercepted carry its traffic: zerotier-intercept socat "
	    "TCP-LISTEN:80,fork UNIX-CONNECT:/its/socket",
	    path);
	return LAUNCH_CANNOT;
}

/* A program for musl needs a library that is built against musl. */
static int musl_check(const char *path, char library[LAUNCH_PATH_BYTES])
{
	char other[LAUNCH_PATH_BYTES];
	size_t stem = strlen(library);
	stem -= stem > 3 && strcmp(library + stem - 3, ".so") == 0 ? 3 : 0;
	int n = snprintf(other, sizeof(other), "%.*s-musl.so", (int)stem, library);
	if (n > 0 && n < LAUNCH_PATH_BYTES && access(other, R_OK) == 0) {
		memcpy(library, other, (size_t)n + 1);
		return 0;
	}
	launch_complain("%s is linked against musl, the library against glibc; build the one for "
			"musl (make musl) and put it at %s",
			path, other);
	return LAUNCH_CANNOT;
}

static int elf_check(const char *path, const struct head *head, char library[LAUNCH_PATH_BYTES])
{
	struct head own;
	char loader[LAUNCH_PATH_BYTES];
	const char *kind = gains_rights(path);
	if (kind) {
		return refuse_rights(path, kind);
	}
	if (head_read(library, &own) != 0 || !is_elf(&own)) {
		launch_complain("%s is no shared library", library);
		return LAUNCH_OURS;
	}
	if (!is_same_machine(head, &own)) {
		launch_complain("%s is a program for another machine (%s-bit, type %u) than %s; "
				"name a library that is built for it with --library",
				path, head->bytes[EI_CLASS] == ELFCLASS32 ? "32" : "64",
				(unsigned)(head->bytes[offsetof(Elf64_Ehdr, e_machine)] |
					   head->bytes[offsetof(Elf64_Ehdr, e_machine) + 1] << 8),
				library);
		return LAUNCH_CANNOT;
	}
	if (!loader_of(path, head, loader)) {
		return refuse_static(path);
	}
	return strstr(loader, "/ld-musl-") ? musl_check(path, library) : 0;
}

/* The program that a #! line names. */
static bool interpreter_of(const struct head *head, char out[LAUNCH_PATH_BYTES])
{
	const char *text = (const char *)head->bytes;
	if (head->length < 3 || text[0] != '#' || text[1] != '!') {
		return false;
	}
	text += 2 + strspn(text + 2, " \t");
	size_t n = strcspn(text, " \t\r\n");
	(void)snprintf(out, LAUNCH_PATH_BYTES, "%.*s", (int)n, text);
	return n > 0;
}

int target_check(const char *path, char library[LAUNCH_PATH_BYTES])
{
	char at[LAUNCH_PATH_BYTES], next[LAUNCH_PATH_BYTES];
	struct head head;
	(void)snprintf(at, sizeof(at), "%s", path);
	for (int depth = 0; depth <= SCRIPTS_MAX; depth++) {
		int error = head_read(at, &head);
		if (error == EACCES) {
			const char *kind = gains_rights(at);
			return kind ? refuse_rights(at, kind)
				    : 0; /* executable, not readable: exec will tell */
		}
		if (error) {
			launch_complain("%s: %s", at, strerror(error));
			return error == ENOENT ? LAUNCH_MISSING : LAUNCH_CANNOT;
		}
		if (is_elf(&head)) {
			return elf_check(at, &head, library);
		}
		if (!interpreter_of(&head, next)) {
			(void)snprintf(next, sizeof(next), "/bin/sh"); /* as execvp() does */
		}
		if (executable(next) != 0) {
			launch_complain("%s: its interpreter %s is not there or not executable; "
					"correct its first line",
					at, next);
			return LAUNCH_CANNOT;
		}
		memcpy(at, next, sizeof(at));
	}
	launch_complain("%s: scripts that are interpreted by scripts, without end", path);
	return LAUNCH_CANNOT;
}
