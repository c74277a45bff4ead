/* SPDX-License-Identifier: MIT */
/* Articles in web pages. The only user of libxml2. */
#ifndef CS_AGENT_HTML_H
#define CS_AGENT_HTML_H

#include "base/buf.h"

#define HTML_MAX_BYTES (8u << 20) /* of a page that is looked into */

/*
 * Adds the element with id "js_content" of PAGE (UTF-8, N bytes) to OUT as HTML: images that the
 * page loads late get their address back (data-src becomes src), and scripts and handlers go. False
 * (nothing added): there is none, the page is too big, or no memory.
 */
bool html_content(const char *page, size_t n, struct buf *out) cs_mustcheck;

#endif
