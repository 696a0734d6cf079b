/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How many questions may be under way: each holds a descriptor of ours and lives as long as all
 * timeouts of all servers. Users of a network share, but one of them who asks and asks leaves half
 * to the others; the service's own user and root may have all (as with descriptors, vhost_fd_take).
 */
#include "base/bug.h"
#include "service/resolver_wire.h"

bool resolver_share_take(struct resolver *r, uid_t uid)
{
	bool is_own = uid == geteuid() || uid == 0;
	unsigned used = 0;
	for (unsigned i = 0; i < r->asks; i++) {
		used += r->askers[i] == uid;
	}
	if (r->asks == RESOLVER_ASKS_MAX || (!is_own && used >= RESOLVER_ASKS_OF_ONE)) {
		return false;
	}
	r->askers[r->asks++] = uid;
	return true;
}

void resolver_share_give(struct resolver *r, uid_t uid)
{
	unsigned i = 0;
	while (i < r->asks && r->askers[i] != uid) {
		i++;
	}
	BUG_ON(i == r->asks);
	r->askers[i] = r->askers[--r->asks];
}
