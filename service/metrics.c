/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: nothing is counted here. Whoever asks gets what the core, the controller and the
 * virtual hosts count anyway, written out once; an idle service spends nothing on metrics. Names,
 * labels and their order are those of ZeroTier One 1.14.1 (transcripts 01, 10, 12); what only we
 * have begins with ztnc_. See decision 110.
 */
#include "service/metrics.h"

#include "controller/controller.h"
#include "core/proto.h"
#include "service/api.h"
#include "service/home.h"
#include "service/net.h"
#include "service/service.h"
#include "service/tcprelay.h"
#include "service/vhost.h"
#include "service/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long long number;

static const char *const directions[] = { [ZT_IN] = "rx", [ZT_OUT] = "tx" };

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	(void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(FILE *out, const char *name, const char *type, const char *help, uint64_t value)
{
	head(out, name, type, help);
	(void)fprintf(out, "%s %llu\n", name, (number)value);
}

/* ---- the node --------------------------------------------------------------------------------
 */

static void packets_write(FILE *out, const struct zt_tally *tally)
{
	static const char *const verbs[ZT_TALLY_VERBS] = {
		[VERB_NOP] = "nop",
		[VERB_HELLO] = "hello",
		[VERB_ERROR] = "error",
		[VERB_OK] = "ok",
		[VERB_WHOIS] = "whois",
		[VERB_RENDEZVOUS] = "rendezvous",
		[VERB_FRAME] = "frame",
		[VERB_EXT_FRAME] = "ext_frame",
		[VERB_ECHO] = "echo",
		[VERB_MULTICAST_LIKE] = "multicast_like",
		[VERB_NETWORK_CREDENTIALS] = "network_credentials",
		[VERB_NETWORK_CONFIG_REQUEST] = "network_config_request",
		[VERB_NETWORK_CONFIG] = "network_config",
		[VERB_MULTICAST_GATHER] = "multicast_gather",
		[VERB_MULTICAST_FRAME] = "multicast_frame",
		[VERB_PUSH_DIRECT_PATHS] = "push_direct_paths",
		[VERB_ACK] = "ack",
		[VERB_QOS_MEASUREMENT] = "qos",
		[VERB_USER_MESSAGE] = "user_message",
		[VERB_REMOTE_TRACE] = "remote_trace",
		[VERB_PATH_NEGOTIATION_REQUEST] = "path_negotiation_request",
	};
	static const char *const errors[ZT_TALLY_ERRORS] = {
		[ERROR_OBJ_NOT_FOUND] = "obj_not_found",
		[ERROR_IDENTITY_COLLISION] = "identity_collision",
		[ERROR_UNSUPPORTED_OPERATION] = "unsupported_operation",
		[ERROR_NEED_MEMBERSHIP_CERTIFICATE] = "need_membership_certificate",
		[ERROR_NETWORK_ACCESS_DENIED] = "network_access_denied",
		[ERROR_UNWANTED_MULTICAST] = "unwanted_multicast",
		[ERROR_NETWORK_AUTHENTICATION_REQUIRED] = "authentication_required",
	};
	head(out, "zt_packet", "counter", "ZeroTier packet type counts");
	for (int i = 0; i < 2 * ZT_TALLY_VERBS; i++) {
		int way = i / ZT_TALLY_VERBS, verb = i % ZT_TALLY_VERBS;
		if (verbs[verb]) {
			(void)fprintf(out, "zt_packet{direction=\"%s\",packet_type=\"%s\"} %llu\n",
				      directions[way], verbs[verb],
				      (number)tally->packets[way][verb]);
		}
	}
	head(out, "zt_packet_error", "counter", "ZeroTier packet errors");
	for (int i = 0; i < 2 * ZT_TALLY_ERRORS; i++) {
		int way = i / ZT_TALLY_ERRORS, code = i % ZT_TALLY_ERRORS;
		if (errors[code]) {
			(void)fprintf(
			    out, "zt_packet_error{direction=\"%s\",error_type=\"%s\"} %llu\n",
			    directions[way], errors[code], (number)tally->errors[way][code]);
		}
	}
}

static void data_write(FILE *out, const struct service *service)
{
	const struct zt_node *node = service->node;
	const struct tcprelay_stats *relay = tcprelay_stats(service->tcprelay);
	head(out, "zt_data", "counter", "number of bytes ZeroTier has transmitted or received");
	(void)fprintf(out,
		      "zt_data{direction=\"rx\",protocol=\"tcp\"} %llu\n"
		      "zt_data{direction=\"tx\",protocol=\"tcp\"} %llu\n"
		      "zt_data{direction=\"tx\",protocol=\"udp\"} %llu\n"
		      "zt_data{direction=\"rx\",protocol=\"udp\"} %llu\n",
		      (number)relay->bytes_in, (number)relay->bytes_out,
		      (number)zt_counter(node, ZT_COUNT_BYTES_OUT),
		      (number)zt_counter(node, ZT_COUNT_BYTES_IN));
	head(out, "ztnc_core_total", "counter", "what the node counts, in its own words");
	for (int i = 0; i < ZT_COUNTERS; i++) {
		(void)fprintf(out, "ztnc_core_total{what=\"%s\"} %llu\n",
			      zt_counter_name((enum zt_counter)i),
			      (number)zt_counter(node, (enum zt_counter)i));
	}
}

/* ---- networks --------------------------------------------------------------------------------
 */

typedef void network_writer(FILE *out, const struct net *net, const struct zt_network_view *view);

static void networks_each(FILE *out, struct service *service, struct zt_network_view *view,
			  network_writer *write)
{
	for (size_t i = 0; zt_network_view(service->node, i, view); i++) {
		const struct net *net = net_find(service, view->nwid);
		if (net) {
			write(out, net, view);
		}
	}
}

static void groups_write(FILE *out, const struct net *net, const struct zt_network_view *view)
{
	(void)fprintf(out, "zt_network_multicast_groups_subscribed{network_id=\"%016llx\"} %zu\n",
		      (number)net->nwid, view->group_count);
}

static void frames_write(FILE *out, const struct net *net, const struct zt_network_view *view)
{
	const struct {
		const char *accepted, *direction;
		uint64_t value;
	} rows[] = { { "no", "tx", view->refused_out },
		     { "yes", "tx", view->frames_out },
		     { "no", "rx", view->refused_in },
		     { "yes", "rx", view->frames_in } };
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		(void)fprintf(out,
			      "zt_network_packets{accepted=\"%s\",direction=\"%s\","
			      "network_id=\"%016llx\"} %llu\n",
			      rows[i].accepted, rows[i].direction, (number)net->nwid,
			      (number)rows[i].value);
	}
}

