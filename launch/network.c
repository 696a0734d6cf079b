/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Which network: HOME/nc/<nwid>/sock is there for each that is joined (decision S3), and whoever
 * may use one may ask it for its name.
 */
#include "launch/launch.h"

#include "rpc/rpc.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { NWID_DIGITS = 16, NETWORKS_MAX = 64, ANSWER_S = 2 };

struct list {
	char ids[NETWORKS_MAX][NWID_DIGITS + 1];
	size_t count;
};

static bool is_nwid(const char *text)
{
	return strlen(text) == NWID_DIGITS && strspn(text, "0123456789abcdefABCDEF") == NWID_DIGITS;
}

static bool socket_path(const char *home, const char *nwid, char out[LAUNCH_PATH_BYTES])
{
	int n = snprintf(out, LAUNCH_PATH_BYTES, "%s/nc/%s/sock", home, nwid);
	struct stat file;
	return n > 0 && n < LAUNCH_PATH_BYTES && stat(out, &file) == 0 && S_ISSOCK(file.st_mode);
}

/* 0 or an errno. */
static int joined(const char *home, struct list *list)
{
	char path[LAUNCH_PATH_BYTES];
	const struct dirent *entry;
	int n = snprintf(path, sizeof(path), "%s/nc", home);
	DIR *folder = n > 0 && (size_t)n < sizeof(path) ? opendir(path) : NULL;
	if (!folder) {
		return errno;
	}
	while ((entry = readdir(folder)) && list->count < NETWORKS_MAX) {
		if (is_nwid(entry->d_name) && socket_path(home, entry->d_name, path)) {
			memcpy(list->ids[list->count++], entry->d_name, NWID_DIGITS + 1);
		}
	}
	(void)closedir(folder);
	return 0;
}

/* The network's name, from its service. False if nobody answers there, or not to us. */
static bool name_ask(const char *path, char out[RPC_NETWORK_NAME_BYTES])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = ANSWER_S };
	struct rpc_hello hello = { .h = { .length = sizeof(hello), .op = RPC_HELLO },
				   .magic = RPC_MAGIC,
				   .version_min = RPC_VERSION,
				   .version_max = RPC_VERSION,
				   .pid = (uint32_t)getpid() };
	union {
		struct rpc_welcome welcome;
		uint8_t bytes[RPC_MAX_BYTES];
	} in;
	memset(&in, 0, sizeof(in));
	if (strlen(path) >= sizeof(address.sun_path)) {
		return false;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return false;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	bool is_ok =
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    rpc_send(fd, &hello, sizeof(hello), NULL, 0, 0) == 0 &&
	    rpc_recv(fd, &in, sizeof(in), NULL, NULL, 0) >= (long)sizeof(struct rpc_welcome) &&
	    in.welcome.h.error == 0;
	(void)close(fd);
	memcpy(out, in.welcome.name, RPC_NETWORK_NAME_BYTES);
	out[RPC_NETWORK_NAME_BYTES - 1] = '\0';
	return is_ok;
}

static int print_choices(const char *home, const struct list *list)
{
	char path[LAUNCH_PATH_BYTES], name[RPC_NETWORK_NAME_BYTES];
	for (size_t i = 0; i < list->count; i++) {
		bool has_name = socket_path(home, list->ids[i], path) && name_ask(path, name);
		(void)fprintf(stderr, "  %s  %s\n", list->ids[i], has_name ? name : "");
	}
	return LAUNCH_OURS;
}

static int none_joined(const char *home, int error)
{
	if (error != 0 && error != ENOENT) {
		launch_complain("%s/nc: %s; run it as a user who may use the service, or name "
				"another home with -D",
				home, strerror(error));
	} else {
		launch_complain("no network is joined by a service with the home %s; start "
				"zerotier-netcon-service, join one with zerotier-cli -D%s join "
				"<network ID>, or name another home with -D",
				home, home);
	}
	return LAUNCH_OURS;
}

static int by_id(const char *home, const char *wanted, const struct list *list,
		 char out[LAUNCH_PATH_BYTES])
{
	char nwid[NWID_DIGITS + 1];
	for (size_t i = 0; i <= NWID_DIGITS; i++) {
		nwid[i] =
		    (char)(wanted[i] >= 'A' && wanted[i] <= 'F' ? wanted[i] | 0x20 : wanted[i]);
	}
	if (socket_path(home, nwid, out)) {
		return 0;
	}
	launch_complain("network %s is not joined; join it with: zerotier-cli -D%s join %s. "
			"Joined are:",
			nwid, home, nwid);
	return print_choices(home, list);
}

static int by_name(const char *home, const char *wanted, const struct list *list,
		   char out[LAUNCH_PATH_BYTES])
{
	char path[LAUNCH_PATH_BYTES], name[RPC_NETWORK_NAME_BYTES];
	size_t found = 0;
	for (size_t i = 0; i < list->count; i++) {
		if (socket_path(home, list->ids[i], path) && name_ask(path, name) &&
		    strcmp(name, wanted) == 0) {
			memcpy(out, path, LAUNCH_PATH_BYTES);
			found++;
		}
	}
	if (found == 1) {
		return 0;
	}
	launch_complain(found > 1 ? "more than one network is named %s: name it by its id:"
				  : "no joined network is named %s. Joined are:",
			wanted);
	return print_choices(home, list);
}

/* A path as ZT_NC_NETWORK takes it: the socket, a link to it, or its directory. */
static int by_path(const char *wanted, char out[LAUNCH_PATH_BYTES])
{
	char *full = realpath(wanted, NULL);
	if (!full || strlen(full) >= LAUNCH_PATH_BYTES) {
		launch_complain("%s: %s; it is the path of a network's socket (HOME/nc_<nwid>) or "
				"of its directory",
				wanted, strerror(errno));
		free(full);
		return LAUNCH_OURS;
	}
	memcpy(out, full, strlen(full) + 1);
	free(full);
	return 0;
}

int network_find(const char *home, const char *wanted, char out[LAUNCH_PATH_BYTES])
{
	struct list list = { .count = 0 };
	char full[LAUNCH_PATH_BYTES];
	if (wanted && strchr(wanted, '/')) {
		return by_path(wanted, out);
	}
	if (realpath(home, full)) {
		home = full;
	}
	int error = joined(home, &list);
	if (error != 0 || list.count == 0) {
		return none_joined(home, error);
	}
	if (wanted && is_nwid(wanted)) {
		return by_id(home, wanted, &list, out);
	}
	if (wanted) {
		return by_name(home, wanted, &list, out);
	}
	if (list.count > 1) {
		launch_complain("several networks are joined; choose one with -n:");
		return print_choices(home, &list);
	}
	return socket_path(home, list.ids[0], out) ? 0 : none_joined(home, ENOENT);
}
