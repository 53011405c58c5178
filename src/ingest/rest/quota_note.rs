//! What is spent of the quota, as a note beside the store.

use std::error::Error;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use jiff::Timestamp;

use super::SharedText;
use crate::net::{QuotaLog, RateRule};
use crate::store::{Notes, Noting, StoreError};

/// The name of the note.
const NAME: &str = "rest quota";

/// The note that processes which share a database share their quota by.
#[derive(Debug)]
pub struct QuotaNote<N>(pub N);

impl<N: Notes> SharedText for QuotaNote<N> {
    fn change<'a>(
        &'a mut self,
        change: &'a mut (dyn FnMut(Option<&str>) -> String + Send),
    ) -> BoxFuture<'a, Result<(), Box<dyn Error + Send + Sync>>> {
        async { Ok(self.0.change_note(NAME, |text| (Some(change(text)), ())).await?) }.boxed()
    }
}

/// How much of the quota is spent at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaUse {
    /// The rate that counts: `5/min`.
    pub rate: String,
    /// Requests that may be made in a window of it.
    pub requests: u64,
    /// How many of these nobody has used, as far as processes that share the database know; none while nobody may ask, because
    /// the vendor has refused a request.
    pub free: u64,
    /// Since when a lower rate is kept than `auto` begins with.
    pub lowered_at: Option<Timestamp>,
}

/// How much of the quota is spent by everyone who uses a database. Looks only.
pub async fn quota_use(store: &mut impl Noting, rule: RateRule) -> Result<QuotaUse, StoreError> {
    let log = QuotaLog::parse(store.look_at_note(NAME).await?.as_deref());
    let now = Timestamp::now().as_millisecond();
    let rate = log.rate(rule, now);
    let lowered_at = log.learned_at(now).filter(|_| rule == RateRule::Auto);
    Ok(QuotaUse {
        rate: rate.to_string(),
        requests: u64::from(rate.requests()),
        free: log.free(rule, now),
        lowered_at: lowered_at.and_then(|at| Timestamp::from_millisecond(at).ok()),
    })
}
