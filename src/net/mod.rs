//! What every conversation with a vendor needs, whatever its protocol: trying again, and knowing when to stop.

mod retry;
mod retry_after;

pub use retry::{Attempts, GaveUp, Note, Retry, RetryBudget, RetryError, RetryPolicy, Retryable};
pub use retry_after::parse_retry_after;
