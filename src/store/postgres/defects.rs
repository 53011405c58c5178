//! Finding what no load could have left in the tables, and removing what belongs to nothing.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};

use super::sink::{counted, day_range};
use super::transaction::Work;
use super::{StoreError, sql};
use crate::model::{Calendar, Dataset, Timeframe, TimeframeSet};
use crate::store::Defect;
use crate::store::books::{BOOKS, Books, DayName, Misword, Table, unknown_word};
use crate::store::values::count;

/// Rows that are fetched at a time.
const ROWS: u32 = 16 * 1024;

/// The table of bars and its partitions: whether rows lie there, and whether its primary key is there, whole and in use.
const TABLES: &str = "
SELECT t.relid::regclass::text, t.isleaf, EXISTS (
    SELECT 1 FROM pg_catalog.pg_index i
    WHERE i.indrelid = t.relid AND i.indisprimary AND i.indisvalid AND ARRAY['symbol', 'timeframe', 'timestamp'] = (
        SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number))
FROM pg_catalog.pg_partition_tree('historical_bars') t ORDER BY t.level, 1";

/// Tables that have the name of a month's and are not part of the table of bars.
const DETACHED: &str = "
SELECT c.oid::regclass::text FROM pg_catalog.pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relname ~ '^historical_bars_\\d{4}_\\d{2}$'
  AND NOT c.relispartition ORDER BY 1";

/// Everything there is to find that a scan does not. Bars are read once, a month at a time.
pub(super) async fn find(work: &mut Work<'_>) -> Result<Vec<Defect>, StoreError> {
    let books = read_books(work).await?;
    let mut defects = books.unknown_words();
    defects.extend(tables(work).await?);
    let mut stored = BTreeSet::new();
    let mut miswords: BTreeMap<(Misword, DayName), u64> = BTreeMap::new();
    for table in partitions(work).await? {
        for group in groups(work, &table).await? {
            if let Some(misword) = group.misword() {
                *miswords.entry((misword, group.day.clone())).or_default() += group.bars;
            }
            stored.insert(group.day);
        }
    }
    defects.extend(miswords.iter().map(|((misword, day), rows)| unknown_word(misword, day, *rows)));
    defects.extend(timeless(work).await?);
    defects.extend(books.conflicts(&stored));
    Ok(defects)
}

/// Removes rows that belong to nothing; says how many.
pub(super) async fn remove_orphans(work: &mut Work<'_>) -> Result<u64, StoreError> {
    let mut removed = 0;
    for misword in read_books(work).await?.miswords() {
        let delete = format!("DELETE FROM {} WHERE CAST({} AS TEXT) = $1", misword.table, misword.column);
        removed += work.execute(sqlx::query(AssertSqlSafe(delete)).bind(&misword.word)).await?;
    }
    removed += work.script(&format!("DELETE FROM historical_bars b WHERE {}", outside_the_calendar())).await?;
    let mut stored = BTreeSet::new();
    for table in partitions(work).await? {
        let (known, unknown): (Vec<_>, Vec<_>) =
            groups(work, &table).await?.into_iter().partition(|group| group.misword().is_none());
        stored.extend(known.into_iter().map(|group| group.day));
        if !unknown.is_empty() {
            let known = sql::words(TimeframeSet::of(Timeframe::ALL));
            removed += work.script(&format!("DELETE FROM {table} WHERE timeframe NOT IN ({known})")).await?;
        }
    }
    // What is left when these rows are gone.
    let books = read_books(work).await?;
    let (datasets, dates): (Vec<&str>, Vec<&str>) =
        books.orphans(&stored).into_iter().map(|(dataset, date)| (dataset.as_str(), date.as_str())).unzip();
    let delete = sqlx::query(
        "DELETE FROM coverage c USING unnest($1::text[], $2::text[]) AS o (dataset, session_date)
         WHERE c.dataset = o.dataset AND c.session_date = o.session_date::date",
    );
    removed += work.execute(delete.bind(datasets).bind(dates)).await?;
    Ok(removed)
}

async fn read_books(work: &mut Work<'_>) -> Result<Books, StoreError> {
    let mut books = Books::default();
    for table in BOOKS {
        read_table(work, table, &mut books).await?;
    }
    Ok(books)
}

