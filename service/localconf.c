/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: jansson says where the JSON is broken; where a value is wrong, the line is found
 * by looking for its quoted key in the text. One row per setting we use: its key and the function
 * that takes its value. A function that returns false has put the reason into the error.
 */
#include "service/localconf_parse.h"

#include "service/file.h"
#include "service/log.h"
#include "service/options.h"
#include "service/trustedpaths.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void settings_defaults(struct settings *settings)
{
	*settings = (struct settings){
		.primary_port = OPTIONS_DEFAULT_PORT,
		.allow_secondary_port = true,
		.allow_tcp_relay = true,
		.allow_port_mapping = true,
		.socket_mode = 0660, /* decision S4 */
		.use_sandbox = true,
		.log_level = LOG_LEVEL_INFO,
	};
}

/* The line on which `"key"` first stands; 1 if nowhere (an escaped key). */
static unsigned line_of(const char *text, const char *key)
{
	char quoted[80];
	(void)snprintf(quoted, sizeof quoted, "\"%s\"", key);
	const char *at = strstr(text, quoted);
	unsigned line = 1;
	for (const char *p = text; at && p < at; p++) {
		line += *p == '\n';
	}
	return line;
}

bool localconf_refuse(struct parse *p, const char *key, const char *format, ...)
{
	char reason[256];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(reason, sizeof reason, format, arguments);
	va_end(arguments);
	(void)snprintf(p->error, LOCALCONF_ERROR_BYTES,
		       "%s, line %u: %s: %s. Correct it, or move the file away to run with the "
		       "defaults.",
		       p->file, line_of(p->text, key), key, reason);
	return false;
}

/* ---- values --------------------------------------------------------------------------------- */

static bool take_port(struct parse *p, const char *key, const json_t *value, uint16_t *out)
{
	json_int_t port = json_is_integer(value) ? json_integer_value(value) : -1;
	if (port < 0 || port > UINT16_MAX) {
		return localconf_refuse(p, key, "must be a number from 0 to 65535");
	}
	*out = (uint16_t)port;
	return true;
}

static bool take_bool(struct parse *p, const char *key, const json_t *value, bool *out)
{
	if (!json_is_boolean(value)) {
		return localconf_refuse(p, key, "must be true or false");
	}
	*out = json_is_true(value);
	return true;
}

/* Each element of an array through `each`, at most `max`. */
static bool take_array(struct parse *p, const char *key, const json_t *value, size_t max,
		       bool (*each)(struct parse *p, const char *key, const json_t *element))
{
	if (!json_is_array(value)) {
		return localconf_refuse(p, key, "must be a list");
	}
	if (json_array_size(value) > max) {
		return localconf_refuse(p, key, "has more than %zu entries", max);
	}
	size_t i;
	const json_t *element;
	json_array_foreach(value, i, element)
	{
		if (!each(p, key, element)) {
			return false;
		}
	}
	return true;
}

bool localconf_take_net(struct parse *p, const char *key, const char *text, struct zt_endpoint *out)
{
	if (!text || !endpoint_parse(text, out)) {
		return localconf_refuse(p, key, "\"%.60s\" is not a network such as 10.1.0.0/16",
					text ? text : "");
	}
	unsigned width = out->family == 4 ? 32 : 128;
	if (!strchr(text, '/')) {
		out->port = (uint16_t)width;
	}
	return out->port <= width ? true
				  : localconf_refuse(p, key, "\"%.60s\" has too many bits", text);
}

/* ---- rows: settings.* ----------------------------------------------------------------------- */

typedef bool taker(struct parse *p, const char *key, const json_t *value);

static bool take_primary_port(struct parse *p, const char *key, const json_t *value)
{
	return take_port(p, key, value, &p->settings->primary_port);
}

static bool take_secondary_port(struct parse *p, const char *key, const json_t *value)
{
	return take_port(p, key, value, &p->settings->secondary_port);
}

static bool take_tertiary_port(struct parse *p, const char *key, const json_t *value)
{
	return take_port(p, key, value, &p->settings->tertiary_port);
}

static bool take_port_mapping(struct parse *p, const char *key, const json_t *value)
{
	return take_bool(p, key, value, &p->settings->allow_port_mapping);
}

static bool take_low_bandwidth(struct parse *p, const char *key, const json_t *value)
{
	return take_bool(p, key, value, &p->settings->is_low_bandwidth);
}

