//! What the aggregates say: the day files' numbers, page by page.

use barkeep::model::Dataset;
use barkeep::sandbox::FileId;
use serde_json::{Value, json};

use crate::client::{Customer, file_rows, get, heard, minutes, next, rows, told};
use crate::harness::{make, make_with};

/// A ticker of each market: in the files, and in the API.
const TICKERS: [(Dataset, &str, &str); 5] = [
    (Dataset::Stocks, "BACpA", "BACpA"),
    (Dataset::Options, "O:SPY261002C00560000", "O:SPY261002C00560000"),
    (Dataset::Indices, "I:SPX", "I:SPX"),
    (Dataset::Forex, "C:EUR-USD", "C:EURUSD"),
    (Dataset::Crypto, "X:BTC-USD", "X:BTCUSD"),
];

fn stocks(from: &str, to: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), &[Dataset::Stocks], from, to);
    folder
}

#[test]
fn minutes_and_days_are_those_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    make(folder.path(), &Dataset::ALL, "2026-10-01", "2026-10-01");
    let customer = Customer::of(folder.path(), |_| {});
    for (dataset, in_file, ticker) in TICKERS {
        let file: Vec<_> = file_rows(folder.path(), &format!("{dataset}/minute/2026-10-01"), in_file);
        assert!(file.len() > 5, "{ticker} has {} minutes", file.len());
        let page = customer.json(&minutes(ticker, "2026-10-01", "2026-10-01"));
        let heard_minutes: Vec<_> = rows([&page]).iter().map(heard).collect();
        assert_eq!(heard_minutes, file.iter().map(|row| told(row, None)).collect::<Vec<_>>(), "{ticker}");
        assert_eq!((&page["resultsCount"], &page["queryCount"]), (&json!(file.len()), &json!(file.len())));
        assert_eq!(
            (&page["status"], &page["ticker"], &page["adjusted"]),
            (&json!("OK"), &json!(ticker), &json!(false))
        );

        let day = customer.json(&format!("/v2/aggs/ticker/{ticker}/range/1/day/2026-10-01/2026-10-01?adjusted=false"));
        let midnight_ms = match dataset {
            Dataset::Forex | Dataset::Crypto => 1_790_812_800_000,
            Dataset::Stocks | Dataset::Options | Dataset::Indices => 1_790_827_200_000,
        };
        let in_file = file_rows(folder.path(), &format!("{dataset}/day/2026-10-01"), in_file);
        assert_eq!(
            rows([&day]).iter().map(heard).collect::<Vec<_>>(),
            [told(&in_file[0], Some(midnight_ms))],
            "{ticker}"
        );
    }
}

