//! A message as each channel carries it.

use jiff::Timestamp;
use serde::Serialize;

use super::situation::{Decision, Situation};
use super::text::{Words, cut};

/// Longest text that Telegram takes, in units of UTF-16.
const TELEGRAM: usize = 4096;
/// Longest text that Discord takes.
const DISCORD: usize = 2000;

/// The first line of a message to Telegram that may be there already. There is nothing to tell a repetition by.
pub(super) const REPEATED: &str = "(This may be a repetition: nobody knows whether it arrived the first time.)\n";

/// What a webhook receives. The names are a promise to receivers.
#[derive(Serialize)]
struct Payload<'a> {
    /// The same for every sending of this message; the header `Idempotency-Key`, too.
    id: &'a str,
    /// `failure`, `reminder`, `recovery` or `test`.
    event: &'static str,
    /// `nightly`, `watchlist`.
    source: &'a str,
    /// One line.
    subject: &'a str,
    /// Everything, as plain text.
    message: &'a str,
    /// When it was made.
    at: Timestamp,
    /// Since when there is, or was, trouble.
    since: Timestamp,
    /// The machine.
    host: Option<&'a str>,
    /// The message as Slack and what is compatible with it show it.
    text: String,
    /// The message as Discord shows it.
    content: String,
    /// Discord: nobody is called.
    allowed_mentions: Mentions,
}

#[derive(Serialize)]
struct Mentions {
    parse: [&'static str; 0],
}

/// The body of a webhook's request.
pub(super) fn webhook(
    id: &str,
    words: &Words,
    decision: &Decision,
    now: &Situation,
    host: Option<&str>,
    at: Timestamp,
) -> String {
    let payload = Payload {
        id,
        event: decision.event.as_str(),
        source: &now.source,
        subject: &words.subject,
        message: &words.text,
        at,
        since: decision.trouble_since,
        host,
        text: slack(&words.text),
        content: discord(&words.text),
        allowed_mentions: Mentions { parse: [] },
    };
    serde_json::to_string(&payload).expect("Invariant: texts and times are JSON")
}

/// The text of a message to Telegram, which takes it as plain text: nothing in it is markup.
pub(super) fn telegram(words: &Words) -> String {
    cut(&words.text, TELEGRAM - REPEATED.len(), char::len_utf16)
}

/// Nothing is a link, a call (`<!channel>`, in Mattermost `@all`), or an entity.
fn slack(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' => escaped.push_str("@\u{200b}"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Nothing is markup.
fn discord(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '>' | '[' | ']' | '#') {
            escaped.push('\\');
        }
        escaped.push(c);
        if c == '@' {
            escaped.push('\u{200b}');
        }
    }
    cut(&escaped, DISCORD, char::len_utf16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Problem;
    use crate::notify::situation::decide;
    use crate::notify::text;

    fn rendered(headline: &str) -> (Words, serde_json::Value) {
        let problem = Problem { essence: Vec::new(), headline: headline.to_owned(), details: Vec::new() };
        let now = Situation { source: "nightly".to_owned(), problem: Some(problem), summary: String::new() };
        let at = "2026-10-06T15:30:00Z".parse().unwrap();
        let decision = decide(None, &now, at).unwrap();
        let words = text::words(&decision, &now, None, at);
        let body = webhook("barkeep-1", &words, &decision, &now, None, at);
        (words, serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn nothing_that_is_quoted_is_markup_in_a_chat() {
        let (words, payload) = rendered("<!channel> @all & *\"b\"* [x](http://b.example)");
        assert!(payload["message"].as_str().unwrap().contains("<!channel> @all & *\"b\"* [x](http://b.example)"));
        let text = payload["text"].as_str().unwrap();
        assert!(text.contains("&lt;!channel&gt; @\u{200b}all &amp; *\"b\"* [x]"), "{text}");
        let content = payload["content"].as_str().unwrap();
        assert!(content.contains(r"\<!channel\> @"), "{content}");
        assert!(content.contains(r#"& \*"b"\* \[x\](http"#), "{content}");
        assert_eq!(payload["allowed_mentions"], serde_json::json!({ "parse": [] }));
        assert_eq!(telegram(&words), words.text);
    }

    #[test]
    fn each_channel_gets_no_more_than_it_takes() {
        let words = Words { subject: String::new(), text: "😀".repeat(4000) };
        let units = |text: &str| text.encode_utf16().count();
        let text = telegram(&words);
        assert!(text.ends_with("😀… (cut)"));
        assert!((TELEGRAM - 3..=TELEGRAM).contains(&units(&format!("{REPEATED}{text}"))), "{}", units(&text));
        assert!((DISCORD - 1..=DISCORD).contains(&units(&discord(&words.text))));
        assert!(units(&discord(&"*".repeat(5000))) <= DISCORD);
    }
}
