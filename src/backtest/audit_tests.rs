//! What looks ahead, planted, is found (B-65).

use super::super::detectors::{Checks, Detector, Factors};
use super::super::engine::fixture::Market;
use super::super::{
    ExitPlan, FeatureSettings, Features, OfficialDay, Side, StopRule, TargetRule, TradeRules, signals_file,
};
use super::*;
use crate::model::Timeframe;

/// Bars of a symbol's every session in three timeframes, each of its own prices, beside a proxy.
fn data() -> SymbolData {
    let mut random = Rng::with_seed(7);
    let mut made = || {
        let mut market = Market::new(Timeframe::M15);
        for session in 0..6 {
            for (timeframe, minutes) in [(Timeframe::M5, 5), (Timeframe::M15, 15), (Timeframe::H1, 60)] {
                for minute in (0..180).step_by(minutes) {
                    let (open, close) = (100.0 + 10.0 * random.f64(), 100.0 + 10.0 * random.f64());
                    let ohlc = [open, open.max(close) + random.f64(), open.min(close) - random.f64(), close];
                    market.bar(timeframe, session, minute, ohlc);
                }
            }
        }
        market.data
    };
    let proxy = Some(Arc::new(made()));
    let official = (0..6).map(|session| OfficialDay { session, open: 100.0, close: 101.0 }).collect();
    SymbolData { official, proxy, ..made() }
}

/// A detector that fires where its bar closes higher.
#[derive(Debug)]
struct Higher(TradeRules);

impl Detector for Higher {
    fn features(&self) -> FeatureSettings {
        FeatureSettings::default()
    }

    fn rules(&self) -> &TradeRules {
        &self.0
    }

    fn detect(&self, features: &Features, checks: &mut Checks) -> Option<Side> {
        checks.above("close", features.close, features.open).map(|()| Side::Long)
    }

    fn score(&self, _: &Features, _: Side, _: &mut Factors) -> f64 {
        100.0
    }

    fn exits(&self, _: &Features, _: Side) -> ExitPlan {
        ExitPlan { stop: StopRule::Distance(1.0), target: TargetRule::R(1.5), max_bars: None }
    }
}

/// The bars it fires at, up to one, if what it is told of each is that of so many bars later.
fn fired(data: &SymbolData, last: usize, later: usize) -> Vec<usize> {
    let detector = Higher(signals_file::rules(false));
    let mut stream = FeatureStream::new(data, detector.features(), SessionScope::Regular);
    let mut fired = Vec::new();
    while let Some(features) = stream.next()
        && features.bar <= last
    {
        let (bars, seen) = (data.signal_bars(), features.bar + later);
        let [open, close] = [&bars.open, &bars.close].map(|column| column.get(seen).copied().unwrap_or(f64::NAN));
        let told = Features { open, close, ..features.clone() };
        fired.extend(detector.detect(&told, &mut Checks::default()).map(|_| features.bar));
    }
    fired
}

#[test]
fn a_detector_that_is_told_of_the_next_bar_is_found() {
    let data = data();
    let bars: Vec<usize> = (10..40).collect();
    let found = what_looks_ahead(&data, &bars, 1, |data, last| fired(data, last, 1));
    let rises: Vec<i64> = (bars.iter().map(|bar| (data.signal_bars(), bar + 1)))
        .filter(|(bars, next)| bars.close[*next] > bars.open[*next])
        .map(|(bars, next)| bars.end_ms[next - 1])
        .collect();
    let by = |change: &str| -> Vec<i64> {
        found.iter().filter(|ahead| ahead.change == change).map(|ahead| ahead.end_ms).collect()
    };
    assert_eq!(by("removed"), rises, "wherever it fired for what came after");
    assert!(by("noise").len() > 5, "wherever noise turned that round: {found:?}");
    assert_eq!(what_looks_ahead(&data, &bars, 1, |data, last| fired(data, last, 0)), []);
}

/// What is seen of data at a bar.
type Look = fn(&SymbolData, usize) -> Option<f64>;

/// A value of the bar of a timeframe that is under way at the end of a bar, or, with 1, of the one before.
fn near(data: &SymbolData, timeframe: Timeframe, bar: usize, back: usize, of: fn(&Bars) -> &[f64]) -> Option<f64> {
    let bars = data.bars(timeframe)?;
    let under_way = bars.end_ms.partition_point(|end| *end <= data.signal_bars().end_ms[bar]);
    of(bars).get(under_way - back).copied()
}

fn official(data: &SymbolData, session: u32) -> Option<f64> {
    data.official.iter().find(|day| day.session == session).map(|day| day.close)
}

#[test]
fn whatever_looks_ahead_is_found_wherever_it_looks() {
    let ahead: [(&str, Look); 5] = [
        ("the next bar", |data, bar| near(data, Timeframe::M15, bar, 0, |bars| &bars.low)),
        ("the next finer bar", |data, bar| near(data, Timeframe::M5, bar, 0, |bars| &bars.close)),
        ("the hour that is not over", |data, bar| near(data, Timeframe::H1, bar, 0, |bars| &bars.high)),
        ("the official close", |data, bar| official(data, data.signal_bars().session[bar])),
        ("the next bar of the proxy", |data, bar| {
            near(data.proxy.as_ref()?, Timeframe::M15, bar, 0, |bars| &bars.volume)
        }),
    ];
    let behind: [(&str, Look); 5] = [
        ("the bar", |data, bar| near(data, Timeframe::M15, bar, 1, |bars| &bars.low)),
        ("the last finer bar", |data, bar| near(data, Timeframe::M5, bar, 1, |bars| &bars.close)),
        ("the last hour", |data, bar| near(data, Timeframe::H1, bar, 1, |bars| &bars.high)),
        ("the official close before", |data, bar| official(data, data.signal_bars().session[bar] - 1)),
        ("the bar of the proxy", |data, bar| near(data.proxy.as_ref()?, Timeframe::M15, bar, 1, |bars| &bars.volume)),
    ];
    let (data, bar) = (data(), 3 * 12 + 5);
    let found = |look: Look| -> Vec<&str> {
        assert!(look(&data, bar).is_some());
        what_looks_ahead(&data, &[bar], 1, look).iter().map(|ahead| ahead.change).collect()
    };
    for (what, look) in ahead {
        assert_eq!(found(look), ["removed", "noise"], "{what}");
    }
    for (what, look) in behind {
        assert!(found(look).is_empty(), "{what}");
    }
}
