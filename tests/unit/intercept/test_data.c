/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Data, half-close, resets, addresses given with data (spec/intercept.md 3.4, 3.8). */
#include "tests/lib/loopback.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

static void case_half_close(void)
{
	int c, s;
	char text[16];
	lo_pair(&c, &s);
	say_result("send", send(c, "last words", 10, 0));
	say_result("shutdown", shutdown(c, SHUT_WR));
	say_mask_after("peer", s, POLLRDHUP);
	say_result("recv", recv(s, text, sizeof text, 0));
	say_result("recv", recv(s, text, sizeof text, 0));
	say_mask("half closed", s);
	say_select("half closed", s);
	say_result("answer", send(s, "answer", 6, 0));
	say_result("recv", recv(c, text, sizeof text, 0));
	say_result("send after shutdown", send(c, "x", 1, MSG_NOSIGNAL));
	say_result("shutdown", shutdown(s, SHUT_WR));
	say_result("recv", recv(c, text, sizeof text, 0));
	say_mask("both", c);
	say_mask("both", s);
}

static void case_reset_recv(void)
{
	int c, s;
	char text[16];
	lo_pair(&c, &s);
	(void)send(c, "unread", 6, 0);
	(void)close(s);
	struct pollfd p = { .fd = c, .events = POLLRDHUP };
	(void)poll(&p, 1, 5000);
	say_result("recv", recv(c, text, sizeof text, 0));
	say_result("recv", recv(c, text, sizeof text, 0));
	say_result("send", send(c, "x", 1, MSG_NOSIGNAL));
	say_so_error("then", c);
}

static void case_addresses(void)
{
	int c, s;
	char text[32];
	struct sockaddr_in to = lo_addr("192.0.2.9", 7);
	struct sockaddr_storage from;
	socklen_t length = sizeof from;
	lo_pair(&c, &s);
	say_result("sendto", sendto(c, "abc", 3, 0, (struct sockaddr *)&to, sizeof to));
	struct iovec iov = { .iov_base = text, .iov_len = 3 };
	struct mmsghdr mm[2];
	memset(mm, 0, sizeof mm);
	memset(text, 'd', sizeof text);
	mm[0].msg_hdr = (struct msghdr){
		.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &iov, .msg_iovlen = 1
	};
	mm[1] = mm[0];
	say_result("sendmsg", sendmsg(c, &mm[0].msg_hdr, 0));
	say_result("sendmmsg", sendmmsg(c, mm, 2, 0));
	say("lengths %u %u", mm[0].msg_len, mm[1].msg_len);
	say_result("recvfrom", recvfrom(s, text, 3, 0, (struct sockaddr *)&from, &length));
	say("address length %u", length);
	mm[0].msg_hdr.msg_name = &from;
	mm[0].msg_hdr.msg_namelen = sizeof from;
	say_result("recvmsg", recvmsg(s, &mm[0].msg_hdr, 0));
	say("name length %u flags %x", mm[0].msg_hdr.msg_namelen,
	    (unsigned)mm[0].msg_hdr.msg_flags);
	mm[0].msg_hdr.msg_namelen = sizeof from;
	mm[0].msg_len = 0;
	say_result("recvmmsg", recvmmsg(s, mm, 1, 0, NULL));
	say("name length %u, %u bytes", mm[0].msg_hdr.msg_namelen, mm[0].msg_len);
	say_result("error queue", recv(s, text, 1, MSG_ERRQUEUE));
	say_result("nothing lost", recv(s, text, sizeof text, MSG_DONTWAIT));
}

