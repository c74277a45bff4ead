/* SPDX-License-Identifier: MIT */
/* Where calls of our own may go: address blocks, host patterns, and the two together. */
#include "net/outbound.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "base/cidr.h"

static const struct sockaddr *
address(const char *text, struct sockaddr_storage *out)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (strchr(text, ':') != NULL) {
		in6->sin6_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
	} else {
		in->sin_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
	}
	return (const struct sockaddr *)out;
}

static void
test_blocks(void **state)
{
	static const struct {
		const char *block, *addr;
		bool in;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.1.2.3/8", "10.9.9.9", true },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "192.0.2.0/31", "192.0.2.1", true },
		{ "192.0.2.0/31", "192.0.2.2", false },
		{ "172.16.0.0/12", "172.31.255.255", true },
		{ "172.16.0.0/12", "172.32.0.0", false },
		{ "0.0.0.0/0", "203.0.113.9", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "203.0.113.9", false },
		{ "fe80::/10", "febf::1", true },
		{ "fe80::/10", "fec0::1", false },
		{ "2001:db8::1", "2001:db8::1", true },
		{ "2001:db8::1", "2001:db8::2", false },
		{ "127.0.0.0/8", "::ffff:127.0.0.1", true },
		{ "::ffff:127.0.0.0/104", "127.9.9.9", true },
		{ "::ffff:127.0.0.0/104", "::ffff:127.9.9.9", true },
		{ "::1", "::1", true },
		{ "::1", "127.0.0.1", false },
	};
	struct sockaddr_storage ss;
	struct cidr c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(cidr_parse(rows[i].block, &c));
		if (cidr_contains(&c, address(rows[i].addr, &ss)) != rows[i].in)
			fail_msg("%s in %s", rows[i].addr, rows[i].block);
	}
}

static void
test_no_blocks(void **state)
{
	static const char *const texts[] = {
		"",
		"/8",
		"*",
		"10",
		"10.0.0",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/8/8",
		"10.0.0.0/8 ",
		" 10.0.0.0/8",
		"10.0.0.256",
		"010.0.0.0",
		"::/129",
		":::",
		"[::1]",
		"fe80::1%eth0",
		"example.org",
		"10.0.0.0.10.0.0.0.10.0.0.0.10.0.0.0.10.0.0.0.10.0.0.0",
	};
	struct sockaddr unix_socket = { .sa_family = AF_UNIX };
	struct cidr c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (cidr_parse(texts[i], &c))
			fail_msg("\"%s\" is taken for a block", texts[i]);
	}
	assert_true(cidr_parse("0.0.0.0/0", &c));
	assert_false(cidr_contains(&c, &unix_socket));
}

#define LIST_MAX 3

static void
test_rule(void **state)
{
	static const struct {
		const char *allow[LIST_MAX];
		const char *host, *addr;
		bool allowed;
	} rows[] = {
		/* by default every name and address that is not special */
		{ { "*" }, "child.example.org", "203.0.113.9", true },
		{ { "*" }, "10.0.0.5", "10.0.0.5", true },
		{ { "*" }, "fd00::5", "fd00::5", true },
		{ { "*" }, "localhost", "127.0.0.1", false },
		{ { "*" }, "localhost", "::1", false },
		{ { "*" }, "127.8.8.8", "127.8.8.8", false },
		{ { "*" }, "evil.example.org", "169.254.169.254", false },
		{ { "*" }, "evil.example.org", "::ffff:169.254.169.254", false },
		{ { "*" }, "evil.example.org", "::ffff:127.0.0.1", false },
		{ { "*" }, "evil.example.org", "fe80::1", false },
		{ { "*" }, "0", "0.0.0.0", false },
		{ { "*" }, "::", "::", false },
		{ { "*" }, "evil.example.org", "239.1.1.1", false },
		{ { "*" }, "evil.example.org", "255.255.255.255", false },
		{ { "*" }, "evil.example.org", "ff02::1", false },
		/* names */
		{ { "*.example.org" }, "a.b.EXAMPLE.org", "203.0.113.9", true },
		{ { "*.example.org" }, "example.org", "203.0.113.9", false },
		{ { "*.example.org" }, "example.org.evil.net", "203.0.113.9", false },
		{ { "*.example.org" }, "aexample.org", "203.0.113.9", false },
		{ { "*.example.org" }, "203.0.113.9", "203.0.113.9", false },
		{ { "one.example.org" }, "one.example.org", "203.0.113.9", true },
		{ { "one.example.org" }, "two.example.org", "203.0.113.9", false },
		{ { "localhost" }, "localhost", "127.0.0.1", false },
		/* blocks, whatever the name */
		{ { "203.0.113.0/24" }, "any.example.org", "203.0.113.9", true },
		{ { "203.0.113.0/24" }, "any.example.org", "203.0.114.9", false },
		{ { "127.0.0.0/8" }, "localhost", "127.0.0.1", true },
		{ { "127.0.0.0/8" }, "localhost", "::ffff:127.0.0.1", true },
		{ { "127.0.0.0/8" }, "localhost", "::1", false },
		{ { "127.0.0.0/8" }, "child.example.org", "203.0.113.9", false },
		{ { "127.0.0.0/8", "*" }, "child.example.org", "203.0.113.9", true },
		{ { "127.0.0.0/8", "*" }, "child.example.org", "169.254.1.1", false },
		{ { "10.0.0.0/8", "*.example.org", "::1" }, "x", "::1", true },
		{ { "10.0.0.0/8", "*.example.org", "::1" }, "x", "203.0.113.9", false },
		/* nothing allows nothing */
		{ { NULL }, "child.example.org", "203.0.113.9", false },
	};
	struct sockaddr_storage ss;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct outbound o = { .allow = rows[i].allow };

		while (o.n < LIST_MAX && rows[i].allow[o.n] != NULL)
			o.n++;
		if (outbound_allows(&o, rows[i].host, address(rows[i].addr, &ss)) !=
		    rows[i].allowed)
			fail_msg("%s at %s with %s, …", rows[i].host, rows[i].addr,
			    o.n > 0 ? o.allow[0] : "nothing");
	}
}

static void
test_other_families(void **state)
{
	static const char *const all[] = { "*", "0.0.0.0/0", "::/0" };
	struct outbound o = { all, ARRAY_LEN(all) };
	struct sockaddr unix_socket = { .sa_family = AF_UNIX };

	(void)state;
	assert_false(outbound_allows(&o, "x", &unix_socket));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_no_blocks),
		cmocka_unit_test(test_rule),
		cmocka_unit_test(test_other_families),
	};

	return cmocka_run_group_tests_name("outbound", tests, NULL, NULL);
}
