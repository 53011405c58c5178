//! A webhook: the message as JSON to an address of the user's.

use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;
use std::time::Duration;
use url::Url;

use super::attempt::{Attempt, judged};
use super::post::Post;
use crate::config::{ConfigError, Secret, WebhookSettings};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const SIGNATURE: HeaderName = HeaderName::from_static("x-barkeep-signature");

/// A webhook that can be called.
pub(super) struct Webhook {
    post: Post,
    /// The address in the pieces that an answer might repeat.
    secrets: Vec<String>,
    secret: Option<Secret>,
}

impl Webhook {
    pub(super) fn new(settings: &WebhookSettings, patience: Duration) -> Result<Self, ConfigError> {
        let bad = |problem: String| ConfigError::Value { origin: settings.url.origin.clone(), problem };
        // Not repeated: such addresses are secrets.
        let usual = "is not the address of a webhook: it looks like https://hooks.example/services/…";
        let url = Url::parse(settings.url.value.expose().trim()).map_err(|_| bad(usual.to_owned()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(bad(usual.to_owned()));
        }
        let mut secrets = vec![url.as_str().to_owned(), url.path().to_owned()];
        secrets.extend(url.query().map(str::to_owned));
        secrets.extend(url.password().map(str::to_owned));
        // A short path is no secret, and would be found in every text.
        secrets.retain(|secret| secret.len() >= 8);
        let post = Post::to(url, patience).map_err(bad)?;
        Ok(Self { post, secrets, secret: settings.secret.as_ref().map(|secret| secret.value.clone()) })
    }

    pub(super) fn destination(&self) -> String {
        self.post.host()
    }

    /// Posts a payload. A receiver that has seen its key has the message already.
    pub(super) async fn send(&self, key: &str, payload: &str) -> Attempt {
        let mut headers = HeaderMap::new();
        let header = |text: &str| HeaderValue::from_str(text).expect("Invariant: keys and hashes are visible ASCII");
        headers.insert(IDEMPOTENCY_KEY, header(key));
        if let Some(secret) = &self.secret {
            headers.insert(SIGNATURE, header(&signature(secret.expose().as_bytes(), payload.as_bytes())));
        }
        match self.post.send(headers, payload.to_owned()).await {
            Ok(answer) => {
                let said = self.secrets.iter().fold(answer.body, |said, secret| said.replace(secret, "…"));
                judged(answer.status, answer.retry_after, &said)
            }
            Err(attempt) => attempt,
        }
    }
}

/// What tells a receiver who knows the secret that the body is ours.
fn signature(secret: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("Invariant: any length of key will do");
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second example of RFC 4231.
    #[test]
    fn signatures_are_those_of_the_standard() {
        assert_eq!(
            signature(b"Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
