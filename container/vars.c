/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The variables of the image: where a value comes from, and which ones cannot apply. */
#include "container/container.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum kind { PLAIN, SECRET, USELESS };

static const struct row {
	const char *name;
	enum kind kind;
	const char *help;
} rows[VAR_COUNT] = {
#define X(id, name, kind, help) { name, kind, help },
#include "container/vars.def"
#undef X
};

void say(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	(void)fputs("zerotier-netcon-init: ", stderr);
	(void)vfprintf(stderr, format, arguments);
	(void)fputc('\n', stderr);
	va_end(arguments);
}

int failed(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	(void)fputs("zerotier-netcon-init: ", stderr);
	(void)vfprintf(stderr, format, arguments);
	(void)fputc('\n', stderr);
	va_end(arguments);
	return -1;
}

/* ---- values --------------------------------------------------------------------------------- */

/* The value of `name` in `environment`; NULL if it is not there or empty. */
static const char *lookup(const char *const *environment, const char *name, const char *suffix)
{
	size_t length = strlen(name), tail = strlen(suffix);
	for (; *environment; environment++) {
		const char *entry = *environment;
		if (strncmp(entry, name, length) == 0 &&
		    strncmp(entry + length, suffix, tail) == 0 && entry[length + tail] == '=') {
			const char *value = entry + length + tail + 1;
			return value[0] != '\0' ? value : NULL;
		}
	}
	return NULL;
}

static void trim(char *text)
{
	size_t start = strspn(text, " \t\r\n"), end = strlen(text);
	while (end > start && strchr(" \t\r\n", text[end - 1])) {
		end--;
	}
	memmove(text, text + start, end - start);
	text[end - start] = '\0';
}

/* A secret from its file, as Docker and Compose mount it. */
static int value_from_file(const struct row *row, const char *path, char **value)
{
	size_t length = 0;
	int error = file_slurp(path, value, &length);
	if (error != 0) {
		return failed("%s_FILE: cannot read %s: %s. Mount the secret there, readable by "
			      "this user.",
			      row->name, path, strerror(-error));
	}
	trim(*value);
	if ((*value)[0] == '\0') {
		return failed("%s_FILE: %s is empty. Put the secret into it.", row->name, path);
	}
	return 0;
}

static int value_read(const struct row *row, const char *const *environment, char **value)
{
	const char *text = lookup(environment, row->name, "");
	const char *path = row->kind == SECRET ? lookup(environment, row->name, "_FILE") : NULL;
	if (text && path) {
		return failed("%s and %s_FILE are both set. Keep one.", row->name, row->name);
	}
	if (text && row->kind == SECRET && strncmp(text, "file:", 5) == 0) {
		path = text + 5;
	}
	if (path) {
		return value_from_file(row, path, value);
	}
	if (!text) {
		return 0;
	}
	*value = strdup(text);
	if (!*value) {
		return failed("out of memory");
	}
	trim(*value);
	return 0;
}

/* ---- names ---------------------------------------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Is the name before '=' one of the table's, or a secret's with _FILE? */
static bool is_known(const char *entry, size_t length)
{
	for (int i = 0; i < VAR_COUNT; i++) {
		size_t n = strlen(rows[i].name);
		if (strncmp(entry, rows[i].name, n) != 0) {
			continue;
		}
		if (length == n || (rows[i].kind == SECRET && length == n + 5 &&
				    strncmp(entry + n, "_FILE", 5) == 0)) {
			return true;
		}
	}
	return false;
}

/* ZEROTIER_HOME is the service's, ZT_NC_... are the library's. */
static void unknown_name(const char *entry)
{
	size_t length = strcspn(entry, "=");
	bool is_ours = begins(entry, "ZTNC_") || begins(entry, "ZT_") || begins(entry, "ZEROTIER_");
	if (!is_ours || begins(entry, "ZT_NC_") || begins(entry, "ZEROTIER_HOME=") ||
	    is_known(entry, length)) {
		return;
	}
	say("%.*s is not a variable of this image, ignored; see --help", (int)length, entry);
}

int vars_read(struct setup *setup, const char *const *environment)
{
	for (int i = 0; i < VAR_COUNT; i++) {
		if (value_read(&rows[i], environment, &setup->values[i]) != 0) {
			return -1;
		}
		if (setup->values[i] && rows[i].kind == USELESS) {
			say("%s is not applicable, ignored: %s", rows[i].name, rows[i].help);
		}
	}
	for (const char *const *entry = environment; *entry; entry++) {
		unknown_name(*entry);
	}
	return 0;
}

void vars_free(struct setup *setup)
{
	for (int i = 0; i < VAR_COUNT; i++) {
		if (setup->values[i]) {
			explicit_bzero(setup->values[i], strlen(setup->values[i]));
		}
		free(setup->values[i]);
		setup->values[i] = NULL;
	}
}

void vars_hide(void)
{
	for (int i = 0; i < VAR_COUNT; i++) {
		if (rows[i].kind == SECRET) {
			(void)unsetenv(rows[i].name);
		}
	}
}

void vars_print(void)
{
	for (int i = 0; i < VAR_COUNT; i++) {
		(void)printf("  %s%s\n      %s%s\n", rows[i].name,
			     rows[i].kind == SECRET ? ", or its file in the same with _FILE" : "",
			     rows[i].kind == USELESS ? "ignored: " : "", rows[i].help);
	}
}

bool var_is_true(const struct setup *setup, enum var_id id)
{
	const char *value = setup->values[id];
	return value && (strcasecmp(value, "true") == 0 || strcasecmp(value, "yes") == 0 ||
			 strcmp(value, "1") == 0);
}

/* ---- networks ------------------------------------------------------------------------------- */

bool is_nwid(const char *text)
{
	return strlen(text) == 16 && strspn(text, "0123456789abcdefABCDEF") == 16;
}

int network_add(struct setup *setup, const char *nwid)
{
	if (!is_nwid(nwid)) {
		return failed("\"%.40s\" is no network id: that is 16 hex digits, such as "
			      "8056c2e21c000001",
			      nwid);
	}
	char lower[INIT_NWID_CHARS];
	for (size_t i = 0; i < INIT_NWID_CHARS; i++) {
		char c = nwid[i];
		lower[i] = (char)(c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
	}
	for (size_t i = 0; i < setup->network_count; i++) {
		if (strcmp(setup->networks[i], lower) == 0) {
			return 0;
		}
	}
	if (setup->network_count == INIT_MAX_NETWORKS) {
		return failed("more than %d networks", INIT_MAX_NETWORKS);
	}
	memcpy(setup->networks[setup->network_count++], lower, sizeof lower);
	return 0;
}

int networks_collect(struct setup *setup)
{
	static const enum var_id lists[] = { VAR_NETWORK, VAR_JOIN, VAR_JOIN_IDS };
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		char *list = setup->values[lists[i]] ? strdup(setup->values[lists[i]]) : NULL;
		char *rest = NULL;
		int result = 0;
		for (char *word = list ? strtok_r(list, " ,;\t\r\n", &rest) : NULL;
		     word && result == 0; word = strtok_r(NULL, " ,;\t\r\n", &rest)) {
			result = network_add(setup, word);
		}
		free(list);
		if (result != 0) {
			return failed("in %s", rows[lists[i]].name);
		}
	}
	return 0;
}
