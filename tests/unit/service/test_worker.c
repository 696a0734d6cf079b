/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* service/worker.c: bounded jobs, files that are never lost. This program is its own turn.c. */
#include "service/worker.h"

#include "service/file.h"
#include "service/service.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct service service;
static char folder[64], path[128];
static size_t finished_wanted, finished, dropped;
static char order[128];

void turn_dispatch(struct service *s, struct watch *w, uint32_t events)
{
	(void)s;
	(void)events;
	worker_on_done(w);
}

void turn_finish(struct service *s, struct zt_now now)
{
	(void)now;
	if (finished >= finished_wanted) {
		loop_stop(s->loop);
	}
}

int64_t turn_deadline(struct service *s)
{
	(void)s;
	return INT64_MAX;
}

struct test_job {
	struct work work;
	int gate; /* read end: the job waits until a byte comes; -1 = does not wait */
	char letter;
};

static void job_run(struct work *work)
{
	const struct test_job *job = (struct test_job *)work;
	char byte;
	while (job->gate >= 0 && read(job->gate, &byte, 1) < 0 && errno == EINTR) {
	}
}

static void job_done(struct service *s, struct work *work, bool is_dropped)
{
	assert_ptr_equal(s, &service);
	dropped += is_dropped;
	if (!is_dropped && finished < sizeof order - 1) {
		order[finished] = ((struct test_job *)work)->letter;
	}
	finished++;
	free(work);
}

static bool submit(int gate, char letter)
{
	struct test_job *job = malloc(sizeof *job);
	assert_non_null(job);
	*job = (struct test_job){ .work = { .run = job_run, .done = job_done },
				  .gate = gate,
				  .letter = letter };
	if (!worker_submit(service.worker, &job->work)) {
		free(job);
		return false;
	}
	return true;
}

