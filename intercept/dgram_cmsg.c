/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Ancillary data of datagrams: what the program says with one (source address, TTL, TOS), and what
 * it wants to be told. Which of it the service repeats in each header (enum rpc_dgram_want).
 */
#include "intercept/dgram.h"

#include <netinet/in.h>
#include <string.h>

#ifndef SO_RXQ_OVFL
#define SO_RXQ_OVFL 40
#endif

/* ---- with a datagram that is sent ---- */

static int small_number(const struct cmsghdr *c, int minimum, int *out)
{
	size_t length = c->cmsg_len - CMSG_LEN(0);
	if (length == sizeof(int)) {
		memcpy(out, CMSG_DATA(c), sizeof(int));
	} else if (length == 1) {
		*out = *CMSG_DATA(c);
	} else {
		return -EINVAL;
	}
	return *out < minimum || *out > UINT8_MAX ? -EINVAL : 0;
}

static int source_v4(const struct cmsghdr *c, struct rpc_dgram *head)
{
	struct in_pktinfo info;
	if (c->cmsg_len != CMSG_LEN(sizeof info)) {
		return -EINVAL;
	}
	memcpy(&info, CMSG_DATA(c), sizeof info);
	head->ifindex = (uint32_t)info.ipi_ifindex;
	head->flags |= RPC_DGRAM_LOCAL;
	head->local = (struct rpc_addr){ .family = AF_INET };
	head->local.addr[10] = head->local.addr[11] = 0xff;
	memcpy(head->local.addr + 12, &info.ipi_spec_dst, 4);
	return 0;
}

static int source_v6(const struct cmsghdr *c, struct rpc_dgram *head)
{
	struct in6_pktinfo info;
	if (c->cmsg_len < CMSG_LEN(sizeof info)) {
		return -EINVAL;
	}
	memcpy(&info, CMSG_DATA(c), sizeof info);
	head->ifindex = info.ipi6_ifindex;
	head->flags |= RPC_DGRAM_LOCAL;
	head->local = (struct rpc_addr){ .family = AF_INET6 };
	memcpy(head->local.addr, &info.ipi6_addr, sizeof head->local.addr);
	return 0;
}

static int mark_read(const struct cmsghdr *c, int minimum, unsigned flag, uint8_t *field,
		     struct rpc_dgram *head)
{
	int value = 0, error = small_number(c, minimum, &value);
	if (!error && value >= 0) {
		head->flags |= (uint16_t)flag;
		*field = (uint8_t)value;
	}
	return error;
}

static int one_in(const struct cmsghdr *c, int family, struct rpc_dgram *head)
{
	if (c->cmsg_level == IPPROTO_IP) {
		switch (c->cmsg_type) {
		case IP_PKTINFO:
			return source_v4(c, head);
		case IP_TTL:
			return mark_read(c, 1, RPC_DGRAM_TTL, &head->ttl, head);
		case IP_TOS:
			return mark_read(c, 0, RPC_DGRAM_TOS, &head->tos, head);
		default:
			return -EINVAL;
		}
	}
	if (c->cmsg_level == IPPROTO_IPV6 && family == AF_INET6) {
		switch (c->cmsg_type) {
		case IPV6_PKTINFO:
			return source_v6(c, head);
		case IPV6_HOPLIMIT:
			return mark_read(c, -1, RPC_DGRAM_TTL, &head->ttl, head);
		case IPV6_TCLASS:
			return mark_read(c, -1, RPC_DGRAM_TOS, &head->tos, head);
		case IPV6_DONTFRAG:
			return 0;
		default:
			return -EINVAL;
		}
	}
	/* Linux: what belongs to other protocols is not looked at. */
	return c->cmsg_level == IPPROTO_UDP ? -EINVAL : 0;
}

