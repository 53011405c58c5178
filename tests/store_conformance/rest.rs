//! What the REST API brings, beside what files bring.

use barkeep::model::Dataset::Stocks;
use barkeep::model::{Bar, FileKind, Outcome, Symbol, Timeframe, TimeframeSet, VwapMethod};
use barkeep::store::{
    Attempt, Audit, BarReader, BarSink, Ledger, Replace, SymbolDay, SymbolDayStored, SymbolDays, SymbolSink,
};
use jiff::civil::Date;

use crate::Bench;
use crate::fixtures::*;

pub const A_DAY: i64 = 24 * 60 * MINUTE;

/// A bar with the vendor's VWAP.
pub fn exact(timeframe: Timeframe, timestamp_ms: i64, open: f64) -> Bar {
    Bar { vwap: Some(open + 0.25), vwap_method: Some(VwapMethod::Vendor), ..bar(timeframe, timestamp_ms, open) }
}

pub fn day(date: Date, timeframes: &str, bars: &[Bar]) -> SymbolDay {
    SymbolDay {
        date,
        timeframes: frames(timeframes),
        bars: bars.to_vec(),
        is_provisional: false,
        rows_read: 390,
        is_absent_in_file: false,
    }
}

pub fn page(symbol: &str, days: Vec<SymbolDay>) -> SymbolDays {
    SymbolDays {
        dataset: Stocks,
        symbol: symbol.to_owned(),
        request: format!("/v2/aggs/ticker/{symbol}/range/1/minute/2026-10-01/2026-10-02"),
        days,
        exact_vwap: false,
        started_at: at("2026-10-03T15:00:00Z"),
        finished_at: at("2026-10-03T15:00:01Z"),
    }
}

fn symbol(ticker: &str) -> Symbol {
    Symbol::from_ticker(ticker).unwrap()
}

pub async fn days_of_a_symbol_are_stored_with_their_ledger(bench: &impl Bench) {
    let mut store = bench.open().await;
    let two = [exact(Timeframe::M1, T, 10.0), exact(Timeframe::M5, T, 11.0)];
    let next = [exact(Timeframe::M1, T + A_DAY, 12.0)];
    let days = page("A", vec![day(DAY, "1m,5m", &two), day(NEXT, "1m", &next)]);
    let stored = store.store_symbol(&days).await.unwrap();
    let of =
        |date, bars| SymbolDayStored { date, of_files: TimeframeSet::EMPTY, bars, made_exact: 0, left_estimated: 0 };
    assert_eq!(stored, [of(DAY, 2), of(NEXT, 1)]);
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0, 12.0]);
    let bar = &store.bars("A", Timeframe::M5, ANY).await.unwrap()[0];
    assert_eq!((bar.bar, bar.session_date), (two[1], DAY));
    let states = store.day_states(Stocks, DAY..=NEXT).await.unwrap();
    let rest = &states[&DAY].rest["A"];
    assert_eq!((rest.timeframes, rest.bars, rest.is_provisional), (frames("1m,5m"), 2, false));
    assert_eq!(
        (rest.outcome, rest.fetched_at, rest.attempted_at),
        (Outcome::Loaded, Some(days.finished_at), days.finished_at)
    );
    assert_eq!((states[&DAY].covered("A"), states[&NEXT].covered("A")), (frames("1m,5m"), frames("1m")));
    assert_eq!(states[&DAY].covered_by_files("A"), TimeframeSet::EMPTY);
    assert_eq!(store.symbol_states(&symbol("A"), DAY..=NEXT).await.unwrap(), states);
    let begun = store.begin_day(Stocks, DAY, || ()).await.unwrap();
    store.abandon_day().await.unwrap();
    assert_eq!(begun, states[&DAY], "a day that is begun tells the same");
    assert!(store.store_symbol(&page("A", vec![])).await.unwrap().is_empty());
}

