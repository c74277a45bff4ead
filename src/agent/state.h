/* SPDX-License-Identifier: MIT */
/* The directory of an instance: STATE_DIR/INSTANCE, with lock, spool, status and work directories.
 */
#ifndef CS_AGENT_STATE_H
#define CS_AGENT_STATE_H

#include "base/err.h"

#include <sys/types.h>

#define STATE_DEFAULT "default" /* the instance without a name */
#define STATE_SPOOL   "spool.db"

/* Letters, digits, '-', '_' and '.', not beginning with a dot, at most 64. */
bool state_is_name(const char *instance);
/* The path of INSTANCE (NULL: the default one); the caller's to free. NULL: no memory. */
char *state_dir(const char *root, const char *instance);
/* Makes DIR, its parent and its work directory where they are missing, for this user alone. */
enum cs_err state_make(const char *dir, struct fault *f) cs_mustcheck;
/* Takes the lock of DIR until this process ends. CS_EBUSY: another process has it. */
enum cs_err state_lock(const char *dir, struct fault *f) cs_mustcheck;
/* The process that has the lock of DIR; 0: none. */
pid_t state_holder(const char *dir);
/* Puts LEN bytes into DIR/NAME, at once or not at all; errno says why not. Not for what must last.
 */
bool state_replace(const char *dir, const char *name, const char *data, size_t len) cs_mustcheck;

#endif
