/* SPDX-License-Identifier: MIT */
/*
 * The pure parts of the way in and out: variables to struct req, Accept-Language, credentials and
 * tokens, parameters, and the envelope.
 */
#include "db/db_view.h"
#include "fcgi/request.h"

#include "core/ident.h"
#include "core/token.h"
#include "fcgi/credential.h"
#include "fcgi/response.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECRET "0123456789abcdef"
#define NOW    1700000000

static struct conf conf = {
	.mount = {
		{ "/api/v1/cascade", 15, 200, false },
		{ "/api/v1/wx/cascade", 18, 0, true },
		{ "/api/v1/cascade/deep", 20, 7, false },
	},
	.nmounts = 3,
};
static struct arena *arena;

static int
setup(void **state)
{
	(void)state;
	arena = arena_new(4 << 20);
	return arena == NULL;
}

static int
teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static enum cs_err
parse(struct req *q, const char *uri, const char *query, struct fault *f)
{
	const char *env[ENV__MAX] = { [ENV_REQUEST_URI] = uri, [ENV_QUERY] = query };

	memset(q, 0, sizeof(*q));
	memset(f, 0, sizeof(*f));
	return request_parse(q, env, &conf, arena, f);
}

static void
test_env(void **state)
{
	char method[] = "REQUEST_METHOD=GET", longer[] = "REQUEST_METHODS=x",
	     none[] = "QUERY_STRING=", odd[] = "REMOTE_ADDR",
	     auth[] = "HTTP_AUTHORIZATION=AK-SK a=b:c";
	char *envp[] = { longer, method, none, odd, auth, NULL };
	const char *env[ENV__MAX];

	(void)state;
	request_env(envp, env);
	assert_string_equal(env[ENV_METHOD], "GET");
	assert_string_equal(env[ENV_AUTHORIZATION], "AK-SK a=b:c");
	assert_null(env[ENV_QUERY]);
	assert_null(env[ENV_REMOTE]);
}

static void
test_path(void **state)
{
	static const struct {
		const char *uri, *path;
		int mount; /* index, -1: none */
	} rows[] = {
		{ "/api/v1/cascade/nodes", "/nodes", 0 },
		{ "/api/v1/cascade/nodes/?x=1", "/nodes", 0 },
		{ "/api/v1/cascade/nodes//", "/nodes/", 0 },
		{ "/api/v1/cascade", "", 0 },
		{ "/api/v1/cascade/", "/", 0 },
		{ "/api/v1/cascade/deeper", "/deeper", 0 },
		{ "/api/v1/cascade/deep/nodes", "/nodes", 2 },
		{ "/api/v1/wx/cascade/pending-tasks?limit=3", "/pending-tasks", 1 },
		{ "/api/v1/cascades/nodes", "/api/v1/cascades/nodes", -1 },
		{ "/%61pi/v1/cascade/nodes/%E4%BD%A0+b", "/nodes/你+b", 0 },
		{ "/api/v1/cascade/nodes/a%2fb", "/nodes/a/b", 0 },
		{ "/healthz", "/healthz", -1 },
		{ "/", "/", -1 },
		{ "*", "*", -1 },
	};
	struct fault f;
	struct req q;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(parse(&q, rows[i].uri, NULL, &f), CS_OK);
		assert_string_equal(q.path, rows[i].path);
		assert_ptr_equal(q.mount, rows[i].mount < 0 ? NULL : &conf.mount[rows[i].mount]);
	}
}

/* Where the server sends no REQUEST_URI, what it sends is decoded already. */
static void
test_path_of_other_servers(void **state)
{
	const char *env[ENV__MAX] = {
		[ENV_SCRIPT_NAME] = "/api/v1", [ENV_PATH_INFO] = "/cascade/a%41"
	};
	struct fault f = { 0 };
	struct req q = { 0 };

	(void)state;
	assert_int_equal(request_parse(&q, env, &conf, arena, &f), CS_OK);
	assert_string_equal(q.path, "/a%41");
	env[ENV_DOCUMENT_URI] = "/api/v1/wx/cascade/b";
	assert_int_equal(request_parse(&q, env, &conf, arena, &f), CS_OK);
	assert_string_equal(q.path, "/b");
	env[ENV_DOCUMENT_URI] = "/\xff";
	assert_int_equal(request_parse(&q, env, &conf, arena, &f), CS_EINPUT);
	assert_string_equal(f.field, "path");
}

