-- Everything the vendor lists and the user has decided about splits, used or not: `status` says what became of a row, `flags`
-- and `reason` why. A row `used` with a later `execution_date` is announced. `reused` is no split: from that date on the ticker
-- is another company's.
CREATE TABLE splits (
    symbol          TEXT    NOT NULL,
    execution_date  TEXT    NOT NULL,
    split_from      REAL,
    split_to        REAL,
    adjustment_type TEXT,
    vendor_factor   REAL,
    source          TEXT    NOT NULL CHECK (source IN ('vendor', 'override')),
    status          TEXT    NOT NULL CHECK (status IN ('used', 'unused', 'reused')),
    flags           TEXT    NOT NULL,
    reason          TEXT,
    fetched_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX splits_by_symbol ON splits (symbol, execution_date);

-- For which symbols splits were fetched, and when ('*': for every one): without a row no split is known, which is not the
-- same as none.
CREATE TABLE split_loads (
    symbol    TEXT    NOT NULL PRIMARY KEY,
    loaded_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the used splits do together: prices of bars from `from_date` to `to_date` are multiplied by `split_from` and divided by
-- `split_to`, volumes the other way round, from `effective_from` until before `effective_to`. There are rows for the day of
-- loading and for each announced split after it. The two times are midnights in New York, written as SQLite writes times, in
-- UTC (`2026-10-06 04:00:00`), so that an announced split takes effect on its day without any program running.
CREATE TABLE split_factors (
    symbol         TEXT NOT NULL,
    effective_from TEXT NOT NULL,
    effective_to   TEXT NOT NULL,
    from_date      TEXT NOT NULL,
    to_date        TEXT NOT NULL,
    split_from     REAL NOT NULL,
    split_to       REAL NOT NULL,
    PRIMARY KEY (symbol, effective_from, from_date)
) STRICT, WITHOUT ROWID;

-- The bars as of today. At most one row of `split_factors` fits a bar; a bar without one is as it was traded. Times are compared
-- as texts because DuckDB reads the text of this view, and knows none of SQLite's functions of time; there the text is in the
-- zone of its session (`SET TimeZone = 'UTC'`).
CREATE VIEW historical_bars_adjusted AS
SELECT b.symbol                                              AS symbol,
       b.timeframe                                           AS timeframe,
       b.timestamp                                           AS timestamp,
       COALESCE(b.open * f.split_from / f.split_to, b.open)  AS open,
       COALESCE(b.high * f.split_from / f.split_to, b.high)  AS high,
       COALESCE(b.low * f.split_from / f.split_to, b.low)    AS low,
       COALESCE(b.close * f.split_from / f.split_to, b.close) AS close,
       COALESCE(b.volume * f.split_to / f.split_from, b.volume) AS volume,
       COALESCE(b.vwap * f.split_from / f.split_to, b.vwap)  AS vwap,
       b.trades                                              AS trades,
       b.session                                             AS session,
       b.vwap_method                                         AS vwap_method,
       b.session_date                                        AS session_date,
       b.end_timestamp                                       AS end_timestamp,
       b.minutes                                             AS minutes
FROM historical_bars b
LEFT JOIN split_factors f
       ON f.symbol = b.symbol AND b.session_date BETWEEN f.from_date AND f.to_date
      AND f.effective_from <= CAST(CURRENT_TIMESTAMP AS TEXT) AND CAST(CURRENT_TIMESTAMP AS TEXT) < f.effective_to;
