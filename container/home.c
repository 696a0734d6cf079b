/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: each part of the home is made from its variable if that is set, and left alone if
 * it is not. An identity that is there is never replaced by another one: somebody has authorised
 * it. The one exception is what ZTNC_IDENTITY=ephemeral made itself, which the file
 * identity.ephemeral marks. */
#include "container/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ADDRESS_DIGITS = 10 };

char *home_path(const struct setup *setup, char out[INIT_PATH_BYTES], const char *name)
{
	(void)snprintf(out, INIT_PATH_BYTES, "%s/%s", setup->home, name);
	return out;
}

int home_put(const struct setup *setup, const char *name, const void *bytes, size_t length,
	     unsigned mode)
{
	char path[INIT_PATH_BYTES];
	int error = file_replace(home_path(setup, path, name), bytes, length, mode);
	return error == 0 ? 0
			  : failed("cannot write %s: %s. Mount a volume or a tmpfs there that uid "
				   "%u or gid %u may write to.",
				   path, strerror(-error), (unsigned)getuid(), (unsigned)getgid());
}

/* ---- identity ------------------------------------------------------------------------------- */

/* "address:0:public" is the beginning of "address:0:public:secret". */
static bool is_public_of(const char *public_text, const char *secret)
{
	size_t length = strlen(public_text);
	return strncmp(public_text, secret, length) == 0 && secret[length] == ':';
}

static int identity_given(const struct setup *setup)
{
	const char *secret = setup->values[VAR_IDENTITY_SECRET];
	const char *public_text = setup->values[VAR_IDENTITY_PUBLIC];
	char path[INIT_PATH_BYTES], *present = NULL;
	size_t length = 0;
	if (public_text && !is_public_of(public_text, secret)) {
		return failed("ZEROTIER_IDENTITY_PUBLIC is not the public half of "
			      "ZEROTIER_IDENTITY_SECRET. Leave it out: the secret is enough.");
	}
	int error = file_slurp(home_path(setup, path, "identity.secret"), &present, &length);
	if (error == 0) {
		present[strcspn(present, " \t\r\n")] = '\0';
		int result =
		    strcmp(present, secret) == 0
			? 0
			: failed("%s is the identity of %.*s, ZEROTIER_IDENTITY_SECRET that of "
				 "%.*s. Remove one of them.",
				 path, ADDRESS_DIGITS, present, ADDRESS_DIGITS, secret);
		explicit_bzero(present, length);
		free(present);
		return result;
	}
	if (error != -ENOENT) {
		return failed("cannot read %s: %s. It belongs to another user: keep the uid of the "
			      "first start, or use another volume.",
			      path, strerror(-error));
	}
	return home_put(setup, "identity.secret", secret, strlen(secret), 0600);
}

/* Forget what the last ephemeral start made; the service makes a new one. */
static int identity_ephemeral(const struct setup *setup)
{
	char path[INIT_PATH_BYTES], marker[INIT_PATH_BYTES];
	bool is_there = access(home_path(setup, path, "identity.secret"), F_OK) == 0;
	bool is_marked = access(home_path(setup, marker, "identity.ephemeral"), F_OK) == 0;
	if (is_there && !is_marked) {
		return failed("ZTNC_IDENTITY=ephemeral, but %s is a lasting identity. Use another "
			      "volume or a tmpfs, or remove it.",
			      path);
	}
	if (home_put(setup, "identity.ephemeral", "", 0, 0600) != 0) {
		return -1;
	}
	(void)unlink(path);
	(void)unlink(home_path(setup, path, "identity.public"));
	return 0;
}

static int identity_prepare(const struct setup *setup)
{
	const char *kind = setup->values[VAR_IDENTITY];
	if (kind && strcmp(kind, "ephemeral") != 0) {
		return failed("ZTNC_IDENTITY can only be \"ephemeral\", not \"%.40s\"", kind);
	}
	if (kind && setup->values[VAR_IDENTITY_SECRET]) {
		return failed("ZTNC_IDENTITY=ephemeral and ZEROTIER_IDENTITY_SECRET are both set. "
			      "Keep one.");
	}
	if (kind) {
		return identity_ephemeral(setup);
	}
	if (setup->values[VAR_IDENTITY_SECRET]) {
		return identity_given(setup);
	}
	if (setup->values[VAR_IDENTITY_PUBLIC]) {
		say("ZEROTIER_IDENTITY_PUBLIC without ZEROTIER_IDENTITY_SECRET is not applicable, "
		    "ignored");
	}
	return 0;
}

/* ---- the rest ------------------------------------------------------------------------------- */

static int planet_prepare(const struct setup *setup)
{
	const char *from = setup->values[VAR_PLANET];
	char *bytes = NULL;
	size_t length = 0;
	if (!from) {
		return 0;
	}
	int error = file_slurp(from, &bytes, &length);
	if (error != 0) {
		return failed("ZTNC_PLANET: cannot read %s: %s. Mount the planet file there.", from,
			      strerror(-error));
	}
	int result = home_put(setup, "planet", bytes, length, 0644);
	free(bytes);
	return result;
}

static int networks_prepare(const struct setup *setup)
{
	char path[INIT_PATH_BYTES], name[64];
	if (mkdir(home_path(setup, path, "networks.d"), 0775) != 0 && errno != EEXIST) {
		return failed("cannot create %s: %s. Mount a volume or a tmpfs on %s that uid %u "
			      "or gid %u may write to.",
			      path, strerror(errno), setup->home, (unsigned)getuid(),
			      (unsigned)getgid());
	}
	for (size_t i = 0; i < setup->network_count; i++) {
		(void)snprintf(name, sizeof name, "networks.d/%s.conf", setup->networks[i]);
		if (access(home_path(setup, path, name), F_OK) != 0 &&
		    home_put(setup, name, "\n", 1, 0600) != 0) {
			return -1;
		}
	}
	return 0;
}

static int token_prepare(const struct setup *setup)
{
	const char *token = setup->values[VAR_API_SECRET];
	return token ? home_put(setup, "authtoken.secret", token, strlen(token), 0600) : 0;
}

int home_prepare(const struct setup *setup)
{
	if (mkdir(setup->home, 0775) != 0 && errno != EEXIST) {
		return failed("cannot create %s: %s. Mount a volume there.", setup->home,
			      strerror(errno));
	}
	if (networks_prepare(setup) != 0 || identity_prepare(setup) != 0 ||
	    token_prepare(setup) != 0 || planet_prepare(setup) != 0 || root_prepare(setup) != 0) {
		return -1;
	}
	return localconf_prepare(setup);
}
