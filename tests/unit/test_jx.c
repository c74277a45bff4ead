/* SPDX-License-Identifier: MIT */
/* Reading JSON: what is refused and why, typed access, field tables. */
#include "json/jx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define PARSE(text, doc)                                                                           \
	assert_int_equal(jx_parse(text, strlen(text), doc, &(struct fault){ 0 }), 0)

/* The prefix of the reason in English; NULL: accepted. */
#define JSON  "is not valid JSON"
#define NUL   "must not contain NUL"
#define UTF8  "is not valid UTF-8"
#define DEPTH "is nested too deeply, at most 32 levels"

static void
check_parse(const char *text, size_t n, const char *reason)
{
	struct fault f = { .lang = LANG_EN };
	auto_jx *doc = NULL;
	enum cs_err err = jx_parse(text, n, &doc, &f);

	if ((err == CS_OK) != (reason == NULL))
		fail_msg("%.60s: %s", text, err == CS_OK ? "accepted" : f.reason);
	if (err == CS_OK)
		return;
	assert_int_equal(err, CS_EINPUT);
	assert_string_equal(f.field, "body");
	if (strncmp(f.reason, reason, strlen(reason)) != 0)
		fail_msg("%.60s: %s", text, f.reason);
	assert_null(doc);
}

static void
test_parse(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "{}", NULL },
		{ " [1, 2.5, -3e10, true, false, null, \"x\"]\r\n\t", NULL },
		{ "null", NULL },
		{ "\"s\"", NULL },
		{ "0", NULL },
		{ "-0.1E+5", NULL },
		{ "12 ", NULL },
		{ "\"\\u00e9\\ud83d\\ude00\\\\u0000 \\/\"", NULL },
		{ "{\"中文\": \"节点\"}", NULL },
		{ "", JSON },
		{ "  ", JSON },
		{ "{", JSON },
		{ "[1,]", JSON },
		{ "{\"a\":1,}", JSON },
		{ "{\"a\" 1}", JSON },
		{ "{a:1}", JSON },
		{ "{'a':1}", JSON },
		{ "[1 2]", JSON },
		{ "]", JSON },
		{ "[]]", JSON },
		{ "{} {}", JSON },
		{ "{}x", JSON },
		{ "1 2", JSON },
		{ "nul", JSON },
		{ "nulll", JSON },
		{ "True", JSON },
		{ "NaN", JSON },
		{ "[Infinity]", JSON },
		{ "[-Infinity]", JSON },
		{ "01", JSON },
		{ "+1", JSON },
		{ "-", JSON },
		{ "1.", JSON },
		{ ".5", JSON },
		{ "1e", JSON },
		{ "0x10", JSON },
		{ "1-2", JSON },
		{ "/* c */ 1", JSON },
		{ "\"", JSON },
		{ "\"\\", JSON },
		{ "\"\\q\"", JSON },
		{ "\"\\u12\"", JSON },
		{ "\"a\nb\"", JSON },
		{ "\"\x1f\"", JSON },
		{ "\x0b"
		  "1",
		    JSON },
		{ "\xef\xbb\xbf{}", JSON },
		{ "\"\\u0000\"", NUL },
		{ "\"a\\\\\\u0000\"", NUL },
		{ "{\"k\\u0000x\":1}", NUL },
		{ "\"\xff\"", UTF8 },
		{ "\"\xed\xa0\x80\"", UTF8 },
		{ "\"\xc0\x80\"", UTF8 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_parse(cases[i].text, strlen(cases[i].text), cases[i].reason);
	check_parse("{}\0", 3, NUL);
	check_parse("\"a\0b\"", 5, NUL);
	check_parse("{}garbage", 2, NULL);
}

/* 32 levels of arrays or objects, empty or filled, and one more. */
static void
test_depth(void **state)
{
	static const struct {
		const char *open, *inner, *close;
		int extra; /* levels that INNER adds */
	} cases[] = {
		{ "[", "", "]", 0 },
		{ "[", "1", "]", 0 },
		{ "{\"a\":", "1", "}", 0 },
		{ "{\"a\":", "{}", "}", 1 },
		{ "[", "[\"[[[[\"]", "]", 1 },
		{ "[", "{},[],{}", "]", 1 },
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (int levels = 31; levels <= 33; levels++) {
			int n = 0;

			text[0] = '\0';
			for (; n < levels - cases[i].extra; n++)
				strcat(text, cases[i].open);
			strcat(text, cases[i].inner);
			for (; n > 0; n--)
				strcat(text, cases[i].close);
			check_parse(text, strlen(text), levels > JX_MAX_DEPTH ? DEPTH : NULL);
		}
	}
}

