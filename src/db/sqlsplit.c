/* SPDX-License-Identifier: MIT */
/*
 * The script is a sequence of tokens: a quoted string, a comment, a delimiter, any other byte. A
 * statement starts at its first byte that is neither blank nor comment and ends before a delimiter
 * or at the end of the script. An executable comment (with an exclamation mark) is code to the
 * server, hence begins a statement.
 */
#include "db/sqlsplit.h"

#include <string.h>
#include <strings.h>

void
sqlsplit_init(struct sqlsplit *s, const char *script, size_t len)
{
	memset(s, 0, sizeof(*s));
	s->p = script;
	s->end = script + len;
	s->line = 1;
	strcpy(s->delim, ";");
}

static bool
at(const struct sqlsplit *s, const char *word)
{
	size_t n = strlen(word);

	return (size_t)(s->end - s->p) >= n && strncasecmp(s->p, word, n) == 0;
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
skip(struct sqlsplit *s, size_t n)
{
	for (; n > 0 && s->p < s->end; n--)
		if (*s->p++ == '\n')
			s->line++;
}

static void
skip_line(struct sqlsplit *s)
{
	const char *nl = memchr(s->p, '\n', (size_t)(s->end - s->p));

	skip(s, (size_t)((nl != NULL ? nl : s->end) - s->p));
}

/* A doubled quote is two strings side by side, which ends at the same place. */
static void
skip_quoted(struct sqlsplit *s)
{
	char quote = *s->p;

	skip(s, 1);
	while (s->p < s->end && *s->p != quote)
		skip(s, *s->p == '\\' && quote != '`' ? 2 : 1);
	if (s->p == s->end)
		s->error = "a quote is not closed";
	skip(s, 1);
}

static bool
at_line_comment(const struct sqlsplit *s)
{
	return *s->p == '#' || (at(s, "--") && (s->end - s->p == 2 || is_blank(s->p[2])));
}

static bool
at_code_comment(const struct sqlsplit *s)
{
	return at(s, "/*!") || at(s, "/*M!");
}

static void
skip_comment(struct sqlsplit *s)
{
	if (!at(s, "/*")) {
		skip_line(s);
		return;
	}
	skip(s, 2);
	while (s->p < s->end && !at(s, "*/"))
		skip(s, 1);
	if (s->p == s->end)
		s->error = "a comment is not closed";
	skip(s, 2);
}

static bool
at_comment(const struct sqlsplit *s)
{
	return at_line_comment(s) || at(s, "/*");
}

/* DELIMITER and its word, on the rest of a line. */
static void
read_delimiter(struct sqlsplit *s)
{
	const char *from;
	size_t n;

	skip(s, strlen("DELIMITER"));
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
		skip(s, 1);
	from = s->p;
	while (s->p < s->end && !is_blank(*s->p))
		skip(s, 1);
	n = (size_t)(s->p - from);
	if (n == 0 || n >= sizeof(s->delim)) {
		s->error = "DELIMITER without a usable word";
		return;
	}
	memcpy(s->delim, from, n);
	s->delim[n] = '\0';
	skip_line(s);
}

static bool
at_delimiter_line(const struct sqlsplit *s)
{
	size_t n = strlen("DELIMITER");

	return at(s, "DELIMITER") && ((size_t)(s->end - s->p) == n || is_blank(s->p[n]));
}

/* To where a statement begins: over blanks, comments, empty statements and DELIMITER lines. */
static void
skip_to_statement(struct sqlsplit *s)
{
	while (s->p < s->end && s->error == NULL) {
		if (is_blank(*s->p))
			skip(s, 1);
		else if (at_comment(s) && !at_code_comment(s))
			skip_comment(s);
		else if (at(s, s->delim))
			skip(s, strlen(s->delim));
		else if (at_delimiter_line(s))
			read_delimiter(s);
		else
			return;
	}
}

bool
sqlsplit_next(struct sqlsplit *s, struct sqlsplit_stmt *out)
{
	skip_to_statement(s);
	out->text = s->p;
	out->line = s->line;
	while (s->p < s->end && s->error == NULL && !at(s, s->delim)) {
		if (strchr("'\"`", *s->p) != NULL && *s->p != '\0')
			skip_quoted(s);
		else if (at_comment(s))
			skip_comment(s);
		else
			skip(s, 1);
	}
	out->len = (size_t)(s->p - out->text);
	while (out->len > 0 && is_blank(out->text[out->len - 1]))
		out->len--;
	skip(s, strlen(s->delim));
	return s->error == NULL && out->len > 0;
}
