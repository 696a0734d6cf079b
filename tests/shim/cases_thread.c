/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Signals and threads: what interrupts a call, and what another thread may do meanwhile. */
#include "tests/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

static atomic_int signals;
static void on_signal(int number)
{
	(void)number;
	signals++;
}

static void catch (int number, int flags)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };
	(void)sigaction(number, &action, NULL);
}

static void alarm_ms(int ms)
{
	struct itimerval when = { .it_value = { ms / 1000, ms % 1000 * 1000 } };
	(void)setitimer(ITIMER_REAL, &when, NULL);
}

/* poll() may see the bytes a moment before the signal is sent. */
static void wait_signal(void)
{
	for (int i = 0; i < 5000 && signals == 0; i++) {
		(void)usleep(1000);
	}
}

CASE(CASE_TCP, signal_accept)
{
	int fd = listen_me(0, 4);
	catch (SIGALRM, 0);
	alarm_ms(100);
	show("accept", accept(fd, NULL, NULL));
	show_int("signals", signals);
}

CASE(CASE_TCP, signal_accept_restarted)
{
	int fd = listen_me(0, 4);
	catch (SIGALRM, SA_RESTART);
	alarm_ms(50);
	int pid = fork();
	if (pid == 0) {
		(void)usleep(200000); /* the caller must be interrupted first */
		struct sockaddr_storage sa;
		socklen_t length = at_me(0, &sa);
		_exit(connect(sock_new(SOCK_STREAM), (struct sockaddr *)&sa, length) != 0);
	}
	show_fd("accept", accept(fd, NULL, NULL));
	show_int("signals", signals);
	child_join("child", pid);
}

CASE(CASE_TCP, signal_recv)
{
	char byte;
	int fd = connected(0);
	catch (SIGALRM, 0);
	alarm_ms(100);
	show("recv", recv(fd, &byte, 1, 0));
	alarm_ms(100);
	show("read", read(fd, &byte, 1));
	show_int("signals", signals);
	show("usable", send(fd, "x", 1, 0));
}

CASE(CASE_TCP, signal_send)
{
	static char bytes[1 << 20];
	int fd = connected(0);
	long n, total = 0;
	catch (SIGALRM, 0);
	alarm_ms(300);
	do {
		n = send(fd, bytes, sizeof bytes, 0);
		total += n > 0 ? n : 0;
		if (n >= 0 && n < (long)sizeof bytes) {
			alarm_ms(100);
		}
	} while (n > 0);
	show("send", n);
	show_int("some went", total > 0);
	peer_begin(PEER_DRAIN, 0, 0, 0);
	show("close", close(fd));
	show_int("all arrived", peer_end() == total);
}

/* Fill the peer's queue, so that connect() waits. */
static int waiting_connector(void)
{
	fill_queue();
	return sock_new(SOCK_STREAM);
}

CASE(CASE_TCP, signal_connect)
{
	int fd = waiting_connector();
	catch (SIGALRM, 0);
	alarm_ms(100);
	show("connect", connect_peer(fd, 5));
	show("nonblocking", fcntl(fd, F_SETFL, O_NONBLOCK));
	show("connect again", connect_peer(fd, 5));
	show_mask("mask", mask_now(fd));
	for (int i = 0; i < 2; i++) {
		(void)peer(PEER_ACCEPT, i, 60, 0);
	}
	show_mask("wait", wait_for(fd, POLLOUT));
	show_option("error", fd, SOL_SOCKET, SO_ERROR);
	show_names("connected", fd);
}

CASE(CASE_TCP, signal_connect_restarted)
{
	int fd = waiting_connector();
	catch (SIGALRM, SA_RESTART);
	alarm_ms(50);
	show("peer accepts", peer(PEER_ACCEPT, 0, 60, 0));
	show("connect", connect_peer(fd, 5));
	show_names("connected", fd);
}

CASE(CASE_TCP, signal_sigio)
{
	int fd = connected(0);
	catch (SIGIO, 0);
	show("owner", fcntl(fd, F_SETOWN, getpid()));
	show_int("owner is", fcntl(fd, F_GETOWN) == getpid());
	int one = 1;
	show("async", ioctl(fd, FIOASYNC, &one));
	show_int("flag", (fcntl(fd, F_GETFL) & O_ASYNC) != 0);
	show("peer sends", peer(PEER_SEND, 0, 1, 0));
	(void)wait_for(fd, POLLIN);
	wait_signal();
	show_int("told", signals > 0);
}

