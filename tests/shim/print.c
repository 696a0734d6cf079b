/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Results by name. */
#include "tests/shim/shim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

static const char *error_name(int error)
{
	const char *name = error == 0 ? "0" : strerrorname_np(error);
	return name ? name : "?";
}

void show(const char *label, long result)
{
	if (result < 0) {
		printf("%s: -1 %s\n", label, error_name(errno));
	} else {
		printf("%s: %ld\n", label, result);
	}
}

int show_fd(const char *label, int fd)
{
	if (fd < 0) {
		show(label, fd);
	} else {
		printf("%s: fd\n", label);
	}
	return fd;
}

void show_errno(const char *label, int error)
{
	printf("%s: %s\n", label, error_name(error));
}

void show_text(const char *label, const char *text)
{
	printf("%s: %s\n", label, text);
}

void show_int(const char *label, long value)
{
	printf("%s: %ld\n", label, value);
}

void show_mask(const char *label, int mask)
{
	static const struct {
		int bit;
		const char *name;
	} names[] = {
		{ POLLIN, "IN" },       { POLLPRI, "PRI" }, { POLLOUT, "OUT" },
		{ POLLERR, "ERR" },     { POLLHUP, "HUP" }, { POLLNVAL, "NVAL" },
		{ POLLRDHUP, "RDHUP" },
	};
	printf("%s:", label);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (mask & names[i].bit) {
			printf(" %s", names[i].name);
		}
	}
	printf("%s\n", mask ? "" : " none");
}

static void port_name(int port, char out[8])
{
	if (port >= env.port && port < env.port + 10) {
		(void)snprintf(out, 8, "p%d", port - env.port);
	} else {
		(void)snprintf(out, 8, "%s", port == 0 ? "0" : port >= 32768 ? "eph" : "other");
	}
}

void show_address(const char *label, long result, const struct sockaddr_storage *sa,
		  socklen_t length)
{
	char text[INET6_ADDRSTRLEN] = "?", port[8] = "?";
	if (result < 0) {
		show(label, result);
		return;
	}
	if (sa->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
		(void)inet_ntop(AF_INET, &in->sin_addr, text, sizeof text);
		port_name(ntohs(in->sin_port), port);
	} else if (sa->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)sa;
		(void)inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof text);
		port_name(ntohs(in->sin6_port), port);
	} else {
		printf("%s: family %d length %u\n", label, sa->ss_family, length);
		return;
	}
	const char *role = strcmp(text, env.me) == 0     ? "me"
			   : strcmp(text, env.peer) == 0 ? "peer"
							 : text;
	printf("%s: %s %s length %u\n", label, role, port, length);
}

void show_names(const char *label, int fd)
{
	char line[64];
	struct sockaddr_storage sa;
	socklen_t length = sizeof sa;
	memset(&sa, 0, sizeof sa);
	int result = getsockname(fd, (struct sockaddr *)&sa, &length);
	(void)snprintf(line, sizeof line, "%s local", label);
	show_address(line, result, &sa, length);
	length = sizeof sa;
	memset(&sa, 0, sizeof sa);
	result = getpeername(fd, (struct sockaddr *)&sa, &length);
	(void)snprintf(line, sizeof line, "%s remote", label);
	show_address(line, result, &sa, length);
}

void show_option(const char *label, int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof value;
	int result = getsockopt(fd, level, name, &value, &length);
	if (result < 0) {
		show(label, result);
	} else {
		printf("%s: %d length %u\n", label, value, length);
	}
}
