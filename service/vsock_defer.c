/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* TCP_DEFER_ACCEPT: a connection is handed to accept() with its first bytes
 * (spec/intercept.md 3.6).
 *
 * How this works: the handshake is done by the stack; the connection then waits here, apart from
 * the accept queue and not counted in it, as Linux's request sockets do. Bytes or a FIN make it
 * ripe. So does time: Linux then takes the client's next acknowledgement for an answer. A reset
 * ends it unseen. Short cuts are never deferred: nobody but the two programs sees their bytes.
 */
#include "service/vsock.h"

#include "service/service.h"

bool vsock_defer(struct vsock *listener, struct vsock *s)
{
	struct vsock_list *list = &listener->listener->deferred;
	if (listener->opts.defer_accept_s == 0 ||
	    list->count > (size_t)listener->listener->backlog + VSOCK_OVER_BACKLOG_MAX) {
		return false;
	}
	s->is_waiting_record = s->is_deferred = true;
	s->queued_at = listener;
	VSOCK_LIST_ADD(list, s, queue);
	vsock_timer_set(s, vhost_now(s->vhost) + (int64_t)listener->opts.defer_accept_s * 1000);
	return true;
}

void vsock_ripe(struct vsock *s)
{
	if (!s->is_deferred) {
		return;
	}
	struct vsock *listener = s->queued_at;
	VSOCK_LIST_REMOVE(&listener->listener->deferred, s, queue);
	s->is_deferred = false;
	vsock_timer_clear(s);
	vsock_queue_accept(listener, s);
}
