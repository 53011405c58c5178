//! The key that every request carries in its header, and nothing else shows.

use std::fmt;

use super::RestError;

/// Key of the REST API. Neither `Debug` nor any message shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// A key, if it can be one.
    pub fn new(text: &str) -> Result<Self, RestError> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let detail = "the API key is empty or has spaces or characters in it that no key has".to_owned();
            return Err(RestError::Key { detail });
        }
        Ok(Self(text.to_owned()))
    }

    /// The text, for the header of a request.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// A text of the vendor's without the key, should it stand there, in capitals or not.
    pub(super) fn scrub(&self, text: &str) -> String {
        // Both keep the places of bytes: only ASCII changes.
        let (lower, key) = (text.to_ascii_lowercase(), self.0.to_ascii_lowercase());
        let mut scrubbed = String::with_capacity(text.len());
        let mut from = 0;
        for (at, _) in lower.match_indices(&key) {
            scrubbed.push_str(&text[from..at]);
            scrubbed.push_str("(API key)");
            from = at + key.len();
        }
        scrubbed.push_str(&text[from..]);
        scrubbed
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_shown_and_taken_out_of_what_others_say() {
        let key = ApiKey::new(" Hunter2\n").unwrap();
        assert_eq!(key.expose(), "Hunter2");
        assert_eq!(format!("{key:?}"), "ApiKey(not shown)");
        assert_eq!(key.scrub("é Hunter2, hunter2é HUNTER"), "é (API key), (API key)é HUNTER");
        for bad in ["", " ", "a b", "a\u{e9}", "a\r\nX: y"] {
            let error = ApiKey::new(bad).unwrap_err();
            assert!(error.is_common_cause() && error.to_string().contains("MASSIVE_API_KEY"), "{error}");
        }
    }
}
