use jiff::civil::date;

use super::*;

const THURSDAY: Date = date(2023, 4, 6);
/// Good Friday: no session, though index files of such days exist.
const HOLIDAY: Date = date(2023, 4, 7);
const MONDAY: Date = date(2023, 4, 10);

fn report(days: &[(&str, Date, Outcome)]) -> RestReport {
    let day = |(symbol, date, outcome): &(&str, Date, Outcome)| {
        SymbolDayReport::new(Dataset::Indices, symbol, *date, *outcome, None)
    };
    RestReport { days: days.iter().map(day).collect(), ..RestReport::default() }
}

fn exit(days: &[(&str, Date, Outcome)]) -> Exit {
    rest_exit_code(&report(days), None)
}

#[test]
fn a_holiday_without_a_bar_is_no_gap() {
    use Outcome::{Empty, Loaded};
    let both = |of_holiday: Outcome| {
        ["I:NDX", "I:SPX"].map(|symbol| [(symbol, THURSDAY, Loaded), (symbol, HOLIDAY, of_holiday)]).concat()
    };
    assert_eq!(exit(&both(Empty)), Exit::Done);
    assert_eq!(RestTotals::of(&report(&both(Empty))).silent_days, []);
    assert_eq!(exit(&[("I:SPX", HOLIDAY, Empty)]), Exit::Done, "there is nothing to miss");
    assert_eq!(exit(&[("I:SPX", THURSDAY, Empty), ("I:SPX", HOLIDAY, Empty)]), Exit::Failed, "a symbol that is none");
}

#[test]
fn a_day_without_a_trade_is_a_gap_if_none_of_some_symbols_has_one() {
    use Outcome::{Empty, Loaded, Unchanged};
    let others = [("I:NDX", THURSDAY, Loaded), ("I:SPX", THURSDAY, Unchanged)];
    let with = |days: &[(&'static str, Date, Outcome)]| [&others[..], days].concat();
    let silent = with(&[("I:NDX", MONDAY, Empty), ("I:SPX", MONDAY, Empty)]);
    assert_eq!(RestTotals::of(&report(&silent)).silent_days, [(Dataset::Indices, MONDAY)]);
    assert_eq!(exit(&silent), Exit::Gaps);
    assert_eq!(exit(&with(&[("I:NDX", MONDAY, Empty), ("I:SPX", MONDAY, Loaded)])), Exit::Done);
    assert_eq!(exit(&with(&[("I:SPX", MONDAY, Empty)])), Exit::Done, "one symbol proves nothing");
    let missing = with(&[("I:NONE", THURSDAY, Empty), ("I:NONE", MONDAY, Empty)]);
    assert_eq!(RestTotals::of(&report(&missing)).missing_symbols, [(Dataset::Indices, "I:NONE".to_owned())]);
    assert_eq!(exit(&missing), Exit::Gaps);
}

#[test]
fn exit_codes_tell_what_is_there() {
    use Outcome::{Failed, Loaded, NotDue, NotEntitled, Provisional};
    assert_eq!(exit(&[]), Exit::Done);
    assert_eq!(exit(&[("I:SPX", THURSDAY, Provisional)]), Exit::Done);
    assert_eq!(exit(&[("I:SPX", THURSDAY, NotDue)]), Exit::Done);
    assert_eq!(exit(&[("I:SPX", THURSDAY, NotEntitled)]), Exit::Failed);
    assert_eq!(exit(&[("I:SPX", THURSDAY, Loaded), ("I:SPX", MONDAY, Failed)]), Exit::Gaps);
    let stopped = RestReport { interrupted: true, ..report(&[("I:SPX", THURSDAY, Loaded)]) };
    assert_eq!(rest_exit_code(&stopped, Some(Exit::Terminated)), Exit::Terminated);
    assert_eq!(rest_exit_code(&stopped, None), Exit::Interrupted);
}
