/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The networks of a node: life cycle, timers, dispatch, and the functions of zt.h that name one. */
#include "core/vl2_impl.h"

#include "core/adhoc.h"
#include "core/limit.h"
#include "core/mem.h"
#include "core/proto.h"

enum {
	MEMBER_FORGET_MS = 600000, /* records of peers that prove nothing */
	SWEEP_MS = 60000,
	FIXED_DEADLINES = 2, /* sweep, local_due */
	LOCAL_MS = 1, /* not at once: a stack that answers itself for ever must not stop the loop */
};

int vl2_new(struct zt_node *node)
{
	struct vl2 *vl2 = zt_calloc(1, sizeof(*vl2));
	if (!vl2) {
		return ZT_E_NO_MEMORY;
	}
	for (int i = 0; i < FIXED_DEADLINES; i++) {
		if (deadlines_reserve(&vl2->deadlines)) {
			deadlines_fini(&vl2->deadlines);
			zt_free(vl2);
			return ZT_E_NO_MEMORY;
		}
	}
	vl2->sweep.kind = VL2_DEADLINE_SWEEP;
	vl2->local_due.kind = VL2_DEADLINE_LOCAL;
	mcast_init(&vl2->mcast, node_random_u64(node));
	node_vl2_set(node, vl2);
	return ZT_OK;
}

void vl2_free(struct zt_node *node)
{
	struct vl2 *vl2 = node_vl2(node);
	if (!vl2) {
		return;
	}
	for (size_t i = 0; i < vl2->network_count; i++) {
		network_free(vl2->networks[i]);
	}
	zt_free(vl2->networks);
	mcast_fini(&vl2->mcast);
	local_fini(&vl2->local);
	gate_free(vl2);
	deadlines_fini(&vl2->deadlines);
	zt_free(vl2);
	node_vl2_set(node, NULL);
}

/* ---- finding ----------------------------------------------------------------------------------
 */

size_t network_place(const struct vl2 *vl2, uint64_t nwid)
{
	size_t low = 0, high = vl2->network_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (vl2->networks[middle]->nwid < nwid) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

struct network *vl2_network(const struct zt_node *node, uint64_t nwid)
{
	const struct vl2 *vl2 = node_vl2(node);
	size_t i = network_place(vl2, nwid);
	return i < vl2->network_count && vl2->networks[i]->nwid == nwid ? vl2->networks[i] : NULL;
}

const struct identity *vl2_identity(const struct zt_node *node, uint64_t address)
{
	if (address == node_address(node)) {
		return node_identity(node);
	}
	const struct peer *peer = peer_find(node, address);
	return peer ? peer_identity(peer) : NULL;
}

enum vl2_result vl2_keep(struct packet_in *in, uint64_t address)
{
	in->wanted = address;
	return VL2_KEEP;
}

enum tx_result vl2_send(struct zt_node *node, struct zt_now now, uint64_t dest, uint8_t verb,
			unsigned flags, const struct span *payload)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)payload->bytes,
			     .iov_len = payload->length };
	struct tx_packet packet = {
		.dest = dest, .iov = &iov, .iov_count = 1, .verb = verb, .flags = flags
	};
	return tx_send(node, now, &packet, NULL);
}

/* ---- timers -----------------------------------------------------------------------------------
 */

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t request_due_ms(const struct network *network)
{
	if (adhoc_is(network->nwid)) {
		return INT64_MAX; /* nobody could answer */
	}
	return later(network->config_ms + VL2_AUTOCONF_MS,
		     network->requested_ms + VL2_HOUSEKEEPING_MS);
}

void network_schedule(struct zt_node *node, struct network *network)
{
	int64_t due = request_due_ms(network);
	if (network->config && network->announce_ms < due) {
		due = network->announce_ms;
	}
	deadline_set(&node_vl2(node)->deadlines, &network->deadline, due);
}

static int64_t announce_pause_ms(const struct network *network)
{
	switch (network->announce_repeats) {
	case 0:
		return VL2_MULTICAST_ANNOUNCE_MS;
	case 1:
		return NETWORK_ANNOUNCE_THEN_MS;
	default:
		return NETWORK_ANNOUNCE_FIRST_MS;
	}
}

