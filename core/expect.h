/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Which replies we expect (vl1 10.4): the on-wire ids of requests sent lately.
 *
 * How this works: 512 buckets of 16 entries, chosen by the (random) id; a new entry overwrites the
 * oldest of its bucket. An entry is bound to the peer asked and to the verb (vl1 19.4), and stays
 * valid for a minute however many OKs come: copies of one HELLO leave from several sockets and each
 * is answered. After that a recorded OK cannot be replayed to us from elsewhere to teach a false
 * path.
 */
#ifndef ZT_EXPECT_H
#define ZT_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

enum { EXPECT_ENTRIES = 8192, EXPECT_AGE_MS = 60000 };

struct expect;

struct expect *expect_new(void);
void expect_free(struct expect *expect);
void expect_add(struct expect *expect, uint64_t id, uint64_t peer, uint8_t verb, int64_t now_ms);
/* Did we send `id` to `peer`? *verb becomes the verb that was sent. */
bool expect_find(const struct expect *expect, uint64_t id, uint64_t peer, int64_t now_ms,
		 uint8_t *verb);

#endif
