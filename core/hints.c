/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/hints.h"

#include "core/keepalive.h"
#include "core/reach.h"

void zt_hints_set(struct zt_node *node, const struct zt_hint *list, size_t count)
{
	node->hint_count = count < ZT_MAX_HINTS ? count : ZT_MAX_HINTS;
	for (size_t i = 0; i < node->hint_count; i++) {
		node->hints[i] = list[i];
	}
}

void hints_try(struct zt_node *node, struct zt_now now, struct peer *peer)
{
	if (node->hint_count == 0 || !limit_gate(&peer->last_hints_ms, now.mono_ms, HINTS_MS)) {
		return;
	}
	for (size_t i = 0; i < node->hint_count; i++) {
		const struct zt_hint *hint = &node->hints[i];
		const struct tx_to to = { .to = hint->at, .socket = ZT_SOCKET_ALL };
		bool is_loopback = endpoint_scope(&hint->at) == SCOPE_LOOPBACK;
		if (hint->peer == peer->identity.address &&
		    reach_allows(node, peer, &hint->at, is_loopback)) {
			contact_hello(node, now, peer, &to, false);
		}
	}
}
