-- The hash of a loaded file's unpacked content (32 hex digits; null: loaded before hashes were kept). A new version with the
-- same hash needs no loading.
ALTER TABLE ingest_ledger ADD COLUMN content_hash TEXT;

-- `bars_written` was what the last load of a file wrote. From here on it is how many of the day's bars are stored, so that
-- the ledger can be held against the table.
UPDATE ingest_ledger SET bars_written =
    (SELECT COUNT(*) FROM days d CROSS JOIN bars b
     WHERE d.dataset = ingest_ledger.dataset AND d.session_date = ingest_ledger.session_date AND b.day_id = d.day_id
       AND (b.timeframe_id = 7) = (ingest_ledger.file = 'day'))
WHERE etag IS NOT NULL;

-- Files that the vendor replaced after they were loaded, and what that changed in the table.
CREATE TABLE restatements (
    restatement_id    INTEGER PRIMARY KEY,
    dataset           TEXT NOT NULL,
    session_date      TEXT NOT NULL,
    file              TEXT NOT NULL CHECK (file IN ('minute', 'day')),
    loaded_at         INTEGER NOT NULL,
    old_object_key    TEXT NOT NULL,
    old_etag          TEXT NOT NULL,
    old_size_bytes    INTEGER NOT NULL,
    old_last_modified INTEGER,
    new_object_key    TEXT NOT NULL,
    new_etag          TEXT NOT NULL,
    new_size_bytes    INTEGER NOT NULL,
    new_last_modified INTEGER,
    bars_added        INTEGER NOT NULL,
    bars_changed      INTEGER NOT NULL,
    bars_removed      INTEGER NOT NULL
) STRICT;

CREATE INDEX restatements_by_day ON restatements (session_date, dataset);
