//! Finding what no load could have left in the tables, and removing what belongs to nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::primary_code;
use super::sink::ids;
use crate::model::{Symbol, Timeframe, TimeframeSet};
use crate::store::Defect;
use crate::store::books::{self, BOOKS, Books, DayName, Table, is_dataset, is_date};

/// More than these are not told of a damaged file.
const DAMAGES_TOLD: u8 = 20;

/// The tables under the view that hold words.
const LOOKED_UP: [&Table; 2] = [
    &Table { name: "days", columns: &[("dataset", is_dataset), ("session_date", is_date)] },
    &Table { name: "symbols", columns: &[("dataset", is_dataset)] },
];

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
    let books = read_books(connection).await?;
    let mut defects = books.unknown_words();
    defects.extend(changed_timeframes(connection).await?);
    let days = days_of_bars(connection).await?;
    for day in &days {
        defects.extend(bars(connection, day).await?);
    }
    defects.extend(books.conflicts(&known(days)));
    Ok(defects)
}

/// Removes rows that belong to nothing; says how many.
pub(super) async fn remove_orphans(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let mut removed = 0;
    for misword in read_books(connection).await?.miswords() {
        let sql = format!("DELETE FROM {} WHERE CAST({} AS TEXT) = ?1", misword.table, misword.column);
        removed += delete(connection, sqlx::query(AssertSqlSafe(sql)).bind(&misword.word)).await?;
    }
    let days = days_of_bars(connection).await?;
    for day in &days {
        if day.of.is_none() {
            removed += delete(connection, sqlx::query("DELETE FROM bars WHERE day_id = ?1").bind(day.day_id)).await?;
        }
        for series in odd_series(connection, day).await? {
            if series.why == Why::Symbol {
                removed += remove_misplaced(connection, &series.symbol).await?;
            }
            let which = match series.why {
                Why::Symbol | Why::Timeframe => "",
                Why::Shape => "AND shape_id NOT IN (SELECT shape_id FROM shapes)",
                Why::Coverage => continue,
            };
            let sql = format!("DELETE FROM bars WHERE day_id = ?1 AND symbol = ?2 AND timeframe_id = ?3 {which}");
            let bars = sqlx::query(AssertSqlSafe(sql)).bind(day.day_id).bind(series.symbol).bind(series.timeframe_id);
            removed += delete(connection, bars).await?;
        }
    }
    // What is left when these rows are gone.
    let (books, stored) = (read_books(connection).await?, known(days_of_bars(connection).await?));
    for (dataset, date) in books.orphans(&stored) {
        let coverage = sqlx::query("DELETE FROM coverage WHERE dataset = ?1 AND session_date = ?2");
        removed += delete(connection, coverage.bind(dataset).bind(date)).await?;
    }
    let days: Vec<DayName> =
        sqlx::query_as("SELECT dataset, session_date FROM days").fetch_all(&mut *connection).await?;
    for day in days.iter().filter(|day| !books.is_loaded(day) && !stored.contains(*day)) {
        let unused = sqlx::query("DELETE FROM days WHERE dataset = ?1 AND session_date = ?2");
        removed += delete(connection, unused.bind(&day.0).bind(&day.1)).await?;
    }
    Ok(removed)
}

type Statement<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// Removes rows; says how many.
async fn delete(connection: &mut SqliteConnection, statement: Statement<'_>) -> Result<u64, sqlx::Error> {
    Ok(statement.execute(connection).await?.rows_affected())
}

async fn read_books(connection: &mut SqliteConnection) -> Result<Books, sqlx::Error> {
    let mut books = Books::default();
    for table in BOOKS.into_iter().chain(LOOKED_UP) {
        let mut rows = sqlx::query(AssertSqlSafe(table.select())).fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            let texts = (0..table.columns.len()).map(|at| row.try_get(at)).collect::<Result<Vec<_>, _>>()?;
            books.read(table, &texts);
        }
    }
    Ok(books)
}

/// The table that gives timeframes their numbers is part of the program.
async fn changed_timeframes(connection: &mut SqliteConnection) -> Result<Option<Defect>, sqlx::Error> {
    let stored: Vec<(i64, String)> =
        sqlx::query_as("SELECT timeframe_id, timeframe FROM timeframes ORDER BY 1").fetch_all(connection).await?;
    let expected = Timeframe::ALL.map(|timeframe| (timeframe as i64, timeframe.to_string()));
    Ok((stored != expected).then(|| {
        let detail = format!("the table timeframes is not {expected:?} but {stored:?}");
        Defect { kind: "unknown_word", day: None, symbol: None, detail }
    }))
}

/// Removes a symbol that stands in another dataset than its ticker says. (Where the day has the wrong dataset, the symbol stays:
/// other days have bars of it.)
async fn remove_misplaced(connection: &mut SqliteConnection, ticker: &str) -> Result<u64, sqlx::Error> {
    let dataset = Symbol::dataset_of(ticker).as_str();
    let symbol = sqlx::query("DELETE FROM symbols WHERE symbol = ?1 AND dataset <> ?2").bind(ticker).bind(dataset);
    delete(connection, symbol).await
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
    of: Option<DayName>,
}

async fn days_of_bars(connection: &mut SqliteConnection) -> Result<Vec<StoredDay>, sqlx::Error> {
    let rows: Vec<(i64, Option<String>, Option<String>)> = sqlx::query_as(DAYS_OF_BARS).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(day_id, dataset, date)| StoredDay { day_id, of: dataset.zip(date) }).collect())
}

/// Days that have a name.
fn known(days: Vec<StoredDay>) -> BTreeSet<DayName> {
    days.into_iter().filter_map(|day| day.of).collect()
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
            Self::Coverage => "are stored, and neither the coverage nor the REST API's ledger has them",
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
                          AND INSTR(',' || c.timeframes || ',', ',' || t.timeframe || ',') > 0
                        UNION ALL
                        SELECT 1 FROM rest_ledger r JOIN timeframes t ON t.timeframe_id = n.timeframe_id
                        WHERE r.dataset = ?2 AND r.session_date = ?3 AND r.symbol = n.symbol
                          AND INSTR(',' || r.timeframes || ',', ',' || t.timeframe || ',') > 0) AS is_uncovered
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
    let Some(name) = &stored.of else {
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
            day: books::day(name),
            detail: format!("{bars} bars{of} {}", why.says()),
            symbol: symbols.pop().filter(|_| symbols.is_empty()),
        }
    });
    Ok(each.collect())
}
