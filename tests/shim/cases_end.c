/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How connections end: shutdown, close, reset, linger, and who is told what. */
#include "tests/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

CASE(CASE_TCP, end_fresh_calls)
{
	char byte;
	int fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	(void)signal(SIGPIPE, SIG_IGN);
	show("recv", recv(fd, &byte, 1, 0));
	show("read", read(fd, &byte, 1));
	show("send", send(fd, "x", 1, 0));
	show("write", write(fd, "x", 1));
	show("shutdown read", shutdown(fd, SHUT_RD));
	show("shutdown write", shutdown(fd, SHUT_WR));
	show("shutdown bad", shutdown(fd, 7));
	show("shutdown not a descriptor", shutdown(-1, SHUT_RD));
	show("shutdown not a socket", shutdown(STDOUT_FILENO, SHUT_RD));
	show_mask("mask", mask_now(fd));
}

CASE(CASE_TCP, end_bound_calls)
{
	char byte;
	int fd = sock_new(SOCK_STREAM | SOCK_NONBLOCK);
	show("bind", bind_me(fd, 0));
	show("recv", recv(fd, &byte, 1, 0));
	show("send", send(fd, "x", 1, MSG_NOSIGNAL));
	show("shutdown", shutdown(fd, SHUT_RDWR));
	show_mask("mask", mask_now(fd));
}

CASE(CASE_TCP, end_peer_closes)
{
	char byte;
	int fd = connected(0);
	show("peer closes", peer(PEER_CLOSE, 0, 0, 0));
	show_mask("mask", wait_mask(fd, POLLIN | POLLOUT | POLLRDHUP));
	show("recv", recv(fd, &byte, 1, 0));
	show("recv again", recv(fd, &byte, 1, 0));
	show("first send", send(fd, "x", 1, MSG_NOSIGNAL));
	show_mask("wait for the reset", wait_for(fd, POLLERR | POLLHUP) & (POLLERR | POLLHUP));
	show_mask("mask after", mask_now(fd));
	show("second send", send(fd, "x", 1, MSG_NOSIGNAL));
	show("third send", send(fd, "x", 1, MSG_NOSIGNAL));
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
}

