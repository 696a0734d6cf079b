/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works
 *
 * Fragments of one packet are kept as they came, ordered by offset, in a set; the sets are few and
 * ordered by age, so the first has the only deadline there is. A piece that overlaps another ends
 * its set (RFC 5722; Linux does so for IPv4 too), a piece that comes twice is ignored. What can be
 * held is FRAGMENT_DATAGRAMS times 65535 bytes, whatever arrives. */
#include "stack/fragment.h"

#include "stack/hooks.h"
#include "stack/internal.h"

enum { PAYLOAD_MAX = 65535, IPV4_HEADER = 20, IPV6_HEADER = 40 };

struct piece {
	struct piece *next;
	uint32_t offset, length;
	uint8_t bytes[];
};

struct fragment_set {
	struct fragment_set *next;
	struct ipa source, destination;
	uint32_t id;
	uint8_t protocol;
	uint8_t count;
	bool is_authentic; /* all of them */
	int64_t until_ms;
	uint32_t total; /* 0 = the last has not come */
	uint32_t have;
	struct piece *pieces;
	uint8_t header[IPV6_HEADER];
};

static void set_free(struct fragments *all, struct fragment_set *set)
{
	struct fragment_set **link = &all->first;
	while (*link != set) {
		link = &(*link)->next;
	}
	*link = set->next;
	all->count--;
	while (set->pieces) {
		struct piece *next = set->pieces->next;
		stk_heap_free(set->pieces);
		set->pieces = next;
	}
	stk_heap_free(set);
}

static struct fragment_set *set_for(struct stack *s, const struct packet *p, uint32_t id)
{
	struct fragments *all = &s->fragments;
	struct fragment_set **link = &all->first;
	for (; *link; link = &(*link)->next) {
		struct fragment_set *set = *link;
		if (set->id == id && set->protocol == p->protocol &&
		    ipa_equal(&set->source, &p->source) &&
		    ipa_equal(&set->destination, &p->destination)) {
			return set;
		}
	}
	struct fragment_set *set = stk_heap_calloc(1, sizeof(*set));
	if (!set) {
		return NULL;
	}
	set->source = p->source;
	set->destination = p->destination;
	set->id = id;
	set->protocol = p->protocol;
	set->is_authentic = true;
	set->until_ms = s->now_ms + FRAGMENT_MS;
	*link = set;
	all->count++;
	if (all->count > FRAGMENT_DATAGRAMS) {
		set_free(all, all->first);
	}
	return set;
}

enum verdict { TAKEN, IGNORED, WRONG };

/* Where the piece belongs: *link. */
static enum verdict place(struct fragment_set *set, uint32_t offset, uint32_t length,
			  struct piece ***link)
{
	struct piece **at = &set->pieces;
	while (*at && (*at)->offset + (*at)->length <= offset) {
		at = &(*at)->next;
	}
	*link = at;
	if (!*at || (*at)->offset >= offset + length) {
		return TAKEN;
	}
	return (*at)->offset == offset && (*at)->length == length ? IGNORED : WRONG;
}

static enum verdict piece_add(struct fragment_set *set, const struct packet *p,
			      const struct fragment *f)
{
	uint32_t length = p->payload_length, end = f->offset + length;
	const struct piece *last = set->pieces;
	while (last && last->next) {
		last = last->next;
	}
	bool is_beyond = set->total != 0 && end > set->total;
	bool ends_early = !f->has_more && ((set->total != 0 && set->total != end) ||
					   (last && last->offset + last->length > end));
	struct piece **link;
	enum verdict verdict =
	    is_beyond || ends_early ? WRONG : place(set, f->offset, length, &link);
	if (verdict != TAKEN) {
		return verdict;
	}
	struct piece *piece = stk_heap_alloc(sizeof(*piece) + length);
	if (!piece || set->count == FRAGMENT_PIECES) {
		stk_heap_free(piece);
		return WRONG;
	}
	*piece = (struct piece){ .next = *link, .offset = f->offset, .length = length };
	memcpy(piece->bytes, p->payload, length);
	*link = piece;
	set->count++;
	set->have += length;
	set->is_authentic &= p->is_authentic;
	if (!f->has_more) {
		set->total = end;
	}
	return TAKEN;
}

/* The packet as if it had never been fragmented. */
static void header_write(const struct fragment_set *set, bool is_v4, uint8_t *packet)
{
	uint32_t length = set->total + (is_v4 ? IPV4_HEADER : 0);
	if (is_v4) {
		memcpy(packet, set->header, IPV4_HEADER);
		packet[2] = (uint8_t)(length >> 8);
		packet[3] = (uint8_t)length;
		memset(packet + 6, 0, 2);
		memset(packet + 10, 0, 2);
		uint16_t sum = (uint16_t)~stk_checksum(packet, IPV4_HEADER);
		memcpy(packet + 10, &sum, 2);
	} else {
		memcpy(packet, set->header, IPV6_HEADER);
		packet[4] = (uint8_t)(length >> 8);
		packet[5] = (uint8_t)length;
		packet[6] = set->protocol;
	}
}

static void set_finish(struct stack *s, struct fragment_set *set, const struct packet *newest)
{
	bool is_v4 = ipa_is_v4(&set->source);
	uint32_t header = is_v4 ? IPV4_HEADER : IPV6_HEADER;
	uint8_t *bytes = NULL;
	if (set->total + (is_v4 ? header : 0) <= PAYLOAD_MAX) {
		bytes = stk_heap_alloc(header + set->total);
	}
	if (!bytes) {
		s->counts.frames_dropped++;
		set_free(&s->fragments, set);
		return;
	}
	header_write(set, is_v4, bytes);
	for (const struct piece *piece = set->pieces; piece; piece = piece->next) {
		memcpy(bytes + header + piece->offset, piece->bytes, piece->length);
	}
	struct packet whole = *newest;
	whole.bytes = bytes;
	whole.length = header + set->total;
	whole.payload = bytes + header;
	whole.payload_length = set->total;
	whole.is_authentic = set->is_authentic;
	set_free(&s->fragments, set);
	packet_input(s, &whole);
	stk_heap_free(bytes);
}

void fragments_input(struct stack *s, const struct packet *p, const struct fragment *f)
{
	if (p->payload_length == 0 || f->offset + p->payload_length > PAYLOAD_MAX ||
	    (f->has_more && p->payload_length % 8 != 0)) {
		s->counts.frames_dropped++;
		return;
	}
	struct fragment_set *set = set_for(s, p, f->id);
	enum verdict verdict = set ? piece_add(set, p, f) : IGNORED;
	if (verdict != TAKEN) {
		s->counts.frames_dropped++;
	}
	if (verdict == WRONG) {
		set_free(&s->fragments, set);
		return;
	}
	if (verdict == TAKEN && f->offset == 0) {
		memcpy(set->header, p->bytes, ipa_is_v4(&p->source) ? IPV4_HEADER : IPV6_HEADER);
	}
	if (verdict == TAKEN && set->total != 0 && set->have == set->total) {
		set_finish(s, set, p);
	}
}

void fragments_advance(struct fragments *all, int64_t now_ms)
{
	while (all->first && all->first->until_ms <= now_ms) {
		set_free(all, all->first);
	}
}

int64_t fragments_deadline(const struct fragments *all)
{
	return all->first ? all->first->until_ms : INT64_MAX;
}

void fragments_close(struct fragments *all)
{
	fragments_advance(all, INT64_MAX);
}
