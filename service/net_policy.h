/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What of a network's configuration we take: networks.d/<nwid>.local.conf (vl2 10.1). */
#ifndef SERVICE_NET_POLICY_H
#define SERVICE_NET_POLICY_H

#include "service/net.h"

#include <stdbool.h>
#include <stddef.h>

/* The defaults of a virtual host: all on (decision S8), then what the file says. */
void net_policy_load(struct net *net);
/* Read the file's lines over *policy; unknown lines are left out. */
void net_policy_parse(const char *text, struct net_policy *policy);
/* The file's text. Returns its length. */
size_t net_policy_text(const struct net_policy *policy, char *out, size_t size);
/* May this managed address or route target (port = bits) be used? */
bool net_policy_allows(const struct net_policy *policy, const struct zt_endpoint *target);

#endif
