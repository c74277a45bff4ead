/* SPDX-License-Identifier: MIT */
/*
 * Who has the preference for waiting work, from the short texts that the database gives: the nodes
 * whose attempt at it failed ("1,7"), and the available nodes with quota left for its feeds
 * ("1=3,7=1"). Pure; source of the rules: docs/design.md, "Choosing a node". Text that is not of
 * this form counts up to where it goes wrong.
 */
#ifndef CS_CORE_PREFER_H
#define CS_CORE_PREFER_H

#include "base/base.h"

/* The numbers of "1,7" into OUT, at most MAX. Returns how many. */
size_t prefer_parse_nodes(const char *list, int64_t *out, size_t max);
/* Is NODE in "1,7"? */
bool prefer_has_node(const char *list, int64_t node);
/* Has another node of "1=3,7=1" more quota left than NODE has? */
bool prefer_is_elsewhere(const char *quotas, int64_t node);

#endif
