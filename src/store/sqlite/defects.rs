//! Finding what no load could have left in the tables, and removing what belongs to nothing.

use std::collections::BTreeMap;

use jiff::civil::Date;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::sink::ids;
use super::{primary_code, words};
use crate::model::{Dataset, FileKind, Symbol, Timeframe, TimeframeSet};
use crate::store::Defect;

/// More than these are not told of a damaged file.
const DAMAGES_TOLD: u8 = 20;

/// The condition for a row of the ledger that says a file is loaded.
const LOADED: &str = "object_key IS NOT NULL AND etag IS NOT NULL AND size_bytes IS NOT NULL";

/// The numbers of days that have bars, known or not: a seek for each.
const DAYS_OF_BARS: &str = "
WITH RECURSIVE numbers(day_id) AS (
    SELECT MIN(day_id) FROM bars
    UNION ALL
    SELECT (SELECT MIN(day_id) FROM bars WHERE day_id > numbers.day_id) FROM numbers WHERE day_id IS NOT NULL)
SELECT n.day_id, d.dataset, d.session_date FROM numbers n LEFT JOIN days d ON d.day_id = n.day_id
WHERE n.day_id IS NOT NULL ORDER BY 1";

/// Everything there is to find. The file is read twice: once by SQLite's own check, once for the bars of each day.
pub(super) async fn find(connection: &mut SqliteConnection) -> Result<Vec<Defect>, sqlx::Error> {
    let damaged = damage(connection).await?;
    if !damaged.is_empty() {
        // What is read from a damaged file may be anything.
        return Ok(damaged);
    }
    let mut defects = words::unknown_words(connection).await?;
    for day in days_of_bars(connection).await? {
        defects.extend(bars(connection, &day).await?);
    }
    defects.extend(ledger_and_coverage(connection).await?);
    defects.extend(scopes(connection).await?);
    defects.extend(misplaced_symbols(connection).await?);
    Ok(defects)
}

/// Removes rows that belong to nothing; says how many.
pub(super) async fn remove_orphans(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let mut removed = words::remove(connection).await?;
    for day in days_of_bars(connection).await? {
        if day.of.is_none() {
            let delete = sqlx::query("DELETE FROM bars WHERE day_id = ?1").bind(day.day_id);
            removed += delete.execute(&mut *connection).await?.rows_affected();
        }
        for series in odd_series(connection, &day).await? {
            if series.why == Why::Symbol {
                removed += remove_misplaced(connection, &series.symbol).await?;
            }
            let which = match series.why {
                Why::Symbol | Why::Timeframe => "",
                Why::Shape => "AND shape_id NOT IN (SELECT shape_id FROM shapes)",
                Why::Coverage => continue,
            };
            let sql = format!("DELETE FROM bars WHERE day_id = ?1 AND symbol = ?2 AND timeframe_id = ?3 {which}");
            let delete = sqlx::query(AssertSqlSafe(sql)).bind(day.day_id).bind(series.symbol).bind(series.timeframe_id);
            removed += delete.execute(&mut *connection).await?.rows_affected();
        }
    }
    let loaded_or_stored = format!(
        "EXISTS (SELECT 1 FROM ingest_ledger l
                 WHERE l.dataset = x.dataset AND l.session_date = x.session_date AND {LOADED})
         OR EXISTS (SELECT 1 FROM days d CROSS JOIN bars b
                    WHERE d.dataset = x.dataset AND d.session_date = x.session_date AND b.day_id = d.day_id)"
    );
    for table in ["coverage", "days"] {
        let sql = format!("DELETE FROM {table} AS x WHERE NOT ({loaded_or_stored})");
        removed += sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?.rows_affected();
    }
    Ok(removed)
}

/// Removes a symbol that stands in another dataset than its ticker says. (Where the day has the wrong dataset, the symbol stays:
/// other days have bars of it.)
async fn remove_misplaced(connection: &mut SqliteConnection, ticker: &str) -> Result<u64, sqlx::Error> {
    let dataset = Symbol::dataset_of(ticker).as_str();
    let delete = sqlx::query("DELETE FROM symbols WHERE symbol = ?1 AND dataset <> ?2").bind(ticker).bind(dataset);
    Ok(delete.execute(connection).await?.rows_affected())
}

