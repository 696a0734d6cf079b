/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/net_policy.h"

#include "service/file.h"
#include "service/home.h"
#include "service/log.h"
#include "service/service.h"
#include "service/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POLICY_MAX_BYTES = 4096, POLICY_LINE_BYTES = 1024 };

/* Booleans go by their first character (vl2 10.1). */
static bool text_bool(const char *text)
{
	return text[0] == '1' || text[0] == 't' || text[0] == 'T';
}

/* More than five characters are a list of networks, and managed addresses are on. */
static void managed_parse(char *text, struct net_policy *policy)
{
	policy->allowed_count = 0;
	if (strlen(text) <= 5) {
		policy->managed = text_bool(text);
		return;
	}
	policy->managed = true;
	char *rest = NULL;
	for (char *net = strtok_r(text, ",", &rest); net; net = strtok_r(NULL, ",", &rest)) {
		if (policy->allowed_count < sizeof policy->allowed / sizeof *policy->allowed &&
		    endpoint_parse(net, &policy->allowed[policy->allowed_count])) {
			policy->allowed_count++;
		}
	}
}

static void line_parse(char *line, struct net_policy *policy)
{
	char *value = strchr(line, '=');
	if (!value) {
		return;
	}
	*value++ = '\0';
	value[strcspn(value, "\r")] = '\0';
	if (strcmp(line, "allowManaged") == 0) {
		managed_parse(value, policy);
	} else if (strcmp(line, "allowGlobal") == 0) {
		policy->global = text_bool(value);
	} else if (strcmp(line, "allowDefault") == 0) {
		policy->standard = text_bool(value);
	} else if (strcmp(line, "allowDNS") == 0) {
		policy->dns = text_bool(value);
	}
}

void net_policy_parse(const char *text, struct net_policy *policy)
{
	while (*text != '\0') {
		char line[POLICY_LINE_BYTES];
		size_t length = strcspn(text, "\n");
		if (length < sizeof line) {
			memcpy(line, text, length);
			line[length] = '\0';
			line_parse(line, policy);
		}
		text += length + (text[length] == '\n');
	}
}

size_t net_policy_text(const struct net_policy *policy, char *out, size_t size)
{
	size_t length = (size_t)snprintf(out, size, "allowManaged=");
	if (policy->managed && policy->allowed_count > 0) {
		for (size_t i = 0; i < policy->allowed_count && length < size; i++) {
			char net[ENDPOINT_TEXT_MAX];
			length +=
			    (size_t)snprintf(out + length, size - length, "%s%s", i > 0 ? "," : "",
					     endpoint_text(&policy->allowed[i], net));
		}
	} else {
		length += (size_t)snprintf(out + length, size - length, "%d", policy->managed);
	}
	if (length < size) {
		length += (size_t)snprintf(out + length, size - length,
					   "\nallowGlobal=%d\nallowDefault=%d\nallowDNS=%d\n",
					   policy->global, policy->standard, policy->dns);
	}
	return length < size ? length : size - 1;
}

bool net_policy_allows(const struct net_policy *policy, const struct zt_endpoint *target)
{
	if (!policy->managed) {
		return false;
	}
	bool is_listed = policy->allowed_count == 0;
	for (size_t i = 0; i < policy->allowed_count; i++) {
		is_listed |= target->port >= policy->allowed[i].port &&
			     endpoint_within(target, &policy->allowed[i]);
	}
	if (!is_listed) {
		return false;
	}
	if (target->port == 0) {
		return policy->standard; /* a default route */
	}
	switch (endpoint_scope(target)) {
	case SCOPE_NONE:
	case SCOPE_MULTICAST:
	case SCOPE_LOOPBACK:
	case SCOPE_LINK_LOCAL:
		return false;
	case SCOPE_GLOBAL:
		return policy->global;
	case SCOPE_SHARED:
	case SCOPE_PSEUDO_PRIVATE:
	case SCOPE_PRIVATE:
		break;
	}
	return true;
}

static void policy_path(const struct net *net, char path[HOME_PATH_BYTES])
{
	(void)home_path(net->service, path, "networks.d/%016llx.local.conf",
			(unsigned long long)net->nwid);
}

void net_policy_load(struct net *net)
{
	char path[HOME_PATH_BYTES], *text = NULL;
	size_t length = 0;
	net->policy =
	    (struct net_policy){ .managed = true, .global = true, .standard = true, .dns = true };
	policy_path(net, path);
	if (file_read(path, POLICY_MAX_BYTES, &text, &length) == 0) {
		net_policy_parse(text, &net->policy);
		free(text);
	}
}

static void take_bool(const json_t *body, const char *key, bool *out)
{
	const json_t *value = json_object_get(body, key);
	if (json_is_boolean(value)) {
		*out = json_is_true(value);
	}
}

void net_policy_set(struct net *net, const json_t *body)
{
	struct net_policy *policy = &net->policy;
	if (json_is_boolean(json_object_get(body, "allowManaged"))) {
		policy->allowed_count = 0;
	}
	take_bool(body, "allowManaged", &policy->managed);
	take_bool(body, "allowGlobal", &policy->global);
	take_bool(body, "allowDefault", &policy->standard);
	take_bool(body, "allowDNS", &policy->dns);
	char path[HOME_PATH_BYTES], text[POLICY_MAX_BYTES];
	policy_path(net, path);
	size_t length = net_policy_text(policy, text, sizeof text);
	if (worker_write(net->service->worker, path, text, length, 0644) != 0) {
		log_err("net", "cannot save, out of memory file=%s", path);
	}
	net_update(net);
}
