//! Whose chain is to be asked for.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use crate::model::{Dataset, Outcome, Symbol};
use crate::store::ChainState;

/// Indices whose options are traded most; they are no symbols of a usual watchlist.
const INDICES: [&str; 2] = ["I:SPX", "I:NDX"];

/// How long it is believed without asking again that the plan does not include a chain.
/// Less than a day, so that each night asks anew, and hears that the plan was changed.
const REFUSED_HOURS: i64 = 20;

/// How long it is believed without asking again that an underlying has no options. Options are listed some days after their
/// stock, and a quota of five requests a minute is not for asking each night for what most of a watchlist does not have.
const EMPTY_HOURS: i64 = 7 * 24;

/// Whose chains are kept when none is named: stocks and indices of the watchlist, and SPX and NDX. Which of them have options
/// is found out by asking.
pub fn default_underlyings(watched: &[Symbol]) -> Vec<Symbol> {
    let may_have_options = |symbol: &&Symbol| matches!(symbol.dataset(), Dataset::Stocks | Dataset::Indices);
    let mut underlyings: BTreeSet<_> = watched.iter().filter(may_have_options).cloned().collect();
    underlyings.extend(INDICES.iter().filter_map(|index| Symbol::from_ticker(index).ok()));
    underlyings.into_iter().collect()
}

/// What becomes of an underlying that need not be asked for, and why; `None` for one that is to be asked for. `is_final`:
/// the session is over.
pub fn settled(
    state: Option<&ChainState>,
    session: Date,
    is_final: bool,
    now: Timestamp,
) -> Option<(Outcome, Option<String>)> {
    let state = state?;
    let attempt = state.attempted_at.strftime("%Y-%m-%d %H:%M UTC");
    let is_recent = |hours: i64| state.attempted_at + hours.hours() > now;
    let said = || state.detail.as_deref().unwrap_or("no reason was given");
    match state.outcome {
        Outcome::Loaded if state.session_date == session => Some((Outcome::Unchanged, None)),
        Outcome::Provisional if state.session_date == session && !is_final => {
            let detail = format!("taken {attempt}, and again when the session is over (--force takes it now)");
            Some((Outcome::Unchanged, Some(detail)))
        }
        Outcome::NotEntitled if is_recent(REFUSED_HOURS) => {
            Some((Outcome::NotEntitled, Some(format!("{} (refused {attempt}; --force asks again)", said()))))
        }
        Outcome::Empty if is_recent(EMPTY_HOURS) => {
            Some((Outcome::Empty, Some(format!("{} (asked {attempt}; --force asks again)", said()))))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const SESSION: Date = date(2026, 10, 5);

    fn after(outcome: Outcome, session_date: Date, hours: i64, is_final: bool) -> Option<Outcome> {
        let attempted_at: Timestamp = "2026-10-05T18:00:00Z".parse().unwrap();
        let state = ChainState {
            session_date,
            outcome,
            detail: Some("so".to_owned()),
            contracts: 0,
            attempted_at,
            last_stored: None,
        };
        settled(Some(&state), SESSION, is_final, attempted_at + hours.hours()).map(|(outcome, _)| outcome)
    }

    #[test]
    fn what_is_there_is_not_asked_for_again() {
        let friday = date(2026, 10, 2);
        assert_eq!(settled(None, SESSION, true, Timestamp::now()), None);
        assert_eq!(after(Outcome::Loaded, SESSION, 1, true), Some(Outcome::Unchanged));
        assert_eq!(after(Outcome::Loaded, friday, 1, true), None);
        assert_eq!(after(Outcome::Provisional, SESSION, 1, false), Some(Outcome::Unchanged));
        assert_eq!(after(Outcome::Provisional, SESSION, 7, true), None, "the session is over");
        assert_eq!(after(Outcome::Provisional, friday, 1, false), None);
        assert_eq!(after(Outcome::Failed, SESSION, 1, true), None);
    }

    #[test]
    fn refusals_are_believed_for_a_while() {
        let friday = date(2026, 10, 2);
        assert_eq!(after(Outcome::NotEntitled, friday, 19, true), Some(Outcome::NotEntitled));
        assert_eq!(after(Outcome::NotEntitled, friday, 20, true), None);
        assert_eq!(after(Outcome::Empty, friday, 7 * 24 - 1, true), Some(Outcome::Empty));
        assert_eq!(after(Outcome::Empty, friday, 7 * 24, true), None);
    }

    #[test]
    fn stocks_and_indices_may_have_options() {
        let watched = ["SPY", "X:BTCUSD", "I:SPX", "O:SPY261016C00600000", "C:EURUSD", "I:VIX"];
        let watched = watched.map(|ticker| Symbol::from_ticker(ticker).unwrap());
        let underlyings = default_underlyings(&watched);
        let tickers: BTreeSet<_> = underlyings.iter().map(Symbol::as_str).collect();
        assert_eq!(tickers, BTreeSet::from(["I:NDX", "I:SPX", "I:VIX", "SPY"]));
    }
}
