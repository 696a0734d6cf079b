/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Everything the daemon holds. Built by main.c top to bottom, torn down in reverse. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "core/zt.h"
#include "service/loop.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct net;
struct udp;
struct http;
struct worker;
struct sandbox;
struct controller;
struct controller_store;

/* What local.conf's settings.netcon and the command line say; see options.c and localconf.c. */
struct settings {
	uint16_t primary_port;
	bool primary_port_is_random;
	char bind[8][64]; /* addresses to bind instead of scanning interfaces */
	size_t bind_count;
	char management[16][64]; /* allowManagementFrom, "ip/bits" */
	size_t management_count;
	mode_t socket_mode;	/* of nc/<nwid>/sock; default 0660 (decision S4) */
	uid_t allow_uids[32];	/* settings.netcon.allow */
	size_t allow_uid_count;
	gid_t allow_gids[32];
	size_t allow_gid_count;
	bool use_sandbox;
};

struct service {
	char home[400];
	gid_t home_gid;
	struct settings settings;
	json_t *local_conf; /* as read; never NULL once started */
	char token[32];	    /* authtoken.secret */
	uint8_t boot_id[16];
	struct loop *loop;
	struct worker *worker;
	struct udp *udp;
	struct http *http;
	struct zt_node *node;
	struct zt_arena arena;
	struct controller *controller;
	struct controller_store *store;
	struct net *networks;
	uint64_t address; /* our node address */
	int fd_reserve;	  /* descriptors kept back (decision S6) */
	unsigned fd_capacity; /* what the virtual sockets may use */
	unsigned fd_used;     /* what they use now */
	int exit_code;
};

#endif
