/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/netconf.h"

#include "core/dict.h"

#include <string.h>

/* Elements are made one by one in a small buffer and escaped into the dictionary. */
enum { ELEMENT_MAX_BYTES = CAPABILITY_MAX_BYTES };

struct element {
	uint8_t bytes[ELEMENT_MAX_BYTES];
	struct wr w;
};

static struct wr *element_begin(struct element *e)
{
	e->w = wr_init(e->bytes, sizeof(e->bytes));
	return &e->w;
}

static void element_end(struct wr *dict, const struct element *e)
{
	dict_escape(dict, e->bytes, wr_length(&e->w));
}

static void write_credentials(struct wr *w, const struct netconf *nc, struct element *e)
{
	if (nc->has_com) {
		dict_begin(w, "C");
		com_write(element_begin(e), &nc->com);
		element_end(w, e);
	}
	for (size_t i = 0; i < nc->capability_count; i++) {
		if (i == 0) {
			dict_begin(w, "CAP");
		}
		capability_write(element_begin(e), &nc->capabilities[i]);
		element_end(w, e);
	}
	for (size_t i = 0; i < nc->tag_count; i++) {
		if (i == 0) {
			dict_begin(w, "TAG");
		}
		tag_write(element_begin(e), &nc->tags[i]);
		element_end(w, e);
	}
	for (size_t i = 0; i < nc->coo_count; i++) {
		if (i == 0) {
			dict_begin(w, "COO");
		}
		coo_write(element_begin(e), &nc->coos[i]);
		element_end(w, e);
	}
}

static void write_lists(struct wr *w, const struct netconf *nc, struct element *e)
{
	for (size_t i = 0; i < nc->specialist_count; i++) {
		if (i == 0) {
			dict_begin(w, "S");
		}
		wr_u64(element_begin(e), nc->specialists[i]);
		element_end(w, e);
	}
	for (size_t i = 0; i < nc->route_count; i++) {
		const struct zt_route *route = &nc->routes[i];
		if (i == 0) {
			dict_begin(w, "RT");
		}
		struct wr *out = element_begin(e);
		endpoint_write(out, &route->target);
		endpoint_write(out, &route->via);
		wr_u16(out, route->flags);
		wr_u16(out, route->metric);
		element_end(w, e);
	}
	for (size_t i = 0; i < nc->address_count; i++) {
		if (i == 0) {
			dict_begin(w, "I");
		}
		endpoint_write(element_begin(e), &nc->addresses[i]);
		element_end(w, e);
	}
	for (size_t i = 0; i < nc->rule_count; i++) {
		if (i == 0) {
			dict_begin(w, "R");
		}
		rule_write(element_begin(e), &nc->rules[i]);
		element_end(w, e);
	}
}

/* Always there, even when empty: 128 bytes of domain and four addresses. */
static void write_dns(struct wr *w, const struct netconf *nc, struct element *e)
{
	static const struct zt_endpoint none;
	struct wr *out = element_begin(e);
	size_t length = strlen(nc->dns_domain);
	wr_bytes(out, nc->dns_domain, length);
	wr_zeros(out, VL2_DNS_DOMAIN_BYTES - length);
	for (size_t i = 0; i < VL2_DNS_SERVERS_MAX; i++) {
		endpoint_write(out, i < nc->dns_count ? &nc->dns[i] : &none);
	}
	dict_begin(w, "DNS");
	element_end(w, e);
}

static void write_sso(struct wr *w, const struct netconf *nc)
{
	dict_add_u64(w, "ssov", nc->sso_version);
	dict_add_bool(w, "ssoe", nc->is_sso_enabled);
	if (nc->sso_version == 0 && nc->is_sso_enabled && nc->sso) {
		if (nc->sso->url[0]) {
			dict_add_string(w, "aurl", nc->sso->url);
		}
		dict_add_u64(w, "aexpt", nc->sso->expiry_ms);
	} else if (nc->sso_version == 1 && nc->sso) {
		dict_add_string(w, "iurl", nc->sso->issuer);
		dict_add_string(w, "ssoce", nc->sso->central);
		dict_add_string(w, "sson", nc->sso->nonce);
		dict_add_string(w, "ssos", nc->sso->state);
		dict_add_string(w, "ssocid", nc->sso->client_id);
		dict_add_string(w, "ssop", nc->sso->provider);
	}
}

void netconf_write(struct wr *w, const struct netconf *nc)
{
	struct element e;
	dict_add_u64(w, "v", VL2_NETCONF_VERSION);
	dict_add_u64(w, "nwid", nc->nwid);
	dict_add_u64(w, "ts", nc->timestamp);
	dict_add_u64(w, "ctmd", nc->credential_delta_ms);
	dict_add_u64(w, "r", nc->revision);
	dict_add_address(w, "id", nc->issued_to);
	dict_add_address(w, "tt", nc->trace_target);
	dict_add_u64(w, "tl", nc->trace_level);
	dict_add_u64(w, "f", nc->flags);
	dict_add_u64(w, "ml", nc->multicast_limit);
	dict_add_u64(w, "t", nc->type);
	dict_add_string(w, "n", nc->name);
	dict_add_u64(w, "mtu", nc->mtu);
	write_credentials(w, nc, &e);
	write_lists(w, nc, &e);
	write_dns(w, nc, &e);
	write_sso(w, nc);
}
