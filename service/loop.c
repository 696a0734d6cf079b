/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: a turn is one epoll_wait, its events in order, then turn_finish(). Every watched
 * descriptor has a slot; an event carries slot and generation. Removing a watch changes the slot's
 * generation, so that an event that was fetched in the same batch finds nobody, even if the slot,
 * the descriptor number or the owner's memory is used again at once. Nothing is kept for later: an
 * owner may be freed inside its own handler.
 *
 * The timeout is the earliest deadline of all modules, so an idle daemon sleeps.
 */
#include "service/loop.h"

#include "base/bug.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { LOOP_BATCH = 128, LOOP_FIRST_SLOTS = 64 };

struct slot {
	struct watch *watch; /* NULL = free */
	uint32_t generation;
	uint32_t next_free;
};

struct loop {
	struct service *service;
	int epoll;
	bool is_stopping;
	struct zt_now now;
	struct slot *slots;
	uint32_t slot_count, first_free; /* first_free == slot_count: none */
};

static void loop_clock(struct loop *loop)
{
	struct timespec mono = { 0 }, wall = { 0 };
	(void)clock_gettime(CLOCK_MONOTONIC, &mono);
	(void)clock_gettime(CLOCK_REALTIME, &wall);
	loop->now.mono_ms = (int64_t)mono.tv_sec * 1000 + mono.tv_nsec / 1000000;
	loop->now.wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
}

struct loop *loop_new(struct service *service)
{
	struct loop *loop = calloc(1, sizeof *loop);
	if (!loop) {
		return NULL;
	}
	loop->service = service;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		free(loop);
		return NULL;
	}
	loop_clock(loop);
	return loop;
}

void loop_free(struct loop *loop)
{
	if (loop) {
		(void)close(loop->epoll);
		free(loop->slots);
		free(loop);
	}
}

static int slots_grow(struct loop *loop)
{
	uint32_t count = loop->slot_count > 0 ? loop->slot_count * 2 : LOOP_FIRST_SLOTS;
	struct slot *slots = realloc(loop->slots, count * sizeof *slots);
	if (!slots) {
		return -ENOMEM;
	}
	for (uint32_t i = loop->slot_count; i < count; i++) {
		slots[i] = (struct slot){ .next_free = i + 1 };
	}
	loop->slots = slots;
	loop->slot_count = count;
	return 0;
}

static int slot_control(struct loop *loop, int operation, struct watch *w, uint32_t events)
{
	struct epoll_event event = {
		.events = events,
		.data.u64 = (uint64_t)loop->slots[w->slot].generation << 32 | w->slot,
	};
	return epoll_ctl(loop->epoll, operation, w->fd, &event) == 0 ? 0 : -errno;
}

int loop_add(struct loop *loop, struct watch *w, uint32_t events)
{
	if (loop->first_free == loop->slot_count) {
		int error = slots_grow(loop);
		if (error != 0) {
			return error;
		}
	}
	uint32_t index = loop->first_free;
	struct slot *slot = &loop->slots[index];
	w->slot = index;
	int error = slot_control(loop, EPOLL_CTL_ADD, w, events);
	if (error != 0) {
		return error;
	}
	loop->first_free = slot->next_free;
	slot->watch = w;
	w->events = events;
	w->generation = slot->generation;
	return 0;
}

int loop_modify(struct loop *loop, struct watch *w, uint32_t events)
{
	BUG_ON(w->slot >= loop->slot_count || loop->slots[w->slot].watch != w);
	int error = slot_control(loop, EPOLL_CTL_MOD, w, events);
	if (error == 0) {
		w->events = events;
	}
	return error;
}

void loop_remove(struct loop *loop, struct watch *w)
{
	if (w->slot >= loop->slot_count || loop->slots[w->slot].watch != w) {
		return; /* not watched */
	}
	struct slot *slot = &loop->slots[w->slot];
	(void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, w->fd, NULL);
	slot->watch = NULL;
	slot->generation++;
	slot->next_free = loop->first_free;
	loop->first_free = w->slot;
}

struct zt_now loop_now(const struct loop *loop)
{
	return loop->now;
}

static int loop_timeout(struct loop *loop)
{
	int64_t deadline = turn_deadline(loop->service);
	if (deadline == INT64_MAX) {
		return -1;
	}
	loop_clock(loop); /* the turn took time */
	if (deadline <= loop->now.mono_ms) {
		return 0;
	}
	int64_t left = deadline - loop->now.mono_ms;
	return left > INT_MAX ? INT_MAX : (int)left;
}

static void loop_turn(struct loop *loop)
{
	struct epoll_event events[LOOP_BATCH];
	int count = epoll_wait(loop->epoll, events, LOOP_BATCH, loop_timeout(loop));
	BUG_ON(count < 0 && errno != EINTR);
	loop_clock(loop);
	for (int i = 0; i < count; i++) {
		uint32_t index = (uint32_t)events[i].data.u64;
		uint32_t generation = (uint32_t)(events[i].data.u64 >> 32);
		struct watch *w = loop->slots[index].watch;
		if (w && loop->slots[index].generation == generation) {
			turn_dispatch(loop->service, w, events[i].events);
		}
	}
	turn_finish(loop->service, loop->now);
}

void loop_run(struct loop *loop)
{
	while (!loop->is_stopping) {
		loop_turn(loop);
	}
}

void loop_stop(struct loop *loop)
{
	loop->is_stopping = true;
}
