//! Which requests a listing makes, and what it takes from the answers.

use std::ops::RangeInclusive;

use barkeep::ingest::source::{DayFile, FileKind, SourceError};
use barkeep::model::Dataset;
use jiff::civil::{Date, date};

use super::Bench;
use super::server::{Reply, Server};

fn entry(key: &str, size: u64) -> String {
    format!(
        "<Contents><Key>{key}</Key><LastModified>2026-10-03T01:02:03.000Z</LastModified>\
         <ETag>&quot;tag-{size}&quot;</ETag><Size>{size}</Size><Type>Normal</Type></Contents>"
    )
}

fn page(entries: &[String], next: Option<&str>) -> Reply {
    let more = next.map_or_else(String::new, |next| format!("<NextContinuationToken>{next}</NextContinuationToken>"));
    Reply::new(
        200,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult><Name>flatfiles</Name><Vendor><x/></Vendor>\
             <IsTruncated>{}</IsTruncated>{more}{}</ListBucketResult>",
            next.is_some(),
            entries.concat()
        ),
    )
}

async fn list(bench: &Bench, range: RangeInclusive<Date>) -> Result<Vec<DayFile>, SourceError> {
    bench.source.list(Dataset::Stocks, FileKind::Minute, range, &bench.heard).await
}

const OCTOBER: RangeInclusive<Date> = date(2026, 10, 1)..=date(2026, 10, 31);

#[tokio::test]
async fn each_year_is_one_prefix_and_the_first_starts_late() {
    let server = Server::start(|request, _| {
        let year = request.query["prefix"].trim_end_matches('/').rsplit('/').next().unwrap().to_owned();
        page(&[entry(&format!("us_stocks_sip/minute_aggs_v1/{year}/11/{year}-11-03.csv.gz"), 7)], None)
    })
    .await;
    let bench = Bench::new(server);
    let found = list(&bench, date(2022, 10, 3)..=date(2026, 11, 2)).await.unwrap();
    assert_eq!(
        found.iter().map(|file| file.date.year()).collect::<Vec<_>>(),
        [2022, 2023, 2024, 2025],
        "2026's is one day late; the rest comes in order"
    );
    let mut asked: Vec<_> = bench.server.requests().iter().map(|request| request.query.clone()).collect();
    asked.sort_by_key(|query| query["prefix"].clone());
    assert_eq!(asked.len(), 5);
    assert_eq!(asked[0]["prefix"], "us_stocks_sip/minute_aggs_v1/2022/");
    assert_eq!(asked[0]["start-after"], "us_stocks_sip/minute_aggs_v1/2022/10/2022-10-03");
    assert!(asked[1..].iter().all(|query| !query.contains_key("start-after")), "{asked:?}");
    assert!(bench.server.requests().iter().all(|request| request.path == "/flatfiles/"), "path style");
}

#[tokio::test]
async fn pages_are_followed_and_only_day_files_are_kept() {
    let server = Server::start(|request, _| match request.query.get("continuation-token").map(String::as_str) {
        None => page(
            &[
                entry("us_stocks_sip/minute_aggs_v1/2026/10/", 0),
                entry("us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz", 23),
                entry("us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz.sha256", 64),
            ],
            Some("t/1+="),
        ),
        Some("t/1+=") => page(&[entry("us_stocks_sip/minute_aggs_v1/2026/10/2026-10-05.csv.gz", 24)], Some("t2")),
        Some("t2") => page(&[entry("us_stocks_sip/minute_aggs_v1/2026/11/2026-11-02.csv.gz", 25)], None),
        Some(other) => panic!("token {other}"),
    })
    .await;
    let bench = Bench::new(server);
    let found = list(&bench, OCTOBER).await.unwrap();
    let told: Vec<_> = found.iter().map(|f| (f.date, f.size_bytes, f.etag.as_str())).collect();
    assert_eq!(told, [(date(2026, 10, 2), 23, "tag-23"), (date(2026, 10, 5), 24, "tag-24")]);
    assert_eq!(found[0].last_modified.unwrap().to_string(), "2026-10-03T01:02:03Z");
    assert_eq!(bench.server.requests().len(), 3);
}

#[tokio::test]
async fn a_listing_that_runs_in_circles_is_stopped() {
    let server = Server::start(|_, n| page(&[], Some(if n % 2 == 0 { "a" } else { "b" }))).await;
    let bench = Bench::new(server);
    let error = list(&bench, OCTOBER).await.unwrap_err();
    assert!(matches!(error, SourceError::Unexpected { .. }), "{error:?}");
    assert_eq!(bench.server.requests().len(), 3, "a, b, and a again");
}

#[tokio::test]
async fn a_busy_vendor_is_asked_again_and_a_refusal_is_not() {
    let server = Server::start(|_, n| match n {
        0 => Reply::error(503, "SlowDown"),
        1 => Reply::new(504, "<html>Gateway Time-out</html>"),
        2 => Reply::new(200, "<ListBucketResult><Contents>"),
        _ => page(&[], None),
    })
    .await;
    let bench = Bench::new(server);
    assert_eq!(list(&bench, OCTOBER).await.unwrap(), []);
    assert_eq!(bench.server.requests().len(), 4);

    for (status, code, common) in [
        (403, "InvalidAccessKeyId", true),
        (403, "RequestTimeTooSkewed", true),
        (404, "NoSuchBucket", true),
        (403, "AccessDenied", false),
    ] {
        let bench = Bench::new(Server::start(move |_, _| Reply::error(status, code)).await);
        let error = list(&bench, OCTOBER).await.unwrap_err();
        assert_eq!((error.is_common_cause(), bench.server.requests().len()), (common, 1), "{error}");
    }
}

#[tokio::test]
async fn an_empty_range_asks_nothing() {
    let bench = Bench::new(Server::start(|_, _| page(&[], None)).await);
    assert_eq!(list(&bench, date(2026, 10, 2)..=date(2026, 10, 1)).await.unwrap(), []);
    assert!(bench.server.requests().is_empty());
}
