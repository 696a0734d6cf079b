/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/ctlstore.h"

#include "service/api.h"
#include "service/file.h"
#include "service/log.h"
#include "service/service.h"
#include "service/worker.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PATH_BYTES = 1024,
	FILE_MAX_BYTES = 16 * 1024 * 1024,
	DIRECTORY_MODE = 0700,
	FILE_MODE = 0600, /* records hold tokens */
	NETWORK_DIGITS = 16,
	MEMBER_DIGITS = 10,
	BAD_LOG_MS = 60000,
};

struct ctlstore {
	struct controller_store store; /* first: what the controller sees */
	struct service *service;
	char directory[PATH_BYTES]; /* .../controller.d */
	size_t bad_count;           /* files that are not to be overwritten */
	struct bad {
		uint64_t nwid, member; /* member 0: nothing of that network */
	} * bad;
};

/* ---- names -------------------------------------------------------------------------------------
 */

/* False if the path is too long. */
static bool path_of(const struct ctlstore *s, uint64_t nwid, uint64_t member, char out[PATH_BYTES])
{
	int length =
	    member ? snprintf(out, PATH_BYTES, "%s/network/%016llx/member/%010llx.json",
			      s->directory, (unsigned long long)nwid, (unsigned long long)member)
		   : snprintf(out, PATH_BYTES, "%s/network/%016llx.json", s->directory,
			      (unsigned long long)nwid);
	return length > 0 && length < PATH_BYTES;
}

static bool directory_of(const struct ctlstore *s, uint64_t nwid, const char *below,
			 char out[PATH_BYTES])
{
	int length = snprintf(out, PATH_BYTES, "%s/network/%016llx%s", s->directory,
			      (unsigned long long)nwid, below);
	return length > 0 && length < PATH_BYTES;
}

/* "<digits>.json" and nothing else. */
static bool name_parse(const char *name, size_t digits, uint64_t *out)
{
	char id[NETWORK_DIGITS + 1];
	if (strlen(name) != digits + 5 || strcmp(name + digits, ".json") != 0) {
		return false;
	}
	memcpy(id, name, digits);
	id[digits] = '\0';
	return api_id(id, digits, out);
}

/* ---- malformed files ---------------------------------------------------------------------------
 */

static void bad_add(struct ctlstore *s, uint64_t nwid, uint64_t member)
{
	struct bad *bigger = realloc(s->bad, (s->bad_count + 1) * sizeof(*bigger));
	if (bigger) {
		s->bad = bigger;
		s->bad[s->bad_count++] = (struct bad){ .nwid = nwid, .member = member };
	}
}

static bool bad_has(const struct ctlstore *s, uint64_t nwid, uint64_t member)
{
	for (size_t i = 0; i < s->bad_count; i++) {
		if (s->bad[i].nwid == nwid &&
		    (s->bad[i].member == 0 || s->bad[i].member == member)) {
			return true;
		}
	}
	return false;
}

static void bad_forget(struct ctlstore *s, uint64_t nwid, uint64_t member)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->bad_count; i++) {
		if (s->bad[i].nwid != nwid || s->bad[i].member != member) {
			s->bad[kept++] = s->bad[i];
		}
	}
	s->bad_count = kept;
}

/* ---- loading -----------------------------------------------------------------------------------
 */

/* The record in a file, or NULL after a log line. Networks and members must say who they are. */
static json_t *record_read(const char *path, uint64_t id, size_t digits)
{
	char *bytes;
	size_t length;
	int error = file_read(path, FILE_MAX_BYTES, &bytes, &length);
	if (error) {
		errno = -error;
		log_err_errno("controller",
			      "record skipped: cannot read it; check its owner and "
			      "mode, then restart file=%s",
			      path);
		return NULL;
	}
	json_error_t json_error;
	json_t *record = json_loadb(bytes, length, 0, &json_error);
	free(bytes);
	if (!record) {
		log_err("controller",
			"record skipped: not JSON: %s; repair or remove it, then "
			"restart file=%s line=%d",
			json_error.text, path, json_error.line);
		return NULL;
	}
	const char *text = json_string_value(json_object_get(record, "id"));
	uint64_t stored;
	if (!text || !api_id(text, digits, &stored) || stored != id) {
		log_err("controller",
			"record skipped: its \"id\" is not that of the file name; "
			"repair or remove it, then restart file=%s",
			path);
		json_decref(record);
		return NULL;
	}
	return record;
}

struct loading {
	struct ctlstore *s;
	void (*each)(void *context, uint64_t nwid, uint64_t member, json_t *record);
	void *context;
};

static bool load_record(const struct loading *l, uint64_t nwid, uint64_t member)
{
	char path[PATH_BYTES];
	if (!path_of(l->s, nwid, member, path)) {
		return false;
	}
	json_t *record =
	    record_read(path, member ? member : nwid, member ? MEMBER_DIGITS : NETWORK_DIGITS);
	if (!record) {
		bad_add(l->s, nwid, member);
		return false;
	}
	l->each(l->context, nwid, member, record);
	json_decref(record);
	return true;
}

