//! Whether anything looks ahead, on whatever data there are: what is known at a moment must be the same when all that came after
//! it is removed, and when it is replaced by noise (B-65).

use std::sync::Arc;

use fastrand::Rng;

use super::detectors::{Checks, Configured};
use super::run::signal;
use super::{Bars, FeatureStream, SessionScope, Signal, SymbolData};

/// What a detector found up to a moment, and everything that was known then.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    signals: Vec<Signal>,
    /// The features of the last bar, to the last bit.
    features: String,
}

/// A moment at which a detector would have known what came after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookAhead {
    /// End of the bar, milliseconds since the Unix epoch.
    pub end_ms: i64,
    /// What was done to the bars after it.
    pub change: &'static str,
}

/// Looks at a detector at the ends of bars: gives those at which what came after makes a difference.
pub fn look_ahead(
    data: &SymbolData,
    configured: &Configured,
    scope: SessionScope,
    bars: &[usize],
    seed: u64,
) -> Vec<LookAhead> {
    what_looks_ahead(data, bars, seed, |data, bar| known(data, configured, scope, bar))
}

/// The same of anything that is known at the end of a bar.
fn what_looks_ahead<K: PartialEq>(
    data: &SymbolData,
    bars: &[usize],
    seed: u64,
    known: impl Fn(&SymbolData, usize) -> K,
) -> Vec<LookAhead> {
    let mut found = Vec::new();
    for bar in bars.iter().copied() {
        let end_ms = data.signal_bars().end_ms[bar];
        let whole = known(data, bar);
        let changes = [("removed", until(data, end_ms)), ("noise", noise_after(data, end_ms, seed))];
        for (change, changed) in changes {
            if known(&changed, bar) != whole {
                found.push(LookAhead { end_ms, change });
            }
        }
    }
    found
}

fn known(data: &SymbolData, configured: &Configured, scope: SessionScope, last: usize) -> Known {
    let mut stream = FeatureStream::new(data, configured.detector.features(), scope);
    let mut known = Known { signals: Vec::new(), features: String::new() };
    let mut checks = Checks::default();
    while let Some(features) = stream.next() {
        if features.bar > last {
            break;
        }
        checks.reset();
        known.signals.extend(signal(configured, features, &mut checks));
        if features.bar == last {
            known.features = format!("{features:?}");
        }
    }
    known
}

/// Only what was known at a moment.
#[must_use]
pub fn until(data: &SymbolData, end_ms: i64) -> SymbolData {
    with_bars(data, &mut |bars| bars.truncated(bars.end_ms.partition_point(|end| *end <= end_ms)), &|data, bars| {
        // The official close of a session is known after it.
        let over = |session: u32| data.sessions.get(session).close_ms < end_ms;
        bars.official.retain(|day| over(day.session));
    })
}

/// The same, with noise after it.
#[must_use]
pub fn noise_after(data: &SymbolData, end_ms: i64, seed: u64) -> SymbolData {
    let mut random = Rng::with_seed(seed);
    let mut noisy = |bars: &Bars| {
        let mut bars = bars.clone();
        for bar in bars.end_ms.partition_point(|end| *end <= end_ms)..bars.len() {
            let mut factor = || 0.2 + 3.0 * random.f64();
            let (open, close) = (bars.open[bar] * factor(), bars.close[bar] * factor());
            bars.high[bar] = open.max(close) * (1.0 + 0.1 * factor());
            bars.low[bar] = open.min(close) * 0.9;
            bars.volume[bar] *= factor();
            bars.vwap[bar] *= factor();
            (bars.open[bar], bars.close[bar]) = (open, close);
        }
        bars
    };
    with_bars(data, &mut noisy, &|data, changed| {
        for day in &mut changed.official {
            if data.sessions.get(day.session).close_ms >= end_ms {
                (day.open, day.close) = (day.open * 3.0, day.close / 3.0);
            }
        }
    })
}

/// Without the bars of the first sessions.
#[must_use]
pub fn from_session(data: &SymbolData, session: u32) -> SymbolData {
    with_bars(data, &mut |bars| bars.since(bars.session.partition_point(|of| *of < session)), &|_, _| {})
}

/// Data with other bars, those of proxy and VIX included.
fn with_bars(
    data: &SymbolData,
    change: &mut dyn FnMut(&Bars) -> Bars,
    finish: &dyn Fn(&SymbolData, &mut SymbolData),
) -> SymbolData {
    let mut beside =
        |other: &Option<Arc<SymbolData>>| other.as_ref().map(|other| Arc::new(with_bars(other, &mut *change, finish)));
    let (proxy, vix) = (beside(&data.proxy), beside(&data.vix));
    let series = data.series.iter().map(|(timeframe, bars)| (*timeframe, change(bars))).collect();
    let mut changed = SymbolData { series, proxy, vix, ..data.clone() };
    finish(data, &mut changed);
    changed
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
