/* SPDX-License-Identifier: MIT */
/*
 * Checks of values that more than one table needs: choices, log targets, addresses, authorities,
 * secret files.
 */
#include "conf/table.h"
#include "base/log.h"
#include "base/parse.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#define SECRET_LINE_MAX 1024

enum cs_err
conf_check_choice(struct conf_load *l, size_t id, const char *choices)
{
	const char *value = conf_str(l, id);
	size_t n;

	for (const char *p = choices; *p != '\0'; p += n + strspn(p + n, " ")) {
		n = strcspn(p, " ");
		if (strlen(value) == n && memcmp(p, value, n) == 0)
			return CS_OK;
	}
	return conf_refuse(l, id, "should be one of: %s", choices);
}

enum cs_err
conf_check_log_target(struct conf_load *l, size_t id, const char *arg cs_unused)
{
	const char *target = conf_str(l, id);

	if (target[0] == '/' || strcmp(target, "stderr") == 0 || strcmp(target, "syslog") == 0)
		return CS_OK;
	return conf_refuse(l, id, "should be stderr, syslog or an absolute path");
}

bool
conf_is_host_port(const char *s)
{
	const char *colon = strrchr(s, ':');
	size_t host = colon != NULL ? (size_t)(colon - s) : 0;
	bool bracketed = host > 2 && s[0] == '[' && s[host - 1] == ']';
	int64_t port;

	if (host == 0 || strpbrk(s, " \t\r\n/") != NULL)
		return false;
	/* An IPv6 address needs its brackets, or the port could not be told from it. */
	if (!bracketed && memchr(s, ':', host) != NULL)
		return false;
	return parse_int(colon + 1, 1, 65535, &port);
}

/* Opens the file that key ID names for reading. */
static enum cs_err
open_file(struct conf_load *l, size_t id, int *fd, mode_t *mode)
{
	const char *path = conf_str(l, id);
	struct stat st;

	/* Not blocking, so that a FIFO is refused instead of waited for. */
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0)
		return conf_refuse(l, id, "%s: %s", path, strerror(errno));
	if (fstat(*fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(*fd);
		return conf_refuse(l, id, "%s: is not a regular file", path);
	}
	*mode = st.st_mode;
	return CS_OK;
}

/* Read by the very function that curl reads it with: what is good here is good there. */
enum cs_err
conf_check_ca_file(struct conf_load *l, size_t id, const char *arg cs_unused)
{
	const char *path = conf_str(l, id);
	X509_STORE *store;
	mode_t mode;
	bool good;
	int fd;

	if (path[0] == '\0')
		return CS_OK;
	TRY(open_file(l, id, &fd, &mode));
	close(fd);
	store = X509_STORE_new();
	if (store == NULL)
		return cs_detail(l->f, CS_ENOMEM, "no memory for the configuration");
	good = X509_STORE_load_file(store, path) == 1;
	X509_STORE_free(store);
	ERR_clear_error();
	return good ? CS_OK : conf_refuse(l, id, "%s: has no certificates in PEM", path);
}

enum cs_err
conf_load_secret(struct conf_load *l, size_t id, size_t secret)
{
	char line[SECRET_LINE_MAX + 2]; /* one byte more than may be, and the NUL */
	mode_t mode;
	size_t len;
	ssize_t n;
	int fd;

	if (*conf_str(l, id) == '\0')
		return CS_OK;
	TRY(open_file(l, id, &fd, &mode));
	if ((mode & (S_IRWXG | S_IRWXO)) != 0)
		log_warn("secret_file", "%s: readable by others than its owner (mode %03o)",
		    conf_str(l, id), (unsigned)mode & 0777);
	n = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (n < 0)
		return conf_refuse(l, id, "%s: cannot be read", conf_str(l, id));
	line[n] = '\0';
	len = strcspn(line, "\n");
	if (len < (size_t)n && line[len] == '\0')
		return conf_refuse(l, id, "%s: the first line contains NUL", conf_str(l, id));
	line[len] = '\0';
	if (len == 0)
		return conf_refuse(l, id, "%s: the first line is empty", conf_str(l, id));
	return conf_set(l, secret, line, conf_str(l, id));
}
