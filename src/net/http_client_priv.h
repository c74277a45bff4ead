/* SPDX-License-Identifier: MIT */
/* One call on a curl handle of its own: what http_call() and http_multi have in common. */
#ifndef CS_NET_HTTP_CLIENT_PRIV_H
#define CS_NET_HTTP_CLIENT_PRIV_H

#include "net/http_client.h"

#include <curl/curl.h>

struct transfer {
	CURL *h;
	struct curl_slist *headers;
	char *host; /* of the URL, without brackets; NULL: it has none */
	struct outbound outbound;
	bool anywhere;
	size_t max;
	struct http_answer *answer;
	bool refused;
	bool full; /* the answer is longer than it may be */
	char words[CURL_ERROR_SIZE];
};

/*
 * Makes T (zeroed, not moved afterwards) ready to perform CALL, of which it copies all but
 * outbound.allow, and to fill ANSWER (zeroed). False: out of memory. transfer_fini() it either way.
 */
bool transfer_init(
    struct transfer *t, const struct http_call *call, struct http_answer *answer) cs_mustcheck;
/* The outcome of T, which curl ended with RC; completes the answer. */
enum http_result transfer_conclude(struct transfer *t, CURLcode rc);
void transfer_fini(struct transfer *t);

#endif
