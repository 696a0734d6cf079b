/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "tests/lib/vnet.h"

#include "base/bug.h"
#include "core/addr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_ECHO = 0x0800, /* 'Q' or 'A', u32 source, u32 number */
	PING_MS = 200,
};

/* ---- the controller
 * ------------------------------------------------------------------------------- */

static struct zt_now vnet_now(const struct vnet *vnet)
{
	return sim_now(vnet->root);
}

static void controller_tick_due(void *context);

/* Queue a tick for the controller's deadline; one that comes too early does no harm. */
static void controller_schedule(struct vnet *vnet)
{
	int64_t due_ms = controller_deadline(vnet->controller);
	due_ms = due_ms > vnet->sim->now_ms ? due_ms : vnet->sim->now_ms;
	if (due_ms < vnet->tick_ms) {
		vnet->tick_ms = due_ms;
		sim_at(vnet->sim, due_ms, controller_tick_due, vnet);
	}
}

static void controller_tick_due(void *context)
{
	struct vnet *vnet = context;
	vnet->tick_ms = INT64_MAX;
	if (vnet->controller) {
		controller_tick(vnet->controller, vnet_now(vnet));
		sim_touch(vnet->root);
		controller_schedule(vnet);
	}
}

/* Look at the controller's deadline after it was called. */
static void controller_touch(struct vnet *vnet)
{
	controller_schedule(vnet);
	if (vnet->root->zt) {
		sim_touch(vnet->root);
	}
}

static void on_controller_random(void *context, void *out, size_t length)
{
	struct vnet *vnet = context;
	uint8_t *bytes = out;
	for (size_t i = 0; i < length; i++) {
		bytes[i] = (uint8_t)sim_random(vnet->sim);
	}
}

struct finished_job {
	struct vnet *vnet;
	struct controller *controller;
	struct controller_job *job;
};

static void controller_job_finish(void *context)
{
	struct finished_job *finished = context;
	struct vnet *vnet = finished->vnet;
	if (vnet->controller == finished->controller) {
		controller_job_done(vnet->controller, vnet_now(vnet), finished->job);
		controller_touch(vnet);
	} else {
		controller_job_drop(finished->job);
	}
	free(finished);
}

static bool on_controller_job(void *context, struct controller_job *job)
{
	struct vnet *vnet = context;
	struct finished_job *finished = malloc(sizeof(*finished));
	BUG_ON(!finished);
	*finished = (struct finished_job){ vnet, vnet->controller, job };
	controller_job_run(job);
	sim_at(vnet->sim, vnet->sim->now_ms + 1, controller_job_finish, finished);
	return true;
}

static void on_send_config(void *context, const struct zt_reply_to *to, const void *chunk,
			   size_t length)
{
	struct vnet *vnet = context;
	if (vnet->root->zt) {
		zt_config_send(vnet->root->zt, vnet_now(vnet), to, chunk, length);
	}
}

static void on_refuse(void *context, const struct zt_reply_to *to, uint8_t code,
		      const char *login_url)
{
	struct vnet *vnet = context;
	if (vnet->root->zt) {
		zt_config_refuse(vnet->root->zt, vnet_now(vnet), to, code, login_url);
	}
}

static void on_send_credentials(void *context, uint64_t member, const void *payload, size_t length)
{
	struct vnet *vnet = context;
	if (vnet->root->zt) {
		zt_credentials_send(vnet->root->zt, vnet_now(vnet), member, payload, length);
	}
}

static void on_controller_log(void *context, enum zt_level level, const char *text)
{
	struct vnet *vnet = context;
	if (getenv("SIM_LOG")) {
		printf("# %9lld controller %d %s\n", (long long)vnet->sim->now_ms, (int)level,
		       text);
	}
}

static void record_key(char out[40], uint64_t nwid, uint64_t member)
{
	(void)snprintf(out, 40, "%016llx/%010llx", (unsigned long long)nwid,
		       (unsigned long long)member);
}

static void store_load(void *context,
		       void (*each)(void *each_context, uint64_t nwid, uint64_t member,
				    json_t *record),
		       void *each_context)
{
	struct vnet *vnet = context;
	const char *key;
	json_t *record;
	for (int pass = 0; pass < 2; pass++) { /* networks before their members */
		json_object_foreach(vnet->records, key, record)
		{
			uint64_t member = strtoull(key + 17, NULL, 16);
			if ((member != 0) == (pass == 1)) {
				json_t *copy = json_deep_copy(record);
				each(each_context, strtoull(key, NULL, 16), member, copy);
				json_decref(copy);
			}
		}
	}
}

static void store_put(void *context, uint64_t nwid, uint64_t member, const json_t *record)
{
	struct vnet *vnet = context;
	char key[40];
	record_key(key, nwid, member);
	json_object_set_new(vnet->records, key, json_deep_copy(record));
}

