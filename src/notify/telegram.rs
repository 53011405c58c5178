//! Telegram: a message of a bot to a chat.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::attempt::{Attempt, judged};
use super::post::{Answer, Post};
use super::render::REPEATED;
use crate::config::{ConfigError, Secret, TelegramSettings};

/// A bot that can be asked.
pub(super) struct Telegram {
    post: Post,
    token: Secret,
    chat: String,
}

/// The part of an answer that is read.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
}

impl Telegram {
    pub(super) fn new(settings: &TelegramSettings, patience: Duration) -> Result<Self, ConfigError> {
        let bad =
            |problem: &str| ConfigError::Value { origin: settings.url.origin.clone(), problem: problem.to_owned() };
        let token = &settings.token.value;
        // Anything else would name another path.
        let is_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-');
        if !token.expose().chars().all(is_token) || !token.expose().contains(':') {
            let problem =
                "is not the token of a bot: it looks like 123456789:letters, as @BotFather gives it".to_owned();
            return Err(ConfigError::Value { origin: settings.token.origin.clone(), problem });
        }
        let base = settings.url.value.trim_end_matches('/');
        let url = Url::parse(&format!("{base}/bot{}/sendMessage", token.expose()));
        let url = url.ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.username().is_empty());
        let url = url.ok_or_else(|| bad("is not the address of Telegram's API (usually https://api.telegram.org)"))?;
        let post = Post::to(url, patience).map_err(|why| bad(&why))?;
        Ok(Self { post, token: token.clone(), chat: settings.chat.value.clone() })
    }

    pub(super) fn destination(&self) -> String {
        format!("chat {} by {}", self.chat, self.post.host())
    }

    /// Sends a text; one that may be there already says so.
    pub(super) async fn send(&self, text: &str, may_be_there: bool) -> Attempt {
        let text = if may_be_there { format!("{REPEATED}{text}") } else { text.to_owned() };
        let body = json!({
            "chat_id": self.chat,
            "text": text,
            "link_preview_options": { "is_disabled": true },
        });
        match self.post.send(HeaderMap::new(), body.to_string()).await {
            Ok(answer) => self.meaning(answer),
            Err(attempt) => attempt,
        }
    }

    fn meaning(&self, answer: Answer) -> Attempt {
        let said: Said = serde_json::from_str(&answer.body).unwrap_or_default();
        let words = said.description.replace(self.token.expose(), "…");
        let wait = said.parameters.retry_after.map(Duration::from_secs).or(answer.retry_after);
        judged(answer.status, wait, &words)
    }
}
