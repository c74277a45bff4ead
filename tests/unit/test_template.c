/* SPDX-License-Identifier: MIT */
/* WeRSS's template dialect: values, blocks, expressions, white space, what is refused, limits. */
#include "agent/template.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char values[] =
    "{\"feed\":{\"id\":\"F1\",\"mp_name\":\"甲乙\"},\"now\":\"2024\",\"n\":3,\"zero\":0,\"yes\":"
    "true,"
    "\"no\":false,\"null\":null,\"empty\":[],\"words\":[\"a\",\"b\",\"c\"],\"half\":0.5,"
    "\"articles\":[{\"title\":\"一\",\"tags\":[1,2]},{\"title\":\"二\",\"tags\":[]},"
    "{\"title\":\"三\",\"tags\":[3]}],\"html\":\"<b>\\\"&\"}";

struct row {
	const char *in, *out;
};

static struct jx_doc *doc;

static int
parse_values(void **state)
{
	struct fault f = { 0 };

	(void)state;
	return jx_parse(values, strlen(values), &doc, &f) == CS_OK ? 0 : -1;
}

static int
free_values(void **state)
{
	(void)state;
	jx_free(doc);
	return 0;
}

static void
expect(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct fault f = { .lang = LANG_EN };
		struct buf out = { 0 };

		buf_puts(&out, ">");
		if (template_render(rows[i].in, strlen(rows[i].in), jx_root(doc), &out, &f) !=
		    CS_OK)
			fail_msg("%s\n%s", rows[i].in, f.reason);
		if (strcmp(out.data + 1, rows[i].out) != 0)
			fail_msg("%s\ngot:  %s\nwant: %s", rows[i].in, out.data + 1, rows[i].out);
		buf_free(&out);
	}
}

static void
test_values(void **state)
{
	static const struct row rows[] = {
		{ "", "" },
		{ "text", "text" },
		{ "{{ now }}", "2024" },
		{ "{{now}}-{{  now\t}}", "2024-2024" },
		{ "{{ feed.mp_name }}", "甲乙" },
		{ "{{ feed . id }}", "F1" },
		{ "[{{ absent }}{{ feed.absent }}{{ absent.absent.absent }}{{ now.x }}{{ null }}]",
		    "[]" },
		{ "{{ n }} {{ zero }} {{ yes }} {{ no }} {{ half }}", "3 0 True False 0.5" },
		{ "{{ words }} {{ feed }}",
		    "[\"a\",\"b\",\"c\"] {\"id\":\"F1\",\"mp_name\":\"甲乙\"}" },
		{ "{{ html }}", "<b>\"&" },
		{ "{{= n }} {{= len(words) }} {{ 'x' }} {{ -5 }}", "3 3 x -5" },
		{ "{{ null or 'none' }} {{ now and n }} {{ no or zero }}", "none 3 0" },
		/* no tags: they do not end on their line */
		{ "{{ now\n}}", "{{ now\n}}" },
		{ "{% if now\n%}", "{% if now\n%}" },
		{ "{ {a} } {{ }", "{ {a} } {{ }" },
		{ "{\"a\":{\"b\":{{n}}}}", "{\"a\":{\"b\":3}}" },
		{ "{{{ n }}}", "{3}" },
		{ "{{{% if n %}{{n}}{% endif %}}}", "{{3}}" },
		{ "{", "{" },
		{ "{{", "{{" },
		{ "%}}}", "%}}}" },
	};

	(void)state;
	expect(rows, ARRAY_LEN(rows));
}

