use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use jiff::civil::date;

use super::*;

const DAY: Date = date(2026, 10, 1);
const TINY: Market = Market { size: MarketSize::Tiny, seed: 7, splits: false };

fn id(dataset: Dataset, kind: Aggregates, date: Date) -> FileId {
    FileId { dataset, kind, date }
}

fn text(market: Market, id: FileId, content: Content) -> String {
    let file = market.file(id, &content).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&file.bytes[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text.lines().count() as u64, file.rows + 1);
    text
}

fn clean(dataset: Dataset, kind: Aggregates, date: Date) -> String {
    text(TINY, id(dataset, kind, date), Content::default())
}

/// Columns after the ticker, by ticker.
fn rows(text: &str) -> BTreeMap<&str, Vec<Vec<&str>>> {
    let mut rows: BTreeMap<&str, Vec<Vec<&str>>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let mut fields = line.split(',');
        rows.entry(fields.next().unwrap()).or_default().push(fields.collect());
    }
    rows
}

fn number(field: &str) -> f64 {
    field.parse().unwrap()
}

#[test]
fn files_do_not_depend_on_what_was_made_before() {
    for dataset in Dataset::ALL {
        let id = id(dataset, Aggregates::Minute, DAY);
        let first = TINY.file(id, &Content::default()).unwrap();
        let other = std::thread::spawn(move || {
            TINY.file(FileId { date: date(2026, 9, 30), ..id }, &Content::default()).unwrap();
            TINY.file(id, &Content::default()).unwrap()
        });
        assert_eq!(first, other.join().unwrap(), "{dataset}");
        assert_ne!(first.bytes, Market { seed: 8, ..TINY }.file(id, &Content::default()).unwrap().bytes);
    }
}

#[test]
fn rows_are_printed_as_the_vendor_prints_them_at_their_date() {
    let stocks = clean(Dataset::Stocks, Aggregates::Minute, DAY);
    assert!(stocks.starts_with("ticker,volume,open,close,high,low,window_start,transactions\n"));
    let row = &rows(&stocks)["SPY"][0];
    assert!(
        row[..5].iter().all(|field| field.split_once('.').is_some_and(|(_, decimals)| decimals.len() == 6)),
        "{row:?}"
    );
    let before = clean(Dataset::Stocks, Aggregates::Minute, date(2026, 2, 20));
    assert!(rows(&before)["SPY"].iter().all(|row| !row[0].contains('.')), "whole volumes before 2026-02-23");
    let indices = clean(Dataset::Indices, Aggregates::Minute, DAY);
    assert!(indices.starts_with("ticker,open,close,high,low,window_start\n"));
    assert!(rows(&indices).values().flatten().flatten().any(|field| field.len() == 17), "16 digits and a point");
    assert!(rows(&clean(Dataset::Forex, Aggregates::Minute, DAY))["C:EUR-USD"].iter().all(|row| row[0] == row[6]));
    assert!(rows(&clean(Dataset::Crypto, Aggregates::Minute, DAY))["X:BTC-USD"].len() > 1000);
}

#[test]
fn minutes_ascend_within_their_date_and_their_prices_are_bars() {
    for dataset in Dataset::ALL {
        let text = clean(dataset, Aggregates::Minute, DAY);
        let (price, stamp) = if dataset.has_volume() { (1, 5) } else { (0, 4) };
        let midnight = Hours::of(dataset, DAY).midnight_ns;
        assert!(!rows(&text).is_empty());
        for (ticker, minutes) in rows(&text) {
            let stamps: Vec<i64> = minutes.iter().map(|row| row[stamp].parse().unwrap()).collect();
            assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]), "{ticker}");
            assert!(
                stamps.iter().all(|at| at % 60_000_000_000 == 0 && (0..86_400_000_000_000).contains(&(at - midnight)))
            );
            for row in minutes {
                let p: Vec<f64> = row[price..price + 4].iter().map(|field| number(field)).collect();
                assert!(p[2] >= p[0].max(p[1]) && p[3] <= p[0].min(p[1]), "{ticker} {row:?}");
                assert!(!dataset.prices_are_positive() || p[3] > 0.0, "{ticker} {row:?}");
            }
        }
    }
}

