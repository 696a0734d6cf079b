/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* dump: what a support request needs, in zerotier_dump.txt of the working directory.
 *
 * Nothing secret is in it: the service's replies hold no token, and what local.conf calls a token,
 * key, secret or password is taken out. With -j the same goes to standard output as one JSON
 * object. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const char FILE_NAME[] = "zerotier_dump.txt";

enum { REDACT_DEPTH_MAX = 32 };

static bool is_secret(const char *key)
{
	static const char *const words[] = { "token", "secret", "password", "key" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasestr(key, words[i])) {
			return true;
		}
	}
	return false;
}

/* Replace the values of secret-sounding keys, everywhere. */
static void redact(json_t *json, unsigned depth) // NOLINT(misc-no-recursion): bounded by depth
{
	const char *key;
	json_t *value;
	size_t i;
	if (depth == REDACT_DEPTH_MAX) {
		return;
	}
	json_array_foreach(json, i, value)
	{
		redact(value, depth + 1);
	}
	json_object_foreach(json, key, value)
	{
		if (is_secret(key)) {
			(void)json_object_set_new(json, key, json_string("(removed)"));
		} else {
			redact(value, depth + 1);
		}
	}
}

/* ---- interfaces --------------------------------------------------------------------------------
 */

static int mtu_of(const char *name)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return 0;
	}
	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	int mtu = ioctl(fd, SIOCGIFMTU, &request) == 0 ? request.ifr_mtu : 0;
	(void)close(fd);
	return mtu;
}

static json_t *mac_json(const struct sockaddr *address)
{
	const struct sockaddr_ll *link = (const void *)address;
	char text[24];
	(void)snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", link->sll_addr[0],
		       link->sll_addr[1], link->sll_addr[2], link->sll_addr[3], link->sll_addr[4],
		       link->sll_addr[5]);
	return json_string(text);
}

static json_t *interface_find(json_t *list, const char *name)
{
	size_t i;
	json_t *entry;
	json_array_foreach(list, i, entry)
	{
		if (strcmp(json_string_value(json_object_get(entry, "name")), name) == 0) {
			return entry;
		}
	}
	entry = json_pack("{s:s,s:i,s:s,s:[]}", "name", name, "mtu", mtu_of(name), "mac", "",
			  "addresses");
	(void)json_array_append_new(list, entry);
	return entry;
}

static json_t *interfaces(void)
{
	struct ifaddrs *all = NULL;
	json_t *list = json_array();
	if (getifaddrs(&all) != 0) {
		return list;
	}
	for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
		char text[NI_MAXHOST];
		if (!a->ifa_addr || (a->ifa_flags & IFF_LOOPBACK)) {
			continue;
		}
		json_t *entry = interface_find(list, a->ifa_name);
		int family = a->ifa_addr->sa_family;
		socklen_t length =
		    family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
		if (family == AF_PACKET) {
			(void)json_object_set_new(entry, "mac", mac_json(a->ifa_addr));
		} else if ((family == AF_INET || family == AF_INET6) &&
			   getnameinfo(a->ifa_addr, length, text, sizeof(text), NULL, 0,
				       NI_NUMERICHOST) == 0) {
			text[strcspn(text, "%")] = '\0';
			(void)json_array_append_new(json_object_get(entry, "addresses"),
						    json_string(text));
		}
	}
	freeifaddrs(all);
	return list;
}

static void interfaces_print(FILE *file, const json_t *list)
{
	size_t i, j;
	const json_t *entry, *address;
	(void)fprintf(file, "Network Interfaces\n------------------\n\n");
	json_array_foreach(list, i, entry)
	{
		(void)fprintf(file, "Interface %zu\n-----------\nName: %s\nMTU: %lld\nMAC: %s\n", i,
			      json_string_value(json_object_get(entry, "name")),
			      (long long)json_integer_value(json_object_get(entry, "mtu")),
			      json_string_value(json_object_get(entry, "mac")));
		(void)fprintf(file, "Addresses: \n");
		json_array_foreach(json_object_get(entry, "addresses"), j, address)
		{
			(void)fprintf(file, "%s\n", json_string_value(address));
		}
	}
}

/* ---- the file ----------------------------------------------------------------------------------
 */

static void section(FILE *file, const char *title, const json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	(void)fprintf(file, "%s\n", title);
	for (size_t i = 0; i < strlen(title); i++) {
		(void)fputc('-', file);
	}
	(void)fprintf(file, "\n%s\n\n", text ? text : "None Present");
	free(text);
}

static bool file_write(const json_t *all)
{
	/* Whoever may read the directory need not read this. */
	int fd = open(FILE_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!file) {
		if (fd >= 0) {
			(void)close(fd);
		}
		return false;
	}
	const json_t *local_conf = json_object_get(all, "localConf");
	(void)fprintf(file, "platform: Linux\nzerotier version: " CLI_REFERENCE_VERSION "\n\n");
	section(file, "status", json_object_get(all, "status"));
	section(file, "networks", json_object_get(all, "networks"));
	section(file, "peers", json_object_get(all, "peers"));
	section(file, "local.conf", json_object_size(local_conf) > 0 ? local_conf : NULL);
	interfaces_print(file, json_object_get(all, "interfaces"));
	bool is_written = !ferror(file);
	return fclose(file) == 0 && is_written;
}

static int file_dump(const struct cli *cli, const json_t *all)
{
	char directory[1024];
	if (!getcwd(directory, sizeof(directory))) {
		(void)snprintf(directory, sizeof(directory), ".");
	}
	(void)fprintf(cli->out, "Writing dump to: %s/%s\n", directory, FILE_NAME);
	if (!file_write(all)) {
		complain(cli, "cannot write %s/%s: %s; change to a directory that you may write to",
			 directory, FILE_NAME, strerror(errno));
		return CLI_REFUSED;
	}
	return CLI_DONE;
}

int cmd_dump(const struct cli *given, int argc, char **argv)
{
	static const struct {
		const char *key, *path;
	} parts[] = { { "status", "/status" },
		      { "networks", "/network" },
		      { "peers", "/peer" },
		      { "localConf", "/config" } };
	struct cli cli = *given;
	(void)argc;
	int code = home_settle(&cli);
	json_t *all = json_object();
	for (size_t i = 0; code == CLI_DONE && i < sizeof(parts) / sizeof(parts[0]); i++) {
		json_t *part = ask_json(&cli, argv[0], parts[i].path);
		code = part ? CLI_DONE : CLI_REFUSED;
		if (part) {
			(void)json_object_set_new(all, parts[i].key, part);
		}
	}
	if (code == CLI_DONE) {
		redact(all, 0);
		(void)json_object_set_new(all, "interfaces", interfaces());
		if (cli.is_json) {
			fmt_json(cli.out, all);
		} else {
			code = file_dump(&cli, all);
		}
	}
	json_decref(all);
	return code;
}