#[test]
fn volume_weighted_prices_are_there_with_volume_and_outside_the_range_for_some() {
    let customer = Customer::with(|_| {});
    let page = customer.json(&minutes("SPY", "2026-09-01", "2026-09-30"));
    let all = rows([&page]);
    let number = |row: &Value, field: &str| row[field].as_f64().unwrap();
    let outside = all.iter().filter(|row| !(number(row, "l")..=number(row, "h")).contains(&number(row, "vw"))).count();
    let share = outside as f64 / all.len() as f64;
    assert!((0.03..0.05).contains(&share), "{outside} of {}", all.len());
    let text = customer.get(&minutes("SPY", "2026-09-01", "2026-09-02")).body;
    assert!(text.contains("e+0"), "some volumes are printed with an exponent");
    let index = customer.json(&minutes("I:SPX", "2026-10-01", "2026-10-01"));
    assert_eq!(rows([&index])[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["c", "h", "l", "o", "t"]);
}

/// Minutes folded by hand.
fn folded(minutes: &[Value], window_ms: i64) -> Vec<(i64, f64, f64, f64, f64, f64, u64)> {
    let mut bars: Vec<(i64, f64, f64, f64, f64, f64, u64)> = Vec::new();
    for row in minutes {
        let number = |field: &str| row[field].as_f64().unwrap();
        let start = row["t"].as_i64().unwrap() / window_ms * window_ms;
        match bars.last_mut().filter(|bar| bar.0 == start) {
            Some(bar) => {
                *bar = (
                    start,
                    bar.1,
                    bar.2.max(number("h")),
                    bar.3.min(number("l")),
                    number("c"),
                    bar.5 + number("v"),
                    bar.6 + row["n"].as_u64().unwrap(),
                );
            }
            None => bars.push((
                start,
                number("o"),
                number("h"),
                number("l"),
                number("c"),
                number("v"),
                row["n"].as_u64().unwrap(),
            )),
        }
    }
    bars
}

#[test]
fn pages_are_parts_of_the_whole_and_limits_count_minutes() {
    let customer = Customer::with(|_| {});
    let path = |multiplier: u32, sort: &str, limit: usize| {
        let range = format!("/v2/aggs/ticker/SPY/range/{multiplier}/minute/2026-10-01/2026-10-02");
        format!("{range}?adjusted=false&sort={sort}&limit={limit}")
    };
    let base = rows([&customer.json(&path(1, "asc", 50_000))]);
    for multiplier in [1, 5, 7, 60] {
        let whole = rows([&customer.json(&path(multiplier, "asc", 50_000))]);
        let bar = |row: &Value| {
            let number = |field: &str| row[field].as_f64().unwrap();
            let n = row["n"].as_u64().unwrap();
            (row["t"].as_i64().unwrap(), number("o"), number("h"), number("l"), number("c"), number("v"), n)
        };
        for (bar, by_hand) in whole.iter().map(bar).zip(folded(&base, i64::from(multiplier) * 60_000)) {
            assert!((bar.5 - by_hand.5).abs() < 1e-6, "{bar:?} {by_hand:?}");
            assert_eq!(bar, (by_hand.0, by_hand.1, by_hand.2, by_hand.3, by_hand.4, bar.5, by_hand.6));
        }
        for (sort, limit) in [("asc", 100), ("desc", 100), ("asc", 997), ("desc", 50_000)] {
            let pages = customer.pages(&path(multiplier, sort, limit));
            let mut joined = rows(&pages);
            if sort == "desc" {
                joined.reverse();
            }
            assert!(joined == whole, "{multiplier} {sort} {limit}: {} rows, not {}", joined.len(), whole.len());
            let counts: Vec<_> = pages.iter().map(|page| page["queryCount"].as_u64().unwrap() as usize).collect();
            assert!(counts.iter().all(|count| *count <= limit), "{counts:?}");
            assert_eq!(counts.iter().sum::<usize>(), base.len());
            assert_eq!(pages.len() > 1, limit < base.len());
        }
    }
    let plain = customer.json("/v2/aggs/ticker/SPY/range/1/minute/2026-09-01/2026-10-02");
    assert_eq!((&plain["queryCount"], &plain["adjusted"]), (&json!(5000), &json!(true)), "what is not said");
}

#[test]
fn the_next_page_is_here_and_needs_the_key_again() {
    let customer = Customer::with(|_| {});
    let origin = customer.vendor.url();
    let first = get(
        &format!(
            "{origin}/v2/aggs/ticker/X%3ABTCUSD/range/1/minute/2026-10-01/2026-10-01?limit=10&apiKey=sandbox-api-key"
        ),
        &[],
    );
    let next = next(&first.unwrap().json()).unwrap();
    assert!(next.starts_with(&format!("{origin}/v2/aggs/ticker/X:BTCUSD/range/1/minute/17908")), "{next}");
    assert!(next.contains("?cursor=") && !next.contains("sandbox-api-key") && !next.contains("limit"), "{next}");
    assert_eq!(get(&next, &[]).unwrap().refusal(), (401, "API Key was not provided".to_owned()));
    assert_eq!(rows([&customer.json(&next)]).len(), 10);
}

#[test]
fn ranges_are_dates_or_instants_and_snap_to_their_bars() {
    let customer = Customer::with(|_| {});
    let stamps = |path: &str| {
        let stamps = rows([&customer.json(path)]).iter().map(|row| row["t"].as_i64().unwrap()).collect::<Vec<_>>();
        (stamps.first().copied().unwrap_or(0), stamps.last().copied().unwrap_or(0))
    };
    // 09:30 and 09:45 New York of October 1st, and instants within their minutes.
    let (from, to) = (1_790_861_400_000, 1_790_862_300_000);
    assert_eq!(stamps(&minutes("SPY", &(from + 17).to_string(), &(to + 59_999).to_string())), (from, to));
    let five = format!("/v2/aggs/ticker/SPY/range/5/minute/{}/{}", from + 61_000, to);
    assert_eq!(stamps(&five), (from, to));
    let (first, last) = stamps(&minutes("X:BTCUSD", "2026-10-01", "2026-10-01"));
    assert!(first >= 1_790_812_800_000 && last < 1_790_899_200_000, "a date of coins is one of UTC: {first} {last}");
    assert_eq!(stamps(&minutes("SPY", "2026-10-03", "2026-10-04")), (0, 0), "a weekend");
    for wrong in
        ["2026-10-05/2026-10-01", "yesterday/2026-10-01", "2026-10-1/2026-10-02", "99999999999999999/2026-10-02"]
    {
        let reply = customer.get(&format!("/v2/aggs/ticker/SPY/range/1/minute/{wrong}"));
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    for query in ["limit=0", "limit=50001", "limit=x", "sort=up", "cursor=zz"] {
        let reply = customer.get(&format!("/v2/aggs/ticker/SPY/range/1/minute/2026-10-01/2026-10-01?{query}"));
        assert_eq!(reply.status, 400, "{reply:?}");
    }
}

#[test]
fn nothing_is_said_as_the_vendor_says_it() {
    let customer = Customer::with(|options| {
        options.rest.missing.insert("2026-10-01".parse().unwrap());
    });
    for (ticker, date) in
        [("NOPE", "2026-10-02"), ("SPY", "2026-10-01"), ("X:BTC-USD", "2026-10-01"), ("spy", "2026-10-02")]
    {
        let page = customer.json(&minutes(ticker, date, date));
        let expected = ["adjusted", "queryCount", "request_id", "resultsCount", "status", "ticker"];
        assert_eq!(page.as_object().unwrap().keys().collect::<Vec<_>>(), expected, "{ticker} {date}");
        assert_eq!(page["resultsCount"], 0);
    }
    assert!(!rows([&customer.json(&minutes("SPY", "2026-10-02", "2026-10-02"))]).is_empty());
}

#[test]
fn what_the_files_lack_is_there_and_what_they_restate_is_restated() {
    let folder = stocks("2026-10-01", "2026-10-02");
    let late: FileId = "2026-10-02".parse().unwrap();
    let customer = Customer::of(folder.path(), |options| {
        options.hidden.insert(late);
    });
    let spy = |date| rows([&customer.json(&minutes("SPY", date, date))]).iter().map(heard).collect::<Vec<_>>();
    assert_eq!(spy("2026-10-02").len(), file_rows(folder.path(), "2026-10-02", "SPY").len(), "the file is late");
    let first = spy("2026-10-01");
    make_with(folder.path(), "2026-10-01", "2026-10-01", |defects| {
        defects.replaced.insert("2026-10-01".parse().unwrap());
        defects.truncated.insert("2026-10-01".parse().unwrap());
    });
    let restated = spy("2026-10-01");
    assert_ne!(restated, first);
    make_with(folder.path(), "2026-10-01", "2026-10-01", |defects| {
        defects.replaced.insert("2026-10-01".parse().unwrap());
    });
    let file: Vec<_> = file_rows(folder.path(), "2026-10-01", "SPY").iter().map(|row| told(row, None)).collect();
    assert_eq!(restated, file, "what was damaged was the file");
}

#[test]
fn today_ends_now() {
    // Monday, 12:00:30 New York.
    let at = |delay_minutes: u64| {
        Customer::with(move |options| {
            options.rest.now = Some("2026-10-05T16:00:30Z".parse().unwrap());
            options.rest.delay = std::time::Duration::from_mins(delay_minutes);
        })
    };
    let (live, delayed) = (at(0), at(15));
    let page = live.json(&minutes("SPY", "2026-10-02", "2026-10-05"));
    let last = rows([&page]).pop().unwrap();
    assert_eq!((&last["t"], &page["status"]), (&json!(1_791_216_000_000_i64), &json!("OK")), "12:00 is still open");
    let later = Customer::with(|options| options.rest.now = Some("2026-10-06T04:00:00Z".parse().unwrap()));
    let whole = rows([&later.json(&minutes("SPY", "1791216000000", "1791216000000"))]).remove(0);
    assert!(last["n"].as_u64() < whole["n"].as_u64() && last["v"].as_f64() < whole["v"].as_f64(), "{last} {whole}");
    assert_eq!((&last["o"], &last["t"]), (&whole["o"], &whole["t"]));

    let page = delayed.json(&minutes("SPY", "2026-10-02", "2026-10-05"));
    let last = rows([&page]).pop().unwrap();
    assert_eq!((&last["t"], &page["status"]), (&json!(1_791_215_100_000_i64), &json!("DELAYED")), "11:45");
    let days =
        |customer: &Customer| rows([&customer.json("/v2/aggs/ticker/SPY/range/1/day/2026-10-02/2026-10-05")]).len();
    assert_eq!((days(&live), days(&later)), (1, 2), "a day is there when it is over");
    let future = live.get(&minutes("SPY", "2026-10-05", "2026-10-06")).refusal();
    assert_eq!(future.0, 403);
    assert!(future.1.starts_with("Your plan doesn't include this data timeframe"), "{future:?}");
    assert_eq!(live.get(&minutes("SPY", "2026-10-05", "1791300000000")).status, 403, "tomorrow in milliseconds");
}