/// A day by the words of the tables, if they mean one.
pub(super) fn day(dataset: &str, date: &str) -> Option<(Dataset, Date)> {
    let date = Some(date).filter(|date| words::is_date(date))?;
    Some((dataset.parse().ok()?, date.parse().ok()?))
}

/// What SQLite finds wrong with the file: a full scan.
async fn damage(connection: &mut SqliteConnection) -> Result<Vec<Defect>, sqlx::Error> {
    let sql = format!("PRAGMA quick_check({DAMAGES_TOLD})");
    let said: Vec<String> = match sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await {
        Ok(said) => said.into_iter().filter(|line| line != "ok").collect(),
        Err(error) if primary_code(&error) == Some(libsqlite3_sys::SQLITE_CORRUPT) => vec![error.to_string()],
        Err(error) => return Err(error),
    };
    let each = said.into_iter().map(|detail| Defect { kind: "damaged_file", day: None, symbol: None, detail });
    Ok(each.collect())
}

/// A number under which bars are stored, and the day it stands for.
struct StoredDay {
    day_id: i64,
    /// Dataset and date as written.
    of: Option<(String, String)>,
}

async fn days_of_bars(connection: &mut SqliteConnection) -> Result<Vec<StoredDay>, sqlx::Error> {
    let rows: Vec<(i64, Option<String>, Option<String>)> = sqlx::query_as(DAYS_OF_BARS).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(day_id, dataset, date)| StoredDay { day_id, of: dataset.zip(date) }).collect())
}

/// Why bars should not be where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// Their symbol is not known, or belongs to another dataset than their day.
    Symbol,
    Timeframe,
    Shape,
    /// The coverage does not say that they are loaded.
    Coverage,
}

impl Why {
    const fn kind(self) -> &'static str {
        match self {
            Self::Symbol | Self::Timeframe | Self::Shape => "orphan_bars",
            Self::Coverage => "uncovered_bars",
        }
    }

    const fn says(self) -> &'static str {
        match self {
            Self::Symbol => "nobody sees: the table symbols does not have their symbol, or has it in another dataset",
            Self::Timeframe => "nobody sees: their timeframe_id means nothing",
            Self::Shape => "nobody sees: the table shapes does not have their shape_id",
            Self::Coverage => "are stored, and the coverage does not have them",
        }
    }
}

/// Bars of a symbol and timeframe that should not be where they are.
struct OddSeries {
    symbol: String,
    timeframe_id: i64,
    bars: i64,
    why: Why,
}

