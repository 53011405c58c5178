//! Why a detector did or did not fire at the end of a bar.

use super::detectors::{Check, Checks, Configured, Factor, Factors};
use super::{ExitPlan, FeatureStream, Features, Input, SessionScope, Side, SymbolData};

/// What a detector made of one bar.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// Everything that was known at its end.
    pub features: Features,
    /// The first required input that is missing.
    pub missing: Option<Input>,
    /// Every condition, met or not.
    pub checks: Vec<Check>,
    /// Whether all of them are met.
    pub fires: bool,
    /// What it would trade if it fired; `None` where inputs are missing, or the side is not known.
    pub setup: Option<SetupAt>,
}

/// What would be traded after a bar.
#[derive(Debug, Clone)]
pub struct SetupAt {
    /// Which way.
    pub side: Side,
    /// 0 to 100.
    pub score: f64,
    /// Its parts.
    pub factors: Vec<Factor>,
    /// How it would end.
    pub plan: ExitPlan,
}

/// Explains bars, which ascend, of the signal series; those outside the hours of the scope are left out.
pub fn explain(data: &SymbolData, configured: &Configured, scope: SessionScope, bars: &[usize]) -> Vec<Explanation> {
    let mut stream = FeatureStream::new(data, configured.detector.features(), scope);
    let mut found = Vec::with_capacity(bars.len());
    let mut next = 0;
    while next < bars.len()
        && let Some(features) = stream.next()
    {
        next += bars[next..].partition_point(|bar| *bar < features.bar);
        if bars.get(next) == Some(&features.bar) {
            found.push(one(configured, features));
            next += 1;
        }
    }
    found
}

fn one(configured: &Configured, features: &Features) -> Explanation {
    let detector = &configured.detector;
    let mut checks = Checks::explaining();
    let fires = detector.detect(features, &mut checks).filter(|_| checks.all_met());
    // With all inputs there is a score, whether conditions are met or not; not without a side, which some get from a condition.
    let side = fires.or(configured.spec.side).filter(|_| checks.missing().is_none());
    let setup = side.map(|side| {
        let mut factors = Factors::explaining();
        let score = detector.score(features, side, &mut factors);
        SetupAt { side, score, factors: factors.list().to_vec(), plan: detector.exits(features, side) }
    });
    Explanation {
        features: features.clone(),
        missing: checks.missing(),
        checks: checks.list().to_vec(),
        fires: fires.is_some(),
        setup,
    }
}
