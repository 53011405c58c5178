-- What keeps the table filled with nobody looking: a queue of requests fed by the watchlist, the record of runs, messages on
-- their way to people, and the daily picture of option chains. Instants are milliseconds since the Unix epoch, UTC; they are
-- computed so that older versions of SQLite in other programs can do it, too.

-- Other programs put symbols on the list with nothing but their names. A default can be given to a column only by writing it
-- into the schema, as SQLite's documentation of ALTER TABLE has it: a table made anew would be without the columns, indexes and
-- triggers that other programs have put on it.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
SET sql = replace(sql, 'added_at         INTEGER NOT NULL',
    'added_at         INTEGER NOT NULL DEFAULT (CAST((julianday(''now'') - 2440587.5) * 86400000 AS INTEGER))')
WHERE type = 'table' AND name = 'watchlist';
PRAGMA writable_schema = RESET;

-- Requests to load a symbol. `from_date` 0001-01-01 stands for as far back as `days_to_backfill` says, `to_date` 9999-12-31 for
-- the newest there is. `outcome` says more than `status`: loaded, partial, no_data, not_entitled, invalid, dead.
CREATE TABLE historical_ingestion_queue (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    symbol           TEXT NOT NULL,
    status           TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
    outcome          TEXT,
    days_to_backfill INTEGER NOT NULL DEFAULT 90 CHECK (days_to_backfill > 0),
    from_date        TEXT NOT NULL DEFAULT '0001-01-01',
    to_date          TEXT NOT NULL DEFAULT '9999-12-31',
    timeframes       TEXT NOT NULL DEFAULT '1m,5m,15m,1h,4h,day',
    priority         INTEGER NOT NULL DEFAULT 0,
    requested_at     INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),
    started_at       INTEGER,
    completed_at     INTEGER,
    error_message    TEXT,
    retry_count      INTEGER NOT NULL DEFAULT 0,
    -- Not claimed before.
    not_before       INTEGER,
    -- Who works on it and until when that counts; the token grows with every claim, so that a late one can be told.
    lease_owner      TEXT,
    lease_until      INTEGER,
    fencing_token    INTEGER NOT NULL DEFAULT 0,
    -- Progress: days done of the days it asks for.
    days_total       INTEGER,
    days_done        INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),
    updated_at       INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))
) STRICT;

-- Of equal requests one is open at a time.
CREATE UNIQUE INDEX historical_ingestion_queue_open
    ON historical_ingestion_queue (symbol, days_to_backfill, from_date, to_date, timeframes)
    WHERE status IN ('pending', 'processing');
CREATE INDEX historical_ingestion_queue_claim
    ON historical_ingestion_queue (priority DESC, requested_at, id) WHERE status = 'pending';
CREATE INDEX historical_ingestion_queue_held ON historical_ingestion_queue (symbol) WHERE status = 'processing';
CREATE INDEX historical_ingestion_queue_dead ON historical_ingestion_queue (id) WHERE status = 'failed' AND outcome = 'dead';

CREATE VIEW watchlist_ingestion_queue AS SELECT * FROM historical_ingestion_queue;

-- Asked with WHERE NOT EXISTS: the conflict clause of a statement that fires a trigger (INSERT OR REPLACE) takes the place of
-- those within it.
CREATE TRIGGER on_watchlist_insert AFTER INSERT ON watchlist WHEN NEW.active
BEGIN
    INSERT INTO historical_ingestion_queue (symbol, days_to_backfill, priority)
    SELECT NEW.symbol, max(NEW.days_to_backfill, 1), NEW.priority
    WHERE NOT EXISTS (
        SELECT 1 FROM historical_ingestion_queue q
        WHERE q.symbol = NEW.symbol AND q.days_to_backfill = max(NEW.days_to_backfill, 1) AND q.from_date = '0001-01-01'
          AND q.to_date = '9999-12-31' AND q.timeframes = '1m,5m,15m,1h,4h,day'
          AND q.status IN ('pending', 'processing'));
END;

CREATE TRIGGER on_watchlist_update AFTER UPDATE ON watchlist
WHEN NEW.active
     AND (NOT OLD.active OR NEW.days_to_backfill > OLD.days_to_backfill OR NEW.symbol <> OLD.symbol)
