//! What a request says: its path, its parameters, and those its cursor carries.

use std::collections::BTreeMap;

use hyper::Uri;
use url::form_urlencoded;

use crate::sandbox::server::token::{opaque, plain};

/// The parameter that goes on where a page ended.
const CURSOR: &str = "cursor";
/// The parameter that may hold the customer's key.
const API_KEY: &str = "apiKey";
/// What a cursor says of the first page.
const FIRST: &str = "first";

/// A request's path and parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// In plain letters.
    pub path: String,
    /// The cursor's among them, the key not.
    pub parameters: BTreeMap<String, String>,
    /// Path of the first page, if this goes on where a page ended.
    pub first: Option<String>,
    /// The key, if the address has it.
    pub api_key: Option<String>,
}

impl Asked {
    /// Reads an address; `None` if its cursor is none of ours.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let mut parameters = pairs(uri.query().unwrap_or_default());
        let api_key = parameters.remove(API_KEY);
        let cursor = parameters.remove(CURSOR);
        if let Some(cursor) = cursor {
            parameters.extend(pairs(&plain(&cursor)?));
        }
        let first = parameters.remove(FIRST);
        Some(Self { path: percent_decoded(uri.path()), parameters, first, api_key })
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// What tells this page from others.
    pub(super) fn page(&self) -> String {
        if self.parameters.is_empty() {
            return self.path.clone();
        }
        let pairs: Vec<_> = self.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{}?{}", self.path, pairs.join("&"))
    }

    /// Path and query of a page like this one at a path, with other parameters beside its own.
    pub(super) fn link(&self, path: &str, changes: &[(&str, String)]) -> String {
        let mut parameters = self.parameters.clone();
        parameters.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let first = self.first.as_ref().unwrap_or(&self.path);
        parameters.insert(FIRST.to_owned(), first.clone());
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        format!("{path}?{CURSOR}={}", opaque(&text))
    }
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// `%3A` as `:`. What is not so encoded stays; bytes that are no text are replaced.
pub(in crate::sandbox::server) fn percent_decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).filter(|_| *first == b'%').and_then(|pair| std::str::from_utf8(pair).ok());
        if let Some(byte) = code.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            bytes.push(byte);
            rest = &behind[2..];
        } else {
            bytes.push(*first);
            rest = behind;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Asked {
        Asked::of(&text.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_link_leads_back_to_what_it_says() {
        let first = asked("/v2/aggs/ticker/X%3ABTCUSD/range/1/minute/1/2?limit=5&sort=asc&apiKey=secret");
        assert_eq!(first.page(), "/v2/aggs/ticker/X:BTCUSD/range/1/minute/1/2?limit=5&sort=asc");
        assert_eq!((first.api_key.as_deref(), first.first.as_deref()), (Some("secret"), None));
        let link = first.link("/v2/other", &[("offset", "10".to_owned())]);
        assert!(!link.contains("limit") && !link.contains("secret"), "{link}");
        let next = asked(&link);
        assert_eq!(next.page(), "/v2/other?limit=5&offset=10&sort=asc");
        assert_eq!(next.first, Some(first.path));
    }

    #[test]
    fn foreign_cursors_and_odd_escapes_do_no_harm() {
        assert_eq!(Asked::of(&"/v2?cursor=xyz".parse().unwrap()), None);
        for (path, decoded) in [("/a%", "/a%"), ("/a%zz", "/a%zz"), ("/%2", "/%2"), ("/A%2EB", "/A.B")] {
            assert_eq!(percent_decoded(path), decoded);
        }
    }
}
