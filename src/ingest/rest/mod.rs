//! Bars from the REST API: minutes of one symbol at a time, under a quota, rolled up like those of files.

mod days;
mod plan;
mod refusals;

pub use days::{DayCutter, DayMinutes};
pub use plan::{Asked, SettledDay, SymbolPlan, Window, plan_symbol};
pub use refusals::{Refusal, Refusals};
