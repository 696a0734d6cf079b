/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* diagnose: what is wrong with this node or a network, in sentences, each with a next step.
 *
 * How this works: the service gives facts (GET /netcon/diagnose), here they are judged. A finding
 * is a problem (exit 1), a note (worth knowing) or fine. One function per subject.
 */
#include "cli/cli.h"
#include "cli/json_get.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	TEXT_BYTES = 512,
	BUFFER_LEAST_BYTES = 1 << 20, /* less loses datagrams at 1 Gbit/s within 10 ms */
	DESCRIPTORS_LEAST = 1024,
	SKEW_NOTE_MS = 60000,
	SKEW_BAD_MS = 1800000, /* certificates of a private network agree within 2 hours */
	HEARD_LATE_MS = 180000 /* three times the period of requests */
};
static const json_int_t CLOCK_LEAST_MS = 1704067200000; /* 2024: older is a clock never set */

enum level { FINE, NOTE, PROBLEM };

struct findings {
	json_t *list;
	bool has_problem;
};

/* Add "what" and, unless it is fine, the next step. */
__attribute__((format(printf, 4, 5))) static void add(struct findings *f, enum level level,
						      const char *next, const char *format, ...)
{
	static const char *const names[] = { "ok", "note", "problem" };
	char text[TEXT_BYTES];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	(void)json_array_append_new(f->list, json_pack("{s:s, s:s, s:s?}", "level", names[level],
						       "text", text, "next", next));
	f->has_problem |= level == PROBLEM;
}

/* ---- the node ---------------------------------------------------------------------------------
 */

static void judge_udp(struct findings *f, const json_t *facts)
{
	const json_t *udp = json_object_get(facts, "udp");
	const json_t *relay = json_object_get(facts, "tcpRelay");
	json_int_t in = int_of(udp, "datagramsIn"), out = int_of(udp, "datagramsOut");
	if (int_of(udp, "sockets") == 0) {
		add(f, PROBLEM,
		    "Give the machine a network interface with an address, or look at "
		    "settings.bind and interfacePrefixBlacklist in local.conf.",
		    "The service has no UDP socket: there is no address to bind.");
	} else if (is_set(relay, "forced") && json_is_string(json_object_get(relay, "address"))) {
		add(f, FINE, NULL, "UDP is not used: settings.forceTcpRelay is set.");
	} else if (in == 0 && out > 0) {
		add(f, PROBLEM,
		    "Allow outgoing UDP and its answers in firewalls on the way; a container "
		    "needs a network. Where UDP cannot be had, name a TCP relay as "
		    "settings.tcpFallbackRelay in local.conf.",
		    "No UDP datagram was ever received, %lld were sent.", (long long)out);
	} else {
		add(f, FINE, NULL, "UDP works: %lld datagrams sent, %lld received.", (long long)out,
		    (long long)in);
	}
	json_int_t receive = int_of(udp, "receiveBuffer"), send = int_of(udp, "sendBuffer");
	if (receive > 0 && (receive < BUFFER_LEAST_BYTES || send < BUFFER_LEAST_BYTES)) {
		add(f, NOTE,
		    "For high rates: sysctl net.core.rmem_max=8388608 net.core.wmem_max=8388608 "
		    "and restart the service.",
		    "The kernel grants socket buffers of %lld KB for receiving and %lld KB for "
		    "sending.",
		    (long long)receive / 1024, (long long)send / 1024);
	}
}

/* The way around a network without UDP. */
static void judge_relay(struct findings *f, const json_t *facts)
{
	const json_t *relay = json_object_get(facts, "tcpRelay");
	const char *address = json_string_value(json_object_get(relay, "address"));
	if (!address) {
		if (is_set(relay, "forced")) {
			add(f, NOTE,
			    "Name one as settings.tcpFallbackRelay, \"ip/port\", in local.conf.",
			    "settings.forceTcpRelay is set, but there is no relay; UDP is used.");
		}
	} else if (is_set(relay, "active")) {
		add(f, NOTE, "Allow UDP where you can: it is faster.",
		    "Packets go through the TCP relay %s: %lld out, %lld in.", address,
		    (long long)int_of(relay, "packetsOut"), (long long)int_of(relay, "packetsIn"));
	} else if (int_of(relay, "failures") > 0) {
		add(f, is_set(relay, "forced") ? PROBLEM : NOTE,
		    "Is that address right, and does a relay listen there? The log has the error.",
		    "The TCP relay %s could not be used %lld times.", address,
		    (long long)int_of(relay, "failures"));
	}
}

