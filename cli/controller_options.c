/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "cli/controller.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

enum { IP_TEXT = 64, V6_BITS = 128, V4_BITS = 32 };

/* 4, 6 or 0. */
static int ip_family(const char *text)
{
	unsigned char bytes[16];
	if (inet_pton(AF_INET, text, bytes) == 1) {
		return 4;
	}
	return inet_pton(AF_INET6, text, bytes) == 1 ? 6 : 0;
}

/* The text up to `stop`, copied. False if there is no `stop` or it is too long. */
static bool cut(const char *text, char stop, char out[IP_TEXT], const char **rest)
{
	const char *at = strchr(text, stop);
	if (!at || (size_t)(at - text) >= IP_TEXT) {
		return false;
	}
	memcpy(out, text, (size_t)(at - text));
	out[at - text] = '\0';
	*rest = at + 1;
	return true;
}

static json_t *list_of(json_t *body, const char *key)
{
	json_t *list = json_object_get(body, key);
	if (!list) {
		list = json_array();
		(void)json_object_set_new(body, key, list);
	}
	return list;
}

/* FIRST-LAST; turns on the assignment of addresses of that family. */
static bool add_pool(json_t *body, const char *text)
{
	char first[IP_TEXT];
	const char *last;
	if (!cut(text, '-', first, &last) || ip_family(first) == 0 ||
	    ip_family(first) != ip_family(last)) {
		return false;
	}
	(void)json_object_set_new(body, ip_family(first) == 4 ? "v4AssignMode" : "v6AssignMode",
				  json_pack("{s:b}", "zt", 1));
	return json_array_append_new(
		   list_of(body, "ipAssignmentPools"),
		   json_pack("{s:s, s:s}", "ipRangeStart", first, "ipRangeEnd", last)) == 0;
}

/* NET/BITS or NET/BITS,VIA */
static bool add_route(json_t *body, const char *text)
{
	char target[IP_TEXT], net[IP_TEXT];
	const char *via = NULL, *bits;
	if (!cut(text, ',', target, &via)) {
		if (strlen(text) >= sizeof target) {
			return false;
		}
		memcpy(target, text, strlen(text) + 1);
	}
	if (!cut(target, '/', net, &bits) || ip_family(net) == 0 || (via && ip_family(via) == 0)) {
		return false;
	}
	char *end;
	long count = strtol(bits, &end, 10);
	if (end == bits || *end != '\0' || count < 0 ||
	    count > (ip_family(net) == 4 ? V4_BITS : V6_BITS)) {
		return false;
	}
	return json_array_append_new(list_of(body, "routes"),
				     json_pack("{s:s, s:s?}", "target", target, "via", via)) == 0;
}

static bool set_name(json_t *body, const char *text)
{
	return json_object_set_new(body, "name", json_string(text)) == 0;
}

static const struct option {
	const char *name, *wants;
	bool (*add)(json_t *body, const char *text);
} options[] = {
	{ "--name", "a name in UTF-8", set_name },
	{ "--pool", "the first and last address, as in 10.144.0.1-10.144.0.254", add_pool },
	{ "--route",
	  "a network and perhaps a gateway, as in 10.144.0.0/24 or 10.1.0.0/16,10.144.0.9",
	  add_route },
};

/* field=JSON, or field=text */
static bool add_field(json_t *body, const char *text)
{
	char key[IP_TEXT];
	const char *value;
	if (text[0] == '-' || !cut(text, '=', key, &value) || key[0] == '\0') {
		return false;
	}
	json_t *json = json_loads(value, JSON_DECODE_ANY, NULL);
	return json_object_set_new(body, key, json ? json : json_string(value)) == 0;
}

/* One option at argv[0]; how many words it took, 0 = not understood (said). */
static int option_add(const struct cli *cli, json_t *body, int argc, char **argv)
{
	if (strcmp(argv[0], "--public") == 0 || strcmp(argv[0], "--private") == 0) {
		(void)json_object_set_new(body, "private",
					  json_boolean(strcmp(argv[0], "--private") == 0));
		return 1;
	}
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		if (strcmp(options[i].name, argv[0]) != 0) {
			continue;
		}
		if (argc < 2 || !options[i].add(body, argv[1])) {
			complain(cli, "%s wants %s", argv[0], options[i].wants);
			return 0;
		}
		return 2;
	}
	if (add_field(body, argv[0])) {
		return 1;
	}
	complain(cli,
		 "%s is not understood; --name, --pool, --route, --public, --private and "
		 "field=JSON are",
		 argv[0]);
	return 0;
}

json_t *controller_options(const struct cli *cli, int argc, char **argv, bool is_new)
{
	json_t *body = json_object();
	if (is_new) {
		(void)json_object_set_new(body, "private", json_true());
	}
	for (int i = 0; i < argc;) {
		int used = option_add(cli, body, argc - i, argv + i);
		if (used == 0) {
			json_decref(body);
			return NULL;
		}
		i += used;
	}
	return body;
}
