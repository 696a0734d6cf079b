/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* tests/captures/session.pcap: three zerotier-one nodes, every packet opened, parsed and compared
 * with the line that another decoder printed for it. */
#include "tests/lib/check.h"
#include "tests/lib/opener.h"
#include "tests/lib/pcap.h"

#include <stdio.h>

enum { PACKETS = 550, FIRST_NODE_IP = 0x0a620001 }; /* 10.98.0.1 root, .2 a, .3 b */

static struct opener opener;
static uint8_t *lines, *capture;
static size_t lines_length, capture_length;

static int setup(void **state)
{
	(void)state;
	static const char *const paths[OPENER_NODES] = { "captures/home-root/identity.secret",
							 "captures/home-a/identity.secret",
							 "captures/home-b/identity.secret" };
	char texts[OPENER_NODES][IDENTITY_TEXT_MAX + 2];
	const char *secrets[OPENER_NODES];
	for (size_t i = 0; i < OPENER_NODES; i++) {
		size_t length;
		uint8_t *text = test_file(paths[i], &length);
		assert_true(length < sizeof texts[i]);
		memcpy(texts[i], text, length);
		texts[i][length] = '\0';
		secrets[i] = texts[i];
		free(text);
	}
	opener_init(&opener, secrets);
	lines = test_file("captures/session.decoded.txt", &lines_length);
	capture = test_file("captures/session.pcap", &capture_length);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	opener_fini(&opener);
	free(lines);
	free(capture);
	return 0;
}

/* TIME FROM >TO a->b hopsN cN [Z] SIZE VERB [re VERB] ... */
enum { TIME, FROM, TO, FLOW, HOPS, CIPHER, SIZE, VERB, RE, RE_VERB, WORDS };

struct line {
	char text[256];
	char *words[WORDS]; /* NULL where the line ends earlier */
	bool is_compressed;
};

static void line_take(struct rd *r, struct line *line)
{
	char *rest = line->text, *word;
	size_t length = 0, count = 0;
	*line = (struct line){ 0 };
	while (rd_left(r) > 0) {
		char c = (char)rd_u8(r);
		if (c == '\n') {
			break;
		}
		if (length + 1 < sizeof line->text) {
			line->text[length++] = c;
		}
	}
	while (count < WORDS && (word = strsep(&rest, " ")) != NULL) {
		if (count == SIZE && strcmp(word, "Z") == 0) {
			line->is_compressed = true;
		} else if (*word != '\0') {
			line->words[count++] = word;
		}
	}
	assert_true(count > VERB);
}

static const char *short_name(uint8_t verb)
{
	static const char *const names[] = {
		[VERB_MULTICAST_LIKE] = "MC_LIKE",
		[VERB_NETWORK_CREDENTIALS] = "NET_CRED",
		[VERB_NETWORK_CONFIG_REQUEST] = "NETCONF_REQ",
		[VERB_NETWORK_CONFIG] = "NETCONF",
		[VERB_MULTICAST_GATHER] = "MC_GATHER",
		[VERB_MULTICAST_FRAME] = "MC_FRAME",
		[VERB_PUSH_DIRECT_PATHS] = "PUSH",
	};
	bool is_short = verb < sizeof names / sizeof names[0] && names[verb];
	return is_short ? names[verb] : verb_name(verb);
}

static void line_check(const struct line *line, const struct opened *packet)
{
	static const char *const names[OPENER_NODES] = { "root", "a", "b" };
	uint8_t verb = packet_verb(packet->plain);
	char want[64];
	(void)snprintf(want, sizeof want, "%s->%s", names[packet->source], names[packet->dest]);
	assert_string_equal(line->words[FLOW], want);
	(void)snprintf(want, sizeof want, "hops%d", packet_hops(packet->plain));
	assert_string_equal(line->words[HOPS], want);
	(void)snprintf(want, sizeof want, "c%d", packet_cipher(packet->plain));
	assert_string_equal(line->words[CIPHER], want);
	(void)snprintf(want, sizeof want, "%zu", packet->wire_length);
	assert_string_equal(line->words[SIZE], want);
	assert_int_equal(line->is_compressed, packet->is_compressed);
	assert_string_equal(line->words[VERB], short_name(verb));
	if (verb == VERB_OK || verb == VERB_ERROR) {
		assert_non_null(line->words[RE_VERB]);
		assert_string_equal(line->words[RE_VERB],
				    short_name(packet->plain[PACKET_PAYLOAD_AT]));
	}
}

static void capture_packet_by_packet(void **state)
{
	(void)state;
	struct pcap pcap;
	struct pcap_datagram datagram;
	struct rd text = rd_init(lines, lines_length);
	size_t packets = 0, held = 0, junk = 0;
	int64_t start_us = -1;

	assert_true(pcap_start(&pcap, capture, capture_length));
	while (pcap_next(&pcap, &datagram)) {
		struct opened packet;
		size_t receiver = datagram.to_ip - FIRST_NODE_IP;
		assert_true(receiver < OPENER_NODES);
		start_us = start_us < 0 ? datagram.time_us : start_us;
		enum opener_result result =
		    opener_take(&opener, receiver, datagram.bytes, datagram.length, &packet);
		assert_int_not_equal(result, OPENER_FAILED);
		held += result == OPENER_HELD;
		junk += result == OPENER_JUNK;
		if (result != OPENER_PACKET) {
			continue;
		}
		struct line line;
		line_take(&text, &line);
		line_check(&line, &packet);
		double late =
		    (double)(datagram.time_us - start_us) / 1e6 - strtod(line.words[TIME], NULL);
		assert_true(late > -0.001 && late < 0.001);
		assert_int_equal(opened_parse(&opener, &packet), 0);
		packets++;
	}
	assert_true(rd_done(&pcap.rest));
	assert_int_equal(packets, PACKETS);
	assert_int_equal(held, 6);
	assert_int_equal(junk, 1);
}

/* A capture that ends anywhere gives fewer datagrams, never one that is not there. */
static void capture_truncated(void **state)
{
	(void)state;
	for (size_t length = 0; length < 2000; length++) {
		uint8_t *copy = malloc(length ? length : 1);
		struct pcap pcap;
		struct pcap_datagram datagram;
		assert_non_null(copy);
		memcpy(copy, capture, length);
		bool is_pcap = pcap_start(&pcap, copy, length);
		assert_int_equal(is_pcap, length >= 24);
		while (is_pcap && pcap_next(&pcap, &datagram)) {
			assert_true(datagram.bytes + datagram.length <= copy + length);
		}
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capture_packet_by_packet),
		cmocka_unit_test(capture_truncated),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
