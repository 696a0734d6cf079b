/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Moving bytes: flags of send() and recv(), vectors, files, timeouts, queue lengths. */
#include "tests/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

/* Until `length` bytes wait to be read. */
static void wait_queued(int fd, int length)
{
	int queued = 0;
	do {
		(void)wait_for(fd, POLLIN);
	} while (ioctl(fd, FIONREAD, &queued) == 0 && queued < length);
}

CASE(CASE_TCP, data_echo)
{
	char bytes[64];
	int fd = connected(0);
	fill_pattern(bytes, sizeof bytes);
	show("send", send(fd, bytes, 20, 0));
	show("peer receives", peer(PEER_RECV, 0, 20, 0));
	show("peer sends", peer(PEER_SEND, 0, 20, 0));
	show("recv", recv(fd, bytes, 20, MSG_WAITALL));
	show("write", write(fd, bytes, 7));
	show("peer receives", peer(PEER_RECV, 0, 7, 0));
	show("peer sends", peer(PEER_SEND, 0, 7, 0));
	(void)wait_for(fd, POLLIN);
	show("read", read(fd, bytes, sizeof bytes));
	show_int("same", memcmp(bytes, "abcdefg", 7));
}

CASE(CASE_TCP, data_large)
{
	enum { SIZE = 2 << 20 };
	static char bytes[SIZE], back[SIZE];
	int fd = connected(0);
	fill_pattern(bytes, SIZE);
	peer_begin(PEER_RECV, 0, SIZE, 0);
	show("send", send(fd, bytes, SIZE, 0));
	show("peer receives", peer_end());
	peer_begin(PEER_SEND, 0, SIZE, 0);
	show("recv", recv(fd, back, SIZE, MSG_WAITALL));
	show("peer sent", peer_end());
	show_int("same", memcmp(bytes, back, SIZE));
}

CASE(CASE_TCP, data_peek)
{
	char bytes[16];
	int fd = connected(0);
	(void)peer(PEER_SEND, 0, 10, 0);
	wait_queued(fd, 10);
	show("peek", recv(fd, bytes, 4, MSG_PEEK));
	show("peek again", recv(fd, bytes, sizeof bytes, MSG_PEEK));
	show("recv", recv(fd, bytes, sizeof bytes, 0));
	show("peek nothing", recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT));
	show("peer closes", peer(PEER_CLOSE, 0, 0, 0));
	show_mask("wait", wait_for(fd, POLLIN));
	show("peek the end", recv(fd, bytes, sizeof bytes, MSG_PEEK));
	show("the end", recv(fd, bytes, sizeof bytes, 0));
}

CASE(CASE_TCP, data_peek_offset)
{
	char bytes[16];
	int fd = connected(0);
	show("set", set_int(fd, SOL_SOCKET, SO_PEEK_OFF, 2));
	(void)peer(PEER_SEND, 0, 10, 0);
	wait_queued(fd, 10);
	show("peek", recv(fd, bytes, 3, MSG_PEEK));
	show_int("first", bytes[0]);
	show("peek on", recv(fd, bytes, 3, MSG_PEEK));
	show_int("first then", bytes[0]);
}

CASE(CASE_TCP, data_waitall)
{
	char bytes[32];
	int fd = connected(0);
	(void)peer(PEER_SEND, 0, 10, 0);
	wait_queued(fd, 10);
	peer_begin(PEER_SEND, 0, 6, 0);
	show("waitall", recv(fd, bytes, 16, MSG_WAITALL));
	(void)peer_end();
	(void)peer(PEER_SEND, 0, 5, 0);
	(void)peer(PEER_CLOSE, 0, 0, 0);
	show("waitall to the end", recv(fd, bytes, 16, MSG_WAITALL));
	show("then", recv(fd, bytes, 16, MSG_WAITALL));
}

CASE(CASE_TCP, data_waitall_without_waiting)
{
	char bytes[32];
	int fd = connected(0);
	(void)peer(PEER_SEND, 0, 10, 0);
	wait_queued(fd, 10);
	show("waitall", recv(fd, bytes, 16, MSG_WAITALL | MSG_DONTWAIT));
	(void)peer(PEER_SEND, 0, 10, 0);
	wait_queued(fd, 10);
	show("waitall peek", recv(fd, bytes, 10, MSG_WAITALL | MSG_PEEK));
}

