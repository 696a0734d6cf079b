/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: one thread of its own sleeps until there is something to ask, because an answer
 * may take ten seconds and the worker's jobs may not wait for that (decision S19). It has a table
 * of descriptors of its own: the libraries use select(), which must never see a number above 1023,
 * and this process may have thousands. One order is under way at a time; its outcome comes back
 * through an eventfd. Everything but `order`, `mapping` and the flags under the lock belongs to the
 * loop.
 */
#include "service/portmap.h"

#include "service/log.h"
#include "service/portmap_rule.h"
#include "service/service.h"
#include "service/udp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	REMOVAL_MAX_S = 1, /* shutdown takes 5 s at most, and others need time as well */
	EVENT_FD = 3,      /* in the thread's own table */
};

enum order { ORDER_NONE, ORDER_MAP, ORDER_UNMAP, ORDER_STOP };

struct portmap {
	struct service *service;
	struct watch watch; /* eventfd */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake, idle;

	/* under the lock */
	enum order order; /* what the thread does, or is to do */
	bool is_ready;    /* the thread has its own descriptors, or failed to */
	int thread_error;
	struct gateway_request request;
	struct gateway_mapping answer, removal;

	/* the loop's */
	enum order asking; /* the order that is under way */
	bool is_outdated;  /* ... and its answer is not wanted any more */
	struct portmap_rule rule;
	struct gateway_request wanted;
	struct gateway_mapping mapping, abandoned;
};

/* ---- the thread ----------------------------------------------------------------------------- */

/* A table of descriptors that holds 0, 1, 2 and the eventfd, here 3. 0 or -errno; -ENOSYS on a
 * kernel before 5.9. Not unshare(): containers forbid it. __NR_, since Debian 11's C library does
 * not know the name SYS_close_range. */
static int descriptors_leave(int event_fd)
{
	if (syscall(__NR_close_range, (unsigned)event_fd + 1, ~0U, CLOSE_RANGE_UNSHARE) != 0 ||
	    (event_fd != EVENT_FD && dup3(event_fd, EVENT_FD, O_CLOEXEC) < 0) ||
	    syscall(__NR_close_range, EVENT_FD + 1U, ~0U, 0U) != 0) {
		return -errno;
	}
	return 0;
}

/* One order; the lock is held on entry and exit. */
static void order_run(struct portmap *portmap)
{
	enum order order = portmap->order;
	struct gateway_request request = portmap->request;
	struct gateway_mapping mapping = portmap->removal;
	(void)pthread_mutex_unlock(&portmap->lock);
	if (order == ORDER_MAP) {
		(void)gateway_map(&request, &mapping);
	} else {
		gateway_unmap(&mapping);
		mapping = (struct gateway_mapping){ .kind = GATEWAY_NONE };
	}
	(void)pthread_mutex_lock(&portmap->lock);
	portmap->answer = mapping;
	portmap->order = ORDER_NONE;
	(void)pthread_cond_broadcast(&portmap->idle);
	uint64_t one = 1;
	ssize_t n = write(EVENT_FD, &one, sizeof one);
	(void)n; /* fails only if the counter is at its maximum: then it is readable anyway */
}

static void *thread_main(void *argument)
{
	struct portmap *portmap = argument;
	int error = descriptors_leave(portmap->watch.fd);
	(void)pthread_mutex_lock(&portmap->lock);
	portmap->thread_error = error;
	portmap->is_ready = true;
	(void)pthread_cond_broadcast(&portmap->idle);
	while (error == 0 && portmap->order != ORDER_STOP) {
		if (portmap->order == ORDER_NONE) {
			(void)pthread_cond_wait(&portmap->wake, &portmap->lock);
		} else {
			order_run(portmap);
		}
	}
	(void)pthread_mutex_unlock(&portmap->lock);
	return NULL;
}

static void order_give(struct portmap *portmap, enum order order)
{
	portmap->asking = order;
	(void)pthread_mutex_lock(&portmap->lock);
	portmap->order = order;
	portmap->request = portmap->wanted;
	portmap->removal = portmap->abandoned;
	(void)pthread_cond_signal(&portmap->wake);
	(void)pthread_mutex_unlock(&portmap->lock);
}

