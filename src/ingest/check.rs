//! Whether a decoded day looks whole.
//!
//! A valid gzip file can be cut at a row, and nothing in it says so. What gives it away: symbols that traded by the
//! vendor's day file and have no minute, and busy symbols without the last minute of the session.

use super::decode::{Census, DayFileRows};
use crate::aggregate::DayGrid;
use crate::model::{Dataset, Expectation};

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Why the day is suspect.
    pub(super) suspect: Vec<String>,
    /// What is worth a look and stops nothing.
    pub(super) notes: Vec<String>,
}

impl Verdict {
    /// Why the day is suspect, if it is.
    pub(super) fn why_suspect(&self) -> Option<String> {
        (!self.suspect.is_empty()).then(|| self.suspect.join("; "))
    }
}

/// Transactions from which on a symbol must have a minute bar. (Thin names may trade in odd lots only, which make none.)
const TRADED_TRANSACTIONS: u64 = 500;

/// Largest share of such symbols that may have none.
const LACKING_SHARE: f64 = 0.03;

/// In files without transactions: the largest share of the day file's symbols that may have no minute.
const LACKING_SHARE_OF_ALL: f64 = 0.4;

/// Fewer symbols than this prove nothing.
const FEWEST_SYMBOLS: u64 = 10;

/// Most minutes a note lists.
const MINUTES_LISTED: usize = 5;

/// Holds a minute file against itself and the day file.
pub(super) fn check(dataset: Dataset, grid: &DayGrid, census: &Census, day: Option<&DayFileRows>) -> Verdict {
    let mut verdict = Verdict::default();
    if let Some(day) = day {
        let (transactions, most) =
            if dataset.has_volume() { (TRADED_TRANSACTIONS, LACKING_SHARE) } else { (0, LACKING_SHARE_OF_ALL) };
        let (traded, lacking) = day.lacking(census, transactions);
        #[expect(clippy::cast_precision_loss, reason = "counts of symbols")]
        let share = lacking as f64 / traded.max(1) as f64;
        if traded >= FEWEST_SYMBOLS && share > most {
            verdict.suspect.push(format!(
                "{lacking} of {traded} symbols that traded by the vendor's day file have no minute in the minute file"
            ));
        }
    }
    // Forex has no last minute: it closes on Friday afternoon and opens on Sunday.
    let has_last_minute = dataset != Dataset::Forex && dataset.expectation(grid.date()) == Expectation::Due;
    if has_last_minute && u64::from(census.liquid) >= FEWEST_SYMBOLS {
        let last = grid.regular().1 - 1;
        if census.liquid_with_last_minute * 2 < census.liquid {
            verdict.suspect.push(format!(
                "only {} of the {} busiest symbols have the last regular minute, {}",
                census.liquid_with_last_minute,
                census.liquid,
                clock(dataset, grid, last)
            ));
        } else if !census.holes.is_empty() {
            let listed: Vec<_> =
                census.holes.iter().take(MINUTES_LISTED).map(|minute| clock(dataset, grid, *minute)).collect();
            let more = if census.holes.len() > MINUTES_LISTED { " …" } else { "" };
            verdict.notes.push(format!(
                "{} regular minutes are missing for most of the busiest symbols: {}{more}",
                census.holes.len(),
                listed.join(", ")
            ));
        }
    }
    verdict
}

fn clock(dataset: Dataset, grid: &DayGrid, minute: u16) -> String {
    use crate::model::Market;
    let zone = match dataset.market() {
        Market::NewYork => crate::model::NEW_YORK,
        Market::RoundTheClock => "UTC",
    };
    let instant = jiff::Timestamp::from_millisecond(grid.instant_ms(minute)).ok();
    let local = instant.and_then(|instant| instant.in_tz(zone).ok());
    local.map_or_else(|| format!("minute {minute}"), |local| local.strftime("%H:%M").to_string())
}