CASE(CASE_TCP, data_dontwait)
{
	char bytes[8];
	int fd = connected(0);
	show("recv", recv(fd, bytes, 8, MSG_DONTWAIT));
	show("nonblocking", fcntl(fd, F_SETFL, O_NONBLOCK));
	show("recv", recv(fd, bytes, 8, 0));
	show("read", read(fd, bytes, 8));
	show("recvmsg", recvmsg(fd, &(struct msghdr){ 0 }, 0));
}

CASE(CASE_TCP, data_trunc)
{
	char bytes[16] = "................";
	int fd = connected(0);
	(void)peer(PEER_SEND, 0, 10, 0);
	wait_queued(fd, 10);
	show("trunc throws away", recv(fd, bytes, 4, MSG_TRUNC));
	show_int("untouched", bytes[0] == '.');
	show("trunc without a buffer", recv(fd, NULL, 2, MSG_TRUNC));
	show("the rest", recv(fd, bytes, 16, 0));
	show_int("first", bytes[0]);
	show("trunc without waiting", recv(fd, NULL, 2, MSG_TRUNC | MSG_DONTWAIT));
}

CASE(CASE_TCP, data_lengths_zero)
{
	char bytes[4];
	int fd = connected(0);
	show("send 0", send(fd, bytes, 0, 0));
	show("write 0", write(fd, bytes, 0));
	show("recv 0", recv(fd, bytes, 0, MSG_DONTWAIT));
	show("read 0", read(fd, bytes, 0));
	(void)peer(PEER_SEND, 0, 3, 0);
	wait_queued(fd, 3);
	show("recv 0 with bytes there", recv(fd, bytes, 0, 0));
	show("recv", recv(fd, bytes, 4, 0));
}

CASE(CASE_TCP, data_pointers)
{
	char bytes[4];
	int fd = connected(0);
	show("send bad", send(fd, (void *)8, 4, 0));
	show("write bad", write(fd, (void *)8, 4));
	(void)peer(PEER_SEND, 0, 3, 0);
	wait_queued(fd, 3);
	show("recv bad", recv(fd, (void *)8, 4, 0));
#ifdef __GLIBC__ /* musl's own reads the message */
	show("recvmsg null", recvmsg(fd, NULL, 0));
	show("sendmsg null", sendmsg(fd, NULL, 0));
	show("sendmsg bad", sendmsg(fd, (void *)8, MSG_NOSIGNAL));
#endif
	show("recv not a descriptor", recv(-1, bytes, 4, 0));
	show("send not a descriptor", send(-1, bytes, 4, 0));
	show("recv not a socket", recv(STDOUT_FILENO, bytes, 4, 0));
	show("send not a socket", send(STDOUT_FILENO, bytes, 4, 0));
}

CASE(CASE_TCP, data_addresses_ignored)
{
	char bytes[16];
	struct sockaddr_storage sa;
	socklen_t length = at_peer(9, &sa);
	int fd = connected(0);
	show("sendto", sendto(fd, "hello", 5, 0, (struct sockaddr *)&sa, length));
	show("sendto short", sendto(fd, "hello", 5, 0, (struct sockaddr *)&sa, 3));
	show("sendto null with a length", sendto(fd, "hello", 5, 0, NULL, 16));
	struct iovec iov = { .iov_base = "abc", .iov_len = 3 };
	struct msghdr m = {
		.msg_name = &sa, .msg_namelen = length, .msg_iov = &iov, .msg_iovlen = 1
	};
	show("sendmsg", sendmsg(fd, &m, 0));
	show("peer receives", peer(PEER_RECV, 0, 18, 0));
	(void)peer(PEER_SEND, 0, 10, 0);
	wait_queued(fd, 10);
	memset(&sa, 0x55, sizeof sa);
	length = sizeof sa;
	show("recvfrom", recvfrom(fd, bytes, 4, 0, (struct sockaddr *)&sa, &length));
	show_int("length", length);
	show_int("untouched", ((char *)&sa)[1]);
	m.msg_namelen = sizeof sa;
	iov = (struct iovec){ .iov_base = bytes, .iov_len = 4 };
	show("recvmsg", recvmsg(fd, &m, 0));
	show_int("length", m.msg_namelen);
	length = (socklen_t)-1;
	show("recvfrom length -1", recvfrom(fd, bytes, 1, 0, (struct sockaddr *)&sa, &length));
	show("recvfrom null length",
	     recvfrom(fd, bytes, 1, MSG_DONTWAIT, (struct sockaddr *)&sa, NULL));
}

