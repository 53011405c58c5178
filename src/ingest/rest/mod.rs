//! The vendor's REST API: minutes of a symbol, and lists of other things, page by page and within a quota. Minutes are rolled
//! up like those of files.

mod answer;
mod chain;
mod client;
mod collect;
mod days;
mod error;
mod fetch;
mod key;
mod list;
mod minutes;
mod plan;
mod probe;
mod queue;
mod quota;
mod quota_note;
mod refusals;
mod report;
mod run;
mod splits;
mod verdict;

pub use answer::Timeliness;
pub use chain::{ListedChain, ListedContract, PAGE_CONTRACTS};
pub use client::{RestClient, RestCounts, RestOptions};
pub use collect::{Collected, collect};
pub use error::{Entitlement, RestError};
pub use key::ApiKey;
pub use list::List;
pub use minutes::{Page, Pages, RawMinute};
pub use plan::{Asked, SettledDay, SymbolPlan, Window, is_missing, plan_symbol, windows};
pub use probe::MinutesProbe;
pub use quota::{Permit, Quota, SharedText};
pub use quota_note::{QuotaNote, QuotaUse, quota_use};
pub use refusals::{Refusal, Refusals};
pub use report::{RestReport, SymbolDayReport};
pub use run::{DatasetPlan, RestRunError, Tools, make_plan, run};
pub use splits::SplitList;
pub(super) use verdict::Verdict;

pub use crate::net::RateRule;
