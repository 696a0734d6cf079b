/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: the lock is flock() on zerotier-one.lock, which also holds our pid for the
 * message that a second service prints. It is kept by the kernel, so a crash leaves no stale lock;
 * the file itself stays, because removing it would let two services lock two different files.
 */
#include "service/home.h"

#include "base/rd.h"
#include "service/file.h"
#include "service/log.h"
#include "service/service.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SECRET_MAX_BYTES = 1024,
	PLANET_MAX_BYTES = 64 * 1024,
	GENERATE_TRIES = 8, /* identity_generate fails for want of memory or luck with keys only */
};

__attribute__((format(printf, 2, 3))) static int fail(char *error, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(error, HOME_ERROR_BYTES, format, arguments);
	va_end(arguments);
	return -1;
}

char *home_path(const struct service *service, char out[HOME_PATH_BYTES], const char *format, ...)
{
	int n = snprintf(out, HOME_PATH_BYTES, "%s/", service->home);
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(out + n, HOME_PATH_BYTES - (size_t)n, format, arguments);
	va_end(arguments);
	return out;
}

/* ---- the directory -------------------------------------------------------------------------- */

static int home_create(struct service *service, const char *path, char *error)
{
	int failure = file_mkdirs(path, 0755);
	if (failure != 0) {
		return fail(error,
			    "cannot create the home directory %s: %s. Name a directory that this "
			    "user may write to as the last argument or in ZEROTIER_HOME.",
			    path, strerror(-failure));
	}
	char absolute[PATH_MAX];
	if (!realpath(path, absolute) || strlen(absolute) >= sizeof service->home) {
		return fail(error, "the home directory's path %s is too long. Use a shorter one.",
			    path);
	}
	memcpy(service->home, absolute, strlen(absolute) + 1);
	struct stat st;
	if (stat(absolute, &st) != 0 || access(absolute, R_OK | W_OK | X_OK) != 0) {
		return fail(error,
			    "cannot write to the home directory %s: %s. Run as its owner (uid %u), "
			    "or name another directory as the last argument.",
			    absolute, strerror(errno), (unsigned)st.st_uid);
	}
	service->home_gid = st.st_gid;
	static const struct {
		const char *name;
		mode_t mode;
	} folders[] = {
		{ "networks.d", 0755 }, { "peers.d", 0700 }, { "moons.d", 0755 }, { "nc", 0755 }
	};
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		char folder[HOME_PATH_BYTES];
		failure =
		    file_mkdirs(home_path(service, folder, "%s", folders[i].name), folders[i].mode);
		if (failure != 0) {
			return fail(error,
				    "cannot create %s: %s. Check the disk and the directory.",
				    folder, strerror(-failure));
		}
	}
	return 0;
}

/* Who has the home, for the sentence that a second service prints. */
static void lock_note(const struct service *service, pid_t pid)
{
	char text[16];
	int length = snprintf(text, sizeof text, "%ld", (long)pid);
	if (ftruncate(service->lock_fd, 0) != 0 ||
	    pwrite(service->lock_fd, text, (size_t)length, 0) != length) {
		log_warn_errno("home", "cannot note the service's pid in zerotier-one.lock");
	}
}

static int home_lock(struct service *service, char *error)
{
	char path[HOME_PATH_BYTES], pid[16] = "";
	(void)home_path(service, path, "zerotier-one.lock");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return fail(error, "cannot open %s: %s. Check its owner and mode.", path,
			    strerror(errno));
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		ssize_t n = read(fd, pid, sizeof pid - 1);
		(void)n;
		(void)close(fd);
		return fail(
		    error,
		    "another service is running on %s (pid %s). Stop it, or give this one a "
		    "home directory of its own.",
		    service->home, pid[0] != '\0' ? pid : "unknown");
	}
	service->lock_fd = fd;
	lock_note(service, getpid());
	return 0;
}

int home_open(struct service *service, const char *path, bool is_successor,
	      char error[HOME_ERROR_BYTES])
{
	if (home_create(service, path, error) != 0) {
		return -1;
	}
	return is_successor ? 0 : home_lock(service, error); /* else it comes with the rest */
}

