-- SPDX-License-Identifier: MIT
-- What ended today is counted on every look at the dashboard: without this each look would read
-- everything that ever ended.
ALTER TABLE we_cascade_task_allocations ADD INDEX IF NOT EXISTS ix_cascade_completed (completed_at, status);

-- The sync log by node and by operation, newest first.
ALTER TABLE we_cascade_sync_logs
    ADD INDEX IF NOT EXISTS ix_cascade_node (node_id, started_at, id),
    ADD INDEX IF NOT EXISTS ix_cascade_operation (operation, started_at, id),
    ADD INDEX IF NOT EXISTS ix_cascade_node_operation (node_id, operation, started_at, id);

-- How feeds stand: the order of the list, and the articles of those on a page.
ALTER TABLE we_feeds ADD INDEX IF NOT EXISTS ix_cascade_update (update_time, id);
ALTER TABLE we_articles ADD INDEX IF NOT EXISTS ix_cascade_feed (mp_id, publish_time);
