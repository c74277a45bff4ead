/* SPDX-License-Identifier: MIT */
/* Files that a command reads. Whole and bounded: nothing is acted on before all of it is there. */
#include "cli/cli.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define CHUNK	       (64u * 1024)
#define LINE_MAX_BYTES 4096u

static enum cs_err
cannot_read(struct cli *c, const char *path, int error)
{
	return cs_fail(&c->fault, CS_EIO, MSG_C_CANNOT_READ, path, strerror(error));
}

/* Reads FD to its end into B, which is capped. */
static enum cs_err
slurp(struct cli *c, const char *path, int fd, struct buf *b)
{
	for (;;) {
		char chunk[CHUNK];
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cannot_read(c, path, errno);
		if (n == 0)
			return CS_OK;
		buf_add(b, chunk, (size_t)n);
		if (buf_failed(b))
			return cs_bad_as(
			    &c->fault, CS_ETOOLARGE, path, MSG_R_MAX_BYTES, (long long)b->cap);
	}
}

enum cs_err
input_read(struct cli *c, const char *path, size_t cap, const char **text, size_t *len)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct buf b = { .cap = cap };
	enum cs_err err;

	if (fd < 0)
		return cannot_read(c, path, errno);
	err = slurp(c, path, fd, &b);
	if (!is_stdin)
		close(fd);
	*text = err == CS_OK ? arena_strndup(c->arena, b.data != NULL ? b.data : "", b.len) : NULL;
	*len = b.len;
	buf_free(&b);
	TRY(err);
	return *text != NULL ? CS_OK : cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
}

enum cs_err
input_line(struct cli *c, const char *path, const char **line)
{
	const char *text;
	size_t len;

	TRY(input_read(c, path, LINE_MAX_BYTES, &text, &len));
	*line = arena_strndup(c->arena, text, strcspn(text, "\r\n"));
	return *line != NULL ? CS_OK : cs_fail(&c->fault, CS_ENOMEM, MSG_NONE);
}