static void network_tick(struct zt_node *node, struct zt_now now, struct network *network)
{
	if (now.mono_ms >= request_due_ms(network)) {
		config_ask(node, now, network);
	}
	if (network->config && now.mono_ms >= network->announce_ms) {
		network->announce_ms = now.mono_ms + announce_pause_ms(network);
		network->announce_repeats -= network->announce_repeats > 0;
		groups_announce(node, now, network);
		struct held_window window = network_window(network);
		members_sweep(&network->members, now.mono_ms - MEMBER_FORGET_MS, &window);
	}
	network_schedule(node, network);
}

void vl2_tick(struct zt_node *node, struct zt_now now)
{
	struct vl2 *vl2 = node_vl2(node);
	struct deadline *due;
	while ((due = deadlines_due(&vl2->deadlines, now.mono_ms)) != NULL) {
		if (due->kind == VL2_DEADLINE_NETWORK) {
			network_tick(node, now, network_of_deadline(due));
		} else if (due->kind == VL2_DEADLINE_LOCAL) {
			if (local_deliver(node, &vl2->local)) {
				deadline_set(&vl2->deadlines, due, now.mono_ms + LOCAL_MS);
			}
		} else {
			mcast_sweep(&vl2->mcast, now.mono_ms);
			if (vl2->mcast.group_count > 0) {
				deadline_set(&vl2->deadlines, due, now.mono_ms + SWEEP_MS);
			}
		}
	}
}

int64_t vl2_deadline(const struct zt_node *node)
{
	return deadlines_next(&node_vl2(node)->deadlines);
}

void vl2_local(struct zt_node *node, struct zt_now now, uint64_t nwid, const void *frame,
	       size_t length)
{
	struct vl2 *vl2 = node_vl2(node);
	if (!local_add(&vl2->local, nwid, frame, length)) {
		node_count(node, ZT_COUNT_DROP_MEMORY);
		return;
	}
	deadline_set_earlier(&vl2->deadlines, &vl2->local_due, now.mono_ms + LOCAL_MS);
}

void vl2_sweep_later(struct zt_node *node, struct zt_now now)
{
	struct vl2 *vl2 = node_vl2(node);
	deadline_set_earlier(&vl2->deadlines, &vl2->sweep, now.mono_ms + SWEEP_MS);
}

/* Ask again for configurations that are missing or old: those of one controller, or all (0). By
 * deadline, because whoever calls is in the middle of something. */
static void requests_hasten(struct zt_node *node, struct zt_now now, uint64_t controller)
{
	const struct vl2 *vl2 = node_vl2(node);
	for (size_t i = 0; i < vl2->network_count; i++) {
		struct network *network = vl2->networks[i];
		if ((controller == 0 || network->controller == controller) &&
		    now.mono_ms - network->config_ms >= VL2_AUTOCONF_MS && !network->is_asked) {
			network->requested_ms = LIMIT_NEVER_MS;
			network_schedule(node, network);
		}
	}
}

void vl2_online(struct zt_node *node, struct zt_now now)
{
	requests_hasten(node, now, 0);
}

void vl2_peer_known(struct zt_node *node, struct zt_now now, uint64_t address)
{
	requests_hasten(node, now, address);
}

/* ---- dispatch ---------------------------------------------------------------------------------
 */

enum vl2_result vl2_on_packet(struct zt_node *node, struct zt_now now, struct packet_in *in)
{
	switch (in->verb) {
	case VERB_FRAME:
		return on_frame(node, now, in);
	case VERB_EXT_FRAME:
		return on_ext_frame(node, now, in);
	case VERB_MULTICAST_LIKE:
		return on_like(node, now, in);
	case VERB_NETWORK_CREDENTIALS:
		return on_credentials(node, now, in);
	case VERB_NETWORK_CONFIG_REQUEST:
		return on_config_request(node, now, in);
	case VERB_NETWORK_CONFIG:
		return on_config(node, now, in);
	case VERB_MULTICAST_GATHER:
		return on_gather(node, now, in);
	case VERB_MULTICAST_FRAME:
		return on_mcast_frame(node, now, in);
	default:
		return VL2_IGNORED;
	}
}

