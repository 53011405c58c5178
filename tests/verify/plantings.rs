//! Damage that is planted, in the tables of each store.
#![allow(dead_code, reason = "each store has a column of its own")]

/// Something that goes wrong with a database, in SQL.
pub struct Damage {
    pub name: &'static str,
    /// On the tables under the view. See [`sqlite`] for the words in braces.
    pub sqlite: &'static str,
    /// On a plain table `historical_bars`, or why such a table cannot be damaged so. See [`postgres`].
    pub postgres: Result<&'static str, &'static str>,
    /// What every store finds.
    pub finds: &'static [&'static str],
    /// What the SQLite store finds besides.
    pub sqlite_finds: &'static [&'static str],
    /// What the PostgreSQL store finds besides.
    pub postgres_finds: &'static [&'static str],
}

/// Wednesday of the week, 10:00 in New York.
const AT_MS: &str = "1790776800000";

/// NVDA's row of Wednesday in the ledger of the REST API.
const ANSWER: &str = "dataset = 'stocks' AND session_date = '2026-09-30' AND symbol = 'NVDA'";

/// `{fetched}` is NVDA's 5-minute bar of 10:00 and `{tick}` its minute of 10:02, which came by the REST API, `{answer}` its row in
/// the ledger of what came so, and `{friday}` the day of which nothing came otherwise. `{day}` is Wednesday, `{other}` Thursday, `{at}` the instant of 10:00, `{bar}` SPY's 15-minute bar of 10:00, `{minute}` its
/// minute of 10:02, `{books}` Wednesday's rows of ledger or coverage.
pub fn sqlite(sql: &str) -> String {
    let day = |date| format!("(SELECT day_id FROM days WHERE dataset = 'stocks' AND session_date = '{date}')");
    sql.replace("{bar}", "day_id = {day} AND symbol = 'SPY' AND timeframe_id = 3 AND timestamp = {at}")
        .replace("{fetched}", "day_id = {day} AND symbol = 'NVDA' AND timeframe_id = 2 AND timestamp = {at}")
        .replace("{tick}", "day_id = {day} AND symbol = 'NVDA' AND timeframe_id = 1 AND timestamp = {at} + 120000")
        .replace("{answer}", ANSWER)
        .replace("{friday}", &day("2026-10-02"))
        .replace("{minute}", "day_id = {day} AND symbol = 'SPY' AND timeframe_id = 1 AND timestamp = {at} + 120000")
        .replace("{books}", "dataset = 'stocks' AND session_date = '2026-09-30'")
        .replace("{day}", &day("2026-09-30"))
        .replace("{other}", &day("2026-10-01"))
        .replace("{at}", AT_MS)
}

/// The same words on a plain table; `{day}` and `{other}` are dates.
pub fn postgres(sql: &str) -> String {
    sql.replace("{bar}", "symbol = 'SPY' AND timeframe = '15m' AND timestamp = {at}")
        .replace("{fetched}", "symbol = 'NVDA' AND timeframe = '5m' AND timestamp = {at}")
        .replace("{tick}", "symbol = 'NVDA' AND timeframe = '1m' AND timestamp = {at} + 120000")
        .replace("{answer}", ANSWER)
        .replace("{friday}", "DATE '2026-10-02'")
        .replace("{minute}", "symbol = 'SPY' AND timeframe = '1m' AND timestamp = {at} + 120000")
        .replace("{books}", "dataset = 'stocks' AND session_date = '2026-09-30'")
        .replace("{day}", "DATE '2026-09-30'")
        .replace("{other}", "DATE '2026-10-01'")
        .replace("{at}", AT_MS)
}

