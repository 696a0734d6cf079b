/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/reload.h"

#include "service/localconf.h"
#include "service/log.h"
#include "service/net.h"
#include "service/portmap.h"
#include "service/rpcd.h"
#include "service/udp.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

void reload_core(struct service *service)
{
	const struct settings *s = &service->settings;
	zt_physical_set(service->node, s->physical, s->physical_count);
	zt_hints_set(service->node, s->hints, s->hint_count);
	zt_low_bandwidth_set(service->node, s->is_low_bandwidth);
}

/* Who may use the networks may have changed. */
static void permit_programs(struct service *service)
{
	for (struct net *net = service->networks; net; net = net->next) {
		int error = net->vhost ? rpcd_permit(net->vhost) : 0;
		if (error != 0) {
			log_warn("reload", "cannot change the mode of a socket network=%016llx: %s",
				 (unsigned long long)net->nwid, strerror(-error));
		}
	}
}

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
	portmap_hurry(service->portmap);
	permit_programs(service);
	reload_core(service);
}

static void settings_reload(struct service *service)
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
}

void reload(struct service *service)
{
	settings_reload(service);
	net_join_listed(service);
}

/* ---- the home directory --------------------------------------------------------------------- */

void reload_watch(struct service *service)
{
	/* Whole files only: written and closed, or renamed into place. */
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (fd < 0 || inotify_add_watch(fd, service->home, IN_CLOSE_WRITE | IN_MOVED_TO) < 0) {
		log_warn_errno("reload", "cannot watch the home directory; after a change of "
					 "local.conf send SIGHUP");
		if (fd >= 0) {
			(void)close(fd);
		}
		return;
	}
	service->home_watch = (struct watch){ .fd = fd, .kind = WATCH_HOME };
	if (loop_add(service->loop, &service->home_watch, EPOLLIN) != 0) {
		(void)close(fd);
		service->home_watch.fd = -1;
	}
}

void reload_unwatch(struct service *service)
{
	if (service->home_watch.fd >= 0) {
		loop_remove(service->loop, &service->home_watch);
		(void)close(service->home_watch.fd);
		service->home_watch.fd = -1;
	}
}

static bool is_settings(const struct inotify_event *event)
{
	return (event->mask & IN_Q_OVERFLOW) ||
	       (event->len > 0 && (strcmp(event->name, "local.conf") == 0 ||
				   strcmp(event->name, "trustedpaths") == 0));
}

void reload_on_home(struct service *service, struct watch *w)
{
	_Alignas(struct inotify_event) char buffer[4096];
	bool is_changed = false;
	for (ssize_t n; (n = read(w->fd, buffer, sizeof buffer)) > 0;) {
		for (const char *at = buffer; at < buffer + n;) {
			const struct inotify_event *event = (const void *)at;
			is_changed |= is_settings(event);
			at += sizeof *event + event->len;
		}
	}
	if (is_changed) {
		settings_reload(service);
	}
}