enum vl2_result vl2_on_ok(struct zt_node *node, struct zt_now now, struct packet_in *in,
			  uint8_t in_re_verb, uint64_t in_re_id, struct rd *payload)
{
	(void)in_re_id; /* rx.c has matched it */
	switch (in_re_verb) {
	case VERB_NETWORK_CONFIG_REQUEST:
		return on_config_ok(node, now, in, payload);
	case VERB_MULTICAST_GATHER:
		return on_gathered(node, now, in, payload);
	case VERB_MULTICAST_FRAME:
		return on_mcast_ok(node, now, in, payload);
	default:
		return VL2_DONE; /* EXT_FRAME, and a configuration acknowledged: nothing to do */
	}
}

enum vl2_result vl2_on_error(struct zt_node *node, struct zt_now now, struct packet_in *in,
			     const struct vl2_refusal *refusal, struct rd *payload)
{
	switch (refusal->code) {
	case ERROR_OBJ_NOT_FOUND:
	case ERROR_UNSUPPORTED_OPERATION:
	case ERROR_NETWORK_ACCESS_DENIED:
	case ERROR_NETWORK_AUTHENTICATION_REQUIRED:
		return on_config_error(node, in, refusal, payload);
	case ERROR_NEED_MEMBERSHIP_CERTIFICATE:
		return on_need_credentials(node, now, in, payload);
	case ERROR_UNWANTED_MULTICAST:
		return on_unwanted_multicast(node, in, payload);
	default:
		return VL2_IGNORED;
	}
}

/* ---- frames and groups ------------------------------------------------------------------------
 */

void zt_send_frames(struct zt_node *node, struct zt_now now, uint64_t nwid,
		    const struct zt_frame *frames, size_t count)
{
	struct network *network = vl2_network(node, nwid);
	if (!network || !network->config) {
		for (size_t i = 0; i < count; i++) {
			node_count(node, ZT_COUNT_DROP_NETWORK);
		}
		return;
	}
	for (size_t i = 0; i < count; i++) {
		frame_send(node, now, network, &frames[i]);
	}
}

int zt_multicast_join(struct zt_node *node, struct zt_now now, uint64_t nwid, uint64_t mac,
		      uint32_t adi)
{
	struct network *network = vl2_network(node, nwid);
	if (!network) {
		return ZT_E_NOT_FOUND;
	}
	if (network_group_has(network, mac, adi)) {
		return ZT_OK;
	}
	if (!network_group_add(network, mac, adi)) {
		return ZT_E_NO_ROOM;
	}
	group_announce(node, now, network, &(struct zt_group){ .mac = mac, .adi = adi });
	return ZT_OK;
}

void zt_multicast_leave(struct zt_node *node, uint64_t nwid, uint64_t mac, uint32_t adi)
{
	struct network *network = vl2_network(node, nwid);
	if (network) {
		network_group_remove(network, mac, adi);
	}
}

/* ---- views ------------------------------------------------------------------------------------
 */

bool zt_network_view(const struct zt_node *node, size_t index, struct zt_network_view *out)
{
	const struct vl2 *vl2 = node_vl2(node);
	if (index >= vl2->network_count) {
		return false;
	}
	network_view(vl2->networks[index], out);
	return true;
}

bool zt_network_find(const struct zt_node *node, uint64_t nwid, struct zt_network_view *out)
{
	const struct network *network = vl2_network(node, nwid);
	if (!network) {
		return false;
	}
	network_view(network, out);
	return true;
}

bool zt_member_is_proved(const struct zt_node *node, uint64_t nwid, uint64_t address)
{
	const struct network *network = vl2_network(node, nwid);
	const struct identity *identity = network ? vl2_identity(node, address) : NULL;
	struct member *member = identity ? members_find(&network->members, address) : NULL;
	return member && network_allows(network, member, identity);
}

bool vl2_holds_ip(const struct zt_node *node, const struct zt_endpoint *ip)
{
	const struct vl2 *vl2 = node_vl2(node);
	for (size_t i = 0; i < vl2->network_count; i++) {
		const struct netconf *config = vl2->networks[i]->config;
		for (size_t j = 0; config && j < config->address_count; j++) {
			if (endpoint_within(ip, &config->addresses[j])) {
				return true;
			}
		}
	}
	return false;
}