static void
test_access(void **state)
{
	auto_jx *doc = NULL;
	const struct jx *root, *list;

	(void)state;
	PARSE("{\"s\":\"节\",\"i\":-7,\"b\":true,\"d\":1.5,\"n\":null,\"l\":[1,\"x\",null],"
	      "\"big\":9223372036854775808,\"o\":{\"k\":\"v\"}}",
	    &doc);
	root = jx_root(doc);
	list = jx_get(root, "l");
	assert_int_equal(jx_type(root), JX_OBJ);
	assert_int_equal(jx_len(root), 8);
	assert_string_equal(jx_str(jx_get(root, "s")), "节");
	assert_int_equal(jx_str_len(jx_get(root, "s")), 3);
	assert_true(jx_int(jx_get(root, "i")) == -7);
	assert_true(jx_int(jx_get(root, "big")) == INT64_MAX);
	assert_true(jx_bool(jx_get(root, "b")));
	assert_int_equal(jx_type(jx_get(root, "d")), JX_DOUBLE);
	assert_null(jx_get(root, "n"));
	assert_true(jx_has(root, "n"));
	assert_null(jx_get(root, "absent"));
	assert_false(jx_has(root, "absent"));
	assert_int_equal(jx_len(list), 3);
	assert_true(jx_int(jx_at(list, 0)) == 1);
	assert_string_equal(jx_str(jx_at(list, 1)), "x");
	assert_null(jx_at(list, 2));
	assert_null(jx_at(list, 3));
	/* Wrong types read as nothing. */
	assert_null(jx_str(list));
	assert_int_equal(jx_str_len(list), 0);
	assert_true(jx_int(jx_get(root, "s")) == 0);
	assert_true(jx_int(jx_get(root, "b")) == 0);
	assert_false(jx_bool(jx_get(root, "i")));
	assert_null(jx_at(root, 0));
	assert_null(jx_get(list, "s"));
	assert_false(jx_has(NULL, "s"));
	assert_int_equal(jx_len(jx_get(root, "s")), 0);
	assert_int_equal(jx_type(NULL), JX_NULL);
}

static void
test_null_root(void **state)
{
	auto_jx *doc = NULL;

	(void)state;
	PARSE("null", &doc);
	assert_null(jx_root(doc));
	jx_free(NULL);
}

static void
test_text(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ " { \"a\" : [ 1 , 2.50, 1e400 ] } ", "{\"a\":[1,2.50,1e400]}" },
		{ "\"https://a/b\"", "\"https://a/b\"" },
		{ "\"\\u8282\\n\\\"\"", "\"节\\n\\\"\"" },
		{ "null", "null" },
		/* Pairs whose low 16 bits look like a surrogate: json-c alone would lose them. */
		{ "\"\\ud837\\udE00 \\\\ud837\\ude00\"",
		    "\"\xf0\x9d\xb8\x80 \\\\ud837\xef\xbf\xbd\"" },
		{ "[\"\\uD876\\uDC00\"]", "[\"\xf0\xad\xa0\x80\"]" },
		{ "\"\\ud83d\\ude00\"", "\"😀\"" },
	};
	struct arena *a = arena_new(1u << 20);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_jx *doc = NULL;

		PARSE(cases[i].in, &doc);
		assert_string_equal(jx_text(jx_root(doc), a), cases[i].out);
	}
	arena_free(a);
}

struct each_seen {
	char keys[16];
	int stop_at;
};

static enum cs_err
collect(void *arg, const char *key, const struct jx *v)
{
	struct each_seen *seen = arg;

	strcat(seen->keys, key);
	return jx_int(v) == seen->stop_at ? CS_ECONFLICT : CS_OK;
}

static void
test_each(void **state)
{
	struct each_seen all = { .stop_at = 9 }, some = { .stop_at = 2 }, none = { 0 };
	auto_jx *doc = NULL;

	(void)state;
	PARSE("{\"a\":1,\"b\":2,\"c\":3}", &doc);
	assert_int_equal(jx_each(jx_root(doc), collect, &all), CS_OK);
	assert_string_equal(all.keys, "abc");
	assert_int_equal(jx_each(jx_root(doc), collect, &some), CS_ECONFLICT);
	assert_string_equal(some.keys, "ab");
	assert_int_equal(jx_each(NULL, collect, &none), CS_OK);
}

struct input {
	const char *name, *url;
	int64_t limit, any;
	bool flag;
	const struct jx *list, *map;
};