static void case_modes(void)
{
	int c, s, count = -1;
	char text[32] = "";
	lo_pair(&c, &s);
	say_result("nothing", recv(s, text, 1, MSG_DONTWAIT));
	say_result("write", write(c, "0123456789", 10));
	say_result("peek", recv(s, text, 4, MSG_PEEK));
	(void)ioctl(s, FIONREAD, &count);
	say("FIONREAD %d", count);
	say_result("waitall", recv(s, text, 10, MSG_WAITALL));
	say("%.10s", text);
	struct iovec iov[2] = { { .iov_base = text, .iov_len = 2 },
				{ .iov_base = text + 2, .iov_len = 2 } };
	say_result("writev", writev(c, iov, 2));
	say_result("readv", readv(s, iov, 2));
	count = 1;
	say_result("FIONBIO", ioctl(s, FIONBIO, &count));
	say_result("read", read(s, text, 1));
	count = 0;
	(void)ioctl(s, FIONBIO, &count);
	struct timeval tv = { .tv_usec = 10000 };
	(void)setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
	say_result("timeout", recv(s, text, 1, 0));
	say_mask("idle", s);
}

static void case_sendfile(void)
{
	int c, s;
	enum { SIZE = 100000 };
	static char data[SIZE], got[SIZE];
	char name[] = "/tmp/loopback.XXXXXX";
	int file = mkstemp(name);
	(void)unlink(name);
	for (size_t i = 0; i < SIZE; i++) {
		data[i] = (char)(i * 7);
	}
	if (write(file, data, SIZE) != SIZE) {
		return;
	}
	off_t offset = 0;
	lo_pair(&c, &s);
	say_result("sendfile", sendfile(c, file, &offset, SIZE));
	say_result("recv", recv(s, got, SIZE, MSG_WAITALL));
	say("equal: %d", memcmp(data, got, SIZE) == 0);
}

/* A blocking writer and a slow reader under a storm of signals: nothing lost, nothing doubled. */
static void on_alarm(int number)
{
	(void)number;
}

static void storm(int flags)
{
	enum { TOTAL = 1 << 21 };
	static char piece[30000];
	struct sigaction action = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval timer = { { .tv_usec = 1000 }, { .tv_usec = 1000 } };
	int c, s;
	lo_pair(&c, &s);
	pid_t pid = fork();
	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
	unsigned long sum = 0, count = 0;
	if (pid == 0) {
		while (count < TOTAL) {
			ssize_t n = send(c, piece, sizeof piece, 0);
			count += n > 0 ? (unsigned long)n : 0;
		}
		_exit(0);
	}
	(void)close(c);
	for (;;) {
		ssize_t n = recv(s, piece, sizeof piece, 0);
		if (n == 0) {
			break;
		}
		for (ssize_t i = 0; i < n; i++) {
			sum += (unsigned char)piece[i];
		}
		count += n > 0 ? (unsigned long)n : 0;
	}
	memset(&timer, 0, sizeof timer);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
	say("all bytes: %d, sum %lu", count >= TOTAL, sum);
}

static void case_storm(void)
{
	storm(0);
	storm(SA_RESTART);
}

/* Signals through connect and accept: each call either works or says EINTR and can be repeated. */
static void case_storm_control(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = { { .tv_usec = 1000 }, { .tv_usec = 1000 } };
	uint16_t port;
	int listener = lo_listener(&port), good = 0;
	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
	for (int i = 0; i < 200; i++) {
		int c = lo_socket(0), s;
		int connected = lo_connect(c, port);
		while (connected < 0 && (errno == EINTR || errno == EALREADY)) {
			connected = lo_connect(c, port);
		}
		connected = connected < 0 && errno == EISCONN ? 0 : connected;
		do {
			s = accept(listener, NULL, NULL);
		} while (s < 0 && errno == EINTR);
		good += connected == 0 && s >= 0 && send(c, "x", 1, 0) == 1;
		(void)close(c);
		(void)close(s);
	}
	memset(&timer, 0, sizeof timer);
	(void)setitimer(ITIMER_REAL, &timer, NULL);
	say("good %d", good);
}

#define CASE(name)                                                                                 \
	{                                                                                          \
#name, case_##name                                                                 \
	}
static const struct preload_case cases[] = {
	CASE(half_close), CASE(reset_recv), CASE(addresses),     CASE(modes),
	CASE(sendfile),   CASE(storm),      CASE(storm_control),
};

int main(int argc, char **argv)
{
	return lo_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