void home_close(struct service *service)
{
	if (service->lock_fd < 0) {
		return;
	}
	char path[HOME_PATH_BYTES];
	(void)unlink(home_path(service, path, "zerotier-one.pid"));
	(void)close(service->lock_fd);
	service->lock_fd = -1;
}

static int text_save(const struct service *service, const char *name, const char *text, mode_t mode,
		     char *error)
{
	char path[HOME_PATH_BYTES];
	int failure = file_write(home_path(service, path, "%s", name), text, strlen(text), mode);
	return failure == 0 ? 0
			    : fail(error, "cannot write %s: %s. Make room or check the directory.",
				   path, strerror(-failure));
}

/* ---- identity ------------------------------------------------------------------------------- */

static void random_bytes(void *context, void *out, size_t length)
{
	(void)context;
	randombytes_buf(out, length);
}

static int identity_make(const struct service *service, struct identity *out, char *error)
{
	char path[HOME_PATH_BYTES];
	if (access(home_path(service, path, "identity.public"), F_OK) == 0) {
		return fail(error,
			    "%s is there, but identity.secret is missing. Restore identity.secret, "
			    "or remove identity.public to begin with a new identity.",
			    path);
	}
	int result = -1;
	for (int i = 0; result != 0 && i < GENERATE_TRIES; i++) {
		result = identity_generate(out, random_bytes, NULL);
	}
	if (result != 0) {
		return fail(error, "cannot generate an identity: out of memory. Free some memory.");
	}
	char text[IDENTITY_TEXT_MAX];
	result = text_save(service, "identity.secret", identity_text(out, true, text), 0600, error);
	sodium_memzero(text, sizeof text);
	if (result == 0) {
		log_info("home", "new identity address=%010llx", (unsigned long long)out->address);
	}
	return result;
}

static int identity_load(const char *path, char *text, struct identity *out, char *error)
{
	int result = identity_parse(text, out);
	if (result == 0 && (!out->has_secret || identity_validate(out) != 0)) {
		result = -1;
	}
	if (result != 0) {
		identity_wipe(out);
		return fail(error,
			    "%s is not a valid secret identity. Restore it from a backup, or move "
			    "identity.secret and identity.public away to begin with a new address.",
			    path);
	}
	struct stat st;
	if (stat(path, &st) == 0 && (st.st_mode & 077) != 0) {
		log_warn("home", "others may read our secret key; run chmod 600 file=%s", path);
	}
	return 0;
}

int home_identity(const struct service *service, struct identity *out, char error[HOME_ERROR_BYTES])
{
	char path[HOME_PATH_BYTES], *text = NULL;
	size_t length = 0;
	int failure = file_read(home_path(service, path, "identity.secret"), SECRET_MAX_BYTES,
				&text, &length);
	int result;
	if (failure == -ENOENT) {
		result = identity_make(service, out, error);
	} else if (failure != 0) {
		result = fail(error, "cannot read %s: %s. Check its owner and mode.", path,
			      strerror(-failure));
	} else {
		result = identity_load(path, text, out, error);
		sodium_memzero(text, length);
		free(text);
	}
	if (result != 0) {
		return result;
	}
	char public_text[IDENTITY_TEXT_MAX];
	if (access(home_path(service, path, "identity.public"), F_OK) == 0) {
		return 0;
	}
	return text_save(service, "identity.public", identity_text(out, false, public_text), 0644,
			 error);
}

/* ---- token ---------------------------------------------------------------------------------- */

static int token_make(const struct service *service, const char *name, char token[HOME_TOKEN_BYTES],
		      char *error)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	for (size_t i = 0; i < HOME_TOKEN_DIGITS; i++) {
		token[i] = letters[randombytes_uniform(sizeof letters - 1)];
	}
	token[HOME_TOKEN_DIGITS] = '\0';
	return text_save(service, name, token, 0600, error);
}

