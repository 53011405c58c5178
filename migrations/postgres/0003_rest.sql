-- What the REST API brought, by symbol and day. `timeframes` came this way and not by a file ("looked for and not there"
-- included); `exact_vwap` came by a file, and its VWAPs were made exact. Of a provisional day more is to come.
CREATE TABLE rest_ledger (
    dataset       TEXT COLLATE "C" NOT NULL,
    session_date  DATE    NOT NULL,
    symbol        TEXT COLLATE "C" NOT NULL,
    timeframes    TEXT    NOT NULL DEFAULT '',
    provisional   BOOLEAN NOT NULL DEFAULT FALSE,
    exact_vwap    TEXT    NOT NULL DEFAULT '',
    request       TEXT,
    rows_read     BIGINT  NOT NULL DEFAULT 0,
    bars_written  BIGINT  NOT NULL DEFAULT 0,
    fetched_at    BIGINT,
    outcome       TEXT    NOT NULL,
    detail        TEXT,
    started_at    BIGINT  NOT NULL,
    finished_at   BIGINT  NOT NULL,
    PRIMARY KEY (dataset, session_date, symbol)
);

-- Where the bars of each day came from: a file (for one symbol or, with '*', for all it has), or a request.
CREATE VIEW bar_sources AS
SELECT c.dataset, c.session_date, c.symbol, c.timeframes, 'file' AS source, l.object_key AS object
FROM coverage c LEFT JOIN ingest_ledger l
    ON l.dataset = c.dataset AND l.session_date = c.session_date AND l.file = 'minute'
UNION ALL
SELECT dataset, session_date, symbol, timeframes, 'rest', request FROM rest_ledger WHERE timeframes <> '';

-- Small texts by which processes agree: what is spent of a quota, what was refused. They can be deleted. One without a text
-- is being changed: nobody sees it.
CREATE TABLE shared_notes (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    text TEXT
);
