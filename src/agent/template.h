/* SPDX-License-Identifier: MIT */
/*
 * WeRSS's template dialect. A tag stands on one line; what is no tag is text.
 *
 *   {{ a.b.c }}  {{= expression }}
 *   {% if expression %} … {% else %} … {% endif %}
 *   {% for x in a.b %} … {% endfor %}		with loop.index, index0, first, last, length,
 * parentloop
 *
 * Expressions: names with dots, 'text', whole numbers, True, False, None, len(x), ( ), not, and,
 * or, in, not in, == != < <= > >=. What does not exist is None, prints as nothing and is false, as
 * are 0,
 * "", [] and {}. Only lists are looped over, anything else is an empty one. Comparing what cannot
 * be compared is false.
 *
 * White space is WeRSS's: the turns of a loop are joined by a newline; of the whole and of what an
 * if yields, white space around it goes, as do empty lines after a line that begins with "-" and
 * all but one of others in a row.
 */
#ifndef CS_AGENT_TEMPLATE_H
#define CS_AGENT_TEMPLATE_H

#include "base/buf.h"
#include "json/jx.h"

#define TEMPLATE_MAX_BYTES  (1u << 20)	/* of the template */
#define TEMPLATE_MAX_TAGS   4096	/* in it */
#define TEMPLATE_MAX_DEPTH  16		/* of blocks in blocks, and of parentheses and nots */
#define TEMPLATE_MAX_WORK   (4u << 20)	/* bytes of tags and values that a rendering looks at */
#define TEMPLATE_MAX_OUTPUT (16u << 20) /* bytes of a rendering, also of what is then cut away */

/* CS_EINVALID, field "message_template", its reason with line and column: N bytes at TEXT are no
 * template. */
enum cs_err template_check(const char *text, size_t n, struct fault *f) cs_mustcheck;
/* Adds TEXT, filled with VALUES (an object; NULL is empty), to OUT. As above, or the same error
 * where a limit is met; OUT then has what it had. */
enum cs_err template_render(const char *text, size_t n, const struct jx *values, struct buf *out,
    struct fault *f) cs_mustcheck;

#endif
