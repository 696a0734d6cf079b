/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The ZeroTier node as a pure state machine: the header the rest of the program includes.
 *
 * Bytes, frames and the time go in; bytes, frames, events and the next deadline come out. The node
 * never does I/O, never asks a clock, holds no global. Everything it wants to send is appended to a
 * transmit arena that the caller owns and empties at the end of its turn (design D1, D5). Callbacks
 * get borrowed memory that is valid for the call only, and must not call back into the node unless
 * a comment here says that they may.
 *
 * The pure formats (identity.h, endpoint.h, world.h, dict.h, com.h, cred.h, netconf.h, addr.h) are
 * public beside this header: the controller and the idtool use them.
 */
#ifndef ZT_ZT_H
#define ZT_ZT_H

#include "core/endpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZT_MUST_CHECK __attribute__((warn_unused_result))

enum zt_err {
	ZT_OK = 0,
#define X(name, code, text) ZT_E_##name = -(code),
#include "core/err.def"
#undef X
};

/* One sentence for a (negative) zt_err; never NULL. */
const char *zt_err_text(int err);

enum {
	ZT_VERSION_PROTOCOL = 12, /* decision S22 */
	ZT_VERSION_MAJOR = 1,
	ZT_VERSION_MINOR = 14,
	ZT_VERSION_REVISION = 1,

	ZT_MAX_DATAGRAM_BYTES = 10324, /* largest UDP payload looked at */
	ZT_MAX_FRAME_BYTES = 10014,    /* Ethernet header and the largest payload */
	ZT_MAX_PATHS = 64,             /* per peer, vl1 15.11 */
	ZT_MAX_ADDRESSES = 32,         /* assigned per network */
	ZT_MAX_ROUTES = 128,
	ZT_MAX_DNS_SERVERS = 4,
	ZT_MAX_PHYSICAL = 32, /* networks of local.conf, vl1 16.2 */
	ZT_MAX_HINTS = 64,
	ZT_MAX_MOONS = 16,  /* each costs 17 bytes of every HELLO */
	ZT_SOCKET_ALL = -1, /* every bound socket of the endpoint's family */
	ZT_SOCKET_RELAY =
	    -2, /* the TCP relay (vl1 18); the node keeps paths of it like any other */
};

/* mono_ms drives timers; wall_ms (ms since 1970) appears in the protocol. */
struct zt_now {
	int64_t mono_ms;
	int64_t wall_ms;
};

/* ---- datagrams ---------------------------------------------------------------------------- */

/* A received UDP payload. The node may scribble over `bytes` (packets are opened in place). */
struct zt_datagram {
	struct zt_endpoint from;
	int32_t socket; /* the caller's number of the local socket */
	uint32_t length;
	uint8_t *bytes;
};

/* One datagram to send: `length` bytes at arena.bytes + offset. */
struct zt_tx {
	struct zt_endpoint to;
	int32_t socket; /* local socket, or ZT_SOCKET_ALL */
	uint32_t offset;
	uint16_t length;
	uint8_t ttl; /* 0 = the socket's own */
};

/* Caller's memory. Datagrams of one burst to one destination lie back to back, so that runs of
 * equal length can leave as one UDP_SEGMENT send. */
struct zt_arena {
	uint8_t *bytes;
	size_t capacity, used;
	struct zt_tx *tx;
	size_t tx_capacity, tx_count;
};

/* ---- jobs: pure work for another thread (decision S19) -------------------------------------- */

enum zt_job_kind {
	ZT_JOB_IDENTITY_HASH, /* input: 64 public key bytes; output: the 64-byte memory-hard hash */
};

struct zt_job {
	uint64_t id; /* the node's own; opaque */
	enum zt_job_kind kind;
	uint8_t input[64];
	uint8_t output[64];
};

/* Do the work. Pure; any thread; takes 5 to 60 ms. */
void zt_job_run(struct zt_job *job);

/* ---- callbacks ------------------------------------------------------------------------------ */