/* UPnP and NAT-PMP, in a service that was built with them. */
static void judge_gateway(struct findings *f, const json_t *facts)
{
	const json_t *gateway = json_object_get(facts, "gateway");
	if (!json_is_object(gateway)) {
		return;
	}
	if (text_of(gateway, "external")[0] != '\0') {
		add(f, FINE, NULL, "The gateway's %s forwards %s to port %lld of this node.",
		    text_of(gateway, "protocol"), text_of(gateway, "external"),
		    (long long)int_of(gateway, "port"));
	} else if (int_of(gateway, "failures") > 0) {
		add(f, NOTE,
		    "Normal without a home router. Behind one, allow UPnP or NAT-PMP there if "
		    "peers stay relayed, or set portMappingEnabled to false in local.conf.",
		    "No gateway grants a port by NAT-PMP or UPnP.");
	}
}

/* The path of a peer that is in use, or NULL. */
static const json_t *preferred(const json_t *peer)
{
	const json_t *paths = json_object_get(peer, "paths");
	for (size_t i = 0; i < json_array_size(paths); i++) {
		const json_t *path = json_array_get(paths, i);
		if (is_set(path, "preferred") && is_set(path, "active")) {
			return path;
		}
	}
	return NULL;
}

static void judge_root(struct findings *f, const json_t *root)
{
	const json_t *path = preferred(root);
	if (path) {
		add(f, FINE, NULL, "Root %s answers at %s, %lld ms.", text_of(root, "address"),
		    text_of(path, "address"), (long long)int_of(root, "latency"));
		return;
	}
	add(f, PROBLEM,
	    "Check that the root runs, that its address in the planet file is right, and that UDP "
	    "to its port passes the firewalls.",
	    "Root %s does not answer.", text_of(root, "address"));
}

static void judge_roots(struct findings *f, const json_t *facts)
{
	const json_t *peers = json_object_get(facts, "peers");
	size_t roots = 0;
	struct findings each = { .list = json_array() };
	for (size_t i = 0; i < json_array_size(peers); i++) {
		const json_t *peer = json_array_get(peers, i);
		if (strcmp(text_of(peer, "role"), "LEAF") != 0) {
			judge_root(&each, peer);
			roots++;
		}
	}
	if (roots == 0 && is_set(facts, "isRoot")) {
		add(f, FINE, NULL, "This node is itself the root.");
	} else if (roots == 0) {
		add(f, PROBLEM,
		    "Copy the planet file of your universe into the home directory and restart "
		    "the service.",
		    "No root server is known: there is no planet file.");
	}
	/* One root that answers is enough: others that do not are a note. */
	for (size_t i = 0; i < json_array_size(each.list); i++) {
		json_t *finding = json_array_get(each.list, i);
		bool is_bad = strcmp(text_of(finding, "level"), "problem") == 0;
		if (is_bad && is_set(facts, "online")) {
			(void)json_object_set_new(finding, "level", json_string("note"));
		}
		f->has_problem |= is_bad && !is_set(facts, "online");
		(void)json_array_append(f->list, finding);
	}
	json_decref(each.list);
	if (!is_set(facts, "online") && !is_set(facts, "isRoot")) {
		add(f, PROBLEM, "Begin with the roots above: without one nothing else can work.",
		    "The node is OFFLINE.");
	}
}

static void judge_clock(struct findings *f, const json_t *facts)
{
	if (int_of(facts, "clock") < CLOCK_LEAST_MS) {
		add(f, PROBLEM, "Set the clock, best by NTP.",
		    "The clock of this machine is years behind: certificates will not agree.");
	}
}

