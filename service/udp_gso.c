/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Datagrams in super-packets (design D5).
 *
 * How this works: sending turns runs (udp_run.h) into messages, one per run with UDP_SEGMENT, and
 * hands up to SEND_BATCH of one socket to sendmmsg. A run that the kernel or the route refuses
 * (EIO: no checksum offload; EINVAL, EMSGSIZE: the route's MTU is too small) is sent again datagram
 * by datagram. The core is told what the route takes (udp_route.c); if that does not help, the
 * (socket, destination) is remembered as one without super-packets; others keep them. Receiving
 * asks for UDP_GRO, reads up to RECEIVE_BATCH super-packets at once and cuts them.
 */
#include "service/udp_socket.h"

#include "service/service.h"

#include <assert.h>
#include <errno.h>
#include <linux/udp.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	SEND_BATCH = 32,
	SEND_IOVS = SEND_BATCH * RUN_MAX_SEGMENTS,
	RECEIVE_BATCH = 8,
	RECEIVE_BYTES = 65536,
	RECEIVE_SEGMENTS = 128, /* the kernel merges at most 64 */
	CONTROL_BYTES = 64,
};

static_assert(CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(int)) <= CONTROL_BYTES,
	      "room for segment size and TTL");

struct message {
	uint32_t first, count; /* datagrams, chained by next[] */
	bool is_gso;
};

struct udp_io {
	struct mmsghdr headers[SEND_BATCH];
	struct message messages[SEND_BATCH];
	struct iovec iovs[SEND_IOVS];
	struct sockaddr_storage names[SEND_BATCH];
	_Alignas(struct cmsghdr) uint8_t control[SEND_BATCH][CONTROL_BYTES];
	size_t count, iov_count;
	struct udp_run runs[UDP_TX_MAX];
	uint32_t next[UDP_TX_MAX];

	uint8_t *receive; /* RECEIVE_BATCH x RECEIVE_BYTES, touched only as far as used */
	struct zt_datagram datagrams[RECEIVE_BATCH * RECEIVE_SEGMENTS];
};

int udp_io_new(struct udp_io **out)
{
	struct udp_io *io = calloc(1, sizeof *io);
	if (!io) {
		return -ENOMEM;
	}
	void *memory = mmap(NULL, (size_t)RECEIVE_BATCH * RECEIVE_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED) {
		free(io);
		return -ENOMEM;
	}
	io->receive = memory;
	*out = io;
	return 0;
}

void udp_io_free(struct udp_io *io)
{
	if (io) {
		(void)munmap(io->receive, (size_t)RECEIVE_BATCH * RECEIVE_BYTES);
		free(io);
	}
}

/* ---- sending -------------------------------------------------------------------------------- */

/* One turn's work: what is sent, and through which socket just now. */
struct sending {
	struct udp *udp;
	struct udp_io *io;
	const uint8_t *bytes;
	const struct zt_tx *tx;
	struct udp_socket *socket;
};

static bool gso_refused(const struct udp_socket *socket, const struct zt_endpoint *to)
{
	const struct udp *udp = socket->udp;
	for (size_t i = 0; i < UDP_NO_GSO_MAX; i++) {
		if (udp->no_gso[i].socket == socket->number &&
		    endpoint_equal(&udp->no_gso[i].to, to)) {
			return true;
		}
	}
	return false;
}

static void gso_refuse(struct udp_socket *socket, const struct zt_endpoint *to)
{
	struct udp *udp = socket->udp;
	udp->no_gso[udp->no_gso_next] = (struct udp_no_gso){ .socket = socket->number, .to = *to };
	udp->no_gso_next = (udp->no_gso_next + 1) % UDP_NO_GSO_MAX;
	udp->stats.fallbacks++;
}

static void control_add(struct msghdr *header, int level, int type, const void *value,
			size_t length)
{
	struct cmsghdr *c =
	    (struct cmsghdr *)(void *)((uint8_t *)header->msg_control + header->msg_controllen);
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(length);
	memcpy(CMSG_DATA(c), value, length);
	header->msg_controllen += CMSG_SPACE(length);
}

/* The message's datagrams as iovecs; those that lie back to back in the arena share one. */
static void iovs_add(struct sending *s, struct msghdr *header, const struct message *m)
{
	struct udp_io *io = s->io;
	header->msg_iov = &io->iovs[io->iov_count];
	header->msg_iovlen = 0;
	uint32_t index = m->first;
	for (uint32_t i = 0; i < m->count; i++, index = io->next[index]) {
		const struct zt_tx *tx = &s->tx[index];
		const uint8_t *at = s->bytes + tx->offset;
		struct iovec *last = header->msg_iovlen > 0 ? &io->iovs[io->iov_count - 1] : NULL;
		if (last && (uint8_t *)last->iov_base + last->iov_len == at) {
			last->iov_len += tx->length;
			continue;
		}
		union {
			const uint8_t *in;
			void *out;
		} unconst = { .in = at }; /* sendmmsg only reads */
		io->iovs[io->iov_count++] =
		    (struct iovec){ .iov_base = unconst.out, .iov_len = tx->length };
		header->msg_iovlen++;
	}
}