CASE(CASE_TCP, data_vectors)
{
	char a[4], b[4], c[8];
	int fd = connected(0);
	struct iovec out[3] = { { "ab", 2 }, { NULL, 0 }, { "cdef", 4 } };
	struct iovec in[3] = { { a, 1 }, { b, 2 }, { c, 8 } };
	show("writev", writev(fd, out, 3));
	show("peer receives", peer(PEER_RECV, 0, 6, 0));
	(void)peer(PEER_SEND, 0, 6, 0);
	wait_queued(fd, 6);
	show("readv", readv(fd, in, 3));
	show_int("first", a[0]);
	show_int("last", c[2]);
	show("writev 0", writev(fd, out, 0));
	show("writev -1", writev(fd, out, -1));
	show("writev 1025", writev(fd, out, 1025));
	struct msghdr m = { .msg_iov = out, .msg_iovlen = 3 };
	show("sendmsg", sendmsg(fd, &m, 0));
	m.msg_iovlen = 0;
	show("sendmsg of nothing", sendmsg(fd, &m, 0));
	m.msg_iovlen = 1025;
	show("sendmsg 1025", sendmsg(fd, &m, 0));
	struct iovec bad[2] = { { "ok", 2 }, { (void *)8, 3 } };
	m = (struct msghdr){ .msg_iov = bad, .msg_iovlen = 2 };
	show("pread", pread(fd, a, 1, 0));
	show("pwrite", pwrite(fd, a, 1, 0));
	show("lseek", lseek(fd, 0, SEEK_CUR));
}

CASE(CASE_TCP, data_many_messages)
{
	char bytes[4][4];
	struct iovec iov[4];
	struct mmsghdr m[4] = { 0 };
	int fd = connected(0);
	for (int i = 0; i < 4; i++) {
		iov[i] = (struct iovec){ .iov_base = bytes[i], .iov_len = 4 };
		m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
		memset(bytes[i], 'a' + i, 4);
	}
	show("sendmmsg", sendmmsg(fd, m, 4, 0));
	show_int("sent of each", (long)(m[0].msg_len * 10 + m[3].msg_len));
	show("peer receives", peer(PEER_RECV, 0, 16, 0));
	(void)peer(PEER_SEND, 0, 10, 0);
	wait_queued(fd, 10);
	show("recvmmsg", recvmmsg(fd, m, 4, MSG_DONTWAIT, NULL));
	show_int("third", m[2].msg_len);
	show("none", recvmmsg(fd, m, 4, MSG_DONTWAIT, NULL));
}

CASE(CASE_TCP, data_more)
{
	int fd = connected(0);
	show("more", send(fd, "ab", 2, MSG_MORE));
	show("end", send(fd, "cd", 2, 0));
	show("peer receives", peer(PEER_RECV, 0, 4, 0));
	int unsent = -1;
	do {
		(void)ioctl(fd, SIOCOUTQ, &unsent);
	} while (unsent > 0);
	show("cork", set_int(fd, IPPROTO_TCP, TCP_CORK, 1));
	show("held", send(fd, "ef", 2, 0));
	show("outq", ioctl(fd, SIOCOUTQ, &unsent));
	show_int("is held", unsent);
	show("uncork", set_int(fd, IPPROTO_TCP, TCP_CORK, 0));
	show("peer receives", peer(PEER_RECV, 0, 2, 0));
}

CASE(CASE_TCP, data_urgent)
{
	char bytes[16];
	int fd = connected(0), mark = -1;
	show("send", send(fd, "ab", 2, 0));
	show("send urgent", send(fd, "!", 1, MSG_OOB));
	show("peer sends", peer(PEER_SEND, 0, 3, 0));
	show("peer sends urgent", peer(PEER_SEND, 0, 1, MSG_OOB));
	show_mask("wait", wait_for(fd, POLLPRI));
	show("at the mark", ioctl(fd, SIOCATMARK, &mark));
	show_int("mark", mark);
	show("recv urgent", recv(fd, bytes, 4, MSG_OOB));
	show("recv", recv(fd, bytes, 16, 0));
}

CASE(CASE_TCP, data_urgent_none)
{
	char byte;
	int fd = connected(0), mark = -1;
	show("recv urgent", recv(fd, &byte, 1, MSG_OOB));
	show("mark", ioctl(fd, SIOCATMARK, &mark));
	show_int("is at it", mark);
}

CASE(CASE_TCP, data_error_queue)
{
	char bytes[8];
	int fd = connected(0);
	(void)peer(PEER_SEND, 0, 3, 0);
	wait_queued(fd, 3);
	show("errqueue", recv(fd, bytes, 8, MSG_ERRQUEUE));
	show("data", recv(fd, bytes, 8, 0));
}

