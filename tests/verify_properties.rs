//! The checks of a symbol's day: honest bars pass, whatever the minutes, and no bar can be changed without being found.

use std::collections::BTreeMap;

use barkeep::aggregate::{DayGrid, roll_up};
use barkeep::model::{Bar, Dataset, Minute, Prices, Session, Timeframe, TimeframeSet, VwapMethod};
use barkeep::store::{RawBar, Word};
use barkeep::verify::{Finding, Kind, SymbolDay};
use jiff::civil::{Date, date};
use proptest::prelude::*;

/// Dates around clock changes, early closes and holidays.
const DATES: [(Dataset, Date); 9] = [
    (Dataset::Stocks, date(2026, 10, 2)),
    (Dataset::Stocks, date(2024, 7, 3)),
    (Dataset::Stocks, date(2024, 3, 11)),
    (Dataset::Options, date(2024, 11, 29)),
    (Dataset::Indices, date(2023, 4, 7)),
    (Dataset::Indices, date(2024, 11, 3)),
    (Dataset::Crypto, date(2024, 3, 10)),
    (Dataset::Crypto, date(2024, 11, 3)),
    (Dataset::Forex, date(2024, 3, 10)),
];

/// What is stored of a symbol's day.
#[derive(Debug, Clone)]
struct Stored {
    dataset: Dataset,
    date: Date,
    covered: TimeframeSet,
    /// Whether no minute has a VWAP of the vendor's.
    from_files: bool,
    bars: Vec<RawBar>,
}

impl Stored {
    fn found(&self) -> Vec<Finding> {
        let grid = DayGrid::new(self.dataset, self.date);
        let mut bars = self.bars.clone();
        bars.sort_by_key(|bar| (bar.timeframe, bar.timestamp_ms));
        let of = |timeframe| {
            let from = bars.partition_point(|bar| bar.timeframe < timeframe);
            &bars[from..bars.partition_point(|bar| bar.timeframe <= timeframe)]
        };
        let day = SymbolDay {
            dataset: self.dataset,
            symbol: "S",
            grid: &grid,
            from_files: if self.from_files { self.covered } else { TimeframeSet::EMPTY },
            exact_vwap: TimeframeSet::EMPTY,
            from_rest: if self.from_files { TimeframeSet::EMPTY } else { self.covered },
            is_provisional: false,
            series: Timeframe::ALL.map(of),
        };
        let mut found = Vec::new();
        day.check(&mut |finding| found.push(finding));
        found
    }
}

fn raw(bar: &Bar, date: Date) -> RawBar {
    RawBar {
        timeframe: bar.timeframe,
        timestamp_ms: bar.timestamp_ms,
        end_timestamp_ms: bar.end_timestamp_ms,
        open: bar.prices.open,
        high: bar.prices.high,
        low: bar.prices.low,
        close: bar.prices.close,
        volume: bar.volume,
        vwap: bar.vwap,
        trades: bar.trades.map(|trades| i64::try_from(trades).unwrap()),
        session: Word::Known(bar.session),
        vwap_method: bar.vwap_method.map(Word::Known),
        session_date: Some(date),
        minutes: i64::from(bar.minutes),
    }
}

/// The bars of random minutes of a random date in random timeframes.
fn stored() -> impl Strategy<Value = Stored> {
    let row =
        (0..1380u16, [1u32..2_000_000, 1..2_000_000, 1..2_000_000, 1..2_000_000], 0u64..3_000_000_000, 0u64..5000);
    let rows = prop::collection::vec((row, 0.9f64..1.1), 1..150);
    let sets = prop::sample::subsequence(Timeframe::ROLLED.to_vec(), 1..=Timeframe::ROLLED.len());
    (prop::sample::select(DATES.to_vec()), rows, sets, any::<bool>()).prop_map(
        |((dataset, date), rows, timeframes, from_files)| {
            let minutes: BTreeMap<u16, Minute> = rows
                .into_iter()
                .map(|((minute, mut cents, volume, trades), shift)| {
                    let rises = cents[0] > cents[1];
                    cents.sort_unstable();
                    let [low, one, two, high] = cents.map(|cents| f64::from(cents) / 100.0);
                    let (open, close) = if rises { (one, two) } else { (two, one) };
                    let prices = Prices::checked(open, high, low, close).unwrap();
                    // Some minutes trade nothing, and some have a VWAP of the vendor's.
                    let volume = if volume % 3 == 0 { 0.0 } else { volume as f64 / 1e6 };
                    let vwap = (!from_files && trades % 2 == 0).then_some(low * shift);
                    (minute, Minute { minute, prices, volume, vwap, trades })
                })
                .collect();
            let minutes: Vec<_> = minutes.into_values().collect();
            let covered = TimeframeSet::of(timeframes);
            let mut bars = Vec::new();
            roll_up(&DayGrid::new(dataset, date), dataset, covered, &minutes, &mut bars);
            let bars = bars.iter().map(|bar| raw(bar, date)).collect();
            Stored { dataset, date, covered, from_files, bars }
        },
    )
}

fn other_session(session: &Word<Session>) -> Word<Session> {
    Word::Known(if *session == Word::Known(Session::Pre) { Session::Post } else { Session::Pre })
}

