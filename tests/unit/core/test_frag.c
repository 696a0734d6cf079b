/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Cutting and reassembly: limits, disorder, forgery, bounded memory. */
#include "core/frag.h"
#include "core/mem.h"
#include "core/packet.h"
#include "tests/lib/check.h"

static uint8_t packet[PACKET_MAX_BYTES], cut[PACKET_MAX_BYTES + 7 * FRAG_HEADER_BYTES];
static const struct frag_origin here = { .from = { .ip = { 10, 0, 0, 1 }, .port = 1, .family = 4 },
					 .socket = 7 };

static void packet_make(uint64_t id, size_t size)
{
	const struct packet_header header = { .id = id, .dest = 0x1111111111, .source = 0x22 };
	for (size_t i = 0; i < size; i++) {
		packet[i] = (uint8_t)(i * 7 + i / 256);
	}
	packet_header_write(packet, &header);
	packet_fragmented_set(packet);
}

struct pieces {
	const uint8_t *at[FRAG_MAX_DATAGRAMS];
	uint16_t length[FRAG_MAX_DATAGRAMS];
	size_t count;
};

static struct pieces pieces_make(size_t size, size_t mtu)
{
	struct pieces p = { .count = frag_count(size, mtu) };
	memcpy(cut, packet, size);
	frag_split(cut, size, mtu, p.length);
	const uint8_t *at = cut;
	for (size_t i = 0; i < p.count; i++) {
		p.at[i] = at;
		at += p.length[i];
	}
	assert_int_equal(at - cut, frag_room(size, p.count));
	return p;
}

