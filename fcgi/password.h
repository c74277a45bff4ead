/* SPDX-License-Identifier: MIT */
/* Comparing a password with what WeRSS stores of it. Pure. */
#ifndef CS_FCGI_PASSWORD_H
#define CS_FCGI_PASSWORD_H

#include "base/base.h"

/*
 * Is PASSWORD the one of HASH: bcrypt, of a cost up to COST_MAX? Another HASH, or NULL, is not
 * compared with, but costs as much time as one that WeRSS stores: who waits learns nothing.
 */
bool password_is(const char *password, const char *hash, int64_t cost_max);

#endif
