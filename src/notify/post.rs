//! Posting JSON to a server.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response};
use tokio::time::timeout;
use url::Url;

use super::attempt::Attempt;
use crate::net::{chain, host_and_port, http_client, no_answer, parse_retry_after};

/// Most of an answer that is read; the rest of it is words.
const MOST_ANSWER: usize = 4096;

/// One address that takes messages.
pub(super) struct Post {
    client: Client,
    url: Url,
    patience: Duration,
}

/// What a server answered.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    pub(super) body: String,
}

impl Post {
    /// Prepares requests to an address. Each may take as long as `patience`.
    pub(super) fn to(url: Url, patience: Duration) -> Result<Self, String> {
        // Of a connection that was kept, nobody knows whether it broke before a message or after.
        let client = http_client(&url, patience).pool_max_idle_per_host(0).build();
        Ok(Self { client: client.map_err(|error| chain(&error))?, url, patience })
    }

    /// Whom it asks, for people: nothing of the address that may be a secret.
    pub(super) fn host(&self) -> String {
        host_and_port(&self.url)
    }

    /// Posts a body once; without an answer, what that means.
    pub(super) async fn send(&self, headers: HeaderMap, body: String) -> Result<Answer, Attempt> {
        let request = self.client.post(self.url.clone()).headers(headers);
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body);
        match timeout(self.patience, request.send()).await {
            Ok(Ok(response)) => Ok(self.read(response).await),
            Ok(Err(error)) => {
                let no_answer = no_answer(&self.host(), error);
                Err(if no_answer.is_unsent { Attempt::unsent(no_answer.why) } else { Attempt::unknown(no_answer.why) })
            }
            Err(_) => {
                let seconds = self.patience.as_secs_f64();
                Err(Attempt::unknown(format!("no answer from {} in {seconds} s", self.host())))
            }
        }
    }

    /// Reads an answer as far as it comes: its status says enough.
    async fn read(&self, mut response: Response) -> Answer {
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.and_then(|value| parse_retry_after(value, Timestamp::now()));
        let mut body = Vec::new();
        while body.len() < MOST_ANSWER
            && let Ok(Ok(Some(chunk))) = timeout(self.patience, response.chunk()).await
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(MOST_ANSWER);
        Answer { status: response.status().as_u16(), retry_after, body: String::from_utf8_lossy(&body).into_owned() }
    }
}
