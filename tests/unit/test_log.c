/* SPDX-License-Identifier: MIT */
/*
 * Log lines: form, escapes, cuts, levels, files and their rotation, and that a log nobody reads
 * neither blocks nor kills.
 */
#include "base/log.h"
#include "base/parse.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[3000], path[3100], moved[3100];

static int
make_dir(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(dir, sizeof(dir), "%s/test_log.XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(moved, sizeof(moved), "%s/log.1", dir);
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	unlink(path);
	unlink(moved);
	return rmdir(dir);
}

static void
open_log(enum log_level level)
{
	struct fault f = { 0 };

	assert_int_equal(log_open("test", path, level, &f), CS_OK);
}

/* The file's text, and an empty file again. */
static const char *
take(const char *file)
{
	static char text[8192];
	FILE *in = fopen(file, "r");
	size_t n;

	assert_non_null(in);
	n = fread(text, 1, sizeof(text) - 1, in);
	text[n] = '\0';
	fclose(in);
	assert_int_equal(truncate(file, 0), 0);
	return text;
}

static void
test_form(void **state)
{
	struct log_line l;
	const char *line;
	int64_t at;
	char time[20], expected[128];

	(void)state;
	open_log(LOG_LVL_INFO);
	log_begin(&l, LOG_LVL_INFO, "request");
	log_str(&l, "id", "a-1");
	log_str(&l, "absent", NULL);
	log_int(&l, "status", 200);
	log_int(&l, "least", INT64_MIN);
	log_end(&l);

	line = take(path);
	assert_memory_equal(line, "time=", 5);
	memcpy(time, line + 5, 19);
	time[19] = '\0';
	assert_true(parse_time_utc(time, &at));
	snprintf(expected, sizeof(expected),
	    "Z level=info prog=test pid=%d event=request id=a-1 status=200"
	    " least=-9223372036854775808\n",
	    (int)getpid());
	assert_int_equal(line[24], '.');
	assert_string_equal(line + 28, expected);
}

static void
test_values(void **state)
{
	static const struct {
		const char *value, *expected;
	} cases[] = {
		{ "Az09._:/+@,-", "Az09._:/+@,-" },
		{ "", "\"\"" },
		{ "a b", "\"a b\"" },
		{ "a=b", "\"a=b\"" },
		{ "say \"hi\"", "\"say \\\"hi\\\"\"" },
		{ "back\\slash", "\"back\\\\slash\"" },
		{ "x\nlevel=error", "\"x\\nlevel=error\"" },
		{ "tab\there", "\"tab\\there\"" },
		{ "\r\x1b[31m\x7f", "\"\\x0d\\x1b[31m\\x7f\"" },
		{ "节点😀", "\"节点😀\"" },
		{ "bad\xff\xe4\xb8", "\"bad\\xff\\xe4\\xb8\"" },
	};

	(void)state;
	open_log(LOG_LVL_INFO);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct log_line l;
		const char *line;

		log_begin(&l, LOG_LVL_INFO, "e");
		log_str(&l, "v", cases[i].value);
		log_str(&l, "end", "1");
		log_end(&l);
		line = strstr(take(path), " v=");
		assert_non_null(line);
		assert_memory_equal(line + 3, cases[i].expected, strlen(cases[i].expected));
		assert_string_equal(line + 3 + strlen(cases[i].expected), " end=1\n");
	}
}

/* Whatever the lengths before it, a cut line is one line of whole characters with its mark. */
static void
test_cut(void **state)
{
	static char big[4000];

	(void)state;
	open_log(LOG_LVL_INFO);
	for (size_t before = 0; before < 2100; before += 7) {
		struct log_line l;
		const char *line;
		size_t n;

		memset(big, 'x', sizeof(big) - 1);
		big[before] = '\0';
		log_begin(&l, LOG_LVL_INFO, "e");
		log_str(&l, "pad", big);
		for (size_t i = 0; i + 3 < sizeof(big); i += 3)
			memcpy(big + i, "节", 3);
		log_str(&l, "v", big);
		log_str(&l, "later", "1");
		log_end(&l);
		line = take(path);
		n = strlen(line);
		assert_true(n <= sizeof(l.text) && line[n - 1] == '\n');
		assert_ptr_equal(strchr(line, '\n'), line + n - 1);
		assert_true(parse_is_utf8(line, n));
		assert_true(strstr(line, "…\"\n") != NULL || strstr(line, "…\n") != NULL);
		assert_null(strstr(line, "later"));
	}
}

