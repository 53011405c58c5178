//! What a processor tells whoever listens: a terminal, a log, messages to people, metrics.

use std::time::Duration;

use crate::model::Dataset;
use crate::store::{ClaimedRequest, NewRequest, RequestEnd};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Requests were claimed.
    Claimed(Vec<ClaimedRequest>),
    /// Requests have ended, for good or to be tried again.
    Served(BatchReport),
    /// Something a person should know; not said again while it lasts.
    Note(String),
}

/// Requests that ended together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchReport {
    /// The requests.
    pub requests: Vec<ServedRequest>,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedRequest {
    /// Its number.
    pub id: i64,
    /// What it asked for.
    pub request: NewRequest,
    /// The market of its symbol; none if it is no symbol.
    pub dataset: Option<Dataset>,
    /// How its claim ended. (A request that is to be tried again may be dead: that is the store's to decide.)
    pub end: RequestEnd,
    /// Sessions it asks for.
    pub days_total: u32,
    /// Sessions of these that are loaded.
    pub days_done: u32,
    /// From being claimed to its end.
    pub elapsed: Duration,
}
