//! The nightly run: what keeps the table filled for years with nobody looking.
//!
//! What is to be done is decided by pure functions over the calendar, the ledger and the records of earlier runs; the run itself
//! sees loading, the store and the time through traits only, so that years of it can be tried in minutes.

mod judge;
mod lock;
mod past;
mod plan;
mod report;
mod run;
mod scope;

pub use judge::problem_of;
pub use lock::{Lock, take_lock};
pub use report::{Ending, Incident, IncidentKind, MarketReport, NightlyDay, NightlyReport, Problem, Step};
pub use run::{Chore, Chores, Nightly, NightlyOptions};
pub use scope::{Scope, ScopedMarket, Watched};

/// The command under which runs are remembered, and the name of the lock.
pub const NIGHTLY: &str = "nightly";