/* Signals belong to the loop's signalfd: the thread is born with all of them blocked. */
static int thread_start(struct portmap *portmap)
{
	sigset_t all, old;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	int error = pthread_create(&portmap->thread, NULL, thread_main, portmap);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error != 0) {
		return -error;
	}
	(void)pthread_mutex_lock(&portmap->lock);
	while (!portmap->is_ready) {
		(void)pthread_cond_wait(&portmap->idle, &portmap->lock);
	}
	error = portmap->thread_error;
	(void)pthread_mutex_unlock(&portmap->lock);
	if (error != 0) {
		(void)pthread_join(portmap->thread, NULL);
	}
	return error;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void portmap_free(struct portmap *portmap)
{
	loop_remove(portmap->service->loop, &portmap->watch);
	if (portmap->watch.fd >= 0) {
		(void)close(portmap->watch.fd);
	}
	(void)pthread_cond_destroy(&portmap->wake);
	(void)pthread_cond_destroy(&portmap->idle);
	(void)pthread_mutex_destroy(&portmap->lock);
	free(portmap);
}

int portmap_open(struct service *service, struct portmap **out)
{
	*out = NULL;
	if (!gateway_is_built()) {
		return 0;
	}
	struct portmap *portmap = calloc(1, sizeof *portmap);
	if (!portmap) {
		return -ENOMEM;
	}
	pthread_condattr_t clock;
	(void)pthread_condattr_init(&clock);
	(void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&portmap->lock, NULL);
	(void)pthread_cond_init(&portmap->wake, NULL);
	(void)pthread_cond_init(&portmap->idle, &clock);
	(void)pthread_condattr_destroy(&clock);
	portmap->service = service;
	portmap->watch =
	    (struct watch){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .kind = WATCH_PORTMAP };
	portmap_rule_init(&portmap->rule);
	int error =
	    portmap->watch.fd < 0 ? -errno : loop_add(service->loop, &portmap->watch, EPOLLIN);
	if (error == 0) {
		error = thread_start(portmap);
	}
	if (error != 0) {
		portmap_free(portmap);
		return error;
	}
	*out = portmap;
	portmap_update(portmap);
	return 0;
}

/* True if the thread has nothing to do, at the latest after REMOVAL_MAX_S. */
static bool idle_wait(struct portmap *portmap)
{
	struct timespec until = { 0 };
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += REMOVAL_MAX_S;
	(void)pthread_mutex_lock(&portmap->lock);
	int error = 0;
	while (portmap->order != ORDER_NONE && error == 0) {
		error = pthread_cond_timedwait(&portmap->idle, &portmap->lock, &until);
	}
	bool is_idle = portmap->order == ORDER_NONE;
	(void)pthread_mutex_unlock(&portmap->lock);
	return is_idle;
}

void portmap_close(struct portmap *portmap)
{
	if (!portmap) {
		return;
	}
	if (portmap->asking == ORDER_NONE && portmap->mapping.kind != GATEWAY_NONE) {
		portmap->abandoned = portmap->mapping;
		order_give(portmap, ORDER_UNMAP);
	}
	if (!idle_wait(portmap)) {
		/* In the middle of a question. The process ends now, and with it the thread; until
		 * then its memory stays. What it maps is nobody's, and lapses. */
		loop_remove(portmap->service->loop, &portmap->watch);
		(void)pthread_detach(portmap->thread);
		return;
	}
	order_give(portmap, ORDER_STOP);
	(void)pthread_join(portmap->thread, NULL);
	portmap_free(portmap);
}

/* ---- the loop's side ------------------------------------------------------------------------ */

bool portmap_is_allowed(const struct settings *settings, bool loopback_ok)
{
	return gateway_is_built() && settings->allow_port_mapping && !loopback_ok;
}

static int64_t now_ms_of(const struct portmap *portmap)
{
	return loop_now(portmap->service->loop).mono_ms;
}

static void mapping_set(struct portmap *portmap, const struct gateway_mapping *mapping)
{
	bool is_same = portmap->mapping.kind == mapping->kind &&
		       endpoint_equal(&portmap->mapping.external, &mapping->external);
	portmap->mapping = *mapping;
	if (is_same) {
		return;
	}
	char text[ENDPOINT_TEXT_MAX];
	if (mapping->kind == GATEWAY_NONE) {
		log_info("portmap", "no port of the gateway any more");
	} else {
		log_info("portmap", "the gateway forwards by=%s external=%s port=%u",
			 mapping->kind == GATEWAY_UPNP ? "UPnP" : "NAT-PMP",
			 endpoint_text(&mapping->external, text), mapping->internal_port);
	}
	udp_tell_node(portmap->service->udp);
}

