/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/netconf.h"

#include "core/dict.h"
#include "core/mem.h"

#include <string.h>

/* Beyond a limit the reader skips, as 3.4 says for certificates of ownership. */
static int skip_excess(int err)
{
	return err == ZT_E_NO_ROOM ? 0 : err;
}

/* ---- reading: lists --------------------------------------------------------------------------
 *
 * A binary value is unescaped into a scratch buffer and read from there. One function per key; the
 * table below says which belong together.
 */

static int read_com(struct rd *r, struct netconf *nc)
{
	if (rd_left(r) == 0) {
		return 0;
	}
	nc->has_com = true;
	return com_read(r, &nc->com);
}

/* A malformed capability or tag ends the list silently (3.4). */
static int read_capabilities(struct rd *r, struct netconf *nc)
{
	struct capability cap;
	while (rd_left(r) > 0 && capability_read(r, &cap) == 0) {
		int err = skip_excess(netconf_add_capability(nc, &cap));
		if (err) {
			return err;
		}
	}
	return 0;
}

static int read_tags(struct rd *r, struct netconf *nc)
{
	struct tag tag;
	while (rd_left(r) > 0 && tag_read(r, &tag) == 0) {
		int err = skip_excess(netconf_add_tag(nc, &tag));
		if (err) {
			return err;
		}
	}
	return 0;
}

static int read_coos(struct rd *r, struct netconf *nc)
{
	int err = 0;
	while (!err && rd_left(r) > 0) {
		struct coo coo;
		err = coo_read(r, &coo);
		if (!err) {
			err = skip_excess(netconf_add_coo(nc, &coo));
		}
	}
	return err;
}

static int read_specialists(struct rd *r, struct netconf *nc)
{
	int err = 0;
	while (!err && rd_left(r) >= 8) {
		err = skip_excess(netconf_add_specialist(nc, rd_u64(r)));
	}
	return err;
}

static int read_routes(struct rd *r, struct netconf *nc)
{
	int err = 0;
	while (!err && rd_left(r) > 0) {
		struct zt_route route = { 0 };
		err = endpoint_read(r, &route.target);
		if (!err) {
			err = endpoint_read(r, &route.via);
		}
		route.flags = rd_u16(r);
		route.metric = rd_u16(r);
		if (!err) {
			err = r->bad ? ZT_E_SHORT : skip_excess(netconf_add_route(nc, &route));
		}
	}
	return err;
}

static int read_addresses(struct rd *r, struct netconf *nc)
{
	int err = 0;
	while (!err && rd_left(r) > 0) {
		struct zt_endpoint address;
		err = endpoint_read(r, &address);
		if (!err) {
			err = skip_excess(netconf_add_address(nc, &address));
		}
	}
	return err;
}

static int read_rules(struct rd *r, struct netconf *nc)
{
	int err = 0;
	while (!err && rd_left(r) > 0) {
		struct rule rule;
		err = rule_read(r, &rule);
		if (!err) {
			err = skip_excess(netconf_add_rule(nc, &rule));
		}
	}
	return err;
}

static int read_dns(struct rd *r, struct netconf *nc)
{
	rd_copy(r, nc->dns_domain, VL2_DNS_DOMAIN_BYTES);
	nc->dns_domain[VL2_DNS_DOMAIN_BYTES] = '\0';
	for (size_t i = 0; i < VL2_DNS_SERVERS_MAX; i++) {
		struct zt_endpoint server;
		int err = endpoint_read(r, &server);
		if (err) {
			return err;
		}
		if (server.family != 0) {
			nc->dns[nc->dns_count++] = server;
		}
	}
	return 0;
}

static const struct list_key {
	const char *key;
	int (*read)(struct rd *r, struct netconf *nc);
} list_keys[] = {
	{ "C", read_com },       { "CAP", read_capabilities }, { "TAG", read_tags },
	{ "COO", read_coos },    { "S", read_specialists },    { "RT", read_routes },
	{ "I", read_addresses }, { "R", read_rules },          { "DNS", read_dns },
};

