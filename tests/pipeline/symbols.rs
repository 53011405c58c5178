//! Symbols, one after the other and together.

use barkeep::ingest::{Outcome, Request, make_plan};
use barkeep::model::{Dataset, FileKind};
use barkeep::store::Ledger;
use std::sync::Arc;

use super::common::{
    BARS_OF_TICKER, Desk, HEADER, assert_same_table, carry_out, csv, gzip, request, request_of, row, session_rows,
    stamp, tickers,
};
use super::{FRIDAY, MONDAY, day, outcomes, undisturbed, week};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn symbols_then_more_and_then_all_end_in_the_table_of_all() {
    let desk = week();
    let of = |symbols: &[&str]| request_of(symbols, Dataset::Stocks, MONDAY, FRIDAY);
    let hours = Request { timeframes: "1h".parse().unwrap(), ..of(&["S03"]) };
    for (asked, symbols, bars) in [
        (hours, 1, 7),
        (of(&["S03", "S11"]), 2, 2 * BARS_OF_TICKER - 7),
        (of(&["S03"]), 2, 0),
        (of(&["S00", "S11"]), 3, BARS_OF_TICKER),
        (request(Dataset::Stocks, MONDAY, FRIDAY), 12, 9 * BARS_OF_TICKER),
        (of(&["S05"]), 12, 0),
    ] {
        let report = desk.load(asked).await;
        let expected = if bars == 0 { Outcome::Unchanged } else { Outcome::Loaded };
        assert_eq!(outcomes(&report), [expected; 5]);
        assert!(report.days.iter().all(|day| day.bars == bars as u64), "{:?}", report.days[0].bars);
        let found: std::collections::BTreeSet<String> = desk.table().await.into_iter().map(|row| row.symbol).collect();
        assert_eq!(found.len(), symbols);
    }
    assert_same_table(&desk.table().await, &undisturbed(&desk).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restatement_reloads_the_symbols_that_are_there_and_the_new_one() {
    let desk = week();
    let of = |symbols: &[&str]| request_of(symbols, Dataset::Stocks, MONDAY, FRIDAY);
    desk.load(of(&["S00", "S01"])).await;
    desk.load(Request { timeframes: "1h,day".parse().unwrap(), ..request(Dataset::Stocks, MONDAY, FRIDAY) }).await;
    let mut restated = tickers(13);
    restated.rotate_left(3);
    desk.put_session(FRIDAY, &restated);
    desk.load(of(&["S02"])).await;
    let table = desk.table().await;
    let expected: Vec<_> = undisturbed(&desk)
        .await
        .into_iter()
        .filter(|row| {
            let detailed = matches!(row.symbol.as_str(), "S00" | "S01" | "S02");
            detailed || matches!(row.timeframe.as_str(), "1h" | "day")
        })
        .collect();
    assert_same_table(&table, &expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scattered_file_loads_the_table_of_an_ordered_one() {
    let desk = week();
    let table = undisturbed(&desk).await;
    let mut rows = session_rows(FRIDAY, &tickers(12));
    // Every minute of all symbols, then the next: as far from grouped as rows can be.
    rows.sort_by_key(|row| row.split(',').nth(6).map(str::to_owned));
    rows.rotate_left(177);
    desk.put(Dataset::Stocks, FileKind::Minute, FRIDAY, &gzip(csv(HEADER, rows)));
    let report = desk.load(request(Dataset::Stocks, MONDAY, FRIDAY)).await;
    assert_eq!(outcomes(&report), [Outcome::Loaded; 5]);
    assert_same_table(&desk.table().await, &table);
    assert_eq!(day(&report, FRIDAY).bars, 12 * BARS_OF_TICKER as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_symbol_the_file_lacks_is_reported_and_not_looked_for_again() {
    let desk = week();
    let asked = request_of(&["S01", "ABSENT", "s02"], Dataset::Stocks, MONDAY, FRIDAY);
    let report = desk.load(asked.clone()).await;
    assert!(report.days.iter().all(|day| day.absent_symbols == ["ABSENT", "s02"]));
    assert_eq!(outcomes(&report), [Outcome::Loaded; 5]);
    assert_eq!(outcomes(&desk.load(asked).await), [Outcome::Unchanged; 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn merged_spellings_and_rejects_are_in_the_report() {
    let desk = Desk::new();
    let at = |minute| stamp(Dataset::Crypto, FRIDAY, 12, minute);
    let good = (0..200).map(|n| row("X:ETH-USD", at(n % 60), 100, "1", u64::from(n)));
    let rows = good.chain([
        row("X:BTC-USD", at(0), 100, "0.5", 1),
        row("X:BTCUSD", at(1), 100, "0.5", 1),
        "X:BAD,1,1,1,1,1,5,1".to_owned(),
    ]);
    desk.put(Dataset::Crypto, FileKind::Minute, FRIDAY, &gzip(csv(HEADER, rows)));
    let report = desk.load(request(Dataset::Crypto, FRIDAY, FRIDAY)).await;
    let day = &report.days[0];
    assert_eq!(day.outcome, Outcome::Loaded);
    assert!(day.notes.iter().any(|note| note.contains("X:BTC-USD and X:BTCUSD")), "{:?}", day.notes);
    let file = day.minute_file.as_ref().unwrap();
    assert_eq!((file.rows, file.rejects.total(), file.duplicates_conflicting), (203, 1, 140));
    let minutes: Vec<_> =
        desk.table().await.into_iter().filter(|row| row.timeframe == "1m").map(|row| row.symbol).collect();
    assert_eq!(minutes.iter().filter(|symbol| *symbol == "X:BTCUSD").count(), 2);
}

/// The rate of a market used to count the bars of those before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_rate_is_that_of_its_own_files() {
    let desk = week();
    let crypto = gzip(csv(HEADER, [row("X:BTC-USD", stamp(Dataset::Crypto, FRIDAY, 12, 0), 100, "1", 1)]));
    desk.put(Dataset::Crypto, FileKind::Minute, FRIDAY, &crypto);
    let (mut store, source) = (desk.store().await, Arc::new(desk.source()));
    let reporter = Arc::new(barkeep::ingest::SilentReporter);
    let mut plans = Vec::new();
    for dataset in [Dataset::Stocks, Dataset::Crypto] {
        let asked = request(dataset, FRIDAY, FRIDAY);
        plans.push(make_plan(&source, Some(&mut store), asked, &*reporter).await.unwrap());
    }
    let report = carry_out(plans, source, &desk.database(), &mut store, reporter, Default::default()).await;
    assert_eq!(outcomes(&report), [Outcome::Loaded; 2]);
    let rate = store.load_rate(true).await.unwrap().unwrap();
    assert_eq!((rate.bars, rate.file_bytes), (6, crypto.len() as u64), "crypto was the last");
}
