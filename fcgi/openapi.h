/* SPDX-License-Identifier: MIT */
/* The description of the API, as docs/openapi.yaml has it; openapi.c is made from that file. */
#ifndef CS_FCGI_OPENAPI_H
#define CS_FCGI_OPENAPI_H

struct openapi_member {
	const char *key;
	const char *json; /* NULL: the servers, which are of the mount that is asked */
};

/* The members of the document in their order, ended by one without a key. */
extern const struct openapi_member openapi_members[];
/* Quoted; another one for each other description. */
extern const char openapi_etag[];

#endif
