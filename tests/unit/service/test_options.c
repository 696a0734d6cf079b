/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* service/options.c: the command line of vl2 11.1 and netcon.md 1.2, and the man page beside it. */
#include "service/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* options_parse wants main's argv: writable copies. */
static struct options parse(const char *environment, const char *const argv[])
{
	struct options options;
	char *copies[16] = { NULL };
	int argc = 0;
	for (; argv[argc]; argc++) {
		copies[argc] = strdup(argv[argc]);
		assert_non_null(copies[argc]);
	}
	options_parse(argc, copies, environment, &options);
	for (int i = 0; i < argc; i++) {
		free(copies[i]);
	}
	return options;
}

#define PARSE(...) parse(NULL, (const char *[]){ "zerotier-netcon-service", __VA_ARGS__, NULL })

static void test_walk_through(void **state)
{
	(void)state;
	struct options o = PARSE("-d", "-p8000", "/home/u/netcon/");
	assert_int_equal(o.action, OPTIONS_RUN);
	assert_true(o.is_daemon);
	assert_true(o.use_sandbox);
	assert_int_equal(o.port, 8000);
	assert_string_equal(o.home, "/home/u/netcon");
}

static void test_defaults(void **state)
{
	(void)state;
	struct options o = parse(NULL, (const char *[]){ "x", NULL });
	assert_int_equal(o.action, OPTIONS_RUN);
	assert_false(o.is_daemon);
	assert_int_equal(o.port, 9993);
	assert_string_equal(o.home, "/var/lib/zerotier-one");
	o = parse("/env/home", (const char *[]){ "x", "-U", NULL });
	assert_string_equal(o.home, "/env/home");
	o = parse("/env/home",
		  (const char *[]){ "x", "/arg", "--foreground", "--no-sandbox", NULL });
	assert_string_equal(o.home, "/arg");
	assert_false(o.use_sandbox);
	o = parse("", (const char *[]){ "x", NULL });
	assert_string_equal(o.home, "/var/lib/zerotier-one");
	assert_string_equal(PARSE("/").home, "/");
}

static void test_port_forms(void **state)
{
	(void)state;
	assert_int_equal(PARSE("-p", "1234").port, 1234);
	assert_int_equal(PARSE("--port=65535").port, 65535);
	assert_int_equal(PARSE("--port", "0").port, 0);
	static const char *const wrong[] = { "-p65536", "-p-1", "-p80x", "-p ", "-p+5", "--port=" };
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		char text[16];
		(void)strcpy(text, wrong[i]);
		struct options o = PARSE(text);
		assert_int_equal(o.action, OPTIONS_BAD);
		assert_non_null(strstr(o.error, "0 to 65535"));
	}
	assert_non_null(strstr(PARSE("-p").error, "wants a value"));
}

static void test_usage_errors(void **state)
{
	(void)state;
	assert_non_null(strstr(PARSE("/a", "/b").error, "two home directories"));
	assert_non_null(strstr(PARSE("-x").error, "unknown option"));
	assert_non_null(strstr(PARSE("--nonsense").error, "unknown option"));
	assert_non_null(strstr(PARSE("-dx").error, "unknown option"));
	assert_non_null(strstr(PARSE("--daemon=yes").error, "unknown option"));
	char longest[OPTIONS_HOME_BYTES + 1];
	memset(longest, 'a', sizeof longest);
	longest[OPTIONS_HOME_BYTES] = '\0';
	assert_non_null(strstr(PARSE(longest).error, "longer than"));
}

static void test_other_actions(void **state)
{
	(void)state;
	assert_int_equal(PARSE("-h").action, OPTIONS_HELP);
	assert_int_equal(PARSE("--help").action, OPTIONS_HELP);
	assert_int_equal(PARSE("-v").action, OPTIONS_VERSION);
	assert_int_equal(PARSE("--version").action, OPTIONS_FULL_VERSION);
	/* The first such switch decides; what follows belongs to the tool. */
	struct options o = PARSE("-q", "-x", "info");
	assert_int_equal(o.action, OPTIONS_CLI);
	assert_int_equal(o.tool_index, 1);
	assert_int_equal(PARSE("-i", "generate").action, OPTIONS_IDTOOL);
}

static void test_program_names(void **state)
{
	(void)state;
	struct options o = parse(NULL, (const char *[]){ "/usr/bin/zerotier-cli", "-h", NULL });
	assert_int_equal(o.action, OPTIONS_CLI);
	assert_int_equal(o.tool_index, 0);
	o = parse(NULL, (const char *[]){ "./zerotier-idtool", NULL });
	assert_int_equal(o.action, OPTIONS_IDTOOL);
	/* Only the last part of the path counts. */
	o = parse(NULL, (const char *[]){ "/zerotier-cli/service", NULL });
	assert_int_equal(o.action, OPTIONS_RUN);
}

static char *help_text(void)
{
	char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);
	assert_non_null(f);
	options_help(f, "prog");
	assert_int_equal(fclose(f), 0);
	return text;
}

static char *man_page(void)
{
	static char page[65536];
	FILE *f = fopen("man/zerotier-netcon-service.8", "r");
	assert_non_null(f);
	size_t length = fread(page, 1, sizeof page - 1, f);
	assert_int_equal(fclose(f), 0);
	page[length] = '\0';
	return page;
}

/* Every row of options.def stands in --help and in the man page. */
static void test_help_and_man_page(void **state)
{
	(void)state;
	char *help = help_text();
	const char *page = man_page();
	static const struct {
		char letter;
		const char *name, *help;
	} rows[] = {
#define X(id, letter, name, argument, help) { letter, name, help },
#include "service/options.def"
#undef X
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[64];
		assert_non_null(strstr(help, rows[i].help));
		if (rows[i].letter != 0) {
			(void)snprintf(text, sizeof text, ".It Fl %c", rows[i].letter);
			assert_non_null(strstr(page, text));
		}
		if (rows[i].name) {
			(void)snprintf(text, sizeof text, "--%s", rows[i].name);
			assert_non_null(strstr(help, text));
			(void)snprintf(text, sizeof text, "Fl Fl %s", rows[i].name);
			assert_non_null(strstr(page, text));
		}
	}
	free(help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk_through),      cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_port_forms),        cmocka_unit_test(test_usage_errors),
		cmocka_unit_test(test_other_actions),     cmocka_unit_test(test_program_names),
		cmocka_unit_test(test_help_and_man_page),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
