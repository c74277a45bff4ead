-- SPDX-License-Identifier: MIT
-- What we add to WeRSS's tables: indexes and wider columns, never anything narrower. WeRSS inserts
-- with explicit column lists, so its statements go on working.

-- Every request of a node looks its credential up by this.
ALTER TABLE we_cascade_nodes ADD INDEX IF NOT EXISTS ix_cascade_api_key (api_key);

-- Listings, newest first.
ALTER TABLE we_cascade_task_allocations ADD INDEX IF NOT EXISTS ix_cascade_created (created_at, id);
ALTER TABLE we_cascade_sync_logs ADD INDEX IF NOT EXISTS ix_cascade_started (started_at, id);

-- Whose a row is: WeRSS's own dispatcher inserts without naming this column. Rows of ours and adopted
-- ones are 1. Not indexed together with status: a claim must not have to move an entry here.
ALTER TABLE we_cascade_task_allocations
    ADD COLUMN IF NOT EXISTS cascade_owned BOOL NOT NULL DEFAULT 0
        COMMENT '0: inserted by WeRSS and not looked at by cascaded yet';
ALTER TABLE we_cascade_task_allocations ADD INDEX IF NOT EXISTS ix_cascade_owned (cascade_owned);

-- Addresses of articles and covers run longer than 500 characters: a cut address is a dead link.
DELIMITER $$
BEGIN NOT ATOMIC
    IF EXISTS (SELECT 1 FROM information_schema.columns
               WHERE table_schema = DATABASE() AND table_name = 'we_articles' AND column_name = 'url'
                 AND data_type = 'varchar' AND character_maximum_length < 2048) THEN
        ALTER TABLE we_articles MODIFY url VARCHAR(2048) NULL;
    END IF;
    IF EXISTS (SELECT 1 FROM information_schema.columns
               WHERE table_schema = DATABASE() AND table_name = 'we_articles' AND column_name = 'pic_url'
                 AND data_type = 'varchar' AND character_maximum_length < 2048) THEN
        ALTER TABLE we_articles MODIFY pic_url VARCHAR(2048) NULL;
    END IF;
END $$
DELIMITER ;
