/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* One thread for what would stall the loop (decision S19): identity hashes, signing, files.
 *
 * Pure jobs wait in a queue of 64; when it is full the job is refused and the caller counts it.
 * File work is never refused for a full queue: at most one change per path waits, the newest. The
 * thread takes the oldest file change and the oldest job in turns, so neither starves the other.
 */
#ifndef SERVICE_WORKER_H
#define SERVICE_WORKER_H

#include "service/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct service;
struct worker;

enum { WORKER_MAX_JOBS = 64 };

/* A pure job. Embedded in its owner's memory, which is the worker's until `done` (or `drop`). */
struct work {
	struct work *next;
	void (*run)(struct work *work); /* on the worker thread */
	/* On the loop's thread, once. is_dropped: the worker ends, `run` was not or not usefully
	 * made. */
	void (*done)(struct service *service, struct work *work, bool is_dropped);
};

/* Start the thread and watch its results in service->loop. 0 or -errno. */
int worker_new(struct service *service, struct worker **out);
/* Finish all file work, drop the jobs, end the thread. NULL is fine. */
void worker_free(struct worker *worker);

/* False = the queue is full (counted). */
bool worker_submit(struct worker *worker, struct work *work);

/* Write a file atomically (file.h), soon. The bytes are copied. 0 or -ENOMEM. Failures are logged.
 */
int worker_write(struct worker *worker, const char *path, const void *bytes, size_t length,
		 mode_t mode);
/* Remove a file, soon; one that does not exist is fine. Replaces a write that still waits. */
int worker_remove(struct worker *worker, const char *path);
/* Shutdown, first part: drop the jobs, wait for the one under way, refuse new ones. Files go on. */
void worker_quiesce(struct worker *worker);
/* Block until all file work is done (shutdown, tests). */
void worker_drain(struct worker *worker);

/* WATCH_WORKER. */
void worker_on_done(struct watch *w);

struct worker_stats {
	uint64_t jobs_done, jobs_refused, files_written, files_coalesced, files_failed;
};
void worker_stats(struct worker *worker, struct worker_stats *out);

#endif
