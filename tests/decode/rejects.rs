//! Rows that are no bars: counted by reason, sampled with their line, and never too many.

use barkeep::ingest::RejectReason;
use barkeep::ingest::decode::{DecodeError, Grouping};
use barkeep::model::Dataset;
use jiff::civil::{Date, date};

use super::common::{HEADER, INDEX_HEADER, csv, gzip, row, stamp};
use super::{DAY, decode, everything, only, stocks};

fn at(hour: u16, minute: u16) -> i64 {
    stamp(Dataset::Stocks, DAY, hour, minute)
}

/// So many good rows of one ticker, all different minutes.
fn good(rows: u16) -> Vec<String> {
    (0..rows).map(|n| row("GOOD", at(9, 0) + i64::from(n) * 60_000_000_000, 100, "1", 1)).collect()
}

/// Why a row among many good ones is rejected, and what the report shows of it.
fn reason_of(dataset: Dataset, header: &str, bad: &str, good: &[String]) -> Option<RejectReason> {
    let rows = good.iter().map(String::as_str).take(50).chain([bad]).chain(good.iter().map(String::as_str).skip(50));
    let (read, _) = decode(dataset, DAY, &gzip(csv(header, rows)), &everything(), Grouping::Any).unwrap();
    let first = read.rejects.first.first()?;
    assert_eq!((first.line, first.text.as_str()), (52, bad), "header, 50 rows, and then this one");
    assert_eq!(read.rejects.total(), 1);
    assert_eq!(read.rows, good.len() as u64 + 1);
    Some(first.reason)
}

#[test]
fn each_reason_is_given_with_its_line() {
    let stamp = at(10, 0);
    let good = good(200);
    for (bad, reason) in [
        (format!("A,1,1,1,1,1,{stamp}"), RejectReason::FieldCount),
        (format!("A,1,1,1,1,1,{stamp},1,1"), RejectReason::FieldCount),
        (format!("\"A,1,1,1,1,1,{stamp},1"), RejectReason::FieldCount),
        (format!(",1,1,1,1,1,{stamp},1"), RejectReason::Ticker),
        (format!("A B,1,1,1,1,1,{stamp},1"), RejectReason::Ticker),
        (format!("*,1,1,1,1,1,{stamp},1"), RejectReason::Ticker),
        (format!("{},1,1,1,1,1,{stamp},1", "A".repeat(65)), RejectReason::Ticker),
        (format!("I:SPX,1,1,1,1,1,{stamp},1"), RejectReason::Ticker),
        (format!("X:BTCUSD,1,1,1,1,1,{stamp},1"), RejectReason::Ticker),
        (format!("F:ESZ6,1,1,1,1,1,{stamp},1"), RejectReason::Ticker),
        (format!("A,1,1,1,1,1,{},1", stamp / 1_000_000_000), RejectReason::StampMagnitude),
        (format!("A,1,1,1,1,1,{},1", stamp / 1_000_000), RejectReason::StampMagnitude),
        (format!("A,1,1,1,1,1,{},1", stamp / 1_000), RejectReason::StampMagnitude),
        ("A,1,1,1,1,1,16799904000000000,1".to_owned(), RejectReason::StampMagnitude),
        ("A,1,1,1,1,1,-68400000000000,1".to_owned(), RejectReason::StampMagnitude),
        ("A,1,1,1,1,1,-6795364578871345152,1".to_owned(), RejectReason::StampMagnitude),
        ("A,1,1,1,1,1,,1".to_owned(), RejectReason::StampMagnitude),
        (format!("A,1,1,1,1,1,{},1", stamp + 1), RejectReason::StampOffMinute),
        (format!("A,1,1,1,1,1,{},1", stamp + 30_000_000_000), RejectReason::StampOffMinute),
        (format!("A,1,1,1,1,1,{},1", stamp + 86_400_000_000_000), RejectReason::StampOtherDate),
        (format!("A,1,1,1,1,1,{},1", stamp - 86_400_000_000_000), RejectReason::StampOtherDate),
        (format!("A,1,nan,1,1,1,{stamp},1"), RejectReason::Number),
        (format!("A,1,1,1,inf,1,{stamp},1"), RejectReason::Number),
        (format!("A,,1,1,1,1,{stamp},1"), RejectReason::Number),
        (format!("A,-1,1,1,1,1,{stamp},1"), RejectReason::Number),
        (format!("A,1,1,1,1,1,{stamp},1.5"), RejectReason::Number),
        (format!("A,1,1,1,1,1,{stamp},-1"), RejectReason::Number),
        (format!("A,1,1,1,1,0,{stamp},1"), RejectReason::PriceNotPositive),
        (format!("A,1,-2,-2,-1,-3,{stamp},1"), RejectReason::PriceNotPositive),
        (format!("A,1,2,2,1,1,{stamp},1"), RejectReason::PriceOrder),
        (format!("A,1,2,2,3,2.5,{stamp},1"), RejectReason::PriceOrder),
    ] {
        assert_eq!(reason_of(Dataset::Stocks, HEADER, &bad, &good), Some(reason), "{bad}");
    }
    let not_utf8 =
        [csv(HEADER, &good).as_bytes(), b"\xff\xfe,1,1,1,1,1,", stamp.to_string().as_bytes(), b",1\n"].concat();
    let (read, _) = stocks(&gzip(not_utf8)).unwrap();
    assert_eq!(read.rejects.counts.get(&RejectReason::Ticker), Some(&1));
}

