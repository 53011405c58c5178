//! Pages and the rows in them.

use std::io::Write;

use barkeep::ingest::RejectReason;
use barkeep::ingest::rest::{RestClient, RestError, Timeliness};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn starts(pages: &[Page]) -> Vec<Vec<i64>> {
    let minute = |row: &barkeep::ingest::rest::RawMinute| (row.timestamp_ms - OPEN_MS) / MINUTE_MS;
    pages.iter().map(|page| page.rows.iter().map(minute).collect()).collect()
}

#[tokio::test]
async fn pages_are_followed_to_the_end_with_the_key_in_the_header_and_nowhere_else() {
    let bench = Bench::new(|request, before| match before {
        // The key that somebody put into the address is not sent on.
        0 => answer([row(0), row(1)], Some(page_url(request, &format!("two&apiKey={KEY}&APIKEY=x")))),
        1 => answer([], Some("/v2/next?cursor=three".to_owned())),
        _ => answer([row(2)], None),
    })
    .await;
    assert_eq!(starts(&bench.pages("SPY").await.unwrap()), [vec![0, 1], vec![], vec![2]]);
    let requests = bench.server.requests();
    let asked: Vec<_> = requests.iter().map(|request| (request.path.as_str(), &request.query)).collect();
    let range = format!("{OPEN_MS}/{}", OPEN_MS + 59 * MINUTE_MS);
    assert_eq!(asked[0].0, format!("/v2/aggs/ticker/SPY/range/1/minute/{range}"));
    let query: Vec<_> = asked[0].1.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(query, ["adjusted=false", "limit=50000", "sort=asc"]);
    for (place, cursor) in [(1, "two"), (2, "three")] {
        assert_eq!((asked[place].0, asked[place].1.len(), &*asked[place].1["cursor"]), ("/v2/next", 1, cursor));
    }
    for request in &requests {
        assert_eq!(request.header("authorization"), Some(&*format!("Bearer {KEY}")));
        assert!(request.header("user-agent").unwrap().starts_with("barkeep/"));
    }
    let counts = bench.client.counts();
    assert_eq!((counts.requests, counts.retries, counts.too_many), (3, 0, 0));
    assert!(counts.bytes > 300, "{counts:?}");
}

