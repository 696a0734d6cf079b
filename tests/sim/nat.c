/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/sim/nat.h"

#include "base/bug.h"

#include <stdlib.h>

enum { FIRST_PORT = 40000, CONTACTS = 64 };

struct mapping {
	struct zt_endpoint inside;
	struct zt_endpoint to; /* symmetric only */
	uint16_t port;
	int64_t used_ms;
	size_t contact_count;
	struct zt_endpoint contacts[CONTACTS]; /* who was sent to; a ring */
};

struct nat {
	enum nat_kind kind;
	struct zt_endpoint ip;
	int64_t timeout_ms;
	uint16_t next_port;
	struct mapping *mappings;
	size_t count, capacity;
};

struct nat *nat_new(enum nat_kind kind, const struct zt_endpoint *public_ip, int64_t timeout_ms)
{
	struct nat *nat = calloc(1, sizeof *nat);
	BUG_ON(!nat);
	nat->kind = kind;
	nat->ip = *public_ip;
	nat->timeout_ms = timeout_ms;
	nat->next_port = FIRST_PORT;
	return nat;
}

void nat_free(struct nat *nat)
{
	if (nat) {
		free(nat->mappings);
		free(nat);
	}
}

const struct zt_endpoint *nat_public(const struct nat *nat)
{
	return &nat->ip;
}

const char *nat_kind_name(enum nat_kind kind)
{
	static const char *const names[NAT_KINDS] = { "full cone", "restricted", "port restricted",
						      "symmetric" };
	return names[kind];
}

static bool is_live(const struct nat *nat, const struct mapping *m, int64_t now_ms)
{
	return now_ms - m->used_ms < nat->timeout_ms;
}

static struct mapping *find(struct nat *nat, int64_t now_ms, const struct zt_endpoint *inside,
			    const struct zt_endpoint *to)
{
	for (size_t i = 0; i < nat->count; i++) {
		struct mapping *m = &nat->mappings[i];
		if (is_live(nat, m, now_ms) && endpoint_equal(&m->inside, inside) &&
		    (nat->kind != NAT_SYMMETRIC || endpoint_equal(&m->to, to))) {
			return m;
		}
	}
	return NULL;
}

static struct mapping *room(struct nat *nat, int64_t now_ms)
{
	for (size_t i = 0; i < nat->count; i++) {
		if (!is_live(nat, &nat->mappings[i], now_ms)) {
			return &nat->mappings[i];
		}
	}
	if (nat->count == nat->capacity) {
		nat->capacity = nat->capacity ? nat->capacity * 2 : 16;
		nat->mappings = realloc(nat->mappings, nat->capacity * sizeof *nat->mappings);
		BUG_ON(!nat->mappings);
	}
	return &nat->mappings[nat->count++];
}

static struct mapping *make(struct nat *nat, int64_t now_ms, const struct zt_endpoint *inside,
			    const struct zt_endpoint *to)
{
	struct mapping *m = room(nat, now_ms);
	*m = (struct mapping){ .inside = *inside, .to = *to, .port = nat->next_port };
	nat->next_port = nat->next_port == UINT16_MAX ? FIRST_PORT : nat->next_port + 1;
	return m;
}

struct zt_endpoint nat_out(struct nat *nat, int64_t now_ms, const struct zt_endpoint *inside,
			   const struct zt_endpoint *to)
{
	struct mapping *m = find(nat, now_ms, inside, to);
	if (!m) {
		m = make(nat, now_ms, inside, to);
	}
	m->used_ms = now_ms;
	m->contacts[m->contact_count++ % CONTACTS] = *to;
	struct zt_endpoint mapped = nat->ip;
	mapped.port = m->port;
	return mapped;
}

static bool may_enter(const struct nat *nat, const struct mapping *m,
		      const struct zt_endpoint *from)
{
	size_t count = m->contact_count < CONTACTS ? m->contact_count : CONTACTS;
	if (nat->kind == NAT_FULL_CONE) {
		return true;
	}
	for (size_t i = 0; i < count; i++) {
		if (nat->kind == NAT_RESTRICTED ? endpoint_ip_equal(&m->contacts[i], from)
						: endpoint_equal(&m->contacts[i], from)) {
			return true;
		}
	}
	return false;
}

bool nat_in(struct nat *nat, int64_t now_ms, const struct zt_endpoint *from, uint16_t public_port,
	    struct zt_endpoint *inside)
{
	for (size_t i = 0; i < nat->count; i++) {
		const struct mapping *m = &nat->mappings[i];
		if (m->port == public_port && is_live(nat, m, now_ms)) {
			*inside = m->inside;
			return may_enter(nat, m, from);
		}
	}
	return false;
}

void nat_reset(struct nat *nat)
{
	nat->count = 0;
}

void nat_public_set(struct nat *nat, const struct zt_endpoint *public_ip)
{
	nat->ip = *public_ip;
}