#[test]
fn the_day_file_agrees_with_the_minutes() {
    let (minutes, days) =
        (clean(Dataset::Stocks, Aggregates::Minute, DAY), clean(Dataset::Stocks, Aggregates::Day, DAY));
    let (minutes, days) = (rows(&minutes), rows(&days));
    let midnight = Hours::of(Dataset::Stocks, DAY).midnight_ns;
    let minute_of = |row: &[&str]| (row[5].parse::<i64>().unwrap() - midnight) / 60_000_000_000;
    assert!(
        minutes["SPY"].iter().any(|row| minute_of(row) < 570) && minutes["SPY"].iter().any(|row| minute_of(row) > 961)
    );
    for (ticker, minutes) in &minutes {
        let day = &days[ticker][0];
        let regular: Vec<_> = minutes.iter().filter(|row| (570..960).contains(&minute_of(row))).collect();
        let auction = minutes.iter().find(|row| minute_of(row) == 960).unwrap();
        assert_eq!((day[1], day[2]), (regular[0][1], auction[1]), "{ticker}: official open and close");
        assert_ne!(regular.last().unwrap()[2], day[2], "{ticker}: the auction is not the last regular trade");
        let high = regular.iter().map(|row| number(row[3])).fold(number(day[2]), f64::max);
        assert_eq!(number(day[3]), high.max(number(day[1])), "{ticker}");
        let volume: f64 = minutes.iter().map(|row| number(row[0])).sum();
        assert!((volume - 1e-3..volume * 1.01).contains(&number(day[0])), "{ticker}: {volume} {day:?}");
        let transactions: u64 = minutes.iter().map(|row| row[6].parse::<u64>().unwrap()).sum();
        assert_eq!(day[6].parse(), Ok(transactions), "{ticker}");
        assert_eq!(day[5].parse(), Ok(midnight));
    }
}

#[test]
fn a_day_opens_near_the_close_before() {
    let closes = clean(Dataset::Stocks, Aggregates::Day, date(2026, 9, 30));
    let opens = clean(Dataset::Stocks, Aggregates::Day, DAY);
    for (ticker, day) in rows(&opens) {
        let (close, open) = (number(rows(&closes)[ticker][0][2]), number(day[0][1]));
        assert!((open / close - 1.0).abs() < 0.15, "{ticker} closed at {close} and opened at {open}");
    }
}

#[test]
fn some_names_have_a_day_row_without_trades() {
    let market = Market { size: MarketSize::Default, seed: 7, splits: false };
    let days = text(market, id(Dataset::Stocks, Aggregates::Day, DAY), Content::default());
    let minutes = text(market, id(Dataset::Stocks, Aggregates::Minute, DAY), Content::default());
    let traded: BTreeSet<_> = rows(&minutes).into_keys().map(str::to_owned).collect();
    let quiet: Vec<_> = rows(&days).into_iter().filter(|(ticker, _)| !traded.contains(*ticker)).collect();
    assert!(!quiet.is_empty());
    assert!(quiet.iter().all(|(_, day)| day[0][0] == "0.000000" && day[0][6] == "0"));
}

#[test]
fn defect_rows_are_few_and_hide_no_good_row() {
    let id = id(Dataset::Stocks, Aggregates::Minute, DAY);
    let good = text(TINY, id, Content::default());
    let bad = text(TINY, id, Content { defect_rows: true, ..Content::default() });
    let good: BTreeSet<_> = good.lines().collect();
    let lines: Vec<_> = bad.lines().collect();
    assert!(good.iter().all(|line| lines.contains(line)));
    let more = lines.len() - good.len();
    assert!(more >= 4 && more * 100 < lines.len(), "{more} of {}", lines.len());
    assert!(lines.iter().any(|line| line.contains("-6795364578871345152")));
    let mut groups: Vec<_> = lines.iter().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    groups.dedup();
    assert!(groups.len() > groups.iter().collect::<BTreeSet<_>>().len(), "a ticker comes back");
}

#[test]
fn versions_differ_and_cuts_keep_whole_rows() {
    let id = id(Dataset::Stocks, Aggregates::Minute, DAY);
    let (one, two) = (text(TINY, id, Content::default()), text(TINY, id, Content { version: 2, ..Content::default() }));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert!(lines(&two).difference(&lines(&one)).count() > 100, "late trades came in");
    assert!(rows(&two)["SPY"].len() < rows(&one)["SPY"].len(), "some minutes went");
    for (ticker, minutes) in rows(&two) {
        assert_ne!(minutes, rows(&one)[ticker], "{ticker}");
    }
    let half = text(TINY, id, Content { row_share: 0.5, ..Content::default() });
    assert!(one.starts_with(&half));
    assert_eq!(half.lines().count() - 1, (one.lines().count() - 1) / 2);
}

#[test]
fn files_are_named_by_date_or_in_full() {
    let stocks: FileId = "2026-10-01".parse().unwrap();
    assert_eq!(stocks.key(), "us_stocks_sip/minute_aggs_v1/2026/10/2026-10-01.csv.gz");
    let options: FileId = "options/day/2026-10-01".parse().unwrap();
    assert_eq!(FileId::of_key(&options.key()), Some(options));
    assert_eq!(FileId::of_key("us_stocks_sip/minute_aggs_v1/2026/09/2026-10-01.csv.gz"), None);
    for wrong in ["", "2026-13-01", "bonds/day/2026-10-01", "stocks/2026-10-01"] {
        assert!(wrong.parse::<FileId>().is_err(), "{wrong}");
    }
}