static void
test_blocks(void **state)
{
	static const struct row rows[] = {
		{ "{% if now %}a{% endif %}", "a" },
		{ "{% if absent %}a{% endif %}b", "b" },
		{ "{% if absent %}a{% else %}b{% endif %}", "b" },
		{ "{% if now %}a{% else %}b{% endif %}", "a" },
		{ "{%if now%}a{%endif%}", "a" },
		{ "{% if now %}{% if absent %}a{% else %}b{% endif %}c{% else %}d{% endif %}",
		    "bc" },
		{ "{% for w in words %}{{ w }}{% endfor %}", "a\nb\nc" },
		{ "{% for w in empty %}x{% endfor %}.", "." },
		{ "{% for w in absent %}x{% endfor %}{% for w in now %}x{% endfor %}"
		  "{% for w in feed %}x{% endfor %}.",
		    "." },
		{ "{% for a in articles %}{{ a.title }}{% if not loop.last %},{% endif %}{% endfor "
		  "%}",
		    "一,\n二,\n三" },
		{ "{% for a in articles %}{{ loop.index }}/{{ loop.length }} {{ loop.index0 }} "
		  "{{ loop.first }} {{ loop.last }}{% endfor %}",
		    "1/3 0 True False\n2/3 1 False False\n3/3 2 False True" },
		{ "{% for a in articles %}{{ a.title }}:{% for t in a.tags %}{{ t }}"
		  "{% if not loop.last %},{% endif %}{{ loop.parentloop.index }}{% endfor %}{% "
		  "endfor %}",
		    "一:1,1\n21\n二:\n三:33" },
		{ "{% for a in articles %}{% if loop.index > 1 %}{{ a.title }}{% else %}-{% endif "
		  "%}"
		  "{% endfor %}",
		    "-\n二\n三" },
		/* the variable ends with its loop, and hides what has its name */
		{ "{% for now in words %}{{ now }}{% endfor %}{{ now }}", "a\nb\nc2024" },
		{ "{{ loop }}{{ loop.index }}", "" },
		{ "{% for w in words %}{% for a in articles %}{{ w }}{% endfor %}{% endfor %}",
		    "a\na\na\nb\nb\nb\nc\nc\nc" },
	};

	(void)state;
	expect(rows, ARRAY_LEN(rows));
}

static void
test_expressions(void **state)
{
	static const struct {
		const char *expr;
		bool holds;
	} rows[] = {
		{ "yes", true },
		{ "no", false },
		{ "n", true },
		{ "zero", false },
		{ "null", false },
		{ "empty", false },
		{ "words", true },
		{ "feed", true },
		{ "half", true },
		{ "''", false },
		{ "\"x\"", true },
		{ "True", true },
		{ "False", false },
		{ "None", false },
		{ "not now", false },
		{ "not absent", true },
		{ "not not now", true },
		{ "n == 3", true },
		{ "n==3", true },
		{ "n != 3", false },
		{ "n < 4", true },
		{ "n < 3", false },
		{ "n <= 3", true },
		{ "n > 2", true },
		{ "n >= 4", false },
		{ "yes == 1", true },
		{ "now == '2024'", true },
		{ "now == \"2023\"", false },
		{ "now > '2023'", true },
		{ "now < '20240'", true },
		{ "now == 2024", false },
		{ "now < 2025", false },
		{ "null == None", true },
		{ "absent == None", true },
		{ "absent == absent", true },
		{ "words == words", true },
		{ "words == empty", false },
		{ "'a' in words", true },
		{ "'d' in words", false },
		{ "'d' not in words", true },
		{ "'乙' in feed.mp_name", true },
		{ "'丙' in feed.mp_name", false },
		{ "'' in now", true },
		{ "'' in ''", true },
		{ "'id' in feed", true },
		{ "'x' in feed", false },
		{ "1 in now", false },
		{ "'x' in absent", false },
		{ "now and n", true },
		{ "now and zero", false },
		{ "zero or now", true },
		{ "zero or no", false },
		{ "no or yes and no", false },
		{ "yes or no and no", true },
		{ "(yes or no) and no", false },
		{ "not no and yes", true },
		{ "not (no and yes)", true },
		{ "not n == 4", true },
		{ "len(words) == 3 and len(empty) == 0", true },
		{ "len(feed.mp_name) == 2", true },
		{ "len(absent) == None", true },
		{ "len", false },
		{ "andy", false },
		{ "nothing or now", true },
		{ "9223372036854775807 > 9223372036854775806", true },
		{ "-9223372036854775808 < -1", true },
	};
	struct row row;
	char in[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(in, sizeof(in), "{%% if %s %%}y{%% else %%}n{%% endif %%}", rows[i].expr);
		row = (struct row){ in, rows[i].holds ? "y" : "n" };
		expect(&row, 1);
	}
}