CASE(CASE_TCP, end_peer_half_closes)
{
	char byte;
	int fd = connected(0);
	show("peer shuts", peer(PEER_SHUT, 0, SHUT_WR, 0));
	show_mask("mask", wait_mask(fd, POLLIN | POLLOUT | POLLRDHUP));
	show("recv", recv(fd, &byte, 1, 0));
	show("send", send(fd, "hello", 5, 0));
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
	show("shutdown", shutdown(fd, SHUT_WR));
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
	show_mask("mask at the end", wait_mask(fd, POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
}

CASE(CASE_TCP, end_shutdown_write)
{
	char bytes[8];
	int fd = connected(0);
	show("send", send(fd, "hello", 5, 0));
	show("shutdown", shutdown(fd, SHUT_WR));
	show_mask("mask", mask_now(fd));
	show("send after", send(fd, "x", 1, MSG_NOSIGNAL));
	show("write after", signal(SIGPIPE, SIG_IGN) == SIG_ERR ? 0 : write(fd, "x", 1));
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
	show("peer sends", peer(PEER_SEND, 0, 3, 0));
	(void)wait_for(fd, POLLIN);
	show("recv", recv(fd, bytes, 8, 0));
	show("shutdown again", shutdown(fd, SHUT_WR));
}

CASE(CASE_TCP, end_shutdown_read)
{
	char bytes[8];
	int fd = connected(0);
	show("shutdown", shutdown(fd, SHUT_RD));
	show_mask("mask", mask_now(fd));
	show("recv", recv(fd, bytes, 8, 0));
	show("send", send(fd, "hello", 5, 0));
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
	show_mask("mask still", mask_now(fd));
}

CASE(CASE_TCP, end_shutdown_read_peer_sends)
{
	char bytes[8];
	int fd = connected(0);
	show("shutdown", shutdown(fd, SHUT_RD));
	show("peer sends", peer(PEER_SEND, 0, 4, 0));
	show("send", send(fd, "hello", 5, MSG_NOSIGNAL));
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
	show("recv", recv(fd, bytes, 8, 0));
}

CASE(CASE_TCP, end_shutdown_both)
{
	char byte;
	int fd = connected(0);
	show("shutdown", shutdown(fd, SHUT_RDWR));
	show("recv", recv(fd, &byte, 1, 0));
	show("send", send(fd, "x", 1, MSG_NOSIGNAL));
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
	show_mask("mask", mask_now(fd) & ~POLLERR);
	show_names("names", fd);
}

CASE(CASE_TCP, end_shutdown_after_both)
{
	int fd = connected(0), error;
	show("shutdown", shutdown(fd, SHUT_WR));
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show("peer closes", peer(PEER_CLOSE, 0, 0, 0));
	show("drain", drain(fd, &error));
	show_mask("mask", wait_mask(fd, POLLIN | POLLOUT | POLLRDHUP | POLLHUP));
	show("shutdown again", shutdown(fd, SHUT_WR));
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show_names("names", fd);
}

CASE(CASE_TCP, end_reset_by_peer)
{
	char byte;
	int fd = connected(0);
	show("peer resets", peer(PEER_RESET, 0, 0, 0));
	show_mask("mask", wait_mask(fd, POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP));
	show("recv", recv(fd, &byte, 1, 0));
	show("recv again", recv(fd, &byte, 1, 0));
	show_mask("mask after", mask_now(fd));
	show("send", send(fd, "x", 1, MSG_NOSIGNAL));
	show("connect tells", connect_peer(fd, 5) < 0 ? -1 : 0);
}

CASE(CASE_TCP, end_reset_told_by_option)
{
	char byte;
	int fd = connected(0);
	show("peer resets", peer(PEER_RESET, 0, 0, 0));
	show_mask("wait", wait_for(fd, POLLERR) & POLLERR);
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show_option("error again", fd, SOL_SOCKET, SO_ERROR);
	show("recv", recv(fd, &byte, 1, 0));
	show("send", send(fd, "x", 1, MSG_NOSIGNAL));
	show("shutdown", shutdown(fd, SHUT_RDWR));
}

CASE(CASE_TCP, end_reset_told_by_send)
{
	char byte;
	int fd = connected(0);
	show("peer resets", peer(PEER_RESET, 0, 0, 0));
	show_mask("wait", wait_for(fd, POLLERR) & POLLERR);
	show("send", send(fd, "x", 1, MSG_NOSIGNAL));
	show("send again", send(fd, "x", 1, MSG_NOSIGNAL));
	show("recv", recv(fd, &byte, 1, 0));
}

CASE(CASE_TCP, end_reset_told_by_write)
{
	int fd = connected(0);
	(void)signal(SIGPIPE, SIG_IGN);
	show("peer resets", peer(PEER_RESET, 0, 0, 0));
	show_mask("wait", wait_for(fd, POLLERR) & POLLERR);
	show("write", write(fd, "x", 1));
	show("write again", write(fd, "x", 1));
}

CASE(CASE_TCP, end_reset_told_by_read)
{
	char byte;
	int fd = connected(0);
	show("peer resets", peer(PEER_RESET, 0, 0, 0));
	show_mask("wait", wait_for(fd, POLLERR) & POLLERR);
	show("read", read(fd, &byte, 1));
	show("read again", read(fd, &byte, 1));
}

CASE(CASE_TCP, end_reset_names)
{
	int fd = connected(0);
	show("peer resets", peer(PEER_RESET, 0, 0, 0));
	show_mask("wait", wait_for(fd, POLLERR) & POLLERR);
	show_names("after", fd);
}

CASE(CASE_TCP, end_reset_with_data)
{
	char bytes[16];
	int fd = connected(0);
	show("peer sends", peer(PEER_SEND, 0, 5, 0));
	show_mask("arrived", wait_for(fd, POLLIN));
	show("peer resets", peer(PEER_RESET, 0, 0, 0));
	show_mask("wait", wait_for(fd, POLLERR) & POLLERR);
	show("recv", recv(fd, bytes, 16, 0));
	show("recv again", recv(fd, bytes, 16, 0));
	show("and again", recv(fd, bytes, 16, 0));
}

CASE(CASE_TCP, end_reset_wakes_reader)
{
	char byte;
	int fd = connected(0);
	peer_begin(PEER_RESET, 0, 0, 0);
	show("recv", recv(fd, &byte, 1, 0));
	(void)peer_end();
}

CASE(CASE_TCP, end_close_wakes_reader)
{
	char byte;
	int fd = connected(0);
	peer_begin(PEER_CLOSE, 0, 0, 0);
	show("recv", recv(fd, &byte, 1, 0));
	(void)peer_end();
}

CASE(CASE_TCP, end_linger_reset)
{
	struct linger now = { 1, 0 };
	int fd = connected(0);
	show("send", send(fd, "hello", 5, 0));
	show("peer receives", peer(PEER_RECV, 0, 5, 0));
	show("set", setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now));
	show("close", close(fd));
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
}

CASE(CASE_TCP, end_linger_waits)
{
	struct linger some = { 1, 5 };
	int fd = connected(0);
	show("set", setsockopt(fd, SOL_SOCKET, SO_LINGER, &some, sizeof some));
	show("send", send(fd, "hello", 5, 0));
	show("close", close(fd));
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
}

CASE(CASE_TCP, end_close_with_unread)
{
	int fd = connected(0);
	show("peer sends", peer(PEER_SEND, 0, 5, 0));
	show_mask("arrived", wait_for(fd, POLLIN));
	show("close", close(fd));
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
}

CASE(CASE_TCP, end_close_sends_the_rest)
{
	static char bytes[300000];
	int fd = connected(0);
	show("send", send(fd, bytes, 100000, 0));
	show("close", close(fd));
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
}

CASE(CASE_TCP, end_peer_sends_after_close)
{
	int fd = connected(0);
	show("close", close(fd));
	show_mask("peer sees", (int)peer(PEER_WAIT, 0, POLLIN, 0) & POLLIN);
	show("peer sends", peer(PEER_SEND, 0, 5, 0));
	show_int("peer is told",
		 (peer(PEER_WAIT, 0, POLLERR | POLLHUP, 0) & (POLLERR | POLLHUP)) != 0);
	show("peer sends again", peer(PEER_SEND, 0, 5, 0));
	show_errno("with", peer_error);
}

CASE(CASE_TCP, end_sigpipe)
{
	int fd = connected(0);
	show("shutdown", shutdown(fd, SHUT_WR));
	show("write", write(fd, "x", 1));
	show_text("not reached", "no signal");
}

CASE(CASE_TCP, end_sigpipe_send_fresh)
{
	int fd = sock_new(SOCK_STREAM);
	(void)send(fd, "x", 1, 0);
	show_text("not reached", "no signal");
}

static volatile sig_atomic_t signals;
static void on_signal(int number)
{
	(void)number;
	signals++;
}

CASE(CASE_TCP, end_sigpipe_counted)
{
	int fd = connected(0);
	(void)signal(SIGPIPE, on_signal);
	show("peer resets", peer(PEER_RESET, 0, 0, 0));
	show_mask("wait", wait_for(fd, POLLERR) & POLLERR);
	show("send tells the reset", send(fd, "x", 1, 0));
	show_int("signals", signals);
	show("send", send(fd, "x", 1, 0));
	show_int("signals then", signals);
	show("send nosignal", send(fd, "x", 1, MSG_NOSIGNAL));
	show_int("signals still", signals);
}

/* The first bytes after the peer's close are taken, whoever holds the socket; the next ones are
 * not. */
CASE(CASE_TCP, end_write_after_close)
{
	int fd = connected(0), copy = dup(fd);
	(void)signal(SIGPIPE, SIG_IGN);
	show("peer closes", peer(PEER_CLOSE, 0, 0, 0));
	(void)wait_for(fd, POLLRDHUP);
	show("send nothing", send(fd, "", 0, 0));
	show("write", write(fd, "hello", 5));
	(void)wait_for(fd, POLLHUP);
	show("send nothing again", send(fd, "", 0, 0));
	show("write again", write(copy, "hello", 5));
	show("send", send(fd, "hello", 5, 0));
}

CASE(CASE_TCP, end_sendmsg_after_close)
{
	struct iovec iov[2] = { { "he", 2 }, { "llo", 3 } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	int fd = connected(0);
	show("peer closes", peer(PEER_CLOSE, 0, 0, 0));
	(void)wait_for(fd, POLLRDHUP);
	show("sendmsg", sendmsg(fd, &m, MSG_NOSIGNAL));
	(void)wait_for(fd, POLLHUP);
	show("sendmsg again", sendmsg(fd, &m, MSG_NOSIGNAL));
}

CASE(CASE_TCP, end_sendmmsg_after_close)
{
	struct iovec iov = { "hello", 5 };
	struct mmsghdr m[2] = { { .msg_hdr = { .msg_iov = &iov, .msg_iovlen = 1 } } };
	int fd = connected(0);
	show("peer closes", peer(PEER_CLOSE, 0, 0, 0));
	(void)wait_for(fd, POLLRDHUP);
	show("sendmmsg", sendmmsg(fd, m, 1, MSG_NOSIGNAL));
	show_int("bytes", (int)m[0].msg_len);
	(void)wait_for(fd, POLLHUP);
	show("sendmmsg again", sendmmsg(fd, m, 1, MSG_NOSIGNAL));
}

CASE(CASE_TCP, end_writev_after_shutdown_and_close)
{
	struct iovec iov = { "hello", 5 };
	int fd = connected(0);
	(void)signal(SIGPIPE, SIG_IGN);
	show("shutdown", shutdown(fd, SHUT_RDWR));
	show("peer closes", peer(PEER_CLOSE, 0, 0, 0));
	(void)wait_for(fd, POLLHUP);
	show("writev", writev(fd, &iov, 1));
	show("send", send(fd, "x", 1, MSG_NOSIGNAL));
}

CASE(CASE_TCP, end_epoll_events)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP | EPOLLET }, got;
	int set = epoll_create1(EPOLL_CLOEXEC), fd = connected(0);
	show("add", epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
	show("nothing", epoll_wait(set, &got, 1, 0));
	show("peer sends", peer(PEER_SEND, 0, 3, 0));
	show("edge", epoll_wait(set, &got, 1, 10000));
	show_mask("data", (int)got.events);
	show("peer shuts", peer(PEER_SHUT, 0, SHUT_WR, 0));
	show("edge again", epoll_wait(set, &got, 1, 10000));
	show_mask("end", (int)got.events);
	show("no more", epoll_wait(set, &got, 1, 50));
}

CASE(CASE_TCP, end_info_states)
{
	struct tcp_info info;
	socklen_t length = sizeof info;
	int fd = connected(0);
	show("info", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
	show_int("established", info.tcpi_state);
	show("peer shuts", peer(PEER_SHUT, 0, SHUT_WR, 0));
	(void)wait_for(fd, POLLRDHUP);
	show("info", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
	show_int("close wait", info.tcpi_state);
}

CASE(CASE_TCP, end_info_states_ours)
{
	struct tcp_info info;
	socklen_t length = sizeof info;
	int fd = connected(0);
	show("shutdown", shutdown(fd, SHUT_WR));
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	do { /* the acknowledgement comes when it comes */
		length = sizeof info;
		(void)getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	} while (info.tcpi_state == 4);
	show_int("fin wait 2", info.tcpi_state);
	show("peer closes", peer(PEER_CLOSE, 0, 0, 0));
	(void)wait_for(fd, POLLHUP);
	length = sizeof info;
	show("info", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
	show_int("closed", info.tcpi_state);
}
