/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What virtual hosts and their stacks count, as rows of one table: a row is a line per network. */
#include "service/metrics.h"

#include "service/net.h"
#include "service/service.h"
#include "service/vhost.h"

#include <string.h>

typedef unsigned long long number;

/* Both views of one network. */
struct counts {
	struct vhost_stats host;
	struct stack_stats stack;
};

/* Rows of one name follow each other; help and type stand in the first. */
struct row {
	const char *name, *type, *help, *labels; /* labels: with a comma before, or "" */
	size_t at;
	bool is_wide; /* uint64_t, else uint32_t */
};
#define HOST32(member)  offsetof(struct counts, host.member), false
#define HOST64(member)  offsetof(struct counts, host.member), true
#define STACK32(member) offsetof(struct counts, stack.member), false
#define STACK64(member) offsetof(struct counts, stack.member), true
#define MORE            NULL, NULL, NULL

static const struct row rows[] = {
	{ "ztnc_clients", "gauge", "programs connected to the network's socket", "",
	  HOST32(clients) },
	{ "ztnc_sockets", "gauge", "virtual sockets of programs", ",proto=\"tcp\",state=\"listen\"",
	  HOST32(listeners) },
	{ MORE, ",proto=\"tcp\",state=\"established\"", HOST32(connections) },
	{ MORE, ",proto=\"all\",state=\"all\"", HOST32(sockets) },
	{ "ztnc_tcp_time_wait", "gauge", "connections that only wait for stragglers", "",
	  STACK32(tcp_time_wait) },
	{ "ztnc_connections_total", "counter", "connections of programs", ",how=\"accepted\"",
	  HOST64(accepted) },
	{ MORE, ",how=\"connected\"", HOST64(connected) },
	{ MORE, ",how=\"refused\"", HOST64(refused) },
	{ MORE, ",how=\"short_cut\"", HOST64(shortcuts) },
	{ "ztnc_tcp_bytes_total", "counter", "bytes of programs' connections", ",direction=\"rx\"",
	  HOST64(bytes_in) },
	{ MORE, ",direction=\"tx\"", HOST64(bytes_out) },
	{ "ztnc_datagrams_total", "counter", "datagrams of programs", ",direction=\"rx\"",
	  HOST64(datagrams_in) },
	{ MORE, ",direction=\"tx\"", HOST64(datagrams_out) },
	{ "ztnc_datagrams_lost_total", "counter", "datagrams that nobody got", ",why=\"not_read\"",
	  HOST64(datagrams_dropped) },
	{ MORE, ",why=\"no_way\"", HOST64(datagrams_refused) },
	{ MORE, ",why=\"no_port\"", STACK64(udp_no_port) },
	{ "ztnc_rpc_malformed_total", "counter", "messages of programs that were no such messages",
	  "", HOST64(malformed) },
	{ "ztnc_tcp_segments_total", "counter", "TCP segments", ",direction=\"rx\"",
	  STACK64(tcp_in) },
	{ MORE, ",direction=\"tx\"", STACK64(tcp_out) },
	{ "ztnc_tcp_retransmits_total", "counter", "TCP segments sent again", "",
	  STACK64(tcp_retransmitted) },
	{ "ztnc_tcp_resets_total", "counter", "TCP resets sent", "", STACK64(tcp_resets_out) },
	{ "ztnc_stack_frames_dropped_total", "counter", "frames that the stack did not want", "",
	  STACK64(frames_dropped) },
	{ "ztnc_stack_neighbours", "gauge", "addresses whose MAC is known", "",
	  STACK32(neighbours) },
	{ "ztnc_stack_heap_bytes", "gauge", "memory that the stack holds", "",
	  STACK64(heap_bytes) },
};

static void line(FILE *out, const char *name, const struct row *row, const struct net *net)
{
	struct counts counts = { 0 };
	uint64_t value = 0;
	uint32_t narrow = 0;
	if (net->vhost) {
		vhost_stats(net->vhost, &counts.host);
	}
	if (net->stack) {
		net->ops->stats(net->stack, &counts.stack);
	}
	if (row->is_wide) {
		memcpy(&value, (const char *)&counts + row->at, sizeof value);
	} else {
		memcpy(&narrow, (const char *)&counts + row->at, sizeof narrow);
		value = narrow;
	}
	(void)fprintf(out, "%s{network_id=\"%016llx\"%s} %llu\n", name, (number)net->nwid,
		      row->labels, (number)value);
}

void metrics_hosts(FILE *out, const struct service *service)
{
	const char *name = NULL;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].name) {
			name = rows[i].name;
			(void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, rows[i].help, name,
				      rows[i].type);
		}
		for (const struct net *net = service->networks; net; net = net->next) {
			line(out, name, &rows[i], net);
		}
	}
}
