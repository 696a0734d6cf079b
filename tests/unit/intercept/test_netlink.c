/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the virtual netlink socket answers, without the socket: the files are compiled in. Each
 * request lies in memory of exactly its size, so that the sanitizers see a step beyond it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "intercept/interfaces_table.c"
#include "intercept/netlink_answer.c"
#include "intercept/netlink_route.c"
#include "intercept/netlink_wire.c"

#include <arpa/inet.h>

uint8_t hint_table[HINT_MAX];

/* ---- what there is --------------------------------------------------------------------------- */

static struct interfaces all;
static struct rpc_managed_route managed[4];
static struct nl_view view;

/* "10.1.2.3" or an IPv6 address; the family. */
static uint8_t address_of(const char *text, uint8_t out[16])
{
	if (strchr(text, ':')) {
		assert_int_equal(inet_pton(AF_INET6, text, out), 1);
		return AF_INET6;
	}
	memset(out, 0, 10);
	out[10] = out[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, text, out + 12), 1);
	return AF_INET;
}

static void address_add(const char *text, uint8_t bits)
{
	struct rpc_interface_addr *a = &all.addresses[all.head.count++];
	a->family = address_of(text, a->addr);
	a->bits = bits;
}

static void route_add(const char *target, uint8_t bits, const char *via)
{
	struct rpc_managed_route *m = &managed[view.route_count++];
	*m = (struct rpc_managed_route){ .bits = bits, .has_via = via != NULL };
	m->family = address_of(target, m->target);
	if (via) {
		(void)address_of(via, m->via);
	}
}

static int network_up(void **state)
{
	(void)state;
	memset(&all, 0, sizeof all);
	memcpy(all.head.name, "ztnet", sizeof "ztnet");
	memcpy(all.head.mac, "\x02\x11\x22\x33\x44\x55", 6);
	all.head.mtu = 2800;
	all.head.is_up = 1;
	view = (struct nl_view){ .all = &all, .routes = managed };
	address_add("10.7.0.5", 24);
	address_add("fd00::5", 64);
	address_add("fe80::5", 64);
	route_add("10.7.0.0", 24, NULL); /* its address's own prefix: shown once */
	route_add("0.0.0.0", 0, "10.7.0.1");
	route_add("172.16.0.0", 12, "10.7.0.2");
	route_add("fd11::", 32, "fd00::1");
	return 0;
}

/* ---- asking ---------------------------------------------------------------------------------- */

enum { OUTPUT_BYTES = 65536, TEXT_BYTES = 8192 };
static uint8_t output[OUTPUT_BYTES];
static size_t output_length, datagrams, refuse_after;

static int output_take(void *context, const void *bytes, size_t length)
{
	assert_ptr_equal(context, output);
	assert_in_range(length, NLMSG_HDRLEN, NL_PIECE_BYTES);
	assert_in_range(output_length + length, 1, sizeof output);
	if (refuse_after > 0 && datagrams == refuse_after) {
		return -ENOBUFS;
	}
	memcpy(output + output_length, bytes, length);
	output_length += length;
	datagrams++;
	return 0;
}

static int send_bytes(const void *bytes, size_t length)
{
	struct nl_out out = { .send = output_take, .context = output, .pid = 4242 };
	uint8_t *exact = malloc(length + (length == 0));
	assert_non_null(exact);
	if (length > 0) {
		memcpy(exact, bytes, length);
	}
	output_length = datagrams = 0;
	nl_answer(&view, exact, length, &out);
	free(exact);
	return out.error;
}

struct question {
	struct nlmsghdr h;
	uint8_t bytes[256];
};

static struct question question(int type, int flags, const void *body, size_t length)
{
	struct question q = { .h = { .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + length),
				     .nlmsg_type = (uint16_t)type,
				     .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
				     .nlmsg_seq = 9 } };
	memcpy(q.bytes, body, length);
	return q;
}

static void attribute_add(struct question *q, uint16_t type, const void *value, size_t length)
{
	struct rtattr a = { .rta_len = (unsigned short)RTA_LENGTH(length), .rta_type = type };
	uint8_t *at = (uint8_t *)q + NLMSG_ALIGN(q->h.nlmsg_len);
	memcpy(at, &a, sizeof a);
	memcpy(at + sizeof a, value, length);
	q->h.nlmsg_len = NLMSG_ALIGN(q->h.nlmsg_len) + (uint32_t)RTA_LENGTH(length);
}

static int ask(const struct question *q)
{
	return send_bytes(q, q->h.nlmsg_len);
}