CASE(CASE_TCP, data_sendfile)
{
	char bytes[512];
	int fd = connected(0), file = memfd_create("f", 0);
	fill_pattern(bytes, sizeof bytes);
	show("fill", write(file, bytes, sizeof bytes));
	off_t at = 10;
	show("sendfile", sendfile(fd, file, &at, 100));
	show_int("offset", (long)at);
	show("sendfile to the end", sendfile(fd, file, &at, 1000));
	show("sendfile beyond", sendfile(fd, file, &at, 10));
	show("peer receives", peer(PEER_RECV, 0, 502, 0));
	show("from a socket", sendfile(file, fd, NULL, 10));
}

CASE(CASE_TCP, data_splice)
{
	char bytes[64];
	int fd = connected(0), pipes[2];
	show("pipe", pipe(pipes));
	show("fill", write(pipes[1], "0123456789", 10));
	show("to the socket", splice(pipes[0], NULL, fd, NULL, 10, 0));
	show("peer receives", peer(PEER_RECV, 0, 10, 0));
	(void)peer(PEER_SEND, 0, 6, 0);
	wait_queued(fd, 6);
	show("from the socket", splice(fd, NULL, pipes[1], NULL, 64, 0));
	show("read", read(pipes[0], bytes, sizeof bytes));
	show("nonblocking", fcntl(fd, F_SETFL, O_NONBLOCK));
	show("nothing there", splice(fd, NULL, pipes[1], NULL, 64, 0));
	show("blocking", fcntl(fd, F_SETFL, 0));
	(void)peer(PEER_CLOSE, 0, 0, 0);
	(void)wait_for(fd, POLLIN);
	show("the end", splice(fd, NULL, pipes[1], NULL, 64, 0));
}

