/* SPDX-License-Identifier: MIT */
/* Configuration of cascade-node: its table (node.def), read by src/conf. */
#ifndef CS_AGENT_NODE_CONF_H
#define CS_AGENT_NODE_CONF_H

#include "base/log.h"
#include "conf/table.h"

struct node_conf {
#define CONF(kind, member, key, def, min, max, flags, help) CONF_TYPE_##kind member;
#include "agent/node.def"
#undef CONF
};

/*
 * Reads PATH (NULL: cascade-node.conf, or that of INSTANCE where that is not NULL), the environment
 * and the secret files, and checks everything. The caller's (node_conf_free). CS_ECONFIG: the
 * detail names file, line and key.
 */
enum cs_err node_conf_load(
    const char *path, const char *instance, struct node_conf **conf, struct fault *f) cs_mustcheck;
void node_conf_free(struct node_conf *conf);
/* Is there what a run needs: parent, credential, executor? CS_ECONFIG. */
enum cs_err node_conf_check_run(const struct node_conf *conf, struct fault *f) cs_mustcheck;
/* As conf_print() and its kin. */
void node_conf_print(const struct node_conf *conf, FILE *out);
void node_conf_print_example(FILE *out);
void node_conf_print_mdoc(FILE *out);

#endif
