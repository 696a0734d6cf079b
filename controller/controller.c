/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Birth, death and the clock of the controller; see controller.h.
 *
 * How this works: store.c holds the records, request.c decides who gets a configuration, queue.c
 * builds a bounded number per turn and has them signed by jobs (sign.c), revoke.c tells a network
 * about members that left it, api.c is the operator's side. */
#include "controller/plan.h"

#include <stdlib.h>

int controller_new(const struct controller_config *config, struct zt_now now,
		   struct controller **out)
{
	struct controller *c = calloc(1, sizeof(*c));
	if (!c) {
		return ZT_E_NO_MEMORY;
	}
	if (identity_parse(config->identity_secret, &c->identity) != 0 || !c->identity.has_secret) {
		free(c);
		return ZT_E_BAD_IDENTITY;
	}
	c->callbacks = config->callbacks;
	c->store = config->store;
	c->context = config->context;
	c->now = now;
	c->started_ms = now.mono_ms;
	link_head_init(&c->unsaved);
	link_head_init(&c->removals);
	link_head_init(&c->queue);
	link_head_init(&c->revocations);
	link_head_init(&c->broadcasts);
	records_load(c);
	*out = c;
	return 0;
}

void controller_save(struct controller *c)
{
	records_save(c, SIZE_MAX);
}

void controller_free(struct controller *c, struct zt_now now)
{
	if (!c) {
		return;
	}
	c->now = now;
	records_save(c, SIZE_MAX);
	queue_free(c);
	records_free(c);
	identity_wipe(&c->identity);
	free(c);
}

void controller_tick(struct controller *c, struct zt_now now)
{
	c->now = now;
	queue_run(c);
}

int64_t controller_deadline(const struct controller *c)
{
	return queue_deadline(c);
}