CASE(CASE_TCP, data_receive_timeout)
{
	char byte;
	struct timeval limit = { 0, 100000 };
	int fd = connected(0);
	show("set", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	show("recv", recv(fd, &byte, 1, 0));
	show("read", read(fd, &byte, 1));
	(void)peer(PEER_SEND, 0, 3, 0);
	char bytes[8];
	show("waitall gets a part", recv(fd, bytes, 8, MSG_WAITALL));
	limit = (struct timeval){ -1, 0 };
	show("negative", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	limit = (struct timeval){ 0, 1000000 };
	show("no time", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
	show("short", setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, 4));
}

/* Sends until nothing more fits. */
static long stuff(int fd, int flags)
{
	static char bytes[65536];
	long n, total = 0;
	do {
		n = send(fd, bytes, sizeof bytes, flags | MSG_NOSIGNAL);
		total += n > 0 ? n : 0;
	} while (n > 0);
	return total;
}

CASE(CASE_TCP, data_send_timeout)
{
	struct timeval limit = { 0, 100000 };
	int fd = connected_narrow(0);
	show("set", setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
	show_int("some went", stuff(fd, 0) > 0);
	show("send", send(fd, "x", 1, 0));
}

CASE(CASE_TCP, data_full)
{
	int fd = connected_narrow(0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	long total = stuff(fd, MSG_DONTWAIT);
	while (total < (64 << 20) && poll(&p, 1, 300) != 0) {
		total += stuff(fd, MSG_DONTWAIT);
	}
	total += stuff(fd, MSG_DONTWAIT);
	show("send", send(fd, "x", 1, MSG_DONTWAIT));
	show("write", fcntl(fd, F_SETFL, O_NONBLOCK) == 0 ? write(fd, "x", 1) : 0);
	show_mask("mask", mask_now(fd));
	peer_begin(PEER_DRAIN, 0, 0, 0);
	show_mask("wait for OUT", wait_for(fd, POLLOUT));
	show("shutdown", shutdown(fd, SHUT_WR));
	show_int("all arrived", peer_end() == total);
}

CASE(CASE_TCP, data_lowat)
{
	int fd = connected(0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	show_option("default", fd, SOL_SOCKET, SO_RCVLOWAT);
	show("set", set_int(fd, SOL_SOCKET, SO_RCVLOWAT, 10));
	show_option("is", fd, SOL_SOCKET, SO_RCVLOWAT);
	show("zero", set_int(fd, SOL_SOCKET, SO_RCVLOWAT, 0));
	show_option("zero is", fd, SOL_SOCKET, SO_RCVLOWAT);
	show("set", set_int(fd, SOL_SOCKET, SO_RCVLOWAT, 10));
	(void)peer(PEER_SEND, 0, 4, 0);
	show("poll below", poll(&p, 1, 200));
	(void)peer(PEER_SEND, 0, 6, 0);
	show("poll at", poll(&p, 1, 10000));
	show_option("sndlowat", fd, SOL_SOCKET, SO_SNDLOWAT);
}

CASE(CASE_TCP, data_queues)
{
	char bytes[64];
	int fd = connected(0), n = -1;
	show("fionread", ioctl(fd, FIONREAD, &n));
	show_int("empty", n);
	(void)peer(PEER_SEND, 0, 20, 0);
	wait_queued(fd, 20);
	show("fionread", ioctl(fd, FIONREAD, &n));
	show_int("20", n);
	show("recv", recv(fd, bytes, 5, 0));
	show("siocinq", ioctl(fd, SIOCINQ, &n));
	show_int("15", n);
	show("outq", ioctl(fd, SIOCOUTQ, &n));
	show_int("nothing", n);
	show("send", send(fd, bytes, 10, 0));
	show("peer receives", peer(PEER_RECV, 0, 10, 0));
	do {
		(void)ioctl(fd, SIOCOUTQ, &n);
	} while (n > 0);
	show_int("acknowledged", n);
	show("outqnsd", ioctl(fd, SIOCOUTQNSD, &n));
	show_int("not sent", n);
	show("bad", ioctl(fd, FIONREAD, NULL));
}

CASE(CASE_TCP, data_queues_of_others)
{
	int fresh = sock_new(SOCK_STREAM), listener = listen_me(0, 3), n = -1;
	show("fresh fionread", ioctl(fresh, FIONREAD, &n));
	show_int("fresh in", n);
	n = -1;
	show("fresh outq", ioctl(fresh, SIOCOUTQ, &n));
	show_int("fresh out", n);
	n = -1;
	show("listener fionread", ioctl(listener, FIONREAD, &n));
	show("listener outq", ioctl(listener, SIOCOUTQ, &n));
	n = -1;
	show("fresh mark", ioctl(fresh, SIOCATMARK, &n));
	show_int("mark", n);
	show("unknown", ioctl(fresh, 0x12345, &n));
	show("tcgets", ioctl(fresh, 0x5401, &n));
	show("isatty", isatty(fresh));
}

CASE(CASE_TCP, data_nonblock_by_ioctl)
{
	char byte;
	int fd = connected(0), one = 1, zero = 0;
	show("fionbio", ioctl(fd, FIONBIO, &one));
	show_int("flag", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	show("recv", recv(fd, &byte, 1, 0));
	show("off", ioctl(fd, FIONBIO, &zero));
	show_int("flag", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
}

/* The edge comes again with each arrival, and not without one. */
CASE(CASE_TCP, data_nosignal_flags)
{
	char bytes[4];
	int fd = connected(0);
	show("nosignal", send(fd, "ab", 2, MSG_NOSIGNAL));
	show("confirm", send(fd, "cd", 2, MSG_CONFIRM));
	show("dontroute", send(fd, "ef", 2, MSG_DONTROUTE));
	show("eor", send(fd, "gh", 2, MSG_EOR));
	show("peer receives", peer(PEER_RECV, 0, 8, 0));
	(void)peer(PEER_SEND, 0, 4, 0);
	wait_queued(fd, 4);
	struct iovec iov = { .iov_base = bytes, .iov_len = 2 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_flags = 77 };
	show("recvmsg", recvmsg(fd, &m, 0));
	show_int("flags", m.msg_flags & ~MSG_CMSG_CLOEXEC);
}

CASE(CASE_TCP, data_control)
{
	char control[64], bytes[4];
	int fd = connected(0);
	(void)peer(PEER_SEND, 0, 4, 0);
	wait_queued(fd, 4);
	struct iovec iov = { .iov_base = bytes, .iov_len = 4 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof control };
	show("recvmsg", recvmsg(fd, &m, 0));
	show_int("control", (long)m.msg_controllen);
	show_int("flags", m.msg_flags);
}

/* TCP knows no descriptors in its stream. */
CASE(CASE_TCP, data_rights_over_tcp)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SCM_RIGHTS,
				  .cmsg_len = CMSG_LEN(sizeof(int)) } };
	int fd = connected(0), out = STDOUT_FILENO;
	memcpy(CMSG_DATA(&control.header), &out, sizeof out);
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof control };
	show("sendmsg", sendmsg(fd, &m, 0));
}
