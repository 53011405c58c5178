//! Dates as they are typed where bars of the last 90 days are meant unless something else is said.

use clap::Args as ClapArgs;
use jiff::civil::Date;

use crate::cli::dates::parse_date;
use crate::cli::{DateError, DateRule};

/// Between which dates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ClapArgs)]
pub struct PeriodArgs {
    /// This many calendar days, up to and with the last finished session [default: 90].
    #[arg(long, value_name = "N", conflicts_with_all = ["from", "to"])]
    pub days: Option<u32>,
    /// From this date on (inclusive, YYYY-MM-DD).
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    pub from: Option<Date>,
    /// Up to and with this date; with --from only [default: the last finished session].
    #[arg(long, value_name = "DATE", value_parser = parse_date, requires = "from")]
    pub to: Option<Date>,
}

impl PeriodArgs {
    /// What they mean.
    pub fn rule(self) -> Result<DateRule, DateError> {
        DateRule::of(self.days, self.from, self.to)
    }
}
