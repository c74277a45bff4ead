/* SPDX-License-Identifier: MIT */
/*
 * One call on a handle of its own, so that no state passes from one to the next. The address check
 * hangs on the opening of the socket, after name resolution, so no second resolution can slip
 * another address in; and again on the sending of the request, since a kept connection may have
 * been opened for a call that was allowed more. A redirect would evade it and is not followed.
 */
#include "net/http_client_priv.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>

/* A bundle takes tens of milliseconds to read, but one that was replaced has to count soon. */
#define CA_KEPT_S 60L

static void
url_cleanup(CURLU **u)
{
	curl_url_cleanup(*u);
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
	size_t len = size * n, room = t->max - b->len;

	t->full = len > room;
	buf_add(b, p, t->full ? room : len);
	return t->full ? 0 : len;
}

static bool
may_reach(struct transfer *t, const struct sockaddr *addr, socklen_t len)
{
	struct http_answer *a = t->answer;

	if (t->anywhere || (t->host != NULL && outbound_allows(&t->outbound, t->host, addr)))
		return true;
	t->refused = true;
	if (getnameinfo(addr, len, a->why, sizeof(a->why), NULL, 0, NI_NUMERICHOST) != 0)
		a->why[0] = '\0';
	return false;
}

/* The place of the check: here is what will be connected to. */
static curl_socket_t
on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	if (purpose != CURLSOCKTYPE_IPCXN || !may_reach(arg, &to->addr, to->addrlen))
		return CURL_SOCKET_BAD;
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* Whose connection is about to be used: it may be one that another call has opened. */
static int
on_request(void *arg, char *ip, char *own_ip, int port, int own_port)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	bool may;

	(void)own_ip, (void)port, (void)own_port;
	if (inet_pton(AF_INET, ip, &in.sin_addr) == 1)
		may = may_reach(arg, (const struct sockaddr *)&in, sizeof(in));
	else
		may = inet_pton(AF_INET6, ip, &in6.sin6_addr) == 1 &&
		      may_reach(arg, (const struct sockaddr *)&in6, sizeof(in6));
	return may ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
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

bool
http_host(const char *url, char *host, size_t size)
{
	char *found = host_of(url);
	bool fits = found != NULL && strlen(found) < size;

	if (fits)
		strcpy(host, found);
	curl_free(found);
	return fits;
}

/* False: out of memory. "Expect:" keeps curl from asking first, and waiting, with a long body. */
static bool
add_headers(struct curl_slist **list, const struct http_call *call)
{
	static const char *const none[] = { NULL };
	const char *const *own = call->headers != NULL ? call->headers : none;
	struct curl_slist *more = curl_slist_append(NULL, "Expect:");

	if (more != NULL && call->body != NULL) {
		*list = more;
		more = curl_slist_append(*list, "Content-Type: application/json");
	}
	while (more != NULL) {
		*list = more;
		if (*own == NULL)
			return true;
		more = curl_slist_append(*list, *own++);
	}
	return false;
}

/* False: out of memory. */
static bool
set_method(CURL *h, const struct http_call *call)
{
	static const char *const names[HTTP_METHOD__MAX] = { "POST", "GET", "PUT", "DELETE" };
	const char *body = call->body != NULL ? call->body : "";
	size_t len = call->body_len != 0 ? call->body_len : strlen(body);

	if (call->method == HTTP_GET && call->body == NULL)
		return curl_easy_setopt(h, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	return curl_easy_setopt(h, CURLOPT_COPYPOSTFIELDS, body) == CURLE_OK &&
	       curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, names[call->method]) == CURLE_OK;
}

static const char *
given(const char *s)
{
	return s != NULL && s[0] != '\0' ? s : NULL;
}

/* Unless it is told that there is none, curl asks the system's directory of authorities too. */
static void
set_authorities(CURL *h, const char *ca_file)
{
	if (given(ca_file) == NULL)
		return;
	curl_easy_setopt(h, CURLOPT_CAINFO, ca_file);
	curl_easy_setopt(h, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(h, CURLOPT_CA_CACHE_TIMEOUT, CA_KEPT_S);
}

static void
set_tls(CURL *h, const struct http_tls *tls)
{
	static const struct http_tls defaults = { 0 };

	if (tls == NULL)
		tls = &defaults;
	curl_easy_setopt(h, CURLOPT_PROXY, tls->proxy != NULL ? tls->proxy : "");
	set_authorities(h, tls->ca_file);
	curl_easy_setopt(h, CURLOPT_SSLCERT, given(tls->cert_file));
	curl_easy_setopt(h, CURLOPT_SSLKEY, given(tls->key_file));
	curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, tls->insecure ? 0L : 1L);
	curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, tls->insecure ? 0L : 2L);
}

static void
set_up(CURL *h, struct transfer *t, const struct http_call *call)
{
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, t->words);
	curl_easy_setopt(h, CURLOPT_PRIVATE, t);
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	/* a name that does not resolve must not hold up who gave up on it */
	curl_easy_setopt(h, CURLOPT_QUICK_EXIT, 1L);
	/* what has no host is no URL: curl then says so */
	curl_easy_setopt(h, CURLOPT_URL, t->host != NULL ? call->url : NULL);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(h, CURLOPT_USERAGENT, PACKAGE_NAME "/" PACKAGE_VERSION);
	curl_easy_setopt(h, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, call->connect_ms);
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, call->total_ms);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(h, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(h, CURLOPT_PREREQDATA, t);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, t);
	set_tls(h, call->tls);
}

bool
transfer_init(struct transfer *t, const struct http_call *call, struct http_answer *answer)
{
	t->h = curl_easy_init();
	t->host = host_of(call->url);
	t->outbound = call->outbound;
	t->anywhere = call->anywhere;
	t->max = call->max;
	t->answer = answer;
	answer->retry_after = -1;
	if (t->h == NULL || !add_headers(&t->headers, call))
		return false;
	set_up(t->h, t, call);
	return set_method(t->h, call);
}

enum http_result
transfer_conclude(struct transfer *t, CURLcode rc)
{
	struct http_answer *a = t->answer;
	curl_off_t wait = 0;
	long status = 0;

	curl_easy_getinfo(t->h, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->h, CURLINFO_RETRY_AFTER, &wait);
	a->status = (int)status;
	a->retry_after = wait > 0 ? (long)wait : -1;
	if (rc == CURLE_OK || t->full)
		return HTTP_ANSWERED;
	if (t->refused && (rc == CURLE_COULDNT_CONNECT || rc == CURLE_ABORTED_BY_CALLBACK))
		return HTTP_REFUSED;
	if (rc == CURLE_OPERATION_TIMEDOUT)
		return HTTP_TIMEOUT;
	snprintf(
	    a->why, sizeof(a->why), "%s", t->words[0] != '\0' ? t->words : curl_easy_strerror(rc));
	return HTTP_FAILED;
}

void
transfer_fini(struct transfer *t)
{
	curl_easy_cleanup(t->h);
	curl_slist_free_all(t->headers);
	curl_free(t->host);
}

enum http_result
http_call(const struct http_call *call, struct http_answer *a)
{
	cs_cleanup(transfer_fini) struct transfer t = { 0 };

	if (!transfer_init(&t, call, a)) {
		snprintf(a->why, sizeof(a->why), "out of memory");
		return HTTP_FAILED;
	}
	return transfer_conclude(&t, curl_easy_perform(t.h));
}
