/* SPDX-License-Identifier: MIT */
/* Executors as real processes: their surroundings, their ends, and what they leave behind. */
#include "agent/runner.h"

#include "base/clock.h"
#include "base/parse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SCENARIO     TEST_DATA "/executors/scenario.sh"
#define TASK_PACKAGE "{\"allocation_id\":\"A1\",\"feeds\":[{\"id\":\"F1\"}]}"
#define PATIENCE     120000 /* ms */

static const char *const feeds[] = { "F1" };

/* What was called back. */
struct attempt {
	struct runner *r;
	struct buf text; /* a line each */
	size_t records;
	bool ended;
	enum outcome outcome;
	char why[512];
	const char *stop_at; /* stopped as soon as this article has come */
};

static char root[] = "/tmp/test_runner.XXXXXX";

static void
on_record(void *arg, const struct record *rec)
{
	struct attempt *a = arg;

	a->records++;
	if (a->records <= 100)
		buf_printf(&a->text, "%d %s\n", rec->type,
		    rec->article_id != NULL ? rec->article_id : rec->feed_id);
	if (a->stop_at != NULL && strcmp(a->stop_at, rec->article_id) == 0)
		runner_stop(a->r, "told to");
}

static void
on_note(void *arg, const char *text)
{
	buf_printf(&((struct attempt *)arg)->text, "note: %s\n", text);
}

static void
on_end(void *arg, enum outcome o, const char *why)
{
	struct attempt *a = arg;

	assert_false(a->ended);
	a->ended = true;
	a->outcome = o;
	snprintf(a->why, sizeof(a->why), "%s", why);
}

static const struct runner_ops ops = { on_record, on_note, on_end };

static struct runner_job
job_of(const char *const *argv)
{
	return (struct runner_job){ .argv = argv,
		.package = TASK_PACKAGE,
		.package_len = strlen(TASK_PACKAGE),
		.allocation_id = "A1",
		.task_id = "T1",
		.attempt = 2,
		.root = root,
		.feeds = feeds,
		.nfeeds = 1,
		.limits = { .grace_s = 30 } };
}

static void
start(struct attempt *a, const struct runner_job *job)
{
	struct fault f = { .lang = LANG_EN };

	buf_puts(&a->text, "");
	a->r = runner_start(job, &ops, a, &f);
	if (a->r == NULL)
		fail_msg("%s", f.detail);
}

static void
wait_for_end(struct attempt *a)
{
	int64_t until = clock_mono_ms() + PATIENCE;
	struct pollfd fds[RUNNER_FDS];
	size_t n;

	while (!a->ended) {
		assert_true(clock_mono_ms() < until);
		n = runner_fds(a->r, fds);
		assert_in_range(n, 0, RUNNER_FDS);
		poll(fds, n, runner_timeout_ms(a->r));
		runner_step(a->r);
	}
	assert_true(runner_ended(a->r));
	assert_int_equal(runner_fds(a->r, fds), 0);
	runner_step(a->r);
}