CASE(CASE_TCP, signal_sigio_accept)
{
	int fd = listen_me(0, 4);
	catch (SIGIO, SA_RESTART);
	show("owner", fcntl(fd, F_SETOWN, getpid()));
	show("async", fcntl(fd, F_SETFL, O_ASYNC));
	show("peer connects", peer(PEER_CONNECT, 0, 0, 0));
	(void)wait_for(fd, POLLIN);
	wait_signal();
	show_int("told", signals > 0);
}

/* A storm of signals through whole connections. */
CASE(CASE_TCP, signal_storm)
{
	struct itimerval storm = { { 0, 1000 }, { 0, 1000 } };
	int good = 0;
	show("peer listens", peer(PEER_LISTEN, 60, 5, 64));
	catch (SIGALRM, SA_RESTART);
	(void)setitimer(ITIMER_REAL, &storm, NULL);
	for (int i = 0; i < 50; i++) {
		int fd = sock_new(SOCK_STREAM);
		int yes = set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		good += yes == 0 && connect_peer(fd, 5) == 0 && send(fd, "x", 1, 0) == 1;
		(void)close(fd);
	}
	storm.it_value.tv_usec = 0;
	(void)setitimer(ITIMER_REAL, &storm, NULL);
	show_int("good", good);
}

/* ---- threads --------------------------------------------------------------------------------- */

struct job {
	int fd;
	long result;
	int error;
	atomic_int state; /* 1 = about to call, 2 = done */
};

static void *do_recv(void *argument)
{
	struct job *job = argument;
	char byte;
	job->state = 1;
	job->result = recv(job->fd, &byte, 1, 0);
	job->error = errno;
	job->state = 2;
	return NULL;
}

static void *do_accept(void *argument)
{
	struct job *job = argument;
	job->state = 1;
	job->result = accept(job->fd, NULL, NULL);
	job->error = errno;
	job->state = 2;
	return NULL;
}

static void *do_connect(void *argument)
{
	struct job *job = argument;
	job->state = 1;
	job->result = connect_peer(job->fd, 5);
	job->error = errno;
	job->state = 2;
	return NULL;
}

static pthread_t job_start(struct job *job, void *(*run)(void *))
{
	pthread_t thread;
	(void)pthread_create(&thread, NULL, run, job);
	while (job->state == 0) {
		(void)usleep(1000);
	}
	(void)usleep(50000); /* nothing tells that it is inside the call */
	return thread;
}

static void job_show(const char *label, const struct job *job)
{
	errno = job->error;
	show(label, job->result);
}

CASE(CASE_TCP, thread_shutdown_wakes_recv)
{
	struct job job = { .fd = connected(0) };
	pthread_t thread = job_start(&job, do_recv);
	show("shutdown", shutdown(job.fd, SHUT_RDWR));
	(void)pthread_join(thread, NULL);
	job_show("recv", &job);
}

CASE(CASE_TCP, thread_shutdown_wakes_accept)
{
	struct job job = { .fd = listen_me(0, 4) };
	pthread_t thread = job_start(&job, do_accept);
	show("shutdown", shutdown(job.fd, SHUT_RDWR));
	(void)pthread_join(thread, NULL);
	job_show("accept", &job);
}

/* close() wakes nobody; the blocked call goes on with the file it has. */
CASE(CASE_TCP, thread_close_while_recv)
{
	struct job job = { .fd = connected(0) };
	pthread_t thread = job_start(&job, do_recv);
	show("close", close(job.fd));
	show("peer sends", peer(PEER_SEND, 0, 1, 0));
	(void)pthread_join(thread, NULL);
	job_show("recv", &job);
	show("peer drains", peer(PEER_DRAIN, 0, 0, 0));
	show_errno("peer's end", peer_error);
}