static int read_lists(const struct dict *d, uint8_t *scratch, struct netconf *nc)
{
	for (size_t i = 0; i < sizeof(list_keys) / sizeof(list_keys[0]); i++) {
		const uint8_t *raw;
		size_t length;
		if (!dict_find(d, list_keys[i].key, &raw, &length)) {
			continue;
		}
		struct rd r = rd_init(scratch, dict_unescape(raw, length, scratch));
		int err = list_keys[i].read(&r, nc);
		if (err) {
			return err == ZT_E_NO_MEMORY ? err : ZT_E_MALFORMED;
		}
	}
	return 0;
}

/* ---- reading: scalars ------------------------------------------------------------------------ */

static int read_sso(const struct dict *d, struct netconf *nc)
{
	nc->sso_version = dict_u64(d, "ssov", 0);
	nc->is_sso_enabled = dict_bool(d, "ssoe", false);
	if (nc->sso_version > 1 || (nc->sso_version == 0 && !nc->is_sso_enabled)) {
		return 0;
	}
	struct netconf_sso *sso = nc->sso = zt_calloc(1, sizeof(*nc->sso));
	if (!sso) {
		return ZT_E_NO_MEMORY;
	}
	if (nc->sso_version == 0) {
		dict_string(d, "aurl", sso->url, sizeof(sso->url));
		sso->expiry_ms = dict_u64(d, "aexpt", 0);
		return 0;
	}
	dict_string(d, "iurl", sso->issuer, sizeof(sso->issuer));
	dict_string(d, "ssoce", sso->central, sizeof(sso->central));
	dict_string(d, "sson", sso->nonce, sizeof(sso->nonce));
	dict_string(d, "ssos", sso->state, sizeof(sso->state));
	dict_string(d, "ssocid", sso->client_id, sizeof(sso->client_id));
	if (!dict_string(d, "ssop", sso->provider, sizeof(sso->provider))) {
		memcpy(sso->provider, "default", sizeof("default"));
	}
	return 0;
}

static int read_scalars(const struct dict *d, struct netconf *nc)
{
	if (dict_u64(d, "v", 0) < VL2_NETCONF_VERSION_MIN) {
		return ZT_E_UNSUPPORTED;
	}
	nc->nwid = dict_u64(d, "nwid", 0);
	nc->issued_to = dict_address(d, "id");
	if (nc->nwid == 0 || nc->issued_to == 0) {
		return ZT_E_MALFORMED;
	}
	nc->timestamp = dict_u64(d, "ts", 0);
	nc->credential_delta_ms = dict_u64(d, "ctmd", 0);
	nc->revision = dict_u64(d, "r", 0);
	nc->trace_target = dict_address(d, "tt");
	nc->trace_level = dict_u64(d, "tl", 0);
	nc->flags = dict_u64(d, "f", 0);
	nc->multicast_limit = (uint32_t)dict_u64(d, "ml", 0);
	nc->type =
	    dict_u64(d, "t", NETCONF_PRIVATE) == NETCONF_PUBLIC ? NETCONF_PUBLIC : NETCONF_PRIVATE;
	dict_string(d, "n", nc->name, sizeof(nc->name));
	uint64_t mtu = dict_u64(d, "mtu", VL2_MTU_DEFAULT);
	nc->mtu = mtu < VL2_MTU_MIN ? VL2_MTU_MIN : mtu > VL2_MTU_MAX ? VL2_MTU_MAX : (uint32_t)mtu;
	return read_sso(d, nc);
}

int netconf_parse(const void *dict, size_t length, struct netconf **out)
{
	if (length >= VL2_CONFIG_MAX_BYTES) {
		return ZT_E_TOO_BIG;
	}
	struct dict d = dict_init(dict, length);
	struct netconf *nc = netconf_new();
	uint8_t *scratch = zt_malloc(length + 1);
	int err = nc && scratch ? read_scalars(&d, nc) : ZT_E_NO_MEMORY;
	if (!err) {
		err = read_lists(&d, scratch, nc);
	}
	zt_free(scratch);
	if (err) {
		netconf_free(nc);
		return err;
	}
	*out = nc;
	return 0;
}
