/* SPDX-License-Identifier: MIT */
/* Reads what a WeRSS child is configured by: `cascade-node import-config`. */
#ifndef CS_AGENT_IMPORT_H
#define CS_AGENT_IMPORT_H

/* Prints the configuration that the YAML file at PATH amounts to. Returns the exit status. */
int import_config(const char *path);

#endif
