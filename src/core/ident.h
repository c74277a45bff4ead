/* SPDX-License-Identifier: MIT */
/*
 * Identifiers and secrets: UUIDv7, row numbers, credentials, hashes. Pure but for random numbers
 * (OpenSSL RAND_bytes).
 */
#ifndef CS_CORE_IDENT_H
#define CS_CORE_IDENT_H

#include "base/err.h"

#define UUID_LEN       36
#define CREDENTIAL_LEN 34 /* two-letter prefix and 32 URL-safe characters */
#define SHA256_HEX_LEN 64

/* UUIDv7 (RFC 9562) of WALL_MS. OUT: UUID_LEN + 1 bytes. False when no randomness is to be had. */
bool ident_uuid7(char out[UUID_LEN + 1], int64_t wall_ms);
/*
 * First of a run of N row numbers (N <= 1,000,000): time-ordered, positive, unique with high
 * probability over all processes and hosts (milliseconds since 2020 << 22, random start below);
 * a collision shows as a duplicate key and is tried again. 0 when no randomness is to be had or N
 * is out of range.
 */
int64_t ident_seq(int64_t wall_ms, int64_t n);
/* PREFIX ("CN", "CS", "WK", "SK") and 32 random characters of A-Za-z0-9_- */
bool ident_credential(char out[CREDENTIAL_LEN + 1], const char *prefix);
/* Lowercase hex SHA-256 of N bytes; "" (to ident_equal() equal to nothing) when OpenSSL fails. */
void ident_sha256(char out[SHA256_HEX_LEN + 1], const void *p, size_t n);
/* Lowercase hex HMAC-SHA256; "" as above. */
void ident_hmac_sha256(
    char out[SHA256_HEX_LEN + 1], const void *key, size_t key_len, const void *p, size_t n);
/* Equality in constant time for a given length of EXPECTED. NULL and "" equal nothing. */
bool ident_equal(const char *given, const char *expected);
/* Uniform in [0, 1); not for secrets. */
double ident_random(void);
/* A caller's X-Request-Id is taken over when it is 1 to 128 characters of [A-Za-z0-9._:-]. */
bool ident_request_id_is_sane(const char *id);

#endif
