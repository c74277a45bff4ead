-- SPDX-License-Identifier: MIT
-- What ended today is counted on every look at the dashboard: without this each look would read
-- everything that ever ended.
ALTER TABLE we_cascade_task_allocations ADD INDEX IF NOT EXISTS ix_cascade_completed (completed_at, status);
