//! Loading as work that goes on by itself sees it: what is wanted, whichever way, and what came of it.

use std::future::Future;

use super::rest::{Asked, RestReport};
use super::{Request, RunReport};
use crate::model::Symbol;

/// What one way of loading came to.
#[derive(Debug)]
pub struct Ended<R> {
    /// Every day that was asked for, as far as it came.
    pub report: R,
    /// What ended it before its time, or kept it from beginning.
    pub failure: Option<LoadFailure>,
}

/// Why a way of loading is closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LoadFailure {
    /// Why, and what to do; for people.
    pub message: String,
    /// Whether it may be otherwise in a while: a network, a server. Not so keys that are missing or refused.
    pub may_pass: bool,
    /// Whether nobody has set the keys, as one does on purpose who wants to do without this way.
    pub is_unset: bool,
}

/// What is wanted by requests: symbols of one dataset.
#[derive(Debug, Clone)]
pub struct RestWish {
    /// Which days, and what of them.
    pub asked: Asked,
    /// Of whom.
    pub symbols: Vec<Symbol>,
}

/// Brings bars into the store by either way. What is loaded already is not loaded again.
pub trait Loads: Send {
    /// Loads from files, every file once for all requests that follow one another; the requests must not share days of a
    /// dataset. With nothing to ask for, nothing is listed.
    #[expect(clippy::wrong_self_convention, reason = "it says where the bars come from")]
    fn from_files(&mut self, requests: Vec<Request>) -> impl Future<Output = Ended<RunReport>> + Send;

    /// Loads by requests what nothing covers yet.
    fn by_requests(&mut self, wishes: Vec<RestWish>) -> impl Future<Output = Ended<RestReport>> + Send;
}
