//! What every conversation over the network needs: trying again, knowing when to stop, how often one may ask, a client for HTTP, and
//! the words of others made fit for messages.

mod http;
mod quota;
mod rate;
mod retry;
mod retry_after;
mod words;

pub use http::{NoAnswer, host_and_port, http_client, no_answer};
pub use quota::{Hands, QuotaLog, RENEWAL, Refused, Visit, Visited};
pub use rate::{Rate, RateError, RateRule, Window};
pub use retry::{Attempts, GaveUp, Note, Retry, RetryBudget, RetryError, RetryPolicy, Retryable};
pub use retry_after::{parse_http_date, parse_retry_after};
pub use words::{chain, tidy};