static void counts_are_the_specifications(void **state)
{
	(void)state;
	static const struct {
		size_t size, mtu, count;
	} cases[] = {
		{ 28, 1432, 1 },     { 1432, 1432, 1 }, { 1433, 1432, 2 },  { 2848, 1432, 2 },
		{ 2849, 1432, 3 },   { 9928, 1432, 7 }, { 9929, 1432, 0 },  { 10024, 1500, 7 },
		{ 10024, 10324, 1 }, { 100, 20, 0 },    { 10025, 1500, 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(frag_count(cases[i].size, cases[i].mtu), cases[i].count);
	}
}

static void even_cuts_are_even(void **state)
{
	(void)state;
	assert_int_equal(frag_even_mtu(2838, 1432), 1427);
	assert_int_equal(frag_even_mtu(1000, 1432), 1432);
	for (size_t size = 1433; size <= 9928; size++) {
		size_t mtu = frag_even_mtu(size, 1432);
		assert_true(mtu <= 1432);
		assert_int_equal(frag_count(size, mtu), frag_count(size, 1432));
	}
}

static void every_order_and_size(void **state)
{
	(void)state;
	struct frag_table *table = frag_table_new();
	assert_non_null(table);
	uint64_t id = 1;
	uint32_t random = 12345;
	for (size_t size = 1433; size <= 9928; size += 97) {
		packet_make(id++, size);
		struct pieces p = pieces_make(size, 1432);
		struct frag_packet out = { 0 };
		for (size_t left = p.count; left > 0; left--) {
			random = random * 1664525 + 1013904223;
			size_t pick = (random >> 16) % left;
			enum frag_result want = left == 1 ? FRAG_COMPLETE : FRAG_HELD;
			assert_int_equal(
			    frag_add(table, p.at[pick], p.length[pick], &here, 0, &out), want);
			if (left > 1) {
				assert_int_equal(
				    frag_add(table, p.at[pick], p.length[pick], &here, 0, &out),
				    FRAG_DUPLICATE);
			}
			p.at[pick] = p.at[left - 1];
			p.length[pick] = p.length[left - 1];
		}
		assert_int_equal(out.length, size);
		assert_memory_equal(out.bytes, packet, size);
		assert_int_equal(out.origin.socket, here.socket);
	}
	frag_table_free(table);
}

static enum frag_result forged(struct frag_table *table, uint64_t id, uint8_t numbers,
			       size_t length)
{
	uint8_t bytes[2000];
	struct frag_packet out;
	packet_make(id, 28);
	memset(bytes, 0, sizeof bytes);
	memcpy(bytes, packet, 13);
	bytes[FRAG_INDICATOR_AT] = FRAG_INDICATOR;
	bytes[FRAG_NUMBERS_AT] = numbers;
	return frag_add(table, bytes, length, &here, 0, &out);
}

static void forgeries_are_refused(void **state)
{
	(void)state;
	struct frag_table *table = frag_table_new();
	struct frag_packet out;
	for (unsigned numbers = 0; numbers < 256; numbers++) {
		unsigned total = numbers >> 4, number = numbers & 15;
		bool is_good = total >= 2 && total <= 7 && number >= 1 && number < total;
		assert_int_equal(forged(table, 1000 + numbers, (uint8_t)numbers, 100),
				 is_good ? FRAG_HELD : FRAG_BAD);
	}
	assert_int_equal(forged(table, 5, 0x21, FRAG_HEADER_BYTES), FRAG_BAD);
	assert_int_equal(forged(table, 5, 0x31, 17), FRAG_HELD);
	assert_int_equal(forged(table, 5, 0x42, 17), FRAG_BAD);  /* another total: given up */
	assert_int_equal(forged(table, 5, 0x31, 17), FRAG_HELD); /* so this is a new one */

	/* More than the largest packet in all. */
	for (uint8_t n = 1; n <= 5; n++) {
		assert_int_equal(forged(table, 6, (uint8_t)(0x70 | n), 2000), FRAG_HELD);
	}
	assert_int_equal(forged(table, 6, 0x76, 2000), FRAG_BAD);
	packet_make(7, 27);
	assert_int_equal(frag_add(table, packet, 27, &here, 0, &out), FRAG_BAD);
	frag_table_free(table);
}

static enum frag_result head_add(struct frag_table *table, uint64_t id, uint8_t host, int64_t now)
{
	struct frag_origin origin = here;
	struct frag_packet out;
	origin.from.ip[3] = host;
	packet_make(id, 1432);
	return frag_add(table, packet, 1432, &origin, now, &out);
}

/* One address fills at most half of the table; what others sent stays. */
static void one_address_cannot_take_all(void **state)
{
	(void)state;
	struct frag_table *table = frag_table_new();
	assert_int_equal(head_add(table, 1, 2, 0), FRAG_HELD);
	for (uint64_t id = 100; id < 400; id++) {
		assert_int_equal(head_add(table, id, 1, 1), FRAG_HELD);
	}
	assert_int_equal(head_add(table, 1, 2, 2), FRAG_DUPLICATE);
	size_t kept = 0;
	for (uint64_t id = 399; id >= 100; id--) {
		if (head_add(table, id, 1, 2) != FRAG_DUPLICATE) {
			break;
		}
		kept++;
	}
	assert_true(kept >= 1 && kept <= FRAG_SLOTS / 2);

	/* Many addresses: the oldest goes first. */
	for (uint64_t id = 500; id < 500 + FRAG_SLOTS; id++) {
		assert_int_equal(head_add(table, id, (uint8_t)id, (int64_t)id), FRAG_HELD);
	}
	assert_int_equal(head_add(table, 1, 2, 600), FRAG_HELD);
	frag_table_free(table);
}

static void incomplete_ones_expire(void **state)
{
	(void)state;
	struct frag_table *table = frag_table_new();
	struct frag_packet out;
	packet_make(9, 2000);
	struct pieces p = pieces_make(2000, 1432);
	assert_int_equal(frag_add(table, p.at[0], p.length[0], &here, 0, &out), FRAG_HELD);
	assert_int_equal(frag_add(table, p.at[1], p.length[1], &here, FRAG_EXPIRY_MS - 1, &out),
			 FRAG_COMPLETE);
	assert_int_equal(frag_add(table, p.at[0], p.length[0], &here, 10, &out), FRAG_HELD);
	assert_int_equal(frag_add(table, p.at[1], p.length[1], &here, 10 + FRAG_EXPIRY_MS, &out),
			 FRAG_HELD);
	frag_table_free(table);
}

/* A head cut anywhere is either refused or kept as a shorter head; never read beyond its end. */
static void truncated_datagrams(void **state)
{
	(void)state;
	struct frag_table *table = frag_table_new();
	struct frag_packet out;
	packet_make(10, 1500);
	struct pieces p = pieces_make(1500, 1432);
	for (size_t i = 0; i < 2; i++) {
		for (size_t length = 0; length < p.length[i]; length++) {
			uint8_t *copy = malloc(length ? length : 1);
			assert_non_null(copy);
			memcpy(copy, p.at[i], length);
			if (length > 8) {
				copy[0] = (uint8_t)(i + 1); /* a fresh id */
				copy[1] = (uint8_t)length;
				copy[2] = (uint8_t)(length >> 8);
			}
			size_t least = i == 0 ? PACKET_MIN_BYTES : FRAG_HEADER_BYTES + 1;
			assert_int_equal(frag_add(table, copy, length, &here, 0, &out),
					 length >= least ? FRAG_HELD : FRAG_BAD);
			free(copy);
		}
	}
	frag_table_free(table);
}

static void table_needs_memory(void **state)
{
	(void)state;
	zt_mem_fail_after(0);
	assert_null(frag_table_new());
	frag_table_free(NULL);
}

static void datagrams_are_classified(void **state)
{
	(void)state;
	uint8_t bytes[40] = { 0 };
	assert_int_equal(datagram_classify(bytes, 4), DATAGRAM_JUNK);
	assert_int_equal(datagram_classify(bytes, 13), DATAGRAM_BEACON);
	assert_int_equal(datagram_classify(bytes, 16), DATAGRAM_JUNK);
	assert_int_equal(datagram_classify(bytes, 27), DATAGRAM_JUNK);
	assert_int_equal(datagram_classify(bytes, 28), DATAGRAM_PACKET);
	bytes[PACKET_FLAGS_AT] = PACKET_FLAG_FRAGMENTED;
	assert_int_equal(datagram_classify(bytes, 28), DATAGRAM_HEAD);
	bytes[FRAG_INDICATOR_AT] = FRAG_INDICATOR;
	assert_int_equal(datagram_classify(bytes, 16), DATAGRAM_JUNK);
	assert_int_equal(datagram_classify(bytes, 17), DATAGRAM_FRAGMENT);
	for (int i = 0; i < 9; i++) {
		datagram_hop(bytes);
	}
	assert_int_equal(datagram_hops(bytes), 7);
	assert_int_equal(bytes[PACKET_FLAGS_AT], PACKET_FLAG_FRAGMENTED);
	assert_string_equal(verb_name(VERB_HELLO), "HELLO");
	assert_string_equal(verb_name(0x1f), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_are_the_specifications),
		cmocka_unit_test(even_cuts_are_even),
		cmocka_unit_test(every_order_and_size),
		cmocka_unit_test(forgeries_are_refused),
		cmocka_unit_test(one_address_cannot_take_all),
		cmocka_unit_test(incomplete_ones_expire),
		cmocka_unit_test(truncated_datagrams),
		cmocka_unit_test(table_needs_memory),
		cmocka_unit_test(datagrams_are_classified),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