/// The odd series of a day, by symbol: one pass over its bars.
async fn odd_series(connection: &mut SqliteConnection, day: &StoredDay) -> Result<Vec<OddSeries>, sqlx::Error> {
    let Some((dataset, date)) = &day.of else { return Ok(Vec::new()) };
    let everyone: Option<String> =
        sqlx::query_scalar("SELECT timeframes FROM coverage WHERE dataset = ?1 AND session_date = ?2 AND symbol = '*'")
            .bind(dataset)
            .bind(date)
            .fetch_optional(&mut *connection)
            .await?;
    // What cannot be read is a defect of its own.
    let everyone: TimeframeSet = everyone.and_then(|list| list.parse().ok()).unwrap_or_default();
    let sql = format!(
        "SELECT * FROM (
             SELECT n.symbol, n.timeframe_id, n.bars, n.shapeless, s.dataset IS NOT ?2 AS is_strange,
                    n.timeframe_id NOT IN ({all}) AS is_timeless,
                    n.timeframe_id NOT IN ({everyone}) AND NOT EXISTS (
                        SELECT 1 FROM coverage c JOIN timeframes t ON t.timeframe_id = n.timeframe_id
                        WHERE c.dataset = ?2 AND c.session_date = ?3 AND c.symbol = n.symbol
                          AND INSTR(',' || c.timeframes || ',', ',' || t.timeframe || ',') > 0) AS is_uncovered
             FROM (SELECT symbol, timeframe_id, COUNT(*) AS bars,
                          SUM(shape_id NOT IN (SELECT shape_id FROM shapes)) AS shapeless
                   FROM bars WHERE day_id = ?1 GROUP BY symbol, timeframe_id) n
             LEFT JOIN symbols s ON s.symbol = n.symbol)
         WHERE is_strange OR is_timeless OR shapeless > 0 OR is_uncovered
         ORDER BY symbol, timeframe_id",
        all = ids(TimeframeSet::of(Timeframe::ALL)),
        everyone = ids(everyone),
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(day.day_id).bind(dataset).bind(date).fetch_all(connection).await?;
    let each = rows.iter().map(|row| {
        let shapeless: i64 = row.get(3);
        let (bars, why) = match (row.get(4), row.get(5), shapeless) {
            (true, _, _) => (row.get(2), Why::Symbol),
            (_, true, _) => (row.get(2), Why::Timeframe),
            (_, _, 1..) => (shapeless, Why::Shape),
            _ => (row.get(2), Why::Coverage),
        };
        OddSeries { symbol: row.get(0), timeframe_id: row.get(1), bars, why }
    });
    Ok(each.collect())
}

/// The odd bars of a day: one defect for each reason, however many there are.
async fn bars(connection: &mut SqliteConnection, stored: &StoredDay) -> Result<Vec<Defect>, sqlx::Error> {
    let Some((dataset, date)) = &stored.of else {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM bars WHERE day_id = ?1").bind(stored.day_id);
        let bars: i64 = count.fetch_one(connection).await?;
        let detail = format!("{bars} bars nobody sees: the table days does not have their day_id {}", stored.day_id);
        return Ok(vec![Defect { kind: Why::Symbol.kind(), day: None, symbol: None, detail }]);
    };
    let mut found: BTreeMap<Why, (i64, Vec<String>)> = BTreeMap::new();
    for series in odd_series(connection, stored).await? {
        let (bars, symbols) = found.entry(series.why).or_default();
        *bars += series.bars;
        if symbols.last() != Some(&series.symbol) {
            symbols.push(series.symbol);
        }
    }
    let each = found.into_iter().map(|(why, (bars, mut symbols))| {
        let of = if symbols.len() == 1 { String::new() } else { format!(" of {} symbols", symbols.len()) };
        Defect {
            kind: why.kind(),
            day: day(dataset, date),
            detail: format!("{bars} bars{of} {}", why.says()),
            symbol: symbols.pop().filter(|_| symbols.is_empty()),
        }
    });
    Ok(each.collect())
}

/// Rows that say a day is loaded where others do not know of it.
async fn ledger_and_coverage(connection: &mut SqliteConnection) -> Result<Vec<Defect>, sqlx::Error> {
    let loaded = |file: &str| {
        format!(
            "EXISTS (SELECT 1 FROM ingest_ledger l WHERE l.dataset = x.dataset AND l.session_date = x.session_date
                     AND {file} AND {LOADED})"
        )
    };
    let [minute, day_file] = FileKind::ALL.map(|kind| loaded(&format!("l.file = '{}'", kind.as_str())));
    let official = Timeframe::DayOfficial;
    let coverage_without = |condition: &str, file: &str| {
        format!(
            "SELECT dataset, session_date, COUNT(*) || ' rows of coverage, and no {file} file that is loaded'
             FROM coverage x WHERE {condition} GROUP BY 1, 2"
        )
    };
    let checks = [
        (
            "orphan_coverage",
            coverage_without(
                &format!("TRIM(REPLACE(timeframes, '{official}', ''), ',') <> '' AND NOT {minute}"),
                FileKind::Minute.as_str(),
            ),
        ),
        (
            "orphan_coverage",
            coverage_without(
                &format!("INSTR(timeframes, '{official}') > 0 AND NOT {day_file}"),
                FileKind::Day.as_str(),
            ),
        ),
        (
            "ledger_without_coverage",
            format!(
                "SELECT dataset, session_date, 'the ' || GROUP_CONCAT(file, ' and the ')
                        || ' file is loaded, and no coverage says what of it'
                 FROM ingest_ledger x WHERE {LOADED} AND NOT EXISTS (SELECT 1 FROM coverage c
                     WHERE c.dataset = x.dataset AND c.session_date = x.session_date) GROUP BY 1, 2"
            ),
        ),
        (
            "day_without_ledger",
            format!(
                "SELECT dataset, session_date, 'bars are stored, and the ledger has no file that is loaded'
                 FROM days x WHERE EXISTS (SELECT 1 FROM bars b WHERE b.day_id = x.day_id) AND NOT {}",
                loaded("TRUE")
            ),
        ),
    ];
    let mut defects = Vec::new();
    for (kind, sql) in checks {
        defects.extend(by_day(connection, kind, sql).await?);
    }
    Ok(defects)
}

