/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "core/netconf.h"

#include "core/mem.h"

#include <string.h>

/* ---- life ------------------------------------------------------------------------------------ */

struct netconf *netconf_new(void)
{
	struct netconf *nc = zt_calloc(1, sizeof(*nc));
	if (nc) {
		nc->mtu = VL2_MTU_DEFAULT;
	}
	return nc;
}

void netconf_free(struct netconf *nc)
{
	if (!nc) {
		return;
	}
	zt_free(nc->capabilities);
	zt_free(nc->tags);
	zt_free(nc->coos);
	zt_free(nc->specialists);
	zt_free(nc->routes);
	zt_free(nc->rules);
	zt_free(nc->sso);
	zt_free(nc);
}

/* ---- building -------------------------------------------------------------------------------- */

/* Arrays grow by doubling, from one element; their capacity is the next power of two. */
static int array_push(void *array_pointer, size_t *count, size_t max, const void *element,
		      size_t size)
{
	void *array;
	memcpy(&array, array_pointer, sizeof(array));
	if (*count >= max) {
		return ZT_E_NO_ROOM;
	}
	if ((*count & (*count - 1)) == 0) { /* 0 or a power of two: full */
		array = zt_realloc(array, (*count ? *count * 2 : 1) * size);
		if (!array) {
			return ZT_E_NO_MEMORY;
		}
		memcpy(array_pointer, &array, sizeof(array));
	}
	memcpy((char *)array + *count * size, element, size);
	++*count;
	return 0;
}

int netconf_add_capability(struct netconf *nc, const struct capability *cap)
{
	int err = array_push(&nc->capabilities, &nc->capability_count, VL2_CAPABILITIES_MAX, cap,
			     sizeof(*cap));
	for (size_t i = nc->capability_count; !err && i > 1; i--) {
		struct capability *high = &nc->capabilities[i - 1];
		if (high[-1].id <= high->id) {
			break;
		}
		high[0] = high[-1];
		high[-1] = *cap;
	}
	return err;
}

int netconf_add_tag(struct netconf *nc, const struct tag *tag)
{
	int err = array_push(&nc->tags, &nc->tag_count, VL2_TAGS_MAX, tag, sizeof(*tag));
	for (size_t i = nc->tag_count; !err && i > 1; i--) {
		struct tag *high = &nc->tags[i - 1];
		if (high[-1].id <= high->id) {
			break;
		}
		high[0] = high[-1];
		high[-1] = *tag;
	}
	return err;
}

int netconf_add_coo(struct netconf *nc, const struct coo *coo)
{
	return array_push(&nc->coos, &nc->coo_count, VL2_COOS_MAX, coo, sizeof(*coo));
}

int netconf_add_specialist(struct netconf *nc, uint64_t specialist)
{
	return array_push(&nc->specialists, &nc->specialist_count, VL2_SPECIALISTS_MAX, &specialist,
			  sizeof(specialist));
}

int netconf_add_route(struct netconf *nc, const struct zt_route *route)
{
	return array_push(&nc->routes, &nc->route_count, VL2_ROUTES_MAX, route, sizeof(*route));
}

int netconf_add_rule(struct netconf *nc, const struct rule *rule)
{
	return array_push(&nc->rules, &nc->rule_count, VL2_RULES_MAX, rule, sizeof(*rule));
}

int netconf_add_address(struct netconf *nc, const struct zt_endpoint *address)
{
	if (nc->address_count == VL2_ADDRESSES_MAX) {
		return ZT_E_NO_ROOM;
	}
	nc->addresses[nc->address_count++] = *address;
	return 0;
}

bool netconf_has_role(const struct netconf *nc, uint64_t address, uint64_t roles)
{
	for (size_t i = 0; i < nc->specialist_count; i++) {
		if ((nc->specialists[i] & VL2_ADDRESS_MASK) == address &&
		    (nc->specialists[i] & roles) == roles) {
			return true;
		}
	}
	return false;
}

/* ---- comparing ---------------------------------------------------------------------------- */

bool netconf_equal(const struct netconf *a, const struct netconf *b)
{
	uint8_t *memory = zt_malloc((size_t)2 * VL2_CONFIG_MAX_BYTES);
	if (!memory) {
		return false; /* at worst an unchanged configuration is applied again */
	}
	struct wr aw = wr_init(memory, VL2_CONFIG_MAX_BYTES);
	struct wr bw = wr_init(memory + VL2_CONFIG_MAX_BYTES, VL2_CONFIG_MAX_BYTES);
	netconf_write(&aw, a);
	netconf_write(&bw, b);
	bool is_equal = !aw.bad && !bw.bad && wr_length(&aw) == wr_length(&bw) &&
			memcmp(aw.start, bw.start, wr_length(&aw)) == 0;
	zt_free(memory);
	return is_equal;
}
