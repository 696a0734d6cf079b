/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What we tell the service manager, by systemd's sd_notify protocol: ready, status, stopping, and
 * that we are alive if it asked for that. Without a manager everything here does nothing. */
#ifndef SERVICE_NOTIFY_H
#define SERVICE_NOTIFY_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
	struct sockaddr_un address;
	socklen_t address_length; /* 0 = no manager */
	int64_t watchdog_ms;      /* how often to say that we live; 0 = never */
	int64_t due_ms;
};

/* Take NOTIFY_SOCKET and WATCHDOG_USEC from the environment, where no child finds them afterwards.
 * A malformed value is a warning, and then there is no manager. */
void notify_open(struct notify *notify);
/* One message, such as "READY=1\nSTATUS=offline". One that is lost is only logged: nothing of ours
 * depends on the manager. */
void notify_send(const struct notify *notify, const char *message);
/* Say that we live if half of the watchdog's time is over. */
void notify_advance(struct notify *notify, int64_t now_ms);
/* When notify_advance has something to do, monotonic ms; INT64_MAX without a watchdog. */
int64_t notify_deadline(const struct notify *notify);

#endif
