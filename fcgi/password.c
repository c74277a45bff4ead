/* SPDX-License-Identifier: MIT */
/*
 * bcrypt by libcrypt. What is stored decides how long a comparison takes, so only bcrypt of a
 * bounded cost is let near libcrypt: other schemes carry costs of their own.
 */
#include "fcgi/password.h"

#include "base/parse.h"
#include "core/ident.h"

#include <string.h>

#include <crypt.h>

#define PREFIX_LEN  3 /* "$2b" */
#define SETTING_LEN 7 /* "$2b$12$" */
#define BCRYPT_LEN  60

/* Nobody's: the cost that WeRSS stores passwords with. */
static const char nobody[] = "$2b$12$C6UzMDM.H6dfI/f/IKcEeO7e3hbbPDkkUHZUZr3Kv6bEEFDfyPHzu";

static bool
is_bcrypt(const char *hash, int64_t cost_max)
{
	char cost[3] = "";
	int64_t n;

	if (strlen(hash) != BCRYPT_LEN || hash[0] != '$' || hash[1] != '2' ||
	    strchr("aby", hash[2]) == NULL || hash[PREFIX_LEN] != '$' ||
	    hash[SETTING_LEN - 1] != '$')
		return false;
	memcpy(cost, hash + PREFIX_LEN + 1, 2);
	return cost[0] >= '0' && cost[0] <= '9' && parse_int(cost, 0, cost_max, &n);
}

bool
password_is(const char *password, const char *hash, int64_t cost_max)
{
	bool usable = hash != NULL && is_bcrypt(hash, cost_max);
	const char *stored = usable ? hash : nobody;
	struct crypt_data data = { 0 };
	const char *given = crypt_rn(password, stored, &data, (int)sizeof(data));
	bool same = given != NULL && ident_equal(given, stored);

	explicit_bzero(&data, sizeof(data));
	return same && usable;
}
