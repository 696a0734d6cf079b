/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: the core calls back while it works and must not be called again from there, so an
 * event only marks what has to happen; turn.c does it at the end of the turn.
 */
#include "service/node.h"

#include "core/identity.h"
#include "service/ctl.h"
#include "service/file.h"
#include "service/handover.h"
#include "service/home.h"
#include "service/log.h"
#include "service/net.h"
#include "service/service.h"
#include "service/udp_socket.h"
#include "service/worker.h"

#include <dirent.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PEER_MAX_BYTES = 4096,
	PEER_MAX_AGE_S = 30 * 24 * 3600, /* vl1 15, timer summary */
	PEERS_RESTORED_MAX = 4096,
};

/* ---- callbacks ------------------------------------------------------------------------------ */

static void on_random(void *context, void *out, size_t length)
{
	(void)context;
	randombytes_buf(out, length);
}

static void on_log(void *context, enum zt_level level, const char *text)
{
	(void)context;
	switch (level) {
	case ZT_LOG_ERROR:
		log_err("core", "%s", text);
		break;
	case ZT_LOG_WARN:
		log_warn("core", "%s", text);
		break;
	case ZT_LOG_INFO:
		log_info("core", "%s", text);
		break;
	case ZT_LOG_DEBUG:
		log_debug("core", "%s", text);
		break;
	}
}

static void on_arena_full(void *context)
{
	struct service *service = context;
	udp_flush(service->udp);
}

struct node_job {
	struct work work; /* first: the job is found from it */
	struct zt_job job;
};

static void job_run(struct work *work)
{
	zt_job_run(&((struct node_job *)work)->job);
}

static void job_done(struct service *service, struct work *work, bool is_dropped)
{
	struct node_job *job = (struct node_job *)work;
	if (!is_dropped) {
		zt_job_done(service->node, loop_now(service->loop), &job->job);
	}
	free(job);
}

static bool on_job(void *context, const struct zt_job *zt_job)
{
	struct service *service = context;
	struct node_job *job = malloc(sizeof *job);
	if (!job) {
		return false;
	}
	*job = (struct node_job){ .work = { .run = job_run, .done = job_done }, .job = *zt_job };
	if (!worker_submit(service->worker, &job->work)) {
		free(job);
		return false;
	}
	return true;
}

static void on_store(void *context, enum zt_store kind, uint64_t id, const void *bytes,
		     size_t length)
{
	struct service *service = context;
	char path[HOME_PATH_BYTES];
	unsigned long long number = id;
	mode_t mode = 0600;
	if (service->peers_out && kind == ZT_STORE_PEER && bytes) {
		struct wr w = handover_begin_section(service->peers_out, HANDOVER_PEER, length);
		wr_bytes(&w, bytes, length);
		handover_end_section(service->peers_out, &w);
		return;
	}
	switch (kind) {
	case ZT_STORE_PLANET:
		(void)home_path(service, path, "planet");
		mode = 0644;
		break;
	case ZT_STORE_MOON:
		(void)home_path(service, path, "moons.d/%016llx.moon", number);
		mode = 0644;
		break;
	case ZT_STORE_PEER:
		(void)home_path(service, path, "peers.d/%010llx.peer", number);
		break;
	case ZT_STORE_NETWORK:
		(void)home_path(service, path, "networks.d/%016llx.conf", number);
		break;
	}
	int error = bytes ? worker_write(service->worker, path, bytes, length, mode)
			  : worker_remove(service->worker, path);
	if (error != 0) {
		log_err("node", "cannot save, out of memory file=%s", path);
	}
}

static void on_event(void *context, const struct zt_event *event)
{
	struct service *service = context;
	unsigned long long id = event->id;
	switch (event->kind) {
	case ZT_EVENT_ONLINE:
		log_info("node", "online: a root server answered");
		notify_send(&service->notify, "STATUS=online");
		break;
	case ZT_EVENT_OFFLINE:
		log_warn("node", "offline: no root server answers");
		notify_send(
		    &service->notify,
		    "STATUS=offline: no root server answers; zerotier-cli diagnose says why");
		break;
	case ZT_EVENT_IDENTITY_COLLISION:
		service->is_identity_lost = true;
		break;
	case ZT_EVENT_NETWORK:
		net_mark(service, event->id);
		break;
	case ZT_EVENT_PEER_PATH:
		log_debug("node", "direct path peer=%010llx", id);
		break;
	case ZT_EVENT_PLANET:
		log_info("node", "the planet was replaced by an update");
		break;
	case ZT_EVENT_MOON:
		log_info("node", "following a moon world=%016llx", id);
		break;
	}
}