/// What the ledger says of a symbol: timeframes, bars, whether more is to come, outcome.
async fn rest(store: &mut impl Ledger, date: Date, ticker: &str) -> Option<(String, u64, bool, Outcome)> {
    let rest = state(store, date).await.rest.remove(ticker)?;
    Some((rest.timeframes.to_string(), rest.bars, rest.is_provisional, rest.outcome))
}

fn said(timeframes: &str, bars: u64, is_provisional: bool, outcome: Outcome) -> Option<(String, u64, bool, Outcome)> {
    Some((timeframes.to_owned(), bars, is_provisional, outcome))
}

pub async fn what_is_fetched_replaces_what_was_fetched(bench: &impl Bench) {
    let mut store = bench.open().await;
    let m1 = |opens: &[f64]| {
        let bars = opens.iter().zip(0..).map(|(open, at)| exact(Timeframe::M1, T + at * MINUTE, *open));
        bars.collect::<Vec<_>>()
    };
    let h1 = [exact(Timeframe::H1, T, 30.0)];
    let first = [&m1(&[10.0, 11.0, 12.0])[..], &h1].concat();
    store.store_symbol(&page("A", vec![day(DAY, "1m,1h", &first)])).await.unwrap();
    store.store_symbol(&page("B", vec![day(DAY, "1m", &m1(&[20.0]))])).await.unwrap();
    assert_eq!(rest(&mut store, DAY, "A").await, said("1m,1h", 4, false, Outcome::Loaded));
    // Fewer minutes, and a further timeframe; the hour stays.
    let m5 = [exact(Timeframe::M5, T, 40.0)];
    let second = [&m1(&[13.0, 14.0])[..], &m5].concat();
    let stored = store.store_symbol(&page("A", vec![day(DAY, "1m,5m", &second)])).await.unwrap();
    assert_eq!(stored[0].bars, 3);
    assert_eq!(rest(&mut store, DAY, "A").await, said("1m,5m,1h", 4, false, Outcome::Loaded));
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [13.0, 14.0]);
    assert_eq!(opens(&mut store, "A", Timeframe::H1).await, [30.0]);
    assert_eq!(opens(&mut store, "B", Timeframe::M1).await, [20.0]);
    // Nothing was traded: looked for and not there.
    store.store_symbol(&page("C", vec![day(DAY, "1m", &[])])).await.unwrap();
    assert_eq!(rest(&mut store, DAY, "C").await, said("1m", 0, false, Outcome::Empty));
    store.store_symbol(&page("A", vec![day(DAY, "1m", &[])])).await.unwrap();
    assert_eq!(rest(&mut store, DAY, "A").await, said("1m,5m,1h", 2, false, Outcome::Loaded));
    assert_eq!(state(&mut store, DAY).await.covered("C"), frames("1m"));
}

pub async fn a_provisional_day_makes_room_for_what_comes_after(bench: &impl Bench) {
    let mut store = bench.open().await;
    let provisional = |timeframes, bars: &[Bar]| SymbolDay { is_provisional: true, ..day(DAY, timeframes, bars) };
    let [m1, m5, h1] = [Timeframe::M1, Timeframe::M5, Timeframe::H1].map(|timeframe| exact(timeframe, T, 10.0));
    store.store_symbol(&page("A", vec![provisional("1m,5m", &[m1, m5])])).await.unwrap();
    assert_eq!(rest(&mut store, DAY, "A").await, said("1m,5m", 2, true, Outcome::Provisional));
    assert!(state(&mut store, DAY).await.covered("A").is_empty(), "it is fetched again");
    // Bars of two moments would contradict each other.
    store.store_symbol(&page("A", vec![provisional("1m,1h", &[m1, h1])])).await.unwrap();
    assert_eq!(rest(&mut store, DAY, "A").await, said("1m,1h", 2, true, Outcome::Provisional));
    assert!(opens(&mut store, "A", Timeframe::M5).await.is_empty());
    let last = exact(Timeframe::M1, T, 11.0);
    store.store_symbol(&page("A", vec![day(DAY, "1m", &[last])])).await.unwrap();
    assert_eq!(rest(&mut store, DAY, "A").await, said("1m", 1, false, Outcome::Loaded));
    assert_eq!(state(&mut store, DAY).await.covered("A"), frames("1m"));
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [11.0]);
    assert!(opens(&mut store, "A", Timeframe::H1).await.is_empty());
    store.store_symbol(&page("B", vec![provisional("1m", &[])])).await.unwrap();
    assert_eq!(rest(&mut store, DAY, "B").await, said("1m", 0, true, Outcome::Provisional), "before the first trade");
}