static void mapping_drop(struct portmap *portmap)
{
	if (portmap->mapping.kind != GATEWAY_NONE) {
		portmap->abandoned = portmap->mapping;
		mapping_set(portmap, &(struct gateway_mapping){ .kind = GATEWAY_NONE });
	}
}

static bool wanted_equal(const struct gateway_request *a, const struct gateway_request *b)
{
	bool is_equal = a->local_count == b->local_count;
	for (size_t i = 0; is_equal && i < a->local_count; i++) {
		is_equal = endpoint_equal(&a->locals[i], &b->locals[i]);
	}
	return is_equal;
}

void portmap_update(struct portmap *portmap)
{
	if (!portmap) {
		return;
	}
	struct gateway_request wanted = { .local_count = 0 };
	wanted.local_count =
	    udp_tertiary_endpoints(portmap->service->udp, wanted.locals, GATEWAY_LOCALS);
	if (wanted_equal(&wanted, &portmap->wanted)) {
		return;
	}
	portmap->wanted = wanted;
	portmap->is_outdated = portmap->asking == ORDER_MAP;
	mapping_drop(portmap);
	portmap_rule_changed(&portmap->rule, wanted.local_count > 0, now_ms_of(portmap));
}

void portmap_hurry(struct portmap *portmap)
{
	if (portmap) {
		portmap_rule_hurry(&portmap->rule, now_ms_of(portmap));
	}
}

void portmap_advance(struct portmap *portmap, int64_t now_ms)
{
	if (!portmap) {
		return;
	}
	if (portmap_rule_expired(&portmap->rule, now_ms)) {
		mapping_set(portmap, &(struct gateway_mapping){ .kind = GATEWAY_NONE });
	}
	if (portmap->asking != ORDER_NONE) {
		return;
	}
	if (portmap->abandoned.kind != GATEWAY_NONE) {
		order_give(portmap, ORDER_UNMAP);
		portmap->abandoned.kind = GATEWAY_NONE;
	} else if (now_ms >= portmap->rule.next_ms) {
		portmap->wanted.external_port = portmap->mapping.external.port;
		order_give(portmap, ORDER_MAP);
	}
}

int64_t portmap_deadline(const struct portmap *portmap)
{
	if (!portmap) {
		return INT64_MAX;
	}
	bool is_asking = portmap->asking != ORDER_NONE;
	if (!is_asking && portmap->abandoned.kind != GATEWAY_NONE) {
		return 0;
	}
	return portmap_rule_deadline(&portmap->rule, is_asking);
}

/* The outcome of ORDER_MAP. */
static void answered(struct portmap *portmap, const struct gateway_mapping *answer)
{
	int64_t now_ms = now_ms_of(portmap);
	if (answer->kind == GATEWAY_NONE) {
		if (portmap->rule.failures == 0) {
			log_info("portmap", "no gateway grants a port; going on without one");
		}
		portmap_rule_failed(&portmap->rule, now_ms);
		return;
	}
	portmap_rule_mapped(&portmap->rule, answer->lifetime_s, now_ms);
	mapping_set(portmap, answer);
}

void portmap_on_done(struct watch *w)
{
	struct portmap *portmap = (struct portmap *)((char *)w - offsetof(struct portmap, watch));
	uint64_t count;
	ssize_t n = read(w->fd, &count, sizeof count);
	(void)n; /* the flags say what is finished */
	(void)pthread_mutex_lock(&portmap->lock);
	bool is_over = portmap->order == ORDER_NONE;
	struct gateway_mapping answer = portmap->answer;
	portmap->answer = (struct gateway_mapping){ .kind = GATEWAY_NONE };
	(void)pthread_mutex_unlock(&portmap->lock);
	enum order asked = portmap->asking;
	if (!is_over || asked == ORDER_NONE) {
		return;
	}
	portmap->asking = ORDER_NONE;
	if (asked == ORDER_MAP && !portmap->is_outdated) {
		answered(portmap, &answer);
	} else if (asked == ORDER_MAP && answer.kind != GATEWAY_NONE) {
		portmap->abandoned = answer; /* for addresses that are gone */
	}
	portmap->is_outdated = false;
}

const struct gateway_mapping *portmap_mapping(const struct portmap *portmap)
{
	return portmap && portmap->mapping.kind != GATEWAY_NONE ? &portmap->mapping : NULL;
}

bool portmap_is_wanted(const struct portmap *portmap, unsigned *failures)
{
	*failures = portmap ? portmap->rule.failures : 0;
	return portmap && portmap->wanted.local_count > 0;
}