static void store_remove(void *context, uint64_t nwid, uint64_t member)
{
	struct vnet *vnet = context;
	char key[40];
	record_key(key, nwid, member);
	json_object_del(vnet->records, key);
}

static void on_config_request(void *context, const struct zt_config_request *request)
{
	const struct sim_node *node = context;
	const struct vnet_member *self = node->user;
	struct vnet *vnet = self->vnet;
	vnet->requests++;
	if (vnet->controller) {
		controller_request(vnet->controller, vnet_now(vnet), request);
		controller_schedule(vnet); /* the node that called us takes out what was sent */
	}
}

void vnet_controller_start(struct vnet *vnet)
{
	const struct controller_config config = {
		.identity_secret = vnet->root->secret,
		.callbacks = &vnet->callbacks,
		.store = &vnet->store,
		.context = vnet,
	};
	sim_node_start(vnet->root);
	BUG_ON(controller_new(&config, vnet_now(vnet), &vnet->controller) != 0);
	controller_touch(vnet);
}

void vnet_controller_stop(struct vnet *vnet)
{
	struct controller *controller = vnet->controller;
	vnet->controller = NULL; /* jobs under way are dropped when they finish */
	sim_run(vnet->sim, 2);
	controller_free(controller, vnet_now(vnet));
	sim_node_stop(vnet->root);
}

void vnet_network_set(struct vnet *vnet, const char *settings)
{
	json_t *body = json_loads(settings, 0, NULL);
	BUG_ON(!body);
	json_t *network =
	    controller_network_set(vnet->controller, vnet_now(vnet), vnet->nwid, body);
	BUG_ON(!network);
	vnet->nwid = strtoull(json_string_value(json_object_get(network, "id")), NULL, 16);
	json_decref(network);
	json_decref(body);
	controller_touch(vnet);
}

void vnet_authorise(struct vnet *vnet, const struct vnet_member *member, bool is_authorised)
{
	json_t *body = json_pack("{s:b}", "authorized", (int)is_authorised);
	BUG_ON(!body);
	json_t *record = controller_member_set(vnet->controller, vnet_now(vnet), vnet->nwid,
					       member->node->address, body);
	BUG_ON(!record);
	json_decref(record);
	json_decref(body);
	controller_touch(vnet);
}

/* ---- a member's stack
 * -------------------------------------------------------------------------------- */

static void frame_out(struct vnet_member *m, uint64_t to, uint16_t ether_type, const uint8_t *data,
		      size_t length)
{
	uint8_t bytes[128];
	struct wr w = wr_init(bytes, sizeof bytes);
	wr_u48(&w, to);
	wr_u48(&w, addr_mac(m->vnet->nwid, m->node->address));
	wr_u16(&w, ether_type);
	wr_bytes(&w, data, length);
	BUG_ON(w.bad);
	struct zt_frame frame = { .bytes = bytes, .length = (uint32_t)wr_length(&w) };
	zt_send_frames(m->node->zt, sim_now(m->node), m->vnet->nwid, &frame, 1);
}

static void arp_out(struct vnet_member *m, uint16_t operation, uint64_t to_mac, uint32_t to_ip)
{
	uint8_t bytes[28];
	struct wr w = wr_init(bytes, sizeof bytes);
	wr_u16(&w, 1);
	wr_u16(&w, 0x0800);
	wr_u8(&w, 6);
	wr_u8(&w, 4);
	wr_u16(&w, operation);
	wr_u48(&w, addr_mac(m->vnet->nwid, m->node->address));
	wr_u32(&w, m->ip);
	wr_u48(&w, operation == 1 ? 0 : to_mac);
	wr_u32(&w, to_ip);
	frame_out(m, to_mac, ETHERTYPE_ARP, bytes, sizeof bytes);
}

static uint64_t neighbour_find(const struct vnet_member *m, uint32_t ip)
{
	for (size_t i = 0; i < m->neighbour_count; i++) {
		if (m->neighbours[i].ip == ip) {
			return m->neighbours[i].mac;
		}
	}
	return 0;
}

static void neighbour_learn(struct vnet_member *m, uint32_t ip, uint64_t mac)
{
	if (!neighbour_find(m, ip)) {
		BUG_ON(m->neighbour_count == VNET_NEIGHBOURS);
		m->neighbours[m->neighbour_count].ip = ip;
		m->neighbours[m->neighbour_count++].mac = mac;
	}
}

void vnet_forget(struct vnet_member *member)
{
	member->neighbour_count = 0;
}

static void echo_out(struct vnet_member *m, char what, uint32_t to, uint32_t number)
{
	uint8_t bytes[9];
	struct wr w = wr_init(bytes, sizeof bytes);
	wr_u8(&w, (uint8_t)what);
	wr_u32(&w, m->ip);
	wr_u32(&w, number);
	frame_out(m, neighbour_find(m, to), ETHERTYPE_ECHO, bytes, sizeof bytes);
}