#[tokio::test]
async fn tickers_are_opaque_and_what_stands_for_the_request_has_no_key() {
    let bench = Bench::new(|_, _| Reply::new(200, r#"{"status":"OK","queryCount":0}"#)).await;
    for (ticker, path) in
        [("BRK.B", "BRK.B"), ("I:SPX", "I:SPX"), ("A/B", "A%2FB"), ("NA", "NA"), ("A?%#", "A%3F%25%23")]
    {
        assert_eq!(starts(&bench.pages(ticker).await.unwrap()), [Vec::<i64>::new()], "{ticker}");
        let symbol = Symbol::from_ticker(ticker).unwrap();
        let pages = bench.client.minutes(&symbol, 0..=MINUTE_MS);
        let expected = format!("/v2/aggs/ticker/{path}/range/1/minute/0/60000?adjusted=false&sort=asc&limit=50000");
        assert_eq!(pages.request(), expected);
        let last = bench.server.requests().pop().unwrap();
        assert!(last.path.starts_with(&format!("/v2/aggs/ticker/{ticker}/range/1/")), "{}", last.path);
    }
}

#[tokio::test]
async fn numbers_are_read_to_the_last_bit_in_whatever_way_they_are_printed() {
    let rows = format!(
        r#"{{"t":{OPEN_MS},"o":4514.870000000001,"h":5e3,"l":1,"c":333.26,"v":1.029145e+06,"vw":246.9297,"n":3.0,"otc":true}},
           {{"t":{:e},"o":1,"h":1,"l":1,"c":1,"v":17798.430378}},
           {{"t":{}.0,"o":1,"h":1,"l":1,"c":1,"v":0,"vw":1,"n":0}}"#,
        (OPEN_MS + MINUTE_MS) as f64,
        OPEN_MS + 2 * MINUTE_MS,
    );
    let bench = Bench::new(move |_, _| Reply::new(200, format!(r#"{{"status":"DELAYED","results":[{rows}]}}"#))).await;
    let pages = bench.pages("SPY").await.unwrap();
    assert_eq!((pages[0].timeliness, pages[0].rows_read, pages[0].rejects.total()), (Timeliness::Delayed, 3, 0));
    let [first, second, third] = pages[0].rows[..] else { panic!("{pages:?}") };
    let prices = first.prices;
    assert_eq!((prices.open, prices.high, prices.low, prices.close), (4514.870000000001, 5000.0, 1.0, 333.26));
    assert_eq!((first.volume, first.vwap, first.trades), (Some(1_029_145.0), Some(246.9297), Some(3)));
    assert_eq!((second.volume, second.vwap, second.trades), (Some(17798.430378), None, None));
    assert_eq!((third.volume, third.vwap, third.trades), (Some(0.0), None, Some(0)));
}

#[tokio::test]
async fn indices_have_no_volume_and_may_be_below_zero() {
    let rows = |ticker: &str| {
        let row = json!({"t": OPEN_MS, "o": -1.5, "h": 0.0, "l": -2.0, "c": -1.0});
        Reply::new(200, json!({"status": "OK", "ticker": ticker, "results": [row]}).to_string())
    };
    let bench = Bench::new(move |request, _| rows(request.path.split('/').nth(4).unwrap())).await;
    let pages = bench.pages("I:TICK").await.unwrap();
    assert_eq!((pages[0].rows[0].volume, pages[0].rows[0].trades, pages[0].rows[0].prices.low), (None, None, -2.0));
    let error = bench.pages("SPY").await.unwrap_err();
    assert!(
        error.to_string().contains("1 of 1 rows are bad (at most 1 % may be): 1 field_count; the first is row 1: t=")
    );
}

#[tokio::test]
async fn rows_that_cannot_be_bars_are_counted_with_their_reason() {
    let with = |name: &str, value: Value| {
        let mut row = row(1);
        row[name] = value;
        row
    };
    let bad = [
        (with("t", json!(OPEN_MS / 1000)), RejectReason::StampMagnitude),
        (with("t", json!(OPEN_MS as f64 + 0.5)), RejectReason::StampMagnitude),
        (with("t", json!(OPEN_MS + 1)), RejectReason::StampOffMinute),
        (with("t", json!(OPEN_MS - MINUTE_MS)), RejectReason::StampOtherDate),
        (with("t", json!(OPEN_MS + 60 * MINUTE_MS)), RejectReason::StampOtherDate),
        (with("o", Value::Null), RejectReason::FieldCount),
        (with("c", json!("11.0")), RejectReason::Number),
        (with("h", json!([11])), RejectReason::Number),
        (with("h", json!(1e16)), RejectReason::Number),
        (with("v", json!(-1)), RejectReason::Number),
        (with("n", json!(1.5)), RejectReason::Number),
        (with("vw", json!({})), RejectReason::Number),
        (with("vw", json!(0)), RejectReason::PriceNotPositive),
        (with("l", json!(10.5)), RejectReason::PriceOrder),
        (with("l", json!(-0.0)), RejectReason::PriceNotPositive),
        (json!({}), RejectReason::FieldCount),
    ];
    for (bad, reason) in bad {
        let text = bad.to_string();
        let bench = Bench::new(move |_, _| answer([row(0), bad.clone(), row(2)], None)).await;
        let page = bench.pages("SPY").await.unwrap().remove(0);
        let counts: Vec<_> = page.rejects.counts.iter().collect();
        assert_eq!((counts, page.rows.len(), page.rows_read), (vec![(&reason, &1)], 2, 3), "{text}");
        assert_eq!((page.rejects.first[0].line, page.rejects.first[0].reason), (2, reason), "{text}");
    }
    let twice = r#"{"status":"OK","results":[{"t":1,"t":1790947800000,"o":1,"h":1,"l":1,"c":1,"v":1}]}"#;
    let bench = Bench::new(move |_, _| Reply::new(200, twice)).await;
    assert!(bench.error().await.to_string().contains("1 number; the first is row 1: t=? o=1"));
}

#[tokio::test]
async fn a_page_of_which_too_much_is_bad_is_damaged() {
    let rows = |bad: i64, good: i64| (0..bad).map(|_| json!({})).chain((0..good).map(|n| row(n % 60)));
    for (bad, good, is_damaged) in [(5, 5, false), (6, 6, true), (6, 594, false), (7, 594, true)] {
        let bench = Bench::new(move |_, _| answer(rows(bad, good), None)).await;
        match bench.pages("SPY").await {
            Ok(pages) => assert_eq!((pages[0].rejects.total(), is_damaged), (bad as u64, false)),
            Err(error) => assert!(is_damaged && matches!(error, RestError::Damaged { .. }), "{bad} {good}: {error}"),
        }
        assert_eq!(bench.server.requests().len(), 1, "what is wrong stays so");
    }
}

#[tokio::test]
async fn an_answer_about_something_else_is_not_taken() {
    for (name, value, words) in [
        (
            "ticker",
            json!(format!("\u{1b}SPY {KEY}")),
            "minutes of SPY from 2026-10-02T13:30Z to 2026-10-02T14:29Z: the answer \
             cannot be used: it is about  SPY (API key)",
        ),
        ("adjusted", json!(true), "its prices are adjusted for splits, although raw ones were asked for"),
        ("results", json!({"a": 1}), "invalid type: map, expected a sequence"),
        ("results", json!([7]), "invalid type: integer `7`, expected a row"),
        ("status", json!([KEY]), "invalid type: sequence, expected a string"),
        ("next_url", json!("http://["), "its next_url is not an address"),
    ] {
        let mut body = json!({"status": "OK", "ticker": "SPY", "adjusted": false, "results": [row(0)]});
        body[name] = value;
        let bench = Bench::new(move |_, _| Reply::new(200, body.to_string())).await;
        let error = bench.error().await;
        assert!(matches!(error, RestError::Damaged { .. }) && error.to_string().contains(words), "{error}");
        assert_eq!(bench.server.requests().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn the_next_page_of_somebody_else_is_not_asked_for() {
    let elsewhere = Server::start(|_, _| answer([row(5)], None)).await;
    let port = elsewhere.endpoint.rsplit(':').next().unwrap().to_owned();
    for (next, other) in [
        (format!("{}/v2/next?cursor=x", elsewhere.endpoint), elsewhere.endpoint.clone()),
        (format!("//127.0.0.1:{port}/v2/next"), elsewhere.endpoint.clone()),
        ("https://api.example.com/v2/next".to_owned(), "https://api.example.com".to_owned()),
        (format!("https://{KEY}.example.com/v2"), "https://(API key).example.com".to_owned()),
        ("file:///etc/passwd".to_owned(), "file://nowhere".to_owned()),
    ] {
        let bench = Bench::new(move |_, _| answer([row(0)], Some(next.clone()))).await;
        let error = bench.error().await;
        let own = &bench.server.endpoint;
        let expected = format!("goes on at {other}, and the key is sent to {own} only; set MASSIVE_API_URL to");
        assert!(matches!(error, RestError::OtherOrigin { .. }) && error.to_string().contains(&expected), "{error}");
    }
    let bench = Bench::new(|request, _| {
        let host = request.header("host").unwrap();
        answer([row(0)], Some(format!("http://u:p@{host}/v2/next")))
    })
    .await;
    assert!(matches!(bench.error().await, RestError::OtherOrigin { .. }), "a password of somebody's");
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn pages_that_lead_nowhere_end() {
    let again =
        Bench::new(|request, before| answer([row(before as i64)], Some(page_url(request, &(before % 3).to_string()))))
            .await;
    assert!(again.error().await.to_string().contains("a page names one as the next that has come already"));
    assert_eq!(again.server.requests().len(), 4);

    let itself = Bench::new(|request, _| {
        let query: Vec<_> =
            ["adjusted", "sort", "limit"].map(|name| format!("{name}={}", request.query[name])).to_vec();
        answer([row(0)], Some(format!("{}?{}", request.path, query.join("&"))))
    })
    .await;
    assert!(matches!(itself.error().await, RestError::Endless { .. }));
    assert_eq!(itself.server.requests().len(), 1);

    let backward =
        Bench::new(|request, before| answer([row(9 - before as i64)], Some(page_url(request, &before.to_string()))))
            .await;
    assert!(backward.error().await.to_string().contains("brought nothing that lies after the pages before"));
    assert_eq!(backward.server.requests().len(), 2);

    let empty = Bench::new(|request, before| answer([], Some(page_url(request, &before.to_string())))).await;
    assert!(empty.error().await.to_string().contains("20 pages one after the other were empty"));
    assert_eq!(empty.server.requests().len(), 20);
}

#[tokio::test]
async fn pages_may_overlap_as_long_as_they_go_on() {
    let bench = Bench::new(|request, before| match before {
        0 => answer([row(0), row(1)], Some(page_url(request, "x"))),
        _ => answer([row(1), row(2)], None),
    })
    .await;
    assert_eq!(starts(&bench.pages("SPY").await.unwrap()), [[0, 1], [1, 2]]);
}

#[tokio::test]
async fn a_full_page_without_a_next_one_is_asked_beyond() {
    let full = |rows: Vec<Value>| {
        let body = json!({"status": "OK", "ticker": "SPY", "queryCount": 50_000, "results": rows});
        Reply::new(200, body.to_string())
    };
    let bench = Bench::new(move |request, _| {
        let from: i64 = request.path.split('/').nth(8).unwrap().parse().unwrap();
        match (from - OPEN_MS) / MINUTE_MS {
            0 => full(vec![row(0), row(1)]),
            2 => full(vec![row(40)]),
            41 => full(vec![row(59)]),
            other => panic!("{other}"),
        }
    })
    .await;
    assert_eq!(starts(&bench.pages("SPY").await.unwrap()), [vec![0, 1], vec![40], vec![59]]);
    let ends: Vec<_> =
        bench.server.requests().iter().map(|one| one.path.rsplit('/').next().unwrap().to_owned()).collect();
    assert!(ends.iter().all(|end| *end == (OPEN_MS + 59 * MINUTE_MS).to_string()), "{ends:?}");
}

fn packed(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn packed_answers_are_unpacked_and_those_that_break_are_asked_for_again() {
    let text = json!({"status": "OK", "ticker": "SPY", "results": [row(0)]}).to_string();
    let whole = packed(&text);
    let length = whole.len() as u64;
    let bench = Bench::new(move |request, before| {
        assert_eq!(request.header("accept-encoding"), Some("gzip"));
        let body = if before == 0 { whole[..whole.len() / 2].to_vec() } else { whole.clone() };
        Reply::new(200, body).with("Content-Encoding", "gzip")
    })
    .await;
    assert_eq!(starts(&bench.pages("SPY").await.unwrap()), [[0]]);
    let counts = bench.client.counts();
    assert_eq!(
        (counts.requests, counts.retries, counts.bytes),
        (2, 1, length + length / 2),
        "as it came over the network"
    );
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_the_end() {
    let bomb = packed(&" ".repeat((64 << 20) + 1));
    let bench = Bench::new(move |_, _| Reply::new(200, bomb.clone()).with("Content-Encoding", "gzip")).await;
    assert!(bench.error().await.to_string().ends_with("the answer cannot be used: it is longer than 64 MiB"));
}

#[tokio::test]
async fn lists_of_anything_are_read_by_the_same_pages() {
    let bench = Bench::new(|request, before| match (request.path.as_str(), before) {
        ("/stocks/v1/splits", 0) => {
            assert_eq!(request.query["ticker.gte"], "A+B&C");
            let body = json!({"status": "OK", "results": [{"id": "a"}], "next_url": page_url(request, "x")});
            Reply::new(200, body.to_string())
        }
        ("/v2/next", 1) => Reply::new(200, r#"{"status":"OK","results":[{"id":"b"}]}"#),
        ("/v1/marketstatus/upcoming", 2) => Reply::new(200, r#"[{"id":"c"}]"#),
        (_, 3) => Reply::new(200, r#"{"status":"OK","results":[{"name":"b"}]}"#),
        other => panic!("{other:?}"),
    })
    .await;
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Row {
        id: String,
    }
    let row = |id: &str| vec![Row { id: id.to_owned() }];
    let mut splits = bench.client.list::<Row>("splits", "/stocks/v1/splits", &[("ticker.gte", "A+B&C")]);
    assert_eq!(splits.next().await.unwrap(), Some(row("a")));
    assert_eq!(splits.next().await.unwrap(), Some(row("b")));
    assert_eq!(splits.next().await.unwrap(), None);
    let mut bare = bench.client.list::<Row>("holidays", "/v1/marketstatus/upcoming", &[]);
    assert_eq!(bare.next().await.unwrap(), Some(row("c")));
    assert_eq!(bare.next().await.unwrap(), None);
    let error = bench.client.list::<Row>("splits", "/x", &[]).next().await.unwrap_err();
    assert!(error.to_string().starts_with("splits: the answer cannot be used: missing field `id`"), "{error}");
}

/// Answers of all kinds, and what is left of them when some bytes are changed, lost or doubled.
fn mangled() -> impl Strategy<Value = Vec<u8>> {
    let whole = [
        json!({"status": "OK", "ticker": "SPY", "adjusted": false, "queryCount": 2, "results": [row(0), row(1)]})
            .to_string(),
        json!({"status": "OK", "results": null, "next_url": "/v2/next?cursor=c"}).to_string(),
        json!({"status": "NOT_AUTHORIZED", "message": "no"}).to_string(),
        "<html><head><title>504".to_owned(),
        "[]".to_owned(),
    ];
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    (proptest::sample::select(whole.to_vec()), proptest::collection::vec(change, 0..6)).prop_map(|(text, changes)| {
        let mut bytes = text.into_bytes();
        for (place, byte, how) in changes {
            let place = place.index(bytes.len().max(1));
            match how {
                0 if place < bytes.len() => bytes[place] = byte,
                1 => bytes.truncate(place),
                2 => bytes.insert(place, byte),
                _ => bytes.extend_from_within(place..),
            }
        }
        bytes
    })
}

#[test]
fn any_bytes_are_an_answer_or_an_error() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let body: Arc<std::sync::Mutex<(u16, Vec<u8>)>> = Arc::default();
    let said = Arc::clone(&body);
    let bench = runtime.block_on(Bench::new(move |_, _| {
        let (status, body) = said.lock().unwrap().clone();
        Reply::new(status, body)
    }));
    let client: &RestClient = &bench.client;
    let symbol = Symbol::from_ticker("SPY").unwrap();
    let statuses = proptest::sample::select(vec![200_u16, 200, 200, 403, 500]);
    let anything = prop_oneof![mangled(), proptest::collection::vec(any::<u8>(), 0..200)];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(150));
    let result = runner.run(&(statuses, anything), |(status, bytes)| {
        *body.lock().unwrap() = (status, bytes);
        let page = runtime.block_on(client.minutes(&symbol, OPEN_MS..=OPEN_MS + 59 * MINUTE_MS).next());
        if let Ok(Some(page)) = page {
            prop_assert!(page.rows.len() as u64 + page.rejects.total() == page.rows_read);
        }
        Ok(())
    });
    result.unwrap();
}
