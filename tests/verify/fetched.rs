//! What came by the REST API, beside what came by files: found right, damaged, repaired.

use std::fs;

use barkeep::model::{Bar, Dataset, Timeframe, TimeframeSet, VwapMethod};
use barkeep::store::postgres::PostgresStore;
use barkeep::store::sqlite::SqliteStore;
use barkeep::store::{AnyStore, BarReader, SymbolDay, SymbolDays, SymbolSink};
use jiff::Timestamp;
use jiff::civil::Date;

use super::damage::each;
use super::harness::{NOW, Place, minute_key, query};
use super::plantings::{Damage, FETCHED_PLANTINGS, postgres, sqlite};
use super::{copy_of, execute, kinds, load, places, words};

const FIRST: &str = "2026-09-29";
const FRIDAY: &str = "2026-10-02";

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(future)
}

async fn open(place: &Place) -> AnyStore {
    match place.schema() {
        Some(schema) => {
            AnyStore::Postgres(Box::new(PostgresStore::open(&schema.url().parse().unwrap()).await.unwrap()))
        }
        None => AnyStore::Sqlite(Box::new(SqliteStore::open(&place.database()).await.unwrap())),
    }
}

/// What a place has of a symbol from a date on, as the REST API would have brought it.
fn answers(place: &Place, symbol: &str, from: &str, timeframes: &str) -> SymbolDays {
    let (from, timeframes): (Date, TimeframeSet) = (from.parse().unwrap(), timeframes.parse().unwrap());
    let now: Timestamp = NOW.parse().unwrap();
    let mut days: Vec<SymbolDay> = Vec::new();
    wait(async {
        let mut store = open(place).await;
        for date in from.series(jiff::ToSpan::day(1)).take_while(|date| *date <= FRIDAY.parse().unwrap()) {
            let mut bars: Vec<Bar> = Vec::new();
            for timeframe in timeframes.iter() {
                let stored = store.bars(symbol, timeframe, i64::MIN..=i64::MAX).await.unwrap();
                bars.extend(
                    stored
                        .into_iter()
                        .filter(|stored| stored.session_date == date)
                        .map(|stored| Bar { vwap_method: stored.bar.vwap.map(|_| VwapMethod::Vendor), ..stored.bar }),
                );
            }
            let (is_provisional, is_absent_in_file, rows_read) = (false, false, 0);
            days.push(SymbolDay { date, timeframes, bars, is_provisional, is_absent_in_file, rows_read });
        }
    });
    let (dataset, symbol, request) = (Dataset::Stocks, symbol.to_owned(), "/v2/aggs/ticker".to_owned());
    SymbolDays { dataset, symbol, request, days, exact_vwap: false, started_at: now, finished_at: now }
}

fn store(place: &Place, days: &SymbolDays) {
    wait(async { open(place).await.store_symbol(days).await.unwrap() });
}

/// Minutes and 5-minute bars of two symbols, of which files have brought coarser ones; and of a day of which they have brought
/// nothing.
fn fetch(place: &Place) {
    load(place, FIRST, FRIDAY);
    let donor = Place::new();
    std::os::unix::fs::symlink(place.bucket(), donor.bucket()).unwrap();
    donor.type_line(&format!("s3 --source=BUCKET --from={FIRST} --to={FRIDAY} --symbols=NVDA,MSFT")).ended(0);
    forget_friday(place);
    for symbol in ["NVDA", "MSFT"] {
        store(place, &answers(&donor, symbol, FIRST, "1m,5m"));
    }
}

fn forget_friday(place: &Place) {
    wait(async {
        let mut store = open(place).await;
        let now = NOW.parse().unwrap();
        barkeep::ingest::forget_day(&mut store, Dataset::Stocks, FRIDAY.parse().unwrap(), now).await.unwrap();
    });
}