static void
test_query(void **state)
{
	struct ctx c = { 0 };
	struct fault f;
	struct req q;

	(void)state;
	assert_int_equal(
	    parse(&q, "/", "&a=1&&b=x%20y+z&a=2&c&=e&d=%E4%BD%A0%26&e=a=b&", &f), CS_OK);
	c.req = &q;
	assert_string_equal(req_query(&c, "a"), "2");
	assert_string_equal(req_query(&c, "b"), "x y z");
	assert_string_equal(req_query(&c, "d"), "你&");
	assert_string_equal(req_query(&c, "e"), "a=b");
	assert_null(req_query(&c, "c"));
	assert_null(req_query(&c, "A"));
	assert_int_equal(q.nquery, 7);
}

static void
test_query_numbers(void **state)
{
	struct ctx c = { 0 };
	const char *text;
	int64_t limit, offset;
	struct fault f;
	struct req q;

	(void)state;
	c.req = &q;
	assert_int_equal(parse(&q, "/", "limit=200&offset=&t=%E4%BD%A0%E4%BD%A0", &f), CS_OK);
	assert_int_equal(req_page(&c, &limit, &offset), CS_OK);
	assert_int_equal(limit, 200);
	assert_int_equal(offset, 0);
	assert_int_equal(req_query_text(&c, "t", 2, &text), CS_OK);
	assert_string_equal(text, "你你");
	assert_int_equal(req_query_text(&c, "t", 1, &text), CS_EINVALID);
	assert_int_equal(req_query_text(&c, "none", 1, &text), CS_OK);
	assert_null(text);

	static const char *const bad[] = { "limit=0", "limit=201", "limit=1x", "limit=+",
		"offset=-1", "offset=9223372036854775808" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(parse(&q, "/", bad[i], &f), CS_OK);
		assert_int_equal(req_page(&c, &limit, &offset), CS_EINVALID);
		assert_int_equal(strncmp(bad[i], c.fault.field, strlen(c.fault.field)), 0);
	}
}

static void
test_refused(void **state)
{
	static const struct {
		const char *uri, *query, *field;
	} rows[] = {
		{ "/a%", NULL, "path" },
		{ "/a%4", NULL, "path" },
		{ "/a%4?x=41", NULL, "path" },
		{ "/a%0g", NULL, "path" },
		{ "/a%00", NULL, "path" },
		{ "/%c0%af", NULL, "path" },
		{ "/\xed\xa0\x80", NULL, "path" },
		{ "/", "a%=1", "query" },
		{ "/", "%00=1", "query" },
		{ "/", "a=1&b=%", "b" },
		{ "/", "b%20c=%ff", "b c" },
		{ "/", "a=%00", "a" },
	};
	char many[4 * (REQ_MAX_QUERY + 1) + 1] = "";
	struct fault f;
	struct req q;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(parse(&q, rows[i].uri, rows[i].query, &f), CS_EINPUT);
		assert_string_equal(f.field, rows[i].field);
		assert_string_not_equal(f.reason, "");
		assert_non_null(q.id); /* enough for an answer */
	}
	for (int i = 0; i < REQ_MAX_QUERY; i++)
		strcat(many, "a=1&");
	assert_int_equal(parse(&q, "/", many, &f), CS_OK);
	strcat(many, "b=1");
	assert_int_equal(parse(&q, "/", many, &f), CS_EINPUT);
	assert_string_equal(f.field, "query");
}