enum zt_level { ZT_LOG_ERROR, ZT_LOG_WARN, ZT_LOG_INFO, ZT_LOG_DEBUG };

/* What the node asks to be remembered. `id` names the object; NULL bytes mean: forget it. */
enum zt_store {
	ZT_STORE_PLANET,  /* id 0; world binary */
	ZT_STORE_MOON,    /* id = world id */
	ZT_STORE_PEER,    /* id = address; peers.d cache record (vl1 18a) */
	ZT_STORE_NETWORK, /* id = network id; config dictionary for networks.d/<nwid>.conf */
};

enum zt_event_kind {
	ZT_EVENT_ONLINE, /* an upstream answered */
	ZT_EVENT_OFFLINE,
	ZT_EVENT_IDENTITY_COLLISION, /* an upstream says that our address is taken: fatal */
	ZT_EVENT_NETWORK,            /* id = nwid: status, configuration or addresses changed */
	ZT_EVENT_PEER_PATH,          /* id = address: a direct path was learnt */
	ZT_EVENT_PLANET,             /* the planet was replaced by an update */
	ZT_EVENT_MOON,               /* id = world id: a moon arrived or was replaced */
};

struct zt_event {
	enum zt_event_kind kind;
	uint64_t id;
};

/* An Ethernet frame (14-byte header first). Inbound it is borrowed from the packet it came in. */
struct zt_frame {
	const uint8_t *bytes;
	uint32_t length;
	bool is_authentic; /* inbound: source MAC is the sending member's own */
};

/* Somebody asks us, a controller, for a network's configuration (vl2 3.1). */
struct zt_config_request {
	uint64_t nwid;
	uint64_t member;         /* node address */
	uint64_t packet_id;      /* of the request; 0 never */
	const uint8_t *identity; /* the member's public identity, binary, 71 bytes */
	const uint8_t *metadata; /* dictionary, vl2 3.1 */
	size_t metadata_length;
	uint64_t revision, timestamp; /* of the configuration that it holds */
};

struct zt_callbacks {
	void (*random)(void *context, void *out, size_t length);
	void (*log)(void *context, enum zt_level level, const char *text);
	/* The arena is full: send it and reset `used` and `tx_count`. If it stays full, packets
	 * drop. */
	void (*arena_full)(void *context);
	/* Queue a copy of the job; zt_job_done later. False = queue full: the node drops and
	 * counts. */
	bool (*job)(void *context, const struct zt_job *job);
	void (*store)(void *context, enum zt_store kind, uint64_t id, const void *bytes,
		      size_t length);
	/* May call the view functions. */
	void (*event)(void *context, const struct zt_event *event);
	/* Frames for a joined network. May call zt_send_frames for any network. */
	void (*frames_in)(void *context, uint64_t nwid, const struct zt_frame *frames,
			  size_t count);
	/* May this physical address be used for this peer (local.conf)? NULL = always. */
	bool (*path_allowed)(void *context, uint64_t peer, const struct zt_endpoint *endpoint);
	/* NULL when this node is no controller. May call zt_config_* and zt_credentials_send. */
	void (*config_request)(void *context, const struct zt_config_request *request);
};

/* ---- the node ------------------------------------------------------------------------------- */

struct zt_node;

struct zt_config {
	const char
	    *identity_secret; /* text form; must validate (the caller ran identity_validate) */
	const void *planet;   /* world binary or NULL: no upstream */
	size_t planet_length;
	bool loopback_ok;                     /* decision S20 */
	const struct zt_callbacks *callbacks; /* must outlive the node */
	void *context;
	struct zt_arena *arena; /* must outlive the node */
};

/* Create a node. ZT_E_BAD_IDENTITY, ZT_E_MALFORMED (planet), ZT_E_NO_MEMORY. */
int zt_node_new(const struct zt_config *config, struct zt_now now,
		struct zt_node **out) ZT_MUST_CHECK;