static void judge_host(struct findings *f, const json_t *facts)
{
	const json_t *fds = json_object_get(facts, "descriptors");
	const json_t *sandbox = json_object_get(facts, "sandbox");
	json_int_t capacity = int_of(fds, "capacity"), used = int_of(fds, "used");
	if (used * 10 >= capacity * 9) {
		add(f, PROBLEM,
		    "Raise the hard limit of descriptors (ulimit -Hn, LimitNOFILE=) and restart "
		    "the service.",
		    "%lld of %lld descriptors for programs' sockets are in use: new sockets fail "
		    "with ENOBUFS.",
		    (long long)used, (long long)capacity);
	} else if (capacity < DESCRIPTORS_LEAST) {
		add(f, NOTE, "Raise the hard limit of descriptors (ulimit -Hn, LimitNOFILE=).",
		    "There is room for only %lld sockets of programs.", (long long)capacity);
	}
	if (!is_set(sandbox, "on")) {
		add(f, NOTE,
		    is_set(sandbox, "wanted")
			? "The log says why; a sanitizer build or an old kernel has none."
			: "Start the service without --no-sandbox.",
		    "The service runs without its filter of system calls.");
	}
}

/* ---- networks ---------------------------------------------------------------------------------
 */

static void judge_status(struct findings *f, const json_t *network)
{
	const char *nwid = text_of(network, "nwid"), *status = text_of(network, "status");
	static const struct {
		const char *status, *text, *next;
	} rows[] = {
		{ "ACCESS_DENIED", "its controller does not let this node in",
		  "Have the controller's operator authorise this node: zerotier-cli controller "
		  "authorise NETWORK ADDRESS (the address is what `zerotier-cli info` prints)." },
		{ "NOT_FOUND", "its controller knows no such network",
		  "Check the network id; the first 10 digits are the controller's address." },
		{ "PORT_ERROR", "its TCP/IP stack could not be made",
		  "See the service's log; memory or liblwip.so is missing." },
		{ "CLIENT_TOO_OLD", "its controller wants a newer version",
		  "Update this service." },
		{ "AUTHENTICATION_REQUIRED", "its controller wants a sign-on in a browser",
		  "Single sign-on is not supported here; have the node exempted from it." },
		{ "REQUESTING_CONFIGURATION", "its controller has not answered yet",
		  "Check that the controller is online and reaches a root; give it some seconds "
		  "after a start." },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (strcmp(rows[i].status, status) == 0) {
			add(f, PROBLEM, rows[i].next, "Network %s is %s: %s (controller %s).", nwid,
			    status, rows[i].text, text_of(network, "controller"));
		}
	}
	if (strcmp(status, "OK") != 0) {
		return;
	}
	if (int_of(network, "assigned") == 0) {
		add(f, PROBLEM,
		    "Give the network a pool and assignment at its controller (zerotier-cli "
		    "controller set NETWORK --pool FIRST-LAST), or assign this member an address.",
		    "Network %s is OK, but this node has no address on it.", nwid);
	} else if (int_of(network, "used") == 0) {
		add(f, PROBLEM,
		    "Allow them: zerotier-cli set NETWORK allowManaged=1, or allowGlobal=1 for "
		    "public addresses.",
		    "Network %s assigns addresses, but this node does not take them.", nwid);
	} else {
		add(f, FINE, NULL, "Network %s is OK, %lld addresses.", nwid,
		    (long long)int_of(network, "used"));
	}
}