static void
test_request_id(void **state)
{
	const char *env[ENV__MAX] = { [ENV_ID] = "abc.1:2-3_Z", [ENV_SERVER_ID] = "server" };
	struct fault f = { 0 };
	struct req q = { 0 };

	(void)state;
	assert_int_equal(request_parse(&q, env, &conf, arena, &f), CS_OK);
	assert_string_equal(q.id, "abc.1:2-3_Z");
	env[ENV_ID] = "two words";
	assert_int_equal(request_parse(&q, env, &conf, arena, &f), CS_OK);
	assert_string_equal(q.id, "server");
	env[ENV_SERVER_ID] = "";
	assert_int_equal(request_parse(&q, env, &conf, arena, &f), CS_OK);
	assert_int_equal(strlen(q.id), UUID_LEN);
}

static void
test_language(void **state)
{
	static const struct {
		const char *accept;
		enum lang lang;
	} rows[] = {
		{ NULL, LANG_ZH },
		{ "", LANG_ZH },
		{ "*", LANG_ZH },
		{ "fr, de;q=0.9", LANG_ZH },
		{ "en", LANG_EN },
		{ "EN-us", LANG_EN },
		{ "english", LANG_ZH },
		{ "zh-CN,zh;q=0.9,en;q=0.8", LANG_ZH },
		{ "en-US,en;q=0.9,zh;q=0.8", LANG_EN },
		{ "zh;q=0.8, en;q=0.9", LANG_EN },
		{ "zh;q=0.8,en;q=0.85", LANG_EN },
		{ "zh;q=0.8,en;q=0.801", LANG_EN },
		{ "en;q=0.8,zh;q=0.8", LANG_EN },
		{ "en;q=1.0,zh;q=1", LANG_EN },
		{ "en ; q=0.1 , zh;q=0.2", LANG_ZH },
		{ "en;q=0", LANG_ZH },
		{ "en;q=0.000,zh;q=0", LANG_ZH },
		{ "en;q=", LANG_ZH },
		{ "en;q=9", LANG_ZH },
		{ "fr,en;q=0.1", LANG_EN },
		{ ",,, en", LANG_EN },
		{ "e", LANG_ZH },
		{ ";q=1", LANG_ZH },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (request_language(rows[i].accept) != rows[i].lang)
			fail_msg("%s", rows[i].accept);
	}
}

static void
test_credential(void **state)
{
	static const char *const bad[] = { NULL, "", "Bearer", "Bearer ", "Bearertoken",
		"Basic a:b", "AK-SK", "AK-SK ", "AK-SK key", "AK-SK :secret",
		"AK-SK key:", " Bearer x", "AK-SK k\xff:s", "Bearer\tx" };
	struct credential cred;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(credential_parse(bad[i], arena, &cred));
	assert_true(credential_parse("bEARER   abc.def.ghi", arena, &cred));
	assert_int_equal(cred.kind, CRED_TOKEN);
	assert_string_equal(cred.token, "abc.def.ghi");
	assert_true(credential_parse("ak-sk CNkey:CS:with:colons ", arena, &cred));
	assert_int_equal(cred.kind, CRED_KEY);
	assert_string_equal(cred.key, "CNkey");
	assert_string_equal(cred.secret, "CS:with:colons ");
}

static void
base64url(char *out, const unsigned char *p, size_t n)
{
	static const char abc[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned bits = 0, have = 0;

	for (size_t i = 0; i < n; i++) {
		bits = bits << 8 | p[i];
		for (have += 8; have >= 6; have -= 6)
			*out++ = abc[bits >> (have - 6) & 63];
	}
	if (have > 0)
		*out++ = abc[bits << (6 - have) & 63];
	*out = '\0';
}

/* HEADER.CLAIMS signed with SECRET, whatever they say. */
static void
sign(char token[2048], const char *header, const char *claims)
{
	char hex[SHA256_HEX_LEN + 1];
	unsigned char mac[SHA256_HEX_LEN / 2];

	base64url(token, (const unsigned char *)header, strlen(header));
	strcat(token, ".");
	base64url(token + strlen(token), (const unsigned char *)claims, strlen(claims));
	ident_hmac_sha256(hex, SECRET, strlen(SECRET), token, strlen(token));
	for (size_t i = 0; i < sizeof(mac); i++)
		assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &mac[i]), 1);
	strcat(token, ".");
	base64url(token + strlen(token), mac, sizeof(mac));
}

