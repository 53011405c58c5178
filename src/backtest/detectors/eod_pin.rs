//! A price drawn to the strike of most pain before an expiry (detectors 7.9). Pinning is documented for stocks with listed
//! options (Ni, Pearson, Poteshman 2005; Avellaneda and Lipkin 2003); for a cash index it is an extrapolation.

use super::common::{Core, STRUCTURAL, param_list};
use super::score::{Weights, weights};
use super::view::View;
use super::{Checks, Detector, DetectorSpec, Factors};
use crate::backtest::options::PinView;
use crate::backtest::params::{ParamError, ParamSpec, Values, integer, number, params};
use crate::backtest::{ClassGate, ExitPlan, FeatureSettings, Features, Known, Side, StopRule, TargetRule, TradeRules};

params! {
    struct Own {
        /// first minute of the window, on the scale of a full session
        minute_min: i32 = integer(360, "minutes from the open", 0, 390, 5),
        /// the expiry must be nearer than this, or today
        mte_max: f64 = number(30.0, "minutes", 1.0, 50_000.0, 5.0),
        /// the strike must be at least this far
        distance_min_pct: f64 = number(0.05, "%", 0.0, 20.0, 0.01),
        /// the strike must be nearer than this
        distance_max_pct: f64 = number(0.5, "%", 0.0, 20.0, 0.1),
        /// weight at the strike must be at least this
        oi_min: f64 = number(5000.0, "contracts", 0.0, 1e9, 500.0),
        /// nearest stop
        stop_min_atr5: f64 = number(0.25, "ATR of 5m bars", 0.0, 10.0, 0.05).needs(STRUCTURAL),
    }
}

const WEIGHTS: [ParamSpec; 4] =
    weights![max_pain_proximity 0.40, open_interest_concentration 0.30, time_remaining 0.20, dealer_gamma 0.10];

/// Toward the strike.
pub(super) const SETUP: DetectorSpec = DetectorSpec {
    id: "eod_pin_setup",
    help: "a price near the strike of most pain in the last half hour of an expiry: toward the strike",
    class: ClassGate::Index,
    side: None,
    params: param_list!(
        [Own::SPECS, &WEIGHTS],
        { "cooldown_minutes": Integer(120), "max_trades_per_session": Integer(1) }
    ),
    build,
};

fn build(values: &Values) -> Result<Box<dyn Detector>, ParamError> {
    let weights = Weights::read(values, &WEIGHTS);
    Ok(Box::new(EodPin { core: Core::read(values)?, weights, own: Own::read(values) }))
}

#[derive(Debug)]
struct EodPin {
    core: Core,
    weights: Weights<4>,
    own: Own,
}

/// The strike; a chain of which nothing expires at a close has none.
fn pin(features: &Features) -> Known<Option<PinView>> {
    features.chain.map(|chain| chain.pin)
}

impl Detector for EodPin {
    fn features(&self) -> FeatureSettings {
        self.core.features()
    }

    fn rules(&self) -> &TradeRules {
        self.core.rules()
    }

    fn detect(&self, features: &Features, checks: &mut Checks) -> Option<Side> {
        let pin = checks.need(pin(features)).flatten();
        checks.need(features.atr5);
        if self.core.needs_atr() {
            checks.need(features.atr);
        }
        self.core.filter_inputs(features, checks);
        checks.given()?;
        let late_minute = features.late_minute.map_or(f64::NAN, f64::from);
        checks.at_least("minute, counted from the close", late_minute, self.own.minute_min.into())?;
        let is_near_expiry = pin.is_some_and(|pin| pin.expires_today || pin.minutes_to_expiry < self.own.mte_max);
        checks.holds("an expiry today or near", is_near_expiry)?;
        let strike = pin.map_or(f64::NAN, |pin| pin.strike);
        let side = if strike < features.close { Side::Short } else { Side::Long };
        let distance = View { features, side }.distance_pct(strike);
        checks.at_least("distance from the strike, %", distance, self.own.distance_min_pct)?;
        checks.below("distance from the strike, %", distance, self.own.distance_max_pct)?;
        checks.beyond(side, "strike against the close", strike, features.close)?;
        checks.at_least("weight at the strike", pin.map_or(f64::NAN, |pin| pin.weight), self.own.oi_min)?;
        self.core.filter(features, checks)?;
        checks.all_met().then_some(side)
    }

    fn score(&self, features: &Features, side: Side, factors: &mut Factors) -> f64 {
        let Ok(Some(pin)) = pin(features) else { return f64::NAN };
        let gamma = match pin.gex {
            Some(gex) if gex > 0.0 => 100.0,
            Some(_) => 30.0,
            None => 50.0,
        };
        let distance = View { features, side }.distance_pct(pin.strike);
        let values =
            [100.0 - 200.0 * distance, 333.0 * pin.share, (100.0 - 1.67 * pin.minutes_to_expiry).max(50.0), gamma];
        self.weights.score(values, factors)
    }

    fn exits(&self, features: &Features, _side: Side) -> ExitPlan {
        self.core.plan(features.atr.unwrap_or(f64::NAN), || {
            let level = pin(features).ok().flatten().map_or(f64::NAN, |pin| pin.strike);
            let min = self.own.stop_min_atr5 * features.atr5.unwrap_or(f64::NAN);
            (StopRule::MirrorsTarget { min }, TargetRule::Level { level, cap: f64::INFINITY })
        })
    }
}
