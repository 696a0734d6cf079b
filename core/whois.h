/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Identities that we are asking an upstream for (vl1 9.5). The asking itself is node_whois. */
#ifndef ZT_WHOIS_H
#define ZT_WHOIS_H

#include "core/node_impl.h"

struct whois *whois_new(void);
void whois_free(struct whois *whois);
struct deadline *whois_deadline(struct whois *whois);

/* Ask because a stranger's packet came: the same as node_whois, under a limit of its own, since
 * anybody can invent sources. */
void whois_stranger(struct zt_node *node, struct zt_now now, uint64_t address);
/* Are we asking for it? */
bool whois_is_wanted(const struct whois *whois, struct zt_now now, uint64_t address);
/* It became known. */
void whois_known(struct zt_node *node, uint64_t address);
/* An upstream became reachable: ask at once for all. */
void whois_kick(struct zt_node *node, struct zt_now now);
/* DUE_WHOIS. */
void whois_due(struct zt_node *node, struct zt_now now);

#endif