static void
test_levels(void **state)
{
	(void)state;
	open_log(LOG_LVL_WARN);
	assert_true(log_enabled(LOG_LVL_ERROR));
	assert_false(log_enabled(LOG_LVL_INFO));
	log_info("quiet", "x");
	log_debug("quiet", "x");
	assert_string_equal(take(path), "");
	log_warn("loud", "%d of %d", 1, 2);
	assert_non_null(strstr(take(path), "level=warn prog=test"));
	open_log(LOG_LVL_DEBUG);
	log_debug("loud", "%s", "a b");
	assert_non_null(strstr(take(path), "event=loud msg=\"a b\"\n"));
	log_error("loud", "x");
	assert_non_null(strstr(take(path), "level=error"));
}

static void
test_fault(void **state)
{
	struct fault f = { .lang = LANG_EN };

	(void)state;
	open_log(LOG_LVL_INFO);
	cs_detail(&f, CS_EDBDOWN, "errno 2006");
	log_fault(LOG_LVL_ERROR, "db", &f);
	assert_non_null(strstr(take(path), "event=db error=database_away msg=\"errno 2006\"\n"));
	cs_bad(&f, "limit", MSG_R_REQUIRED);
	log_fault(LOG_LVL_ERROR, "in", &f);
	assert_non_null(strstr(take(path),
	    "error=invalid_field field=limit reason=\"is required\" msg=\"invalid parameter\"\n"));
}

static void
test_reopen(void **state)
{
	struct fault f = { 0 };

	(void)state;
	open_log(LOG_LVL_INFO);
	assert_int_equal(rename(path, moved), 0);
	log_info("before", "x");
	assert_int_equal(log_reopen(&f), CS_OK);
	log_info("after", "x");
	assert_non_null(strstr(take(moved), "event=before"));
	assert_non_null(strstr(take(path), "event=after"));
}

static void
test_open_errors(void **state)
{
	struct fault f = { 0 };

	(void)state;
	open_log(LOG_LVL_INFO);
	assert_int_equal(log_open("t", "relative", LOG_LVL_INFO, &f), CS_ECONFIG);
	assert_int_equal(log_open("t", "/nonexistent/dir/log", LOG_LVL_INFO, &f), CS_EIO);
	assert_non_null(strstr(f.detail, "/nonexistent/dir/log"));
	log_info("still", "x");
	assert_non_null(strstr(take(path), "prog=test"));
}

/* Stderr is a pipe: first full, then without a reader. Neither may block or raise SIGPIPE. */
static void
test_dead_pipe(void **state)
{
	struct fault f = { 0 };
	int saved = dup(STDERR_FILENO), ends[2];
	static char drained[1 << 17];
	const char *last;
	ssize_t n;

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	close(ends[1]);
	assert_int_equal(log_open("test", "stderr", LOG_LVL_INFO, &f), CS_OK);
	for (int i = 0; i < 2000; i++)
		log_info("fill", "%0100d", i);
	n = read(ends[0], drained, sizeof(drained));
	assert_true(n > 0 && drained[n - 1] == '\n');
	log_info("again", "x");
	n = read(ends[0], drained, sizeof(drained) - 1);
	assert_true(n > 0);
	drained[n] = '\0';
	last = strstr(drained, "event=again msg=x lost_lines=");
	assert_non_null(last);
	close(ends[0]);
	log_info("closed", "x");
	dup2(saved, STDERR_FILENO);
	close(saved);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_fault),
		cmocka_unit_test(test_reopen),
		cmocka_unit_test(test_open_errors),
		cmocka_unit_test(test_dead_pipe),
	};

	return cmocka_run_group_tests_name("log", tests, make_dir, remove_dir);
}