/* As WeRSS's renders them. */
static void
test_white_space(void **state)
{
	static const struct row rows[] = {
		{ "  a \n", "a" },
		{ "a\n\n\n\nb\n \n\t\nc", "a\n\nb\n \nc" },
		{ "a\n \n\nb", "a\n \nb" },
		{ "- a\n\n\n- b\n\nc", "- a\n- b\nc" },
		{ "  -a\n\nb", "-a\nb" },
		{ "x{% if now %}  a  {% endif %}y", "xay" },
		{ "x\n{% if now %}\n\na\n\n{% endif %}\ny", "x\na\ny" },
		{ "{% for w in words %} {{ w }} {% endfor %}", "a \n b \n c" },
		{ "\xe3\x80\x80x\xe3\x80\x80", "x" },
		{ "x\n\xe3\x80\x80\n\xc2\xa0\ny", "x\n\xe3\x80\x80\ny" },
		{ "甲\n\n乙", "甲\n\n乙" },
		{ "   \n \n", "" },
		{ "### {{feed.mp_name}} 订阅消息：\n{% if articles %}\n{% for article in articles "
		  "%}\n"
		  "- [**{{ article.title }}**]({{article.url}}) ({{ article.publish_time }})\\n\n"
		  "{% endfor %}\n{% else %}\n- 暂无文章\\n\n{% endif %}\n    ",
		    "### 甲乙 订阅消息：\n- [**一**]() ()\\n\n- [**二**]() ()\\n\n- [**三**]() "
		    "()\\n" },
		{ "### {{feed.mp_name}} 订阅消息：\n{% if empty %}\n{% for article in articles %}\n"
		  "- {{ article.title }}\\n\n{% endfor %}\n{% else %}\n- 暂无文章\\n\n{% endif "
		  "%}\n    ",
		    "### 甲乙 订阅消息：\n- 暂无文章\\n" },
	};

	(void)state;
	expect(rows, ARRAY_LEN(rows));
}

