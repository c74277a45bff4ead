/* SPDX-License-Identifier: MIT */
/* What an instance does now, for people and programs: `cascade-node status`. */
#ifndef CS_AGENT_STATUS_H
#define CS_AGENT_STATUS_H

#include "base/err.h"

struct jw;
struct spool;

/* Figures, last errors and last ends of S as members of the object that W is in. */
void status_put_spool(struct jw *w, struct spool *s);
/*
 * Prints the status of the instance whose directory is DIR; JSON: as one object. Returns the exit
 * status: 0 it runs, 3 it does not, or that of an error.
 */
int status_show(const char *dir, bool json);

#endif
