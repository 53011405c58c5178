use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::ingest::DayReport;
use crate::ingest::queue::fakes::{claimed, open, september};
use crate::model::TimeframeSet;

fn files(step: Option<Step>) -> FilesStep {
    match step {
        Some(Step::Files(step)) => step,
        other => panic!("{other:?}"),
    }
}

fn seen(step: &FilesStep) -> Vec<(i8, i8, String)> {
    let words = |symbols: &BTreeSet<String>| symbols.iter().cloned().collect::<Vec<_>>().join(" ");
    let stretches = step.stretches.iter();
    stretches.map(|s| (s.dates.start().day(), s.dates.end().day(), words(&s.symbols))).collect()
}

#[test]
fn days_are_cut_where_what_is_wanted_of_them_changes() {
    let all = [open(1, "A", september(1..=30)), open(2, "B", september(10..=20)), open(3, "C", september(15..=30))];
    let step = files(next_step(&all));
    assert_eq!(seen(&step), [(10, 14, "A B".into()), (15, 20, "A B C".into())], "B has the least to do");
    let mut all = all.to_vec();
    for open in &mut all {
        open.take(&step.dates, &RunReport::default(), None);
    }
    assert_eq!(next_step(&all), Some(Step::Settle), "for B");
    all.remove(1);
    let step = files(next_step(&all));
    assert_eq!(seen(&step), [(21, 30, "A C".into())]);
}

#[test]
fn a_higher_priority_goes_first_whatever_there_is_to_do() {
    let mut long = open(1, "LONG", date(2016, 10, 1)..=date(2026, 10, 2));
    long.claimed.request.priority = 1;
    let all = [long, open(2, "B", september(29..=30))];
    let step = files(next_step(&all));
    assert_eq!(step.dates, date(2026, 9, 2)..=date(2026, 10, 2), "a month at a time");
    let symbols: Vec<usize> = step.stretches.iter().map(|stretch| stretch.symbols.len()).collect();
    assert_eq!(symbols, [1, 2, 1], "B is taken along");
}

#[test]
fn timeframes_of_all_who_want_a_day_are_made_together() {
    let mut all =
        [open(1, "A", september(1..=2)), open(2, "B", september(1..=2)), open(3, "X:BTCUSD", september(1..=2))];
    all[0].wish.timeframes = "1m".parse().unwrap();
    all[1].wish.timeframes = "day".parse().unwrap();
    let step = files(next_step(&all));
    assert_eq!(step.stretches.len(), 1);
    assert_eq!(step.stretches[0].timeframes, "1m,day".parse::<TimeframeSet>().unwrap());
    assert_eq!(step.dataset, Dataset::Stocks, "markets have files of their own");
}

#[test]
fn what_closes_files_leaves_nothing_to_ask_of_them() {
    let mut open = open(1, "A", september(1..=30));
    let failure = LoadFailure { message: "no keys".to_owned(), may_pass: false, is_unset: false };
    let damaged = DayReport::new(Dataset::Stocks, date(2026, 9, 30), Outcome::Damaged);
    let mut absent = DayReport::new(Dataset::Stocks, date(2026, 9, 29), Outcome::Loaded);
    absent.absent_symbols = vec!["A".to_owned()];
    let report = RunReport { days: vec![absent, damaged], ..RunReport::default() };
    open.take(&september(29..=30), &report, Some(&failure));
    assert!(open.has_had_files());
    assert_eq!(open.gaps.keys().copied().collect::<Vec<_>>(), [date(2026, 9, 30)]);
    assert_eq!(open.absent, BTreeSet::from([date(2026, 9, 29)]));
    assert_eq!(open.files, Some(failure));
}

#[test]
fn the_sessions_of_a_request_are_counted() {
    let claimed = claimed(1, "A");
    assert_eq!(open(1, "A", september(1..=30)).due.len(), 21, "without weekends and Labor Day");
    assert_eq!(claimed.held.id, 1);
}

proptest! {
    /// Every day that somebody wants is asked for exactly once for each who wants it, and in one step for all of them.
    #[test]
    fn every_day_is_asked_for_once_for_all_who_want_it(
        wanted in prop::collection::vec((0..6_usize, 0..400_i64, 0..60_i64, 0..3), 1..12)
    ) {
        let symbols = ["A", "B", "C", "I:SPX", "X:BTCUSD", "D"];
        let base = date(2026, 9, 30);
        let mut all: Vec<Open> = wanted.iter().enumerate().map(|(id, (symbol, back, length, priority))| {
            let end = base.saturating_sub(back.days());
            let mut open = open(id as i64, symbols[*symbol], end.saturating_sub(length.days())..=end);
            open.claimed.request.priority = *priority;
            open
        }).collect();
        let mut naive: BTreeSet<(Dataset, Date, String)> = BTreeSet::new();
        for open in &all {
            naive.extend(dates(&open.wish.dates).map(|date| (open.dataset(), date, open.wish.symbol.to_string())));
        }
        let mut asked_days = BTreeSet::new();
        let mut asked = BTreeSet::new();
        for _ in 0..200 {
            match next_step(&all) {
                None => break,
                Some(Step::Settle) => all.retain(|open| !open.has_had_files()),
                Some(Step::Files(step)) => {
                    for stretch in &step.stretches {
                        for date in dates(&stretch.dates) {
                            prop_assert!(asked_days.insert((step.dataset, date)), "{date} twice");
                            asked.extend(stretch.symbols.iter().map(|symbol| (step.dataset, date, symbol.clone())));
                        }
                    }
                    all.iter_mut().filter(|open| open.dataset() == step.dataset)
                        .for_each(|open| open.take(&step.dates, &RunReport::default(), None));
                }
            }
        }
        prop_assert!(all.is_empty());
        prop_assert_eq!(asked, naive);
    }
}
