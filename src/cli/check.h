/* SPDX-License-Identifier: MIT */
/* What cascadectl check finds, and the checks that take more than a statement. */
#ifndef CS_CLI_CHECK_H
#define CS_CLI_CHECK_H

#include "cli/cli.h"

#define FINDINGS_MAX 100

/* What is wrong, one entry each; no entry: nothing. Text in the command's arena. */
struct findings {
	const char *text[FINDINGS_MAX];
	size_t n;
};

/* Adds TEXT, copied; what is beyond FINDINGS_MAX, or out of memory, is left out. */
void check_add(struct cli *c, struct findings *found, const char *text);

/* check_host.c. A failure is a finding of its own, the caller's to add. */
enum cs_err check_database(struct cli *c, struct findings *found) cs_mustcheck;
enum cs_err check_mysql(struct cli *c, struct findings *found) cs_mustcheck;
enum cs_err check_schema(struct cli *c, struct findings *found) cs_mustcheck;
enum cs_err check_secret(struct cli *c, struct findings *found) cs_mustcheck;
enum cs_err check_insecure(struct cli *c, struct findings *found) cs_mustcheck;
enum cs_err check_clock(struct cli *c, struct findings *found) cs_mustcheck;
enum cs_err check_cron(struct cli *c, struct findings *found) cs_mustcheck;
enum cs_err check_addresses(struct cli *c, struct findings *found) cs_mustcheck;
enum cs_err check_admin(struct cli *c, struct findings *found) cs_mustcheck;

#endif
