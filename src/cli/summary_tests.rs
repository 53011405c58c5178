use super::testing::{day, run};
use super::*;
use crate::ingest::{ObjectReport, RejectReason, RejectedRow};
use crate::model::Dataset;

fn loaded(date: &str, rows: u64, bars: u64) -> DayReport {
    let minute_file = Some(ObjectReport { rows, ..ObjectReport::default() });
    DayReport { bars, minute_file, ..day(date, Outcome::Loaded) }
}

#[test]
fn the_exit_code_says_what_is_missing() {
    use Outcome::{Damaged, Empty, Failed, Loaded, Missing, NotASession, NotDue, NotEntitled, Suspect, Unchanged};
    for (outcomes, exit) in [
        (&[][..], Exit::Done),
        (&[Loaded, Unchanged, NotDue, NotASession], Exit::Done),
        (&[NotDue], Exit::Done),
        (&[Unchanged], Exit::Done),
        (&[Loaded, Missing], Exit::Gaps),
        (&[Unchanged, NotEntitled], Exit::Gaps),
        (&[Loaded, Damaged], Exit::Gaps),
        (&[Loaded, Empty], Exit::Gaps),
        (&[Loaded, Suspect], Exit::Gaps),
        (&[Loaded, Failed], Exit::Gaps),
        (&[Failed, NotEntitled, Damaged], Exit::Failed),
        (&[NotEntitled, NotDue, NotASession], Exit::Failed),
        (&[Missing], Exit::Failed),
    ] {
        let days = outcomes.iter().map(|outcome| day("2024-07-11", *outcome)).collect();
        assert_eq!(exit_code(&run(days), None), exit, "{outcomes:?}");
    }
}

#[test]
fn an_interrupted_run_says_by_what() {
    let mut cut = run(vec![loaded("2024-07-11", 1, 1), day("2024-07-12", Outcome::Failed)]);
    assert_eq!(exit_code(&cut, Some(Exit::Interrupted)), Exit::Gaps, "the signal came after the last day");
    cut.interrupted = true;
    assert_eq!(exit_code(&cut, Some(Exit::Terminated)), Exit::Terminated);
    assert_eq!(exit_code(&cut, None), Exit::Interrupted);
    assert!(gaps(&cut).ends_with("\nstopped before all days were done: run the same command again to go on\n"));
}

#[test]
fn a_symbol_missing_everywhere_is_a_gap_and_one_missing_somewhere_a_note() {
    let mut days = vec![loaded("2024-07-10", 1, 1), loaded("2024-07-11", 1, 1)];
    days[0].absent_symbols = vec!["IPO".into()];
    assert_eq!(exit_code(&run(days.clone()), None), Exit::Done);
    days[0].absent_symbols.push("SPYY".into());
    days[1].absent_symbols = vec!["SPYY".into()];
    let run = run(days);
    assert_eq!(exit_code(&run, None), Exit::Gaps);
    assert_eq!(
        summary(&run),
        "\
outcome  days
loaded      2

2 rows read, 0 rejected; 2 bars written; 1.9 MB fetched; 4.250s

symbols without trades on some days:
  IPO: 2024-07-10

missing symbols:
  SPYY: not in stocks on any of 2 days
    check the spelling and the case (tickers are case-sensitive: BACpA, BRK.B, I:SPX)
"
    );
}

#[test]
fn the_summary_has_everything_a_person_would_ask() {
    let not_entitled = |date| DayReport { detail: Some("403".into()), ..day(date, Outcome::NotEntitled) };
    let mut rejecting = loaded("2024-07-10", 2_000_000, 1234);
    rejecting.replaced = true;
    rejecting.notes = vec!["no day file".into()];
    let file = rejecting.minute_file.as_mut().unwrap();
    file.duplicates_conflicting = 1;
    file.rejects.counts = [(RejectReason::PriceOrder, 1000), (RejectReason::Number, 2)].into();
    file.rejects.first = vec![RejectedRow { line: 17, reason: RejectReason::Number, text: "A,\x1b[2J,NaN".into() }];
    let days = vec![
        not_entitled("2024-07-03"),
        day("2024-07-04", Outcome::NotASession),
        not_entitled("2024-07-05"),
        DayReport { detail: Some("403, in another way".into()), ..not_entitled("2024-07-08") },
        loaded("2024-07-09", 0, 0),
        rejecting,
        day("2024-07-11", Outcome::Suspect),
    ];
    assert_eq!(
        summary(&run(days)),
        "\
outcome        days
loaded            2
not_a_session     1
not_entitled      3
suspect           1

2,000,000 rows read, 1,002 rejected; 1,234 bars written; 1.9 MB fetched; 4.250s
1 day replaced: the vendor had replaced the file
1 row lost to another row of the same symbol and minute

rejected rows: number 2, price_order 1,000
  2024-07-10 line 17: number: A,\\u{1b}[2J,NaN

notes:
  2024-07-10 stocks: no day file

not loaded:
  2024-07-03 to 2024-07-05 (2 days) stocks not_entitled: 403
    your plan does not include it: ask for later dates or another plan (--force asks again before a day has passed)
  2024-07-08 stocks not_entitled: 403, in another way
    your plan does not include it: ask for later dates or another plan (--force asks again before a day has passed)
  2024-07-11 stocks suspect
    wait for the vendor to replace the file, or load it as it is with --accept=DATE
"
    );
}

#[test]
fn days_between_which_one_was_loaded_are_not_folded() {
    let run =
        run(vec![day("2024-07-09", Outcome::Missing), loaded("2024-07-10", 1, 1), day("2024-07-11", Outcome::Missing)]);
    assert_eq!(
        gaps(&run),
        "
not loaded:
  2024-07-09 stocks missing
    the vendor has no file of it: run the same command again later
  2024-07-11 stocks missing
    the vendor has no file of it: run the same command again later
"
    );
}

#[test]
fn nothing_to_do_is_said() {
    let run = RunReport::default();
    assert_eq!(exit_code(&run, None), Exit::Done);
    assert_eq!(
        summary(&run),
        "no trading day among the dates asked for\n0 rows read, 0 rejected; 0 bars written; 0 B fetched; 0.000s\n"
    );
    assert_eq!(gaps(&run), "");
}

#[test]
fn a_note_of_many_days_is_one_line() {
    let noted = |date| DayReport { notes: vec!["another process loaded it".into()], ..day(date, Outcome::Unchanged) };
    let mut days = vec![noted("2024-07-08"), loaded("2024-07-09", 1, 1), noted("2024-07-10"), noted("2024-07-10")];
    days[3].dataset = Dataset::Crypto;
    let text = summary(&run(days));
    let lines = "  2024-07-08 to 2024-07-10 (2 days) stocks: another process loaded it\n  \
                 2024-07-10 crypto: another process loaded it\n";
    assert!(text.ends_with(lines), "{text}");
}

#[test]
fn notes_are_limited() {
    let mut noisy = loaded("2024-07-10", 1, 1);
    noisy.notes = (0..25).map(|n| format!("note {n}")).collect();
    let text = summary(&run(vec![noisy]));
    assert!(text.ends_with("  2024-07-10 stocks: note 19\n  and 5 more; --json has all of them\n"), "{text}");
}
