/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Everything the daemon holds. Built by main.c top to bottom, torn down in reverse. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "core/zt.h"
#include "service/loop.h"
#include "service/notify.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct net;
struct udp;
struct portmap;
struct hold;
struct http;
struct worker;
struct sandbox;
struct controller;
struct controller_store;
struct handover;
struct inherited;

enum {
	SETTINGS_MAX_BIND = 8,
	SETTINGS_MAX_MANAGEMENT = 16,
	SETTINGS_MAX_PREFIXES = 16,
	SETTINGS_MAX_IDS = 32,
	SETTINGS_MAX_PATH_RULES = 64,
};

/* A physical network that must not be used: for every peer (peer 0, "physical") or one ("virtual").
 */
struct path_rule {
	uint64_t peer;
	struct zt_endpoint net; /* port = prefix length */
};

/* What local.conf and the command line say; see options.c and localconf.c. */
struct settings {
	uint16_t primary_port;
	bool primary_port_is_random;
	bool allow_secondary_port;
	uint16_t secondary_port;                    /* 0 = random */
	bool allow_port_mapping;                    /* portMappingEnabled */
	uint16_t tertiary_port;                     /* 0 = random */
	struct zt_endpoint bind[SETTINGS_MAX_BIND]; /* bind these instead of scanning interfaces */
	size_t bind_count;
	struct zt_endpoint
	    management[SETTINGS_MAX_MANAGEMENT]; /* allowManagementFrom; port = bits */
	size_t management_count;
	char prefixes[SETTINGS_MAX_PREFIXES][16]; /* interfacePrefixBlacklist */
	size_t prefix_count;
	struct path_rule path_rules[SETTINGS_MAX_PATH_RULES];
	size_t path_rule_count;
	struct zt_physical physical[ZT_MAX_PHYSICAL]; /* MTU and trusted paths */
	size_t physical_count;
	struct zt_hint hints[ZT_MAX_HINTS]; /* virtual.*.try */
	size_t hint_count;
	bool is_low_bandwidth;
	int log_level;                      /* settings.netcon.logLevel: enum log_level */
	mode_t socket_mode;                 /* of nc/<nwid>/sock; default 0660 (decision S4) */
	uid_t allow_uids[SETTINGS_MAX_IDS]; /* settings.netcon.allow */
	size_t allow_uid_count;
	gid_t allow_gids[SETTINGS_MAX_IDS];
	size_t allow_gid_count;
	bool use_sandbox;
	struct zt_endpoint tcp_relay; /* tcpFallbackRelay; family 0 = none (decision 150) */
	bool allow_tcp_relay, force_tcp_relay;
};

struct service {
	char home[400];
	gid_t home_gid;
	struct settings settings;
	struct settings
	    base;           /* defaults and command line: what a reload of local.conf starts from */
	json_t *local_conf; /* as read; never NULL once started */
	char token[128];    /* authtoken.secret */
	char metrics_token[128]; /* metricstoken.secret: opens /metrics only */
	uint8_t boot_id[16];
	struct loop *loop;
	struct worker *worker;
	struct udp *udp;
	struct tcprelay *tcprelay; /* NULL = no memory for one */
	struct portmap *portmap;   /* NULL: this program was built without */
	struct http *http;
	struct hold *holds; /* askers that wait (hold.h) */
	unsigned hold_count;
	bool is_http_due; /* an asker goes on: libmicrohttpd is to be run without an event */
	struct zt_node *node;
	struct zt_arena arena;
	struct controller *controller;
	struct controller_store *store;
	struct net *networks;
	uint64_t address;      /* our node address */
	bool loopback_ok;      /* decision S20 */
	bool is_sandboxed;     /* the filter of system calls is in force */
	bool is_identity_lost; /* an upstream says that our address is taken: stop */
	struct notify notify;  /* the service manager that started us */
	int signal_fd;
	struct watch signal_watch;
	struct watch home_watch; /* inotify on the home directory */
	int lock_fd;             /* holds HOME/zerotier-one.lock */
	int fd_reserve;          /* descriptors kept back (decision S6) */
	unsigned fd_capacity;    /* what the virtual sockets may use */
	unsigned fd_used;        /* what they use now */
	int exit_code;
	int supervisor_fd;              /* to the supervisor; -1 = none */
	struct handover *handover;      /* a restart under way, or none (handover.h) */
	struct inherited *inherited;    /* what a predecessor hands over, until it is gone */
	struct handover_out *peers_out; /* peers are written there instead of to peers.d */
};

#endif
