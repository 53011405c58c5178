//! Whether what is stored is right: held against the ledger, the calendar and itself, and against the source.

mod audit;
mod bars;
mod finding;
mod findings;
mod fold;
mod liquid;

pub use audit::{Checked, Scope, audit};
pub use bars::SymbolDay;
pub use finding::{Finding, Kind};
pub use findings::{Dirt, Findings};
pub use liquid::{Liquidity, RegularMinutes};
