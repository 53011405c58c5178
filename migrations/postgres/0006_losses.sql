-- Processors that a request has lost in a row: what tells a request that kills its processors from one that fails.
ALTER TABLE historical_ingestion_queue ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
