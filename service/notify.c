/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* sd_notify(3) in forty lines: a datagram of VARIABLE=value lines to the Unix socket that
 * NOTIFY_SOCKET names ("/path" or "@abstract"), sent by the process that the manager started. */
#include "service/notify.h"

#include "service/log.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { US_PER_MS = 1000 };

static bool address_set(struct notify *notify, const char *name)
{
	size_t length = strlen(name);
	bool is_abstract = name[0] == '@';
	if ((name[0] != '/' && !is_abstract) || length < 2 ||
	    length >= sizeof notify->address.sun_path) {
		return false;
	}
	notify->address.sun_family = AF_UNIX;
	memcpy(notify->address.sun_path, name, length + 1);
	if (is_abstract) {
		notify->address.sun_path[0] = '\0';
	}
	notify->address_length =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (is_abstract ? 0 : 1));
	return true;
}

/* WATCHDOG_PID, if set, says whom the watchdog is for. */
static void watchdog_set(struct notify *notify, const char *text, const char *pid)
{
	char *end = NULL;
	errno = 0;
	long long us = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || us < 2LL * US_PER_MS) {
		log_warn("notify", "WATCHDOG_USEC is no time, no watchdog value=%s", text);
		return;
	}
	/* The manager started the supervisor (supervisor.h); we are its child. */
	long long wanted = pid ? strtoll(pid, NULL, 10) : 0;
	if (!pid || wanted == (long long)getpid() || wanted == (long long)getppid()) {
		notify->watchdog_ms = us / US_PER_MS / 2;
	}
}

void notify_open(struct notify *notify)
{
	const char *name = getenv("NOTIFY_SOCKET"), *us = getenv("WATCHDOG_USEC");
	memset(notify, 0, sizeof *notify);
	if (name && !address_set(notify, name)) {
		log_warn("notify", "NOTIFY_SOCKET is no path of a socket value=%s", name);
	}
	if (us && notify->address_length > 0) {
		watchdog_set(notify, us, getenv("WATCHDOG_PID"));
	}
	(void)unsetenv("NOTIFY_SOCKET");
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
}

void notify_send(const struct notify *notify, const char *message)
{
	if (notify->address_length == 0) {
		return;
	}
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ssize_t sent =
	    fd < 0 ? -1
		   : sendto(fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT,
			    (const struct sockaddr *)&notify->address, notify->address_length);
	if (sent < 0) {
		log_warn("notify", "the service manager does not hear us error=%s",
			 strerror(errno));
	}
	if (fd >= 0) {
		(void)close(fd);
	}
}

void notify_advance(struct notify *notify, int64_t now_ms)
{
	if (notify->watchdog_ms > 0 && now_ms >= notify->due_ms) {
		notify->due_ms = now_ms + notify->watchdog_ms;
		notify_send(notify, "WATCHDOG=1");
	}
}

int64_t notify_deadline(const struct notify *notify)
{
	return notify->watchdog_ms > 0 ? notify->due_ms : INT64_MAX;
}