static const struct jx_field fields[] = {
	{ "name", JX_STR, JX_REQUIRED | JX_NONEMPTY, offsetof(struct input, name), 0, 4 },
	{ "url", JX_STR, JX_URL, offsetof(struct input, url), 0, 0 },
	{ "limit", JX_INT, 0, offsetof(struct input, limit), 1, 100 },
	{ "any", JX_INT, 0, offsetof(struct input, any), 0, 0 },
	{ "flag", JX_BOOL, 0, offsetof(struct input, flag), 0, 0 },
	{ "list", JX_ARR, JX_NONEMPTY, offsetof(struct input, list), 1, 2 },
	{ "map", JX_OBJ, 0, offsetof(struct input, map), 0, 0 },
};

static void
test_read(void **state)
{
	auto_jx *doc = NULL;
	struct input in = { .limit = 10, .any = 5, .flag = true };
	struct fault f = { 0 };
	uint32_t seen = 0;

	(void)state;
	PARSE("{\"name\":\"节点一二\",\"url\":\"\",\"limit\":null,\"any\":-9223372036854775807,"
	      "\"list\":[1,2],\"map\":{},\"unknown\":1}",
	    &doc);
	assert_int_equal(
	    jx_read(jx_root(doc), fields, ARRAY_LEN(fields), &in, &seen, "", &f), CS_OK);
	assert_string_equal(in.name, "节点一二");
	assert_string_equal(in.url, "");
	assert_true(in.limit == 10);
	assert_true(in.any == -INT64_MAX);
	assert_true(in.flag);
	assert_int_equal(jx_len(in.list), 2);
	assert_int_equal(jx_type(in.map), JX_OBJ);
	assert_int_equal(seen, 0x6f);
	assert_int_equal(
	    jx_read(jx_root(doc), fields, ARRAY_LEN(fields), &in, NULL, "", &f), CS_OK);
}

static void
test_read_refuses(void **state)
{
	static const struct {
		const char *text, *field, *reason;
	} cases[] = {
		{ "[]", "p", "should be a JSON object" },
		{ "null", "p", "should be a JSON object" },
		{ "{}", "p.name", "is required" },
		{ "{\"name\":null}", "p.name", "is required" },
		{ "{\"name\":\"\"}", "p.name", "must not be empty" },
		{ "{\"name\":\"一二三四五\"}", "p.name",
		    "has the wrong length, should be 0 to 4 characters" },
		{ "{\"name\":1}", "p.name", "has the wrong type, should be string" },
		{ "{\"name\":\"x\",\"url\":\"ftp://x\"}", "p.url",
		    "should be an http or https URL" },
		{ "{\"name\":\"x\",\"limit\":0}", "p.limit",
		    "is out of range, should be 1 to 100" },
		{ "{\"name\":\"x\",\"limit\":101}", "p.limit",
		    "is out of range, should be 1 to 100" },
		{ "{\"name\":\"x\",\"limit\":5.0}", "p.limit",
		    "has the wrong type, should be integer" },
		{ "{\"name\":\"x\",\"limit\":\"5\"}", "p.limit",
		    "has the wrong type, should be integer" },
		{ "{\"name\":\"x\",\"limit\":true}", "p.limit",
		    "has the wrong type, should be integer" },
		{ "{\"name\":\"x\",\"any\":9223372036854775808}", "p.any", "is out of range" },
		{ "{\"name\":\"x\",\"any\":99999999999999999999999}", "p.any", "is out of range" },
		{ "{\"name\":\"x\",\"any\":-9223372036854775809}", "p.any", "is out of range" },
		{ "{\"name\":\"x\",\"flag\":1}", "p.flag",
		    "has the wrong type, should be boolean" },
		{ "{\"name\":\"x\",\"list\":[]}", "p.list", "must not be empty" },
		{ "{\"name\":\"x\",\"list\":[1,2,3]}", "p.list",
		    "has the wrong number of entries, should be 1 to 2" },
		{ "{\"name\":\"x\",\"list\":{}}", "p.list", "has the wrong type, should be array" },
		{ "{\"name\":\"x\",\"map\":[]}", "p.map", "has the wrong type, should be object" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_jx *doc = NULL;
		struct input in = { 0 };
		struct fault f = { .lang = LANG_EN };

		PARSE(cases[i].text, &doc);
		assert_int_equal(
		    jx_read(jx_root(doc), fields, ARRAY_LEN(fields), &in, NULL, "p.", &f),
		    CS_EINVALID);
		if (strcmp(f.field, cases[i].field) != 0 ||
		    strncmp(f.reason, cases[i].reason, strlen(cases[i].reason)) != 0)
			fail_msg("%s: %s %s", cases[i].text, f.field, f.reason);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_null_root),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_read_refuses),
	};

	return cmocka_run_group_tests_name("jx", tests, NULL, NULL);
}
