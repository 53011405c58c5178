-- The hash of a loaded file's unpacked content (32 hex digits; null: loaded before hashes were kept). A new version with the
-- same hash needs no loading.
ALTER TABLE ingest_ledger ADD COLUMN content_hash TEXT;

-- Files that the vendor replaced after they were loaded, and what that changed in the table.
CREATE TABLE restatements (
    restatement_id    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dataset           TEXT COLLATE "C" NOT NULL,
    session_date      DATE   NOT NULL,
    file              TEXT COLLATE "C" NOT NULL CHECK (file IN ('minute', 'day')),
    loaded_at         BIGINT NOT NULL,
    old_object_key    TEXT   NOT NULL,
    old_etag          TEXT   NOT NULL,
    old_size_bytes    BIGINT NOT NULL,
    old_last_modified BIGINT,
    new_object_key    TEXT   NOT NULL,
    new_etag          TEXT   NOT NULL,
    new_size_bytes    BIGINT NOT NULL,
    new_last_modified BIGINT,
    bars_added        BIGINT NOT NULL,
    bars_changed      BIGINT NOT NULL,
    bars_removed      BIGINT NOT NULL
);

CREATE INDEX restatements_by_day ON restatements (session_date, dataset);

-- Days that are being loaded, by whom, and until when they are theirs (milliseconds since the Unix epoch, by this server's
-- clock). A claimant that does not prolong its lease loses the day.
CREATE TABLE day_claims (
    dataset      TEXT COLLATE "C" NOT NULL,
    session_date DATE   NOT NULL,
    claimant     TEXT   NOT NULL,
    lease_until  BIGINT NOT NULL,
    PRIMARY KEY (dataset, session_date)
);