pub async fn what_files_have_brought_is_left_alone(bench: &impl Bench) {
    let mut store = bench.open().await;
    let filed = [bar(Timeframe::M5, T, 1.0), bar(Timeframe::H1, T, 2.0)];
    let files = commit("5m", &[("A", "1h")], vec![file(FileKind::Minute, "1", 2)]);
    put(&mut store, (Stocks, DAY), &[], &[("A", &filed)], &files).await;
    let before = state(&mut store, DAY).await;
    let fetched = [exact(Timeframe::M5, T, 7.0), exact(Timeframe::H1, T, 8.0)];
    let stored = store.store_symbol(&page("A", vec![day(DAY, "5m,1h", &fetched)])).await.unwrap();
    assert_eq!((stored[0].of_files, stored[0].bars), (frames("5m,1h"), 0));
    assert_eq!(state(&mut store, DAY).await, before, "no row of its own");
    let minutes = [exact(Timeframe::M1, T, 6.0), fetched[0], fetched[1]];
    let stored = store.store_symbol(&page("A", vec![day(DAY, "1m,5m,1h", &minutes)])).await.unwrap();
    assert_eq!((stored[0].of_files, stored[0].bars, stored[0].made_exact), (frames("5m,1h"), 1, 0));
    assert_eq!(rest(&mut store, DAY, "A").await, said("1m", 1, false, Outcome::Loaded));
    for (timeframe, open) in [(Timeframe::M1, 6.0), (Timeframe::M5, 1.0), (Timeframe::H1, 2.0)] {
        assert_eq!(opens(&mut store, "A", timeframe).await, [open]);
    }
    let after = state(&mut store, DAY).await;
    assert_eq!((after.covered("A"), after.covered_by_files("A")), (frames("1m,5m,1h"), frames("5m,1h")));
    assert_eq!((after.minute, after.everyone, after.named), (before.minute, before.everyone, before.named));
}

