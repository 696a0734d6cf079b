/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works (the successor's side; handover.h has the picture)
 * A successor starts as any service does: options, local.conf, identity, loop, worker. Where
 * another would bind and create, it asks here first, and finds what the predecessor had. Everything
 * arrives in one piece, as a sealed memory file and a list of descriptors, and is read through
 * base/rd.h; it comes from a process of our own user that held all of it anyway, so what is
 * malformed is refused whole, and the predecessor goes on.
 *
 * Until GO nothing is done that the predecessor or the world would see: no socket is read, none is
 * shut down, and if anything fails the process ends at once, without the farewell of a service.
 */
#include "service/handover.h"

#include "core/endpoint.h"
#include "service/handover_vhost.h"
#include "service/log.h"
#include "service/net.h"
#include "service/service.h"
#include "service/udp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	WAIT_MS = 30000, /* longer than the predecessor waits for us */
	FDS_MAX = 1 << 20,
	UDP_SOCKETS_MAX = UDP_MAX_SOCKETS,
	HTTP_SOCKETS = 2,
};

static const char VERSION[] = "netcon 2.0.0-dev";

struct inherited {
	int channel;
	struct handover_in in;
	uint16_t secondary_port;
	int http[HTTP_SOCKETS];
	size_t udp_count;
	struct {
		struct zt_endpoint local;
		int fd;
	} udp[UDP_SOCKETS_MAX];
	size_t control_count;
	struct {
		uint64_t nwid;
		int fd;
	} * control;
	struct handover_counts counts;
};

/* ---- what arrives ---- */

static int fds_receive(struct inherited *h, uint64_t total)
{
	if (total > FDS_MAX) {
		return -EPROTO;
	}
	h->in.fds = calloc(total + 1, sizeof *h->in.fds);
	if (!h->in.fds) {
		return -ENOMEM;
	}
	while (h->in.fd_count < total) {
		struct handover_message m;
		size_t count = total - h->in.fd_count;
		int error = handover_receive_fds(h->channel, WAIT_MS, &m,
						 h->in.fds + h->in.fd_count, &count);
		h->in.fd_count += count;
		if (error != 0) {
			return error;
		}
		if (m.kind != HANDOVER_FDS || m.a != count || count == 0) {
			return -EPROTO;
		}
	}
	return 0;
}

static int state_receive(struct inherited *h)
{
	struct handover_message m;
	int memory = -1;
	int error = handover_receive(h->channel, WAIT_MS, &m, &memory);
	if (error == 0 && (m.kind != HANDOVER_STATE || memory < 0 || m.a == 0)) {
		error = -EPROTO;
	}
	if (error == 0) {
		void *bytes = mmap(NULL, m.a, PROT_READ, MAP_PRIVATE, memory, 0);
		error = bytes == MAP_FAILED ? -errno : 0;
		h->in.bytes = error ? NULL : bytes;
		h->in.length = error ? 0 : m.a;
	}
	if (memory >= 0) {
		(void)close(memory);
	}
	return error ? error : fds_receive(h, m.b);
}

static void service_read(struct service *service, struct rd *r)
{
	struct inherited *h = service->inherited;
	rd_copy(r, service->boot_id, sizeof service->boot_id);
	uint16_t port = rd_u16(r);
	h->secondary_port = rd_u16(r);
	service->lock_fd = handover_read_fd(&h->in, r);
	h->http[0] = handover_read_fd(&h->in, r);
	h->http[1] = handover_read_fd(&h->in, r);
	if (service->settings.primary_port == 0) { /* chosen at random, and kept */
		service->settings.primary_port = service->base.primary_port = port;
	}
}

static void udp_read(struct inherited *h, struct rd *r)
{
	struct zt_endpoint local = { 0 };
	local.family = rd_u8(r);
	rd_copy(r, local.ip, sizeof local.ip);
	local.port = rd_u16(r);
	int fd = handover_read_fd(&h->in, r);
	if (fd >= 0 && h->udp_count < UDP_SOCKETS_MAX) {
		h->udp[h->udp_count].local = local;
		h->udp[h->udp_count++].fd = fd;
	} else if (fd >= 0) {
		(void)close(fd);
	}
}

static int network_read(struct inherited *h, struct rd contents)
{
	void *more = reallocarray(h->control, h->control_count + 1, sizeof *h->control);
	if (!more) {
		return -ENOMEM;
	}
	h->control = more;
	uint64_t nwid;
	int fd = handover_network_read(&h->in, contents, &nwid);
	h->control[h->control_count].nwid = nwid;
	h->control[h->control_count++].fd = fd;
	return 0;
}

/* What others ask for; peers and sockets are read when they have somewhere to go. */
static int sections_read(struct service *service)
{
	struct inherited *h = service->inherited;
	struct rd sections = rd_init(h->in.bytes, h->in.length), contents;
	enum handover_tag tag;
	int error = 0;
	bool has_service = false;
	while (error == 0 && handover_next_section(&sections, &tag, &contents)) {
		if (tag == HANDOVER_SERVICE) {
			service_read(service, &contents);
			has_service = !contents.bad;
		} else if (tag == HANDOVER_UDP) {
			udp_read(h, &contents);
		} else if (tag == HANDOVER_NETWORK) {
			error = network_read(h, contents);
		}
	}
	bool is_whole = has_service && !sections.bad && service->lock_fd >= 0;
	return error ? error : is_whole ? 0 : -EBADMSG;
}