static void arp_in(struct vnet_member *m, struct rd *r, uint64_t from)
{
	rd_bytes(r, 6);
	uint16_t operation = rd_u16(r);
	uint64_t mac = rd_u48(r);
	uint32_t ip = rd_u32(r);
	rd_u48(r);
	uint32_t target = rd_u32(r);
	m->saw_forged = m->saw_forged || r->bad || mac != from;
	m->arp_requests += operation == 1;
	m->arp_replies += operation == 2;
	if (target == m->ip) {
		neighbour_learn(m, ip, mac);
		if (operation == 1) {
			arp_out(m, 2, mac, ip);
		}
	}
}

static void echo_in(struct vnet_member *m, struct rd *r, uint64_t from)
{
	uint8_t what = rd_u8(r);
	uint32_t ip = rd_u32(r);
	uint32_t number = rd_u32(r);
	m->saw_forged = m->saw_forged || r->bad;
	if (what == 'Q') {
		m->queries++;
		neighbour_learn(m, ip, from);
		echo_out(m, 'A', ip, number);
	} else {
		m->answers++;
		m->last_answer = number;
	}
}

static void on_frames_in(void *context, uint64_t nwid, const struct zt_frame *frames, size_t count)
{
	struct sim_node *node = context;
	struct vnet_member *m = node->user;
	for (size_t i = 0; i < count; i++) {
		struct rd r = rd_init(frames[i].bytes, frames[i].length);
		rd_u48(&r);
		uint64_t from = rd_u48(&r);
		uint16_t ether_type = rd_u16(&r);
		m->saw_forged =
		    m->saw_forged || r.bad || nwid != m->vnet->nwid || !frames[i].is_authentic;
		if (ether_type == ETHERTYPE_ARP) {
			arp_in(m, &r, from);
		} else if (ether_type == ETHERTYPE_ECHO) {
			echo_in(m, &r, from);
		} else {
			m->others++;
		}
	}
}

/* Addresses may have come with a configuration: subscribe their groups, as the service does. */
static void settle(void *context)
{
	struct vnet_member *m = context;
	struct zt_network_view view;
	m->is_settling = false;
	if (!m->node->zt || !zt_network_find(m->node->zt, m->vnet->nwid, &view) ||
	    view.address_count == 0) {
		return;
	}
	struct zt_group group = addr_resolution_group(&view.addresses[0]);
	m->ip = group.adi;
	BUG_ON(zt_multicast_join(m->node->zt, sim_now(m->node), m->vnet->nwid, group.mac,
				 group.adi) != 0);
	sim_touch(m->node);
}

static void on_event(void *context, const struct zt_event *event)
{
	struct sim_node *node = context;
	struct vnet_member *m = node->user;
	node->events[event->kind]++;
	if (event->kind == ZT_EVENT_NETWORK && !m->is_settling) {
		m->is_settling = true;
		sim_at(m->vnet->sim, m->vnet->sim->now_ms, settle, m);
	}
}

static void on_store(void *context, enum zt_store kind, uint64_t id, const void *bytes,
		     size_t length)
{
	struct sim_node *node = context;
	struct vnet_member *m = node->user;
	node->stored[kind]++;
	if (kind != ZT_STORE_NETWORK || id != m->vnet->nwid) {
		return;
	}
	free(m->cached);
	m->cached = NULL;
	m->cached_length = length;
	if (bytes) {
		m->cached = malloc(length);
		BUG_ON(!m->cached);
		memcpy(m->cached, bytes, length);
	}
}

void vnet_restart(struct vnet_member *m)
{
	sim_node_stop(m->node);
	m->ip = 0;
	vnet_forget(m);
	sim_node_start(m->node);
	BUG_ON(zt_join(m->node->zt, sim_now(m->node), m->vnet->nwid, m->cached, m->cached_length) !=
	       0);
	sim_touch(m->node);
}

void vnet_join(struct vnet_member *m)
{
	BUG_ON(zt_join(m->node->zt, sim_now(m->node), m->vnet->nwid, NULL, 0) != 0);
	m->is_joined = true;
	sim_touch(m->node);
}

void vnet_leave(struct vnet_member *m)
{
	BUG_ON(zt_leave(m->node->zt, sim_now(m->node), m->vnet->nwid) != 0);
	m->is_joined = false;
	m->ip = 0;
	sim_touch(m->node);
}

enum zt_network_status vnet_status(const struct vnet_member *m)
{
	struct zt_network_view view;
	BUG_ON(!zt_network_find(m->node->zt, m->vnet->nwid, &view));
	return view.status;
}

/* ---- conditions
 * ----------------------------------------------------------------------------------------- */

