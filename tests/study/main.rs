//! Runs over symbols: what is the same whatever the number of threads, who is looked at, and what nobody knew before.

mod market;

use std::collections::BTreeMap;

use barkeep::backtest::audit::{from_session, look_ahead, noise_after, until};
use barkeep::backtest::detectors::{self, Configured};
use barkeep::backtest::run::{FileSignals, Setup, Source, study, study_symbol};
use barkeep::backtest::signals_file::{LevelUnit, SignalOptions, parse};
use barkeep::backtest::{CostSettings, EngineSettings, Input, SessionScope, Slippage, Status, Study, SymbolData};
use barkeep::model::Timeframe;
use market::{WARM_UP, wanders, wanders_with_proxy};

fn setup_of(source: Source) -> Setup {
    Setup {
        source,
        engine: EngineSettings::default(),
        costs: CostSettings::default(),
        min_bars: 50,
        ignore_asset_class: false,
        seed: 1,
        random_draws: 20,
    }
}

fn configured(group: &str) -> Vec<Configured> {
    let specs = detectors::group(group).unwrap_or_else(|| vec![detectors::find(group).unwrap()]);
    specs.into_iter().map(|spec| spec.configure(&BTreeMap::new()).unwrap()).collect()
}

fn setup(group: &str) -> Setup {
    setup_of(Source::Detectors(configured(group)))
}

fn many() -> Vec<SymbolData> {
    (0..7).map(|seed| wanders(&format!("S{seed}"), seed)).collect()
}

fn studied(symbols: Vec<SymbolData>, threads: usize) -> Study {
    study(symbols.into_iter(), &setup("all"), threads, |_| ()).study
}

/// B-60, B-67
#[test]
fn results_are_the_same_for_any_number_of_threads() {
    let one = studied(many(), 1);
    assert!(one.results.iter().map(|result| result.trades.len()).sum::<usize>() > 50, "there is something to compare");
    for threads in [2, 3, 16] {
        assert_eq!(studied(many(), threads), one, "{threads} threads");
    }
    assert_eq!(studied(many(), 1), one, "twice in a row");
    for result in &one.results {
        assert!(result.counters.adds_up(), "{}", result.detector);
        assert!(result.trades.is_sorted_by_key(|trade| trade.signal_ms));
    }
}

/// B-60: the snapshot names the bars, all of them.
#[test]
fn another_bar_is_another_snapshot() {
    let snapshot = |symbols: Vec<SymbolData>| studied(symbols, 2).snapshot;
    let whole = snapshot(many());
    let mut changed = many();
    changed[3] = until(&changed[3], changed[3].signal_bars_end() - 1);
    assert_ne!(snapshot(changed), whole, "a bar less");
    let mut changed = many();
    changed.swap(0, 1);
    assert_ne!(snapshot(changed), whole, "in another order");
}

/// End of the last signal bar.
trait LastEnd {
    fn signal_bars_end(&self) -> i64;
}

impl LastEnd for SymbolData {
    fn signal_bars_end(&self) -> i64 {
        let clock = self.sessions.get(self.sessions.len() as u32 - 1);
        clock.close_ms
    }
}

fn status(data: &SymbolData, setup: &Setup) -> Status {
    study_symbol(data, setup).study.runs[0].status
}

/// B-58, B-61, B-62
#[test]
fn who_is_not_looked_at_is_told_why() {
    let breakout = setup("breakout_bullish");
    let stock = wanders("AAPL", 1);
    assert_eq!(status(&stock, &breakout), Status::Evaluated);
    assert_eq!(status(&stock, &setup("opening_drive_bullish")), Status::AssetClass);
    assert_eq!(status(&wanders("I:VIX", 1), &setup("index_mean_reversion_long")), Status::NotTradable);
    let few = SymbolData {
        tradable: stock.tradable.iter().enumerate().map(|(at, _)| at == WARM_UP).collect(),
        ..stock.clone()
    };
    assert_eq!(status(&few, &breakout), Status::InsufficientData, "26 bars");
    assert_eq!(status(&few, &Setup { min_bars: 26, ..setup("breakout_bullish") }), Status::Evaluated);
    let none = until(&stock, 0);
    assert_eq!(status(&none, &breakout), Status::NoData);
    let run = study_symbol(&wanders("I:SPX", 1), &setup("index_mean_reversion_long")).study.runs.remove(0);
    assert!(matches!(run.status, Status::NotEvaluable(_)), "no proxy: {:?}", run.status);
    assert_eq!(run.counters.bars_evaluable, 0);
    let any = Setup { ignore_asset_class: true, ..setup("opening_drive_bullish") };
    assert_ne!(status(&stock, &any), Status::AssetClass);
}