/// A price that is kept in cents, and one that is not.
pub async fn estimates_of_files_make_room_for_exact_vwaps(bench: &impl Bench) {
    let mut store = bench.open().await;
    let of = |at: i64, open: f64| bar(Timeframe::M5, T + at * 5 * MINUTE, open);
    let quiet = Bar { volume: Some(0.0), vwap: None, vwap_method: None, trades: Some(0), ..of(5, 15.0) };
    let filed = [of(0, 10.0), of(1, 11.000_000_1), of(2, 12.0), of(3, 13.0), of(4, 14.0), quiet];
    let files = commit("5m", &[], vec![file(FileKind::Minute, "1", 7)]);
    put(&mut store, (Stocks, DAY), &[], &[("A", &filed), ("B", &filed[..1])], &files).await;
    let fetched = |bar: &Bar| Bar { vwap: Some(99.5), vwap_method: Some(VwapMethod::Vendor), ..*bar };
    let bars = [
        fetched(&filed[0]),
        // Other prices are the file's business.
        Bar { prices: filed[0].prices, ..fetched(&filed[1]) },
        Bar { volume: Some(100.000_001), ..fetched(&filed[2]) },
        Bar { trades: None, ..fetched(&filed[3]) },
        Bar { vwap_method: Some(VwapMethod::Estimate), ..fetched(&filed[4]) },
        fetched(&quiet),
        fetched(&of(6, 16.0)),
    ];
    let pages = SymbolDays { exact_vwap: true, ..page("A", vec![day(DAY, "5m", &bars)]) };
    for _ in 0..2 {
        let stored = store.store_symbol(&pages).await.unwrap();
        let expected = SymbolDayStored { date: DAY, of_files: frames("5m"), bars: 0, made_exact: 2, left_estimated: 3 };
        assert_eq!(stored, [expected]);
        let now: Vec<Bar> = store.bars("A", Timeframe::M5, ANY).await.unwrap().iter().map(|one| one.bar).collect();
        assert_eq!(now, [fetched(&filed[0]), fetched(&filed[1]), filed[2], filed[3], filed[4], quiet]);
        let other = store.bars("B", Timeframe::M5, ANY).await.unwrap();
        assert_eq!(other[0].bar, filed[0], "another symbol's");
        let state = state(&mut store, DAY).await;
        assert_eq!((state.rest["A"].exact_vwap, state.rest["A"].timeframes), (frames("5m"), frames("")));
        assert_eq!((state.rest["A"].bars, state.rest["A"].outcome), (0, Outcome::Loaded));
        assert_eq!(state.minute.map(|file| file.bars), Some(7));
    }
    // The file is loaded again: the estimates are back, and so is what is known of them.
    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    assert_eq!(store.replace_rest(&["A".to_owned()]).await.unwrap(), 0);
    assert_eq!(store.replace(&everything()).await.unwrap(), 7);
    store.write(&batch(&[("A", &filed)])).await.unwrap();
    store.commit_day(&commit("5m", &[], vec![file(FileKind::Minute, "2", 6)])).await.unwrap();
    assert!(state(&mut store, DAY).await.rest.is_empty());
    // Exact VWAPs and minutes that no file has brought, at once.
    let minute = exact(Timeframe::M1, T, 10.0);
    let pages = SymbolDays { exact_vwap: true, ..page("A", vec![day(DAY, "1m,5m", &[minute, bars[0]])]) };
    let stored = store.store_symbol(&pages).await.unwrap();
    assert_eq!((stored[0].bars, stored[0].made_exact, stored[0].left_estimated), (1, 1, 4));
    let rest = &state(&mut store, DAY).await.rest["A"];
    assert_eq!((rest.timeframes, rest.exact_vwap, rest.bars), (frames("1m"), frames("5m"), 1));
    // A file brings the minutes, too: what it brought before keeps its exact VWAPs, and the ledger knows.
    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    assert_eq!(store.replace_rest(&["A".to_owned()]).await.unwrap(), 1);
    store.write(&batch(&[("A", &[minute])])).await.unwrap();
    store.commit_day(&commit("", &[("A", "1m")], vec![file(FileKind::Minute, "2", 1)])).await.unwrap();
    let rest = &state(&mut store, DAY).await.rest["A"];
    assert_eq!((rest.timeframes, rest.exact_vwap, rest.bars), (frames(""), frames("5m"), 0));
    // Bars that are removed by name are forgotten by name.
    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    let of = |symbol: &str| Replace { symbols: Some(vec![symbol.to_owned()]), ..everything() };
    store.replace(&of("B")).await.unwrap();
    store.replace(&Replace { timeframes: frames("1m"), ..of("A") }).await.unwrap();
    store.commit_day(&commit("", &[], vec![file(FileKind::Minute, "2", 0)])).await.unwrap();
    assert_eq!(state(&mut store, DAY).await.rest["A"].exact_vwap, frames("5m"));
    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    store.replace(&of("A")).await.unwrap();
    store.commit_day(&commit("", &[], vec![file(FileKind::Minute, "2", 0)])).await.unwrap();
    assert!(state(&mut store, DAY).await.rest.is_empty());
}

