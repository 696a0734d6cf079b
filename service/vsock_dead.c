/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Sockets whose program has closed them, before epoll says so (decision 181).
 *
 * How this works: close() is the kernel's, so we learn of it by an event, and a bind() or connect()
 * that the program makes right afterwards may be read before that event. On Linux the port is free
 * by then. So where a dead socket would make a difference (a port in use, a listener to connect
 * to), the kernel is asked.
 */
#include "service/vsock.h"

#include <errno.h>
#include <poll.h>

bool vsock_is_closed(const struct vsock *s)
{
	struct pollfd p = { .fd = s->watch.fd, .events = 0 };
	return s->watch.fd >= 0 && !s->is_shortcut && poll(&p, 1, 0) == 1 &&
	       (p.revents & POLLHUP) != 0;
}

/* Dead without our having known, or known to be and not had its turn. */
static bool is_dead(const struct vsock *s)
{
	return s->has_b_hup ? s->state != VSOCK_ESTABLISHED || s->ready.is_linked
			    : vsock_is_closed(s);
}

static struct vsock *find_dead(const struct vhost *vhost, uint16_t port)
{
	for (struct vsock *s = vhost->all.first; s; s = s->all.next) {
		if (s->port.bucket && s->port.place.port == port && is_dead(s)) {
			return s;
		}
	}
	return NULL;
}

bool vsock_bury(struct vhost *vhost, uint16_t port)
{
	bool has_any = false;
	/* From the start after each: the end of a listener ends others. Bounded: who has more to
	 * send than fits is still there afterwards. */
	for (size_t left = vhost->all.count; left > 0; left--) {
		struct vsock *s = find_dead(vhost, port);
		if (!s) {
			break;
		}
		has_any = true;
		VSOCK_LIST_REMOVE(&vhost->ready, s, ready);
		s->can_read_b = s->has_b_eof = s->has_b_hup = true;
		s->has_b_error = true; /* perhaps: the kernel is asked again where it matters */
		relay_turn(s);
	}
	return has_any;
}
