use jiff::civil::date;

use super::*;
use crate::model::splits::Adjustment;

const TODAY: Date = date(2026, 11, 20);
const ON: Date = date(2024, 6, 10);

/// A row as the vendor lists it: shares after, shares before.
fn row(ticker: &str, on: Date, to: f64, from: f64) -> ListedSplit {
    let word = if to > from { "forward_split" } else { "reverse_split" };
    ListedSplit {
        ticker: ticker.to_owned(),
        execution_date: on,
        split_from: Some(from),
        split_to: Some(to),
        adjustment_type: Some(word.to_owned()),
        factor: None,
    }
}

fn with_factor(row: ListedSplit, factor: f64) -> ListedSplit {
    ListedSplit { factor: Some(factor), ..row }
}

/// Everything resolved, and the same for the list backwards.
fn resolved(listed: &[ListedSplit], overrides: &[Override], jumps: &[(Date, f64, f64)]) -> Resolution {
    let jumps = jumps
        .iter()
        .map(|(on, close_before, open)| (("A".to_owned(), *on), PriceJump { close_before: *close_before, open: *open }))
        .collect();
    let resolution = resolve_splits(listed, overrides, &jumps, TODAY);
    let backwards: Vec<_> = listed.iter().rev().cloned().collect();
    assert_eq!(resolve_splits(&backwards, overrides, &jumps, TODAY), resolution);
    resolution
}

/// `to:from status flags`.
fn told(resolution: &Resolution) -> Vec<String> {
    let text = |record: &SplitRecord| {
        let number = |number: Option<f64>| number.map_or("-".to_owned(), |number| number.to_string());
        let flags: Vec<_> = record.flags.iter().map(|flag| flag.as_str()).collect();
        let (to, from) = (number(record.split_to), number(record.split_from));
        format!("{to}:{from} {} {}", record.status.as_str(), flags.join(",")).trim_end().to_owned()
    };
    resolution.records.iter().map(text).collect()
}

fn by_list(listed: &[ListedSplit]) -> Vec<String> {
    told(&resolved(listed, &[], &[]))
}

fn overrides(text: &str) -> Vec<Override> {
    crate::model::splits::parse_overrides(&format!("ticker,execution_date,action,split_from,split_to\n{text}")).unwrap()
}

#[test]
fn what_is_sound_is_used() {
    let listed = [row("A", ON, 10.0, 1.0), row("A", date(2020, 8, 31), 1.0, 8.0), row("B", ON, 21.0, 20.0)];
    assert_eq!(by_list(&listed), ["1:8 used", "10:1 used", "21:20 used"]);
}

#[test]
fn duplicates_count_once() {
    let same = with_factor(row("A", ON, 4.0, 2.0), 0.5);
    let listed = [row("A", ON, 2.0, 1.0), same, row("A", ON, 2.0, 1.0), row("B", ON, 2.0, 1.0)];
    let resolution = resolved(&listed, &[], &[]);
    assert_eq!(told(&resolution), ["2:1 used duplicate", "2:1 used"]);
    assert_eq!(resolution.records[0].reason.as_deref(), Some("listed 3 times"));
}

#[test]
fn what_is_no_ratio_is_kept_and_not_used() {
    let missing = ListedSplit { split_to: None, ..row("A", ON, 2.0, 1.0) };
    for (listed, expected) in [
        (row("A", ON, 0.0, 1.0), "0:1 unused not_a_ratio"),
        (row("A", ON, -2.0, 1.0), "-2:1 unused not_a_ratio"),
        (row("A", ON, f64::INFINITY, 1.0), "inf:1 unused not_a_ratio"),
        (row("A", ON, 1e10, 1.0), "10000000000:1 unused not_a_ratio"),
        (row("A", ON, 3.0, 3.0), "3:3 unused not_a_ratio"),
        (missing, "-:1 unused not_a_ratio"),
        (row("I:SPX", ON, 2.0, 1.0), "2:1 unused not_a_stock"),
        (ListedSplit { adjustment_type: Some("spin_off".into()), ..row("A", ON, 2.0, 1.0) }, "2:1 unused unknown_kind"),
        (ListedSplit { adjustment_type: None, ..row("A", ON, 2.0, 1.0) }, "2:1 unused unknown_kind"),
    ] {
        assert_eq!(by_list(&[listed]), [expected]);
    }
    let nan = resolve_splits(&[row("A", ON, f64::NAN, 1.0)], &[], &BTreeMap::new(), TODAY);
    assert_eq!(told(&nan), ["NaN:1 unused not_a_ratio"]);
}