/// B-08: without history the first bars are not evaluable, and are counted.
#[test]
fn bars_without_warm_up_are_counted() {
    let data = from_session(&wanders("AAPL", 1), WARM_UP as u32);
    let run = study_symbol(&data, &setup("breakout_bullish")).study.runs.remove(0);
    assert_eq!(run.status, Status::Partial);
    let missing: u64 = run.counters.not_evaluable.values().sum();
    assert!(missing > 0 && run.counters.bars_evaluable + missing == run.counters.bars_total);
}

/// B-65, for each detector and timeframe: at the bars it fires on, and at others.
#[test]
fn no_detector_knows_what_comes() {
    let mut fired = BTreeMap::new();
    for timeframe in [Timeframe::M5, Timeframe::M15, Timeframe::H1] {
        for (group, data) in [("equity", wanders("AAPL", 3)), ("index", wanders_with_proxy(3))] {
            let data = SymbolData { timeframe, ..data };
            let setup = Setup { random_draws: 0, ..setup(group) };
            let runs = study_symbol(&data, &setup).study.runs;
            let all = data.bars(timeframe).unwrap().len();
            for (detector, run) in configured(group).iter().zip(runs) {
                *fired.entry(detector.spec.id).or_insert(0) += run.counters.signals;
                let signals = run.trades.iter().map(|trade| trade.signal_bar).take(2);
                let bars: Vec<usize> = signals.chain([all / 2, all - 2]).collect();
                let found = look_ahead(&data, detector, SessionScope::Regular, &bars, 3);
                assert!(found.is_empty(), "{} on {timeframe} bars knew at {found:?}", detector.spec.id);
            }
        }
    }
    let silent: Vec<_> = fired.iter().filter(|(_, signals)| **signals == 0).map(|(id, _)| *id).collect();
    let without_chains =
        ["eod_pin_setup", "gamma_flip_bearish", "gamma_flip_bullish", "gamma_squeeze_bearish", "gamma_squeeze_bullish"];
    assert_eq!(silent, without_chains, "all others fire");
}

/// What the audit compares does differ: before a moment nothing, after it everything.
#[test]
fn noise_begins_after_its_moment() {
    let data = wanders("AAPL", 5);
    let end_ms = data.bars(Timeframe::M15).unwrap().truncated(1000).len() as i64;
    assert_eq!(end_ms, 1000);
    let clock = data.sessions.get(40);
    let (cut, noisy) = (until(&data, clock.close_ms), noise_after(&data, clock.close_ms, 1));
    let text = |data: &SymbolData, from: usize, to: usize| {
        format!("{:?}", data.bars(Timeframe::M15).unwrap().truncated(to).since(from))
    };
    let there = cut.bars(Timeframe::M15).unwrap().len();
    assert_eq!(there, 41 * 26);
    assert_eq!(text(&noisy, 0, there), text(&data, 0, there));
    assert_ne!(text(&noisy, there, there + 1), text(&data, there, there + 1));
}

