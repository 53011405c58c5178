//! Bars from the REST API: minutes of one symbol at a time, under a quota, rolled up like those of files.

mod answer;
mod client;
mod collect;
mod days;
mod error;
mod fetch;
mod plan;
mod quota;
mod refusals;
mod report;
mod run;

pub use client::{Page, RestClient};
pub use collect::{Collected, collect};
pub use days::{DayCutter, DayMinutes, MinuteRow, roll_up_day};
pub use error::{RefusedScope, RestError, Verdict};
pub use plan::{Asked, SettledDay, SymbolPlan, Window, is_missing, plan_symbol, windows};
pub use refusals::{Refusal, Refusals};
pub use report::{RestReport, SymbolDayReport};
pub use run::{DatasetPlan, RestRunError, Tools, make_plan, run};