int inherited_receive(struct service *service, int channel, char error[HANDOVER_TEXT_BYTES])
{
	struct inherited *h = calloc(1, sizeof *h);
	struct handover_message hello = { .kind = HANDOVER_HELLO,
					  .a = HANDOVER_FORMAT,
					  .b = STACK_ABI,
					  .c = (uint64_t)getpid() };
	(void)snprintf(hello.text, sizeof hello.text, "%s", VERSION);
	int failure = h ? 0 : -ENOMEM;
	if (h) {
		*h = (struct inherited){ .channel = channel, .http = { -1, -1 } };
		service->inherited = h;
		failure = handover_send(channel, &hello, NULL, 0);
	}
	failure = failure ? failure : state_receive(h);
	failure = failure ? failure : sections_read(service);
	if (failure != 0) {
		(void)snprintf(error, HANDOVER_TEXT_BYTES,
			       "the new program cannot take the state over: %s",
			       strerror(-failure));
	}
	return failure ? -1 : 0;
}

/* ---- who asks for it ---- */

static int taken(int *fd)
{
	int mine = *fd;
	*fd = -1;
	return mine;
}

int inherited_http(struct service *service, size_t index)
{
	return service->inherited ? taken(&service->inherited->http[index]) : -1;
}

int inherited_udp(struct service *service, const struct zt_endpoint *local)
{
	struct inherited *h = service->inherited;
	for (size_t i = 0; h && i < h->udp_count; i++) {
		if (h->udp[i].fd >= 0 && endpoint_equal(&h->udp[i].local, local)) {
			return taken(&h->udp[i].fd);
		}
	}
	return -1;
}

uint16_t inherited_secondary_port(const struct service *service)
{
	return service->inherited ? service->inherited->secondary_port : 0;
}

int inherited_control(struct service *service, uint64_t nwid)
{
	struct inherited *h = service->inherited;
	for (size_t i = 0; h && i < h->control_count; i++) {
		if (h->control[i].nwid == nwid) {
			return taken(&h->control[i].fd);
		}
	}
	return -1;
}

void inherited_peers(struct service *service)
{
	struct inherited *h = service->inherited;
	struct rd sections = rd_init(h->in.bytes, h->in.length), contents;
	enum handover_tag tag;
	while (handover_next_section(&sections, &tag, &contents)) {
		if (tag == HANDOVER_PEER) {
			size_t length = rd_left(&contents);
			int error = zt_peer_restore(service->node, loop_now(service->loop),
						    rd_bytes(&contents, length), length);
			if (error != 0) {
				log_debug("handover", "a peer is not taken over: %s",
					  zt_err_text(error));
			}
		}
	}
}

static int network_fill(struct service *service, struct rd *sections, struct rd contents,
			char error[HANDOVER_TEXT_BYTES])
{
	struct inherited *h = service->inherited;
	uint64_t nwid = rd_u64(&contents);
	struct net *net = net_find(service, nwid);
	int failure = net ? handover_vhost_read(&h->in, sections, net, &h->counts) : -ENOENT;
	if (failure != 0) {
		(void)snprintf(error, HANDOVER_TEXT_BYTES,
			       "the new program cannot take network %016llx over: %s",
			       (unsigned long long)nwid, strerror(-failure));
	}
	return failure ? -1 : 0;
}

int inherited_networks(struct service *service, char error[HANDOVER_TEXT_BYTES])
{
	struct inherited *h = service->inherited;
	struct rd sections = rd_init(h->in.bytes, h->in.length), contents;
	enum handover_tag tag;
	int result = 0;
	while (result == 0 && handover_next_section(&sections, &tag, &contents)) {
		if (tag == HANDOVER_NETWORK) {
			result = network_fill(service, &sections, contents, error);
		}
	}
	return result;
}

/* ---- the end of the trial ---- */

void inherited_fail(int channel, const char *text)
{
	struct handover_message m = { .kind = HANDOVER_FAIL };
	(void)snprintf(m.text, sizeof m.text, "%s", text);
	(void)handover_send(channel, &m, NULL, 0);
}

static void leftovers_close(struct inherited *h)
{
	for (size_t i = 0; i < HTTP_SOCKETS; i++) {
		if (h->http[i] >= 0) {
			(void)close(h->http[i]);
		}
	}
	for (size_t i = 0; i < h->udp_count; i++) {
		if (h->udp[i].fd >= 0) {
			(void)close(h->udp[i].fd);
		}
	}
	for (size_t i = 0; i < h->control_count; i++) {
		if (h->control[i].fd >= 0) {
			(void)close(h->control[i].fd);
		}
	}
}

int inherited_ready(struct service *service)
{
	struct inherited *h = service->inherited;
	struct handover_message m = { .kind = HANDOVER_READY,
				      .a = h->counts.sockets,
				      .b = h->counts.connections,
				      .c = h->counts.reset };
	int fd = -1, error = handover_send(h->channel, &m, NULL, 0);
	error = error ? error : handover_receive(h->channel, WAIT_MS, &m, &fd);
	if (error != 0 || m.kind != HANDOVER_GO) {
		return -1;
	}
	log_info("handover", "taken over sockets=%u connections=%u reset=%u", h->counts.sockets,
		 h->counts.connections, h->counts.reset);
	leftovers_close(h);
	(void)close(h->channel);
	handover_in_free(&h->in);
	free(h->control);
	free(h);
	service->inherited = NULL;
	return 0;
}
