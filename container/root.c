/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: ZTNC_ROOT=ADDRESS/PORT makes this node the root of a planet of its own. The
 * planet is made by zerotier-idtool, signed with planet.key, which is made at the first time. The
 * file planet.root says for which endpoints: while they stay, the planet is left alone; when they
 * change, a newer edition is made, of the same world and signed by the same key, so that members
 * take it over as an update.
 */
#include "container/container.h"

#include <arpa/inet.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	WORLD_ID_AT = 1, /* in a planet file, after its type */
	WORLD_ID_BYTES = 8,
	WORLD_ID_CHARS = 2 * WORLD_ID_BYTES + 1,
};

extern char **environ;

/* Run it and wait. 0, or -1 after a sentence (of its own, if it ran). */
static int run(char *const *argv)
{
	pid_t pid = 0;
	int how = 0;
	int error = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (error != 0) {
		return failed("cannot start %s: %s", argv[0], strerror(error));
	}
	while (waitpid(pid, &how, 0) < 0) {
		if (errno != EINTR) {
			return failed("cannot wait for %s: %s", argv[0], strerror(errno));
		}
	}
	return WIFEXITED(how) && WEXITSTATUS(how) == 0
		   ? 0
		   : failed("%s %s did not succeed; what it said stands above", argv[0], argv[1]);
}

/* ADDRESS/PORT[,ADDRESS/PORT...], of numbers only: the planet file knows no names. */
static bool are_endpoints(const char *text)
{
	char *list = strdup(text), *rest = NULL;
	bool is_good = list != NULL && text[strspn(text, ",")] != '\0';
	for (char *word = list ? strtok_r(list, ",", &rest) : NULL; word && is_good;
	     word = strtok_r(NULL, ",", &rest)) {
		unsigned char bytes[16];
		char *port = strchr(word, '/'), *end = NULL;
		long number = port ? strtol(port + 1, &end, 10) : 0;
		if (port) {
			*port = '\0';
		}
		is_good =
		    port && end != port + 1 && *end == '\0' && number > 0 && number <= UINT16_MAX &&
		    (inet_pton(AF_INET, word, bytes) == 1 || inet_pton(AF_INET6, word, bytes) == 1);
	}
	free(list);
	return is_good;
}

/* identity.public, from identity.secret or made with it. */
static int public_prepare(const struct setup *setup)
{
	char secret[INIT_PATH_BYTES], public_path[INIT_PATH_BYTES], *text = NULL;
	size_t length = 0;
	home_path(setup, secret, "identity.secret");
	home_path(setup, public_path, "identity.public");
	int error = file_slurp(secret, &text, &length);
	if (error == -ENOENT) {
		char idtool[] = "zerotier-idtool", generate[] = "generate";
		char *argv[] = { idtool, generate, secret, public_path, NULL };
		return run(argv);
	}
	if (error != 0) {
		return failed("cannot read %s: %s", secret, strerror(-error));
	}
	/* "address:0:public:secret" */
	char *cut = text;
	for (int colons = 0; *cut != '\0'; cut++) {
		colons += *cut == ':';
		if (colons == 3) {
			break;
		}
	}
	int result = home_put(setup, "identity.public", text, (size_t)(cut - text), 0644);
	explicit_bzero(text, length);
	free(text);
	return result;
}

/* The id of the planet that is there; "" if there is none. */
static void world_id(const char *planet, char out[WORLD_ID_CHARS])
{
	char *bytes = NULL;
	size_t length = 0;
	out[0] = '\0';
	if (file_slurp(planet, &bytes, &length) != 0) {
		return;
	}
	for (size_t i = 0; i < WORLD_ID_BYTES && length >= WORLD_ID_AT + WORLD_ID_BYTES; i++) {
		(void)snprintf(out + 2 * i, 3, "%02x", (unsigned char)bytes[WORLD_ID_AT + i]);
	}
	free(bytes);
}

/* Is the planet that is there the one for these endpoints? */
static bool is_made(const struct setup *setup, const char *endpoints)
{
	char path[INIT_PATH_BYTES], *text = NULL;
	size_t length = 0;
	if (access(home_path(setup, path, "planet"), F_OK) != 0 ||
	    file_slurp(home_path(setup, path, "planet.root"), &text, &length) != 0) {
		return false;
	}
	bool is_same = strcmp(text, endpoints) == 0;
	free(text);
	return is_same;
}

int root_prepare(const struct setup *setup)
{
	char *endpoints = setup->values[VAR_ROOT];
	char key[INIT_PATH_BYTES], planet[INIT_PATH_BYTES], public_path[INIT_PATH_BYTES];
	char root[INIT_PATH_BYTES + INIT_VALUE_BYTES], id[WORLD_ID_CHARS];
	if (!endpoints) {
		return 0;
	}
	if (setup->values[VAR_PLANET] || setup->values[VAR_IDENTITY]) {
		return failed("ZTNC_ROOT makes a planet for a lasting identity: leave out %s.",
			      setup->values[VAR_PLANET] ? "ZTNC_PLANET" : "ZTNC_IDENTITY");
	}
	if (!are_endpoints(endpoints)) {
		return failed("ZTNC_ROOT must be ADDRESS/PORT, such as 203.0.113.7/9993, several "
			      "with commas between, not \"%.80s\". Names are not possible: a "
			      "planet file holds none.",
			      endpoints);
	}
	if (is_made(setup, endpoints)) {
		return 0;
	}
	if (public_prepare(setup) != 0) {
		return -1;
	}
	home_path(setup, public_path, "identity.public");
	home_path(setup, key, "planet.key");
	world_id(home_path(setup, planet, "planet"), id);
	(void)snprintf(root, sizeof root, "%s=%s", public_path, endpoints);
	char idtool[] = "zerotier-idtool", mkplanet[] = "mkplanet", key_option[] = "--key";
	char out_option[] = "--out", id_option[] = "--id";
	char *fresh[] = { idtool, mkplanet, key_option, key, out_option, planet, root, NULL };
	char *newer[] = { idtool, mkplanet,  key_option, key,  out_option,
			  planet, id_option, id,         root, NULL };
	if (run(id[0] != '\0' ? newer : fresh) != 0) {
		return -1;
	}
	return home_put(setup, "planet.root", endpoints, strlen(endpoints), 0644);
}