pub const PLANTINGS: &[Damage] = &[
    Damage {
        name: "a minute is gone",
        sqlite: "DELETE FROM bars WHERE {minute}",
        postgres: Ok("DELETE FROM historical_bars WHERE {minute}"),
        finds: &["coarse_differs", "count_differs"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a coarse bar is gone",
        sqlite: "DELETE FROM bars WHERE {bar}",
        postgres: Ok("DELETE FROM historical_bars WHERE {bar}"),
        finds: &["coarse_missing", "count_differs"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "the minutes of a quarter of an hour are gone",
        sqlite: "DELETE FROM bars WHERE day_id = {day} AND symbol = 'SPY' AND timeframe_id = 1
                     AND timestamp BETWEEN {at} AND {at} + 899999",
        postgres: Ok("DELETE FROM historical_bars WHERE symbol = 'SPY' AND timeframe = '1m'
                     AND timestamp BETWEEN {at} AND {at} + 899999"),
        finds: &["coarse_differs", "count_differs", "finer_missing"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "an hour of a liquid symbol is gone",
        sqlite: "DELETE FROM bars WHERE day_id = {day} AND symbol = 'SPY' AND timeframe_id = 1
                     AND timestamp BETWEEN {at} AND {at} + 3599999",
        postgres: Ok("DELETE FROM historical_bars WHERE symbol = 'SPY' AND timeframe = '1m'
                     AND timestamp BETWEEN {at} AND {at} + 3599999"),
        finds: &["coarse_differs", "count_differs", "finer_missing", "minutes_missing"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "an hour of a liquid symbol is gone from all timeframes, and the ledger agrees",
        sqlite: "CREATE TEMP TABLE lost AS SELECT day_id, symbol, timeframe_id, timestamp FROM bars
                     WHERE day_id = {day} AND symbol = 'NVDA' AND timeframe_id = 3
                     AND timestamp BETWEEN {at} AND {at} + 3599999;
                 DELETE FROM bars WHERE day_id = {day} AND symbol = 'NVDA' AND timeframe_id = 3
                     AND timestamp BETWEEN {at} AND {at} + 3599999;
                 UPDATE ingest_ledger SET bars_written = bars_written - (SELECT COUNT(*) FROM lost)
                     WHERE {books} AND file = 'minute'",
        postgres: Ok("UPDATE ingest_ledger SET bars_written = bars_written - 4 WHERE {books} AND file = 'minute';
                 DELETE FROM historical_bars WHERE symbol = 'NVDA' AND timeframe = '15m'
                     AND timestamp BETWEEN {at} AND {at} + 3599999"),
        finds: &["coarse_differs", "minutes_missing"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a symbol's timeframe is gone",
        sqlite: "DELETE FROM bars WHERE day_id = {day} AND symbol = 'SPY' AND timeframe_id = 4",
        postgres: Ok("DELETE FROM historical_bars WHERE session_date = {day} AND symbol = 'SPY' AND timeframe = '1h'"),
        finds: &["count_differs", "timeframe_missing"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a day's bars are gone",
        sqlite: "DELETE FROM bars WHERE day_id = {day}",
        postgres: Ok("DELETE FROM historical_bars WHERE session_date = {day}"),
        finds: &["day_empty"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a day is gone with its books",
        sqlite: "DELETE FROM bars WHERE day_id = {day}; DELETE FROM ingest_ledger WHERE {books};
                 DELETE FROM coverage WHERE {books}",
        postgres: Ok("DELETE FROM historical_bars WHERE session_date = {day}; DELETE FROM ingest_ledger WHERE {books};
                 DELETE FROM coverage WHERE {books}"),
        finds: &["day_missing"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "the high lies below the low",
        sqlite: "UPDATE bars SET high = low - 1 WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET high = low - 0.01 WHERE {bar}"),
        finds: &["coarse_differs", "price_order", "vwap_bounds"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a price is zero",
        sqlite: "UPDATE bars SET low = 0 WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET low = 0 WHERE {bar}"),
        finds: &["coarse_differs", "price_invalid"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "another high",
        sqlite: "UPDATE bars SET high = high + 100 WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET high = high + 1 WHERE {bar}"),
        finds: &["coarse_differs"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "another volume",
        sqlite: "UPDATE bars SET volume = volume * 1.0001 WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET volume = volume * 1.0001 WHERE {bar}"),
        finds: &["coarse_differs"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a negative volume",
        sqlite: "UPDATE bars SET volume = -1 WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET volume = -1 WHERE {bar}"),
        finds: &["coarse_differs", "volume_invalid", "vwap_unexpected"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "no volume",
        sqlite: "UPDATE bars SET volume = NULL, vwap = NULL, shape_id = 1000 WHERE {bar};
                 INSERT INTO shapes SELECT 1000, 'regular', NULL, 900000, 100.0",
        postgres: Ok("UPDATE historical_bars SET volume = NULL, vwap = NULL, vwap_method = NULL WHERE {bar}"),
        finds: &["volume_invalid"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a negative number of transactions",
        sqlite: "UPDATE bars SET trades = -1 WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET trades = -1 WHERE {bar}"),
        finds: &["coarse_differs", "trades_invalid"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a start between two",
        sqlite: "UPDATE bars SET timestamp = timestamp + 30000 WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET timestamp = timestamp + 30000 WHERE {bar}"),
        finds: &["coarse_missing", "finer_missing", "off_grid"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a start in another century",
        sqlite: "UPDATE bars SET timestamp = -4000000000000 WHERE {bar}",
        postgres: Ok("CREATE TABLE long_ago PARTITION OF historical_bars FOR VALUES FROM (MINVALUE) TO (0);
                 UPDATE historical_bars SET timestamp = -4000000000000 WHERE {bar}"),
        finds: &["coarse_missing", "count_differs", "off_grid"],
        sqlite_finds: &[],
        postgres_finds: &["orphan_bars"],
    },
    Damage {
        name: "another end",
        sqlite: "INSERT INTO shapes SELECT 1000, session, vwap_method, duration_ms + 60000, price_divisor FROM shapes
                     WHERE shape_id = (SELECT shape_id FROM bars WHERE {bar});
                 UPDATE bars SET shape_id = 1000 WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET end_timestamp = end_timestamp + 60000 WHERE {bar}"),
        finds: &["wrong_end"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "another session",
        sqlite: "INSERT INTO shapes SELECT 1000, 'pre', vwap_method, duration_ms, price_divisor FROM shapes
                     WHERE shape_id = (SELECT shape_id FROM bars WHERE {bar});
                 UPDATE bars SET shape_id = 1000 WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET session = 'pre' WHERE {bar}"),
        finds: &["wrong_session"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a bar under another date",
        sqlite: "UPDATE bars SET day_id = {other} WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET session_date = {other} WHERE {bar}"),
        finds: &["wrong_date"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a day under a Saturday",
        sqlite: "UPDATE days SET session_date = '2026-10-03' WHERE day_id = {day}",
        postgres: Ok("UPDATE historical_bars SET session_date = DATE '2026-10-03' WHERE session_date = {day}"),
        finds: &["day_without_ledger", "wrong_date"],
        sqlite_finds: &["uncovered_bars"],
        postgres_finds: &[],
    },
    Damage {
        name: "bars twice",
        sqlite: "INSERT INTO bars SELECT {other}, symbol, timeframe_id, timestamp, open, high, low, close, volume, vwap, trades,
                     shape_id, minutes FROM bars WHERE {bar}",
        postgres: Err("its primary key forbids it"),
        finds: &["count_differs", "duplicate", "wrong_date"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a bar of no minutes",
        sqlite: "UPDATE bars SET minutes = 0 WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET minutes = 0 WHERE {bar}"),
        finds: &["coarse_differs", "minutes_invalid"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a minute of sixty minutes",
        sqlite: "UPDATE bars SET minutes = 60 WHERE {minute}",
        postgres: Ok("UPDATE historical_bars SET minutes = 60 WHERE {minute}"),
        finds: &["coarse_differs", "minutes_extra", "minutes_invalid"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "no VWAP",
        sqlite: "UPDATE bars SET vwap = NULL WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET vwap = NULL WHERE {bar}"),
        finds: &["vwap_method", "vwap_missing"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a VWAP of the vendor's day bar",
        sqlite: "UPDATE bars SET vwap = open / 100.0 WHERE day_id = {day} AND symbol = 'SPY' AND timeframe_id = 7",
        postgres: Ok("UPDATE historical_bars SET vwap = open
                     WHERE session_date = {day} AND symbol = 'SPY' AND timeframe = 'day_official'"),
        finds: &["vwap_method", "vwap_unexpected"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a VWAP that claims to be exact",
        sqlite: "INSERT INTO shapes SELECT 1000, session, 'vendor', duration_ms, price_divisor FROM shapes
                     WHERE shape_id = (SELECT shape_id FROM bars WHERE {bar});
                 UPDATE bars SET shape_id = 1000 WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET vwap_method = 'vendor' WHERE {bar}"),
        finds: &["vwap_method"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a VWAP above the high",
        sqlite: "UPDATE bars SET vwap = high / 100.0 + 1 WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET vwap = high + 1 WHERE {bar}"),
        finds: &["coarse_differs", "vwap_bounds"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a VWAP a little off",
        sqlite: "UPDATE bars SET vwap = vwap + (high / 100.0 - vwap) / 2 WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET vwap = vwap + (high - vwap) / 2 WHERE {bar}"),
        finds: &["coarse_differs"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a minute's VWAP a little off",
        sqlite: "UPDATE bars SET vwap = high / 100.0 WHERE {minute}",
        postgres: Ok("UPDATE historical_bars SET vwap = high WHERE {minute}"),
        finds: &["coarse_differs", "vwap_differs"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "bars nobody has loaded",
        sqlite: "INSERT INTO bars SELECT day_id, 'NVDA', timeframe_id, timestamp, open, high, low, close, volume, vwap, trades,
                     shape_id, minutes FROM bars WHERE day_id = {day} AND symbol = 'SPY' AND timeframe_id = 2",
        postgres: Ok("INSERT INTO historical_bars (symbol, timeframe, timestamp, open, high, low, close, volume, vwap, trades,
                     session, vwap_method, session_date, end_timestamp, minutes)
                 SELECT 'NVDA', timeframe, timestamp, open, high, low, close, volume, vwap, trades, session, vwap_method,
                     session_date, end_timestamp, minutes FROM historical_bars
                 WHERE session_date = {day} AND symbol = 'SPY' AND timeframe = '5m'"),
        finds: &["count_differs", "uncovered_bars"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "bars of a Saturday",
        sqlite: "INSERT INTO days (day_id, dataset, session_date) VALUES (1000, 'stocks', '2026-10-03');
                 INSERT INTO bars SELECT 1000, symbol, timeframe_id, timestamp + 3 * 86400000, open, high, low, close, volume,
                     vwap, trades, shape_id, minutes FROM bars WHERE {bar}",
        postgres: Ok("INSERT INTO historical_bars (symbol, timeframe, timestamp, open, high, low, close, volume, vwap, trades,
                     session, vwap_method, session_date, end_timestamp, minutes)
                 SELECT symbol, timeframe, timestamp + 3 * 86400000, open, high, low, close, volume, vwap, trades, session,
                     vwap_method, DATE '2026-10-03', end_timestamp + 3 * 86400000, minutes FROM historical_bars
                 WHERE {bar}"),
        finds: &["day_without_ledger", "not_a_session"],
        sqlite_finds: &["uncovered_bars"],
        postgres_finds: &[],
    },
    Damage {
        name: "a symbol's coverage is gone",
        sqlite: "DELETE FROM coverage WHERE {books} AND symbol = 'SPY'",
        postgres: Ok("DELETE FROM coverage WHERE {books} AND symbol = 'SPY'"),
        finds: &["uncovered_bars"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "everyone's coverage is gone",
        sqlite: "DELETE FROM coverage WHERE {books} AND symbol = '*'",
        postgres: Ok("DELETE FROM coverage WHERE {books} AND symbol = '*'"),
        finds: &["scope_conflict", "uncovered_bars"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "all coverage is gone",
        sqlite: "DELETE FROM coverage WHERE {books}",
        postgres: Ok("DELETE FROM coverage WHERE {books}"),
        finds: &["ledger_without_coverage", "scope_conflict", "uncovered_bars"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a timeframe of everyone's coverage is gone",
        sqlite: "UPDATE coverage SET timeframes = '15m,day,day_official' WHERE {books} AND symbol = '*'",
        postgres: Ok("UPDATE coverage SET timeframes = '15m,day,day_official' WHERE {books} AND symbol = '*'"),
        finds: &["uncovered_bars"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "coverage of what is not there",
        sqlite: "UPDATE coverage SET timeframes = '5m,15m,1h,day,day_official' WHERE {books} AND symbol = '*'",
        postgres: Ok("UPDATE coverage SET timeframes = '5m,15m,1h,day,day_official' WHERE {books} AND symbol = '*'"),
        finds: &["timeframe_missing"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a symbol is gone with its coverage",
        sqlite: "DELETE FROM bars WHERE day_id = {day} AND symbol = 'SPY' AND timeframe_id IN (1, 2, 5);
                 DELETE FROM coverage WHERE {books} AND symbol = 'SPY'",
        postgres: Ok("DELETE FROM historical_bars
                     WHERE session_date = {day} AND symbol = 'SPY' AND timeframe IN ('1m', '5m', '4h');
                 DELETE FROM coverage WHERE {books} AND symbol = 'SPY'"),
        finds: &["count_differs"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "the ledger's row is gone",
        sqlite: "DELETE FROM ingest_ledger WHERE {books} AND file = 'minute'",
        postgres: Ok("DELETE FROM ingest_ledger WHERE {books} AND file = 'minute'"),
        finds: &["orphan_coverage"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "the ledger's rows are gone",
        sqlite: "DELETE FROM ingest_ledger WHERE {books}",
        postgres: Ok("DELETE FROM ingest_ledger WHERE {books}"),
        finds: &["day_without_ledger", "orphan_coverage"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "the ledger has another number of bars",
        sqlite: "UPDATE ingest_ledger SET bars_written = bars_written + 1 WHERE {books} AND file = 'day'",
        postgres: Ok("UPDATE ingest_ledger SET bars_written = bars_written + 1 WHERE {books} AND file = 'day'"),
        finds: &["count_differs"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "all books of a day are gone, and its bars are not",
        sqlite: "DELETE FROM ingest_ledger WHERE {books}; DELETE FROM coverage WHERE {books}",
        postgres: Ok("DELETE FROM ingest_ledger WHERE {books}; DELETE FROM coverage WHERE {books}"),
        finds: &["day_missing", "day_without_ledger", "uncovered_bars"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "the number of a day means nothing",
        sqlite: "DELETE FROM days WHERE day_id = {day}",
        postgres: Err("days have no numbers"),
        finds: &["day_empty"],
        sqlite_finds: &["orphan_bars"],
        postgres_finds: &[],
    },
    Damage {
        name: "a symbol is not known",
        sqlite: "DELETE FROM symbols WHERE symbol = 'NVDA'",
        postgres: Err("symbols have no table"),
        finds: &["count_differs"],
        sqlite_finds: &["orphan_bars"],
        postgres_finds: &[],
    },
    Damage {
        name: "a symbol is one of another market",
        sqlite: "UPDATE symbols SET dataset = 'crypto' WHERE symbol = 'NVDA'",
        postgres: Err("symbols have no table"),
        finds: &["count_differs"],
        sqlite_finds: &["orphan_bars"],
        postgres_finds: &[],
    },
    Damage {
        name: "what bars have in common is not known",
        sqlite: "UPDATE bars SET shape_id = 1000 WHERE {bar}",
        postgres: Err("bars have nothing in common"),
        finds: &["coarse_missing", "count_differs"],
        sqlite_finds: &["orphan_bars"],
        postgres_finds: &[],
    },
    Damage {
        name: "coverage in a word that means nothing",
        sqlite: "UPDATE coverage SET timeframes = '2m' WHERE {books} AND symbol = '*'",
        postgres: Ok("UPDATE coverage SET timeframes = '2m' WHERE {books} AND symbol = '*'"),
        finds: &["unknown_word"],
        sqlite_finds: &["uncovered_bars"],
        postgres_finds: &[],
    },
    Damage {
        name: "a ledger in a word that means nothing",
        sqlite: "UPDATE ingest_ledger SET outcome = 'fine' WHERE {books} AND file = 'minute'",
        postgres: Ok("UPDATE ingest_ledger SET outcome = 'fine' WHERE {books} AND file = 'minute'"),
        finds: &["unknown_word"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a day of a date that is none",
        sqlite: "UPDATE days SET session_date = '2026-09-31' WHERE day_id = {day}",
        postgres: Err("dates have a type"),
        finds: &["unknown_word"],
        sqlite_finds: &["day_without_ledger", "uncovered_bars", "wrong_date"],
        postgres_finds: &[],
    },
    Damage {
        name: "coverage of a symbol of another market",
        sqlite: "INSERT INTO coverage SELECT dataset, session_date, 'X:BTCUSD', timeframes FROM coverage WHERE dataset = 'stocks' AND symbol = 'SPY'",
        postgres: Ok("INSERT INTO coverage (dataset, session_date, symbol, timeframes)
                 SELECT dataset, session_date, 'X:BTCUSD', timeframes FROM coverage WHERE dataset = 'stocks' AND symbol = 'SPY'"),
        finds: &["scope_conflict"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a ledger that says less than the coverage",
        sqlite: "UPDATE ingest_ledger SET scope = 'symbols' WHERE {books}",
        postgres: Ok("UPDATE ingest_ledger SET scope = 'symbols' WHERE {books}"),
        finds: &["scope_conflict"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
    Damage {
        name: "a timeframe that is none",
        sqlite: "UPDATE bars SET timeframe_id = 8 WHERE {bar}",
        postgres: Ok("UPDATE historical_bars SET timeframe = '7m' WHERE {bar}"),
        finds: &["coarse_missing", "count_differs"],
        sqlite_finds: &["orphan_bars"],
        postgres_finds: &["unknown_word"],
    },
    Damage {
        name: "a start on a day years before",
        sqlite: "UPDATE bars SET timestamp = {at} - 314496000000 WHERE {bar}",
        postgres: Ok("CREATE TABLE historical_bars_2016_10 PARTITION OF historical_bars
                     FOR VALUES FROM (1475280000000) TO (1477958400000);
                 UPDATE historical_bars SET timestamp = {at} - 314496000000 WHERE {bar}"),
        finds: &["coarse_missing", "count_differs", "uncovered_bars", "wrong_date"],
        sqlite_finds: &[],
        postgres_finds: &["wrong_end"],
    },
    Damage {
        name: "bars of a symbol that is none",
        sqlite: "INSERT INTO symbols VALUES ('A B', 'stocks');
                 INSERT INTO bars SELECT day_id, 'A B', timeframe_id, timestamp, open, high, low, close, volume, vwap, trades,
                     shape_id, minutes FROM bars WHERE {bar}",
        postgres: Ok("INSERT INTO historical_bars SELECT 'A B', timeframe, timestamp, open, high, low, close, volume, vwap,
                     trades, session, vwap_method, session_date, end_timestamp, minutes FROM historical_bars WHERE {bar}"),
        finds: &["count_differs", "timeframe_missing"],
        sqlite_finds: &[],
        postgres_finds: &[],
    },
];

/// What goes wrong with what came by the REST API, where files have brought the rest. Whether a repair concerns NVDA's Wednesday
/// alone, and leaves what else came so as it was.
pub const FETCHED_PLANTINGS: &[(Damage, bool)] = &[
    (
        Damage {
            name: "a minute that was fetched is gone",
            sqlite: "DELETE FROM bars WHERE {tick}",
            postgres: Ok("DELETE FROM historical_bars WHERE {tick}"),
            finds: &["coarse_differs", "count_differs"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        true,
    ),
    (
        Damage {
            name: "a coarse bar that was fetched is gone",
            sqlite: "DELETE FROM bars WHERE {fetched}",
            postgres: Ok("DELETE FROM historical_bars WHERE {fetched}"),
            finds: &["coarse_missing", "count_differs"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        true,
    ),
    (
        Damage {
            name: "a quarter of an hour of fetched minutes is gone",
            sqlite: "DELETE FROM bars WHERE day_id = {day} AND symbol = 'NVDA' AND timeframe_id = 1
                         AND timestamp BETWEEN {at} AND {at} + 899999",
            postgres: Ok("DELETE FROM historical_bars WHERE symbol = 'NVDA' AND timeframe = '1m'
                         AND timestamp BETWEEN {at} AND {at} + 899999"),
            finds: &["count_differs", "finer_missing"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        true,
    ),
    (
        Damage {
            name: "all fetched minutes are gone",
            sqlite: "DELETE FROM bars WHERE day_id = {day} AND symbol = 'NVDA' AND timeframe_id = 1",
            postgres: Ok(
                "DELETE FROM historical_bars WHERE session_date = {day} AND symbol = 'NVDA' AND timeframe = '1m'",
            ),
            finds: &["count_differs", "timeframe_missing"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        true,
    ),
    (
        Damage {
            name: "another high in a fetched bar",
            sqlite: "UPDATE bars SET high = high + 100 WHERE {fetched}",
            postgres: Ok("UPDATE historical_bars SET high = high + 1 WHERE {fetched}"),
            finds: &["coarse_differs"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        true,
    ),
    (
        Damage {
            name: "the VWAP of a fetched minute a little off",
            sqlite: "UPDATE bars SET vwap = vwap * 1.0001 WHERE {tick}",
            postgres: Ok("UPDATE historical_bars SET vwap = vwap * 1.0001 WHERE {tick}"),
            finds: &["coarse_differs"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        true,
    ),
    (
        Damage {
            name: "the ledger has another number of fetched bars",
            sqlite: "UPDATE rest_ledger SET bars_written = bars_written - 1 WHERE {answer}",
            postgres: Ok("UPDATE rest_ledger SET bars_written = bars_written - 1 WHERE {answer}"),
            finds: &["count_differs"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        true,
    ),
    (
        Damage {
            name: "what a file has brought is said to have been fetched",
            sqlite: "UPDATE rest_ledger SET timeframes = '1m,5m,15m' WHERE {answer}",
            postgres: Ok("UPDATE rest_ledger SET timeframes = '1m,5m,15m' WHERE {answer}"),
            finds: &["source_conflict"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        true,
    ),
    (
        Damage {
            name: "VWAPs are said to be exact that no file has brought",
            sqlite: "UPDATE rest_ledger SET exact_vwap = '4h' WHERE {answer}",
            postgres: Ok("UPDATE rest_ledger SET exact_vwap = '4h' WHERE {answer}"),
            finds: &["source_conflict"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        true,
    ),
    (
        Damage {
            name: "what was fetched is said to have come by a file",
            sqlite: "INSERT INTO coverage VALUES ('stocks', '2026-09-30', 'NVDA', '5m')",
            postgres: Ok("INSERT INTO coverage VALUES ('stocks', '2026-09-30', 'NVDA', '5m')"),
            finds: &["count_differs", "source_conflict", "vwap_method"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        false,
    ),
    (
        Damage {
            name: "the ledger's row of what was fetched is gone",
            sqlite: "DELETE FROM rest_ledger WHERE {answer}",
            postgres: Ok("DELETE FROM rest_ledger WHERE {answer}"),
            finds: &["count_differs", "uncovered_bars"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        false,
    ),
    (
        Damage {
            name: "the ledger of what was fetched has a word that means nothing",
            sqlite: "UPDATE rest_ledger SET timeframes = '2m' WHERE {answer}",
            postgres: Ok("UPDATE rest_ledger SET timeframes = '2m' WHERE {answer}"),
            finds: &["unknown_word"],
            sqlite_finds: &["uncovered_bars"],
            postgres_finds: &[],
        },
        false,
    ),
    (
        Damage {
            name: "something was fetched of a symbol of another market",
            sqlite:
                "INSERT INTO rest_ledger (dataset, session_date, symbol, timeframes, outcome, started_at, finished_at)
                         VALUES ('stocks', '2026-09-30', 'X:BTCUSD', '1m', 'empty', 0, 0)",
            postgres: Ok(
                "INSERT INTO rest_ledger (dataset, session_date, symbol, timeframes, outcome, started_at, finished_at)
                         VALUES ('stocks', '2026-09-30', 'X:BTCUSD', '1m', 'empty', 0, 0)",
            ),
            finds: &["scope_conflict"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        false,
    ),
    (
        Damage {
            name: "all bars of a day are gone, however they came",
            sqlite: "DELETE FROM bars WHERE day_id = {day}",
            postgres: Ok("DELETE FROM historical_bars WHERE session_date = {day}"),
            finds: &["count_differs", "day_empty"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        false,
    ),
    (
        Damage {
            name: "all bars of a day that was fetched are gone",
            sqlite: "DELETE FROM bars WHERE day_id = {friday}",
            postgres: Ok("DELETE FROM historical_bars WHERE session_date = {friday}"),
            finds: &["count_differs"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        false,
    ),
    (
        Damage {
            name: "one of two rows of a day that was fetched is gone",
            sqlite: "DELETE FROM rest_ledger WHERE session_date = '2026-10-02' AND symbol = 'NVDA'",
            postgres: Ok("DELETE FROM rest_ledger WHERE session_date = '2026-10-02' AND symbol = 'NVDA'"),
            finds: &["uncovered_bars"],
            sqlite_finds: &[],
            postgres_finds: &[],
        },
        false,
    ),
];