/// Files whose scope is not what the coverage says. A file is loaded for all as soon as anything of the day is.
async fn scopes(connection: &mut SqliteConnection) -> Result<Vec<Defect>, sqlx::Error> {
    let of_everyone = |timeframes: &str| {
        format!(
            "EXISTS (SELECT 1 FROM coverage c WHERE c.dataset = x.dataset AND c.session_date = x.session_date
                     AND c.symbol = '*' AND {timeframes})"
        )
    };
    let official = Timeframe::DayOfficial;
    let sql = format!(
        "SELECT dataset, session_date, 'the ' || file || ' file is loaded for `' || scope || '`, and the coverage says '
                || IIF(scope = 'all', 'for named symbols only', 'for all')
         FROM ingest_ledger x
         WHERE {LOADED} AND (scope = 'all' AND NOT {any}
             OR scope = 'symbols' AND IIF(file = '{day}', {day_bars}, {minutes}))",
        any = of_everyone("TRUE"),
        day = FileKind::Day.as_str(),
        day_bars = of_everyone(&format!("INSTR(timeframes, '{official}') > 0")),
        minutes = of_everyone(&format!("TRIM(REPLACE(timeframes, '{official}', ''), ',') <> ''")),
    );
    by_day(connection, "scope_conflict", sql).await
}

/// Rows of dataset, date and detail.
async fn by_day(
    connection: &mut SqliteConnection,
    kind: &'static str,
    sql: String,
) -> Result<Vec<Defect>, sqlx::Error> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(connection).await?;
    let each = rows.into_iter().map(|(dataset, date, detail)| {
        let place = day(&dataset, &date);
        Defect { kind, day: place, symbol: None, detail }
    });
    Ok(each.collect())
}

/// Covered symbols that are none of their dataset, or spelt as none is stored.
async fn misplaced_symbols(connection: &mut SqliteConnection) -> Result<Vec<Defect>, sqlx::Error> {
    let rows: Vec<(String, String, i64, String)> = sqlx::query_as(
        "SELECT dataset, symbol, COUNT(*), MIN(session_date) FROM coverage WHERE symbol <> '*' GROUP BY 1, 2",
    )
    .fetch_all(connection)
    .await?;
    let fits = |dataset: &str, ticker: &str| {
        Symbol::from_ticker(ticker)
            .is_ok_and(|symbol| symbol.as_str() == ticker && symbol.dataset().as_str() == dataset)
    };
    let odd = rows.into_iter().filter(|(dataset, ticker, ..)| !fits(dataset, ticker));
    let each = odd.map(|(dataset, ticker, rows, first)| Defect {
        kind: "scope_conflict",
        day: day(&dataset, &first),
        detail: format!(
            "{rows} rows of coverage, the first of {first}, have `{ticker}`, which is no symbol of {dataset}"
        ),
        symbol: Some(ticker),
    });
    Ok(each.collect())
}
