/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What one turn of the loop does: the switch over descriptor kinds, then everything that is due,
 * and at the very end what the turn produced leaves in one go (design D4, D5).
 */
#include "service/ctl.h"
#include "service/handover.h"
#include "service/hold.h"
#include "service/http.h"
#include "service/log.h"
#include "service/loop.h"
#include "service/net.h"
#include "service/portmap.h"
#include "service/reload.h"
#include "service/service.h"
#include "service/tcprelay.h"
#include "service/udp.h"
#include "service/vhost.h"
#include "service/worker.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void on_signal(struct service *service)
{
	struct signalfd_siginfo info;
	while (read(service->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGHUP) {
			reload(service);
		} else if (info.ssi_signo == SIGUSR2) {
			(void)handover_begin(service->handover); /* refused if one is under way */
		} else {
			log_info("main", "stopping signal=%u", info.ssi_signo);
			loop_stop(service->loop);
		}
	}
}

void turn_dispatch(struct service *service, struct watch *w, uint32_t events)
{
	switch (w->kind) {
	case WATCH_UDP:
		udp_on_readable(w);
		break;
	case WATCH_SIGNAL:
		on_signal(service);
		break;
	case WATCH_WORKER:
		worker_on_done(w);
		break;
	case WATCH_HTTP:
		http_on_ready(w);
		break;
	case WATCH_RPC_LISTEN:
		vhost_on_listen(w);
		break;
	case WATCH_RPC_CLIENT:
		vhost_on_client(w, events);
		break;
	case WATCH_VSOCK:
		vhost_on_vsock(w, events);
		break;
	case WATCH_NETLINK:
		udp_on_netlink(w);
		break;
	case WATCH_HOME:
		reload_on_home(service, w);
		break;
	case WATCH_TCP_RELAY:
		tcprelay_on_ready(w, events);
		break;
	case WATCH_SUPERVISOR:
		handover_on_supervisor(w);
		break;
	case WATCH_SUCCESSOR:
		handover_on_successor(w);
		break;
	case WATCH_PORTMAP:
		portmap_on_done(w);
		break;
	case WATCH_HOLD:
		hold_on_ready(w);
		break;
	}
}

void turn_finish(struct service *service, struct zt_now now)
{
	if (now.mono_ms >= zt_deadline(service->node)) {
		zt_tick(service->node, now);
	}
	ctl_advance(service, now);
	net_settle_all(service);
	net_advance_all(service, now.mono_ms);
	hold_advance(service, now.mono_ms);
	http_advance(service->http, now.mono_ms);
	udp_advance(service->udp, now.mono_ms);
	portmap_advance(service->portmap, now.mono_ms);
	udp_flush(service->udp);
	tcprelay_advance(service->tcprelay, now.mono_ms);
	notify_advance(&service->notify, now.mono_ms);
	if (service->is_identity_lost) {
		log_err("main",
			"a root server says that our address %010llx belongs to another identity. "
			"Move identity.secret and identity.public away to begin with a new one",
			(unsigned long long)service->address);
		service->exit_code = 1;
		loop_stop(service->loop);
		return;
	}
	handover_advance(service->handover, now.mono_ms);
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t turn_deadline(struct service *service)
{
	int64_t now_ms = loop_now(service->loop).mono_ms;
	int64_t deadline = zt_deadline(service->node);
	deadline = earlier(deadline, ctl_deadline(service));
	deadline = earlier(deadline, net_deadline(service));
	deadline = earlier(deadline, http_deadline(service->http, now_ms));
	deadline = earlier(deadline, hold_deadline(service));
	deadline = earlier(deadline, tcprelay_deadline(service->tcprelay));
	deadline = earlier(deadline, handover_deadline(service->handover));
	deadline = earlier(deadline, notify_deadline(&service->notify));
	deadline = earlier(deadline, portmap_deadline(service->portmap));
	return earlier(deadline, udp_deadline(service->udp));
}
