/* SPDX-License-Identifier: MIT */
/* The content of article pages. */
#include "agent/html.h"

#include "base/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
expect_n(const char *page, size_t n, const char *want)
{
	struct buf out = { 0 };
	bool found = html_content(page, n, &out);

	assert_int_equal(found, want != NULL);
	if (found && strcmp(out.data, want) != 0)
		fail_msg("%s\ngot:  %s\nwant: %s", page, out.data, want);
	assert_true(found || out.len == 0);
	buf_free(&out);
}

static void
expect(const char *page, const char *want)
{
	expect_n(page, strlen(page), want);
}

static void
test_content(void **state)
{
	(void)state;
	expect(
	    "<!DOCTYPE html><html><head><title>x</title></head><body><h1>x</h1>"
	    "<div class=\"rich\" id=\"js_content\" style=\"visibility: hidden; opacity: 0;\">"
	    "<p>甲 &amp; 乙 &lt;</p><br/><img data-src=\"https://p/1?a=1&amp;b=2\" src=\"data:x\"/>"
	    "</div><script>var a = 1;</script></body></html>",
	    "<div class=\"rich\" id=\"js_content\"><p>甲 &amp; 乙 &lt;</p><br><img "
	    "src=\"https://p/1?a=1&amp;b=2\"></div>");
	/* whatever a page is like */
	expect("<div id=js_content><p>a<p>b<section style='color:red'>c",
	    "<div id=\"js_content\"><p>a</p><p>b<section "
	    "style=\"color:red\">c</section></p></div>");
	expect("<span id='js_content'>\xf0\x9f\x98\x80&nbsp;x&copy;</span>",
	    "<span id=\"js_content\">\xf0\x9f\x98\x80\xc2\xa0x\xc2\xa9</span>");
	expect(
	    "<meta charset=gbk><div id=\"js_content\">甲</div>", "<div id=\"js_content\">甲</div>");
}

static void
test_none(void **state)
{
	(void)state;
	expect("", NULL);
	expect("x", NULL);
	expect("<html><body><p class=js_content>该内容已被发布者删除</p></body></html>", NULL);
	expect("{\"base_resp\":{}}", NULL);
}

/* Nothing that runs where the article is shown. */
static void
test_scripts(void **state)
{
	(void)state;
	expect("<div id=js_content onclick=x()>a<script>alert(1)</script><p onmouseover='x'>b</p>"
	       "<!-- c --><object></object><style>p{}</style><form>d</form><a href=' "
	       "java\nscript:x()'>e</a>"
	       "<a href=JavaScript:x>f</a><iframe srcdoc='<script>'></iframe></div>",
	    "<div id=\"js_content\">a<p>b</p><a>e</a><a>f</a><iframe></iframe></div>");
	expect("<script id=js_content>alert(1)</script>", NULL);
	expect("<div id=js_content><a href='https://javascript:1/'>e</a></div>",
	    "<div id=\"js_content\"><a href=\"https://javascript:1/\">e</a></div>");
}

static void
test_bytes(void **state)
{
	static const char zero[] = "<div id=\"js_content\">a\0b\xff\xe7\x94"
				   "c</div>";

	(void)state;
	expect_n(zero, sizeof(zero) - 1,
	    "<div id=\"js_content\">a\xef\xbf\xbd"
	    "b\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
	    "c</div>");
}

static void
test_deep(void **state)
{
	struct buf page = { 0 }, out = { 0 };

	(void)state;
	buf_puts(&page, "<div id=js_content>");
	for (int i = 0; i < 100000; i++)
		buf_puts(&page, "<section>");
	buf_puts(&page, "x");
	if (html_content(page.data, page.len, &out))
		assert_true(parse_is_utf8(out.data, out.len));
	buf_free(&page);
	buf_free(&out);
}

static void
test_too_big(void **state)
{
	static char page[HTML_MAX_BYTES + 1] = "<div id=js_content>x</div>";
	struct buf out = { 0 };

	(void)state;
	memset(page + 26, ' ', sizeof(page) - 26);
	assert_true(html_content(page, sizeof(page) - 1, &out));
	buf_reset(&out);
	assert_false(html_content(page, sizeof(page), &out));
	buf_free(&out);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_too_big),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
