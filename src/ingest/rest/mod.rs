//! The vendor's REST API: minutes of a symbol, and lists of other things, page by page and within a quota.

mod answer;
mod client;
mod error;
mod key;
mod list;
mod minutes;
mod quota;
mod splits;

pub use answer::Timeliness;
pub use client::{RestClient, RestCounts, RestOptions};
pub use error::{Entitlement, RestError};
pub use key::ApiKey;
pub use list::List;
pub use minutes::{Page, Pages, RawMinute};
pub use quota::{Permit, Quota, SharedText};
pub use splits::SplitList;

pub use crate::net::RateRule;