static void networks_write(FILE *out, struct service *service)
{
	struct zt_network_view *view = malloc(sizeof *view); /* 8 KB */
	size_t count = 0;
	if (!view) {
		return;
	}
	for (const struct net *net = service->networks; net; net = net->next) {
		count++;
	}
	single(out, "zt_num_networks", "gauge", "number of networks this instance is joined to",
	       count);
	const struct {
		const char *name, *type, *help;
		network_writer *write;
	} families[] = {
		{ "zt_network_multicast_groups_subscribed", "gauge",
		  "number of multicast groups networks are subscribed to", groups_write },
		{ "zt_network_packets", "counter",
		  "number of incoming/outgoing packets per network", frames_write },
	};
	for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
		head(out, families[i].name, families[i].type, families[i].help);
		networks_each(out, service, view, families[i].write);
	}
	metrics_hosts(out, service);
	free(view);
}

/* ---- peers -----------------------------------------------------------------------------------
 */

static void latency_write(FILE *out, const struct zt_peer_view *peer)
{
	static const int bounds[] = { ZT_LATENCY_BOUNDS_MS };
	uint64_t sum = 0;
	for (size_t i = 0; i < ZT_LATENCY_BUCKETS; i++) {
		sum += peer->latencies.counts[i];
	}
	(void)fprintf(out,
		      "zt_peer_latency_count{node_id=\"%010llx\"} %llu\n"
		      "zt_peer_latency_sum{node_id=\"%010llx\"} %llu\n",
		      (number)peer->address, (number)sum, (number)peer->address,
		      (number)peer->latencies.sum_ms);
	sum = 0;
	for (size_t i = 0; i < ZT_LATENCY_BUCKETS; i++) {
		char bound[16] = "+Inf";
		sum += peer->latencies.counts[i];
		if (i < ZT_LATENCY_BUCKETS - 1) {
			(void)snprintf(bound, sizeof bound, "%d", bounds[i]);
		}
		(void)fprintf(out, "zt_peer_latency_bucket{node_id=\"%010llx\",le=\"%s\"} %llu\n",
			      (number)peer->address, bound, (number)sum);
	}
}

static void path_count_write(FILE *out, const struct zt_peer_view *peer)
{
	size_t alive = 0;
	for (size_t i = 0; i < peer->path_count; i++) {
		alive += peer->paths[i].is_active;
	}
	(void)fprintf(out,
		      "zt_peer_path_count{node_id=\"%010llx\",status=\"dead\"} %zu\n"
		      "zt_peer_path_count{node_id=\"%010llx\",status=\"alive\"} %zu\n",
		      (number)peer->address, peer->path_count - alive, (number)peer->address,
		      alive);
}