static bool take_allow_secondary(struct parse *p, const char *key, const json_t *value)
{
	return take_bool(p, key, value, &p->settings->allow_secondary_port);
}

static bool take_allow_relay(struct parse *p, const char *key, const json_t *value)
{
	return take_bool(p, key, value, &p->settings->allow_tcp_relay);
}

static bool take_force_relay(struct parse *p, const char *key, const json_t *value)
{
	return take_bool(p, key, value, &p->settings->force_tcp_relay);
}

static bool take_relay(struct parse *p, const char *key, const json_t *value)
{
	const char *text = json_string_value(value);
	if (!text || !endpoint_parse(text, &p->settings->tcp_relay) ||
	    p->settings->tcp_relay.port == 0) {
		return localconf_refuse(p, key, "must be \"ip/port\", as in \"192.0.2.1/443\"");
	}
	return true;
}

static bool bind_each(struct parse *p, const char *key, const json_t *element)
{
	struct zt_endpoint ip;
	const char *text = json_string_value(element);
	if (!text || strchr(text, '/') || !endpoint_parse(text, &ip)) {
		return localconf_refuse(p, key, "\"%.60s\" is not an IP address", text ? text : "");
	}
	p->settings->bind[p->settings->bind_count++] = ip;
	return true;
}

static bool take_bind(struct parse *p, const char *key, const json_t *value)
{
	p->settings->bind_count = 0;
	return take_array(p, key, value, SETTINGS_MAX_BIND, bind_each);
}

static bool management_each(struct parse *p, const char *key, const json_t *element)
{
	struct settings *s = p->settings;
	return localconf_take_net(p, key, json_string_value(element),
				  &s->management[s->management_count]) &&
	       ++s->management_count > 0;
}

static bool take_management(struct parse *p, const char *key, const json_t *value)
{
	p->settings->management_count = 0;
	return take_array(p, key, value, SETTINGS_MAX_MANAGEMENT, management_each);
}

static bool prefix_each(struct parse *p, const char *key, const json_t *element)
{
	struct settings *s = p->settings;
	const char *text = json_string_value(element);
	size_t length = text ? strlen(text) : 0;
	if (length == 0 || length >= sizeof s->prefixes[0]) {
		return localconf_refuse(p, key, "must list beginnings of interface names");
	}
	memcpy(s->prefixes[s->prefix_count++], text, length + 1);
	return true;
}

static bool take_prefixes(struct parse *p, const char *key, const json_t *value)
{
	p->settings->prefix_count = 0;
	return take_array(p, key, value, SETTINGS_MAX_PREFIXES, prefix_each);
}

/* ---- rows: settings.netcon.* ---------------------------------------------------------------- */

static bool take_socket_mode(struct parse *p, const char *key, const json_t *value)
{
	const char *text = json_string_value(value);
	char *end = NULL;
	unsigned long mode = text ? strtoul(text, &end, 8) : 0;
	if (!text || text[0] < '0' || text[0] > '7' || *end != '\0' || mode > 0777) {
		return localconf_refuse(p, key, "must be octal digits in quotes, such as \"0660\"");
	}
	p->settings->socket_mode = (mode_t)mode;
	return true;
}

static bool number_parse(const char *text, unsigned *out)
{
	char *end = NULL;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value >= UINT32_MAX) {
		return false;
	}
	*out = (unsigned)value;
	return true;
}

static bool allow_group(struct parse *p, const char *key, const char *name)
{
	struct settings *s = p->settings;
	unsigned gid = 0;
	if (!number_parse(name, &gid)) {
		const struct group *group = getgrnam(name);
		if (!group) {
			return localconf_refuse(p, key, "there is no group \"%.60s\"", name);
		}
		gid = group->gr_gid;
	}
	s->allow_gids[s->allow_gid_count++] = gid;
	return true;
}

/* 1000, "1000", "name", "@group", "@100". */
static bool allow_each(struct parse *p, const char *key, const json_t *element)
{
	struct settings *s = p->settings;
	const char *text = json_string_value(element);
	unsigned uid = 0;
	if (json_is_integer(element) && json_integer_value(element) >= 0 &&
	    json_integer_value(element) < UINT32_MAX) {
		uid = (unsigned)json_integer_value(element);
	} else if (!text || text[0] == '\0') {
		return localconf_refuse(p, key, "must list user ids, user names or @groups");
	} else if (text[0] == '@') {
		return allow_group(p, key, text + 1);
	} else if (!number_parse(text, &uid)) {
		const struct passwd *user = getpwnam(text);
		if (!user) {
			return localconf_refuse(p, key, "there is no user \"%.60s\"", text);
		}
		uid = user->pw_uid;
	}
	s->allow_uids[s->allow_uid_count++] = uid;
	return true;
}