static int token_load(const struct service *service, const char *name, char token[HOME_TOKEN_BYTES],
		      char *error)
{
	char path[HOME_PATH_BYTES], *text = NULL;
	size_t length = 0;
	int failure =
	    file_read(home_path(service, path, "%s", name), SECRET_MAX_BYTES, &text, &length);
	if (failure == -ENOENT) {
		return token_make(service, name, token, error);
	}
	if (failure != 0) {
		return fail(error, "cannot read %s: %s. Check its owner and mode.", path,
			    strerror(-failure));
	}
	char *start = text + strspn(text, " \t\r\n");
	start[strcspn(start, " \t\r\n")] = '\0';
	size_t digits = strlen(start);
	int result = 0;
	if (digits == 0 || digits >= HOME_TOKEN_BYTES) {
		result = fail(error,
			      "%s does not hold one word of at most %d characters. Correct it, or "
			      "remove it to have a new one made.",
			      path, HOME_TOKEN_BYTES - 1);
	} else {
		memcpy(token, start, digits + 1);
	}
	sodium_memzero(text, length);
	free(text);
	return result;
}

int home_token(struct service *service, char error[HOME_ERROR_BYTES])
{
	_Static_assert(sizeof service->token == HOME_TOKEN_BYTES &&
			   sizeof service->metrics_token == HOME_TOKEN_BYTES,
		       "room for a token");
	int result = token_load(service, "authtoken.secret", service->token, error);
	return result == 0
		   ? token_load(service, "metricstoken.secret", service->metrics_token, error)
		   : result;
}

/* ---- planet --------------------------------------------------------------------------------- */

static int planet_read(const void *bytes, size_t length, struct world *out)
{
	struct rd r = rd_init(bytes, length);
	int result = world_read(&r, out);
	return result == 0 && rd_done(&r) && out->type == WORLD_TYPE_PLANET ? 0 : -1;
}

int home_planet(const struct service *service, char **bytes, size_t *length,
		char error[HOME_ERROR_BYTES])
{
	char path[HOME_PATH_BYTES];
	*bytes = NULL;
	*length = 0;
	int failure =
	    file_read(home_path(service, path, "planet"), PLANET_MAX_BYTES, bytes, length);
	if (failure == -ENOENT) {
		log_warn("home",
			 "no planet file, so no root servers: make one with `zerotier-idtool "
			 "mkplanet`, or copy that of your network, then restart file=%s",
			 path);
		return 0;
	}
	if (failure != 0) {
		return fail(error, "cannot read %s: %s. Check its owner and mode.", path,
			    strerror(-failure));
	}
	struct world *world = malloc(sizeof *world);
	int result = world ? planet_read(*bytes, *length, world) : -1;
	free(world);
	if (result != 0) {
		free(*bytes);
		*bytes = NULL;
		return fail(error,
			    "%s is not a planet file. Copy it again (it is binary), make one with "
			    "`zerotier-idtool mkplanet`, or remove it to run without root servers.",
			    path);
	}
	return 0;
}

bool home_planet_is_loopback(const void *bytes, size_t length)
{
	struct world *world = malloc(sizeof *world);
	bool is_loopback = false;
	if (world && bytes && planet_read(bytes, length, world) == 0) {
		for (size_t i = 0; i < world->root_count; i++) {
			const struct world_root *root = &world->roots[i];
			for (size_t j = 0; j < root->endpoint_count; j++) {
				is_loopback |=
				    endpoint_scope(&root->endpoints[j]) == SCOPE_LOOPBACK;
			}
		}
	}
	free(world);
	return is_loopback;
}

static int pid_save(const struct service *service, pid_t pid, char *error)
{
	char text[16];
	(void)snprintf(text, sizeof text, "%ld", (long)pid);
	return text_save(service, "zerotier-one.pid", text, 0644, error);
}

int home_announce(const struct service *service, char error[HOME_ERROR_BYTES])
{
	char text[16];
	(void)snprintf(text, sizeof text, "%u", service->settings.primary_port);
	if (text_save(service, "zerotier-one.port", text, 0644, error) != 0) {
		return -1;
	}
	return pid_save(service, getpid(), error);
}

void home_successor(const struct service *service, pid_t pid)
{
	char error[HOME_ERROR_BYTES];
	lock_note(service, pid);
	if (pid_save(service, pid, error) != 0) {
		log_err("home", "%s", error);
	}
}