pub async fn a_file_takes_the_place_of_what_was_fetched(bench: &impl Bench) {
    let mut store = bench.open().await;
    let two = [exact(Timeframe::M1, T, 10.0), exact(Timeframe::M5, T, 11.0)];
    let next = exact(Timeframe::M1, T + A_DAY, 12.0);
    for ticker in ["A", "B"] {
        let pages = page(ticker, vec![day(DAY, "1m,5m", &two), day(NEXT, "1m", &[next])]);
        store.store_symbol(&pages).await.unwrap();
    }
    let named = commit("", &[("C", "1m")], vec![file(FileKind::Minute, "1", 1)]);
    put(&mut store, (Stocks, DAY), &[], &[("C", &[bar(Timeframe::M1, T, 20.0)])], &named).await;

    let filed = [bar(Timeframe::M1, T, 1.0), bar(Timeframe::M1, T + MINUTE, 2.0)];
    let removed = ["A".to_owned(), "C".to_owned(), "ABSENT".to_owned()];
    for commits in [false, true] {
        store.begin_day(Stocks, DAY, || ()).await.unwrap();
        assert_eq!(store.replace_rest(&removed).await.unwrap(), 2);
        assert_eq!(store.replace_rest(&removed).await.unwrap(), 0, "it is known that they are gone");
        store.write(&batch(&[("A", &filed)])).await.unwrap();
        if commits {
            store.commit_day(&commit("", &[("A", "1m")], vec![file(FileKind::Minute, "1", 2)])).await.unwrap();
        } else {
            store.abandon_day().await.unwrap();
            assert_eq!(rest(&mut store, DAY, "A").await, said("1m,5m", 2, false, Outcome::Loaded));
            assert_eq!(opens(&mut store, "A", Timeframe::M5).await, [11.0]);
        }
    }
    let after = state(&mut store, DAY).await;
    assert_eq!(after.minute.map(|file| file.bars), Some(3), "bars of files alone");
    assert_eq!(after.rest.keys().collect::<Vec<_>>(), ["B"]);
    assert_eq!(
        after.named.into_iter().collect::<Vec<_>>(),
        [("A", "1m"), ("C", "1m")].map(|(a, b)| (a.to_owned(), frames(b)))
    );
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [1.0, 2.0, 12.0]);
    assert!(opens(&mut store, "A", Timeframe::M5).await.is_empty());
    assert_eq!(opens(&mut store, "B", Timeframe::M5).await, [11.0]);
    assert_eq!(opens(&mut store, "C", Timeframe::M1).await, [20.0]);
    assert_eq!(rest(&mut store, NEXT, "A").await, said("1m", 1, false, Outcome::Loaded), "another day");

    store.begin_day(Stocks, DAY, || ()).await.unwrap();
    assert_eq!(store.forget_day().await.unwrap(), 5);
    store.commit_day(&commit("", &[], vec![])).await.unwrap();
    assert_eq!(state(&mut store, DAY).await, barkeep::store::DayState::default());
    assert_eq!(rest(&mut store, NEXT, "B").await, said("1m", 1, false, Outcome::Loaded));
}

/// The second day has a bar twice, which no store takes.
pub async fn a_page_is_stored_whole_or_not_at_all(bench: &impl Bench) {
    let mut store = bench.open().await;
    let (one, two) = (exact(Timeframe::M1, T, 10.0), exact(Timeframe::M1, T + A_DAY, 11.0));
    store.store_symbol(&page("A", vec![day(DAY, "1m", &[one])])).await.unwrap();
    let torn = page("A", vec![day(DAY, "1m,5m", &[]), day(NEXT, "1m", &[two, two])]);
    assert!(store.store_symbol(&torn).await.is_err());
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0]);
    assert_eq!(rest(&mut store, DAY, "A").await, said("1m", 1, false, Outcome::Loaded));
    assert_eq!(rest(&mut store, NEXT, "A").await, None);
    let right = page("A", vec![day(DAY, "1m", &[one]), day(NEXT, "1m", &[two])]);
    assert_eq!(store.store_symbol(&right).await.unwrap().len(), 2, "the store goes on");
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0, 11.0]);
}

