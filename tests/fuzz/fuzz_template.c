/* SPDX-License-Identifier: MIT */
/*
 * Templates, filled with values that have everything in them. What is refused must say where, in
 * text that may be shown; what passes the check must render, or meet a limit; text in must give
 * text out, and the same again.
 */
#include "agent/template.h"

#include "base/parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char values[] =
    "{\"a\":{\"b\":{\"c\":\"text\"}},\"s\":\"甲\\u00a0 \\n- "
    "x\",\"n\":-3,\"z\":0,\"t\":true,\"f\":false,"
    "\"nil\":null,\"d\":0.5,\"e\":[],\"o\":{},\"l\":[\"x\",\"\",{\"y\":[1,2,[3]]}],"
    "\"articles\":[{\"title\":\"- 一\",\"tags\":[1,2]},{\"title\":\"\\n\",\"tags\":[]}]}";

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static const struct jx *
root(void)
{
	static struct jx_doc *doc;
	struct fault f = { .lang = LANG_EN };

	if (doc == NULL)
		must(jx_parse(values, strlen(values), &doc, &f) == CS_OK);
	return jx_root(doc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char *text = (const char *)data;
	struct fault checked = { .lang = LANG_EN }, f = { .lang = LANG_EN };
	struct buf out = { 0 }, again = { 0 };
	enum cs_err check = template_check(text, n, &checked);
	enum cs_err err = template_render(text, n, root(), &out, &f);

	must(check == CS_OK || check == CS_EINVALID);
	must(check == CS_OK || err == check);
	if (err != CS_OK) {
		must(f.reason[0] != '\0' && parse_is_utf8(f.reason, strlen(f.reason)));
		must(check == CS_OK || strcmp(f.reason, checked.reason) == 0);
		must(out.len == 0);
	} else {
		must(parse_is_utf8(out.len > 0 ? out.data : "", out.len));
		must(template_render(text, n, root(), &again, &f) == CS_OK);
		must(again.len == out.len &&
		     (out.len == 0 || memcmp(again.data, out.data, out.len) == 0));
	}
	buf_free(&out);
	buf_free(&again);
	return 0;
}