static void
test_refused(void **state)
{
	static const struct row rows[] = {
		{ "{{ }}", "line 1, column 4: an expression is missing here" },
		{ "a\n甲{{ a b }}", "line 2, column 7: does not fit the expression before it" },
		{ "{{ a|upper }}", "line 1, column 5: does not fit the expression before it" },
		{ "{{ a. }}", "line 1, column 6: does not fit the expression before it" },
		{ "{{ 'a }}", "line 1, column 4: the text is not closed" },
		{ "{{ (a }}", "line 1, column 6: a closing parenthesis is missing" },
		{ "{{ len( }}", "line 1, column 8: an expression is missing here" },
		{ "{{ 99999999999999999999 }}", "line 1, column 4: the number is too large" },
		{ "{{ a == b == c }}", "line 1, column 11: does not fit the expression before it" },
		{ "{{ a not b }}", "line 1, column 10: does not fit the expression before it" },
		{ "{{ and }}", "line 1, column 4: an expression is missing here" },
		{ "{{ @ }}", "line 1, column 4: an expression is missing here" },
		{ "{% set x = 1 %}", "line 1, column 4: unknown tag" },
		{ "{%- if a -%}", "line 1, column 3: unknown tag" },
		{ "{% %}", "line 1, column 4: unknown tag" },
		{ "{% if %}{% endif %}", "line 1, column 6: an expression is missing here" },
		{ "{% for x %}{% endfor %}", "line 1, column 4: should be for NAME in LIST" },
		{ "{% for 1 in x %}{% endfor %}", "line 1, column 4: should be for NAME in LIST" },
		{ "{% for a, b in x %}{% endfor %}",
		    "line 1, column 4: should be for NAME in LIST" },
		{ "x\n{% if a %}", "line 2, column 7: is not closed by endif or endfor" },
		{ "{% for a in b %}{% endif %}", "line 1, column 20: belongs to no if or for" },
		{ "{% endif %}", "line 1, column 4: belongs to no if or for" },
		{ "{% else %}", "line 1, column 4: belongs to no if or for" },
		{ "{% if a %}{% else %}{% else %}{% endif %}",
		    "line 1, column 24: belongs to no if or for" },
		{ "{% for a in b %}{% else %}{% endfor %}",
		    "line 1, column 20: belongs to no if or for" },
		{ "{% if a %}{% endif x %}",
		    "line 1, column 20: does not fit the expression before it" },
		/* even where it is not reached */
		{ "{% if absent %}{{ a b }}{% endif %}",
		    "line 1, column 21: does not fit the expression before it" },
		{ "\xff", "is not valid UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fault f = { .lang = LANG_EN }, g = { .lang = LANG_EN };
		struct buf out = { 0 };

		buf_puts(&out, "kept");
		assert_int_equal(template_check(rows[i].in, strlen(rows[i].in), &f), CS_EINVALID);
		assert_string_equal(f.field, "message_template");
		if (strcmp(f.reason, rows[i].out) != 0)
			fail_msg("%s\ngot:  %s\nwant: %s", rows[i].in, f.reason, rows[i].out);
		assert_int_equal(
		    template_render(rows[i].in, strlen(rows[i].in), jx_root(doc), &out, &g),
		    CS_EINVALID);
		assert_string_equal(g.reason, f.reason);
		assert_string_equal(out.data, "kept");
		buf_free(&out);
	}
}

static void
repeat(struct buf *b, const char *s, int n)
{
	while (n-- > 0)
		buf_puts(b, s);
}

static void
expect_limit(struct buf *in, const char *reason)
{
	struct fault f = { .lang = LANG_EN };
	struct buf out = { 0 };

	assert_int_equal(template_render(in->data, in->len, jx_root(doc), &out, &f), CS_EINVALID);
	if (strstr(f.reason, reason) == NULL)
		fail_msg("got:  %s\nwant: %s", f.reason, reason);
	buf_free(&out);
	buf_reset(in);
}

static void
test_limits(void **state)
{
	int64_t start = clock_mono_ms();
	struct row row;
	struct buf in = { 0 };

	(void)state;
	repeat(&in, "{% if a %}", TEMPLATE_MAX_DEPTH);
	repeat(&in, "{% endif %}", TEMPLATE_MAX_DEPTH);
	row = (struct row){ in.data, "" };
	expect(&row, 1);
	repeat(&in, "{% if a %}", TEMPLATE_MAX_DEPTH + 1);
	expect_limit(&in, "is nested too deeply");
	buf_puts(&in, "{{ ");
	repeat(&in, "(", TEMPLATE_MAX_DEPTH + 1);
	buf_puts(&in, " }}");
	expect_limit(&in, "is nested too deeply");
	repeat(&in, "{{ a }}.", TEMPLATE_MAX_TAGS + 1);
	expect_limit(&in, "is one tag too many");
	repeat(&in, "x", TEMPLATE_MAX_BYTES + 1);
	expect_limit(&in, "at most 1048576 bytes");
	/* many turns, with and without anything to show for it */
	repeat(&in, "{% for w in words %}", TEMPLATE_MAX_DEPTH);
	repeat(&in, "x", 1000);
	repeat(&in, "{% endfor %}", TEMPLATE_MAX_DEPTH);
	expect_limit(&in, "makes the text too large");
	repeat(&in, "{% for w in words %}", TEMPLATE_MAX_DEPTH - 1);
	buf_puts(&in, "{% if '");
	repeat(&in, "x", 100);
	buf_puts(&in, "' == w %}{% endif %}");
	repeat(&in, "{% endfor %}", TEMPLATE_MAX_DEPTH - 1);
	expect_limit(&in, "takes too many steps");
	/* One name, one text, one line of a million bytes are no work. */
	buf_puts(&in, "{{ ");
	repeat(&in, "n", TEMPLATE_MAX_BYTES - 10);
	buf_puts(&in, " }}");
	row = (struct row){ in.data, "" };
	expect(&row, 1);
	assert_true(clock_mono_ms() - start < 60000);
	buf_free(&in);
}

static void
test_no_values(void **state)
{
	static const char in[] = "[{{ a.b }}{% for x in y %}{% endfor %}]";
	struct fault f = { 0 };
	struct buf out = { 0 };

	(void)state;
	assert_int_equal(template_render(in, strlen(in), NULL, &out, &f), CS_OK);
	assert_string_equal(out.data, "[]");
	buf_free(&out);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_expressions),
		cmocka_unit_test(test_white_space),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_values),
	};

	return cmocka_run_group_tests(tests, parse_values, free_values);
}
