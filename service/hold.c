/* SPDX-License-Identifier: Apache-2.0 OR MIT */
#include "service/hold.h"

#include "service/service.h"

#include <sys/epoll.h>

bool hold_begin(struct service *service, struct hold *hold, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (!info || service->hold_count >= HOLDS_MAX) {
		return false;
	}
	hold->service = service;
	hold->connection = connection;
	hold->watch = (struct watch){ .fd = info->connect_fd, .kind = WATCH_HOLD };
	if (loop_add(service->loop, &hold->watch, EPOLLRDHUP) != 0) {
		return false;
	}
	hold->previous = NULL;
	hold->next = service->holds;
	if (hold->next) {
		hold->next->previous = hold;
	}
	service->holds = hold;
	service->hold_count++;
	hold->is_suspended = true;
	MHD_suspend_connection(connection);
	return true;
}

void hold_end(struct hold *hold)
{
	if (!hold->is_suspended) {
		return;
	}
	struct service *service = hold->service;
	loop_remove(service->loop, &hold->watch);
	if (hold->previous) {
		hold->previous->next = hold->next;
	} else {
		service->holds = hold->next;
	}
	if (hold->next) {
		hold->next->previous = hold->previous;
	}
	service->hold_count--;
	hold->is_suspended = false;
	service->is_http_due = true; /* with an external loop it does not wake itself */
	MHD_resume_connection(hold->connection);
}

void hold_stir(struct service *service)
{
	struct hold *next;
	for (struct hold *hold = service->holds; hold; hold = next) {
		next = hold->next;
		if (hold->is_for_change) {
			hold_end(hold);
		}
	}
}

void hold_advance(struct service *service, int64_t now_ms)
{
	struct hold *next;
	for (struct hold *hold = service->holds; hold; hold = next) {
		next = hold->next;
		if (hold->until_ms <= now_ms) {
			hold_end(hold);
		}
	}
}

int64_t hold_deadline(const struct service *service)
{
	int64_t deadline = INT64_MAX;
	for (const struct hold *hold = service->holds; hold; hold = hold->next) {
		deadline = hold->until_ms < deadline ? hold->until_ms : deadline;
	}
	return deadline;
}

void hold_end_all(struct service *service)
{
	while (service->holds) {
		service->holds->is_gone = true; /* it must not wait again */
		hold_end(service->holds);
	}
}

void hold_on_ready(struct watch *w)
{
	struct hold *hold = (struct hold *)(void *)((char *)w - offsetof(struct hold, watch));
	hold->is_gone = true;
	hold_end(hold);
}
