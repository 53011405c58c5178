//! Adjusting against a naive reference: one split after the other, a day at a time.

use barkeep::model::splits::{Adjustment, Factor, Ratio, SplitRecord, SplitSource, SplitStatus};
use barkeep::model::{Market, midnight};
use jiff::ToSpan;
use jiff::civil::{Date, date};
use proptest::prelude::*;

const FIRST: Date = date(2024, 1, 1);
const DAYS: i32 = 40;

fn day(n: i32) -> Date {
    FIRST.saturating_add(n.days())
}

/// Ratios as they occur: whole, fractional, reverse.
fn ratio() -> impl Strategy<Value = Ratio> {
    let whole = (1..50_u32, 1..50_u32).prop_map(|(from, to)| (f64::from(from), f64::from(to)));
    let fractional =
        (1..2000_u32, 1..2000_u32).prop_map(|(from, to)| (f64::from(from) / 100.0, f64::from(to) / 1000.0));
    prop_oneof![whole, fractional].prop_filter_map("1:1", |(from, to)| Ratio::checked(from, to).ok())
}

fn record(n: i32, ratio: Option<Ratio>) -> SplitRecord {
    SplitRecord {
        ticker: "T".to_owned(),
        execution_date: day(n),
        split_from: ratio.map(Ratio::from),
        split_to: ratio.map(Ratio::to),
        kind: None,
        vendor_factor: None,
        source: SplitSource::Vendor,
        status: if ratio.is_some() { SplitStatus::Used } else { SplitStatus::Reused },
        flags: Vec::new(),
        reason: None,
    }
}

/// Some splits of one ticker, at most one a day, and dates on which it changes hands.
fn records() -> impl Strategy<Value = Vec<SplitRecord>> {
    let splits = prop::collection::btree_map(1..DAYS, ratio(), 0..6);
    let reused = prop::collection::btree_set(1..DAYS, 0..3);
    (splits, reused).prop_map(|(splits, reused)| {
        let splits = splits.into_iter().map(|(n, ratio)| record(n, Some(ratio)));
        splits.chain(reused.into_iter().map(|n| record(n, None))).collect()
    })
}

/// Walks from the day after the bar to the date of the adjustment and takes every split it meets, until the ticker changes
/// hands.
fn naive(records: &[SplitRecord], of: i32, as_of: i32) -> (f64, f64) {
    let (mut from, mut to) = (1.0, 1.0);
    for n in of + 1..=as_of {
        let of_day = || records.iter().filter(|record| record.execution_date == day(n));
        if of_day().any(|record| record.status == SplitStatus::Reused) {
            break;
        }
        for ratio in of_day().filter_map(SplitRecord::ratio) {
            from *= ratio.from();
            to *= ratio.to();
        }
    }
    (from, to)
}

proptest! {
    #[test]
    fn factors_are_those_of_walking_the_days(records in records(), of in 0..DAYS, as_of in 0..DAYS) {
        let factor = Adjustment::of(&records, day(as_of)).factor(day(of));
        prop_assert_eq!((factor.from(), factor.to()), naive(&records, of, as_of));
    }

    /// What the view joins is what the function computes, on the day of loading and after: exactly one stretch for a bar that
    /// is adjusted, and none for one that is not.
    #[test]
    fn stretches_say_the_same(records in records(), of in 0..DAYS, loaded in 0..DAYS, later in 0..DAYS) {
        let as_of = loaded + later;
        let now = midnight(Market::NewYork, day(as_of));
        let adjustment = Adjustment::of(&records, day(as_of));
        let found: Vec<Factor> = Adjustment::of(&records, day(loaded))
            .stretches()
            .into_iter()
            .filter(|s| s.from_date <= day(of) && day(of) <= s.to_date)
            .filter(|s| s.effective_from <= now && s.effective_to.is_none_or(|to| now < to))
            .map(|s| s.factor)
            .collect();
        let expected = adjustment.factor(day(of));
        prop_assert_eq!(found, if expected == Factor::NONE { vec![] } else { vec![expected] });
    }

    #[test]
    fn there_and_back_is_within_four_units_in_the_last_place(
        records in records(),
        cents in 1..100_000_000_u32,
        of in 0..DAYS,
    ) {
        let factor = Adjustment::of(&records, day(DAYS)).factor(day(of));
        let value = f64::from(cents) / 10_000.0;
        let back = factor.inverse();
        for there_and_back in [back.price(factor.price(value)), back.volume(factor.volume(value))] {
            let apart = there_and_back.to_bits().abs_diff(value.to_bits());
            prop_assert!(apart <= 4, "{value} became {there_and_back}: {apart} units");
        }
    }

    /// Prices of whole cents and shares that a whole ratio divides come out exact.
    #[test]
    fn whole_numbers_stay_exact(n in 2..50_u32, shares in 1..10_000_000_u32) {
        let forward = Adjustment::of(&[record(5, Ratio::checked(1.0, f64::from(n)).ok())], day(9)).factor(day(0));
        prop_assert_eq!(forward.volume(f64::from(shares)), f64::from(shares) * f64::from(n));
        prop_assert_eq!(forward.inverse().volume(f64::from(shares) * f64::from(n)), f64::from(shares));
    }
}