static void load_members(const struct loading *l, uint64_t nwid)
{
	char path[PATH_BYTES];
	DIR *directory = directory_of(l->s, nwid, "/member", path) ? opendir(path) : NULL;
	if (!directory) {
		return; /* a network without members has none */
	}
	const struct dirent *entry;
	uint64_t member;
	while ((entry = readdir(directory)) != NULL) {
		if (name_parse(entry->d_name, MEMBER_DIGITS, &member)) {
			(void)load_record(l, nwid, member);
		}
	}
	(void)closedir(directory);
}

/* What a removed network left: its emptied directories. Fails harmlessly when they are not. */
static void sweep(const struct ctlstore *s, const char *name)
{
	char path[PATH_BYTES], json[PATH_BYTES];
	uint64_t nwid;
	if (strlen(name) != NETWORK_DIGITS || !api_id(name, NETWORK_DIGITS, &nwid) ||
	    !path_of(s, nwid, 0, json) || access(json, F_OK) == 0) {
		return;
	}
	if (directory_of(s, nwid, "/member", path)) {
		(void)rmdir(path);
	}
	if (directory_of(s, nwid, "", path)) {
		(void)rmdir(path);
	}
}

static void on_load(void *context,
		    void (*each)(void *each_context, uint64_t nwid, uint64_t member,
				 json_t *record),
		    void *each_context)
{
	struct loading l = { .s = context, .each = each, .context = each_context };
	char path[PATH_BYTES];
	(void)snprintf(path, sizeof path, "%.1000s/network", l.s->directory);
	DIR *directory = opendir(path);
	if (!directory) {
		log_err_errno("controller", "no records: cannot open directory=%s", path);
		return;
	}
	const struct dirent *entry;
	uint64_t nwid;
	while ((entry = readdir(directory)) != NULL) {
		sweep(l.s, entry->d_name);
		if (name_parse(entry->d_name, NETWORK_DIGITS, &nwid) && load_record(&l, nwid, 0)) {
			load_members(&l, nwid);
		}
	}
	(void)closedir(directory);
}

/* ---- saving ------------------------------------------------------------------------------------
 */

static void on_put(void *context, uint64_t nwid, uint64_t member, const json_t *record)
{
	struct ctlstore *s = context;
	static struct log_limit limit;
	char path[PATH_BYTES];
	if (!path_of(s, nwid, member, path)) {
		return;
	}
	if (bad_has(s, nwid, member)) {
		if (log_limited(&limit, loop_now(s->service->loop).mono_ms, BAD_LOG_MS)) {
			log_err("controller",
				"not saved over a malformed record; repair or remove "
				"it, then restart file=%s",
				path);
		}
		return;
	}
	if (member) {
		char members[PATH_BYTES];
		(void)(directory_of(s, nwid, "/member", members) &&
		       file_mkdirs(members, DIRECTORY_MODE));
	}
	char *text = json_dumps(record, JSON_COMPACT | JSON_SORT_KEYS);
	if (!text || worker_write(s->service->worker, path, text, strlen(text), FILE_MODE) != 0) {
		log_err("controller", "out of memory: not saved file=%s", path);
	}
	free(text);
}

static void on_remove(void *context, uint64_t nwid, uint64_t member)
{
	struct ctlstore *s = context;
	char path[PATH_BYTES];
	bad_forget(s, nwid, member);
	if (path_of(s, nwid, member, path) && worker_remove(s->service->worker, path) != 0) {
		log_err("controller", "out of memory: not removed file=%s", path);
	}
}

/* ---- life --------------------------------------------------------------------------------------
 */

static int make_directories(const struct ctlstore *s)
{
	static const char *const below[] = { "", "/network", "/trace" };
	for (size_t i = 0; i < sizeof below / sizeof *below; i++) {
		char path[PATH_BYTES];
		(void)snprintf(path, sizeof path, "%.1000s%s", s->directory, below[i]);
		int error = file_mkdirs(path, DIRECTORY_MODE);
		if (error) {
			errno = -error;
			log_err_errno("controller",
				      "cannot create; check the owner and mode of the "
				      "directory above directory=%s",
				      path);
			return ZT_E_DENIED;
		}
	}
	return 0;
}

int ctlstore_open(struct service *service, struct controller_store **out)
{
	struct ctlstore *s = calloc(1, sizeof(*s));
	if (!s) {
		return ZT_E_NO_MEMORY;
	}
	const json_t *settings = json_object_get(service->local_conf, "settings");
	const char *elsewhere = json_string_value(json_object_get(settings, "controllerDbPath"));
	int length =
	    elsewhere && elsewhere[0]
		? snprintf(s->directory, sizeof s->directory, "%s", elsewhere)
		: snprintf(s->directory, sizeof s->directory, "%s/controller.d", service->home);
	if (length < 0 || length > PATH_BYTES - 64) {
		log_err("controller", "settings.controllerDbPath of local.conf is too long");
		free(s);
		return ZT_E_TOO_BIG;
	}
	int err = make_directories(s);
	if (err) {
		free(s);
		return err;
	}
	s->service = service;
	s->store = (struct controller_store){
		.context = s, .load = on_load, .put = on_put, .remove = on_remove
	};
	*out = &s->store;
	return 0;
}

void ctlstore_close(struct controller_store *store)
{
	struct ctlstore *s = (struct ctlstore *)store;
	if (s) {
		free(s->bad);
		free(s);
	}
}
