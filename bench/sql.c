/* SPDX-License-Identifier: MIT */
/*
 * Statements per second straight at the database: the ceilings. Each thread has a connection of its
 * own and repeats one statement: prepared, every ? an integer (parameter letters: t the thread's
 * number, i numbers that no other thread uses, rising from FIRST on, r a random one of 1 to MAX),
 * or with an empty list of letters as text with $N replaced by a number that comes once. With a
 * RATE (statements/s of all, prepared ones only) each is due at a fixed time, and takes from then
 * on.
 */
#include "bench/text.h"

#include <err.h>
#include <mysql.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define THREADS_MAX 64
#define PARAMS_MAX  8

static const char *socket_path, *db_name, *statement, *letters;
static int64_t first, max, begin_ns, end_ns;
static double rate;
static int threads;

struct thread {
	pthread_t id;
	int number;
	uint64_t seed;
	int64_t done, affected;
	struct text_times times;
};

static int64_t
value_of(struct thread *t, char letter)
{
	switch (letter) {
	case 't':
		return t->number + 1;
	case 'i':
		return first + t->done * threads + t->number;
	case 'r':
		t->seed = t->seed * 6364136223846793005U + 1442695040888963407U;
		return 1 + (int64_t)((t->seed >> 33) % (uint64_t)max);
	default:
		errx(64, "no such parameter: %c", letter);
	}
}

/* When the next statement of T is due; waits until then. */
static int64_t
wait_due(const struct thread *t)
{
	int64_t due = begin_ns + (int64_t)((double)(t->done * threads + t->number) * 1e9 / rate);
	struct timespec at = { .tv_sec = due / 1000000000, .tv_nsec = due % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	return due;
}

/* Reads results away: of a text statement there may be several. */
static void
drain(MYSQL *m)
{
	do {
		mysql_free_result(mysql_store_result(m));
	} while (mysql_next_result(m) == 0);
	if (mysql_errno(m) != 0)
		errx(1, "%s", mysql_error(m));
}

static void
run_text(MYSQL *m, struct thread *t)
{
	struct text text = { 0 };
	struct text_values v = { 0 };
	char number[32];

	while (text_now_ns() < end_ns) {
		snprintf(number, sizeof(number), "%lld", (long long)value_of(t, 'i'));
		v.of['N' - 'A'] = number;
		text.len = 0;
		text_fill(&text, statement, &v);
		if (mysql_real_query(m, text.data, text.len) != 0)
			errx(1, "%s", mysql_error(m));
		t->affected += (int64_t)mysql_affected_rows(m);
		drain(m);
		t->done++;
	}
}

static void
run_prepared(MYSQL *m, struct thread *t)
{
	MYSQL_STMT *st = mysql_stmt_init(m);
	MYSQL_BIND bind[PARAMS_MAX];
	int64_t value[PARAMS_MAX];
	size_t n = strlen(letters);

	memset(bind, 0, sizeof(bind));
	if (n > PARAMS_MAX || st == NULL)
		errx(64, "too many parameters");
	for (size_t i = 0; i < n; i++) {
		bind[i].buffer_type = MYSQL_TYPE_LONGLONG;
		bind[i].buffer = &value[i];
	}
	if (mysql_stmt_prepare(st, statement, strlen(statement)) != 0 ||
	    mysql_stmt_param_count(st) != n || mysql_stmt_bind_param(st, bind) != 0)
		errx(1, "%s: %s", statement, mysql_stmt_error(st));
	for (; text_now_ns() < end_ns; t->done++) {
		int64_t due = rate > 0 ? wait_due(t) : text_now_ns();

		for (size_t i = 0; i < n; i++)
			value[i] = value_of(t, letters[i]);
		if (mysql_stmt_execute(st) != 0)
			errx(1, "%s", mysql_stmt_error(st));
		do {
			if (mysql_stmt_field_count(st) > 0 && mysql_stmt_store_result(st) != 0)
				errx(1, "%s", mysql_stmt_error(st));
		} while (mysql_stmt_next_result(st) == 0);
		t->affected += (int64_t)mysql_stmt_affected_rows(st);
		mysql_stmt_free_result(st);
		text_took(&t->times, text_now_ns() - due);
	}
	mysql_stmt_close(st);
}

static void *
run(void *arg)
{
	struct thread *t = arg;
	MYSQL *m = mysql_init(NULL);

	if (m == NULL ||
	    mysql_real_connect(m, NULL, NULL, NULL, db_name, 0, socket_path, 0) == NULL)
		errx(1, "%s", m != NULL ? mysql_error(m) : "no memory");
	if (letters[0] != '\0')
		run_prepared(m, t);
	else
		run_text(m, t);
	mysql_close(m);
	mysql_thread_end();
	return NULL;
}

int
main(int argc, char **argv)
{
	static struct thread t[THREADS_MAX];
	struct text_times times = { 0 };
	int64_t done = 0, affected = 0;
	double took;

	if (argc != 10)
		errx(64, "usage: sql SOCKET DATABASE THREADS SECONDS LETTERS FIRST MAX FILE RATE");
	socket_path = argv[1];
	db_name = argv[2];
	threads = (int)strtol(argv[3], NULL, 10);
	letters = argv[5];
	first = strtoll(argv[6], NULL, 10);
	max = strtoll(argv[7], NULL, 10);
	statement = text_read(argv[8]);
	rate = strtod(argv[9], NULL);
	if (threads < 1 || threads > THREADS_MAX || mysql_library_init(0, NULL, NULL) != 0)
		errx(64, "1 to %d threads", THREADS_MAX);
	begin_ns = text_now_ns();
	end_ns = begin_ns + (int64_t)(strtod(argv[4], NULL) * 1e9);
	for (int i = 0; i < threads; i++) {
		t[i].number = i;
		t[i].seed = (uint64_t)i + 1;
		if (pthread_create(&t[i].id, NULL, run, &t[i]) != 0)
			errx(1, "pthread_create");
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(t[i].id, NULL);
		done += t[i].done;
		affected += t[i].affected;
		text_merge(&times, &t[i].times);
	}
	text_sort(&times);
	took = (double)(text_now_ns() - begin_ns) / 1e9;
	printf("{\"rate\": %.1f, \"done\": %lld, \"affected\": %lld, \"seconds\": %.3f, \"cpu_s\": "
	       "%.3f, "
	       "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
	    (double)done / took, (long long)done, (long long)affected, took, text_cpu_s(),
	    text_percentile_ms(&times, 0.5), text_percentile_ms(&times, 0.99),
	    text_percentile_ms(&times, 1));
	return 0;
}