#[test]
fn opposite_pairs_cancel() {
    let later = date(2024, 6, 17);
    let pair = [row("A", ON, 10.0, 1.0), row("A", later, 1.0, 10.0)];
    assert_eq!(by_list(&pair), ["10:1 unused opposite", "1:10 unused opposite"]);
    let of_one_date = [row("A", ON, 10.0, 1.0), row("A", ON, 2.0, 20.0)];
    assert_eq!(by_list(&of_one_date), ["10:1 unused opposite", "2:20 unused opposite"]);
    let apart = [row("A", ON, 10.0, 1.0), row("A", date(2024, 6, 18), 1.0, 10.0)];
    assert_eq!(by_list(&apart), ["10:1 used", "1:10 used"], "eight days apart");
    let of_two = [row("A", ON, 10.0, 1.0), row("B", ON, 1.0, 10.0)];
    assert_eq!(by_list(&of_two), ["10:1 used", "1:10 used"], "of two tickers");
    let three = [row("A", ON, 10.0, 1.0), row("A", later, 1.0, 10.0), row("A", later, 10.0, 1.0)];
    let used = resolved(&three, &[], &[]).records.iter().filter(|record| record.status == SplitStatus::Used).count();
    assert_eq!(used, 1, "one undoes one");
    let confirmed = resolved(&pair, &[], &[(ON, 1000.0, 101.0)]);
    assert_eq!(told(&confirmed), ["10:1 used", "1:10 used"], "the prices confirm one, and say nothing of the other");
    let both = resolved(&pair, &[], &[(ON, 1000.0, 101.0), (later, 101.0, 103.0)]);
    assert_eq!(told(&both), ["10:1 used", "1:10 unused implausible"]);
}

#[test]
fn of_several_ratios_one_is_chosen() {
    let listed = [row("A", ON, 3.0, 1.0), row("A", ON, 2.0, 1.0), row("A", ON, 20.0, 1.0)];
    let resolution = resolved(&listed, &[], &[]);
    assert_eq!(told(&resolution), ["2:1 used conflict", "3:1 unused conflict", "20:1 unused conflict"]);
    let reasons: Vec<_> = resolution.records.iter().filter_map(|record| record.reason.as_deref()).collect();
    assert_eq!(reasons[0], "chosen before 3:1 and 20:1 (the one that changes least)");
    assert_eq!(reasons[2], "2:1 is used for this date (the one that changes least)");
    let by_prices = resolved(&listed, &[], &[(ON, 300.0, 99.0)]);
    assert_eq!(told(&by_prices), ["2:1 unused conflict", "3:1 used conflict", "20:1 unused conflict"]);
    assert!(by_prices.records[1].reason.as_deref().unwrap().contains("nearest to the stored prices"));
}

#[test]
fn prices_that_did_not_move_refute_a_split() {
    let jump = |close, open| told(&resolved(&[row("A", ON, 2.0, 1.0)], &[], &[(ON, close, open)]));
    assert_eq!(jump(100.0, 50.5), ["2:1 used"]);
    assert_eq!(jump(100.0, 101.0), ["2:1 unused implausible"]);
    assert_eq!(jump(100.0, 85.0), ["2:1 unused implausible"], "exp(-ln 2 / 4) is 0.8409");
    assert_eq!(jump(100.0, 84.0), ["2:1 used"], "it may be both: the list counts");
    assert_eq!(jump(100.0, 200.0), ["2:1 unused implausible"], "the other way round");
    assert_eq!(jump(100.0, 10.0), ["2:1 used"], "something else happened, too");
    let small = resolved(&[row("A", ON, 11.0, 10.0)], &[], &[(ON, 100.0, 100.0)]);
    assert_eq!(told(&small), ["11:10 used"], "an ordinary night moves as much");
    let refuted = resolved(&[row("A", ON, 1.0, 8.0)], &[], &[(ON, 12.95, 13.0)]);
    assert_eq!(
        refuted.records[0].reason.as_deref(),
        Some("1:8 would take the price from 12.95 to about 103.6, and it opened at 13")
    );
}