int dgram_control_in(const struct msghdr *m, int family, struct rpc_dgram *head)
{
	struct msghdr copy = *m; /* CMSG_FIRSTHDR wants it writable */
	int error = 0;
	if (!m->msg_control || m->msg_controllen < sizeof(struct cmsghdr)) {
		return 0;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&copy); c && !error; c = CMSG_NXTHDR(&copy, c)) {
		error = c->cmsg_len < CMSG_LEN(0) ? -EINVAL : one_in(c, family, head);
	}
	return error;
}

/* ---- with one that was received ---- */

struct writer {
	uint8_t *at;
	size_t left;
	bool is_cut;
};

static void put(struct writer *w, int level, int type, const void *data, size_t length)
{
	struct cmsghdr c = { .cmsg_level = level, .cmsg_type = type };
	if (w->left < CMSG_LEN(0)) {
		w->is_cut = true;
		return;
	}
	c.cmsg_len = CMSG_LEN(length);
	if (w->left < c.cmsg_len) {
		w->is_cut = true;
		c.cmsg_len = w->left;
	}
	memcpy(w->at, &c, sizeof c);
	memcpy(w->at + CMSG_LEN(0), data, c.cmsg_len - CMSG_LEN(0));
	size_t space = CMSG_SPACE(length) < w->left ? CMSG_SPACE(length) : w->left;
	w->at += space;
	w->left -= space;
}

static void put_int(struct writer *w, int level, int type, int value)
{
	put(w, level, type, &value, sizeof value);
}

static void put_destination_v4(struct writer *w, const struct rpc_dgram *h)
{
	struct in_pktinfo info = { .ipi_ifindex = (int)h->ifindex };
	memcpy(&info.ipi_addr, h->local.addr + 12, 4);
	memcpy(&info.ipi_spec_dst, h->local.addr + 12, 4);
	put(w, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
}

static void put_destination_v6(struct writer *w, const struct rpc_dgram *h)
{
	struct in6_pktinfo info = { .ipi6_ifindex = h->ifindex };
	memcpy(&info.ipi6_addr, h->local.addr, sizeof info.ipi6_addr);
	put(w, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
}

/* In Linux's order. */
static void put_wanted(struct writer *w, const struct rpc_dgram *h)
{
	if (h->wants & RPC_WANT_OVERFLOW) {
		put(w, SOL_SOCKET, SO_RXQ_OVFL, &h->dropped, sizeof h->dropped);
	}
	if (h->wants & RPC_WANT_PKTINFO6) {
		put_destination_v6(w, h);
	}
	if (h->wants & RPC_WANT_HOPLIMIT) {
		put_int(w, IPPROTO_IPV6, IPV6_HOPLIMIT, h->ttl);
	}
	if (h->wants & RPC_WANT_TCLASS) {
		put_int(w, IPPROTO_IPV6, IPV6_TCLASS, h->tos);
	}
	if (h->wants & RPC_WANT_PKTINFO) {
		put_destination_v4(w, h);
	}
	if (h->wants & RPC_WANT_TTL) {
		put_int(w, IPPROTO_IP, IP_TTL, h->ttl);
	}
	if (h->wants & RPC_WANT_TOS) {
		put(w, IPPROTO_IP, IP_TOS, &h->tos, sizeof h->tos);
	}
}

void dgram_control_out(struct msghdr *m, size_t room, const struct rpc_dgram *head,
		       const struct msghdr *native)
{
	struct msghdr copy = *native;
	struct writer w = { .at = m->msg_control, .left = m->msg_control ? room : 0 };
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&copy); c; c = CMSG_NXTHDR(&copy, c)) {
		if (c->cmsg_type != SCM_RIGHTS && c->cmsg_len >= CMSG_LEN(0)) { /* time stamps */
			put(&w, c->cmsg_level, c->cmsg_type, CMSG_DATA(c),
			    c->cmsg_len - CMSG_LEN(0));
		}
	}
	if (head) {
		put_wanted(&w, head);
	}
	m->msg_controllen = m->msg_control ? (size_t)(w.at - (uint8_t *)m->msg_control) : 0;
	m->msg_flags |= w.is_cut ? MSG_CTRUNC : 0;
}
