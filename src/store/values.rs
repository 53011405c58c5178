//! Values as tables hold them, and what they mean.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;

use super::{RestState, StoreError, Word};
use crate::model::{Symbol, SymbolError};

/// A count as tables hold it.
pub(super) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A stored count. (None of ours is negative.)
pub(super) fn count(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

/// A stored date.
pub(super) fn date(text: &str) -> Result<Date, StoreError> {
    text.parse().map_err(|_| StoreError::Unknown(format!("`{text}` as a date")))
}

/// A stored time, milliseconds since the Unix epoch.
pub(super) fn instant(milliseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(milliseconds).map_err(|_| StoreError::Unknown(format!("{milliseconds} as a time")))
}

/// A count that another program may have written: the nearest there is.
pub(super) fn number(stored: i64) -> u32 {
    u32::try_from(stored).unwrap_or(if stored < 0 { 0 } else { u32::MAX })
}

/// The same of what may be below nought.
pub(super) fn nearest_i32(stored: i64) -> i32 {
    i32::try_from(stored).unwrap_or(if stored < 0 { i32::MIN } else { i32::MAX })
}

/// An instant that another program may have written, milliseconds since the Unix epoch: the nearest there is.
pub(super) fn nearest_instant(milliseconds: i64) -> Timestamp {
    let beyond = if milliseconds < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(milliseconds).unwrap_or(beyond)
}

/// A lease or a pause in milliseconds, so long that it can be added to any time.
pub(super) fn milliseconds(duration: Duration) -> i64 {
    const LONGEST: i64 = 100 * 365 * 24 * 60 * 60 * 1000;
    i64::try_from(duration.as_millis()).unwrap_or(LONGEST).min(LONGEST)
}

/// A stored word that means nothing.
pub(super) fn unknown(error: impl std::error::Error) -> StoreError {
    StoreError::Unknown(error.to_string())
}

/// An exit code as stored; one that no process can have is somebody else's.
pub(super) fn exit_code(stored: Option<i64>) -> Result<u8, StoreError> {
    let code = stored.and_then(|code| u8::try_from(code).ok());
    code.ok_or_else(|| StoreError::Unknown(format!("{stored:?} as an exit code")))
}

/// Names that are no symbols, and why.
pub(super) fn senseless(names: Vec<String>) -> Vec<(String, SymbolError)> {
    let why = |name: String| Symbol::from_ticker(&name).err().map(|why| (name, why));
    names.into_iter().filter_map(why).collect()
}

/// A stored word, whatever it is.
pub(super) fn word<T>(word: &str, meaning: impl FnOnce(&str) -> Option<T>) -> Word<T> {
    meaning(word).map_or_else(|| Word::Unknown(word.to_owned()), Word::Known)
}

/// A stored word that must mean something; `what` it is, for the message.
pub(super) fn known<T>(word: &str, what: &str, meaning: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
    meaning(word).ok_or_else(|| StoreError::Unknown(format!("`{word}` as a {what}")))
}

/// A row of the table of what the REST API brought, less its dataset: date, symbol, timeframes, whether it is provisional,
/// timeframes with exact VWAPs, bars, when they were fetched, outcome and why, when that was.
pub(super) type RestRow = (String, String, String, bool, String, i64, Option<i64>, String, Option<String>, i64);

/// What such a row says: date, symbol, state.
pub(super) fn rest_state(row: RestRow) -> Result<(Date, String, RestState), StoreError> {
    let (day, symbol, timeframes, is_provisional, exact_vwap, bars, fetched_at, outcome, detail, attempted_at) = row;
    let state = RestState {
        timeframes: timeframes.parse().map_err(unknown)?,
        bars: count(bars),
        is_provisional,
        exact_vwap: exact_vwap.parse().map_err(unknown)?,
        fetched_at: fetched_at.map(instant).transpose()?,
        outcome: outcome.parse().map_err(unknown)?,
        detail,
        attempted_at: instant(attempted_at)?,
    };
    Ok((date(&day)?, symbol, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_the_nearest_there_is() {
        assert_eq!([-1, 7, i64::MAX].map(number), [0, 7, u32::MAX]);
        assert_eq!([i64::MIN, -7, i64::MAX].map(nearest_i32), [i32::MIN, -7, i32::MAX]);
        assert_eq!([i64::MIN, i64::MAX].map(nearest_instant), [Timestamp::MIN, Timestamp::MAX]);
        assert!(milliseconds(Duration::MAX).checked_add(Timestamp::MAX.as_millisecond()).is_some());
    }
}
