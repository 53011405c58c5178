//! The client for HTTP, and why there was no answer.

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, redirect};
use url::Url;

use super::words::chain;

/// How the TLS library begins its words about a certificate it refuses.
const CERTIFICATE_WORDS: &str = "invalid peer certificate";

/// The makings of a client for requests with a secret in them: each goes to its own address and no other, once.
pub fn http_client(base: &Url, connect_timeout: Duration) -> ClientBuilder {
    // Of the process: whoever comes second finds the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("barkeep/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(connect_timeout)
        // Each would be a request that nobody counts, may lead to others, and shows them the secret.
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never());
    // A proxy could read the secret.
    if base.scheme() == "http" { client.no_proxy() } else { client }
}

/// A request without an answer; the address is no part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAnswer {
    /// In words.
    pub why: String,
    /// Whether it is the certificate that is not trusted.
    pub is_untrusted: bool,
    /// Whether there was no connection: the request was not sent.
    pub is_unsent: bool,
}

/// Why a request to a host had no answer.
pub fn no_answer(host: &str, error: reqwest::Error) -> NoAnswer {
    let (is_timeout, is_unsent) = (error.is_timeout(), error.is_connect());
    // The library's own words ("error sending request") say nothing; their causes do.
    let error = error.without_url();
    let why = error.source().map_or_else(|| chain(&error), chain);
    match why.find(CERTIFICATE_WORDS) {
        Some(at) => NoAnswer { why: why[at..].to_owned(), is_untrusted: true, is_unsent },
        None if is_timeout => {
            NoAnswer { why: format!("no connection to {host} in time"), is_untrusted: false, is_unsent }
        }
        None => NoAnswer { why: format!("no answer from {host}: {why}"), is_untrusted: false, is_unsent },
    }
}

/// Host and, if it is not the usual one, port.
pub fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or("nowhere");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
