/* SPDX-License-Identifier: MIT */
/*
 * Reads a request. The path is taken from REQUEST_URI, as the client sent it, and decoded once, as
 * a whole, which is what nginx does before it chooses a location: both see the same path.
 * DOCUMENT_URI and SCRIPT_NAME + PATH_INFO, for servers that send no REQUEST_URI, are decoded by
 * the server already.
 */
#include "fcgi/request.h"

#include "base/clock.h"
#include "base/parse.h"
#include "core/ident.h"

#include <string.h>
#include <strings.h>

#define DRAIN_CHUNK 16384
#define Q_ONE	    1000 /* quality values are kept in thousandths */

#define NAME(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
static const struct {
	const char *name;
	size_t len;
} env_of[ENV__MAX] = {
	[ENV_METHOD] = NAME("REQUEST_METHOD"),
	[ENV_REQUEST_URI] = NAME("REQUEST_URI"),
	[ENV_DOCUMENT_URI] = NAME("DOCUMENT_URI"),
	[ENV_SCRIPT_NAME] = NAME("SCRIPT_NAME"),
	[ENV_PATH_INFO] = NAME("PATH_INFO"),
	[ENV_QUERY] = NAME("QUERY_STRING"),
	[ENV_LENGTH] = NAME("CONTENT_LENGTH"),
	[ENV_ENCODING] = NAME("HTTP_CONTENT_ENCODING"),
	[ENV_IDEMPOTENCY] = NAME("HTTP_IDEMPOTENCY_KEY"),
	[ENV_AUTHORIZATION] = NAME("HTTP_AUTHORIZATION"),
	[ENV_IF_NONE_MATCH] = NAME("HTTP_IF_NONE_MATCH"),
	[ENV_LANGUAGE] = NAME("HTTP_ACCEPT_LANGUAGE"),
	[ENV_REMOTE] = NAME("REMOTE_ADDR"),
	[ENV_ID] = NAME("HTTP_X_REQUEST_ID"),
	[ENV_SERVER_ID] = NAME("CASCADE_REQUEST_ID"),
};
#undef NAME

void
request_env(char *const *envp, const char *env[ENV__MAX])
{
	memset(env, 0, ENV__MAX * sizeof(*env));
	for (; *envp != NULL; envp++) {
		const char *eq = strchr(*envp, '=');

		if (eq == NULL || eq[1] == '\0')
			continue;
		for (size_t i = 0; i < ENV__MAX; i++) {
			if (env_of[i].len == (size_t)(eq - *envp) &&
			    memcmp(env_of[i].name, *envp, env_of[i].len) == 0)
				env[i] = eq + 1;
		}
	}
}

/* The quality of one element of Accept-Language, its parameters at S: "", ";q=0.8". */
static int
quality(const char *s, size_t n)
{
	const char *end = s + n;
	int q = 0;

	while (s < end && (*s == ';' || *s == ' ' || *s == '\t'))
		s++;
	if (s == end)
		return Q_ONE;
	if (end - s < 3 || strncasecmp(s, "q=", 2) != 0 || s[2] != '0')
		return end - s >= 3 && s[2] == '1' ? Q_ONE : 0;
	s += 3;
	if (s < end && *s == '.')
		s++;
	for (int unit = Q_ONE / 10; unit > 0 && s < end && *s >= '0' && *s <= '9'; unit /= 10)
		q += (*s++ - '0') * unit;
	return q;
}

/* Is the N bytes language range S of LANG ("en", "en-GB")? */
static bool
is_language(const char *s, size_t n, const char *lang)
{
	return n >= 2 && strncasecmp(s, lang, 2) == 0 && (n == 2 || s[2] == '-');
}

