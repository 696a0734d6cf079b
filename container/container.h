/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* zerotier-netcon-init: the first process of a container. It turns variables of the environment
 * into files of the home directory, then becomes the service, or runs the service beside one
 * program. */
#ifndef CONTAINER_CONTAINER_H
#define CONTAINER_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	INIT_MAX_NETWORKS = 64,
	INIT_NWID_CHARS = 17,    /* 16 hex digits and NUL */
	INIT_VALUE_BYTES = 4096, /* a variable's value, or its file's content */
	INIT_PATH_BYTES = 1024,
	INIT_EXIT_FAILED = 1,
	INIT_EXIT_USAGE = 2,
};

enum var_id {
#define X(id, name, kind, help) VAR_##id,
#include "container/vars.def"
#undef X
	VAR_COUNT
};

struct setup {
	char *home;
	char *values[VAR_COUNT]; /* NULL = not set or empty; owned */
	char networks[INIT_MAX_NETWORKS][INIT_NWID_CHARS];
	size_t network_count;
};

/* Say something on standard error, as "zerotier-netcon-init: ...". */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);
/* The same, for `return failed(...)`. Returns -1. */
__attribute__((format(printf, 1, 2))) int failed(const char *format, ...);

/* Read the variables of `environment` into a zeroed setup; unknown ones that look like ours and
 * useless ones are named once. 0, or -1 after saying what is wrong. */
int vars_read(struct setup *setup, const char *const *environment);
void vars_free(struct setup *setup);
/* Take the secrets out of our environment: a program does not inherit them. */
void vars_hide(void);
/* The table, for --help. */
void vars_print(void);
/* Is that variable set to yes? "true", "1", "yes"; anything else is not. */
bool var_is_true(const struct setup *setup, enum var_id id);

bool is_nwid(const char *text);
/* Add one network to those to join; the second time changes nothing. 0, or -1 after saying why. */
int network_add(struct setup *setup, const char *nwid);
/* Add all of the variables: the one of ZTNC_NETWORK first. */
int networks_collect(struct setup *setup);

/* Make the home what the setup says: identity, token, planet, networks.d, local.conf. What is there
 * already is only changed where a variable says so. 0, or -1 after saying what is wrong. */
int home_prepare(const struct setup *setup);
/* The path of a file of the home; returns `out`. */
char *home_path(const struct setup *setup, char out[INIT_PATH_BYTES], const char *name);
/* Write a file of the home. 0, or -1 after saying who may write where. */
int home_put(const struct setup *setup, const char *name, const void *bytes, size_t length,
	     unsigned mode);
/* The planet of ZTNC_ROOT (container/root.c). */
int root_prepare(const struct setup *setup);
/* settings of local.conf from the variables (container/localconf.c). */
int localconf_prepare(const struct setup *setup);

/* A whole small file as text; *text is owned by the caller, NUL-terminated. 0 or -errno. */
int file_slurp(const char *path, char **text, size_t *length);
/* Write beside and rename. 0 or -errno. */
int file_replace(const char *path, const void *bytes, size_t length, unsigned mode);

/* Run the service and, once its network is usable, the program; both end together. Returns the
 * status to exit with: the program's, 128+n if a signal ended it. */
int supervise(struct setup *setup, char *const *program);

#endif
