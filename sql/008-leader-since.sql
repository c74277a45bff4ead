-- SPDX-License-Identifier: MIT
-- Since when the leader leads: for those who look at the system.
ALTER TABLE cascade_leader
    ADD COLUMN IF NOT EXISTS since DATETIME(3) NULL COMMENT 'when it took the lead';