enum lang
request_language(const char *accept)
{
	enum lang best = LANG_ZH;
	int best_q = 0;

	while (accept != NULL && *accept != '\0') {
		size_t len, tag;
		int q;

		accept += strspn(accept, ", \t");
		len = strcspn(accept, ",");
		tag = strcspn(accept, ",; \t");
		q = quality(accept + tag, len - tag);
		if (q > best_q && is_language(accept, tag, "en")) {
			best = LANG_EN;
			best_q = q;
		} else if (q > best_q && is_language(accept, tag, "zh")) {
			best = LANG_ZH;
			best_q = q;
		}
		accept += len;
	}
	return best;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes percent escapes of S[0..N) into OUT (N + 1 bytes). Its length, or -1 for a bad escape. */
static ptrdiff_t
unescape(char *out, const char *s, size_t n, bool plus)
{
	char *to = out;

	for (size_t i = 0; i < n; i++) {
		int hi, lo;

		if (s[i] != '%') {
			*to++ = plus && s[i] == '+' ? ' ' : s[i];
			continue;
		}
		if (n - i < 3)
			return -1;
		hi = hex_value(s[i + 1]);
		lo = hex_value(s[i + 2]);
		if (hi < 0 || lo < 0)
			return -1;
		*to++ = (char)(hi * 16 + lo);
		i += 2;
	}
	*to = '\0';
	return to - out;
}

/* Text as it is to be from here on: no NUL, well-formed UTF-8. */
static enum cs_err
check_text(const char *s, size_t n, const char *field, struct fault *f)
{
	if (memchr(s, '\0', n) != NULL)
		return cs_bad_as(f, CS_EINPUT, field, MSG_R_NUL);
	if (!parse_is_utf8(s, n))
		return cs_bad_as(f, CS_EINPUT, field, MSG_R_UTF8);
	return CS_OK;
}

/* Decodes N bytes of S; FIELD is what to call it when it is refused. PLUS: + is a blank. */
static enum cs_err
decode(const char *s, size_t n, bool plus, const char *field, struct arena *a, const char **out,
    struct fault *f)
{
	char *text = arena_alloc(a, n + 1);
	ptrdiff_t len;

	if (text == NULL)
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	len = unescape(text, s, n, plus);
	if (len < 0)
		return cs_bad_as(f, CS_EINPUT, field, MSG_R_PERCENT);
	TRY(check_text(text, (size_t)len, field, f));
	*out = text;
	return CS_OK;
}

/* The path as the client sees it, decoded. */
static enum cs_err
find_path(const char *const env[ENV__MAX], struct arena *a, const char **out, struct fault *f)
{
	const char *uri = env[ENV_REQUEST_URI];

	if (uri != NULL)
		return decode(uri, strcspn(uri, "?#"), false, "path", a, out, f);
	*out = env[ENV_DOCUMENT_URI];
	if (*out == NULL)
		*out = arena_printf(a, "%s%s",
		    env[ENV_SCRIPT_NAME] != NULL ? env[ENV_SCRIPT_NAME] : "",
		    env[ENV_PATH_INFO] != NULL ? env[ENV_PATH_INFO] : "");
	if (*out == NULL)
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	return check_text(*out, strlen(*out), "path", f);
}

/* The mount point that PATH is below: the longest prefix that ends at a segment's end. */
static const struct conf_mount *
find_mount(const struct conf *conf, const char *path)
{
	const struct conf_mount *best = NULL;

	for (size_t i = 0; i < conf->nmounts; i++) {
		const struct conf_mount *m = &conf->mount[i];

		if (strncmp(path, m->prefix, m->prefix_len) == 0 &&
		    (path[m->prefix_len] == '/' || path[m->prefix_len] == '\0') &&
		    (best == NULL || m->prefix_len > best->prefix_len))
			best = m;
	}
	return best;
}

static enum cs_err
parse_path(struct req *q, const char *const env[ENV__MAX], const struct conf *conf, struct arena *a,
    struct fault *f)
{
	const char *path;
	size_t len;

	TRY(find_path(env, a, &path, f));
	q->mount = find_mount(conf, path);
	if (q->mount != NULL)
		path += q->mount->prefix_len;
	len = strlen(path);
	if (len > 1 && path[len - 1] == '/')
		len--;
	q->path = arena_strndup(a, path, len);
	return q->path != NULL ? CS_OK : cs_fail(f, CS_ENOMEM, MSG_NONE);
}

/* "name=value", N bytes of it. */
static enum cs_err
parse_pair(struct pair *p, const char *s, size_t n, struct arena *a, struct fault *f)
{
	const char *eq = memchr(s, '=', n);
	size_t name_len = eq != NULL ? (size_t)(eq - s) : n;
	size_t value_at = eq != NULL ? name_len + 1 : n;

	TRY(decode(s, name_len, true, "query", a, &p->name, f));
	return decode(s + value_at, n - value_at, true, p->name, a, &p->value, f);
}

static enum cs_err
parse_query(struct req *q, const char *s, struct arena *a, struct fault *f)
{
	while (s != NULL && *s != '\0') {
		size_t n;

		s += strspn(s, "&");
		n = strcspn(s, "&");
		if (n > 0 && q->nquery == REQ_MAX_QUERY)
			return cs_bad_as(f, CS_EINPUT, "query", MSG_R_COUNT, REQ_MAX_QUERY);
		if (n > 0)
			TRY(parse_pair(&q->query[q->nquery++], s, n, a, f));
		s += n;
	}
	return CS_OK;
}

/* The caller's id, the web server's, or one of our own: the first that is fit to be sent and
 * logged. */
static const char *
choose_id(const char *const env[ENV__MAX], struct arena *a)
{
	char made[UUID_LEN + 1] = "";
	const char *id = made;

	if (env[ENV_ID] != NULL && ident_request_id_is_sane(env[ENV_ID]))
		id = env[ENV_ID];
	else if (env[ENV_SERVER_ID] != NULL && ident_request_id_is_sane(env[ENV_SERVER_ID]))
		id = env[ENV_SERVER_ID];
	else if (!ident_uuid7(made, clock_wall_ms()))
		return "-";
	id = arena_strdup(a, id);
	return id != NULL ? id : "-";
}

enum cs_err
request_parse(struct req *q, const char *const env[ENV__MAX], const struct conf *conf,
    struct arena *a, struct fault *f)
{
	q->id = choose_id(env, a);
	q->authorization = arena_strdup(a, env[ENV_AUTHORIZATION]);
	q->encoding = arena_strdup(a, env[ENV_ENCODING]);
	q->idempotency_key = arena_strdup(a, env[ENV_IDEMPOTENCY]);
	q->if_none_match = arena_strdup(a, env[ENV_IF_NONE_MATCH]);
	q->accept_language = arena_strdup(a, env[ENV_LANGUAGE]);
	q->remote_addr = arena_strdup(a, env[ENV_REMOTE]);
	q->path = "";
	f->lang = request_language(q->accept_language);
	TRY(parse_path(q, env, conf, a, f));
	return parse_query(q, env[ENV_QUERY], a, f);
}

enum cs_err
request_body(struct req *q, FCGX_Stream *in, const char *length, int64_t max, struct buf *buf,
    struct fault *f)
{
	int64_t len;
	char *to;

	if (length == NULL)
		return CS_OK;
	if (!parse_int(length, 0, INT64_MAX, &len))
		return cs_bad_as(f, CS_EINPUT, "Content-Length", MSG_R_RANGE, 0LL, (long long)max);
	if (len > max)
		return cs_bad_as(f, CS_ETOOLARGE, "body", MSG_R_MAX_BYTES, (long long)max);
	if (len == 0)
		return CS_OK;
	to = buf_reserve(buf, (size_t)len);
	if (to == NULL)
		return cs_fail(f, CS_ENOMEM, MSG_NONE);
	if (FCGX_GetStr(to, (int)len, in) != len)
		return cs_bad_as(f, CS_EINPUT, "body", MSG_R_INCOMPLETE);
	buf->len += (size_t)len;
	q->body = buf->data;
	q->body_len = buf->len;
	return CS_OK;
}

void
request_drain(FCGX_Stream *in)
{
	char trash[DRAIN_CHUNK];

	while (FCGX_GetStr(trash, sizeof(trash), in) == (int)sizeof(trash))
		;
}