/* Stores the peer cache through the callback, wipes keys, frees. NULL is fine. */
void zt_node_free(struct zt_node *node, struct zt_now now);

/* Handle received datagrams, oldest first. Never fails: bad ones are dropped and counted. */
void zt_recv(struct zt_node *node, struct zt_now now, struct zt_datagram *datagrams, size_t count);
/* Run what is due. Call when zt_deadline() has come. */
void zt_tick(struct zt_node *node, struct zt_now now);
/* When zt_tick is next wanted, on the monotonic scale. */
int64_t zt_deadline(const struct zt_node *node);
void zt_job_done(struct zt_node *node, struct zt_now now, const struct zt_job *job);

/* Our own bound addresses, pushed to trusted peers (vl1 12.3). Copied. */
void zt_local_endpoints_set(struct zt_node *node, const struct zt_endpoint *endpoints,
			    size_t count);
/* This local socket is no more, or what it says comes from another outside address now: its paths
 * are forgotten, and everybody is greeted anew. */
void zt_socket_gone(struct zt_node *node, int32_t socket);
/* A peers.d record from disk (vl1 18a): HELLO goes to its addresses. */
int zt_peer_restore(struct zt_node *node, struct zt_now now, const void *bytes, size_t length);

/* Store every peer now, as when the node is freed. */
void zt_peers_save(const struct zt_node *node);

/* ---- what the operator knows of the physical network (vl1 16) -------------------------------- */

/* Of several networks that hold an address, the first counts. */
struct zt_physical {
	struct zt_endpoint net;   /* port = prefix length */
	uint64_t trusted_path_id; /* 0 = none; else packets to and from there go in the clear */
	uint16_t mtu;             /* UDP payload, clamped to 1400..10324; 0 = 1432 */
};
/* Copied; at most ZT_MAX_PHYSICAL count. In force for known paths, too. */
void zt_physical_set(struct zt_node *node, const struct zt_physical *list, size_t count);

/* The route to an address, from this socket, takes datagrams of at most that many bytes (UDP
 * payload; the route's MTU less 28 or 48): packets of that path are cut smaller from now on, never
 * below 548. True if that is news, false if it was known or there is no such path. Forgotten with
 * the path. May be called from arena_full. */
bool zt_path_limit(struct zt_node *node, int32_t socket, const struct zt_endpoint *to,
		   uint16_t bytes);

/* Where a peer may be when it has no path (vl1 10.5). */
struct zt_hint {
	uint64_t peer;
	struct zt_endpoint at;
};
/* Copied; at most ZT_MAX_HINTS count. */
void zt_hints_set(struct zt_node *node, const struct zt_hint *list, size_t count);

/* Less is said unasked: upstreams out of reach are tried each 25 s, our addresses are told to
 * direct peers each 32 minutes (vl1 12.1, 12.3). */
void zt_low_bandwidth_set(struct zt_node *node, bool is_low);

/* ---- networks ------------------------------------------------------------------------------- */

/* Join. `cached` is the networks.d dictionary, or NULL. ZT_E_EXISTS, ZT_E_NO_MEMORY; a malformed
 * cache is ignored with a warning. */
int zt_join(struct zt_node *node, struct zt_now now, uint64_t nwid, const void *cached,
	    size_t cached_length) ZT_MUST_CHECK;
/* ZT_E_NOT_FOUND. */
int zt_leave(struct zt_node *node, struct zt_now now, uint64_t nwid);
/* Ethernet frames from the stack of a joined network. */
void zt_send_frames(struct zt_node *node, struct zt_now now, uint64_t nwid,
		    const struct zt_frame *frames, size_t count);
/* Subscribe to a group (vl2 8). Idempotent. mac: 48 bits. */
int zt_multicast_join(struct zt_node *node, struct zt_now now, uint64_t nwid, uint64_t mac,
		      uint32_t adi);
void zt_multicast_leave(struct zt_node *node, uint64_t nwid, uint64_t mac, uint32_t adi);

/* ---- moons (vl1 11) ------------------------------------------------------------------------- */

