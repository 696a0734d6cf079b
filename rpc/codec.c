/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Is a request as long as its kind demands? One table, asked before anything else is read.
 *
 * A longer message is fine (fields are only ever appended); an unknown op is fine too as long as
 * its header is: it is answered ENOSYS.
 */
#include "rpc/rpc.h"

#include <string.h>

/* SETOPT and GETOPT end with a part as long as they say themselves. */
enum { OPTION_HEAD_BYTES = offsetof(struct rpc_option, value) };

static const uint16_t least[] = {
	[RPC_HELLO] = sizeof(struct rpc_hello),
	[RPC_SOCKET] = sizeof(struct rpc_socket),
	[RPC_BIND] = sizeof(struct rpc_bind),
	[RPC_LISTEN] = sizeof(struct rpc_listen),
	[RPC_CONNECT] = sizeof(struct rpc_connect),
	[RPC_DETACH] = sizeof(struct rpc_detach),
	[RPC_SOERROR] = sizeof(struct rpc_header),
	[RPC_NAME] = sizeof(struct rpc_name),
	[RPC_SETOPT] = OPTION_HEAD_BYTES,
	[RPC_GETOPT] = OPTION_HEAD_BYTES,
	[RPC_IOCTL] = sizeof(struct rpc_ioctl),
	[RPC_PING] = sizeof(struct rpc_header),
	[RPC_RESOLVE] = offsetof(struct rpc_resolve, bytes),
	[RPC_INTERFACES] = sizeof(struct rpc_header),
	[RPC_ROUTE] = sizeof(struct rpc_route),
	[RPC_ROUTES] = sizeof(struct rpc_routes),
};

/* value_length must be covered by what arrived (SETOPT) or by what a reply can hold (GETOPT). */
static bool option_ok(const struct rpc_header *h, size_t length)
{
	struct rpc_option head;
	memcpy(&head, h, OPTION_HEAD_BYTES);
	if (head.value_length > RPC_OPTION_MAX_BYTES) {
		return false;
	}
	return h->op == RPC_GETOPT || length - OPTION_HEAD_BYTES >= head.value_length;
}

/* The name or message must be covered by what arrived. */
static bool resolve_ok(const struct rpc_header *h, size_t length)
{
	struct rpc_resolve head;
	size_t at = offsetof(struct rpc_resolve, bytes);
	memcpy(&head, h, at);
	return head.length <= RPC_RESOLVE_MAX_BYTES && head.length <= length - at;
}

bool rpc_request_ok(const struct rpc_header *h, size_t length)
{
	if (length < sizeof *h || length > RPC_MAX_BYTES || h->length != length) {
		return false;
	}
	if (h->op >= sizeof least / sizeof *least) {
		return true;
	}
	if (length < least[h->op]) {
		return false;
	}
	if (h->op == RPC_SETOPT || h->op == RPC_GETOPT) {
		return option_ok(h, length);
	}
	if (h->op == RPC_RESOLVE) {
		return resolve_ok(h, length);
	}
	return true;
}
