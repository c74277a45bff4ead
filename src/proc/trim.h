/* SPDX-License-Identifier: MIT */
/* Memory that a process which waits for long need not hold. */
#ifndef CS_PROC_TRIM_H
#define CS_PROC_TRIM_H

#include "base/base.h"

/*
 * Gives the allocator's free pages back, and unmaps the pages of programs and libraries that were
 * read for something that is over, such as the start: what is used again comes back from the page
 * cache, and the rest need not be kept for us.
 */
void trim_memory(void);

#endif
