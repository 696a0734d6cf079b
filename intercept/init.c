/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Settings, read once. They are copied because programs overwrite their environment block with a
 * process title (nginx workers lost ZT_NC_NETWORK that way in the prototype).
 */
#include "intercept/dgram.h"
#include "intercept/hint.h"
#include "intercept/host.h"
#include "intercept/intercept.h"
#include "intercept/netlink.h"

#include "rpc/sys.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum init_mode init_mode = MODE_UNKNOWN;
char init_network[PATH_MAX_BYTES];
char init_dns[DNS_POLICY_BYTES];

/* Make `path` absolute, so that chdir() does not move the service. False if it is too long. */
static bool absolute(const char *path, char out[PATH_MAX_BYTES])
{
	size_t at = 0, length = strlen(path);
	if (path[0] != '/') {
		long n = sys(SYS_getcwd, out, PATH_MAX_BYTES);
		if (n <= 0) {
			return false;
		}
		at = strlen(out);
		out[at++] = '/';
	}
	if (at + length + sizeof "/sock" > PATH_MAX_BYTES) {
		return false;
	}
	memcpy(out + at, path, length + 1);
	return true;
}

/* secure_getenv(): a program with more rights than its caller takes no settings from it. */
static void init(void)
{
	const char *network = secure_getenv("ZT_NC_NETWORK");
	if (!network || network[0] == '\0') {
		init_mode = MODE_OFF;
		return;
	}
	debug_set(secure_getenv("ZT_NC_DEBUG"), secure_getenv("ZT_NC_EXPLAIN"));
	host_init(secure_getenv("ZT_NC_POLICY"), secure_getenv("ZT_NC_HOST_LOOPBACK"));
	netlink_init(secure_getenv("ZT_NC_NETLINK"));
	const char *dns = secure_getenv("ZT_NC_DNS");
	if (dns && strlen(dns) < sizeof init_dns) { /* anything else: the network's */
		memcpy(init_dns, dns, strlen(dns) + 1);
	}
	if (host_policy == POLICY_DENY) {
		memcpy(init_dns, "file", sizeof "file"); /* no question leaves */
	}
	if (!absolute(network, init_network)) {
		init_network[0] = '\0'; /* still on: no call may fall through to the host */
	}
	const char *ctl = secure_getenv("ZT_NC_CTL");
	if (ctl) {
		client_adopt(ctl);
	}
	init_mode = MODE_ON;
}

bool init_early(void)
{
	if (init_mode == MODE_UNKNOWN) {
		init();
	}
	return init_mode == MODE_ON;
}

/* Which of the descriptors that came through exec() are sockets of messages that are not the
 * kernel's. One poll() tells which numbers are open at all. */
static void inherit(void)
{
	enum { NUMBERS = 256 };
	struct pollfd p[NUMBERS];
	struct timespec zero = { 0, 0 };
	for (int i = 0; i < NUMBERS; i++) {
		p[i] = (struct pollfd){ .fd = i };
	}
	long n = sys(SYS_ppoll, p, NUMBERS, &zero, 0, 0);
	for (int i = 0; i < NUMBERS; i++) {
		if (n < 0 || (p[i].revents & POLLNVAL) == 0) {
			ident_adopt(i);
		}
	}
}

__attribute__((constructor(101))) static void init_library(void)
{
	(void)real_resolve();
	if (init_early()) {
		(void)pthread_atfork(NULL, NULL, hint_after_fork);
		inherit();
	}
}
