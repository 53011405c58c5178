//! From a vendor's object to bars on their way into a store: listing, planning, fetching, decoding, checking.
//!
//! Nothing here knows SQL or a terminal: bars go into the store's traits, progress into [`Reporter`].

mod announced;
pub mod chain;
mod check;
mod clock;
mod context;
pub mod decode;
pub mod doctor;
mod feed;
pub mod hybrid;
mod load;
mod loads;
mod minutes;
pub mod nightly;
mod outage;
mod pipeline;
mod plan;
pub mod queue;
mod reload;
mod report;
pub mod rest;
mod share;
pub mod source;
mod splits;
mod wanted;
mod write;

pub use crate::model::Outcome;
pub use announced::{Announced, AnnouncedError, load_announced};
pub use clock::Clock;
pub use loads::{Ended, LoadFailure, Loads, RestWish};
pub use pipeline::{Concurrency, DatasetPlan, RunError, make_plan, make_plans, run};
pub use plan::{Accept, DayJob, DayPlan, ListedDay, Listing, Request, WhenRestCounts, plan, plan_day};
pub use reload::{Reload, Reloads, forget_day};
pub use report::{DayReport, ObjectReport, RejectReason, RejectedRow, Rejects, Reporter, RunReport, SilentReporter};
pub use share::Sharing;
pub use splits::{SplitsError, SplitsReport, SplitsRequest, load_splits};
pub use wanted::Wanted;
