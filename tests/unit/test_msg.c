/* SPDX-License-Identifier: MIT */
/*
 * The tables of errors and texts: both languages of a text take the same arguments, every error has
 * a text that takes none, and faults are filled, cut and cleared as promised.
 */
#include "base/err.h"
#include "base/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The conversions of FMT, one after the other, as in "%d%lld"; "%%" is none. */
static void
conversions(const char *fmt, char *out, size_t size)
{
	size_t len = 0;

	for (const char *p = strchr(fmt, '%'); p != NULL; p = strchr(p, '%')) {
		size_t n = 1 + strspn(p + 1, "0123456789.-+ #lhzjt") + 1;

		if (p[1] != '%') {
			assert_true(len + n < size);
			memcpy(out + len, p, n);
			len += n;
		}
		p += n;
	}
	out[len] = '\0';
}

static void
test_languages_agree(void **state)
{
	char zh[64], en[64];

	(void)state;
	for (enum msg_id id = MSG_NONE + 1; id < MSG__MAX; id++) {
		const char *a = msg_text(LANG_ZH, id), *b = msg_text(LANG_EN, id);

		assert_true(*a != '\0' && *b != '\0');
		assert_true(parse_is_utf8(a, strlen(a)) && parse_is_utf8(b, strlen(b)));
		conversions(a, zh, sizeof(zh));
		conversions(b, en, sizeof(en));
		if (strcmp(zh, en) != 0)
			fail_msg("\"%s\" takes %s, \"%s\" takes %s", a, zh, b, en);
	}
	assert_string_equal(msg_text(LANG_ZH, MSG_NONE), "");
}

static void
test_error_table(void **state)
{
	char conv[64];

	(void)state;
	for (enum cs_err i = CS_OK; i < CS_ERR__MAX; i++) {
		struct fault f = { .code = i };

		assert_true(
		    cs_err_http(i) == 200 || (cs_err_http(i) >= 400 && cs_err_http(i) < 600));
		assert_true(i == CS_OK ? cs_err_exit(i) == 0 : cs_err_exit(i) >= 64);
		conversions(fault_message(&f), conv, sizeof(conv));
		assert_string_equal(conv, "");
		for (enum cs_err j = CS_OK; j < i; j++)
			assert_string_not_equal(cs_err_name(i), cs_err_name(j));
	}
	assert_string_equal(cs_err_name(CS_OK), "ok");
	assert_false(cs_err_retry(CS_OK));
	assert_true(cs_err_retry(CS_EBUSY));
	assert_int_equal(cs_err_http(CS_ECONFLICT), 409);
	assert_int_equal(cs_err_exit(CS_EUSAGE), 64);
}

static void
test_fail(void **state)
{
	struct fault f = { .lang = LANG_EN, .field = "left over", .retry_after_s = 3 };

	(void)state;
	assert_int_equal(cs_fail(&f, CS_ECONFLICT, MSG_WRONG_ATTEMPT, 7), CS_ECONFLICT);
	assert_int_equal(f.code, CS_ECONFLICT);
	assert_string_equal(f.message, "wrong attempt: the current one is 7");
	assert_string_equal(fault_message(&f), f.message);
	assert_string_equal(f.field, "");
	assert_int_equal(f.retry_after_s, 0);
	assert_int_equal(cs_fail(&f, CS_ENOTFOUND, MSG_NONE), CS_ENOTFOUND);
	assert_string_equal(f.message, "");
	assert_string_equal(fault_message(&f), "no such resource");
	f.lang = LANG_ZH;
	assert_string_equal(fault_message(&f), "资源不存在");
	fault_clear(&f);
	assert_int_equal(f.code, CS_OK);
	assert_int_equal(f.lang, LANG_ZH);
}

static void
test_bad_field(void **state)
{
	struct fault f = { .lang = LANG_EN };

	(void)state;
	assert_int_equal(cs_bad(&f, "limit", MSG_R_RANGE, 1LL, 100LL), CS_EINVALID);
	assert_string_equal(f.field, "limit");
	assert_string_equal(f.reason, "is out of range, should be 1 to 100");
	assert_int_equal(cs_bad_as(&f, CS_EINPUT, "body", MSG_R_NUL), CS_EINPUT);
	assert_int_equal(f.code, CS_EINPUT);
	assert_string_equal(f.field, "body");
	assert_string_equal(f.reason, "must not contain NUL");
}

static void
test_detail(void **state)
{
	struct fault f = { 0 };

	(void)state;
	assert_int_equal(cs_detail(&f, CS_EDBDOWN, "errno %d", 2006), CS_EDBDOWN);
	assert_string_equal(f.detail, "errno 2006");
	assert_string_equal(f.message, "");
	assert_string_equal(fault_message(&f), msg_text(LANG_ZH, MSG_DB_AWAY));
}

/* 1, 2, 3 and 4 bytes a character: the cut must fall between two whatever the offset. */
static void
test_cut_at_characters(void **state)
{
	static const char *const chars[] = { "a", "é", "节", "😀" };
	char text[600], buf[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(chars); i++) {
		size_t width = strlen(chars[i]), n = 0;

		for (; n + width < sizeof(text); n += width)
			memcpy(text + n, chars[i], width);
		text[n] = '\0';
		for (size_t size = 2; size <= sizeof(buf); size++) {
			msg_render(buf, size, LANG_EN, MSG_ALREADY_ENDED, text);
			assert_true(strlen(buf) < size && strlen(buf) + width >= size);
			assert_true(parse_is_utf8(buf, strlen(buf)));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_languages_agree),
		cmocka_unit_test(test_error_table),
		cmocka_unit_test(test_fail),
		cmocka_unit_test(test_bad_field),
		cmocka_unit_test(test_detail),
		cmocka_unit_test(test_cut_at_characters),
	};

	return cmocka_run_group_tests_name("msg", tests, NULL, NULL);
}
