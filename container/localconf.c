/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: local.conf is read, what the variables say is added, and it is written again if
 * that changed anything. A setting that is there stays, unless ZT_OVERRIDE_LOCAL_CONF is true. */
#include "container/container.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct edit {
	const struct setup *setup;
	json_t *settings, *netcon;
	bool is_changed;
};

/* Takes over `value`. */
static void set(struct edit *edit, json_t *object, const char *key, json_t *value)
{
	const json_t *present = json_object_get(object, key);
	if (present && (json_equal(present, value) || !var_is_true(edit->setup, VAR_OVERRIDE))) {
		if (!json_equal(present, value)) {
			say("local.conf says otherwise, so the variable for %s is ignored; "
			    "ZT_OVERRIDE_LOCAL_CONF=true changes that",
			    key);
		}
		json_decref(value);
		return;
	}
	edit->is_changed |= json_object_set_new(object, key, value) == 0;
}

static int set_bool(struct edit *edit, enum var_id id, const char *key)
{
	const char *value = edit->setup->values[id];
	if (!value) {
		return 0;
	}
	if (!var_is_true(edit->setup, id) && strcasecmp(value, "false") != 0 &&
	    strcasecmp(value, "no") != 0 && strcmp(value, "0") != 0) {
		return failed("the variable for %s must be true or false, not \"%.40s\"", key,
			      value);
	}
	set(edit, edit->settings, key, json_boolean(var_is_true(edit->setup, id)));
	return 0;
}

static int set_port(struct edit *edit)
{
	const char *value = edit->setup->values[VAR_PORT];
	char *end = NULL;
	long port = value ? strtol(value, &end, 10) : 0;
	if (!value) {
		return 0;
	}
	if (end == value || *end != '\0' || port < 0 || port > UINT16_MAX) {
		return failed("ZT_PRIMARY_PORT must be a number from 0 to 65535, not \"%.40s\"",
			      value);
	}
	set(edit, edit->settings, "primaryPort", json_integer(port));
	return 0;
}

static int set_management(struct edit *edit)
{
	const char *value = edit->setup->values[VAR_MANAGEMENT];
	char *list = value ? strdup(value) : NULL, *rest = NULL;
	if (!list) {
		return value ? failed("out of memory") : 0;
	}
	json_t *networks = json_array();
	for (char *word = strtok_r(list, " ,;", &rest); word; word = strtok_r(NULL, " ,;", &rest)) {
		(void)json_array_append_new(networks, json_string(word));
	}
	free(list);
	set(edit, edit->settings, "allowManagementFrom", networks);
	return 0;
}

static json_t *object_in(json_t *parent, const char *key)
{
	json_t *object = json_object_get(parent, key);
	if (!object) {
		object = json_object();
		(void)json_object_set_new(parent, key, object);
	}
	return json_is_object(object) ? object : NULL;
}

static int edit_all(struct edit *edit)
{
	if (set_port(edit) != 0 || set_management(edit) != 0 ||
	    set_bool(edit, VAR_PORT_MAPPING, "portMappingEnabled") != 0 ||
	    set_bool(edit, VAR_TCP_RELAY, "allowTcpFallbackRelay") != 0) {
		return -1;
	}
	if (edit->setup->values[VAR_LOG_LEVEL]) {
		set(edit, edit->netcon, "logLevel",
		    json_string(edit->setup->values[VAR_LOG_LEVEL]));
	}
	/* Decision S4: in a container, who has the socket mounted may use it. */
	if (!json_object_get(edit->netcon, "socketMode")) {
		set(edit, edit->netcon, "socketMode", json_string("0666"));
	}
	return 0;
}

static int save(const json_t *root, const char *path)
{
	char *text = json_dumps(root, JSON_INDENT(1));
	int error = text ? file_replace(path, text, strlen(text), 0644) : -ENOMEM;
	free(text);
	if (error == -EROFS || error == -EBUSY || error == -EACCES || error == -EPERM) {
		/* Mounted as a file: what it says is what counts. */
		say("%s is read-only: taken as it is, variables for it are ignored", path);
		return 0;
	}
	return error == 0 ? 0 : failed("cannot write %s: %s", path, strerror(-error));
}

int localconf_prepare(const struct setup *setup)
{
	char path[INIT_PATH_BYTES], *text = NULL;
	size_t length = 0;
	json_error_t where;
	(void)snprintf(path, sizeof path, "%s/local.conf", setup->home);
	int error = file_slurp(path, &text, &length);
	if (error != 0 && error != -ENOENT) {
		return failed("cannot read %s: %s", path, strerror(-error));
	}
	json_t *root = error == 0 ? json_loadb(text, length, 0, &where) : json_object();
	free(text);
	struct edit edit = { .setup = setup };
	edit.settings = json_is_object(root) ? object_in(root, "settings") : NULL;
	edit.netcon = edit.settings ? object_in(edit.settings, "netcon") : NULL;
	if (!edit.netcon) {
		json_decref(root);
		return 0; /* the service says which line is wrong, and why */
	}
	int result = edit_all(&edit);
	if (result == 0 && edit.is_changed) {
		result = save(root, path);
	}
	json_decref(root);
	return result;
}