async fn read_table(work: &mut Work<'_>, table: &Table, books: &mut Books) -> Result<(), StoreError> {
    work.script(&format!("DECLARE books NO SCROLL CURSOR FOR {}", table.select())).await?;
    loop {
        let rows = work.rows(sqlx::query(AssertSqlSafe(format!("FETCH {ROWS} FROM books")))).await?;
        if rows.is_empty() {
            return work.script("CLOSE books").await.map(drop);
        }
        for row in &rows {
            let texts: Vec<Option<&str>> = (0..table.columns.len()).map(|at| row.get(at)).collect();
            books.read(table, &texts);
        }
    }
}

/// What is wrong with the tables of bars themselves. Nothing of it is repaired here: it needs a lock that stops everybody, or
/// somebody has done it on purpose.
async fn tables(work: &mut Work<'_>) -> Result<Vec<Defect>, StoreError> {
    let defect = |kind, detail| Defect { kind, day: None, symbol: None, detail };
    let tables = work.rows(sqlx::query(TABLES)).await?;
    let without_key: Vec<String> = tables.iter().filter(|row| !row.get::<bool, _>(2)).map(|row| row.get(0)).collect();
    let mut defects = Vec::new();
    if !without_key.is_empty() {
        defects.push(defect(
            "missing_key",
            format!(
                "no valid primary key: {}; when no bar is there twice, `ALTER TABLE historical_bars ADD PRIMARY KEY \
                 (symbol, timeframe, timestamp)` makes it again",
                without_key.join(", ")
            ),
        ));
    }
    for row in work.rows(sqlx::query(DETACHED)).await? {
        let table: String = row.get(0);
        let bars = counted(&work.rows(sqlx::query(AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}")))).await?);
        if bars > 0 {
            let detail = format!(
                "{bars} bars nobody sees: the table {table} is no partition of historical_bars; loading a day of its month \
                 makes it one again"
            );
            defects.push(defect("orphan_bars", detail));
        }
    }
    Ok(defects)
}

/// The tables in which bars lie.
async fn partitions(work: &mut Work<'_>) -> Result<Vec<String>, StoreError> {
    let tables = work.rows(sqlx::query(TABLES)).await?;
    Ok(tables.iter().filter(|row| row.get(1)).map(|row| row.get(0)).collect())
}

/// Bars of a dataset, date and timeframe.
struct Group {
    day: DayName,
    timeframe: String,
    bars: u64,
}

impl Group {
    /// The timeframe, if it is none.
    fn misword(&self) -> Option<Misword> {
        let is_known = self.timeframe.parse::<Timeframe>().is_ok();
        let word = || self.timeframe.clone();
        (!is_known).then(|| Misword { table: "historical_bars", column: "timeframe", word: word() })
    }
}

/// The bars of a partition: one pass.
async fn groups(work: &mut Work<'_>, table: &str) -> Result<Vec<Group>, StoreError> {
    let select = format!(
        "SELECT dataset, session_date::text, timeframe, bars FROM (
             SELECT {dataset} AS dataset, b.session_date, b.timeframe, COUNT(*) AS bars
             FROM {table} b GROUP BY 1, 2, 3) g",
        dataset = sql::dataset()
    );
    let rows = work.rows(sqlx::query(AssertSqlSafe(select))).await?;
    let text = |row: &PgRow, at: usize| row.get::<Option<String>, _>(at).unwrap_or_default();
    let group = |row| Group { day: (text(row, 0), text(row, 1)), timeframe: text(row, 2), bars: count(row.get(3)) };
    Ok(rows.iter().map(group).collect())
}

/// That a bar `b` starts where no day is, so that no day's load would ever replace it.
fn outside_the_calendar() -> String {
    let ranges = Dataset::ALL.map(|dataset| {
        let [first, last] = [Calendar::FIRST, Calendar::LAST].map(|date| day_range(dataset, date));
        (*first.start(), *last.end())
    });
    let first = ranges.iter().map(|range| range.0).min().unwrap_or(i64::MIN);
    let last = ranges.iter().map(|range| range.1).max().unwrap_or(i64::MAX);
    format!("(b.timestamp < {first} OR b.timestamp > {last})")
}

/// Bars that start where no day is. Only partitions that can have some are looked at.
async fn timeless(work: &mut Work<'_>) -> Result<Option<Defect>, StoreError> {
    let select = format!("SELECT COUNT(*) FROM historical_bars b WHERE {}", outside_the_calendar());
    let bars = counted(&work.rows(sqlx::query(AssertSqlSafe(select))).await?);
    Ok((bars > 0).then(|| Defect {
        kind: "orphan_bars",
        day: None,
        symbol: None,
        detail: format!("{bars} bars start outside the trading calendar: they are of no day that could be loaded"),
    }))
}