/// Days lie on both sides of a month's end, where PostgreSQL has another table.
pub async fn a_page_may_span_months(bench: &impl Bench) {
    let mut store = bench.open().await;
    let (friday, monday) = (jiff::civil::date(2025, 10, 31), jiff::civil::date(2025, 11, 3));
    let late = [ms("2025-10-31T16:00:00Z"), ms("2025-11-01T00:05:00Z")].map(|at| exact(Timeframe::M1, at, 10.0));
    let early = [exact(Timeframe::M1, ms("2025-11-03T16:00:00Z"), 11.0)];
    for _ in 0..2 {
        let pages = page("A", vec![day(friday, "1m", &late), day(monday, "1m", &early)]);
        let stored = store.store_symbol(&pages).await.unwrap();
        assert_eq!(stored.iter().map(|day| day.bars).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0, 10.0, 11.0]);
        assert_eq!(rest(&mut store, friday, "A").await, said("1m", 2, false, Outcome::Loaded));
    }
}

pub async fn attempts_leave_what_was_fetched(bench: &impl Bench) {
    let mut store = bench.open().await;
    let days = page("A", vec![day(DAY, "1m", &[exact(Timeframe::M1, T, 10.0)])]);
    store.store_symbol(&days).await.unwrap();
    let attempt = Attempt {
        outcome: Outcome::NotEntitled,
        detail: Some("403".to_owned()),
        started_at: at("2026-10-04T15:00:00Z"),
        finished_at: at("2026-10-04T15:00:02Z"),
    };
    store.record_symbol_attempt(&symbol("A"), &[DAY, NEXT], &attempt).await.unwrap();
    let states = store.symbol_states(&symbol("A"), DAY..=NEXT).await.unwrap();
    for (date, timeframes, bars, fetched_at) in [(DAY, "1m", 1, Some(days.finished_at)), (NEXT, "", 0, None)] {
        let rest = &states[&date].rest["A"];
        assert_eq!((rest.timeframes, rest.bars, rest.fetched_at), (frames(timeframes), bars, fetched_at));
        assert_eq!((rest.outcome, rest.detail.as_deref()), (Outcome::NotEntitled, Some("403")));
        assert_eq!(rest.attempted_at, attempt.finished_at);
    }
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0]);
    store.store_symbol(&days).await.unwrap();
    let rest = &state(&mut store, DAY).await.rest["A"];
    assert_eq!((rest.outcome, rest.detail.as_deref(), rest.attempted_at), (Outcome::Loaded, None, days.finished_at));
}

pub async fn the_state_of_a_symbol_tells_nothing_of_others(bench: &impl Bench) {
    let mut store = bench.open().await;
    let filed = commit("5m", &[("A", "1m"), ("B", "1m")], vec![file(FileKind::Minute, "1", 0)]);
    put(&mut store, (Stocks, DAY), &[], &[], &filed).await;
    for ticker in ["A", "B"] {
        store.store_symbol(&page(ticker, vec![day(DAY, "1h", &[]), day(NEXT, "1h", &[])])).await.unwrap();
    }
    let all = store.day_states(Stocks, DAY..=NEXT).await.unwrap();
    let mut only = all.clone();
    for state in only.values_mut() {
        assert!(state.rest.remove("B").is_some());
        state.named.remove("B");
    }
    assert_eq!(store.symbol_states(&symbol("A"), DAY..=NEXT).await.unwrap(), only);
    assert_eq!(store.symbol_states(&symbol("A"), NEXT..=NEXT).await.unwrap().len(), 1);
    let stranger = store.symbol_states(&symbol("X:A"), DAY..=NEXT).await.unwrap();
    assert!(stranger.is_empty(), "of another market: {stranger:?}");
}

