//! Detectors that come in pairs: one formula, run for one of the two sides (B-68).

use std::fmt;

use super::common::Core;
use super::score::Weights;
use super::view::View;
use super::{Checks, Detector, Factors};
use crate::backtest::params::{ParamError, ParamSpec, Values};
use crate::backtest::{ExitPlan, FeatureSettings, Features, Known, OnceLevel, Side, StopRule, TargetRule, TradeRules};

/// What one of a pair of twins looks for; written once for both sides.
pub(super) trait Idea<const N: usize>: fmt::Debug + Send + Sync {
    /// What it can least do without, asked first so that a bar which lacks much says this.
    fn first(&self, _features: &Features) -> Known<()> {
        Ok(())
    }

    /// Asks for its inputs beside ATR, then, if they are [given](Checks::given), goes through its conditions beside
    /// filters and regular hours.
    fn conditions(&self, view: View<'_>, core: &Core, checks: &mut Checks) -> Option<()>;

    /// The factors of its score, in the order of its weights.
    fn factors(&self, view: View<'_>) -> [f64; N];

    /// Its stop and target.
    fn levels(&self, view: View<'_>, atr: f64) -> (StopRule, TargetRule);

    /// A level it trades once per session.
    fn once(&self, _view: View<'_>, _atr: f64) -> Option<OnceLevel> {
        None
    }
}

/// One of a pair of twins.
#[derive(Debug)]
struct Twin<I, const N: usize> {
    side: Side,
    core: Core,
    weights: Weights<N>,
    idea: I,
}

/// A detector of one side.
pub(super) fn twin<I: Idea<N> + 'static, const N: usize>(
    values: &Values,
    side: Side,
    weights: &'static [ParamSpec; N],
    idea: I,
) -> Result<Box<dyn Detector>, ParamError> {
    let weights = Weights::read(values, weights);
    Ok(Box::new(Twin { side, core: Core::read(values)?, weights, idea }))
}

impl<I, const N: usize> Twin<I, N> {
    const fn view<'a>(&self, features: &'a Features) -> View<'a> {
        View { features, side: self.side }
    }
}

impl<I: Idea<N>, const N: usize> Detector for Twin<I, N> {
    fn features(&self) -> FeatureSettings {
        self.core.features()
    }

    fn rules(&self) -> &TradeRules {
        self.core.rules()
    }

    fn detect(&self, features: &Features, checks: &mut Checks) -> Option<Side> {
        checks.need(self.idea.first(features));
        checks.need(features.atr); // B-44: no substitute for a missing ATR
        self.core.filter_inputs(features, checks);
        self.idea.conditions(self.view(features), &self.core, checks)?;
        self.core.filter(features, checks)?;
        checks.all_met().then_some(self.side)
    }

    fn score(&self, features: &Features, _side: Side, factors: &mut Factors) -> f64 {
        self.weights.score(self.idea.factors(self.view(features)), factors)
    }

    fn exits(&self, features: &Features, _side: Side) -> ExitPlan {
        let atr = features.atr.unwrap_or(f64::NAN);
        self.core.plan(atr, || self.idea.levels(self.view(features), atr))
    }

    fn once(&self, features: &Features, _side: Side) -> Option<OnceLevel> {
        self.idea.once(self.view(features), features.atr.unwrap_or(f64::NAN))
    }
}