/// All bars, but for how their VWAPs were made; those said to be fetched; and by what is known of each symbol's day.
fn bars(place: &Place) -> Vec<String> {
    place.dump().bars.iter().map(|bar| bar.replace("|vendor|", "|estimate|")).collect()
}

fn rows(place: &Place, sql: &str) -> Vec<String> {
    place.schema().map_or_else(|| query(&place.database(), sql), |schema| schema.query(sql))
}

fn answered(place: &Place) -> Vec<String> {
    rows(
        place,
        "SELECT CAST(session_date AS TEXT) || ' ' || symbol || ' ' || timeframes || ' ' || exact_vwap || ' ' || bars_written
         FROM rest_ledger ORDER BY 1",
    )
}

#[test]
fn damage_of_what_was_fetched_is_found_named_and_repaired() {
    for place in places() {
        fetch(&place);
        place.type_line("verify").ended(0);
        let (bars, answered) = (bars(&place), answered(&place));
        assert_eq!(answered.len(), 8);
        each(FETCHED_PLANTINGS, |(damage, is_alone)| {
            check(damage, *is_alone, &place, &bars, &answered).map_err(|why| format!("{}: {why}", damage.name))
        });
    }
}

fn check(damage: &Damage, is_alone: bool, whole: &Place, before: &[String], answers: &[String]) -> Result<(), String> {
    let is = |right: bool, why: String| if right { Ok(()) } else { Err(why) };
    let place = copy_of(whole);
    let also = if let Some(schema) = place.schema() {
        schema.execute(&postgres(damage.postgres.unwrap()));
        damage.postgres_finds
    } else {
        execute(&place.database(), &sqlite(damage.sqlite));
        damage.sqlite_finds
    };
    let repaired = place.type_line("verify --repair --source=BUCKET --json");
    let found: Vec<String> = words(&repaired).into_iter().collect();
    let mut expected: Vec<&str> = damage.finds.iter().chain(also).copied().collect();
    expected.sort_unstable();
    is(found == expected, format!("found {found:?}: {repaired:?}"))?;
    is(repaired.code == 0, format!("not repaired: {repaired:?}"))?;
    let after = bars(&place);
    let differs = after.iter().zip(before).find(|(a, b)| a != b);
    is(differs.is_none() && after.len() == before.len(), format!("other bars: {differs:?}"))?;
    let left = answered(&place);
    let others: Vec<&String> = answers.iter().filter(|row| !row.starts_with("2026-09-30 NVDA ")).collect();
    is(left.iter().all(|row| answers.contains(row)), format!("other answers: {left:?}"))?;
    is(!is_alone || left.iter().eq(others), format!("more was loaded than NVDA's Wednesday: {left:?}"))?;
    let again = place.type_line("verify --json");
    is(again.code == 0 && words(&again).is_empty(), format!("then: {again:?}"))
}

/// Nothing tells any more for whom it was loaded: it is made like the days beside it.
#[test]
fn a_fetched_day_without_books_is_loaded_like_its_neighbours() {
    for place in places() {
        fetch(&place);
        let before = bars(&place);
        let gone = "DELETE FROM rest_ledger WHERE session_date = '2026-10-02'";
        if let Some(schema) = place.schema() {
            schema.execute(gone);
        } else {
            execute(&place.database(), gone);
        }
        let repaired = place.type_line("verify --repair --source=BUCKET --json").ended(0);
        let found: Vec<String> = words(&repaired).into_iter().collect();
        assert_eq!(found, ["day_without_ledger", "uncovered_bars"]);
        let after = bars(&place);
        assert!(before.iter().all(|bar| after.contains(bar)), "{repaired:?}");
        assert!(after.len() > before.len(), "{repaired:?}");
        place.type_line("verify").ended(0);
    }
}

