/* SPDX-License-Identifier: MIT */
/* Tries everything that a run needs, and says what is wrong and what to do: `cascade-node check`.
 */
#ifndef CS_AGENT_CHECK_H
#define CS_AGENT_CHECK_H

#include "agent/node_conf.h"

/* Prints a line for each thing that was tried. Returns the exit status of the first that failed. */
int check_show(struct node_conf *conf, const char *dir);

#endif