/// Changes that are found in any bar.
fn change_any(bar: &mut RawBar, which: usize) {
    match which {
        0 => bar.open = f64::NAN,
        1 => bar.high = f64::INFINITY,
        2 => bar.low = bar.high + 1.0,
        3 => bar.close = bar.low - 1.0,
        4 => bar.volume = Some(-1.0),
        5 => bar.volume = bar.volume.is_none().then_some(1.0),
        6 => bar.trades = Some(-1),
        7 => bar.trades = bar.trades.is_none().then_some(1),
        8 => bar.timestamp_ms += 1,
        9 => bar.end_timestamp_ms -= 60_000,
        10 => bar.session = Word::Unknown("lunch".to_owned()),
        11 => bar.session = other_session(&bar.session),
        12 => bar.session_date = None,
        13 => bar.session_date = bar.session_date.and_then(|date| date.yesterday().ok()),
        14 => bar.minutes = 0,
        15 => bar.minutes = 2000,
        16 => bar.vwap_method = Some(Word::Unknown("guess".to_owned())),
        17 => (bar.vwap, bar.vwap_method) = if bar.vwap.is_some() { (None, None) } else { (Some(bar.low), None) },
        _ => bar.vwap = Some(f64::NAN),
    }
}

const CHANGES_ANY: usize = 19;

/// Changes that are found because finer bars tell otherwise.
fn change_coarse(bar: &mut RawBar, which: usize) {
    match which {
        0 => bar.high += 0.01,
        1 => bar.low -= 0.01,
        2 => bar.open += if bar.open < bar.high { 0.001 } else { -0.001 },
        3 => bar.close -= if bar.close > bar.low { 0.001 } else { -0.001 },
        4 => bar.minutes += if bar.minutes > 1 { -1 } else { 1 },
        5 => bar.trades = bar.trades.map_or(Some(0), |trades| Some(trades + 1)),
        _ => bar.volume = bar.volume.map_or(Some(0.0), |volume| Some(volume * 1.001 + 0.001)),
    }
}

const CHANGES_COARSE: usize = 7;

proptest! {
    #[test]
    fn nothing_is_wrong_with_honest_bars(stored in stored()) {
        let found = stored.found();
        prop_assert!(found.is_empty(), "{:?}", found);
    }

    #[test]
    fn a_bar_that_cannot_be_is_found(mut stored in stored(), at in any::<prop::sample::Index>(), which in 0..CHANGES_ANY) {
        prop_assume!(!stored.bars.is_empty());
        let place = at.index(stored.bars.len());
        change_any(&mut stored.bars[place], which);
        prop_assert!(!stored.found().is_empty(), "{:?}", stored.bars[place]);
    }

    #[test]
    fn a_bar_that_its_finer_ones_do_not_make_is_found(
        mut stored in stored(), at in any::<prop::sample::Index>(), which in 0..CHANGES_COARSE
    ) {
        let finest = stored.bars.iter().map(|bar| bar.timeframe).min();
        let coarse: Vec<_> = (0..stored.bars.len()).filter(|at| Some(stored.bars[*at].timeframe) != finest).collect();
        prop_assume!(!coarse.is_empty());
        let place = coarse[at.index(coarse.len())];
        change_coarse(&mut stored.bars[place], which);
        prop_assert!(!stored.found().is_empty(), "{:?}", stored.bars[place]);
    }

    #[test]
    fn a_bar_that_is_gone_or_there_twice_is_found(mut stored in stored(), at in any::<prop::sample::Index>(), twice in any::<bool>()) {
        let finest = stored.bars.iter().map(|bar| bar.timeframe).min();
        prop_assume!(!stored.bars.is_empty());
        let place = at.index(stored.bars.len());
        let bar = stored.bars[place].clone();
        if twice {
            stored.bars.push(bar);
        } else {
            // What the finest bars were made of is not known; a regular one of them is missed by the day bar alone.
            prop_assume!(Some(bar.timeframe) != finest);
            stored.bars.remove(place);
        }
        prop_assert!(!stored.found().is_empty());
    }

    #[test]
    fn bars_that_are_not_loaded_are_found(mut stored in stored(), at in any::<prop::sample::Index>()) {
        prop_assume!(!stored.bars.is_empty());
        let timeframe = stored.bars[at.index(stored.bars.len())].timeframe;
        stored.covered = stored.covered.minus(TimeframeSet::of([timeframe]));
        prop_assert!(stored.found().iter().any(|finding| finding.kind == Kind::UncoveredBars));
    }

    #[test]
    fn the_bulk_files_have_no_exact_vwap(mut stored in stored(), at in any::<prop::sample::Index>()) {
        prop_assume!(stored.from_files);
        let with_vwap: Vec<_> = (0..stored.bars.len()).filter(|at| stored.bars[*at].vwap.is_some()).collect();
        prop_assume!(!with_vwap.is_empty());
        let place = with_vwap[at.index(with_vwap.len())];
        stored.bars[place].vwap_method = Some(Word::Known(VwapMethod::Vendor));
        let found: Vec<_> = stored.found().into_iter().map(|finding| finding.kind).collect();
        prop_assert_eq!(found, [Kind::VwapMethod]);
    }
}
