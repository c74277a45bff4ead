/* SPDX-License-Identifier: MIT */
/* Files of feeds, CSV or JSON, as `cascadectl feed import` takes them. */
#ifndef CS_CLI_FEED_FILE_H
#define CS_CLI_FEED_FILE_H

#include "cli/cli.h"
#include "db/db_admin.h"

struct feed_list {
	struct db_feed *feed; /* heap; caller frees */
	size_t n, size;
};

/*
 * Reads every feed of TEXT into LIST, its text in the arena. FORMAT is "csv", "json" or NULL: told
 * by the first character. CS_EINVALID names line or element and field, FILE in front.
 */
enum cs_err feed_file_parse(struct cli *c, const char *file, const char *format, const char *text,
    size_t len, struct feed_list *list) cs_mustcheck;

#endif