static void message_fill(struct sending *s, size_t slot)
{
	struct udp_io *io = s->io;
	const struct message *m = &io->messages[slot];
	const struct zt_tx *tx = &s->tx[m->first];
	struct msghdr *header = &io->headers[slot].msg_hdr;
	memset(io->control[slot], 0, CONTROL_BYTES);
	*header = (struct msghdr){ .msg_name = &io->names[slot], .msg_control = io->control[slot] };
	header->msg_namelen = udp_sockaddr(&tx->to, &io->names[slot]);
	iovs_add(s, header, m);
	if (m->is_gso) {
		control_add(header, IPPROTO_UDP, UDP_SEGMENT, &tx->length, sizeof tx->length);
	}
	if (tx->ttl != 0) {
		int ttl = tx->ttl;
		bool is_v4 = tx->to.family == 4;
		control_add(header, is_v4 ? IPPROTO_IP : IPPROTO_IPV6,
			    is_v4 ? IP_TTL : IPV6_HOPLIMIT, &ttl, sizeof ttl);
	}
	if (header->msg_controllen == 0) {
		header->msg_control = NULL;
	}
}

/* The refused run, datagram by datagram. Rare: once per destination. */
static void send_singly(struct sending *s, const struct message *m)
{
	uint32_t index = m->first;
	for (uint32_t i = 0; i < m->count; i++, index = s->io->next[index]) {
		const struct zt_tx *tx = &s->tx[index];
		struct sockaddr_storage name;
		socklen_t length = udp_sockaddr(&tx->to, &name);
		ssize_t n = sendto(s->socket->watch.fd, s->bytes + tx->offset, tx->length,
				   MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&name, length);
		s->udp->stats.sends++;
		s->udp->stats.dropped += n < 0;
		s->udp->stats.datagrams_out += n >= 0;
		s->udp->stats.bytes_out += n >= 0 ? tx->length : 0;
	}
}

static bool is_gso_error(int error)
{
	return error == EIO || error == EINVAL || error == EMSGSIZE || error == EOPNOTSUPP;
}

static void message_failed(struct sending *s, const struct message *m, int error)
{
	const struct zt_tx *first = &s->tx[m->first];
	bool is_cut = (error == EINVAL || error == EMSGSIZE) &&
		      udp_route_learn(s->socket, &first->to, first->length);
	if (m->is_gso && is_gso_error(error)) {
		if (!is_cut) {
			gso_refuse(s->socket, &first->to);
		}
		send_singly(s, m);
		return;
	}
	/* No route, no buffer, a firewall: this datagram is lost, as UDP's may be; the rest goes
	 * on. */
	s->udp->stats.dropped += m->count;
	s->udp->stats.errors++;
}

static void batch_flush(struct sending *s)
{
	struct udp_io *io = s->io;
	struct udp_stats *stats = &s->udp->stats;
	size_t done = 0;
	while (done < io->count) {
		int n = sendmmsg(s->socket->watch.fd, io->headers + done,
				 (unsigned)(io->count - done), MSG_DONTWAIT | MSG_NOSIGNAL);
		stats->sends++;
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			message_failed(s, &io->messages[done++], n < 0 ? errno : EIO);
			continue;
		}
		for (int i = 0; i < n; i++, done++) {
			stats->runs++;
			stats->datagrams_out += io->messages[done].count;
			stats->bytes_out += io->headers[done].msg_len;
		}
	}
	io->count = io->iov_count = 0;
}

static void message_add(struct sending *s, uint32_t first, uint32_t count)
{
	if (s->io->count == SEND_BATCH) {
		batch_flush(s);
	}
	size_t slot = s->io->count++;
	s->io->messages[slot] =
	    (struct message){ .first = first, .count = count, .is_gso = count > 1 };
	message_fill(s, slot);
}

static void run_add(struct sending *s, struct udp_socket *socket, const struct udp_run *run)
{
	if (s->socket != socket) {
		if (s->socket) {
			batch_flush(s);
		}
		s->socket = socket;
	}
	if (run->count == 1 || (socket->has_gso && !gso_refused(socket, &s->tx[run->first].to))) {
		message_add(s, run->first, run->count);
		return;
	}
	uint32_t index = run->first;
	for (uint32_t i = 0; i < run->count; i++, index = s->io->next[index]) {
		message_add(s, index, 1);
	}
}