static int setup(void **state)
{
	(void)state;
	(void)strcpy(folder, "/tmp/netcon-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	finished = finished_wanted = dropped = 0;
	memset(order, 0, sizeof order);
	service.loop = loop_new(&service);
	return worker_new(&service, &service.worker);
}

static int teardown(void **state)
{
	(void)state;
	worker_free(service.worker);
	loop_free(service.loop);
	return rmdir(folder);
}

static const char *in_folder(const char *name)
{
	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

/* The file's content in static memory, NULL if there is none. */
static const char *content(const char *name)
{
	static char kept[256];
	char *bytes = NULL;
	size_t length = 0;
	if (file_read(in_folder(name), sizeof kept - 1, &bytes, &length) != 0) {
		return NULL;
	}
	memcpy(kept, bytes, length + 1);
	free(bytes);
	return kept;
}

static void test_jobs_run_in_order(void **state)
{
	(void)state;
	for (char letter = 'a'; letter <= 'z'; letter++) {
		assert_true(submit(-1, letter));
	}
	finished_wanted = 26;
	loop_run(service.loop);
	assert_string_equal(order, "abcdefghijklmnopqrstuvwxyz");
	struct worker_stats stats;
	worker_stats(service.worker, &stats);
	assert_int_equal(stats.jobs_done, 26);
	assert_int_equal(stats.jobs_refused, 0);
}

static void test_queue_is_bounded(void **state)
{
	(void)state;
	int gate[2];
	assert_int_equal(pipe(gate), 0);
	size_t taken = 0, refused = 0;
	for (int i = 0; i < WORKER_MAX_JOBS + 10; i++) {
		if (submit(gate[0], 'x')) {
			taken++;
		} else {
			refused++;
		}
	}
	/* One may be under way already, the rest waits. */
	assert_true(taken == WORKER_MAX_JOBS || taken == WORKER_MAX_JOBS + 1);
	struct worker_stats stats;
	worker_stats(service.worker, &stats);
	assert_int_equal(stats.jobs_refused, refused);
	(void)close(gate[1]); /* opens the gate for all */
	finished_wanted = taken;
	loop_run(service.loop);
	assert_int_equal(finished, taken);
	(void)close(gate[0]);
}

/* While a job blocks the thread, files wait; each path keeps its place and its newest content. */
static void test_files_coalesce_by_path(void **state)
{
	(void)state;
	int gate[2];
	assert_int_equal(pipe(gate), 0);
	assert_true(submit(gate[0], 'x'));
	for (int i = 0; i < 1000; i++) {
		char text[16];
		int n = snprintf(text, sizeof text, "%d", i);
		assert_int_equal(
		    worker_write(service.worker, in_folder("many"), text, (size_t)n, 0600), 0);
	}
	assert_int_equal(worker_write(service.worker, in_folder("other"), "o", 1, 0644), 0);
	assert_int_equal(worker_write(service.worker, in_folder("gone"), "g", 1, 0600), 0);
	assert_int_equal(worker_remove(service.worker, in_folder("gone")), 0);
	assert_int_equal(worker_remove(service.worker, in_folder("never")), 0);
	(void)close(gate[1]);
	worker_drain(service.worker);
	assert_string_equal(content("many"), "999");
	assert_string_equal(content("other"), "o");
	assert_null(content("gone"));
	struct worker_stats stats;
	worker_stats(service.worker, &stats);
	assert_true(stats.files_coalesced >= 999);
	assert_int_equal(stats.files_failed, 0);
	struct stat st;
	assert_int_equal(stat(in_folder("many"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(unlink(in_folder("many")), 0);
	assert_int_equal(unlink(in_folder("other")), 0);
	finished_wanted = 1;
	loop_run(service.loop);
	(void)close(gate[0]);
}

/* A controller's many records: each is written, whichever share a bucket. */
static void test_many_files(void **state)
{
	(void)state;
	enum { FILES = 3000 };
	char name[32];
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < FILES; i++) {
			(void)snprintf(name, sizeof name, "f%d", i);
			assert_int_equal(
			    round == 0 ? worker_write(service.worker, in_folder(name), "x", 1, 0600)
				       : worker_remove(service.worker, in_folder(name)),
			    0);
		}
	}
	worker_drain(service.worker);
	struct worker_stats stats;
	worker_stats(service.worker, &stats);
	assert_int_equal(stats.files_failed, 0);
	assert_int_equal(stats.files_written + stats.files_coalesced, 2 * FILES);
	/* teardown's rmdir fails if one was left */
}

static void test_empty_file_and_remove(void **state)
{
	(void)state;
	assert_int_equal(worker_write(service.worker, in_folder("empty"), "", 0, 0600), 0);
	worker_drain(service.worker);
	assert_string_equal(content("empty"), "");
	assert_int_equal(worker_remove(service.worker, in_folder("empty")), 0);
	worker_drain(service.worker);
	assert_null(content("empty"));
}

/* A disk that is full: the old file stays, nothing is left behind, the next write works again. */
static void test_full_disk_keeps_the_old_file(void **state)
{
	(void)state;
	static char big[8192];
	struct rlimit before, small = { 0 };
	assert_int_equal(worker_write(service.worker, in_folder("state"), "old", 3, 0600), 0);
	worker_drain(service.worker);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 4096;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(worker_write(service.worker, in_folder("state"), big, sizeof big, 0600),
			 0);
	worker_drain(service.worker);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_string_equal(content("state"), "old");
	assert_int_equal(access(in_folder("state.tmp"), F_OK), -1);
	struct worker_stats stats;
	worker_stats(service.worker, &stats);
	assert_int_equal(stats.files_failed, 1);
	assert_int_equal(worker_write(service.worker, in_folder("state"), "new", 3, 0600), 0);
	worker_drain(service.worker);
	assert_string_equal(content("state"), "new");
	assert_int_equal(unlink(in_folder("state")), 0);
}

static void test_quiesce_drops_jobs_keeps_files(void **state)
{
	(void)state;
	int gate[2];
	assert_int_equal(pipe(gate), 0);
	for (int i = 0; i < 10; i++) {
		assert_true(submit(gate[0], 'x'));
	}
	assert_int_equal(worker_write(service.worker, in_folder("last"), "l", 1, 0600), 0);
	(void)close(gate[1]);
	worker_quiesce(service.worker);
	assert_int_equal(finished, 10);
	assert_int_equal(dropped, 10);
	assert_false(submit(-1, 'y'));
	assert_int_equal(worker_write(service.worker, in_folder("later"), "l", 1, 0600), 0);
	worker_drain(service.worker);
	assert_string_equal(content("last"), "l");
	assert_string_equal(content("later"), "l");
	assert_int_equal(unlink(in_folder("last")), 0);
	assert_int_equal(unlink(in_folder("later")), 0);
	(void)close(gate[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_jobs_run_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queue_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files_coalesce_by_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty_file_and_remove, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk_keeps_the_old_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quiesce_drops_jobs_keeps_files, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