#[test]
fn indices_may_be_zero_and_stocks_of_that_market_are_foreign() {
    let at = stamp(Dataset::Indices, DAY, 10, 0);
    let good: Vec<String> = (0..200).map(|n| format!("I:SPX,2,2,2,2,{}", at + n * 60_000_000_000)).collect();
    assert_eq!(reason_of(Dataset::Indices, INDEX_HEADER, &format!("I:TICK,0,0,0,-5,{at}"), &good), None);
    let stock = format!("SPX,1,1,1,1,{at}");
    assert_eq!(reason_of(Dataset::Indices, INDEX_HEADER, &stock, &good), Some(RejectReason::Ticker));
}

/// The text of a row with quotes used to be its fields run together.
#[test]
fn a_rejected_row_is_shown_as_it_stands_in_the_file() {
    let bad = format!("\"A\",\"1\",nan,1,1,1,{},1", at(10, 0));
    assert_eq!(reason_of(Dataset::Stocks, HEADER, &bad, &good(200)), Some(RejectReason::Number));
}

#[test]
fn one_percent_of_bad_rows_loads_with_samples_and_more_fails() {
    let bad = |n: u32| (0..n).map(|n| format!("BAD,1,1,1,1,1,{n},1")).collect::<Vec<_>>();
    let rows: Vec<String> = (0..1980).map(|n| row(&format!("T{n}"), at(10, 0), 100, "1", 1)).collect();
    let (read, minutes) = stocks(&gzip(csv(HEADER, rows.iter().chain(&bad(20))))).unwrap();
    assert_eq!((read.rows, read.rejects.total(), minutes.len()), (2000, 20, 1980));
    let lines: Vec<u64> = read.rejects.first.iter().map(|reject| reject.line).collect();
    assert_eq!(lines, (1982..1992).collect::<Vec<_>>(), "the first ten");
    match stocks(&gzip(csv(HEADER, rows.iter().chain(&bad(21))))) {
        Err(DecodeError::TooManyRejects { rejected: 21, rows: 2001, reasons }) => {
            assert!(reasons.contains("21 stamp_magnitude") && reasons.contains("line 1982: BAD,1,1"), "{reasons}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn dates_are_new_yorks_for_stocks_whatever_the_season() {
    for date in [date(2026, 1, 15), date(2026, 7, 15)] {
        let midnight = stamp(Dataset::Stocks, date, 0, 0);
        let minute = 60_000_000_000;
        let day = 1440 * minute;
        let rows: Vec<String> = (1..200)
            .map(|n| midnight + n * minute)
            .chain([midnight - minute, midnight, midnight + day - minute, midnight + day])
            .map(|stamp| row("A", stamp, 100, "1", 1))
            .collect();
        // Two rows of 203 are below one percent.
        let (read, minutes) =
            decode(Dataset::Stocks, date, &gzip(csv(HEADER, rows)), &everything(), Grouping::Together).unwrap();
        assert_eq!(read.rejects.counts.get(&RejectReason::StampOtherDate), Some(&2), "{date}");
        let of_a = &minutes["A"];
        assert_eq!((of_a[0].minute, of_a[of_a.len() - 1].minute), (0, 1439), "{date}");
    }
}

#[test]
fn dates_are_utc_for_crypto() {
    let winter = date(2026, 1, 15);
    let midnight: jiff::Timestamp = "2026-01-15T00:00:00Z".parse().unwrap();
    let midnight = i64::try_from(midnight.as_nanosecond()).unwrap();
    let row_at = |stamp| row("X:BTC-USD", stamp, 100, "1", 1);
    let minutes_of = |date: Date| {
        let rows: Vec<String> = (0..150)
            .map(|n| row_at(midnight + n * 60_000_000_000))
            .chain([row_at(midnight - 60_000_000_000)])
            .collect();
        decode(Dataset::Crypto, date, &gzip(csv(HEADER, rows)), &everything(), Grouping::Together)
    };
    let (read, minutes) = minutes_of(winter).unwrap();
    assert_eq!((read.rejects.total(), minutes["X:BTCUSD"][0].minute), (1, 0));
    assert!(matches!(minutes_of(date(2026, 1, 14)), Err(DecodeError::TooManyRejects { rejected: 150, .. })));
}

/// The census used to skip minutes whose values were bad, but only of wanted symbols.
#[test]
fn the_census_does_not_depend_on_what_is_wanted() {
    let mut rows = good(390);
    rows.push(format!("BAD,1,nan,1,1,1,{},1", at(15, 59)));
    let packed = gzip(csv(HEADER, rows));
    let (all, _) = stocks(&packed).unwrap();
    let (one, _) = decode(Dataset::Stocks, DAY, &packed, &only(&["GOOD"]), Grouping::Together).unwrap();
    assert_eq!((all.rejects.total(), one.rejects.total()), (1, 0), "values of unwanted symbols are not looked at");
    assert_eq!(all.census, one.census);
}
