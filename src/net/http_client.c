/* SPDX-License-Identifier: MIT */
/*
 * One POST on a handle of its own: calls are rare, and no state may pass from one to the next. The
 * address check hangs on the opening of the socket, after name resolution, so no second resolution
 * can slip another address in; a redirect or a proxy would evade it and is not followed or used.
 */
#include "net/http_client.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

struct transfer {
	const struct http_call *call;
	struct http_answer *answer;
	char *host; /* of the URL, without brackets */
	bool refused;
	bool full; /* the answer is longer than it may be */
};

static void
easy_cleanup(CURL **h)
{
	curl_easy_cleanup(*h);
}
static void
slist_cleanup(struct curl_slist **l)
{
	curl_slist_free_all(*l);
}
static void
url_cleanup(CURLU **u)
{
	curl_url_cleanup(*u);
}
static void
text_cleanup(char **s)
{
	curl_free(*s);
}

void
http_answer_free(struct http_answer *a)
{
	buf_free(&a->body);
}

static size_t
on_body(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct buf *b = &t->answer->body;
	size_t len = size * n, room = t->call->max - b->len;

	t->full = len > room;
	buf_add(b, p, t->full ? room : len);
	return t->full ? 0 : len;
}

/* The place of the check: here is what will be connected to. */
static curl_socket_t
on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct transfer *t = arg;

	if (purpose != CURLSOCKTYPE_IPCXN)
		return CURL_SOCKET_BAD;
	if (outbound_allows(&t->call->outbound, t->host, &to->addr))
		return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
	t->refused = true;
	if (getnameinfo(&to->addr, to->addrlen, t->answer->why, sizeof(t->answer->why), NULL, 0,
		NI_NUMERICHOST) != 0)
		t->answer->why[0] = '\0';
	return CURL_SOCKET_BAD;
}

/* The host of the URL as curl itself reads it, so that both mean the same. NULL: none. */
static char *
host_of(const char *url)
{
	cs_cleanup(url_cleanup) CURLU *u = curl_url();
	char *host = NULL;
	size_t n;

	if (u == NULL || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		return NULL;
	n = strlen(host);
	if (host[0] == '[' && host[n - 1] == ']') {
		memmove(host, host + 1, n - 2);
		host[n - 2] = '\0';
	}
	return host;
}

/* False: out of memory. */
static bool
add_headers(struct curl_slist **list, const char *const *headers)
{
	struct curl_slist *more = curl_slist_append(NULL, "Content-Type: application/json");

	while (more != NULL) {
		*list = more;
		if (headers == NULL || *headers == NULL)
			return true;
		more = curl_slist_append(*list, *headers++);
	}
	return false;
}

static void
set_up(CURL *h, struct transfer *t, struct curl_slist *headers, char *words)
{
	const struct http_call *call = t->call;

	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, words);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_URL, call->url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(h, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(h, CURLOPT_POSTFIELDS, call->body);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, call->connect_ms);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, call->total_ms);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, t);
}

static enum http_result
conclude(CURL *h, const struct transfer *t, CURLcode rc, const char *words)
{
	struct http_answer *a = t->answer;
	long status = 0;

	curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	a->status = (int)status;
	if (rc == CURLE_OK || t->full)
		return HTTP_ANSWERED;
	if (rc == CURLE_COULDNT_CONNECT && t->refused)
		return HTTP_REFUSED;
	if (rc == CURLE_OPERATION_TIMEDOUT)
		return HTTP_TIMEOUT;
	snprintf(a->why, sizeof(a->why), "%s", words[0] != '\0' ? words : curl_easy_strerror(rc));
	return HTTP_FAILED;
}

enum http_result
http_post(const struct http_call *call, struct http_answer *a)
{
	cs_cleanup(text_cleanup) char *host = host_of(call->url);
	cs_cleanup(slist_cleanup) struct curl_slist *headers = NULL;
	cs_cleanup(easy_cleanup) CURL *h = curl_easy_init();
	struct transfer t = { .call = call, .answer = a, .host = host };
	char words[CURL_ERROR_SIZE] = "";

	if (host == NULL || h == NULL || !add_headers(&headers, call->headers)) {
		snprintf(a->why, sizeof(a->why), "%s", host == NULL ? "bad URL" : "out of memory");
		return HTTP_FAILED;
	}
	set_up(h, &t, headers, words);
	return conclude(h, &t, curl_easy_perform(h), words);
}