CASE(CASE_TCP, thread_close_while_accept)
{
	struct job job = { .fd = listen_me(0, 4) };
	pthread_t thread = job_start(&job, do_accept);
	show("close", close(job.fd));
	show("peer connects", peer(PEER_CONNECT, 0, 0, 0));
	(void)pthread_join(thread, NULL);
	show_int("accept", job.result >= 0);
}

CASE(CASE_TCP, thread_two_accept)
{
	struct job a = { .fd = listen_me(0, 4) }, b = { .fd = a.fd };
	pthread_t first = job_start(&a, do_accept), second = job_start(&b, do_accept);
	show("peer connects", peer(PEER_CONNECT, 0, 0, 0));
	show("peer connects", peer(PEER_CONNECT, 1, 0, 0));
	(void)pthread_join(first, NULL);
	(void)pthread_join(second, NULL);
	show_int("both", a.result >= 0 && b.result >= 0 && a.result != b.result);
}

CASE(CASE_TCP, thread_cancel_recv)
{
	struct job job = { .fd = connected(0) };
	pthread_t thread = job_start(&job, do_recv);
	void *result = NULL;
	show_errno("cancel", pthread_cancel(thread));
	(void)pthread_join(thread, &result);
	show_int("cancelled", result == PTHREAD_CANCELED);
	show("usable", send(job.fd, "x", 1, 0));
}

CASE(CASE_TCP, thread_cancel_accept)
{
	struct job job = { .fd = listen_me(0, 4) };
	int before = dup(0);
	(void)close(before);
	pthread_t thread = job_start(&job, do_accept);
	void *result = NULL;
	show_errno("cancel", pthread_cancel(thread));
	(void)pthread_join(thread, &result);
	show_int("cancelled", result == PTHREAD_CANCELED);
	show("peer connects", peer(PEER_CONNECT, 0, 0, 0));
	show_int("no number lost", accept(job.fd, NULL, NULL) - before);
}

CASE(CASE_TCP, thread_cancel_connect)
{
	struct job job = { .fd = waiting_connector() };
	int before = dup(0);
	(void)close(before);
	pthread_t thread = job_start(&job, do_connect);
	void *result = NULL;
	show_errno("cancel", pthread_cancel(thread));
	(void)pthread_join(thread, &result);
	show_int("cancelled", result == PTHREAD_CANCELED);
	int after = dup(0);
	show_int("no number lost", after - before);
}

CASE(CASE_TCP, thread_connect_while_connecting)
{
	struct job job = { .fd = waiting_connector() };
	pthread_t thread = job_start(&job, do_connect);
	show("nonblocking", fcntl(job.fd, F_SETFL, O_NONBLOCK));
	show("another connect", connect_peer(job.fd, 5));
	for (int i = 0; i < 2; i++) {
		(void)peer(PEER_ACCEPT, i, 60, 0);
	}
	(void)pthread_join(thread, NULL);
	job_show("connect", &job);
}

static void *do_many(void *argument)
{
	int *good = argument;
	for (int i = 0; i < 20; i++) {
		int fd = sock_new(SOCK_STREAM);
		*good += set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1) == 0 &&
			 connect_peer(fd, 5) == 0 && send(fd, "x", 1, 0) == 1;
		(void)close(fd);
	}
	return NULL;
}

CASE(CASE_TCP, thread_many)
{
	enum { COUNT = 6 };
	pthread_t threads[COUNT];
	int good[COUNT] = { 0 }, total = 0;
	show("peer listens", peer(PEER_LISTEN, 60, 5, 256));
	for (int i = 0; i < COUNT; i++) {
		(void)pthread_create(&threads[i], NULL, do_many, &good[i]);
	}
	for (int i = 0; i < COUNT; i++) {
		(void)pthread_join(threads[i], NULL);
		total += good[i];
	}
	show_int("good", total);
}

CASE(CASE_TCP, thread_fork)
{
	struct job job = { .fd = connected(0) };
	pthread_t thread = job_start(&job, do_recv);
	int pid = fork();
	if (pid == 0) {
		int fd = sock_new(SOCK_STREAM);
		_exit(bind_me(fd, 1) == 0 && listen(fd, 1) == 0 ? 5 : 6);
	}
	child_join("child", pid);
	show("peer sends", peer(PEER_SEND, 0, 1, 0));
	(void)pthread_join(thread, NULL);
	job_show("recv", &job);
}
