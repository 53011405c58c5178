//! The order of rows, and rows that repeat each other.

use barkeep::aggregate::DayGrid;
use barkeep::ingest::Wanted;
use barkeep::ingest::decode::{DecodeError, Grouping, decode_day};
use barkeep::model::{Bar, Dataset, Timeframe, TimeframeSet};
use proptest::prelude::*;

use super::common::{HEADER, INDEX_HEADER, csv, gzip, row, stamp};
use super::{DAY, decode, everything, stocks};

fn at(hour: u16, minute: u16) -> i64 {
    stamp(Dataset::Stocks, DAY, hour, minute)
}

#[test]
fn a_ticker_that_comes_back_is_told_and_read_right_the_second_time() {
    let rows = [
        row("A", at(10, 0), 100, "1", 1),
        row("B", at(10, 0), 200, "1", 1),
        row("A", at(9, 59), 300, "1", 1),
        row("A", at(10, 1), 400, "1", 1),
    ];
    let packed = gzip(csv(HEADER, rows));
    assert!(matches!(stocks(&packed), Err(DecodeError::Scattered)));
    let (read, minutes) = decode(Dataset::Stocks, DAY, &packed, &everything(), Grouping::Any).unwrap();
    let of_a: Vec<_> = minutes["A"].iter().map(|minute| (minute.minute, minute.prices.low)).collect();
    assert_eq!(of_a, [(599, 3.0), (600, 1.0), (601, 4.0)]);
    assert_eq!((read.rows, read.census.symbols, minutes.len()), (4, 2, 2));
}

#[test]
fn duplicates_are_settled_by_trades_then_volume_then_prices() {
    for (rows, low, identical, conflicting) in [
        (vec![(100, "5", 2), (100, "5", 2)], 1.0, 1, 0),
        (vec![(100, "9", 2), (200, "5", 3)], 2.0, 0, 1),
        (vec![(100, "9.5", 3), (200, "9.25", 3)], 1.0, 0, 1),
        (vec![(100, "9", 3), (200, "9", 3)], 2.0, 0, 1),
        (vec![(100, "5", 2), (200, "5", 2), (100, "5", 2)], 2.0, 1, 1),
        (vec![(200, "5", 2), (100, "5", 2), (200, "5", 2), (100, "5", 2)], 2.0, 2, 1),
    ] {
        let lines = rows.iter().map(|(cents, volume, trades)| row("A", at(10, 0), *cents, volume, *trades));
        let (read, minutes) = stocks(&gzip(csv(HEADER, lines))).unwrap();
        assert_eq!((minutes["A"].len(), minutes["A"][0].prices.low), (1, low), "{rows:?}");
        assert_eq!((read.duplicates_identical, read.duplicates_conflicting), (identical, conflicting), "{rows:?}");
    }
}

/// Day bars as the table would hold them, and the counts of duplicates.
fn day_file(rows: &[String]) -> (Vec<(String, Bar)>, u64, u64, u64) {
    let wanted = Wanted { others: TimeframeSet::of([Timeframe::DayOfficial]), ..Wanted::default() };
    let grid = DayGrid::new(Dataset::Stocks, DAY);
    let mut read = decode_day(&gzip(csv(HEADER, rows))[..], Dataset::Stocks, &grid, &wanted).unwrap();
    let bars = read.take_rest().into_iter().map(|(ticker, bar)| (ticker, bar.bar(Dataset::Stocks, &grid))).collect();
    (bars, read.duplicates_identical, read.duplicates_conflicting, read.symbol_count())
}

/// Rows of a few tickers and minutes, so that many of them meet.
fn colliding_rows() -> impl Strategy<Value = Vec<String>> {
    let one = (0..4_usize, 0..5_u16, 100..103_u32, 0..3_u64).prop_map(|(ticker, minute, cents, trades)| {
        row(
            ["AA", "AApB", "AAAP", "B"][ticker],
            at(15, 55 + minute % 5),
            cents,
            ["1", "1.5"][(cents % 2) as usize],
            trades,
        )
    });
    prop::collection::vec(one, 1..60)
}

fn shuffled() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    colliding_rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle()))
}

proptest! {
    #[test]
    fn no_order_of_rows_changes_what_is_read((one, other) in shuffled()) {
        let read = |rows: &[String]| {
            decode(Dataset::Stocks, DAY, &gzip(csv(HEADER, rows)), &everything(), Grouping::Any).unwrap()
        };
        let ((a, minutes_a), (b, minutes_b)) = (read(&one), read(&other));
        prop_assert_eq!(&minutes_a, &minutes_b);
        prop_assert_eq!(&a.census, &b.census);
        prop_assert_eq!((a.rows, a.duplicates_identical, a.duplicates_conflicting),
                        (b.rows, b.duplicates_identical, b.duplicates_conflicting));
        let mut grouped = other;
        grouped.sort_by(|x, y| x.split(',').next().cmp(&y.split(',').next()));
        let (c, minutes_c) = stocks(&gzip(csv(HEADER, grouped))).unwrap();
        prop_assert_eq!(minutes_c, minutes_a, "reading them together is the same");
        prop_assert_eq!((c.duplicates_identical, c.duplicates_conflicting, c.census),
                        (a.duplicates_identical, a.duplicates_conflicting, a.census));
    }

    /// Duplicates used to be counted against the best row so far, so that the counts depended on the order.
    #[test]
    fn no_order_of_rows_changes_a_day_file((one, other) in shuffled()) {
        prop_assert_eq!(day_file(&one), day_file(&other));
    }
}

#[test]
fn zero_and_minus_zero_of_an_index_are_one_choice_for_any_order() {
    let lines = [format!("I:TICK,-0,0,0,0,{}", at(10, 0)), format!("I:TICK,0,0,0,-0,{}", at(10, 0))];
    let read = |lines: Vec<&String>| {
        let packed = gzip(csv(INDEX_HEADER, lines));
        let (_, minutes) = decode(Dataset::Indices, DAY, &packed, &everything(), Grouping::Any).unwrap();
        let prices = minutes["I:TICK"][0].prices;
        [prices.open, prices.high, prices.low, prices.close].map(f64::to_bits)
    };
    assert_eq!(read(lines.iter().collect()), read(lines.iter().rev().collect()));
}

/// With more busy symbols than are looked at, ties used to be broken by chance.
#[test]
fn the_busiest_symbols_do_not_depend_on_the_order_of_tickers() {
    // 150 symbols with two minutes each: half of them have the last minute.
    let rows_of = |n: u16| {
        let second = if n % 2 == 0 { at(15, 59) } else { at(15, 58) };
        [at(9, 30 + n % 20), second].map(|stamp| row(&format!("T{n:03}"), stamp, 100, "1", 1))
    };
    let census = |order: &mut dyn Iterator<Item = u16>, grouping| {
        let packed = gzip(csv(HEADER, order.flat_map(rows_of)));
        decode(Dataset::Stocks, DAY, &packed, &everything(), grouping).unwrap().0.census
    };
    let first = census(&mut (0..150), Grouping::Together);
    assert_eq!(first.liquid, 100);
    assert_eq!(census(&mut (0..150).rev(), Grouping::Together), first);
    for _ in 0..5 {
        assert_eq!(census(&mut (0..150), Grouping::Any), first);
    }
}
