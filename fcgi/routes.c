/* SPDX-License-Identifier: MIT */
/* THE route table. Order does not matter: a unit test refuses rows that shadow each other. */
#include "fcgi/router.h"

#include "fcgi/handlers.h"

const struct route routes[] = {
	/* the process itself, outside the mounts */
	{ M_GET, "/healthz", AUTH_NONE, BODY_NONE, R_TOP, h_healthz },
	{ M_GET, "/readyz", AUTH_NONE, BODY_NONE, R_TOP, h_readyz },
	{ M_GET, "/metrics", AUTH_NONE, BODY_NONE, R_TOP, h_metrics },

	/* administration */
	{ M_POST, "/nodes", AUTH_ADMIN, BODY_JSON, 0, h_node_create },
	{ M_GET, "/nodes", AUTH_READ, BODY_NONE, 0, h_node_list },
	{ M_GET, "/nodes/{id}", AUTH_READ, BODY_NONE, 0, h_node_get },
	{ M_PUT, "/nodes/{id}", AUTH_ADMIN, BODY_JSON, 0, h_node_update },
	{ M_DELETE, "/nodes/{id}", AUTH_ADMIN, BODY_NONE, 0, h_node_delete },
	{ M_POST, "/nodes/{id}/credentials", AUTH_ADMIN, BODY_NONE, 0, h_node_credentials },
	{ M_POST, "/dispatch-task", AUTH_ADMIN, BODY_NONE, 0, h_dispatch_task },
	{ M_GET, "/allocations", AUTH_READ, BODY_NONE, 0, h_allocation_list },
	{ M_GET, "/allocations/{id}", AUTH_READ, BODY_NONE, 0, h_allocation_get },
	{ M_POST, "/allocations/{id}/cancel", AUTH_ADMIN, BODY_OPTIONAL, 0, h_allocation_cancel },
	{ M_GET, "/pending-allocations", AUTH_READ, BODY_NONE, 0, h_pending_allocations },

	/* nodes */
	{ M_POST, "/heartbeat", AUTH_NODE, BODY_OPTIONAL, R_WAIT_DB | R_TOUCHES, h_heartbeat },
	{ M_POST, "/claim-task", AUTH_NODE, BODY_OPTIONAL, R_WAIT_DB | R_TOUCHES, h_claim_task },
	{ M_GET, "/pending-tasks", AUTH_NODE, BODY_NONE, R_WAIT_DB | R_TOUCHES, h_pending_tasks },
	{ M_PUT, "/task-status", AUTH_NODE, BODY_JSON, R_WAIT_DB | R_TOUCHES, h_task_status },
	{ M_POST, "/upload-articles", AUTH_NODE, BODY_UPLOAD, R_WAIT_DB, h_upload_articles },
	{ M_POST, "/report-completion", AUTH_NODE, BODY_JSON, R_WAIT_DB, h_report_completion },
};
const size_t nroutes = ARRAY_LEN(routes);