struct ready {
	struct vnet *vnet;
	size_t count;
};

static bool is_ready(void *context)
{
	const struct ready *ready = context;
	for (size_t i = 0; i < ready->count; i++) {
		const struct vnet_member *m = &ready->vnet->members[i];
		if (vnet_status(m) != ZT_NETWORK_OK || m->ip == 0) {
			return false;
		}
	}
	return true;
}

bool vnet_all_ready(struct vnet *vnet, size_t count, int64_t limit_ms)
{
	struct ready ready = { vnet, count };
	return sim_until(vnet->sim, is_ready, &ready, limit_ms);
}

void vnet_query(struct vnet_member *from, const struct vnet_member *to)
{
	from->next_query++;
	if (neighbour_find(from, to->ip)) {
		echo_out(from, 'Q', to->ip, from->next_query);
	} else {
		arp_out(from, 1, ADDR_MAC_BROADCAST, to->ip);
	}
	sim_touch(from->node);
}

struct ping {
	const struct vnet_member *from;
	const struct vnet_member *to;
	unsigned answers;
	bool had_neighbour;
};

static bool is_answered(void *context)
{
	const struct ping *ping = context;
	return ping->from->answers > ping->answers ||
	       (!ping->had_neighbour && neighbour_find(ping->from, ping->to->ip));
}

bool vnet_ping(struct vnet_member *from, const struct vnet_member *to, int64_t limit_ms)
{
	struct ping ping = { .from = from, .to = to, .answers = from->answers };
	int64_t end_ms = from->vnet->sim->now_ms + limit_ms;
	while (from->answers == ping.answers && from->vnet->sim->now_ms < end_ms) {
		ping.had_neighbour = neighbour_find(from, to->ip) != 0;
		vnet_query(from, to);
		int64_t left_ms = end_ms - from->vnet->sim->now_ms;
		(void)sim_until(from->vnet->sim, is_answered, &ping,
				left_ms < PING_MS ? left_ms : PING_MS);
	}
	return from->answers > ping.answers;
}

/* ---- making
 * -----------------------------------------------------------------------------------------------
 */

static void member_init(struct vnet *vnet, struct vnet_member *m, struct sim_node *node)
{
	m->vnet = vnet;
	m->node = node;
	node->user = m;
	node->callbacks.event = on_event;
	node->callbacks.frames_in = on_frames_in;
	node->callbacks.store = on_store;
}

/* Each in its own /24, so that no two share a bucket of the identity gate (vl1 15.1). */
static struct nat *in_the_open(void *context, size_t index, char ip[32])
{
	(void)context;
	(void)snprintf(ip, 32, "192.0.%zu.2", index + 2);
	return NULL;
}

struct vnet *vnet_new(size_t count, const char *settings)
{
	return vnet_new_at(count, settings, in_the_open, NULL);
}

struct vnet *vnet_new_at(size_t count, const char *settings, vnet_place *place, void *context)
{
	struct vnet *vnet = calloc(1, sizeof *vnet);
	BUG_ON(!vnet);
	vnet->members = calloc(count ? count : 1, sizeof *vnet->members);
	BUG_ON(!vnet->members);
	vnet->sim = sim_new();
	vnet->tick_ms = INT64_MAX;
	vnet->records = json_object();
	vnet->callbacks = (struct controller_callbacks){
		.random = on_controller_random,
		.job = on_controller_job,
		.send_config = on_send_config,
		.refuse = on_refuse,
		.send_credentials = on_send_credentials,
		.log = on_controller_log,
	};
	vnet->store = (struct controller_store){
		.context = vnet, .load = store_load, .put = store_put, .remove = store_remove
	};
	vnet->root = sim_node_new(vnet->sim, 0, "198.51.100.1", NULL);
	member_init(vnet, &vnet->self, vnet->root);
	vnet->root->callbacks.config_request = on_config_request;
	sim_planet(vnet->sim, &vnet->root, 1);
	vnet_controller_start(vnet);
	vnet_network_set(vnet, settings);
	for (size_t i = 0; i < count; i++) {
		struct vnet_member *m = &vnet->members[vnet->member_count++];
		char ip[32];
		struct nat *nat = place(context, i, ip);
		member_init(vnet, m, sim_node_new(vnet->sim, i + 1, ip, nat));
		sim_node_start(m->node);
	}
	return vnet;
}

void vnet_free(struct vnet *vnet)
{
	if (vnet->controller) {
		vnet_controller_stop(vnet);
	}
	sim_run(vnet->sim, 2); /* jobs under way are dropped */
	json_decref(vnet->records);
	sim_free(vnet->sim);
	free(vnet->self.cached);
	for (size_t i = 0; i < vnet->member_count; i++) {
		free(vnet->members[i].cached);
	}
	free(vnet->members);
	free(vnet);
}
