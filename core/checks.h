/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Identities of strangers on their way through the expensive hash (decision S19). */
#ifndef ZT_CHECKS_H
#define ZT_CHECKS_H

#include "core/rx_impl.h"

struct checks *checks_new(void);
void checks_free(struct checks *checks);

/* Would checks_hello take this identity on now? A stranger whose identity cannot be looked at need
 * not cost a key agreement, nor its neighbourhood the turn at gate 15.1. */
bool checks_have_room(const struct zt_node *node, struct zt_now now,
		      const struct identity *identity);
/* A HELLO whose MAC is right; `key` is taken over. When the identity proves valid, its sender
 * becomes a peer and the HELLO is handled. Known good identities pass at once. */
void checks_hello(struct zt_node *node, struct zt_now now, const struct rx_packet *packet,
		  const struct identity *identity, struct crypt_key *key);
/* An identity that an upstream told us. */
void checks_whois(struct zt_node *node, struct zt_now now, const struct identity *identity);
/* zt_job_done */
void checks_done(struct zt_node *node, struct zt_now now, const struct zt_job *job);

#endif
