/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* How this works: one lock, one condition for the thread, one eventfd for the loop. Jobs travel as
 * pointers: queue -> run -> finished list -> loop. File changes carry a copy of their bytes. A
 * change for a path that waits already replaces the waiting one in its place: the order between
 * different paths is the order in which each first came to wait, and of one path only the newest
 * state counts.
 */
#include "service/worker.h"

#include "service/file.h"
#include "service/log.h"
#include "service/service.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CHANGE_BUCKETS = 1024 }; /* a controller may save thousands of members at once */

/* One file to write (bytes) or remove (bytes NULL). */
struct change {
	struct change *next;      /* in the queue */
	struct change *same_hash; /* in its bucket */
	uint32_t hash;            /* of the path */
	char *path;
	void *bytes;
	size_t length;
	mode_t mode;
};

struct worker {
	struct service *service;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake; /* the thread: there is work */
	pthread_cond_t idle; /* worker_drain, worker_quiesce: something came to an end */
	bool is_stopping, is_refusing, is_writing, is_running;
	struct work *jobs, **jobs_tail;
	size_t job_count;
	struct work *finished, **finished_tail;
	struct change *changes, **changes_tail;
	struct change *buckets[CHANGE_BUCKETS]; /* the waiting ones by path */
	struct watch watch;                     /* eventfd */
	struct worker_stats stats;
};

static void change_free(struct change *change)
{
	if (change) {
		free(change->path);
		free(change->bytes);
		free(change);
	}
}

static int change_make(const struct change *change)
{
	if (change->bytes) {
		return file_write(change->path, change->bytes, change->length, change->mode);
	}
	return unlink(change->path) == 0 || errno == ENOENT ? 0 : -errno;
}

static struct change **bucket_of(struct worker *worker, const struct change *change)
{
	return &worker->buckets[change->hash % CHANGE_BUCKETS];
}

/* The link in the bucket that points to the waiting change of the same path, or to NULL. */
static struct change **change_find(struct worker *worker, const struct change *change)
{
	struct change **at = bucket_of(worker, change);
	while (*at && ((*at)->hash != change->hash || strcmp((*at)->path, change->path) != 0)) {
		at = &(*at)->same_hash;
	}
	return at;
}

/* Take and do one file change; the lock is held on entry and exit. */
static void thread_change(struct worker *worker)
{
	struct change *change = worker->changes;
	worker->changes = change->next;
	if (!worker->changes) {
		worker->changes_tail = &worker->changes;
	}
	*change_find(worker, change) = change->same_hash;
	worker->is_writing = true;
	(void)pthread_mutex_unlock(&worker->lock);
	int error = change_make(change);
	if (error != 0) {
		errno = -error;
		log_err_errno("worker", "cannot %s file, the old one stays file=%s",
			      change->bytes ? "write" : "remove", change->path);
	}
	change_free(change);
	(void)pthread_mutex_lock(&worker->lock);
	worker->is_writing = false;
	worker->stats.files_written += error == 0;
	worker->stats.files_failed += error != 0;
	if (!worker->changes) {
		(void)pthread_cond_broadcast(&worker->idle);
	}
}

/* Take and run one job; the lock is held on entry and exit. */
static void thread_job(struct worker *worker)
{
	struct work *work = worker->jobs;
	worker->jobs = work->next;
	if (!worker->jobs) {
		worker->jobs_tail = &worker->jobs;
	}
	worker->job_count--;
	worker->is_running = true;
	(void)pthread_mutex_unlock(&worker->lock);
	work->run(work);
	(void)pthread_mutex_lock(&worker->lock);
	worker->is_running = false;
	(void)pthread_cond_broadcast(&worker->idle);
	work->next = NULL;
	*worker->finished_tail = work;
	worker->finished_tail = &work->next;
	worker->stats.jobs_done++;
	uint64_t one = 1;
	ssize_t n = write(worker->watch.fd, &one, sizeof one);
	(void)n; /* fails only if the counter is at its maximum: then it is readable anyway */
}

static void *thread_main(void *argument)
{
	struct worker *worker = argument;
	(void)pthread_mutex_lock(&worker->lock);
	for (;;) {
		if (!worker->changes && !worker->jobs) {
			if (worker->is_stopping) {
				break;
			}
			(void)pthread_cond_wait(&worker->wake, &worker->lock);
			continue;
		}
		if (worker->changes) {
			thread_change(worker);
		}
		if (worker->jobs) {
			thread_job(worker);
		}
	}
	(void)pthread_mutex_unlock(&worker->lock);
	return NULL;
}

/* Signals belong to the loop's signalfd: the thread is born with all of them blocked. */
static int thread_start(struct worker *worker)
{
	sigset_t all, old;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	int error = pthread_create(&worker->thread, NULL, thread_main, worker);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -error;
}

int worker_new(struct service *service, struct worker **out)
{
	struct worker *worker = calloc(1, sizeof *worker);
	if (!worker) {
		return -ENOMEM;
	}
	worker->service = service;
	worker->jobs_tail = &worker->jobs;
	worker->finished_tail = &worker->finished;
	worker->changes_tail = &worker->changes;
	worker->watch.kind = WATCH_WORKER;
	(void)pthread_mutex_init(&worker->lock, NULL);
	(void)pthread_cond_init(&worker->wake, NULL);
	(void)pthread_cond_init(&worker->idle, NULL);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	worker->watch.fd = fd;
	int error = fd < 0 ? -errno : loop_add(service->loop, &worker->watch, EPOLLIN);
	if (error == 0) {
		error = thread_start(worker);
		if (error != 0) {
			loop_remove(service->loop, &worker->watch);
		}
	}
	if (error != 0) {
		if (fd >= 0) {
			(void)close(fd);
		}
		free(worker);
		return error;
	}
	*out = worker;
	return 0;
}

