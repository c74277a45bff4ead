/* SPDX-License-Identifier: MIT */
/* THE route table. Order does not matter: a unit test refuses rows that shadow each other. */
#include "fcgi/router.h"

#include "fcgi/handlers.h"

const struct route routes[] = {
	/* the process itself, outside the mounts */
	{ M_GET, "/healthz", AUTH_NONE, BODY_NONE, R_TOP, h_healthz },
	{ M_GET, "/readyz", AUTH_NONE, BODY_NONE, R_TOP, h_readyz },
	{ M_GET, "/metrics", AUTH_NONE, BODY_NONE, R_TOP, h_metrics },

	/* for everybody */
	{ M_GET, "/openapi.json", AUTH_NONE, BODY_NONE, 0, h_openapi },

	/* administration */
	{ M_POST, "/auth/login", AUTH_NONE, BODY_JSON, 0, h_login },
	{ M_POST, "/nodes", AUTH_ADMIN, BODY_JSON, 0, h_node_create },
	{ M_GET, "/nodes", AUTH_READ, BODY_NONE, 0, h_node_list },
	{ M_GET, "/nodes/{id}", AUTH_READ, BODY_NONE, 0, h_node_get },
	{ M_PUT, "/nodes/{id}", AUTH_ADMIN, BODY_JSON, 0, h_node_update },
	{ M_DELETE, "/nodes/{id}", AUTH_ADMIN, BODY_NONE, 0, h_node_delete },
	{ M_POST, "/nodes/{id}/credentials", AUTH_ADMIN, BODY_NONE, 0, h_node_credentials },
	{ M_POST, "/nodes/{id}/drain", AUTH_ADMIN, BODY_NONE, 0, h_node_drain },
	{ M_POST, "/nodes/{id}/resume", AUTH_ADMIN, BODY_NONE, 0, h_node_resume },
	{ M_POST, "/nodes/{id}/test-connection", AUTH_ADMIN, BODY_OPTIONAL, 0, h_node_test },
	{ M_GET, "/sync-logs", AUTH_READ, BODY_NONE, 0, h_sync_list },
	{ M_POST, "/dispatch-task", AUTH_ADMIN, BODY_NONE, 0, h_dispatch_task },
	{ M_GET, "/allocations", AUTH_READ, BODY_NONE, 0, h_allocation_list },
	{ M_GET, "/allocations/{id}", AUTH_READ, BODY_NONE, 0, h_allocation_get },
	{ M_GET, "/allocations/{id}/explain", AUTH_READ, BODY_NONE, 0, h_allocation_explain },
	{ M_POST, "/allocations/{id}/cancel", AUTH_ADMIN, BODY_OPTIONAL, 0, h_allocation_cancel },
	{ M_POST, "/allocations/{id}/requeue", AUTH_ADMIN, BODY_NONE, 0, h_allocation_requeue },
	{ M_POST, "/dead-letters/requeue", AUTH_ADMIN, BODY_NONE, 0, h_dead_letters_requeue },
	{ M_GET, "/pending-allocations", AUTH_READ, BODY_NONE, 0, h_pending_allocations },
	{ M_GET, "/feed-status", AUTH_READ, BODY_NONE, 0, h_feed_status },
	{ M_POST, "/start-scheduler", AUTH_ADMIN, BODY_OPTIONAL, 0, h_scheduler_start },
	{ M_POST, "/stop-scheduler", AUTH_ADMIN, BODY_OPTIONAL, 0, h_scheduler_stop },
	{ M_POST, "/reload-scheduler", AUTH_ADMIN, BODY_OPTIONAL, 0, h_scheduler_reload },

	/* nodes */
	{ M_POST, "/heartbeat", AUTH_NODE, BODY_OPTIONAL, R_WAIT_DB | R_TOUCHES, h_heartbeat },
	{ M_GET, "/feeds", AUTH_ANY, BODY_NONE, 0, h_feed_list, SYNC_FEEDS },
	{ M_GET, "/message-tasks", AUTH_ANY, BODY_NONE, 0, h_task_list, SYNC_TASKS },
	{ M_POST, "/claim-task", AUTH_NODE, BODY_OPTIONAL, R_WAIT_DB | R_TOUCHES | R_LOGS,
	    h_claim_task, SYNC_CLAIM },
	{ M_GET, "/pending-tasks", AUTH_NODE, BODY_NONE, R_WAIT_DB | R_TOUCHES | R_LOGS | R_NO_HEAD,
	    h_pending_tasks, SYNC_CLAIM },
	{ M_PUT, "/task-status", AUTH_NODE, BODY_JSON, R_WAIT_DB | R_TOUCHES, h_task_status },
	{ M_POST, "/upload-articles", AUTH_NODE, BODY_UPLOAD, R_WAIT_DB | R_LOGS, h_upload_articles,
	    SYNC_UPLOAD },
	{ M_POST, "/report-completion", AUTH_NODE, BODY_JSON, R_WAIT_DB | R_LOGS,
	    h_report_completion, SYNC_COMPLETION },
	{ M_POST, "/report-result", AUTH_NODE, BODY_JSON, R_WAIT_DB | R_LOGS, h_report_result,
	    SYNC_RESULT },
};
const size_t nroutes = ARRAY_LEN(routes);
