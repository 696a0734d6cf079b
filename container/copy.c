/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* copy: the only program of the library's image. `copy [DIRECTORY]` (default /library) puts
 * libzerotierintercept.so, which lies beside it, there, for containers that mount the same
 * directory. Written beside and renamed: a program that starts meanwhile loads the old file or the
 * new one, and one that runs keeps the old one. Linked statically, for an image without a C
 * library.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, CHUNK_BYTES = 64 * 1024 };

#ifndef COPY_FROM
#define COPY_FROM "/libzerotierintercept.so"
#endif
#define LIBRARY "libzerotierintercept.so"

static int unwritable(const char *path)
{
	(void)fprintf(stderr,
		      "copy: cannot write %s: %s. Mount a volume there that uid %u or gid %u may "
		      "write to.\n",
		      path, strerror(errno), (unsigned)getuid(), (unsigned)getgid());
	return -1;
}

/* 0, or -1 with errno. */
static int pour(int from, int to)
{
	static char chunk[CHUNK_BYTES];
	for (;;) {
		ssize_t have = read(from, chunk, sizeof chunk);
		if (have <= 0) {
			return have < 0 ? -1 : 0;
		}
		for (ssize_t done = 0; done < have;) {
			ssize_t n = write(to, chunk + done, (size_t)(have - done));
			if (n < 0) {
				return -1;
			}
			done += n;
		}
	}
}

static int copy(const char *from, const char *path, const char *beside)
{
	int in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0) {
		(void)fprintf(stderr,
			      "copy: cannot read %s: %s. Use the image that was built with it.\n",
			      from, strerror(errno));
		return -1;
	}
	int out = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	int result = out < 0 || pour(in, out) != 0 || fchmod(out, 0644) != 0 || fsync(out) != 0
			 ? unwritable(beside)
			 : 0;
	(void)close(in);
	if (out >= 0) {
		(void)close(out);
	}
	if (result == 0 && rename(beside, path) != 0) {
		result = unwritable(path);
	}
	if (result != 0) {
		(void)unlink(beside);
	}
	return result;
}

int main(int argc, char **argv)
{
	const char *directory = argc > 1 ? argv[1] : "/library";
	char path[PATH_BYTES], beside[PATH_BYTES + 8];
	if (argc > 2 || directory[0] == '-' || strlen(directory) + sizeof LIBRARY >= PATH_BYTES) {
		(void)fputs("usage: copy [DIRECTORY]\nCopies " LIBRARY
			    " into DIRECTORY, default /library.\n",
			    stderr);
		return 2;
	}
	(void)snprintf(path, sizeof path, "%s/" LIBRARY, directory);
	(void)snprintf(beside, sizeof beside, "%s.new", path);
	if (copy(COPY_FROM, path, beside) != 0) {
		return 1;
	}
	(void)printf("copied: %s\n", path);
	return 0;
}