/// B-44: a fill that slips by ATR is not free where ATR is not known; there is no trade, and it is said.
#[test]
fn nothing_slips_by_an_atr_that_is_not_known() {
    let data = from_session(&wanders("AAPL", 9), WARM_UP as u32);
    let clock = data.sessions.get(WARM_UP as u32);
    // Seven sessions on, an ATR that began with them has settled.
    let settled = data.sessions.get(WARM_UP as u32 + 7);
    let [early, late] = [clock, settled].map(|clock| clock.open_ms + 60 * 60_000);
    let text = format!("symbol,timestamp,side,stop\nAAPL,{early},long,0.2\nAAPL,{late},long,0.2\n");
    let traded = |slippage: Slippage| {
        let options = SignalOptions { levels: LevelUnit::Percent, default_stop_atr: None };
        let rows = parse(text.as_bytes(), &options).unwrap();
        let source = Source::File(FileSignals { name: "mine.csv", rows, options });
        let costs = CostSettings { slippage, ..CostSettings::default() };
        let found = study_symbol(&data, &Setup { costs, ..setup_of(source) });
        let at: Vec<i64> = found.study.runs[0].trades.iter().map(|trade| trade.signal_ms).collect();
        (at, found.unmatched.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(traded(Slippage::Bps { bps: 1.0 }), (vec![early, late], vec![]));
    assert_eq!(traded(Slippage::Atr { share: 0.0 }).0, [early, late], "nothing slips");
    let (at, unmatched) = traded(Slippage::Atr { share: 0.1 });
    assert_eq!(at, [late]);
    assert!(matches!(&unmatched[..], [one] if one.starts_with("line 2, AAPL: there is no ATR")), "{unmatched:?}");

    // A pin's own rules need none of the signals' bars.
    let data = from_session(&wanders_with_proxy(3), WARM_UP as u32);
    let missing = |slippage: Slippage| {
        let costs = CostSettings { slippage, ..CostSettings::default() };
        let run = study_symbol(&data, &Setup { costs, ..setup("eod_pin_setup") }).study.runs.remove(0);
        run.counters.not_evaluable.get(&Input::WarmUp).copied().unwrap_or_default()
    };
    assert!(missing(Slippage::Bps { bps: 1.0 }) < missing(Slippage::Atr { share: 0.1 }));
}

/// Signals of a file are placed on bars by their end; the others are named.
#[test]
fn signals_of_a_file_are_traded_or_named() {
    let data = wanders("AAPL", 9);
    let clock = data.sessions.get(WARM_UP as u32);
    let end = |minutes: i64| clock.open_ms + minutes * 60_000;
    let text = format!(
        "symbol,timestamp,side,stop,target\nAAPL,{},long,1,2\nAAPL,{},short,1,2\nMSFT,{},long,1,2\n",
        end(60),
        end(61),
        end(60)
    );
    let options = SignalOptions { levels: LevelUnit::Percent, default_stop_atr: None };
    let rows = parse(text.as_bytes(), &options).unwrap();
    let setup = setup_of(Source::File(FileSignals { name: "mine.csv", rows, options }));
    let found = study_symbol(&data, &setup);
    let run = &found.study.runs[0];
    assert_eq!((run.trades.len(), run.counters.signals), (1, 1));
    assert_eq!(run.trades[0].entry_ms, end(60));
    let unmatched: Vec<String> = found.unmatched.iter().map(ToString::to_string).collect();
    assert_eq!(unmatched.len(), 1);
    assert!(unmatched[0].starts_with("line 3, AAPL: no bar"), "{unmatched:?}");
}

/// Every row is traded, counted or named, also those of symbols that are not looked at, for any number of threads.
#[test]
fn no_signal_of_a_file_is_dropped() {
    let aapl = wanders("AAPL", 9);
    let clock = *aapl.sessions.get(WARM_UP as u32);
    let end = |minutes: i64| clock.open_ms + minutes * 60_000;
    let (before, night) = (aapl.sessions.get(3).open_ms + 60 * 60_000, end(600));
    let text = format!(
        "symbol,timestamp,side,stop\nI:VIX,{at},long,1\nMSFT,{at},long,1\nAAPL,{at},long,50\n\
         AAPL,{next},short,50\nAAPL,{before},long,1\nNOPE,{at},long,1\nNOPE,{before},long,1\nAAPL,{night},long,1\n\
         NONE,{at},long,1\n",
        at = end(60),
        next = end(75),
    );
    let options = SignalOptions { levels: LevelUnit::Percent, default_stop_atr: None };
    let rows = parse(text.as_bytes(), &options).unwrap();
    let of_file = rows.len();
    let setup = setup_of(Source::File(FileSignals { name: "mine.csv", rows, options }));
    let symbols = || {
        let none = SymbolData { series: Vec::new(), ..wanders("NONE", 1) };
        vec![aapl.clone(), wanders("I:VIX", 1), none, until(&wanders("NOPE", 1), 0)]
    };
    let found = study(symbols().into_iter(), &setup, 1, |_| ());
    let named: Vec<String> = found.unmatched.iter().map(ToString::to_string).collect();
    let expected = [
        "line 2, I:VIX: no positions are taken",
        "line 3, MSFT: its symbol is not among",
        "line 6, AAPL: its session is outside",
        "line 7, NOPE: there are no bars",
        "line 8, NOPE: its session is outside",
        "line 9, AAPL: its timestamp lies outside regular hours",
        "line 10, NONE: there are no bars",
    ];
    assert_eq!(named.len(), expected.len(), "{named:#?}");
    for (named, expected) in named.iter().zip(expected) {
        assert!(named.starts_with(expected), "{named}");
    }
    let counters = &found.study.results[0].counters;
    assert!(counters.adds_up() && counters.rejected.concurrency == 1, "{counters:?}");
    assert_eq!(counters.signals as usize + named.len(), of_file);
    assert_eq!(study(symbols().into_iter(), &setup, 3, |_| ()), found);
}