static void
test_token(void **state)
{
	static const char hs256[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
	static const struct {
		const char *header, *claims;
		bool good;
	} rows[] = {
		{ hs256, "{\"sub\":\"admin\",\"exp\":1700000001}", true },
		{ hs256, "{\"sub\":\"admin\",\"exp\":1700000001.25,\"nbf\":1700000060}", true },
		{ hs256, "{\"sub\":\"admin\",\"exp\":1700000000}", false },
		{ hs256, "{\"sub\":\"admin\",\"exp\":1700000000.75}", false },
		{ hs256, "{\"sub\":\"admin\",\"exp\":1e12}", false },
		{ hs256, "{\"sub\":\"admin\",\"exp\":\"1900000000\"}", false },
		{ hs256, "{\"sub\":\"admin\",\"exp\":null}", false },
		{ hs256, "{\"sub\":\"admin\",\"exp\":true}", false },
		{ hs256, "{\"sub\":\"admin\"}", false },
		{ hs256, "{\"sub\":\"admin\",\"exp\":1900000000,\"nbf\":1700000061}", false },
		{ hs256, "{\"sub\":\"admin\",\"exp\":1900000000,\"nbf\":\"x\"}", false },
		{ hs256, "{\"sub\":\"\",\"exp\":1900000000}", false },
		{ hs256, "{\"sub\":7,\"exp\":1900000000}", false },
		{ hs256, "{\"exp\":1900000000}", false },
		{ hs256, "[]", false },
		{ hs256, "", false },
		{ hs256, "{", false },
		{ "{\"alg\":\"none\"}", "{\"sub\":\"admin\",\"exp\":1900000000}", false },
		{ "{\"alg\":\"hs256\"}", "{\"sub\":\"admin\",\"exp\":1900000000}", false },
		{ "{\"alg\":[\"HS256\"]}", "{\"sub\":\"admin\",\"exp\":1900000000}", false },
		{ "{}", "{\"sub\":\"admin\",\"exp\":1900000000}", false },
		{ "{\"alg\":\"HS256\",\"crit\":[\"b64\"]}",
		    "{\"sub\":\"admin\",\"exp\":1900000000}", false },
	};
	char token[2048];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *sub;

		sign(token, rows[i].header, rows[i].claims);
		sub = credential_subject(token, SECRET, NOW, arena);
		if ((sub != NULL) != rows[i].good)
			fail_msg("%s %s", rows[i].header, rows[i].claims);
		if (sub != NULL)
			assert_string_equal(sub, "admin");
		assert_null(credential_subject(token, "another secret", NOW, arena));
	}
	assert_true(token_mint(token, sizeof(token), "bob", NOW, NOW + 60, SECRET));
	assert_string_equal(credential_subject(token, SECRET, NOW + 59, arena), "bob");
	assert_null(credential_subject(token, SECRET, NOW + 60, arena));
}

/* A context with an empty answer, and the reply to it. */
static void
open_reply(struct ctx *c, struct req *q, struct res *res, struct reply *r)
{
	memset(q, 0, sizeof(*q));
	memset(res, 0, sizeof(*res));
	memset(r, 0, sizeof(*r));
	*c = (struct ctx){ .req = q, .res = res, .arena = arena, .conf = &conf };
	q->id = "id-1";
	q->mount = &conf.mount[1];
	r->allow = "GET, HEAD";
	response_reset(res);
}

static void
close_reply(struct res *res, struct reply *r)
{
	buf_free(&res->data);
	buf_free(&r->header);
	buf_free(&r->opening);
}

/* The body of R as it is sent, and as long as R says. */
static const char *
body_of(const struct reply *r)
{
	const char *data = r->data->len > 0 ? r->data->data : "";
	const char *opening = r->opening.len > 0 ? r->opening.data : "";
	char *text = arena_printf(arena, "%s%s%s", opening, data, r->closing);

	assert_int_equal(strlen(text), r->body_len);
	return text;
}

