/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* A physical IP address and port, or in network contexts an IP address and prefix length (vl1 8).
 */
#ifndef ZT_ENDPOINT_H
#define ZT_ENDPOINT_H

#include "base/rd.h"
#include "base/wr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zt_endpoint {
	uint8_t ip[16]; /* IPv4: the first four bytes, the rest zero */
	uint16_t port;  /* host order; a prefix length where the context says so */
	uint8_t family; /* 0 = none, 4 or 6 */
};

/* Address scopes; larger = nearer (vl1 8.2). */
enum endpoint_scope {
	SCOPE_NONE = 0,
	SCOPE_MULTICAST = 1,
	SCOPE_LOOPBACK = 2,
	SCOPE_PSEUDO_PRIVATE = 3,
	SCOPE_GLOBAL = 4,
	SCOPE_LINK_LOCAL = 5,
	SCOPE_SHARED = 6,
	SCOPE_PRIVATE = 7,
};

enum { ENDPOINT_TEXT_MAX = 64 };

/* Wire form, vl1 8.1. Types 1 to 3 are skipped and read as family 0; 0 or
 * ZT_E_SHORT/ZT_E_MALFORMED. */
int endpoint_read(struct rd *r, struct zt_endpoint *out);
void endpoint_write(struct wr *w, const struct zt_endpoint *e);
/* "ip/port"; family 0 gives "". Returns `out`. */
const char *endpoint_text(const struct zt_endpoint *e, char out[ENDPOINT_TEXT_MAX]);
/* "ip" alone. */
const char *endpoint_ip_text(const struct zt_endpoint *e, char out[ENDPOINT_TEXT_MAX]);
/* "ip/number" or "ip" (number 0). False if it is neither; *out untouched then. */
bool endpoint_parse(const char *text, struct zt_endpoint *out);
bool endpoint_equal(const struct zt_endpoint *a, const struct zt_endpoint *b);
bool endpoint_ip_equal(const struct zt_endpoint *a, const struct zt_endpoint *b);
enum endpoint_scope endpoint_scope(const struct zt_endpoint *e);
/* May it serve as a path (vl1 8.2)? Loopback is decided elsewhere (decision S20). */
bool endpoint_path_ok(const struct zt_endpoint *e);
/* Is the IP inside `net` (port = prefix length)? */
bool endpoint_within(const struct zt_endpoint *ip, const struct zt_endpoint *net);

#endif
