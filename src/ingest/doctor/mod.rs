//! What a subscription can do, found out by asking for small things: few requests, few bytes, nothing kept.

mod api;
mod bucket;
mod reach;

pub use api::{ApiAccess, ApiFacts, ApiMarket, ask_api};
pub use bucket::{BucketFacts, BucketMarket, FileAccess, Speed, ask_bucket, impatient};
pub use reach::{Before, Reach};