static void
test_success(void **state)
{
	struct reply r;
	struct ctx c;
	struct req q;
	struct res res;

	(void)state;
	open_reply(&c, &q, &res, &r);
	res_ok_text(&c, MSG_NO_WORK_FULL, 3, 4);
	response_build(&r, &c);
	assert_string_equal(body_of(&r),
	    "{\"code\":0,\"message\":\"暂无待处理任务：节点已达容量上限 3/4\",\"data\":null}");

	response_reset(&res);
	q.mount = NULL;
	res.no_store = true;
	jw_obj(&res.w);
	res_total(&c, DB_TOTAL_MAX + 1);
	jw_obj_end(&res.w);
	res_ok(&c, MSG_SUCCESS);
	response_build(&r, &c);
	assert_string_equal(body_of(&r), "{\"code\":200,\"message\":\"success\",\"data\":{"
					 "\"total\":10000,\"total_exact\":false}}");
	assert_string_equal(r.header.data,
	    "Status: 200 OK\r\nContent-Type: application/json\r\nContent-Length: 75\r\n"
	    "X-Request-Id: id-1\r\nCache-Control: no-store\r\n\r\n");

	response_reset(&res);
	res.bare = true;
	jw_str(&res.w, "doc");
	response_build(&r, &c);
	assert_string_equal(body_of(&r), "\"doc\"");
	close_reply(&res, &r);
}

static void
test_errors(void **state)
{
	static const struct {
		enum cs_err err;
		const char *header;
	} rows[] = {
		{ CS_EAUTH, "\r\nWWW-Authenticate: Bearer\r\n" },
		{ CS_EMETHOD, "\r\nAllow: GET, HEAD\r\n" },
		{ CS_EBUSY, "\r\nRetry-After: 2\r\n" },
		{ CS_ETOOMANY, "\r\nRetry-After: 2\r\n" },
	};
	struct reply r;
	struct ctx c;
	struct req q;
	struct res res;

	(void)state;
	open_reply(&c, &q, &res, &r);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		r.err = cs_fail(&c.fault, rows[i].err, MSG_NONE);
		response_build(&r, &c);
		assert_non_null(strstr(r.header.data, rows[i].header));
		assert_null(strstr(r.header.data, "no-store"));
	}
	q.authorization = "Bearer x";
	jw_str(&res.w, "half an answer");
	c.fault.lang = LANG_EN;
	r.err = cs_bad(&c.fault, "a\"b", MSG_R_RANGE, 1LL, 2LL);
	response_build(&r, &c);
	assert_string_equal(body_of(&r),
	    "{\"code\":422,\"message\":\"invalid parameter\",\"data\":"
	    "{\"field\":\"a\\\"b\",\"reason\":\"is out of range, should be 1 to 2\"}}");
	assert_non_null(strstr(r.header.data, "Cache-Control: no-store\r\n"));
	r.err = cs_detail(&c.fault, CS_EINTERNAL, "words of the database");
	response_build(&r, &c);
	assert_string_equal(
	    body_of(&r), "{\"code\":500,\"message\":\"internal server error\",\"data\":null}");
	close_reply(&res, &r);
}

/* An answer that is incomplete for want of memory must not go out as a success. */
static void
test_incomplete_answer(void **state)
{
	struct reply r;
	struct ctx c;
	struct req q;
	struct res res;

	(void)state;
	open_reply(&c, &q, &res, &r);
	res.data.cap = 8;
	jw_str(&res.w, "longer than that");
	response_build(&r, &c);
	assert_int_equal(r.err, CS_ENOMEM);
	assert_int_equal(r.status, 503);
	assert_int_equal(strncmp(body_of(&r), "{\"code\":503,", 12), 0);
	close_reply(&res, &r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_path_of_other_servers),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_query_numbers),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_request_id),
		cmocka_unit_test(test_language),
		cmocka_unit_test(test_credential),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_incomplete_answer),
	};

	return cmocka_run_group_tests_name("request", tests, setup, teardown);
}
