//! The nightly run: what keeps the table filled for years with nobody looking.
//!
//! What is to be done is decided by pure functions over the calendar, the ledger and the records of earlier runs; the run itself
//! sees loading, the store and the time through traits only, so that years of it can be tried in minutes.

mod chores;
mod incidents;
mod judge;
mod lock;
mod past;
mod plan;
mod report;
mod run;
mod scope;

pub use chores::{Chore, Chores};
pub use lock::{Lock, take_lock};
pub use report::{Amounts, Ending, Incident, IncidentKind, MarketReport, NightlyDay, NightlyReport, Step};
pub use run::{Nightly, NightlyOptions, patiently};
pub use scope::{Scope, ScopedMarket, Watched};

/// The command under which runs are remembered; what follows after a space is what it was asked for.
pub const NIGHTLY: &str = "nightly";