static void finish_list(struct worker *worker, struct work *work, bool is_dropped)
{
	while (work) {
		struct work *next = work->next;
		work->done(worker->service, work, is_dropped);
		work = next;
	}
}

void worker_quiesce(struct worker *worker)
{
	(void)pthread_mutex_lock(&worker->lock);
	worker->is_refusing = true;
	struct work *jobs = worker->jobs;
	worker->jobs = NULL;
	worker->jobs_tail = &worker->jobs;
	worker->job_count = 0;
	while (worker->is_running) {
		(void)pthread_cond_wait(&worker->idle, &worker->lock);
	}
	struct work *finished = worker->finished;
	worker->finished = NULL;
	worker->finished_tail = &worker->finished;
	(void)pthread_mutex_unlock(&worker->lock);
	finish_list(worker, finished, true);
	finish_list(worker, jobs, true);
}

void worker_free(struct worker *worker)
{
	if (!worker) {
		return;
	}
	worker_quiesce(worker);
	(void)pthread_mutex_lock(&worker->lock);
	worker->is_stopping = true;
	(void)pthread_cond_signal(&worker->wake);
	(void)pthread_mutex_unlock(&worker->lock);
	(void)pthread_join(worker->thread, NULL);
	loop_remove(worker->service->loop, &worker->watch);
	(void)close(worker->watch.fd);
	(void)pthread_cond_destroy(&worker->wake);
	(void)pthread_cond_destroy(&worker->idle);
	(void)pthread_mutex_destroy(&worker->lock);
	free(worker);
}

bool worker_submit(struct worker *worker, struct work *work)
{
	(void)pthread_mutex_lock(&worker->lock);
	bool is_taken = worker->job_count < WORKER_MAX_JOBS && !worker->is_refusing;
	if (is_taken) {
		work->next = NULL;
		*worker->jobs_tail = work;
		worker->jobs_tail = &work->next;
		worker->job_count++;
		(void)pthread_cond_signal(&worker->wake);
	} else {
		worker->stats.jobs_refused++;
	}
	(void)pthread_mutex_unlock(&worker->lock);
	return is_taken;
}

static struct change *change_new(const char *path, const void *bytes, size_t length, mode_t mode)
{
	struct change *change = calloc(1, sizeof *change);
	if (!change) {
		return NULL;
	}
	change->path = strdup(path);
	change->hash = 2166136261U; /* FNV-1a */
	for (const char *p = path; *p != '\0'; p++) {
		change->hash = (change->hash ^ (unsigned char)*p) * 16777619U;
	}
	change->bytes = bytes ? malloc(length + 1) : NULL;
	if (!change->path || (bytes && !change->bytes)) {
		change_free(change);
		return NULL;
	}
	if (bytes && length > 0) {
		memcpy(change->bytes, bytes, length);
	}
	change->length = length;
	change->mode = mode;
	return change;
}

static void change_append(struct worker *worker, struct change *change)
{
	struct change **bucket = bucket_of(worker, change);
	change->same_hash = *bucket;
	*bucket = change;
	*worker->changes_tail = change;
	worker->changes_tail = &change->next;
}

/* The waiting change keeps its place and gets the new content, the new one the old content. */
static void change_swap(struct change *waiting, struct change *change)
{
	struct change old = *waiting;
	waiting->bytes = change->bytes;
	waiting->length = change->length;
	waiting->mode = change->mode;
	change->bytes = old.bytes;
}

/* Put the change in the queue, or into the one that waits for the same path. */
static int change_queue(struct worker *worker, struct change *change)
{
	if (!change) {
		return -ENOMEM;
	}
	(void)pthread_mutex_lock(&worker->lock);
	struct change *waiting = *change_find(worker, change);
	if (waiting) {
		change_swap(waiting, change);
		worker->stats.files_coalesced++;
	} else {
		change_append(worker, change);
		(void)pthread_cond_signal(&worker->wake);
	}
	(void)pthread_mutex_unlock(&worker->lock);
	if (waiting) {
		change_free(change);
	}
	return 0;
}

int worker_write(struct worker *worker, const char *path, const void *bytes, size_t length,
		 mode_t mode)
{
	return change_queue(worker, change_new(path, bytes ? bytes : "", length, mode));
}

int worker_remove(struct worker *worker, const char *path)
{
	return change_queue(worker, change_new(path, NULL, 0, 0));
}

void worker_drain(struct worker *worker)
{
	(void)pthread_mutex_lock(&worker->lock);
	while (worker->changes || worker->is_writing) {
		(void)pthread_cond_wait(&worker->idle, &worker->lock);
	}
	(void)pthread_mutex_unlock(&worker->lock);
}

void worker_on_done(struct watch *w)
{
	struct worker *worker = (struct worker *)((char *)w - offsetof(struct worker, watch));
	uint64_t count;
	ssize_t n = read(w->fd, &count, sizeof count);
	(void)n; /* the list says what is finished */
	(void)pthread_mutex_lock(&worker->lock);
	struct work *finished = worker->finished;
	worker->finished = NULL;
	worker->finished_tail = &worker->finished;
	(void)pthread_mutex_unlock(&worker->lock);
	finish_list(worker, finished, false);
}

void worker_stats(struct worker *worker, struct worker_stats *out)
{
	(void)pthread_mutex_lock(&worker->lock);
	*out = worker->stats;
	(void)pthread_mutex_unlock(&worker->lock);
}
