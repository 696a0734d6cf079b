/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* The names of the network's own domain (decision 187): NAME.DOMAIN, where the domain is the one
 * that the network pushes and NAME a member's name at its controller, if that is this node, or the
 * ten hex digits of its address, which everybody knows.
 *
 * Addresses: our own; what the controller assigned, if that is this node; and those that derive
 * from the address (vl2 8), if the network gives us ours of that kind.
 */
#include "controller/controller.h"
#include "core/addr.h"
#include "service/resolver.h"
#include "service/service.h"
#include "service/vaddr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ADDRESS_DIGITS = 10, LABEL_MAX = 63 };

struct found {
	struct rpc_addr *out;
	int count;
};

static void found_add(struct found *f, const struct rpc_addr *a)
{
	for (int i = 0; i < f->count; i++) {
		if (memcmp(f->out[i].addr, a->addr, sizeof a->addr) == 0) {
			return;
		}
	}
	if (f->count < RPC_RESOLVE_RECORDS_MAX) {
		f->out[f->count++] = *a;
	}
}

static void found_add_stack(struct found *f, const struct stack_ip *ip)
{
	struct rpc_addr a = vaddr_from_stack(ip, ip->family == 4 ? AF_INET : AF_INET6);
	a.port_be = 0;
	found_add(f, &a);
}

/* The part before ".DOMAIN", without a dot. */
static bool label_of(const struct net *net, const char *name, char out[LABEL_MAX + 1])
{
	size_t domain = strlen(net->domain), length = strlen(name);
	if (domain == 0 || length < domain + 2 || length - domain - 1 > LABEL_MAX ||
	    strcasecmp(name + length - domain, net->domain) != 0 ||
	    name[length - domain - 1] != '.') {
		return false;
	}
	memcpy(out, name, length - domain - 1);
	out[length - domain - 1] = '\0';
	return strchr(out, '.') == NULL;
}

static bool controller_is_us(const struct net *net)
{
	return net->service->controller && addr_controller(net->nwid) == net->service->address;
}

/* ---- what the controller knows --------------------------------------------------------------- */

static const char *member_name(const json_t *member)
{
	const char *name = json_string_value(json_object_get(member, "name"));
	return name ? name : "";
}

/* A new reference, or NULL; *address is the member's. */
static json_t *member_by_name(const struct net *net, const char *label, uint64_t *address)
{
	const struct controller *c = net->service->controller;
	json_t *members = controller_members(c, net->nwid), *found = NULL;
	const char *id;
	json_t *revision;
	json_object_foreach(members, id, revision)
	{
		uint64_t number = strtoull(id, NULL, 16);
		json_t *member = found ? NULL : controller_member_get(c, net->nwid, number);
		if (member && strcasecmp(member_name(member), label) == 0) {
			found = json_incref(member);
			*address = number;
		}
		json_decref(member);
	}
	json_decref(members);
	return found;
}

static void assigned_add(struct found *f, const json_t *member)
{
	size_t i;
	const json_t *item;
	if (!json_is_true(json_object_get(member, "authorized"))) {
		return;
	}
	json_array_foreach(json_object_get(member, "ipAssignments"), i, item)
	{
		const char *text = json_string_value(item);
		uint8_t bytes[16];
		if (text && inet_pton(AF_INET, text, bytes) == 1) {
			struct rpc_addr a = vaddr_v4(bytes, 0);
			found_add(f, &a);
		} else if (text && inet_pton(AF_INET6, text, bytes) == 1) {
			struct rpc_addr a = vaddr_v6(bytes, 0);
			found_add(f, &a);
		}
	}
}

/* ---- what the address says ------------------------------------------------------------------- */

static struct stack_ip derived(const struct net *net, uint64_t address, bool is_6plane)
{
	struct zt_endpoint e =
	    is_6plane ? addr_6plane(net->nwid, address) : addr_rfc4193(net->nwid, address);
	struct stack_ip ip = { .family = 6 };
	memcpy(ip.bytes, e.ip, 16);
	return ip;
}

static void derived_add(const struct net *net, uint64_t address, struct found *f)
{
	for (int plane = 0; plane < 2; plane++) {
		struct stack_ip ours = derived(net, net->service->address, plane != 0);
		if (net_is_own_address(net, &ours)) {
			struct stack_ip theirs = derived(net, address, plane != 0);
			found_add_stack(f, &theirs);
		}
	}
}

static bool is_address(const char *label, uint64_t *out)
{
	if (strlen(label) != ADDRESS_DIGITS ||
	    strspn(label, "0123456789abcdefABCDEF") != ADDRESS_DIGITS) {
		return false;
	}
	*out = strtoull(label, NULL, 16);
	return true;
}

int resolver_own_find(const struct net *net, const char *name,
		      struct rpc_addr out[RPC_RESOLVE_RECORDS_MAX])
{
	char label[LABEL_MAX + 1];
	struct found f = { .out = out };
	uint64_t address = 0;
	json_t *member = NULL;
	if (!label_of(net, name, label)) {
		return -1;
	}
	bool is_known = is_address(label, &address);
	if (controller_is_us(net)) {
		member = is_known
			     ? controller_member_get(net->service->controller, net->nwid, address)
			     : member_by_name(net, label, &address);
		is_known = member != NULL;
	}
	for (size_t i = 0; address == net->service->address && i < net->address_count; i++) {
		found_add_stack(&f, &net->addresses[i]);
	}
	if (is_known) {
		assigned_add(&f, member);
		derived_add(net, address, &f);
	}
	json_decref(member);
	return f.count > 0 ? f.count : -1;
}

/* ---- the other way round --------------------------------------------------------------------- */

static uint64_t owner_of(const struct net *net, const struct rpc_addr *a)
{
	struct stack_ip ip = vaddr_to_stack(a);
	char text[INET6_ADDRSTRLEN] = "";
	if (net_is_own_address(net, &ip)) {
		return net->service->address;
	}
	uint64_t rfc4193 = 0, sixplane = 0;
	for (size_t i = 0; i < 5; i++) {
		rfc4193 = rfc4193 << 8 | a->addr[11 + i];
		sixplane = sixplane << 8 | a->addr[5 + i];
	}
	struct stack_ip first = derived(net, rfc4193, false), second = derived(net, sixplane, true);
	if (ip.family == 6 && memcmp(first.bytes, ip.bytes, 16) == 0) {
		return rfc4193;
	}
	if (ip.family == 6 && memcmp(second.bytes, ip.bytes, 16) == 0) {
		return sixplane;
	}
	bool is_v4 = vaddr_is_v4(a);
	(void)inet_ntop(is_v4 ? AF_INET : AF_INET6, is_v4 ? a->addr + 12 : a->addr, text,
			sizeof text);
	return controller_is_us(net)
		   ? controller_member_of_ip(net->service->controller, net->nwid, text)
		   : 0;
}

bool resolver_own_name(const struct net *net, const struct rpc_addr *a, char *out, size_t size)
{
	uint64_t address = net->domain[0] != '\0' ? owner_of(net, a) : 0;
	if (address == 0) {
		return false;
	}
	json_t *member = controller_is_us(net)
			     ? controller_member_get(net->service->controller, net->nwid, address)
			     : NULL;
	const char *name = member_name(member);
	int n = name[0] != '\0'
		    ? snprintf(out, size, "%s.%s", name, net->domain)
		    : snprintf(out, size, "%010llx.%s", (unsigned long long)address, net->domain);
	json_decref(member);
	return n > 0 && (size_t)n < size;
}