/* The nth message of the answer; the header is checked. NULL: no more. */
static const struct nlmsghdr *message(size_t n)
{
	size_t at = 0;
	while (at < output_length) {
		const struct nlmsghdr *h = (const void *)(output + at);
		assert_in_range(h->nlmsg_len, NLMSG_HDRLEN, output_length - at);
		assert_int_equal(h->nlmsg_pid, 4242);
		if (n-- == 0) {
			return h;
		}
		at += NLMSG_ALIGN(h->nlmsg_len);
	}
	return NULL;
}

static const void *value(const struct nlmsghdr *h, size_t body, uint16_t type, size_t length)
{
	size_t found;
	const uint8_t *at = nl_find((const uint8_t *)h, body, type, &found);
	assert_non_null(at);
	assert_int_equal(found, length);
	return at;
}

static int verdict(void)
{
	const struct nlmsghdr *h = message(0);
	assert_non_null(h);
	assert_int_equal(h->nlmsg_type, NLMSG_ERROR);
	assert_null(message(1));
	return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
}

/* One line: "10.7.0.0/24 via X dev 2 table 254 type 1 from Y". */
static void route_text(const struct nlmsghdr *h, char *out, size_t room)
{
	const struct rtmsg *route = NLMSG_DATA(h);
	static const uint16_t parts[] = { RTA_DST, RTA_GATEWAY, RTA_PREFSRC };
	char text[3][INET6_ADDRSTRLEN] = { "default", "-", "-" };
	for (int i = 0; i < 3; i++) {
		size_t length;
		const uint8_t *at = nl_find((const uint8_t *)h, sizeof *route, parts[i], &length);
		if (at) {
			assert_int_equal(length, route->rtm_family == AF_INET ? 4 : 16);
			assert_non_null(inet_ntop(route->rtm_family, at, text[i], sizeof text[i]));
		}
	}
	(void)snprintf(out, room, "%s/%d via %s from %s dev %u table %d type %d\n", text[0],
		       route->rtm_dst_len, text[1], text[2],
		       *(const uint32_t *)value(h, sizeof *route, RTA_OIF, 4), route->rtm_table,
		       route->rtm_type);
}

