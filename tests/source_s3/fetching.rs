//! One object at a time: refusals, broken connections, parts, and what is left on disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use barkeep::ingest::source::{S3Options, SourceError};
use barkeep::net::{Retry, RetryBudget, RetryPolicy};

use super::server::{Reply, Server, TRICKLE};
use super::{Bench, ETAG, content, gzip, options};

async fn refused(reply: Reply) -> (SourceError, Bench) {
    let bench = Bench::new(Server::start(move |_, _| reply.clone()).await);
    let error = bench.fetch(100).await.unwrap_err();
    assert_eq!(bench.files(), [] as [std::path::PathBuf; 0], "nothing is left behind");
    (error, bench)
}

#[tokio::test]
async fn a_small_object_comes_in_one_signed_conditional_request_and_then_from_the_cache() {
    let body = gzip("ticker,volume\nAAPL,1\n");
    let size = body.len();
    let served = body.clone();
    let bench = Bench::new(Server::start(move |request, _| Reply::asked(request, &served, ETAG)).await);
    assert_eq!(bench.fetch(size).await.unwrap(), body);
    assert_eq!(bench.fetch(size).await.unwrap(), body);
    let requests = bench.server.requests();
    assert_eq!(requests.len(), 1, "the second time it is on disk");
    assert_eq!(requests[0].path, "/flatfiles/us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz");
    assert_eq!(requests[0].header("if-match"), Some("\"0123456789abcdef\""));
    assert!(requests[0].header("authorization").unwrap().contains("/us-east-1/s3/aws4_request"));
    assert_eq!(requests[0].header("x-amz-checksum-mode"), None);
    assert_eq!(requests[0].header("range"), None);
    assert_eq!(*bench.heard.bytes.lock().unwrap(), size as u64);
    assert_eq!(bench.files().len(), 1);
}

