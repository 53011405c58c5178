//! Whether what is stored is right: held against the ledger, the calendar and itself, and against the source.
//!
//! [`audit()`] walks through a market's bars and gathers [`Findings`]; [`compare()`] adds what differs from the source;
//! [`repair()`] has days loaded again. What is wrong with a symbol's day is decided in `bars`, what makes a day right again
//! in `remedy`, both without a store.

mod audit;
mod bars;
mod books;
mod compare;
mod finding;
mod findings;
mod fold;
mod liquid;
mod remedy;
mod repair;
mod sample;
mod source;

pub use audit::{Checked, Scope, audit};
pub use bars::SymbolDay;
pub use finding::{Finding, Kind};
pub use findings::{Dirt, Findings};
pub use liquid::{Liquidity, RegularMinutes};
pub use remedy::{Remedy, remedies};
pub use repair::{Repaired, repair};
pub use sample::{Sample, SampleError};
pub use source::{Compared, Means, compare};