BEGIN
    INSERT INTO historical_ingestion_queue (symbol, days_to_backfill, priority)
    SELECT NEW.symbol, max(NEW.days_to_backfill, 1), NEW.priority
    WHERE NOT EXISTS (
        SELECT 1 FROM historical_ingestion_queue q
        WHERE q.symbol = NEW.symbol AND q.days_to_backfill = max(NEW.days_to_backfill, 1) AND q.from_date = '0001-01-01'
          AND q.to_date = '9999-12-31' AND q.timeframes = '1m,5m,15m,1h,4h,day'
          AND q.status IN ('pending', 'processing'));
END;

CREATE TRIGGER on_watchlist_priority AFTER UPDATE OF priority ON watchlist WHEN NEW.priority <> OLD.priority
BEGIN
    UPDATE historical_ingestion_queue
    SET priority = NEW.priority, updated_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)
    WHERE symbol = NEW.symbol AND status = 'pending';
END;

-- One row per unattended run. `complete_to`: the last session up to which everything due was there when it ended.
CREATE TABLE ingest_runs (
    run_id      TEXT NOT NULL PRIMARY KEY,
    command     TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    exit_code   INTEGER,
    complete_to TEXT,
    summary     TEXT,
    record      TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX ingest_runs_latest ON ingest_runs (command, started_at);

-- What was last told of each source of trouble; `problem` is a hash of it, null when all is well.
CREATE TABLE notification_conditions (
    source     TEXT NOT NULL PRIMARY KEY,
    problem    TEXT,
    since      INTEGER NOT NULL,
    told_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Messages to people. A row that is being sent is claimed first, so that no two processes send it. Those of a channel go in the
-- order of their numbers.
CREATE TABLE notification_outbox (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    dedup_key        TEXT NOT NULL UNIQUE,
    channel          TEXT NOT NULL CHECK (channel IN ('webhook', 'email', 'telegram')),
    event            TEXT NOT NULL,
    subject          TEXT NOT NULL,
    body             TEXT NOT NULL,
    status           TEXT NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sending', 'sent', 'dead')),
    created_at       INTEGER NOT NULL,
    not_before       INTEGER NOT NULL,
    attempts         INTEGER NOT NULL DEFAULT 0,
    -- Set with each claim, taken back where the other side has certainly not taken it.
    may_have_arrived INTEGER NOT NULL DEFAULT 0,
    lease_until      INTEGER,
    fencing_token    INTEGER NOT NULL DEFAULT 0,
    sent_at          INTEGER,
    error_message    TEXT
) STRICT;
CREATE INDEX notification_outbox_open ON notification_outbox (channel, id) WHERE status IN ('pending', 'sending');

-- Option chains, one picture per session. `known_at`: when it was taken, or may be acted upon; never before that.
CREATE TABLE option_chain_daily (
    session_date       TEXT NOT NULL,
    underlying         TEXT NOT NULL,
    contract           TEXT NOT NULL,
    open_interest      INTEGER,
    implied_volatility REAL,
    delta              REAL,
    gamma              REAL,
    theta              REAL,
    vega               REAL,
    day_volume         REAL,
    known_at           INTEGER NOT NULL,
    source             TEXT NOT NULL CHECK (source IN ('snapshot', 'import')),
    PRIMARY KEY (underlying, session_date, contract)
) STRICT, WITHOUT ROWID;

-- One row per underlying and session: what became of its snapshot.
CREATE TABLE option_chain_ledger (
    session_date TEXT NOT NULL,
    underlying   TEXT NOT NULL,
    contracts    INTEGER NOT NULL DEFAULT 0,
    outcome      TEXT NOT NULL,
    detail       TEXT,
    started_at   INTEGER NOT NULL,
    finished_at  INTEGER NOT NULL,
    PRIMARY KEY (underlying, session_date)
) STRICT, WITHOUT ROWID;

-- Closures and early closes that were announced after the calendar of the program was made.
CREATE TABLE announced_sessions (
    session_date TEXT NOT NULL PRIMARY KEY,
    kind         TEXT NOT NULL CHECK (kind IN ('closed', 'early_close', 'full')),
    name         TEXT,
    announced_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