struct world; /* core/world.h */

/* A world of moons.d, trusted as that file is; its roots become upstreams. Nothing is stored.
 * ZT_E_MALFORMED, ZT_E_EXISTS (what is in force is as new, or signed the next one differently),
 * ZT_E_NO_ROOM, ZT_E_NO_MEMORY. */
int zt_moon_add(struct zt_node *node, struct zt_now now, const void *bytes,
		size_t length) ZT_MUST_CHECK;
/* Want the moon of that id, whose root `seed` is: asked for until it comes, stored then.
 * ZT_E_MALFORMED (zero or reserved numbers), ZT_E_EXISTS (it is here), ZT_E_NO_ROOM. */
int zt_moon_orbit(struct zt_node *node, struct zt_now now, uint64_t id,
		  uint64_t seed) ZT_MUST_CHECK;
/* Follow it no more; its stored file is forgotten. ZT_E_NOT_FOUND. */
int zt_moon_deorbit(struct zt_node *node, struct zt_now now, uint64_t id);

struct zt_moon_view {
	uint64_t id, seed;         /* seed 0: it came from a file */
	const struct world *world; /* borrowed; NULL: wanted, not here yet */
};
/* Moons in ascending order of id; false past the last one. */
bool zt_moon_view(const struct zt_node *node, size_t index, struct zt_moon_view *out);

/* ---- the controller's side ------------------------------------------------------------------ */

/* Where a controller's answer goes. request_id 0 = push (NETWORK_CONFIG), else OK or ERROR to it.
 */
struct zt_reply_to {
	uint64_t member, nwid, request_id;
};

/* Send one signed CHUNK (vl2 3.3), as made by netconf_chunk_write. */
void zt_config_send(struct zt_node *node, struct zt_now now, const struct zt_reply_to *to,
		    const void *chunk, size_t length);
/* Refuse: code is 3, 5, 7 or 9 of vl2 3.2; login_url for code 9 (at most ZT_MAX_LOGIN_URL - 1
 * bytes, a longer one is left out), else NULL. */
void zt_config_refuse(struct zt_node *node, struct zt_now now, const struct zt_reply_to *to,
		      uint8_t code, const char *login_url);
/* Send a NETWORK_CREDENTIALS payload (vl2 5.3) to a member, if it is a known peer. */
void zt_credentials_send(struct zt_node *node, struct zt_now now, uint64_t member,
			 const void *payload, size_t length);

/* ---- read-only views ------------------------------------------------------------------------ */

struct zt_status {
	uint64_t address;
	char identity_public[160]; /* text */
	bool is_online, is_root;
	uint64_t planet_id, planet_timestamp;
};

struct zt_path_view {
	struct zt_endpoint endpoint;
	int64_t last_send_ms, last_receive_ms; /* monotonic; 0 = never */
	int32_t socket;
	uint64_t trusted_path_id;
	bool is_active, is_expired, is_preferred;
};

/* A histogram of round trips: how many took at most the bound; one more bucket for the rest. */
#define ZT_LATENCY_BOUNDS_MS 1, 3, 6, 10, 30, 60, 100, 300, 600, 1000
enum { ZT_LATENCY_BUCKETS = 11 };
struct zt_latencies {
	uint64_t sum_ms;
	uint64_t counts[ZT_LATENCY_BUCKETS]; /* not cumulative */
};

enum zt_role { ZT_ROLE_LEAF, ZT_ROLE_MOON, ZT_ROLE_PLANET };

struct zt_peer_view {
	uint64_t address;
	int version_major, version_minor, version_revision, version_protocol; /* -1 unknown */
	int latency_ms;                                                       /* -1 unknown */
	enum zt_role role;
	uint64_t packets_in, packets_out, packet_errors; /* errors: authentic, yet malformed */
	struct zt_latencies latencies;
	size_t path_count;
	struct zt_path_view paths[ZT_MAX_PATHS];
};

