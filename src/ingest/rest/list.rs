//! Lists of anything, page by page.

use std::collections::HashSet;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;
use url::Url;

use super::{RestClient, RestError};

/// So many pages without a row in a row lead nowhere.
pub(super) const MOST_EMPTY_PAGES: u32 = 20;

/// Which pages were asked for, and which one is next.
#[derive(Debug)]
pub(super) struct Trail {
    what: String,
    next: Option<Url>,
    seen: HashSet<String>,
    empty_pages: u32,
}

impl Trail {
    pub(super) fn starting(what: String, first: Url) -> Self {
        let seen = HashSet::from([first.to_string()]);
        Self { what, next: Some(first), seen, empty_pages: 0 }
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// The page to ask for; none when the last one has come.
    pub(super) fn next(&self) -> Option<Url> {
        self.next.clone()
    }

    /// Goes on to another page, unless that leads nowhere.
    pub(super) fn go_on(&mut self, next: Option<Url>, is_empty: bool) -> Result<(), RestError> {
        let endless =
            |what: &str, detail: &str| Err(RestError::Endless { what: what.to_owned(), detail: detail.to_owned() });
        self.empty_pages = if is_empty { self.empty_pages + 1 } else { 0 };
        self.next = None;
        if let Some(url) = next {
            if !self.seen.insert(url.to_string()) {
                return endless(&self.what, "a page names one as the next that has come already");
            }
            if self.empty_pages >= MOST_EMPTY_PAGES {
                return endless(&self.what, &format!("{MOST_EMPTY_PAGES} pages one after the other were empty"));
            }
            self.next = Some(url);
        }
        Ok(())
    }

    /// Ends here: what was last said makes no sense.
    pub(super) fn end(&mut self) {
        self.next = None;
    }
}

/// A list under way.
#[derive(Debug)]
pub struct List<'a, T> {
    client: &'a RestClient,
    trail: Trail,
    rows: PhantomData<fn() -> T>,
}

impl RestClient {
    /// A list of something (splits, holidays). `what` is what errors call it; `path` begins with a slash.
    pub fn list<T: DeserializeOwned>(&self, what: &str, path: &str, query: &[(&str, &str)]) -> List<'_, T> {
        let segments: Vec<_> = path.trim_matches('/').split('/').collect();
        self.list_from(what, self.url(&segments, query))
    }

    /// The same from the address of its first page on.
    pub(super) fn list_from<T: DeserializeOwned>(&self, what: &str, first: Url) -> List<'_, T> {
        List { client: self, trail: Trail::starting(what.to_owned(), first), rows: PhantomData }
    }
}

impl<T: DeserializeOwned> List<'_, T> {
    /// The rows of the next page; none after the last one. After a failure that may pass, the same page is asked for again.
    pub async fn next(&mut self) -> Result<Option<Vec<T>>, RestError> {
        let Some(url) = self.trail.next() else { return Ok(None) };
        let page = self.client.ask::<T>(self.trail.what(), &url).await?;
        let next = page.next_url.as_deref().map(|next| self.client.next_url(self.trail.what(), next)).transpose();
        let rows = page.results.unwrap_or_default();
        let next = next.inspect_err(|_| self.trail.end())?;
        self.trail.go_on(next, rows.is_empty())?;
        Ok(Some(rows))
    }
}