static void on_frames(void *context, uint64_t nwid, const struct zt_frame *frames, size_t count)
{
	net_frames_in(context, nwid, frames, count);
}

/* local.conf's blacklists, and no tunnel inside a tunnel (vl1 10.6). */
static bool on_path_allowed(void *context, uint64_t peer, const struct zt_endpoint *endpoint)
{
	const struct service *service = context;
	for (size_t i = 0; i < service->settings.path_rule_count; i++) {
		const struct path_rule *rule = &service->settings.path_rules[i];
		if ((rule->peer == 0 || rule->peer == peer) &&
		    endpoint_within(endpoint, &rule->net)) {
			return false;
		}
	}
	for (const struct net *net = service->networks; net; net = net->next) {
		for (size_t i = 0; i < net->address_count; i++) {
			const struct stack_ip *ip = &net->addresses[i];
			struct zt_endpoint prefix = { .port = ip->bits, .family = ip->family };
			memcpy(prefix.ip, ip->bytes, sizeof prefix.ip);
			if (endpoint_within(endpoint, &prefix)) {
				return false;
			}
		}
	}
	return true;
}

static void on_config_request(void *context, const struct zt_config_request *request)
{
	ctl_request(context, request);
}

static const struct zt_callbacks callbacks = {
	.random = on_random,
	.log = on_log,
	.arena_full = on_arena_full,
	.job = on_job,
	.store = on_store,
	.event = on_event,
	.frames_in = on_frames,
	.path_allowed = on_path_allowed,
	.config_request = on_config_request,
};

/* ---- life ----------------------------------------------------------------------------------- */

static int arena_new(struct zt_arena *arena)
{
	*arena = (struct zt_arena){
		.bytes = malloc(UDP_ARENA_BYTES),
		.capacity = UDP_ARENA_BYTES,
		.tx = calloc(UDP_TX_MAX, sizeof *arena->tx),
		.tx_capacity = UDP_TX_MAX,
	};
	return arena->bytes && arena->tx ? 0 : ZT_E_NO_MEMORY;
}

int node_open(struct service *service, const struct identity *identity, const void *planet,
	      size_t planet_length)
{
	char text[IDENTITY_TEXT_MAX];
	struct zt_config config = {
		.identity_secret = identity_text(identity, true, text),
		.planet = planet,
		.planet_length = planet_length,
		.loopback_ok = service->loopback_ok,
		.callbacks = &callbacks,
		.context = service,
		.arena = &service->arena,
	};
	int error = arena_new(&service->arena);
	if (error == 0) {
		error = zt_node_new(&config, loop_now(service->loop), &service->node);
	}
	sodium_memzero(text, sizeof text);
	if (error != 0) {
		return error;
	}
	service->address = identity->address;
	udp_tell_node(service->udp);
	return 0;
}

/* True if the record was given to the node. */
static bool peer_restore(struct service *service, const char *path)
{
	struct stat st;
	struct zt_now now = loop_now(service->loop);
	if (stat(path, &st) == 0 && now.wall_ms / 1000 - st.st_mtime > PEER_MAX_AGE_S) {
		(void)unlink(path);
		return false;
	}
	char *bytes = NULL;
	size_t length = 0;
	if (file_read(path, PEER_MAX_BYTES, &bytes, &length) != 0) {
		return false;
	}
	int error = zt_peer_restore(service->node, now, bytes, length);
	if (error != 0) {
		log_warn("node", "peer record ignored: %s file=%s", zt_err_text(error), path);
	}
	free(bytes);
	return error == 0;
}

void node_restore_peers(struct service *service)
{
	char path[HOME_PATH_BYTES];
	DIR *folder = opendir(home_path(service, path, "peers.d"));
	if (!folder) {
		return;
	}
	unsigned count = 0;
	const struct dirent *entry;
	while (count < PEERS_RESTORED_MAX && (entry = readdir(folder))) {
		size_t length = strlen(entry->d_name);
		if (length == ADDRESS_DIGITS + 5 &&
		    strcmp(entry->d_name + ADDRESS_DIGITS, ".peer") == 0) {
			count += peer_restore(
			    service, home_path(service, path, "peers.d/%.20s", entry->d_name));
		}
	}
	(void)closedir(folder);
	log_debug("node", "peers known from the last run count=%u", count);
}

void node_handover_write(struct service *service, struct handover_out *out)
{
	service->peers_out = out;
	zt_peers_save(service->node);
	service->peers_out = NULL;
}

void node_close(struct service *service)
{
	if (service->node) {
		zt_node_free(service->node, loop_now(service->loop));
		service->node = NULL;
	}
	free(service->arena.bytes);
	free(service->arena.tx);
	service->arena = (struct zt_arena){ 0 };
}
