/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Many private copies of the library in one process, and how they are found and loaded (design D2).
 */
#include "tests/unit/stack/stacktest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* 50 networks, each of two hosts with the same addresses and ports, all at once. */
static void hundred_copies_are_isolated(void **state)
{
	enum { NETWORKS = 50 };
	static struct pair pairs[NETWORKS];
	struct conn *clients[NETWORKS];
	(void)state;
	for (int i = 0; i < NETWORKS; i++) {
		pair_open(&pairs[i], 1);
	}
	for (int i = 0; i < NETWORKS; i++) {
		assert_ptr_not_equal(pairs[i].a->ops, pairs[0].b->ops);
		clients[i] = host_connect(pairs[i].a, "10.1.0.2", PORT, 50000);
		conn_send(clients[i], 1000 + (uint64_t)i, false);
	}
	for (int i = 0; i < NETWORKS; i++) {
		wire_run(&pairs[i].wire, 1000);
	}
	for (int i = 0; i < NETWORKS; i++) {
		struct conn *s = host_conn(pairs[i].b, 0);
		assert_non_null(s);
		assert_int_equal(s->received, 1000 + i);
		assert_null(host_conn(pairs[i].b, 1));
		wire_close(&pairs[i].wire);
	}
}

static void one_stack_per_copy_and_again_after_destroy(void **state)
{
	struct wire w;
	(void)state;
	wire_open(&w, 5);
	struct host *h = wire_host(&w, 1, "10.1.0.1", 24);
	struct stack_config config = {
		.size = sizeof(config), .mtu = 1500, .callbacks = &h->callbacks, .context = h
	};
	assert_null(h->ops->create(&config));
	assert_int_equal(h->ops->tcp_listen(h->stack, PORT), 0);
	struct conn *c = host_connect(h, "10.1.0.9", PORT, 50000);
	assert_non_null(c->tcp);
	struct stack_stats stats;
	h->ops->destroy(h->stack);
	assert_false(c->is_closed); /* destroy makes no callbacks */
	config.mtu = 100;
	assert_null(h->ops->create(&config));
	config.mtu = 1500;
	config.size = 4;
	assert_null(h->ops->create(&config));
	config.size = sizeof(config);
	h->stack = h->ops->create(&config);
	assert_non_null(h->stack);
	h->ops->stats(h->stack, &stats);
	assert_int_equal(stats.heap_bytes, 0);
	assert_int_equal(h->ops->tcp_listen(h->stack, PORT), 0);
	wire_close(&w);
}

static void another_abi_is_refused(void **state)
{
	struct wire w;
	(void)state;
	wire_open(&w, 5);
	struct host *h = wire_host(&w, 1, NULL, 0);
	assert_int_equal(h->ops->abi, STACK_ABI);
	assert_int_equal(h->ops->size, sizeof(*h->ops));
	wire_close(&w);
}

static void loading_fails_with_a_sentence(void **state)
{
	struct stacklib library;
	char why[512] = "", path[512];
	(void)state;
	assert_int_equal(stacklib_load(&library, "/nonexistent/liblwip.so", why, sizeof(why)),
			 -ENOENT);
	assert_non_null(strstr(why, "/nonexistent/liblwip.so"));
	assert_int_equal(stacklib_load(&library, "/proc/self/exe", why, sizeof(why)), -ELIBBAD);
	assert_null(library.handle);
	char folder[] = "/tmp/stacklib.XXXXXX";
	assert_non_null(mkdtemp(folder));
	assert_int_equal(stacklib_find(folder, path, sizeof(path), why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, folder));
	(void)snprintf(path, sizeof(path), "%s/liblwip.so", folder);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0666), 0);
	char found[512];
	assert_int_equal(stacklib_find(folder, found, sizeof(found), why, sizeof(why)), -EACCES);
	assert_non_null(strstr(why, "chmod"));
	assert_int_equal(fchmod(fd, 0644), 0);
	assert_int_equal(stacklib_find(folder, found, sizeof(found), why, sizeof(why)), 0);
	assert_string_equal(found, path);
	assert_int_equal(stacklib_load(&library, found, why, sizeof(why)), -ELIBBAD); /* empty */
	(void)close(fd);
	(void)unlink(path);
	(void)rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hundred_copies_are_isolated),
		cmocka_unit_test(one_stack_per_copy_and_again_after_destroy),
		cmocka_unit_test(another_abi_is_refused),
		cmocka_unit_test(loading_fails_with_a_sentence),
	};
	return cmocka_run_group_tests_name("stack/copies", tests, NULL, NULL);
}
