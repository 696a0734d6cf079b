/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* UDP (RFC 768, RFC 8200 8.1). The service owns ports and queues (S5); here is a sorted list of the
 * ports that somebody listens on, because a datagram to any other is answered by ICMP. */
#include "base/rd.h"
#include "base/wr.h"
#include "stack/hooks.h"
#include "stack/internal.h"

#include <errno.h>

enum { UDP_HEADER = 8, PROTOCOL_UDP = 17, PORTS_FIRST = 16, REFERENCES_MAX = 255 };

struct port {
	uint16_t number;
	uint8_t references[2]; /* of IPv4, of IPv6 */
};

/* The place of `number`, or where it would be. */
static size_t port_place(const struct stack *s, uint16_t number)
{
	size_t low = 0, high = s->port_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (s->ports[middle].number < number) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static struct port *port_find(const struct stack *s, uint16_t number)
{
	size_t place = port_place(s, number);
	return place < s->port_count && s->ports[place].number == number ? &s->ports[place] : NULL;
}

static struct port *port_add(struct stack *s, uint16_t number)
{
	if (s->port_count == s->port_capacity) {
		size_t capacity = s->port_capacity ? s->port_capacity * 2 : PORTS_FIRST;
		struct port *ports = stk_heap_alloc(capacity * sizeof(*ports));
		if (!ports) {
			return NULL;
		}
		if (s->port_count > 0) {
			memcpy(ports, s->ports, s->port_count * sizeof(*ports));
		}
		stk_heap_free(s->ports);
		s->ports = ports;
		s->port_capacity = capacity;
	}
	size_t place = port_place(s, number);
	memmove(s->ports + place + 1, s->ports + place,
		(s->port_count - place) * sizeof(*s->ports));
	s->port_count++;
	s->ports[place] = (struct port){ .number = number };
	return &s->ports[place];
}

/* Who listens for IPv4 hears broadcasts, so the network must carry them to us. */
static void v4_count(struct stack *s, int change)
{
	static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	bool was = s->ports_v4 > 0;
	s->ports_v4 = (uint32_t)((int)s->ports_v4 + change);
	if ((s->ports_v4 > 0) != was) {
		s->callbacks->multicast(s->context, everybody, 0, !was);
	}
}

int stk_udp_open(struct stack *s, uint16_t port, unsigned families)
{
	if (port == 0 || families == 0 || (families & ~(unsigned)(STACK_V4 | STACK_V6)) != 0 ||
	    !s->callbacks->datagram) {
		return -EINVAL;
	}
	struct port *entry = port_find(s, port);
	if (!entry && !(entry = port_add(s, port))) {
		return -ENOMEM;
	}
	for (int i = 0; i < 2; i++) {
		if ((families >> i & 1) != 0 && entry->references[i] == REFERENCES_MAX) {
			return -ENOBUFS;
		}
	}
	for (int i = 0; i < 2; i++) {
		entry->references[i] = (uint8_t)(entry->references[i] + (families >> i & 1));
	}
	if ((families & STACK_V4) != 0) {
		v4_count(s, 1);
	}
	return 0;
}

void stk_udp_close(struct stack *s, uint16_t port, unsigned families)
{
	struct port *entry = port_find(s, port);
	if (!entry) {
		return;
	}
	for (int i = 0; i < 2; i++) {
		if ((families >> i & 1) != 0 && entry->references[i] > 0) {
			entry->references[i]--;
			if (i == 0) {
				v4_count(s, -1);
			}
		}
	}
	if (entry->references[0] == 0 && entry->references[1] == 0) {
		struct port *end = s->ports + s->port_count;
		memmove(entry, entry + 1, (size_t)(end - entry - 1) * sizeof(*entry));
		s->port_count--;
	}
}

bool udp_is_open(const struct stack *s, uint16_t number, bool is_v4)
{
	const struct port *port = port_find(s, number);
	return port && port->references[is_v4 ? 0 : 1] > 0;
}

int stk_udp_send(struct stack *s, const struct stack_ip *local, const struct stack_ip *remote,
		 const struct stack_marks *marks, const struct iovec *iov, int count)
{
	struct ip_out out = { .protocol = PROTOCOL_UDP };
	if (local->port == 0 || remote->port == 0) {
		return -EINVAL;
	}
	int error = ip_out_names(s, local, remote, marks, &out);
	if (error != 0) {
		return error;
	}
	size_t room = UINT16_MAX - (ipa_is_v4(&out.source) ? 20u : 0u);
	uint8_t *header = ip_out_payload(room);
	int64_t payload = ip_out_gather(header + UDP_HEADER, room - UDP_HEADER, iov, count);
	if (payload < 0) {
		return (int)payload;
	}
	size_t length = UDP_HEADER + (size_t)payload;
	struct wr w = wr_init(header, UDP_HEADER);
	wr_u16(&w, local->port);
	wr_u16(&w, remote->port);
	wr_u16(&w, (uint16_t)length);
	wr_u16(&w, 0);
	uint16_t sum = ip_checksum(&out.source, &out.destination, PROTOCOL_UDP, header, length);
	sum = sum ? sum : 0xffff; /* 0 would mean: none */
	memcpy(header + 6, &sum, 2);
	if (!s->is_clocked) {
		s->has_undated = true; /* a neighbour may have been asked: date it */
	}
	error = ip_out_send(s, &out, length);
	s->counts.udp_out += error == 0;
	return error;
}

void udp_input(struct stack *s, const struct packet *p)
{
	struct rd r = rd_init(p->payload, p->payload_length);
	uint16_t from = rd_u16(&r), to = rd_u16(&r), length = rd_u16(&r), sum = rd_u16(&r);
	bool is_v4 = ipa_is_v4(&p->destination);
	bool is_summed = sum != 0 || !is_v4;
	if (r.bad || length < UDP_HEADER || length > p->payload_length || from == 0 ||
	    (sum == 0 && !is_v4) ||
	    (is_summed && !p->is_authentic &&
	     ip_checksum(&p->source, &p->destination, PROTOCOL_UDP, p->payload, length) != 0)) {
		s->counts.frames_dropped++;
		return;
	}
	if (!udp_is_open(s, to, is_v4)) {
		s->counts.udp_no_port++;
		icmp_port_unreachable(s, p);
		return;
	}
	struct stack_datagram d = { .local = ipa_name(&p->destination, to),
				    .remote = ipa_name(&p->source, from),
				    .tos = p->tos,
				    .ttl = p->ttl,
				    .bytes = p->payload + UDP_HEADER,
				    .length = length - (uint32_t)UDP_HEADER };
	s->counts.udp_in++;
	if (!s->callbacks->datagram(s->context, &d)) {
		s->counts.udp_no_port++;
		icmp_port_unreachable(s, p);
	}
}
