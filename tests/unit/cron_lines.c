/* SPDX-License-Identifier: MIT */
/*
 * Answers lines "AFTER N ZONE EXPRESSION" on standard input, each with a line of the next N
 * occurrences in UTC seconds, or with "!" and why it cannot. For tests that ask too often to start
 * a program each time.
 */
#include "core/cron.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZONE_SIZE (ZONE_NAME_MAX + 1)

static void
print_next(const struct cron *cron, const struct zone *zone, int64_t at, int n)
{
	const char *before = "";

	for (; n > 0 && cron_next(cron, zone, at, "", &at); n--, before = " ")
		printf("%s%" PRId64, before, at);
	putchar('\n');
}

static void
answer(const char *line)
{
	char name[ZONE_SIZE];
	struct fault f = { .lang = LANG_EN };
	struct zone *zone = NULL;
	struct cron cron;
	int64_t after;
	int n, end;

	if (sscanf(line, "%" SCNd64 " %d %64s %n", &after, &n, name, &end) != 3)
		exit(1);
	if (cron_parse(line + end, &cron, &f) != CS_OK || zone_open(name, &zone, &f) != CS_OK)
		printf("! %s: %s\n", f.field, f.reason);
	else
		print_next(&cron, zone, after, n);
	zone_free(zone);
	fflush(stdout);
}

int
main(void)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		line[strcspn(line, "\n")] = '\0';
		answer(line);
	}
	free(line);
	return 0;
}