/// A page waits for the files of its days, and sees what they have brought; pages of several symbols do not wait for ever.
pub async fn pages_and_files_take_turns(bench: &impl Bench) {
    let mut files = bench.open().await;
    files.begin_day(Stocks, NEXT, || ()).await.unwrap();
    let mut pages = tokio::task::JoinSet::new();
    for ticker in ["A", "B", "C"] {
        let mut store = bench.open().await;
        pages.spawn(async move {
            let bars = |shift| [exact(Timeframe::M1, T + shift, 10.0), exact(Timeframe::M5, T + shift, 11.0)];
            let days = page(ticker, vec![day(DAY, "1m,5m", &bars(0)), day(NEXT, "1m,5m", &bars(A_DAY))]);
            store.store_symbol(&days).await.unwrap()
        });
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let filed = [bar(Timeframe::M5, T + A_DAY, 1.0)];
    files.write(&batch(&[("A", &filed)])).await.unwrap();
    files.commit_day(&commit("5m", &[], vec![file(FileKind::Minute, "1", 1)])).await.unwrap();
    for stored in pages.join_all().await {
        let told: Vec<_> = stored.iter().map(|day| (day.of_files.to_string(), day.bars)).collect();
        assert_eq!(told, [(String::new(), 2), ("5m".to_owned(), 1)]);
    }
    assert_eq!(opens(&mut files, "A", Timeframe::M5).await, [11.0, 1.0]);
}

/// As a run does that is stopped while it waits for another.
pub async fn a_page_that_is_given_up_can_be_abandoned(bench: &impl Bench) {
    let (mut files, mut store) = (bench.open().await, bench.open().await);
    let days = page("A", vec![day(DAY, "1m", &[exact(Timeframe::M1, T, 10.0)]), day(NEXT, "1m", &[])]);
    files.begin_day(Stocks, NEXT, || ()).await.unwrap();
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(300), store.store_symbol(&days)).await;
    assert!(given_up.is_err(), "it did not wait");
    store.abandon_day().await.unwrap();
    assert_eq!(rest(&mut store, DAY, "A").await, None);
    files.abandon_day().await.unwrap();
    assert_eq!(store.store_symbol(&days).await.unwrap().len(), 2);
    assert_eq!(opens(&mut store, "A", Timeframe::M1).await, [10.0]);
}

/// A day of which files have brought nothing is loaded all the same; a row in words that mean nothing is told, and goes.
pub async fn defects_know_what_was_fetched(bench: &impl Bench) {
    let mut store = bench.open().await;
    let bars = [exact(Timeframe::M1, T, 10.0)];
    for ticker in ["A", "B"] {
        store.store_symbol(&page(ticker, vec![day(DAY, "1m", &bars), day(NEXT, "1m", &[])])).await.unwrap();
    }
    assert_eq!(store.defects().await.unwrap(), []);
    assert_eq!(store.remove_orphans().await.unwrap(), 0);
    bench
        .execute(
            "UPDATE rest_ledger SET outcome = 'fine' WHERE symbol = 'B';
             INSERT INTO rest_ledger (dataset, session_date, symbol, timeframes, exact_vwap, outcome, started_at, finished_at)
                 VALUES ('stocks', '2026-10-01', 'I:A', '1m', '', 'empty', 0, 0)",
        )
        .await;
    let told: Vec<_> = store.defects().await.unwrap().into_iter().map(|one| (one.kind, one.symbol)).collect();
    let expected = [("unknown_word", None), ("unknown_word", None), ("scope_conflict", Some("I:A".to_owned()))];
    assert_eq!(told, expected);
    assert_eq!(store.remove_orphans().await.unwrap(), 2, "rows that cannot be read");
    assert_eq!(rest(&mut store, DAY, "B").await, None);
    assert_eq!(rest(&mut store, DAY, "A").await, said("1m", 1, false, Outcome::Loaded));
}
