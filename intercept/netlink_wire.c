/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Netlink messages (netlink(7), rtnetlink(7)): a header of 16 bytes, a fixed part, attributes; each
 * padded to four bytes. Everything is copied, because what a program gives need not be aligned.
 */
#include "intercept/netlink.h"

#include <string.h>

/* ---- writing --------------------------------------------------------------------------------- */

/* `length` bytes, padded with zeros. Callers stay below NL_MESSAGE_BYTES; what does not fit all the
 * same is left out. */
static void append(struct nl_out *out, const void *bytes, size_t length)
{
	size_t room = sizeof out->bytes - out->length, whole = NLMSG_ALIGN(length);
	if (whole > room) {
		return;
	}
	memset(out->bytes + out->length, 0, whole);
	if (length > 0) {
		memcpy(out->bytes + out->length, bytes, length);
	}
	out->length += whole;
}

void nl_flush(struct nl_out *out)
{
	if (out->length > 0 && out->error == 0) {
		out->error = out->send(out->context, out->bytes, out->length);
	}
	out->length = 0;
}

void nl_begin(struct nl_out *out, uint16_t type, uint16_t flags, const void *body, size_t length)
{
	struct nlmsghdr h = { .nlmsg_type = type,
			      .nlmsg_flags = flags,
			      .nlmsg_seq = out->seq,
			      .nlmsg_pid = out->pid };
	if (sizeof out->bytes - out->length < NL_MESSAGE_BYTES) {
		nl_flush(out);
	}
	out->start = out->length;
	append(out, &h, sizeof h);
	append(out, body, length);
}

void nl_attribute(struct nl_out *out, uint16_t type, const void *value, size_t length)
{
	struct rtattr a = { .rta_len = (unsigned short)RTA_LENGTH(length), .rta_type = type };
	if (sizeof out->bytes - out->length >= RTA_SPACE(length)) {
		append(out, &a, sizeof a);
		append(out, value, length);
	}
}

void nl_u32(struct nl_out *out, uint16_t type, uint32_t value)
{
	nl_attribute(out, type, &value, sizeof value);
}

void nl_end(struct nl_out *out)
{
	uint32_t length = (uint32_t)(out->length - out->start);
	memcpy(out->bytes + out->start + offsetof(struct nlmsghdr, nlmsg_len), &length,
	       sizeof length);
}

void nl_verdict(struct nl_out *out, const void *request, int error, bool is_capped)
{
	struct nlmsgerr e = { .error = error };
	memcpy(&e.msg, request, sizeof e.msg);
	size_t rest = e.msg.nlmsg_len - sizeof e.msg;
	enum { HEAD = sizeof(struct nlmsghdr) + sizeof(struct nlmsgerr) };
	bool has_rest = error != 0 && !is_capped && rest <= NL_PIECE_BYTES - HEAD - NLMSG_ALIGNTO;
	nl_flush(out);
	nl_begin(out, NLMSG_ERROR, has_rest ? 0 : NLM_F_CAPPED, &e, sizeof e);
	if (has_rest) {
		append(out, (const uint8_t *)request + sizeof e.msg, rest);
	}
	nl_end(out);
	nl_flush(out);
}

/* ---- reading --------------------------------------------------------------------------------- */

const uint8_t *nl_next(const void *bytes, size_t length, size_t *at, struct nlmsghdr *h)
{
	const uint8_t *message = (const uint8_t *)bytes + *at;
	if (*at > length || length - *at < sizeof *h) {
		return NULL;
	}
	memcpy(h, message, sizeof *h);
	if (h->nlmsg_len < sizeof *h || h->nlmsg_len > length - *at) {
		return NULL;
	}
	*at += NLMSG_ALIGN((size_t)h->nlmsg_len); /* may be beyond the end: the next one is NULL */
	return message;
}

const uint8_t *nl_find(const uint8_t *message, size_t skip, uint16_t type, size_t *length)
{
	struct nlmsghdr h;
	struct rtattr a;
	memcpy(&h, message, sizeof h);
	size_t at = sizeof h + NLMSG_ALIGN(skip);
	while (at <= h.nlmsg_len && h.nlmsg_len - at >= sizeof a) {
		memcpy(&a, message + at, sizeof a);
		if (a.rta_len < sizeof a || a.rta_len > h.nlmsg_len - at) {
			return NULL;
		}
		if ((a.rta_type & NLA_TYPE_MASK) == type) {
			*length = a.rta_len - sizeof a;
			return message + at + sizeof a;
		}
		at += RTA_ALIGN((size_t)a.rta_len);
	}
	return NULL;
}
