/* SPDX-License-Identifier: MIT */
/*
 * The content of an article's page, by libxml2's HTML parser, which makes a tree of whatever it
 * gets. The text is made valid UTF-8 first, since the parser takes a page with a stray byte for
 * Latin-1; the tree is walked without recursion, since its depth is the page's choice.
 */
#include "agent/html.h"

#include "base/parse.h"

#include <string.h>

#include <libxml/HTMLparser.h>
#include <libxml/HTMLtree.h>

#define CONTENT_ID  "js_content"
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static bool
name_is(const xmlChar *name, const char *is)
{
	return name != NULL && xmlStrcasecmp(name, (const xmlChar *)is) == 0;
}

/* The node after N in the tree below TOP, in the order of the text; NULL: N is the last. */
static xmlNode *
next_node(const xmlNode *top, xmlNode *n, bool below)
{
	if (below && n->children != NULL)
		return n->children;
	while (n != top && n->next == NULL)
		n = n->parent;
	return n != top ? n->next : NULL;
}

/* What a reader's browser would carry out, or reads as raw text. */
static bool
is_active(const xmlNode *n)
{
	static const char *const names[] = { "script", "style", "object", "embed", "base", "meta",
		"link", "form" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (name_is(n->name, names[i]))
			return true;
	}
	return false;
}

static bool
has_id(xmlNode *n, const char *id)
{
	xmlChar *value = n->type == XML_ELEMENT_NODE ? xmlGetProp(n, (const xmlChar *)"id") : NULL;
	bool has = value != NULL && strcmp((const char *)value, id) == 0;

	xmlFree(value);
	return has;
}

static xmlNode *
find_content(xmlDoc *doc)
{
	xmlNode *top = xmlDocGetRootElement(doc);

	for (xmlNode *n = top; n != NULL; n = next_node(top, n, true)) {
		if (has_id(n, CONTENT_ID) && !is_active(n))
			return n;
	}
	return NULL;
}

/* Does the address that ATTR holds begin with "javascript:"? Browsers skip controls and blanks. */
static bool
is_script_address(const xmlAttr *attr)
{
	static const char scheme[] = "javascript:";
	const xmlChar *p = attr->children != NULL ? attr->children->content : NULL;
	size_t i = 0;

	for (; p != NULL && *p != '\0' && i < sizeof(scheme) - 1; p++) {
		if (*p <= ' ')
			continue;
		if ((*p | 0x20) != scheme[i] && *p != (xmlChar)scheme[i])
			return false;
		i++;
	}
	return i == sizeof(scheme) - 1;
}

static void
remove_handlers(xmlNode *n)
{
	xmlAttr *next;

	for (xmlAttr *a = n->properties; a != NULL; a = next) {
		next = a->next;
		if (strncasecmp((const char *)a->name, "on", 2) == 0 || is_script_address(a) ||
		    name_is(a->name, "srcdoc"))
			xmlRemoveProp(a);
	}
}

static void
restore_source(xmlNode *n)
{
	xmlChar *late = xmlGetProp(n, (const xmlChar *)"data-src");

	if (late == NULL)
		return;
	xmlSetProp(n, (const xmlChar *)"src", late);
	xmlUnsetProp(n, (const xmlChar *)"data-src");
	xmlFree(late);
}

static void
tidy(xmlNode *top)
{
	xmlNode *next;

	/* The page hides it until its own script has run. */
	xmlUnsetProp(top, (const xmlChar *)"style");
	for (xmlNode *n = top; n != NULL; n = next) {
		bool dropped = n->type == XML_COMMENT_NODE || n->type == XML_PI_NODE ||
			       (n->type == XML_ELEMENT_NODE && n != top && is_active(n));

		next = next_node(top, n, !dropped);
		if (dropped) {
			xmlUnlinkNode(n);
			xmlFreeNode(n);
		} else if (n->type == XML_ELEMENT_NODE) {
			restore_source(n);
			remove_handlers(n);
		}
	}
}

static bool
write_node(xmlDoc *doc, xmlNode *n, struct buf *out)
{
	xmlOutputBuffer *text = xmlAllocOutputBuffer(NULL);
	size_t len;

	if (text == NULL)
		return false;
	htmlNodeDumpFormatOutput(text, doc, n, "UTF-8", 0);
	xmlOutputBufferFlush(text);
	len = xmlOutputBufferGetSize(text);
	if (len > 0)
		buf_add(out, xmlOutputBufferGetContent(text), len);
	xmlOutputBufferClose(text);
	return len > 0 && !buf_failed(out);
}

/* PAGE without what is no UTF-8, and without zero bytes. */
static void
repair(const char *page, size_t n, struct buf *out)
{
	size_t run = 0, len;

	while (run < n) {
		for (len = 1; run < n && page[run] != '\0' && len > 0; run += len)
			len = utf8_next(page + run, n - run);
		buf_add(out, page, run);
		if (run == n)
			return;
		buf_puts(out, REPLACEMENT);
		page += run + 1;
		n -= run + 1;
		run = 0;
	}
}

bool
html_content(const char *page, size_t n, struct buf *out)
{
	struct buf text = { 0 };
	xmlDoc *doc = NULL;
	xmlNode *content;
	bool found = false;

	if (n > HTML_MAX_BYTES)
		return false;
	repair(page, n, &text);
	if (text.len > 0 && !buf_failed(&text))
		doc = htmlReadMemory(text.data, (int)text.len, NULL, "UTF-8",
		    HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
			HTML_PARSE_NONET | HTML_PARSE_COMPACT);
	buf_free(&text);
	if (doc == NULL)
		return false;
	content = find_content(doc);
	if (content != NULL) {
		tidy(content);
		found = write_node(doc, content, out);
	}
	xmlFreeDoc(doc);
	return found;
}
