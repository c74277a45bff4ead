/* SPDX-License-Identifier: MIT */
/* The first look at JSON text, for jx.c only. */
#ifndef CS_JSON_JX_SCAN_H
#define CS_JSON_JX_SCAN_H

#include "base/err.h"

/*
 * Refuses text of *N bytes that has bytes or tokens JSON does not have, too much depth, NUL or
 * \u0000 (see jx_parse()). Where json-c would misread the text, *REWRITTEN is an equivalent of *N
 * bytes that it reads right, the caller's to free; else it is left alone.
 */
enum cs_err jx_scan(const char *text, size_t *n, char **rewritten, struct fault *f) cs_mustcheck;
/* Fails with CS_EINPUT, field "body", MSG_R_JSON: WHAT is wrong at byte AT, counted from 0. */
enum cs_err jx_bad_json(struct fault *f, const char *what, size_t at);

#endif
