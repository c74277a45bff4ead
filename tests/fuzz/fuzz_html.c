/* SPDX-License-Identifier: MIT */
/* Pages. What is found is text, and holds neither scripts nor handlers where it is read again. */
#include "agent/html.h"

#include "base/parse.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

/* Elements whose names begin with "script" are none. */
static bool
has_script(const char *text)
{
	static const char tag[] = "<script";

	while ((text = strcasestr(text, tag)) != NULL) {
		text += sizeof(tag) - 1;
		if (*text == '\0' || strchr(" \t\r\n\f/>", *text) != NULL)
			return true;
	}
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf out = { 0 };

	if (html_content((const char *)data, n, &out)) {
		must(out.len > 0 && parse_is_utf8(out.data, out.len));
		must(!has_script(out.data));
	} else {
		must(out.len == 0);
	}
	buf_free(&out);
	return 0;
}
