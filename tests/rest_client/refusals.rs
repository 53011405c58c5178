//! Answers that are no data, and no answers at all.

use barkeep::ingest::rest::{Entitlement, RestClient, RestError};
use barkeep::net::Retryable;

use super::*;

const WHAT: &str = "minutes of SPY from 2026-10-02T13:30Z to 2026-10-02T14:29Z: ";

/// How a server that always gives this answer is understood, in words, and how often it was asked.
async fn met(reply: Reply) -> (RestError, String, usize) {
    let bench = Bench::new(move |_, _| reply.clone()).await;
    let error = bench.error().await;
    let words = error.to_string().strip_prefix(WHAT).map(str::to_owned);
    let words = words.unwrap_or_else(|| panic!("{error}"));
    (error, words, bench.server.requests().len())
}

fn said(status: u16, body: &str) -> Reply {
    Reply::new(status, body)
}

#[tokio::test]
async fn refusals_that_stay_are_met_once_and_told_apart() {
    let not_authorized = |words: &str| format!(r#"{{"status":"NOT_AUTHORIZED","request_id":"R","message":"{words}"}}"#);
    let entitled = "You are not entitled to this data. Please upgrade your plan at https://polygon.io/pricing";
    let window =
        "Your plan doesn't include this data timeframe. Please upgrade your plan at https://polygon.io/pricing";
    let unknown = format!(r#"{{"status":"ERROR","error":"Unknown API Key {KEY}"}}"#);
    for status in [200, 401, 403] {
        let (error, words, asked) = met(said(status, &unknown)).await;
        assert!(matches!(error, RestError::Key { .. }) && error.is_common_cause(), "{error}");
        assert!(words.starts_with("the vendor does not accept the API key ("), "{words}");
        assert!(
            words.contains("Unknown API Key (API key)); set MASSIVE_API_KEY to the API key of your dashboard"),
            "{words}"
        );
        assert_eq!(asked, 1);
    }
    for (reply, why) in [
        (said(403, &not_authorized(entitled)), Entitlement::Plan),
        (said(200, &not_authorized(entitled)), Entitlement::Plan),
        (said(403, &not_authorized(window)), Entitlement::History),
        (said(403, r#"{"status":"ERROR","error":"Forbidden"}"#), Entitlement::Unknown),
        (said(403, ""), Entitlement::Unknown),
    ] {
        let (error, words, asked) = met(reply).await;
        let RestError::NotEntitled { why: found, .. } = &error else { panic!("{error:?}") };
        assert_eq!((*found, asked, error.is_transient(), error.is_common_cause()), (why, 1, false, false), "{words}");
    }
    for (reply, words) in [
        (
            said(403, &not_authorized(window)),
            "the vendor refuses it (HTTP 403 NOT_AUTHORIZED: Your plan doesn't include this data timeframe. Please upgrade \
             your plan at https://polygon.io/pricing); the subscription's plan does not reach back to these dates; ask for \
             later ones (--from, --days)",
        ),
        (
            said(404, r#"{"status":"NOT_FOUND","message":"Ticker not found."}"#),
            "the vendor does not know it (HTTP 404 NOT_FOUND: Ticker not found.); check how the symbol is written, upper and \
             lower case included",
        ),
        (said(400, r#"{"status":"ERROR","error":"bad"}"#), "the vendor refuses the request (HTTP 400: bad)"),
        (
            said(302, "").with("Location", format!("https://example.com/?apiKey={KEY}")),
            "the vendor refuses the request (HTTP 302: it redirects to https://example.com/?apiKey=(API key), where the key is \
             not sent)",
        ),
    ] {
        let (_, found, asked) = met(reply).await;
        assert_eq!((found.as_str(), asked), (words, 1));
    }
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_told_in_words() {
    let html = "<html><head><title>504 Gateway Time-out</title></head></html>";
    let long = "x\u{1b}[31m".repeat(1000);
    for (reply, words) in [
        (said(500, r#"{"status":"ERROR","error":"oops"}"#), "HTTP 500: oops"),
        (said(504, html), "HTTP 504: an HTML page"),
        (said(413, ""), "HTTP 413"),
        (said(499, "client closed"), "HTTP 499: client closed"),
        (said(408, ""), "HTTP 408"),
        (said(200, html), "the answer is an HTML page where data should be"),
        (said(200, ""), "the answer is empty"),
        (said(200, "so it goes"), "the answer is not JSON (expected value at line 1 column 1)"),
        (
            said(200, r#"{"status":"OK","results":[{"t":1"#),
            "the answer is cut short (EOF while parsing an object at line 1",
        ),
        (said(200, r#"{"status":"ERROR","error":"try later"}"#), "ERROR: try later"),
        (said(200, r#"{"status":"OK"}"#).closed_after(5), "the answer broke off: "),
        (said(200, r#"{"status":"OK"}"#).reset_after(5), "the answer broke off: "),
        (said(200, r#"{"status":"OK"}"#).stalled_after(5), "nothing more came of the answer for 0.3 s"),
        (said(503, &long), "HTTP 503: x [31mx"),
        (said(429, ""), "too many requests for this API key (HTTP 429)"),
        (said(429, html).with("Retry-After", "0"), "too many requests for this API key (HTTP 429: an HTML page)"),
        (
            said(200, r#"{"status":"ERROR","error":"You've exceeded the maximum requests per minute"}"#)
                .with("Retry-After", "0"),
            "too many requests for this API key (ERROR: You've exceeded the maximum requests per minute)",
        ),
    ] {
        let (error, found, asked) = met(reply).await;
        assert!(found.starts_with(words), "{found}");
        assert!(found.contains("(given up after 3 attempts)") && found.len() < 500, "{found}");
        assert!(error.is_transient() && !error.is_common_cause() && asked == 3, "{found}: {asked}");
    }
    let bench = Bench::new(|_, before| if before < 2 { said(502, "") } else { answer([row(0)], None) }).await;
    assert_eq!(bench.pages("SPY").await.unwrap()[0].rows.len(), 1);
    assert_eq!((bench.client.counts().retries, bench.client.counts().requests), (2, 3));
}

#[tokio::test]
async fn a_silent_server_and_none_at_all_are_named() {
    let bench = Bench::new(|_, _| Reply::silent()).await;
    let host = bench.server.endpoint.strip_prefix("http://").unwrap();
    let words = bench.error().await.to_string();
    assert!(words.starts_with(&format!("{WHAT}no answer from {host} in 0.3 s (given up after 3 attempts")), "{words}");

    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (url, words) in [
        (format!("http://127.0.0.1:{port}"), format!("no answer from 127.0.0.1:{port}: ")),
        ("http://no-such-host.invalid".to_owned(), "no answer from no-such-host.invalid: ".to_owned()),
    ] {
        let client = RestClient::new(options(&url), own_quota("5/min").await).unwrap();
        let symbol = Symbol::from_ticker("SPY").unwrap();
        for _ in 0..3 {
            // Nothing was sent, so nothing is spent, however often it is tried.
            let error = client.minutes(&symbol, 0..=0).next().await.unwrap_err();
            assert!(error.to_string().contains(&words) && error.is_transient(), "{error}");
        }
        assert_eq!(client.counts().requests, 9);
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_trusted_ends_the_run() {
    let plain = Server::start(|_, _| Reply::new(200, "")).await;
    let url = plain.endpoint.replace("http://", "https://");
    let client = RestClient::new(options(&url), own_quota("1000/s").await).unwrap();
    let error = client.minutes(&Symbol::from_ticker("SPY").unwrap(), 0..=0).next().await.unwrap_err();
    // One that does not speak TLS at all is not there, as far as this goes.
    assert!(error.to_string().contains("no answer from 127.0.0.1:"), "{error}");
    assert!(plain.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[tokio::test]
async fn without_a_key_or_an_address_nothing_is_asked() {
    let new = |options: RestOptions| async { RestClient::new(options, own_quota("5/min").await).unwrap_err() };
    let error = new(RestOptions { key: None, ..options("http://h") }).await;
    let expected =
        "there is no API key; set MASSIVE_API_KEY to the API key of your dashboard (it is not the S3 key pair)";
    assert_eq!((error.to_string().as_str(), error.is_common_cause()), (expected, true));
    for url in ["", "api.massive.com", "ftp://h", &format!("https://u:{KEY}@h"), &format!("https://h/?apiKey={KEY}")] {
        let error = new(options(url)).await;
        assert!(matches!(error, RestError::BadAddress { .. }) && !error.to_string().contains(KEY), "{error}");
    }
}
