//! From a vendor's object to bars on their way into a store: listing, planning, fetching, decoding, checking.
//!
//! Nothing here knows SQL or a terminal: bars go into the store's traits, progress into [`Reporter`].

pub mod decode;
mod report;
pub mod source;
mod wanted;

pub use report::{
    DayReport, ObjectReport, Outcome, RejectReason, RejectedRow, Rejects, Reporter, RunReport, SilentReporter,
};
pub use wanted::Wanted;
