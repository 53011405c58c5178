-- Bars are kept day first: a day's load appends at the end of the tree, where a key that starts with the symbol would
-- touch a page per symbol. Readers use the view `historical_bars`; the tables under it may change, the view may not.

CREATE TABLE timeframes (
    timeframe_id INTEGER PRIMARY KEY,
    timeframe    TEXT NOT NULL UNIQUE
) STRICT;

INSERT INTO timeframes VALUES (1, '1m'), (2, '5m'), (3, '15m'), (4, '1h'), (5, '4h'), (6, 'day'), (7, 'day_official');

-- What bars of many days have in common: their session, the origin of their VWAP, how long after its start a bar is known,
-- and what their prices are divided by. (333.26 is kept as 33326 with a divisor of 100: three bytes instead of eight. A
-- bar whose prices that would change by a bit keeps them as they are, with a divisor of 1.)
CREATE TABLE shapes (
    shape_id      INTEGER PRIMARY KEY,
    session       TEXT NOT NULL,
    vwap_method   TEXT,
    duration_ms   INTEGER NOT NULL,
    price_divisor REAL NOT NULL
) STRICT;

CREATE TABLE symbols (
    symbol  TEXT NOT NULL PRIMARY KEY,
    dataset TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Numbered in the order of loading, whatever their dates, so that every load appends.
CREATE TABLE days (
    day_id       INTEGER PRIMARY KEY AUTOINCREMENT,
    dataset      TEXT NOT NULL,
    session_date TEXT NOT NULL,
    UNIQUE (dataset, session_date)
) STRICT;

CREATE TABLE bars (
    day_id       INTEGER NOT NULL,
    symbol       TEXT    NOT NULL,
    timeframe_id INTEGER NOT NULL,
    timestamp    INTEGER NOT NULL,
    open         ANY     NOT NULL,
    high         ANY     NOT NULL,
    low          ANY     NOT NULL,
    close        ANY     NOT NULL,
    volume       REAL,
    vwap         REAL,
    trades       INTEGER,
    shape_id     INTEGER NOT NULL,
    minutes      INTEGER NOT NULL,
    PRIMARY KEY (day_id, symbol, timeframe_id, timestamp)
) STRICT, WITHOUT ROWID;

-- CROSS JOIN fixes the order of the joins: a symbol's range is read with one seek per day of its market. The conditions
-- stand in WHERE, not in ON, because DuckDB reads the text of this view and knows no CROSS JOIN with a condition.
CREATE VIEW historical_bars AS
SELECT b.symbol                       AS symbol,
       t.timeframe                    AS timeframe,
       b.timestamp                    AS timestamp,
       b.open / h.price_divisor       AS open,
       b.high / h.price_divisor       AS high,
       b.low / h.price_divisor        AS low,
       b.close / h.price_divisor      AS close,
       b.volume                       AS volume,
       b.vwap                         AS vwap,
       b.trades                       AS trades,
       h.session                      AS session,
       h.vwap_method                  AS vwap_method,
       d.session_date                 AS session_date,
       b.timestamp + h.duration_ms    AS end_timestamp,
       b.minutes                      AS minutes
FROM symbols s
CROSS JOIN timeframes t
CROSS JOIN days d
CROSS JOIN bars b
CROSS JOIN shapes h
WHERE d.dataset = s.dataset
  AND b.day_id = d.day_id AND b.symbol = s.symbol AND b.timeframe_id = t.timeframe_id
  AND h.shape_id = b.shape_id;

CREATE VIEW historical_bars_regular AS SELECT * FROM historical_bars WHERE session = 'regular';

-- One row per file of a trading day: which version of it is loaded (null: none), and what became of the last attempt.
CREATE TABLE ingest_ledger (
    dataset       TEXT NOT NULL,
    session_date  TEXT NOT NULL,
    file          TEXT NOT NULL CHECK (file IN ('minute', 'day')),
    scope         TEXT CHECK (scope IN ('all', 'symbols')),
    object_key    TEXT,
    etag          TEXT,
    size_bytes    INTEGER,
    last_modified INTEGER,
    rows_read     INTEGER NOT NULL DEFAULT 0,
    rows_rejected INTEGER NOT NULL DEFAULT 0,
    symbols_seen  INTEGER NOT NULL DEFAULT 0,
    bars_written  INTEGER NOT NULL DEFAULT 0,
    outcome       TEXT NOT NULL,
    detail        TEXT,
    started_at    INTEGER NOT NULL,
    finished_at   INTEGER NOT NULL,
    PRIMARY KEY (dataset, session_date, file)
) STRICT, WITHOUT ROWID;

-- Which timeframes of a day are loaded, for everyone ('*') or for one symbol; "looked for and not there" included.
CREATE TABLE coverage (
    dataset      TEXT NOT NULL,
    session_date TEXT NOT NULL,
    symbol       TEXT NOT NULL,
    timeframes   TEXT NOT NULL,
    PRIMARY KEY (dataset, session_date, symbol)
) STRICT, WITHOUT ROWID;

CREATE TABLE watchlist (
    symbol           TEXT NOT NULL PRIMARY KEY,
    days_to_backfill INTEGER NOT NULL DEFAULT 90,
    active           INTEGER NOT NULL DEFAULT 1,
    priority         INTEGER NOT NULL DEFAULT 0,
    added_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How fast the last run of each kind was, for the estimate in the next plan.
CREATE TABLE load_rates (
    scope        TEXT NOT NULL PRIMARY KEY CHECK (scope IN ('all', 'symbols')),
    file_bytes   INTEGER NOT NULL,
    bars         INTEGER NOT NULL,
    seconds      REAL NOT NULL,
    measured_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