static void judge_controller(struct findings *f, const json_t *network)
{
	const char *nwid = text_of(network, "nwid");
	json_int_t heard = int_of(network, "heardAgoMs"), skew = int_of(network, "clockSkewMs");
	bool is_ok = strcmp(text_of(network, "status"), "OK") == 0;
	if (is_ok && heard < 0) {
		add(f, NOTE,
		    "It goes on with the configuration of the last run; check that the controller "
		    "is online.",
		    "Controller %s of network %s was not heard since the start.",
		    text_of(network, "controller"), nwid);
	} else if (is_ok && heard > HEARD_LATE_MS) {
		add(f, NOTE, "Check that the controller is online; connections go on meanwhile.",
		    "Controller %s of network %s was last heard %lld s ago.",
		    text_of(network, "controller"), nwid, (long long)heard / 1000);
	}
	json_int_t off = skew < 0 ? -skew : skew;
	if (heard >= 0 && off > SKEW_NOTE_MS) {
		add(f, off > SKEW_BAD_MS ? PROBLEM : NOTE,
		    "Set both clocks by NTP; certificates of members must agree in time.",
		    "The controller's clock of network %s is %lld s %s ours.", nwid,
		    (long long)off / 1000, skew > 0 ? "ahead of" : "behind");
	}
	const json_t *conflict = json_object_get(network, "conflict");
	if (json_is_object(conflict)) {
		add(f, PROBLEM,
		    "Give one of the two another address at the controller (ipAssignments).",
		    "On network %s another member (%s, MAC %s) uses our address %s.", nwid,
		    text_of(conflict, "address")[0] ? text_of(conflict, "address") : "unknown",
		    text_of(conflict, "mac"), text_of(conflict, "ip"));
	}
}

static void judge_networks(struct findings *f, const json_t *facts)
{
	const json_t *networks = json_object_get(facts, "networks");
	if (json_array_size(networks) == 0) {
		add(f, NOTE, "Join one: zerotier-cli join <network ID>.", "No network is joined.");
	}
	for (size_t i = 0; i < json_array_size(networks); i++) {
		judge_status(f, json_array_get(networks, i));
		judge_controller(f, json_array_get(networks, i));
	}
}

static void judge_peers(struct findings *f, const json_t *facts)
{
	const json_t *peers = json_object_get(facts, "peers");
	for (size_t i = 0; i < json_array_size(peers); i++) {
		const json_t *peer = json_array_get(peers, i), *path = preferred(peer);
		if (strcmp(text_of(peer, "role"), "LEAF") != 0) {
			continue;
		}
		if (path) {
			add(f, FINE, NULL, "Peer %s is reached directly at %s, %lld ms.",
			    text_of(peer, "address"), text_of(path, "address"),
			    (long long)int_of(peer, "latency"));
		} else {
			add(f, NOTE,
			    "Normal while nothing is sent. If it stays so under load, open UDP "
			    "between the two, or forward this node's port at its NAT.",
			    "Peer %s has no direct path: packets to it are relayed by a root.",
			    text_of(peer, "address"));
		}
	}
}

/* ---- the command ------------------------------------------------------------------------------
 */

static void findings_print(const struct cli *cli, const struct findings *f, const json_t *facts)
{
	if (cli->is_json) {
		json_t *all = json_pack("{s:b, s:O, s:O?}", "healthy", !f->has_problem, "findings",
					f->list, "facts", facts);
		fmt_json(cli->out, all);
		json_decref(all);
		return;
	}
	for (size_t i = 0; i < json_array_size(f->list); i++) {
		const json_t *finding = json_array_get(f->list, i);
		const char *next = text_of(finding, "next");
		(void)fprintf(cli->out, "%-7s  %s\n", text_of(finding, "level"),
			      text_of(finding, "text"));
		if (next[0] != '\0') {
			(void)fprintf(cli->out, "         Next: %s\n", next);
		}
	}
}

int cmd_diagnose(const struct cli *given, int argc, char **argv)
{
	(void)argc;
	struct cli cli = *given;
	if (home_settle(&cli) != CLI_DONE) {
		return CLI_REFUSED; /* it said what is missing and how to start the service */
	}
	json_t *facts = ask_json(&cli, argv[0], "/netcon/diagnose");
	if (!facts) {
		return CLI_REFUSED;
	}
	struct findings f = { .list = json_array() };
	add(&f, FINE, NULL, "The service of node %s is up.", text_of(facts, "address"));
	judge_clock(&f, facts);
	judge_udp(&f, facts);
	judge_relay(&f, facts);
	judge_gateway(&f, facts);
	judge_roots(&f, facts);
	judge_networks(&f, facts);
	judge_peers(&f, facts);
	judge_host(&f, facts);
	findings_print(&cli, &f, facts);
	json_decref(f.list);
	json_decref(facts);
	return f.has_problem ? CLI_REFUSED : CLI_DONE;
}
