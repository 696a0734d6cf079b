/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Ports chosen at random by trial bind (vl1 18). */
#include "service/udp_socket.h"

#include <errno.h>
#include <sodium.h>
#include <unistd.h>

enum {
	RANDOM_PORT_FIRST = 20000,
	RANDOM_PORT_COUNT = 45500,
	RANDOM_PORT_TRIES = 64,
};

static bool port_is_free(uint16_t port)
{
	static const struct {
		int family, type;
	} kinds[] = {
		{ 4, SOCK_DGRAM }, { 4, SOCK_STREAM }, { 6, SOCK_DGRAM }, { 6, SOCK_STREAM }
	};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct zt_endpoint any = { .family = (uint8_t)kinds[i].family, .port = port };
		struct sockaddr_storage name;
		socklen_t length = udp_sockaddr(&any, &name);
		int fd = socket(name.ss_family, kinds[i].type | SOCK_CLOEXEC, 0);
		if (fd < 0) {
			continue; /* a host without that family */
		}
		int one = 1;
		if (kinds[i].family == 6) {
			(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
		}
		bool is_busy =
		    bind(fd, (struct sockaddr *)&name, length) != 0 && errno == EADDRINUSE;
		(void)close(fd);
		if (is_busy) {
			return false;
		}
	}
	return true;
}

uint16_t udp_port_random(void)
{
	for (int i = 0; i < RANDOM_PORT_TRIES; i++) {
		uint16_t port =
		    (uint16_t)(RANDOM_PORT_FIRST + randombytes_uniform(RANDOM_PORT_COUNT));
		if (port_is_free(port)) {
			return port;
		}
	}
	return 0;
}