#[tokio::test]
async fn refusals_are_final_and_say_what_to_do() {
    let (error, bench) = refused(Reply::error(403, "NOT_AUTHORIZED")).await;
    let SourceError::NotEntitled { code, message, object } = &error else { panic!("{error:?}") };
    assert_eq!((code.as_str(), message.as_str()), ("NOT_AUTHORIZED", "words of NOT_AUTHORIZED"));
    assert_eq!(object, "s3://flatfiles/us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz");
    assert!(!error.is_common_cause());
    assert_eq!(bench.server.requests().len(), 1);

    let (error, bench) = refused(Reply::error(403, "InvalidAccessKeyId")).await;
    assert!(matches!(error, SourceError::Credentials { .. }) && error.is_common_cause(), "{error:?}");
    assert!(error.to_string().contains("MASSIVE_S3_ACCESS_KEY_ID") && !error.to_string().contains("topsecret"));
    assert_eq!(bench.server.requests().len(), 1);

    let (error, _) = refused(Reply::error(403, "RequestTimeTooSkewed")).await;
    assert!(matches!(error, SourceError::ClockSkew { .. }) && error.to_string().contains("clock is off"), "{error}");

    let (error, bench) = refused(Reply::error(404, "NoSuchKey")).await;
    assert!(matches!(error, SourceError::NotFound { .. }), "{error:?}");
    assert_eq!(bench.server.requests().len(), 1);

    let (error, bench) = refused(Reply::error(412, "PreconditionFailed")).await;
    assert!(matches!(error, SourceError::Changed { .. }), "{error:?}");
    assert_eq!(bench.server.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_ignores_if_match_is_noticed() {
    let (error, _) = refused(Reply::object(&content(100), "another")).await;
    assert!(matches!(error, SourceError::Changed { .. }), "{error:?}");
}

#[tokio::test]
async fn passing_trouble_is_tried_again() {
    let body = content(300);
    let served = body.clone();
    let bench = Bench::new(
        Server::start(move |request, n| match n {
            0 | 1 => Reply::error(500, "InternalError"),
            2 => Reply::new(429, ""),
            _ => Reply::asked(request, &served, ETAG),
        })
        .await,
    );
    assert_eq!(bench.fetch(300).await.unwrap(), body);
    assert_eq!(bench.server.requests().len(), 4);
    assert!(bench.heard.notes.lock().unwrap().is_empty(), "short waits are not told");
}

#[tokio::test]
async fn a_vendor_that_asks_to_wait_is_obeyed_and_the_wait_is_told() {
    let body = content(300);
    let served = body.clone();
    let bench = Bench::new(
        Server::start(move |request, n| match n {
            0 => Reply::error(503, "SlowDown").with("Retry-After", "3600"),
            _ => Reply::asked(request, &served, ETAG),
        })
        .await,
    );
    let started = Instant::now();
    assert_eq!(bench.fetch(300).await.unwrap(), body);
    assert!(started.elapsed() >= Duration::from_millis(2500), "cut at the longest wait allowed");
    let notes = bench.heard.notes.lock().unwrap();
    assert!(notes.len() == 1 && notes[0].contains("SlowDown") && notes[0].contains("2026-10-02"), "{notes:?}");
}

#[tokio::test]
async fn the_last_error_tells_the_whole_story() {
    let (error, bench) = refused(Reply::error(503, "SlowDown")).await;
    let text = error.to_string();
    assert!(text.contains("2026-10-02.csv.gz: HTTP 503 SlowDown"), "{text}");
    assert!(text.ends_with("(given up after 4 attempts)"), "the same run gives the same reasons: {text}");
    assert_eq!(bench.server.requests().len(), 4);
}

#[tokio::test]
async fn a_dead_vendor_is_not_hammered() {
    let server = Server::start(|_, _| Reply::error(503, "SlowDown")).await;
    let policy = RetryPolicy { base: Duration::from_millis(1), ..RetryPolicy::default() };
    let retry = Retry::new(policy, Arc::new(RetryBudget::new(3)));
    let options = S3Options { retry, ..options(&server) };
    let bench = Bench::with(server, options);
    for _ in 0..5 {
        bench.fetch(100).await.unwrap_err();
    }
    assert_eq!(bench.server.requests().len(), 5 + 3, "one each, and three retries between all of them");
    let text = bench.fetch(100).await.unwrap_err().to_string();
    assert!(text.contains("the run has spent its retries"), "{text}");
}

#[tokio::test]
async fn a_broken_connection_is_resumed_where_it_broke() {
    for reset in [true, false] {
        let body = content(900);
        let served = body.clone();
        let bench = Bench::new(
            Server::start(move |request, n| {
                let reply = Reply::asked(request, &served, ETAG);
                match n {
                    0 if reset => reply.reset_after(400),
                    0 => reply.closed_after(400),
                    _ => reply,
                }
            })
            .await,
        );
        assert_eq!(bench.fetch(900).await.unwrap(), body);
        assert_eq!(bench.ranges(), [None, Some((400, 899))], "reset: {reset}");
        assert_eq!(bench.server.requests()[1].header("if-match"), Some("\"0123456789abcdef\""));
        assert_eq!(*bench.heard.bytes.lock().unwrap(), 900);
    }
}

#[tokio::test]
async fn a_stalled_connection_is_given_up_and_resumed() {
    let body = content(900);
    let served = body.clone();
    let bench = Bench::new(
        Server::start(move |request, n| {
            let reply = Reply::asked(request, &served, ETAG);
            if n == 0 { reply.stalled_after(10) } else { reply }
        })
        .await,
    );
    assert_eq!(bench.fetch(900).await.unwrap(), body);
    assert_eq!(bench.ranges(), [None, Some((10, 899))]);
}

#[tokio::test]
async fn a_silent_server_is_given_up_and_a_slow_one_is_not() {
    let body = content(900);
    let served = body.clone();
    let server =
        Server::start(
            move |request, n| {
                if n == 0 { Reply::silent() } else { Reply::asked(request, &served, ETAG).in_pieces_of(90) }
            },
        )
        .await;
    let options = S3Options { answer_timeout: 3 * TRICKLE, ..options(&server) };
    let bench = Bench::with(server, options);
    let started = Instant::now();
    assert_eq!(bench.fetch(900).await.unwrap(), body);
    assert!(started.elapsed() > 3 * TRICKLE + 9 * TRICKLE, "the body may take longer than the head");
    assert_eq!(bench.ranges(), [None, None]);
}

#[tokio::test]
async fn a_server_that_breaks_off_every_time_is_given_up_and_what_came_is_removed() {
    let bench =
        Bench::new(Server::start(|request, _| Reply::asked(request, &content(4500), ETAG).closed_after(10)).await);
    let error = bench.fetch(4500).await.unwrap_err();
    assert!(error.to_string().contains("broke off at byte"), "{error}");
    assert!(error.to_string().contains("given up after 4 attempts"), "{error}");
    assert!(bench.files().is_empty());
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_apart_from_silence() {
    let server = Server::start(|_, _| Reply::new(200, "")).await;
    let options = S3Options { endpoint: server.endpoint.replace("http:", "https:"), ..options(&server) };
    let bench = Bench::with(server, options);
    let error = bench.fetch(100).await.unwrap_err();
    let SourceError::Unreachable { detail, .. } = &error else { panic!("{error:?}") };
    assert!(detail.contains("https://127.0.0.1") && detail.contains("tls handshake"), "{detail}");
}

#[tokio::test]
async fn an_object_replaced_between_two_connections_is_never_mixed() {
    let bench = Bench::new(
        Server::start(|_, n| match n {
            0 => Reply::object(&content(900), ETAG).closed_after(400),
            _ => Reply::error(412, "PreconditionFailed"),
        })
        .await,
    );
    let error = bench.fetch(900).await.unwrap_err();
    assert!(matches!(error, SourceError::Changed { .. }), "{error:?}");
    assert!(bench.files().is_empty());
}

#[tokio::test]
async fn a_resume_answered_with_the_whole_object_starts_over() {
    let body = content(900);
    let served = body.clone();
    let bench = Bench::new(
        Server::start(move |_, n| {
            let reply = Reply::object(&served, ETAG);
            if n == 0 { reply.closed_after(400) } else { reply }
        })
        .await,
    );
    assert_eq!(bench.fetch(900).await.unwrap(), body);
    assert_eq!(bench.ranges(), [None, Some((400, 899))]);
}

#[tokio::test]
async fn large_objects_come_in_parts_and_broken_parts_are_resumed() {
    let body = content(4500);
    let served = body.clone();
    let bench = Bench::new(
        Server::start(move |request, _| {
            let reply = Reply::asked(request, &served, ETAG);
            match request.range() {
                Some((1000, _)) => reply.closed_after(1),
                Some((3000, _)) => reply.stalled_after(999),
                _ => reply,
            }
        })
        .await,
    );
    assert_eq!(bench.fetch(4500).await.unwrap(), body);
    let mut ranges: Vec<_> = bench.ranges().into_iter().map(Option::unwrap).collect();
    ranges.sort_unstable();
    assert_eq!(ranges, [(0, 999), (1000, 1999), (1001, 1999), (2000, 2999), (3000, 3999), (3999, 3999), (4000, 4499)]);
    assert!(bench.server.requests().iter().all(|request| request.header("if-match").is_some()));
    assert_eq!(bench.files().len(), 1);
}

#[tokio::test]
async fn a_server_without_ranges_gives_the_whole_object_and_is_remembered() {
    let body = content(4500);
    let served = body.clone();
    let bench = Bench::new(Server::start(move |_, _| Reply::object(&served, ETAG)).await);
    assert_eq!(bench.fetch(4500).await.unwrap(), body);
    assert_eq!(bench.ranges().last(), Some(&None), "asked for as a whole in the end");
    std::fs::remove_file(&bench.files()[0]).unwrap();
    let before = bench.server.requests().len();
    assert_eq!(bench.fetch(4500).await.unwrap(), body);
    assert_eq!(bench.ranges()[before..], [None]);
}

#[tokio::test]
async fn bytes_of_another_range_are_not_written() {
    for told in ["bytes 1-1000/4500", "bytes 0-998/4500", "garbage"] {
        let bench = Bench::new(
            Server::start(move |request, _| Reply::asked(request, &content(4500), ETAG).with("Content-Range", told))
                .await,
        );
        let error = bench.fetch(4500).await.unwrap_err();
        assert!(matches!(error, SourceError::Unexpected { .. }) && error.to_string().contains(told), "{error}");
        assert!(bench.files().is_empty());
    }
}

#[tokio::test]
async fn an_object_of_another_size_than_listed_is_refused() {
    let mismatch = |error: SourceError| match error {
        SourceError::SizeMismatch { expected, got, .. } => (expected, got),
        other => panic!("{other:?}"),
    };
    let (error, _) = refused(Reply::object(&content(101), ETAG)).await;
    assert_eq!(mismatch(error), (100, 101));
    let bench = Bench::new(Server::start(|request, _| Reply::asked(request, &content(5000), ETAG)).await);
    assert_eq!(mismatch(bench.fetch(4500).await.unwrap_err()), (4500, 5000), "the total of a Content-Range");
    assert!(bench.files().is_empty());
}

#[tokio::test]
async fn nobody_there_is_told_with_the_address() {
    let server = Server::start(|_, _| Reply::new(200, "")).await;
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let options = S3Options { endpoint: format!("http://{nobody}"), ..options(&server) };
    let bench = Bench::with(server, options);
    let error = bench.fetch(100).await.unwrap_err();
    assert!(matches!(&error, SourceError::Unreachable { tried: Some(_), .. }), "{error:?}");
    assert!(error.to_string().contains(&nobody.to_string()), "{error}");
}

#[tokio::test]
async fn a_dropped_fetch_leaves_nothing_behind() {
    let server = Server::start(|request, _| Reply::asked(request, &content(4500), ETAG).stalled_after(5)).await;
    let options = S3Options { stall_timeout: Duration::from_secs(30), ..options(&server) };
    let bench = Bench::with(server, options);
    let cut = tokio::time::timeout(Duration::from_millis(300), bench.fetch(4500)).await;
    assert!(cut.is_err() && !bench.server.requests().is_empty());
    assert!(bench.files().is_empty(), "{:?}", bench.files());
}

#[tokio::test]
async fn a_cache_that_cannot_be_written_is_named() {
    let bench = Bench::new(Server::start(|request, _| Reply::asked(request, &content(100), ETAG)).await);
    std::fs::write(bench.cache.path().join("us_stocks_sip"), "a file where a folder must be").unwrap();
    let error = bench.fetch(100).await.unwrap_err();
    assert!(matches!(error, SourceError::Disk { full: false, .. }), "{error:?}");
    assert!(error.to_string().contains("us_stocks_sip"), "{error}");
    assert!(bench.server.requests().is_empty(), "found out before anything is fetched");
}

#[test]
fn futures_can_move_between_threads() {
    fn moves<T: Send>(_: T) {}
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bench = Bench::new(runtime.block_on(Server::start(|_, _| Reply::new(200, ""))));
    moves(bench.source.fetch(&super::file(1), &bench.heard));
    let day = super::DAY..=super::DAY;
    moves(bench.source.list(super::Dataset::Stocks, super::FileKind::Minute, day, &bench.heard));
}