/// Without a file there is nothing to repair it from, but the API.
#[test]
fn what_no_file_makes_right_is_left_and_said_how_to_fetch() {
    for place in places() {
        fetch(&place);
        fs::remove_file(place.bucket().join(minute_key(FRIDAY))).unwrap();
        if let Some(schema) = place.schema() {
            schema.execute(&postgres(
                "DELETE FROM historical_bars WHERE session_date = {friday} AND symbol = 'NVDA' AND timestamp % 7 = 0",
            ));
        } else {
            let gone = "DELETE FROM bars WHERE day_id = {friday} AND symbol = 'NVDA' AND timestamp % 7 = 0";
            execute(&place.database(), &sqlite(gone));
        }
        let before = bars(&place);
        let left = place.type_line("verify --repair --source=BUCKET").ended(3);
        let hint = "`backfill rest --force --symbol=NVDA --from=2026-10-02 --to=2026-10-02` fetches again";
        assert!(left.out.contains(hint), "{left:?}");
        assert!(!left.out.contains("--symbol=MSFT"), "{left:?}");
        assert_eq!(bars(&place), before);
    }
}

/// Days in the middle of which somebody asked; bars of files with VWAPs that were made exact, as far as they agree; symbols the
/// API knows nothing of; and files that are of a later moment than what was fetched.
#[test]
fn what_was_fetched_is_no_finding() {
    for place in places() {
        fetch(&place);
        let donor = Place::new();
        std::os::unix::fs::symlink(place.bucket(), donor.bucket()).unwrap();
        donor.type_line(&format!("s3 --source=BUCKET --from={FIRST} --to={FRIDAY} --symbols=SPY,AAPL,NVDA")).ended(0);
        // Some minutes with another volume, and VWAPs as no estimate has them.
        let mut exact = answers(&donor, "SPY", FIRST, "1m,5m,15m,1h,4h,day");
        exact.days.retain(|day| day.date.to_string() != FRIDAY);
        for (bar, at) in exact.days.iter_mut().flat_map(|day| &mut day.bars).zip(0..) {
            bar.vwap = bar.vwap.map(|vwap| vwap * 1.5);
            bar.volume = bar.volume.map(|volume| if at % 5 == 0 { volume + 1.0 } else { volume });
        }
        store(&place, &SymbolDays { exact_vwap: true, ..exact.clone() });
        let made =
            "SELECT 1 || '' FROM historical_bars WHERE symbol = 'SPY' AND vwap_method = 'vendor' AND timeframe <> '1m'";
        assert!(!rows(&place, made).is_empty());
        // Until 10:02, and the bars that were over by then.
        let mut provisional = answers(&donor, "AAPL", FRIDAY, "1m,5m,15m,1h,day");
        for day in &mut provisional.days {
            let until = 1_790_949_720_000;
            day.bars.retain(|bar| bar.end_timestamp_ms <= until && bar.timeframe != Timeframe::Day);
            day.is_provisional = true;
        }
        store(&place, &provisional);
        let mut nothing = answers(&donor, "SPY", FIRST, "1m,5m");
        nothing.symbol = "NOSUCH".to_owned();
        nothing.days.iter_mut().for_each(|day| day.bars.clear());
        store(&place, &nothing);
        // A file that knows more of the same minutes.
        let mut other = answers(&donor, "NVDA", FIRST, "1m");
        other.symbol = "BRK.B".to_owned();
        store(&place, &other);
        for line in [
            "verify --json",
            "verify --symbol=NVDA --json",
            "verify --against=source --sample=all --source=BUCKET --json",
        ] {
            let verified = place.type_line(line);
            assert_eq!((verified.code, kinds(&verified).len()), (0, 0), "{verified:?}");
        }
        let status = place.type_line("status --json").ended(0).json();
        let minutes = |symbol: &str| {
            let rows = status["rows"].as_array().unwrap();
            rows.iter().find(|row| row["symbol"] == symbol && row["timeframe"] == "1m").unwrap().clone()
        };
        assert_eq!(minutes("NVDA")["missing_days"], 0, "{status}");
    }
}