/* Numbers as vl2 3.5. */
enum zt_network_status {
	ZT_NETWORK_REQUESTING_CONFIGURATION = 0,
	ZT_NETWORK_OK = 1,
	ZT_NETWORK_ACCESS_DENIED = 2,
	ZT_NETWORK_NOT_FOUND = 3,
	ZT_NETWORK_PORT_ERROR = 4,
	ZT_NETWORK_CLIENT_TOO_OLD = 5,
	ZT_NETWORK_AUTHENTICATION_REQUIRED = 6,
};

struct zt_route {
	struct zt_endpoint target; /* port = prefix length */
	struct zt_endpoint via;    /* family 0 = on link */
	uint16_t flags, metric;
};

struct zt_group {
	uint64_t mac;
	uint32_t adi;
};

enum { ZT_MAX_GROUPS_VIEWED = 256, ZT_MAX_LOGIN_URL = 512 };

struct zt_network_view {
	uint64_t nwid, mac;
	enum zt_network_status status;
	bool is_private, is_bridge, is_broadcast_enabled;
	uint32_t mtu;
	uint64_t revision;
	char name[128];
	size_t address_count;
	struct zt_endpoint addresses[ZT_MAX_ADDRESSES]; /* port = prefix length */
	size_t route_count;
	struct zt_route routes[ZT_MAX_ROUTES];
	size_t group_count;
	struct zt_group groups[ZT_MAX_GROUPS_VIEWED];
	uint64_t frames_in, frames_out;   /* that the rules let pass */
	uint64_t refused_in, refused_out; /* that they forbade */
	int64_t heard_ms;       /* monotonic: last configuration from the controller; 0 = never */
	int64_t clock_skew_ms;  /* the controller's clock minus ours, then */
	bool has_login;         /* the network wants a sign-on */
	int64_t login_until_ms; /* wall clock, of the last one; 0 = not known */
	char login_url[ZT_MAX_LOGIN_URL];
	char dns_domain[129];
	size_t dns_count;
	struct zt_endpoint dns[ZT_MAX_DNS_SERVERS];
};

void zt_status(const struct zt_node *node, struct zt_status *out);
/* Peers and networks in ascending order of address; false past the last one. */
bool zt_peer_view(const struct zt_node *node, struct zt_now now, size_t index,
		  struct zt_peer_view *out);
bool zt_peer_find(const struct zt_node *node, struct zt_now now, uint64_t address,
		  struct zt_peer_view *out);
bool zt_network_view(const struct zt_node *node, size_t index, struct zt_network_view *out);
bool zt_network_find(const struct zt_node *node, uint64_t nwid, struct zt_network_view *out);
/* External addresses that peers reported (vl1 13); returns how many were written. */
size_t zt_surface_addresses(const struct zt_node *node, struct zt_endpoint *out, size_t max);

/* One counter per kind of thing that happened or was refused; names in core/counters.def. */
enum zt_counter {
#define X(name, text) ZT_COUNT_##name,
#include "core/counters.def"
#undef X
	ZT_COUNTERS
};
/* Packets by verb and ERROR packets by code (vl1 4.1, 9.4): [ZT_IN] received, [ZT_OUT] sent. */
enum { ZT_IN, ZT_OUT, ZT_TALLY_VERBS = 32, ZT_TALLY_ERRORS = 16 };
struct zt_tally {
	uint64_t packets[2][ZT_TALLY_VERBS];
	uint64_t errors[2][ZT_TALLY_ERRORS];
};
const struct zt_tally *zt_tally(const struct zt_node *node);
/* The identity of a known peer or of ourselves as text. False: not known. */
bool zt_identity_find(const struct zt_node *node, uint64_t address, char out[160]);
/* Has `address` proved to us that it is a member of this joined network? */
bool zt_member_is_proved(const struct zt_node *node, uint64_t nwid, uint64_t address);

uint64_t zt_counter(const struct zt_node *node, enum zt_counter counter);
const char *zt_counter_name(enum zt_counter counter);

#endif