static bool take_allow(struct parse *p, const char *key, const json_t *value)
{
	p->settings->allow_uid_count = 0;
	p->settings->allow_gid_count = 0;
	return take_array(p, key, value, SETTINGS_MAX_IDS, allow_each);
}

static bool take_log_level(struct parse *p, const char *key, const json_t *value)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	const char *text = json_string_value(value);
	for (int i = 0; text && i < 4; i++) {
		if (strcmp(text, names[i]) == 0) {
			p->settings->log_level = i;
			return true;
		}
	}
	return localconf_refuse(p, key, "must be \"error\", \"warn\", \"info\" or \"debug\"");
}

struct row {
	const char *key;
	taker *take;
};

static bool take_rows(struct parse *p, const json_t *object, const char *what,
		      const struct row *rows, size_t count)
{
	if (object && !json_is_object(object)) {
		return localconf_refuse(p, what, "must be an object");
	}
	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_object_get(object, rows[i].key);
		if (value && !rows[i].take(p, rows[i].key, value)) {
			return false;
		}
	}
	return true;
}

static bool take_netcon(struct parse *p, const char *key, const json_t *value)
{
	static const struct row rows[] = {
		{ "socketMode", take_socket_mode },
		{ "allow", take_allow },
		{ "logLevel", take_log_level },
	};
	return take_rows(p, value, key, rows, sizeof rows / sizeof *rows);
}

static bool take_settings(struct parse *p, const json_t *settings)
{
	static const struct row rows[] = {
		{ "primaryPort", take_primary_port },
		{ "secondaryPort", take_secondary_port },
		{ "allowSecondaryPort", take_allow_secondary },
		{ "tertiaryPort", take_tertiary_port },
		{ "portMappingEnabled", take_port_mapping },
		{ "lowBandwidthMode", take_low_bandwidth },
		{ "allowTcpFallbackRelay", take_allow_relay },
		{ "forceTcpRelay", take_force_relay },
		{ "tcpFallbackRelay", take_relay },
		{ "bind", take_bind },
		{ "allowManagementFrom", take_management },
		{ "interfacePrefixBlacklist", take_prefixes },
		{ "netcon", take_netcon },
	};
	return take_rows(p, settings, "settings", rows, sizeof rows / sizeof *rows);
}

int localconf_parse(const char *file, const char *text, size_t length, struct settings *settings,
		    json_t **json, char error[LOCALCONF_ERROR_BYTES])
{
	json_error_t where;
	json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &where);
	if (!root || !json_is_object(root)) {
		(void)snprintf(error, LOCALCONF_ERROR_BYTES,
			       "%s, line %d: %s. Correct it, or move the file away to run with the "
			       "defaults.",
			       file, root ? 1 : where.line,
			       root ? "must be an object, { ... }" : where.text);
		json_decref(root);
		return -1;
	}
	struct settings taken = *settings;
	struct parse p = { .file = file, .text = text, .settings = &taken, .error = error };
	if (!take_settings(&p, json_object_get(root, "settings")) ||
	    !localconf_take_physical(&p, json_object_get(root, "physical")) ||
	    !localconf_take_virtual(&p, json_object_get(root, "virtual"))) {
		json_decref(root);
		return -1;
	}
	*settings = taken;
	*json = root;
	return 0;
}

int localconf_load(const char *home, struct settings *settings, json_t **json,
		   char error[LOCALCONF_ERROR_BYTES])
{
	char path[512], *text = NULL;
	size_t length = 0;
	(void)snprintf(path, sizeof path, "%s/local.conf", home);
	int failure = file_read(path, LOCALCONF_MAX_BYTES, &text, &length);
	if (failure == -ENOENT) {
		*json = json_object();
		trustedpaths_load(home, settings);
		return *json ? 0 : -1;
	}
	if (failure != 0) {
		(void)snprintf(error, LOCALCONF_ERROR_BYTES,
			       "cannot read %s: %s. Make it a file that this user may read.", path,
			       strerror(-failure));
		return -1;
	}
	int result = localconf_parse(path, text, length, settings, json, error);
	free(text);
	if (result == 0) {
		trustedpaths_load(home, settings);
	}
	return result;
}