static void peer_packets_write(FILE *out, const struct zt_peer_view *peer)
{
	(void)fprintf(out,
		      "zt_peer_packets{direction=\"tx\",node_id=\"%010llx\"} %llu\n"
		      "zt_peer_packets{direction=\"rx\",node_id=\"%010llx\"} %llu\n",
		      (number)peer->address, (number)peer->packets_out, (number)peer->address,
		      (number)peer->packets_in);
}

static void peer_errors_write(FILE *out, const struct zt_peer_view *peer)
{
	(void)fprintf(out, "zt_peer_packet_errors{node_id=\"%010llx\"} %llu\n",
		      (number)peer->address, (number)peer->packet_errors);
}

static void peers_write(FILE *out, const struct service *service, struct zt_now now)
{
	static const struct {
		const char *name, *type, *help;
		void (*write)(FILE *out, const struct zt_peer_view *peer);
	} families[] = {
		{ "zt_peer_latency", "histogram", "peer latency (ms)", latency_write },
		{ "zt_peer_path_count", "gauge", "number of paths to peer", path_count_write },
		{ "zt_peer_packets", "counter", "number of packets to/from a peer",
		  peer_packets_write },
		{ "zt_peer_packet_errors", "counter",
		  "number of incoming packet errors from a peer", peer_errors_write },
	};
	struct zt_peer_view *peer = malloc(sizeof *peer); /* 4 KB */
	for (size_t f = 0; peer && f < sizeof families / sizeof *families; f++) {
		head(out, families[f].name, families[f].type, families[f].help);
		for (size_t i = 0; zt_peer_view(service->node, now, i, peer); i++) {
			families[f].write(out, peer);
		}
	}
	free(peer);
}

/* ---- the controller --------------------------------------------------------------------------
 */

static void controller_write(FILE *out, const struct controller *controller)
{
	struct controller_stats stats = { 0 };
	if (controller) {
		controller_stats(controller, &stats);
	}
	single(out, "controller_network_count", "gauge",
	       "number of networks the controller is serving", stats.networks);
	single(out, "controller_member_count", "gauge",
	       "number of network members the controller is serving", stats.members);
	single(out, "controller_network_change_count", "counter",
	       "number of times a network configuration is changed", stats.network_changes);
	single(out, "controller_member_change_count", "counter",
	       "number of times a network member configuration is changed", stats.member_changes);
	single(out, "controller_member_auth_count", "counter", "number of network member auths",
	       stats.auths);
	single(out, "controller_member_deauth_count", "counter", "number of network member deauths",
	       stats.deauths);
	single(out, "controller_network_config_request_queue", "gauge",
	       "number of entries in the request queue for network configurations", stats.queued);
	single(out, "controller_network_config_request", "counter",
	       "count of config requests handled", stats.requests);
	single(out, "controller_network_config_request_threads", "gauge",
	       "number of active network config handling threads", controller ? 1 : 0);
}

char *metrics_text(struct service *service, size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);
	if (!out) {
		return NULL;
	}
	packets_write(out, zt_tally(service->node));
	data_write(out, service);
	networks_write(out, service);
	peers_write(out, service, loop_now(service->loop));
	controller_write(out, service->controller);
	head(out, "ztnc_build_info", "gauge", "this service; always 1");
	(void)fprintf(out, "ztnc_build_info{compatible=\"%d.%d.%d\",protocol=\"%d\"} 1\n",
		      ZT_VERSION_MAJOR, ZT_VERSION_MINOR, ZT_VERSION_REVISION, ZT_VERSION_PROTOCOL);
	bool is_bad = ferror(out) != 0;
	if (fclose(out) != 0 || is_bad) {
		free(text);
		return NULL;
	}
	return text;
}

static void save(struct service *service, const char *text, size_t length)
{
	char path[HOME_PATH_BYTES];
	(void)worker_write(service->worker, home_path(service, path, "metrics.prom"), text, length,
			   0644);
}

void metrics_save(struct service *service)
{
	size_t length = 0;
	char *text = service->node && service->worker ? metrics_text(service, &length) : NULL;
	if (text) {
		save(service, text, length);
		free(text);
	}
}

void api_metrics(struct service *service, const struct api_request *request,
		 struct api_reply *reply)
{
	size_t length = 0;
	if (request->method != API_GET || request->path->count != 1) {
		return;
	}
	char *text = metrics_text(service, &length);
	if (!text) {
		api_reply_empty(reply, 503);
		return;
	}
	save(service, text, length);
	*reply = (struct api_reply){
		.status = 200, .content_type = "text/plain", .text = text, .length = length
	};
}
