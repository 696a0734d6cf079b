/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a route takes (decision S18): min(1432, route MTU - 28/48) bytes in a datagram.
 *
 * How this works: our sockets have no destination of their own, so the kernel cannot be asked about
 * a route through them. A socket that is connected for the question alone can: IP_MTU is the
 * route's MTU, what ICMP taught the kernel included. That costs four system calls, but only after
 * the kernel refused something, and the core then sends nothing of that size there again.
 */
#include "service/udp_socket.h"

#include "service/service.h"

#include <unistd.h>

enum { HEADERS_V4 = 28, HEADERS_V6 = 48 };

uint16_t udp_route_bytes(const struct udp_socket *of, const struct zt_endpoint *to)
{
	struct sockaddr_storage from, name;
	struct zt_endpoint local = of->local;
	bool is_v4 = to->family == 4;
	local.port = 0;
	socklen_t from_length = udp_sockaddr(&local, &from), length = udp_sockaddr(to, &name);
	int fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return 0;
	}
	int mtu = 0, headers = is_v4 ? HEADERS_V4 : HEADERS_V6;
	socklen_t size = sizeof mtu;
	if (bind(fd, (const struct sockaddr *)&from, from_length) != 0 ||
	    connect(fd, (const struct sockaddr *)&name, length) != 0 ||
	    getsockopt(fd, is_v4 ? IPPROTO_IP : IPPROTO_IPV6, is_v4 ? IP_MTU : IPV6_MTU, &mtu,
		       &size) != 0) {
		mtu = 0;
	}
	(void)close(fd);
	return mtu <= headers               ? 0
	       : mtu - headers > UINT16_MAX ? UINT16_MAX
					    : (uint16_t)(mtu - headers);
}

bool udp_route_learn(const struct udp_socket *of, const struct zt_endpoint *to, uint16_t length)
{
	struct zt_node *node = of->udp->service->node;
	uint16_t bytes = node ? udp_route_bytes(of, to) : 0;
	return bytes > 0 && bytes < length && zt_path_limit(node, of->number, to, bytes);
}