static size_t
entries(const char *path)
{
	DIR *dir = opendir(path);
	size_t n = 0;

	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void
fini(struct attempt *a)
{
	runner_free(a->r);
	buf_free(&a->text);
}

static void
run_job(struct attempt *a, const struct runner_job *job)
{
	start(a, job);
	wait_for_end(a);
	assert_int_equal(entries(root), 0);
}

static void
run(struct attempt *a, const char *scenario, const char *arg)
{
	const char *const argv[] = { SCENARIO, scenario, arg, NULL };
	struct runner_job job = job_of(argv);

	run_job(a, &job);
}

static bool
is_alive(pid_t pid)
{
	char path[64], state = 'X';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 'X';
	fclose(file);
	return state != 'Z' && state != 'X';
}

static bool
dies(pid_t pid)
{
	for (int64_t until = clock_mono_ms() + PATIENCE; is_alive(pid);) {
		if (clock_mono_ms() > until)
			return false;
		clock_sleep_ms(10);
	}
	return true;
}

static pid_t
pid_in(const char *log)
{
	char text[16];
	int64_t pid;

	snprintf(text, sizeof(text), "%.*s", (int)strcspn(log, "\n"), log);
	assert_true(parse_int(text, 2, INT32_MAX, &pid));
	return (pid_t)pid;
}

static void
test_done(void **state)
{
	struct attempt a = { 0 };

	(void)state;
	run(&a, "done", NULL);
	assert_string_equal(a.text.data, "note: the package is standard input\nnote: at home\n"
					 "note: A1/2/T1\n0 a\n1 F1\n");
	assert_int_equal(a.outcome, OUTCOME_DONE);
	assert_string_equal(a.why, "");
	assert_string_equal(runner_log(a.r), "progress\n");
	fini(&a);
}

/* Nothing of ours gets in: variables, descriptors, signals. */
static void
test_surroundings(void **state)
{
	struct attempt a = { 0 }, b = { 0 };
	sigset_t usr1;
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	setenv("CASCADE_API_SECRET", "hidden", 1);
	setenv("TZ", "Asia/Shanghai", 1);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	run(&a, "environment", NULL);
	assert_string_equal(runner_log(a.r),
	    "CASCADE_ALLOCATION_ID CASCADE_ATTEMPT CASCADE_TASK_ID "
	    "CASCADE_WORK_DIR HOME LANG PATH TZ ");
	run(&b, "descriptors", NULL);
	assert_string_equal(runner_log(b.r), "SigBlk: 0\nSigIgn: 0\n");
	sigprocmask(SIG_UNBLOCK, &usr1, NULL);
	signal(SIGUSR2, SIG_DFL);
	unsetenv("CASCADE_API_SECRET");
	unsetenv("TZ");
	close(fd);
	fini(&a);
	fini(&b);
}

static void
test_exits(void **state)
{
	static const struct {
		const char *status;
		enum outcome outcome;
		const char *why;
	} rows[] = {
		{ "0", OUTCOME_DONE, "" },
		{ "75", OUTCOME_RETRY, "exit status 75: the last words" },
		{ "69", OUTCOME_BANNED, "exit status 69: the last words" },
		{ "1", OUTCOME_FAILED, "exit status 1: the last words" },
		{ "255", OUTCOME_FAILED, "exit status 255: the last words" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct attempt a = { 0 };

		run(&a, "exit", rows[i].status);
		assert_int_equal(a.outcome, rows[i].outcome);
		assert_string_equal(a.why, rows[i].why);
		assert_string_equal(a.text.data, "0 before\n");
		fini(&a);
	}
}

static void
test_not_there(void **state)
{
	const char *const argv[] = { "/nowhere/collect", NULL };
	struct runner_job job = job_of(argv);
	struct attempt a = { 0 };
	struct fault f = { 0 };

	(void)state;
	run_job(&a, &job);
	assert_int_equal(a.outcome, OUTCOME_FAILED);
	assert_string_equal(
	    a.why, "exit status 127: cannot run /nowhere/collect: No such file or directory");
	fini(&a);
	job.root = "/nowhere";
	assert_null(runner_start(&job, &ops, &a, &f));
	assert_int_equal(f.code, CS_EIO);
	assert_string_equal(
	    f.detail, "cannot make a directory in /nowhere: No such file or directory");
}

static void
test_signal(void **state)
{
	struct attempt a = { 0 };

	(void)state;
	run(&a, "signal", NULL);
	assert_int_equal(a.outcome, OUTCOME_KILLED);
	assert_string_equal(a.why, "killed by signal 11 (Segmentation fault)");
	fini(&a);
}

static void
test_broken_lines(void **state)
{
	struct attempt a = { 0 };

	(void)state;
	run(&a, "broken", NULL);
	assert_string_equal(a.text.data,
	    "0 a\nnote: line 2 of the executor's output: is not valid JSON: unexpected text, byte "
	    "1\n"
	    "note: line 3 of the executor's output: future: unknown type\n0 b\n"
	    "note: line 5 of the executor's output: is not valid JSON: unexpected end of data, "
	    "byte 38\n");
	assert_int_equal(a.outcome, OUTCOME_FAILED);
	fini(&a);
}

/* It does not listen to SIGTERM. */
static void
test_time_limit(void **state)
{
	const char *const argv[] = { SCENARIO, "hang", NULL };
	struct runner_job job = job_of(argv);
	struct attempt a = { 0 };

	(void)state;
	job.limits = (struct runner_limits){ .timeout_s = 1, .grace_s = 1 };
	run_job(&a, &job);
	assert_int_equal(a.outcome, OUTCOME_TIMEOUT);
	assert_string_equal(a.why, "time limit of 1 s");
	assert_string_equal(a.text.data, "0 before\n");
	fini(&a);
}

/* What it still says after SIGTERM counts, its exit status does not. */
static void
test_stop(void **state)
{
	const char *const argv[] = { SCENARIO, "polite", NULL };
	struct runner_job job = job_of(argv);
	struct attempt a = { .stop_at = "before" };

	(void)state;
	run_job(&a, &job);
	assert_int_equal(a.outcome, OUTCOME_KILLED);
	assert_string_equal(a.why, "told to");
	assert_string_equal(a.text.data, "0 before\n0 after\n");
	fini(&a);
}

static void
test_limits(void **state)
{
	const char *const memory[] = { SCENARIO, "memory", NULL }, *const processor[] = { SCENARIO,
		"processor", NULL };
	struct runner_job job = job_of(memory);
	struct attempt a = { 0 }, b = { 0 };

	(void)state;
	job.limits.memory = INT64_C(512) << 20;
	run_job(&a, &job);
	assert_int_equal(a.outcome, OUTCOME_FAILED);
	assert_string_equal(a.why, "exit status 1: MemoryError");
	job = job_of(processor);
	job.limits.cpu_s = 1;
	run_job(&b, &job);
	assert_int_equal(b.outcome, OUTCOME_TIMEOUT);
	assert_string_equal(b.why, "processor time limit of 1 s");
	fini(&a);
	fini(&b);
}

/* Its child holds the pipes open and holds nobody up; it is ended as well. */
static void
test_grandchild(void **state)
{
	struct attempt a = { 0 };

	(void)state;
	run(&a, "grandchild", NULL);
	assert_int_equal(a.outcome, OUTCOME_DONE);
	assert_string_equal(a.text.data, "0 a\n");
	assert_true(dies(pid_in(runner_log(a.r))));
	fini(&a);
}

/* One that left the group is found by its environment. */
static void
test_sweep(void **state)
{
	struct attempt a = { 0 };
	pid_t pid;

	(void)state;
	run(&a, "escaped", NULL);
	assert_int_equal(a.outcome, OUTCOME_DONE);
	pid = pid_in(runner_log(a.r));
	assert_true(is_alive(pid));
	runner_sweep(root);
	assert_true(dies(pid));
	fini(&a);
}

/* As fast as it can, and far more than a pipe holds. */
static void
test_flood(void **state)
{
	struct attempt a = { 0 };
	const char *log;

	(void)state;
	run(&a, "flood", NULL);
	assert_int_equal(a.outcome, OUTCOME_DONE);
	assert_int_equal(a.records, 20000);
	log = runner_log(a.r);
	assert_in_range(strlen(log), RUNNER_LOG_MAX - 16, RUNNER_LOG_MAX);
	assert_non_null(strstr(log, "noise 19999\nnoise 甲乙丙\n"));
	assert_true(parse_is_utf8(log, strlen(log)));
	fini(&a);
}

static void
test_locked_directory(void **state)
{
	struct attempt a = { 0 };

	(void)state;
	run(&a, "mess", NULL); /* looks for what is left in root */
	assert_int_equal(a.outcome, OUTCOME_DONE);
	fini(&a);
}

static int
own_function(const void *arg, const char *package, size_t len, int out_fd)
{
	if (len != strlen(TASK_PACKAGE) || memcmp(package, TASK_PACKAGE, len) != 0)
		return 1;
	dprintf(out_fd, "{\"type\":\"article\",\"article\":{\"id\":\"%s\",\"mp_id\":\"F1\"}}\n",
	    (const char *)arg);
	dprintf(STDERR_FILENO, "in %s\n", getenv("CASCADE_WORK_DIR") != NULL ? "place" : "doubt");
	return 75;
}

static void
test_function(void **state)
{
	struct runner_job job = job_of(NULL);
	struct attempt a = { 0 };

	(void)state;
	job.function = own_function;
	job.arg = "x";
	run_job(&a, &job);
	assert_string_equal(a.text.data, "0 x\n");
	assert_int_equal(a.outcome, OUTCOME_RETRY);
	assert_string_equal(a.why, "exit status 75: in place");
	fini(&a);
}

/* runner_free() of one that runs. */
static void
test_abandon(void **state)
{
	const char *const argv[] = { SCENARIO, "hang", NULL };
	struct runner_job job = job_of(argv);
	struct attempt a = { 0 };
	pid_t pid;

	(void)state;
	start(&a, &job);
	pid = runner_pid(a.r);
	fini(&a);
	assert_false(is_alive(pid));
	assert_int_equal(entries(root), 0);
}

/* The node dies by SIGKILL: the program with it, its child and directory at the next start. */
static void
test_killed_node(void **state)
{
	const char *const argv[] = { "/bin/sh", "-c", "sleep 1000 & echo $! >&2; wait", NULL };
	struct runner_job job = job_of(argv);
	struct attempt a = { 0 };
	pid_t node, pids[2];
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	node = fork();
	if (node == 0) {
		start(&a, &job);
		while (*runner_log(a.r) == '\0') {
			runner_step(a.r);
			clock_sleep_ms(10);
		}
		pids[0] = runner_pid(a.r);
		pids[1] = pid_in(runner_log(a.r));
		if (write(pipes[1], pids, sizeof(pids)) != sizeof(pids))
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], pids, sizeof(pids)), sizeof(pids));
	kill(node, SIGKILL);
	assert_int_equal(waitpid(node, NULL, 0), node);
	assert_true(dies(pids[0]));
	assert_int_equal(entries(root), 1);
	runner_sweep(root);
	assert_true(dies(pids[1]));
	assert_int_equal(entries(root), 0);
	close(pipes[0]);
	close(pipes[1]);
}

/* After all of them: no descriptor, no zombie. */
static void
test_nothing_left(void **state)
{
	static size_t before;
	struct attempt a = { 0 };

	(void)state;
	before = entries("/proc/self/fd");
	run(&a, "done", NULL);
	fini(&a);
	assert_int_equal(entries("/proc/self/fd"), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static int
make_root(void **state)
{
	(void)state;
	return mkdtemp(root) != NULL ? 0 : -1;
}

static int
remove_root(void **state)
{
	(void)state;
	return rmdir(root);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_done),
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_exits),
		cmocka_unit_test(test_not_there),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_broken_lines),
		cmocka_unit_test(test_time_limit),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_grandchild),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_locked_directory),
		cmocka_unit_test(test_function),
		cmocka_unit_test(test_abandon),
		cmocka_unit_test(test_killed_node),
		cmocka_unit_test(test_nothing_left),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
