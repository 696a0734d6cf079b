/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Joining and leaving networks (vl2 1.1, 3.1). */
#include "core/vl2_impl.h"

#include "core/addr.h"
#include "core/adhoc.h"
#include "core/mem.h"

#include <inttypes.h>
#include <string.h>

static bool networks_room(struct vl2 *vl2)
{
	if (vl2->network_count < vl2->network_capacity) {
		return true;
	}
	size_t capacity = vl2->network_capacity ? 2 * vl2->network_capacity : 4;
	struct network **networks = zt_realloc(vl2->networks, capacity * sizeof(*networks));
	if (!networks) {
		return false;
	}
	vl2->networks = networks;
	vl2->network_capacity = capacity;
	return true;
}

static struct network *network_insert(struct zt_node *node, uint64_t nwid)
{
	struct vl2 *vl2 = node_vl2(node);
	if (!networks_room(vl2) || deadlines_reserve(&vl2->deadlines)) {
		return NULL;
	}
	struct network *network = network_new(nwid, node_address(node));
	if (!network) {
		deadlines_release(&vl2->deadlines);
		return NULL;
	}
	network->deadline.kind = VL2_DEADLINE_NETWORK;
	size_t i = network_place(vl2, nwid);
	memmove(&vl2->networks[i + 1], &vl2->networks[i],
		(vl2->network_count - i) * sizeof(struct network *));
	vl2->networks[i] = network;
	vl2->network_count++;
	return network;
}

static void network_remove(struct zt_node *node, struct network *network)
{
	struct vl2 *vl2 = node_vl2(node);
	size_t i = network_place(vl2, network->nwid);
	vl2->network_count--;
	memmove(&vl2->networks[i], &vl2->networks[i + 1],
		(vl2->network_count - i) * sizeof(struct network *));
	deadline_clear(&vl2->deadlines, &network->deadline);
	deadlines_release(&vl2->deadlines);
	network_free(network);
}

/* The configuration is made here (1.1). Ids without a meaning wait for one for ever, as the
 * reference does: a later version may know it. */
static int adhoc_join(struct zt_node *node, struct zt_now now, struct network *network)
{
	struct netconf *config = NULL;
	int err = adhoc_netconf(network->nwid, node_address(node), now.wall_ms, &config);
	if (err == ZT_E_NO_MEMORY) {
		network_remove(node, network);
		return err;
	}
	if (config) {
		network->config_ms = now.mono_ms;
		(void)network_apply_take(network, config);
	} else if (err == ZT_E_NOT_FOUND) {
		network->status = ZT_NETWORK_NOT_FOUND;
	}
	node_event(node, ZT_EVENT_NETWORK, network->nwid);
	network_schedule(node, network);
	return ZT_OK;
}

int zt_join(struct zt_node *node, struct zt_now now, uint64_t nwid, const void *cached,
	    size_t cached_length)
{
	if (address_is_reserved(addr_controller(nwid)) && !adhoc_is(nwid)) {
		return ZT_E_MALFORMED;
	}
	if (vl2_network(node, nwid)) {
		return ZT_E_EXISTS;
	}
	struct network *network = network_insert(node, nwid);
	if (!network) {
		return ZT_E_NO_MEMORY;
	}
	if (adhoc_is(nwid)) {
		return adhoc_join(node, now, network);
	}
	if (cached && cached_length > 1 && !config_restore(node, network, cached, cached_length)) {
		node_log(node, ZT_LOG_WARN,
			 "the cached configuration is of no use and is asked for anew "
			 "nwid=%016" PRIx64,
			 nwid);
	}
	/* Ask at once instead of at the reference's next 5 s check: a join takes two round trips
	 * then, and not 2.5 s on average. The controller cannot tell the difference. */
	config_ask(node, now, network);
	network_schedule(node, network);
	return ZT_OK;
}

int zt_leave(struct zt_node *node, struct zt_now now, uint64_t nwid)
{
	(void)now;
	struct vl2 *vl2 = node_vl2(node);
	struct network *network = vl2_network(node, nwid);
	if (!network) {
		return ZT_E_NOT_FOUND;
	}
	network_remove(node, network);
	mcast_forget(&vl2->mcast, nwid);
	node_store(node, ZT_STORE_NETWORK, nwid, NULL, 0);
	return ZT_OK;
}