/* A destination without a (living) socket goes out of every socket of its family; in low-bandwidth
 * mode not out of those of the second port (vl1 10.7). */
static void run_send(struct sending *s, const struct udp_run *run)
{
	const struct zt_tx *tx = &s->tx[run->first];
	struct udp_socket *socket = udp_socket_find(s->udp, tx->socket);
	if (socket && socket->local.family == tx->to.family) {
		run_add(s, socket, run);
		return;
	}
	bool is_sent = false, is_low = s->udp->service->settings.is_low_bandwidth;
	for (size_t i = 0; i < UDP_MAX_SOCKETS; i++) {
		struct udp_socket *each = &s->udp->sockets[i];
		if (each->local.family == tx->to.family && tx->to.family != 0 &&
		    !(is_low && each->role != UDP_PRIMARY)) {
			run_add(s, each, run);
			is_sent = true;
		}
	}
	s->udp->stats.dropped += is_sent ? 0 : run->count;
}

void udp_send(struct udp *udp, const uint8_t *bytes, const struct zt_tx *tx, size_t count)
{
	while (count > 0) {
		size_t part = count < UDP_TX_MAX ? count : UDP_TX_MAX;
		struct sending s = { .udp = udp, .io = udp->io, .bytes = bytes, .tx = tx };
		size_t runs = udp_runs_build(tx, part, udp->io->runs, udp->io->next);
		for (size_t i = 0; i < runs; i++) {
			run_send(&s, &udp->io->runs[i]);
		}
		if (s.socket) {
			batch_flush(&s);
		}
		tx += part;
		count -= part;
	}
}

/* ---- receiving ------------------------------------------------------------------------------ */

struct receiving {
	struct mmsghdr headers[RECEIVE_BATCH];
	struct iovec iovs[RECEIVE_BATCH];
	struct sockaddr_storage names[RECEIVE_BATCH];
	_Alignas(struct cmsghdr) uint8_t control[RECEIVE_BATCH][CONTROL_BYTES];
};

static void receiving_fill(struct receiving *r, uint8_t *buffers)
{
	for (size_t i = 0; i < RECEIVE_BATCH; i++) {
		r->iovs[i] = (struct iovec){ .iov_base = buffers + i * RECEIVE_BYTES,
					     .iov_len = RECEIVE_BYTES };
		r->headers[i] = (struct mmsghdr){
			.msg_hdr = { .msg_name = &r->names[i],
				     .msg_namelen = sizeof r->names[i],
				     .msg_iov = &r->iovs[i],
				     .msg_iovlen = 1,
				     .msg_control = r->control[i],
				     .msg_controllen = CONTROL_BYTES },
		};
	}
}

/* The size of the datagrams that were merged, or 0 if it is one. */
static size_t segment_size(struct msghdr *header)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			int size;
			memcpy(&size, CMSG_DATA(c), sizeof size);
			return size > 0 ? (size_t)size : 0;
		}
	}
	return 0;
}

/* Cut one received super-packet; returns how many datagrams were added to `out`. */
static size_t message_cut(const struct udp_socket *socket, struct mmsghdr *message,
			  struct zt_datagram *out)
{
	struct msghdr *header = &message->msg_hdr;
	size_t left = message->msg_len, count = 0;
	struct zt_endpoint from;
	if ((header->msg_flags & MSG_TRUNC) || !udp_from_sockaddr(header->msg_name, &from)) {
		return 0;
	}
	size_t segment = segment_size(header);
	if (segment == 0 || segment > left) {
		segment = left;
	}
	uint8_t *at = header->msg_iov->iov_base;
	while (left > 0 && count < RECEIVE_SEGMENTS) {
		size_t length = left < segment ? left : segment;
		out[count++] = (struct zt_datagram){ .from = from,
						     .socket = socket->number,
						     .length = (uint32_t)length,
						     .bytes = at };
		at += length;
		left -= length;
	}
	return count;
}

void udp_receive(struct udp_socket *socket,
		 void (*each)(void *context, struct zt_datagram *datagrams, size_t count),
		 void *context)
{
	struct udp *udp = socket->udp;
	struct receiving r;
	receiving_fill(&r, udp->io->receive);
	int n = recvmmsg(socket->watch.fd, r.headers, RECEIVE_BATCH, MSG_DONTWAIT, NULL);
	udp->stats.receives++;
	if (n <= 0) {
		udp->stats.errors += n < 0 && errno != EAGAIN && errno != EINTR;
		return;
	}
	size_t count = 0;
	for (int i = 0; i < n; i++) {
		count += message_cut(socket, &r.headers[i], udp->io->datagrams + count);
		udp->stats.bytes_in += r.headers[i].msg_len;
	}
	udp->stats.datagrams_in += count;
	if (count > 0) {
		each(context, udp->io->datagrams, count);
	}
}
