/* SPDX-License-Identifier: MIT */
/* Every handler: parse, call, render. One file per aggregate; routes.c names them all. */
#ifndef CS_FCGI_HANDLERS_H
#define CS_FCGI_HANDLERS_H

#include "fcgi/ctx.h"

#define HOLD_MAX_S 86400 /* for so long at most a node may ask to be spared */

/* h_health.c */
enum cs_err h_healthz(struct ctx *c);
enum cs_err h_readyz(struct ctx *c);
/* h_login.c */
enum cs_err h_login(struct ctx *c);
/* h_openapi.c */
enum cs_err h_openapi(struct ctx *c);
/* h_metrics.c */
enum cs_err h_metrics(struct ctx *c);
/* h_node.c */
enum cs_err h_node_create(struct ctx *c);
enum cs_err h_node_list(struct ctx *c);
enum cs_err h_node_get(struct ctx *c);
enum cs_err h_node_update(struct ctx *c);
enum cs_err h_node_delete(struct ctx *c);
enum cs_err h_node_drain(struct ctx *c);
enum cs_err h_node_resume(struct ctx *c);
enum cs_err h_node_credentials(struct ctx *c);
enum cs_err h_heartbeat(struct ctx *c);
/* h_claim.c */
enum cs_err h_claim_task(struct ctx *c);
enum cs_err h_pending_tasks(struct ctx *c);
/* h_report.c */
enum cs_err h_task_status(struct ctx *c);
enum cs_err h_report_completion(struct ctx *c);
/* h_upload.c */
enum cs_err h_upload_articles(struct ctx *c);
/* h_alloc.c */
enum cs_err h_allocation_list(struct ctx *c);
enum cs_err h_allocation_get(struct ctx *c);
enum cs_err h_allocation_cancel(struct ctx *c);
enum cs_err h_pending_allocations(struct ctx *c);
enum cs_err h_dispatch_task(struct ctx *c);
/* h_explain.c */
enum cs_err h_allocation_explain(struct ctx *c);
/* h_requeue.c */
enum cs_err h_allocation_requeue(struct ctx *c);
enum cs_err h_dead_letters_requeue(struct ctx *c);
/* h_feed.c */
enum cs_err h_feed_list(struct ctx *c);
enum cs_err h_task_list(struct ctx *c);
enum cs_err h_feed_status(struct ctx *c);
/* h_sync.c */
enum cs_err h_sync_list(struct ctx *c);
enum cs_err h_report_result(struct ctx *c);
/* h_scheduler.c */
enum cs_err h_scheduler_start(struct ctx *c);
enum cs_err h_scheduler_stop(struct ctx *c);
enum cs_err h_scheduler_reload(struct ctx *c);
/* h_connect.c */
enum cs_err h_node_test(struct ctx *c);

#endif
