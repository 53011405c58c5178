//! What every conversation with a vendor needs, whatever its protocol: trying again, knowing when to stop, and how often one
//! may ask.

mod quota;
mod rate;
mod retry;
mod retry_after;

pub use quota::{Hands, QuotaLog, RENEWAL, Refused, Visit, Visited};
pub use rate::{Rate, RateError, RateRule, Window};
pub use retry::{Attempts, GaveUp, Note, Retry, RetryBudget, RetryError, RetryPolicy, Retryable};
pub use retry_after::{parse_http_date, parse_retry_after};
