/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The way around a network that lets no UDP through: a TCP connection to a relay that the operator
 * names (vl1 18; decision 150: there is no built-in one).
 *
 * How this works: while datagrams go to global IPv4 addresses and nothing global has come back for
 * a minute, or always if it is forced, a connection is kept, and every datagram for a global
 * address goes both ways. What comes back has the socket ZT_SOCKET_RELAY, and so do the paths that
 * the node learns from it. The first global datagram by UDP ends all that. Forced, UDP is neither
 * sent nor read.
 *
 * The connection is optional in every respect: it fails, it is made again after 1 to 60 s, and what
 * does not fit the queue is dropped as a router would.
 */
#ifndef SERVICE_TCPRELAY_H
#define SERVICE_TCPRELAY_H

#include "core/zt.h"
#include "service/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct service;
struct settings;
struct tcprelay;

enum {
	TCPRELAY_SILENCE_MS = 60000, /* of UDP, before the relay is asked */
	TCPRELAY_CONNECT_MS = 10000,
	TCPRELAY_RETRY_MIN_MS = 1000,
	TCPRELAY_RETRY_MAX_MS = 60000,
	TCPRELAY_QUEUE_BYTES = 64 * 1024,
};

/* NULL without memory. The settings are asked each time, so a reload needs no call. */
struct tcprelay *tcprelay_new(struct service *service);
void tcprelay_free(struct tcprelay *relay);

/* Datagrams on their way out, by whatever socket: those the relay takes are queued. Returns true if
 * they must not go by UDP as well. */
bool tcprelay_send(struct tcprelay *relay, const uint8_t *bytes, const struct zt_tx *tx,
		   size_t count);
/* Datagrams that came by UDP. Returns true if they must be ignored. */
bool tcprelay_heard_udp(struct tcprelay *relay, const struct zt_datagram *datagrams, size_t count);

/* WATCH_TCP_RELAY. */
void tcprelay_on_ready(struct watch *w, uint32_t events);
/* Open or close what is due, write what is queued. */
void tcprelay_advance(struct tcprelay *relay, int64_t now_ms);
int64_t tcprelay_deadline(const struct tcprelay *relay);

/* Has the relay been connected and does it carry our datagrams now? */
bool tcprelay_is_active(const struct tcprelay *relay);

struct tcprelay_stats {
	uint64_t bytes_in, bytes_out, packets_in, packets_out;
	uint64_t dropped;  /* packets that did not fit the queue */
	uint64_t ignored;  /* messages without a packet for us */
	uint64_t connects; /* connections made */
	uint64_t failures; /* ... that could not be, or broke */
};
const struct tcprelay_stats *tcprelay_stats(const struct tcprelay *relay);

/* ---- the rule, by itself -------------------------------------------------------------------- */

struct tcprelay_times {
	int64_t first_send_ms; /* the first datagram to a global IPv4 address since a global one
				  came by UDP; INT64_MAX = none */
};
bool tcprelay_is_wanted(const struct settings *settings, const struct tcprelay_times *times,
			int64_t now_ms);

#endif
