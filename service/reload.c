/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/reload.h"

#include "service/localconf.h"
#include "service/log.h"
#include "service/net.h"
#include "service/udp.h"

void reload_apply(struct service *service, const struct settings *settings, json_t *local_conf)
{
	struct settings next = *settings;
	if (!service->settings.primary_port_is_random &&
	    next.primary_port != service->settings.primary_port) {
		log_warn("reload", "another primaryPort needs a restart now=%u wanted=%u",
			 service->settings.primary_port, next.primary_port);
	}
	if ((next.management_count > 0) != (service->settings.management_count > 0)) {
		log_warn("reload", "to open the API to others, or close it, needs a restart");
	}
	next.primary_port = service->settings.primary_port;
	next.primary_port_is_random = service->settings.primary_port_is_random;
	next.use_sandbox = service->settings.use_sandbox;
	service->settings = next;
	json_decref(service->local_conf);
	service->local_conf = local_conf;
	log_level_set((enum log_level)next.log_level);
	udp_rescan(service->udp);
}

void reload(struct service *service)
{
	char error[LOCALCONF_ERROR_BYTES] = "out of memory";
	struct settings settings = service->base;
	json_t *local_conf = NULL;
	if (localconf_load(service->home, &settings, &local_conf, error) != 0) {
		log_err("reload", "the settings stay as they are: %s", error);
	} else {
		reload_apply(service, &settings, local_conf);
		log_info("reload", "local.conf read again");
	}
	net_join_listed(service);
}