#[test]
fn the_vendors_factor_is_held_against_the_product() {
    let right = [
        with_factor(row("A", date(2014, 6, 9), 7.0, 1.0), 0.0357143),
        with_factor(row("A", date(2020, 8, 31), 4.0, 1.0), 0.25),
        // Announced: in no product yet.
        with_factor(row("A", date(2026, 12, 1), 2.0, 1.0), 0.5),
    ];
    assert_eq!(by_list(&right), ["7:1 used", "4:1 used", "2:1 used"]);
    let wrong = [with_factor(right[0].clone(), 0.25), right[1].clone()];
    let resolution = resolved(&wrong, &[], &[]);
    assert_eq!(told(&resolution), ["7:1 used factor_differs", "4:1 used"]);
    assert_eq!(
        resolution.records[0].reason.as_deref(),
        Some("the vendor's factor is 0.25, the product of the ratios 0.035714")
    );
    let reused = resolved(&wrong, &overrides("A,2019-01-02,reused"), &[]);
    assert_eq!(told(&reused)[0], "7:1 used", "the vendor does not know of the override");
}

#[test]
fn splits_to_come_are_announced() {
    let resolution = resolved(&[row("A", date(2026, 11, 21), 2.0, 1.0), row("A", TODAY, 3.0, 1.0)], &[], &[]);
    let announced: Vec<_> = resolution.records.iter().map(|record| record.is_announced(TODAY)).collect();
    assert_eq!(announced, [false, true]);
    let factor = Adjustment::of(&resolution.records, TODAY).factor(ON);
    assert_eq!((factor.from(), factor.to()), (1.0, 3.0));
}

#[test]
fn overrides_decide() {
    let on = "2024-06-10";
    let listed = [row("A", ON, 2.0, 1.0)];
    let unmoved = [(ON, 100.0, 100.0)];
    let of =
        |listed: &[ListedSplit], text: &str| told(&resolved(listed, &overrides(&format!("A,{on},{text}")), &unmoved));
    assert_eq!(of(&listed, "use,,"), ["2:1 used override"], "although it is implausible");
    assert_eq!(of(&listed, "ignore,,"), ["2:1 unused override"]);
    assert_eq!(of(&listed, "use,1,5"), ["2:1 unused override", "5:1 used override"]);
    assert_eq!(of(&listed, "use,1,2"), ["2:1 unused override", "2:1 used override"]);
    assert_eq!(of(&[], "use,1,2"), ["2:1 used override"], "added");
    let pair = [row("A", ON, 2.0, 1.0), row("A", date(2024, 6, 11), 1.0, 2.0)];
    assert_eq!(of(&pair, "use,1,2"), ["2:1 unused override", "2:1 used override", "1:2 used"]);
}

#[test]
fn overrides_that_decide_nothing_are_told() {
    let unmatched = |listed: &[ListedSplit], text: &str| {
        let resolution = resolved(listed, &overrides(text), &[]);
        resolution.unmatched.into_iter().map(|(_, why)| why).collect::<Vec<_>>()
    };
    assert_eq!(unmatched(&[], "A,2024-06-10,use"), ["the vendor lists no split to use: give split_from and split_to"]);
    assert_eq!(unmatched(&[], "A,2024-06-10,ignore"), ["the vendor lists no split to ignore"]);
    let two = [row("A", ON, 2.0, 1.0), row("A", ON, 3.0, 1.0)];
    assert_eq!(unmatched(&two, "A,2024-06-10,use"), ["the vendor lists several ratios: give split_from and split_to"]);
    assert_eq!(unmatched(&[row("a", ON, 2.0, 1.0)], "A,2024-06-10,ignore").len(), 1, "case matters");
}

#[test]
fn jumps_are_taken_from_the_nearest_bars() {
    let bar = |n: i8, open, close| (date(2024, 6, n), open, close);
    let jump = |bars: &[(Date, f64, f64)]| PriceJump::at(ON, bars.iter().copied()).map(|j| (j.close_before, j.open));
    let week = [bar(6, 1.0, 2.0), bar(7, 3.0, 4.0), bar(10, 5.0, 6.0), bar(11, 7.0, 8.0)];
    assert_eq!(jump(&week), Some((4.0, 5.0)));
    let backwards: Vec<_> = week.into_iter().rev().collect();
    assert_eq!(jump(&backwards), Some((4.0, 5.0)));
    assert_eq!(jump(&[bar(3, 1.0, 2.0), bar(17, 3.0, 4.0)]), Some((2.0, 3.0)));
    assert_eq!(jump(&[bar(2, 1.0, 2.0), bar(10, 3.0, 4.0)]), None, "too long ago");
    assert_eq!(jump(&[bar(7, 1.0, 2.0), bar(18, 3.0, 4.0)]), None, "too late");
    assert_eq!(jump(&[bar(7, 1.0, 0.0), bar(10, 3.0, 4.0)]), None, "no price to compare with");
    assert_eq!(jump(&[bar(7, 1.0, 2.0)]), None);
}
