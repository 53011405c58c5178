-- Bars are kept in one table, in partitions by the UTC month of their start, which are made when they are needed. Its
-- primary key is how bars are read. Texts compare by bytes ("C"), whatever the database's language.
CREATE TABLE historical_bars (
    symbol        TEXT COLLATE "C" NOT NULL,
    timeframe     TEXT COLLATE "C" NOT NULL,
    timestamp     BIGINT           NOT NULL,
    open          DOUBLE PRECISION NOT NULL,
    high          DOUBLE PRECISION NOT NULL,
    low           DOUBLE PRECISION NOT NULL,
    close         DOUBLE PRECISION NOT NULL,
    volume        DOUBLE PRECISION,
    vwap          DOUBLE PRECISION,
    trades        BIGINT,
    session       TEXT COLLATE "C" NOT NULL,
    vwap_method   TEXT COLLATE "C",
    session_date  DATE             NOT NULL,
    end_timestamp BIGINT           NOT NULL,
    minutes       INTEGER          NOT NULL,
    PRIMARY KEY (symbol, timeframe, timestamp)
) PARTITION BY RANGE (timestamp);

CREATE VIEW historical_bars_regular AS SELECT * FROM historical_bars WHERE session = 'regular';

-- One row per file of a trading day: which version of it is loaded (null: none), and what became of the last attempt.
CREATE TABLE ingest_ledger (
    dataset       TEXT COLLATE "C" NOT NULL,
    session_date  DATE   NOT NULL,
    file          TEXT COLLATE "C" NOT NULL CHECK (file IN ('minute', 'day')),
    scope         TEXT COLLATE "C" CHECK (scope IN ('all', 'symbols')),
    object_key    TEXT,
    etag          TEXT,
    size_bytes    BIGINT,
    last_modified BIGINT,
    rows_read     BIGINT NOT NULL DEFAULT 0,
    rows_rejected BIGINT NOT NULL DEFAULT 0,
    symbols_seen  BIGINT NOT NULL DEFAULT 0,
    bars_written  BIGINT NOT NULL DEFAULT 0,
    outcome       TEXT   NOT NULL,
    detail        TEXT,
    started_at    BIGINT NOT NULL,
    finished_at   BIGINT NOT NULL,
    PRIMARY KEY (dataset, session_date, file)
);

-- Which timeframes of a day are loaded, for everyone ('*') or for one symbol; "looked for and not there" included.
CREATE TABLE coverage (
    dataset      TEXT COLLATE "C" NOT NULL,
    session_date DATE NOT NULL,
    symbol       TEXT COLLATE "C" NOT NULL,
    timeframes   TEXT NOT NULL,
    PRIMARY KEY (dataset, session_date, symbol)
);

CREATE TABLE watchlist (
    symbol           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    days_to_backfill INTEGER NOT NULL DEFAULT 90,
    active           BOOLEAN NOT NULL DEFAULT TRUE,
    priority         INTEGER NOT NULL DEFAULT 0,
    added_at         BIGINT  NOT NULL
);

-- How fast the last run of each kind was, for the estimate in the next plan.
CREATE TABLE load_rates (
    scope       TEXT COLLATE "C" NOT NULL PRIMARY KEY CHECK (scope IN ('all', 'symbols')),
    file_bytes  BIGINT NOT NULL,
    bars        BIGINT NOT NULL,
    seconds     DOUBLE PRECISION NOT NULL,
    measured_at BIGINT NOT NULL
);