static const char *routes(void)
{
	static char text[TEXT_BYTES];
	const struct nlmsghdr *h;
	text[0] = '\0';
	for (size_t i = 0; (h = message(i)) != NULL && h->nlmsg_type == RTM_NEWROUTE; i++) {
		size_t used = strlen(text);
		route_text(h, text + used, sizeof text - used);
	}
	return text;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_links(void **state)
{
	struct ifinfomsg body = { .ifi_index = 0 };
	struct question q = question(RTM_GETLINK, NLM_F_DUMP, &body, sizeof body);
	(void)state;
	assert_int_equal(ask(&q), 0);
	assert_int_equal(datagrams, 1);
	const struct nlmsghdr *h = message(1);
	const struct ifinfomsg *link = NLMSG_DATA(h);
	assert_int_equal(h->nlmsg_type, RTM_NEWLINK);
	assert_int_equal(h->nlmsg_flags, NLM_F_MULTI);
	assert_int_equal(h->nlmsg_seq, 9);
	assert_int_equal(link->ifi_index, RPC_IFINDEX_NETWORK);
	assert_int_equal(link->ifi_flags, interface_flags(&all, RPC_IFINDEX_NETWORK));
	assert_string_equal(value(h, sizeof *link, IFLA_IFNAME, 6), "ztnet");
	assert_memory_equal(value(h, sizeof *link, IFLA_ADDRESS, 6), all.head.mac, 6);
	assert_int_equal(*(const uint32_t *)value(h, sizeof *link, IFLA_MTU, 4), 2800);
	assert_int_equal(message(2)->nlmsg_type, NLMSG_DONE);
	assert_null(message(3));
	body.ifi_index = 2;
	q = question(RTM_GETLINK, 0, &body, sizeof body);
	assert_int_equal(ask(&q), 0);
	assert_int_equal(message(0)->nlmsg_flags, 0);
	assert_null(message(1));
}

static void test_without_service(void **state)
{
	struct ifinfomsg body = { .ifi_index = 0 };
	struct question q = question(RTM_GETLINK, NLM_F_DUMP, &body, sizeof body);
	(void)state;
	memset(&all, 0, sizeof all);
	assert_int_equal(ask(&q), 0);
	assert_int_equal(((const struct ifinfomsg *)NLMSG_DATA(message(0)))->ifi_index, 1);
	assert_int_equal(message(1)->nlmsg_type, NLMSG_DONE);
	body.ifi_index = 2;
	q = question(RTM_GETLINK, 0, &body, sizeof body);
	assert_int_equal(ask(&q), 0);
	assert_int_equal(verdict(), -ENODEV);
}

/* As many addresses as there can be do not fit one datagram; each message is whole. */
static void test_many_addresses(void **state)
{
	struct ifaddrmsg body = { .ifa_family = AF_UNSPEC };
	struct question q = question(RTM_GETADDR, NLM_F_DUMP, &body, sizeof body);
	size_t count = 0;
	(void)state;
	all.head.count = 0;
	while (all.head.count < RPC_INTERFACE_ADDRS_MAX) {
		char text[32];
		(void)snprintf(text, sizeof text, all.head.count % 2 ? "10.7.1.%d" : "fd00::%d",
			       all.head.count);
		address_add(text, 24);
	}
	assert_int_equal(ask(&q), 0);
	while (message(count)->nlmsg_type == RTM_NEWADDR) {
		count++;
	}
	assert_int_equal(count, RPC_INTERFACE_ADDRS_MAX + 2);
	assert_int_equal(message(count)->nlmsg_type, NLMSG_DONE);
	refuse_after = 1;
	q = question(RTM_GETROUTE, NLM_F_DUMP, &body, sizeof body);
	assert_int_equal(ask(&q), -ENOBUFS);
	assert_int_equal(datagrams, 1);
	refuse_after = 0;
}

static void test_routes(void **state)
{
	struct rtmsg body = { .rtm_family = AF_INET };
	struct question q = question(RTM_GETROUTE, NLM_F_DUMP, &body, sizeof body);
	(void)state;
	assert_int_equal(ask(&q), 0);
	assert_string_equal(routes(),
			    "default/0 via 10.7.0.1 from 10.7.0.5 dev 2 table 254 type 1\n"
			    "172.16.0.0/12 via 10.7.0.2 from 10.7.0.5 dev 2 table 254 type 1\n"
			    "127.0.0.0/8 via - from 127.0.0.1 dev 1 table 255 type 2\n"
			    "10.7.0.0/24 via - from 10.7.0.5 dev 2 table 254 type 1\n"
			    "127.0.0.1/32 via - from 127.0.0.1 dev 1 table 255 type 2\n"
			    "10.7.0.5/32 via - from 10.7.0.5 dev 2 table 255 type 2\n"
			    "127.255.255.255/32 via - from 127.0.0.1 dev 1 table 255 type 3\n"
			    "10.7.0.255/32 via - from 10.7.0.5 dev 2 table 255 type 3\n");
	body.rtm_family = AF_INET6;
	q = question(RTM_GETROUTE, NLM_F_DUMP, &body, sizeof body);
	assert_int_equal(ask(&q), 0);
	assert_string_equal(routes(), "fd11::/32 via fd00::1 from fd00::5 dev 2 table 254 type 1\n"
				      "::1/128 via - from - dev 1 table 254 type 1\n"
				      "fd00::/64 via - from - dev 2 table 254 type 1\n"
				      "fe80::/64 via - from - dev 2 table 254 type 1\n"
				      "::1/128 via - from - dev 1 table 255 type 2\n"
				      "fd00::5/128 via - from - dev 2 table 255 type 2\n"
				      "fe80::5/128 via - from - dev 2 table 255 type 2\n"
				      "ff00::/8 via - from - dev 2 table 255 type 5\n");
}

static void test_strict_routes(void **state)
{
	uint32_t table = RT_TABLE_LOCAL, index = 2;
	struct rtmsg body = { .rtm_family = AF_INET };
	struct question q = question(RTM_GETROUTE, NLM_F_DUMP, &body, sizeof body);
	(void)state;
	attribute_add(&q, RTA_TABLE, &table, sizeof table);
	attribute_add(&q, RTA_OIF, &index, sizeof index);
	view.is_strict = true;
	assert_int_equal(ask(&q), 0);
	assert_int_equal(message(0)->nlmsg_flags, NLM_F_MULTI | NLM_F_DUMP_FILTERED);
	assert_string_equal(routes(), "10.7.0.5/32 via - from 10.7.0.5 dev 2 table 255 type 2\n"
				      "10.7.0.255/32 via - from 10.7.0.5 dev 2 table 255 type 3\n");
}

static const char *way_to(const char *text)
{
	uint8_t address[16];
	struct rtmsg body = { .rtm_family = address_of(text, address) };
	struct question q = question(RTM_GETROUTE, 0, &body, sizeof body);
	attribute_add(&q, RTA_DST, body.rtm_family == AF_INET ? address + 12 : address,
		      body.rtm_family == AF_INET ? 4 : 16);
	assert_int_equal(ask(&q), 0);
	return message(0)->nlmsg_type == RTM_NEWROUTE ? routes() : "";
}

static void test_way(void **state)
{
	(void)state;
	assert_string_equal(way_to("10.7.0.9"),
			    "10.7.0.9/32 via - from 10.7.0.5 dev 2 table 254 type 1\n");
	assert_string_equal(way_to("172.17.1.1"),
			    "172.17.1.1/32 via 10.7.0.2 from 10.7.0.5 dev 2 table 254 type 1\n");
	assert_string_equal(way_to("8.8.8.8"),
			    "8.8.8.8/32 via 10.7.0.1 from 10.7.0.5 dev 2 table 254 type 1\n");
	assert_string_equal(way_to("10.7.0.5"),
			    "10.7.0.5/32 via - from 10.7.0.5 dev 1 table 254 type 2\n");
	assert_string_equal(way_to("fd11::7"),
			    "fd11::7/128 via fd00::1 from fd00::5 dev 2 table 254 type 1\n");
	assert_string_equal(way_to("fd00::5"),
			    "fd00::5/128 via - from fd00::5 dev 1 table 255 type 2\n");
	assert_string_equal(way_to("2001:db8::1"), "");
	assert_int_equal(verdict(), -ENETUNREACH);
}

static void test_verdicts(void **state)
{
	uint8_t body[200] = { 0 };
	struct question q = question(RTM_NEWADDR, NLM_F_ACK, body, sizeof body);
	(void)state;
	assert_int_equal(ask(&q), 0);
	assert_int_equal(verdict(), -EPERM);
	assert_int_equal(message(0)->nlmsg_len, 20 + sizeof body + NLMSG_HDRLEN);
	assert_memory_equal((const uint8_t *)message(0) + 20, &q, q.h.nlmsg_len);
	view.is_capped = true;
	assert_int_equal(ask(&q), 0);
	assert_int_equal(message(0)->nlmsg_len, 36);
	assert_int_equal(message(0)->nlmsg_flags, NLM_F_CAPPED);
	view.is_capped = false;
	uint8_t *large = calloc(1, 8000);
	assert_non_null(large);
	q.h.nlmsg_len = 8000;
	memcpy(large, &q.h, sizeof q.h);
	assert_int_equal(send_bytes(large, 8000), 0);
	assert_int_equal(message(0)->nlmsg_len, 36);
	free(large);
	q = question(RTM_MAX + 3, 0, body, 4);
	assert_int_equal(ask(&q), 0);
	assert_int_equal(verdict(), -EOPNOTSUPP);
}

/* A request that is cut off anywhere, or whose attributes say what is not so. */
static void test_malformed(void **state)
{
	uint8_t address[16];
	struct rtmsg body = { .rtm_family = address_of("10.7.0.9", address) };
	struct question q = question(RTM_GETROUTE, 0, &body, sizeof body);
	(void)state;
	attribute_add(&q, RTA_OIF, "\2\0\0\0", 4);
	attribute_add(&q, RTA_DST, address + 12, 4);
	uint32_t whole = q.h.nlmsg_len;
	for (uint32_t n = 0; n < whole; n++) {
		assert_int_equal(send_bytes(&q, n), 0);
		assert_int_equal(datagrams, 0); /* not a message */
		q.h.nlmsg_len = n < NLMSG_HDRLEN ? NLMSG_HDRLEN : n;
		assert_int_equal(ask(&q), 0);
		q.h.nlmsg_len = whole;
	}
	size_t at = sizeof body;
	for (unsigned n = 0; n < 300; n++) { /* the first attribute's length */
		uint16_t length = (uint16_t)(n < 256 ? n : 65535 - (n - 256));
		memcpy(q.bytes + at, &length, sizeof length);
		assert_int_equal(ask(&q), 0);
		assert_int_equal(datagrams, 1);
	}
	q = question(RTM_GETLINK, 0, &(struct ifinfomsg){ .ifi_index = 0 }, 16);
	attribute_add(&q, IFLA_IFNAME, "a name that is much too long for an interface", 45);
	assert_int_equal(ask(&q), 0);
	assert_int_equal(verdict(), -ENODEV);
}

static void test_wants_routes(void **state)
{
	struct question q[2] = { question(RTM_GETLINK, 0, "", 0),
				 question(RTM_GETROUTE, 0, "", 0) };
	(void)state;
	assert_false(nl_wants_routes(&q[0], sizeof q[0]));
	assert_true(nl_wants_routes(&q[1], q[1].h.nlmsg_len));
	q[0].h.nlmsg_len = sizeof q[0];
	assert_true(nl_wants_routes(q, sizeof q));
	assert_false(nl_wants_routes(q, sizeof q[0] + 15));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_links, network_up),
		cmocka_unit_test_setup(test_without_service, network_up),
		cmocka_unit_test_setup(test_many_addresses, network_up),
		cmocka_unit_test_setup(test_routes, network_up),
		cmocka_unit_test_setup(test_strict_routes, network_up),
		cmocka_unit_test_setup(test_way, network_up),
		cmocka_unit_test_setup(test_verdicts, network_up),
		cmocka_unit_test_setup(test_malformed, network_up),
		cmocka_unit_test_setup(test_wants_routes, network_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
