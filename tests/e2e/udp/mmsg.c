/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* sendmmsg() and recvmmsg(): mmsg ADDRESS PORT COUNT [connect] */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { MAX = 64, SIZE = 32 };

int main(int argc, char **argv)
{
	static char out[MAX][SIZE], in[MAX][SIZE];
	struct sockaddr_in from[MAX], to = { .sin_family = AF_INET };
	struct mmsghdr send[MAX], receive[MAX];
	struct iovec send_iov[MAX], receive_iov[MAX];
	struct timeval limit = { .tv_sec = 20 };
	if (argc < 4) {
		return 2;
	}
	unsigned count = (unsigned)strtoul(argv[3], NULL, 10), got = 0;
	(void)inet_pton(AF_INET, argv[1], &to.sin_addr);
	to.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int is_connected = argc > 4 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	memset(send, 0, sizeof send);
	memset(receive, 0, sizeof receive);
	for (unsigned i = 0; i < count && i < MAX; i++) {
		(void)snprintf(out[i], SIZE, "message %u", i);
		send_iov[i] = (struct iovec){ out[i], strlen(out[i]) };
		receive_iov[i] = (struct iovec){ in[i], SIZE };
		send[i].msg_hdr.msg_iov = &send_iov[i];
		receive[i].msg_hdr.msg_iov = &receive_iov[i];
		send[i].msg_hdr.msg_iovlen = receive[i].msg_hdr.msg_iovlen = 1;
		if (!is_connected) {
			send[i].msg_hdr.msg_name = &to;
			send[i].msg_hdr.msg_namelen = sizeof to;
		}
		receive[i].msg_hdr.msg_name = &from[i];
		receive[i].msg_hdr.msg_namelen = sizeof from[i];
	}
	printf("sent %d\n", sendmmsg(fd, send, count, 0));
	while (got < count) {
		int n = recvmmsg(fd, receive + got, count - got, MSG_WAITFORONE, NULL);
		if (n <= 0) {
			perror("recvmmsg");
			return 1;
		}
		got += (unsigned)n;
	}
	for (unsigned i = 0; i < count; i++) {
		int is_from =
		    receive[i].msg_hdr.msg_namelen == sizeof to && memcmp(&from[i], &to, 8) == 0;
		if (!is_from || receive[i].msg_len != send[i].msg_len ||
		    memcmp(in[i], out[i], receive[i].msg_len) != 0) {
			printf("message %u is wrong\n", i);
			return 1;
		}
	}
	printf("got %u\n", got);
	return 0;
}
