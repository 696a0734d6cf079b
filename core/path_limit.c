/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What the service learns of routes (decision S18). */
#include "core/node_impl.h"
#include "core/path.h"

bool zt_path_limit(struct zt_node *node, int32_t socket, const struct zt_endpoint *to,
		   uint16_t bytes)
{
	struct path *path = paths_find(node->paths, socket, to);
	return path && path_limit(node->paths, path, bytes);
}
