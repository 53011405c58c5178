//! The list of detectors. Another one is a file with its module, and a line here.

use std::collections::BTreeMap;

use super::{
    Detector, breakout, eod_pin, gamma_flip, gamma_squeeze, index_mean_reversion, mean_reversion, opening_drive,
    power_hour_reversal, trend_continuation,
};
use crate::backtest::params::{ParamError, ParamSpec, Values};
use crate::backtest::{ClassGate, DetectorConfig, Side};

/// All detectors, in the order of reports.
pub static DETECTORS: &[DetectorSpec] = &[
    breakout::BULLISH,
    breakout::BEARISH,
    mean_reversion::LONG,
    mean_reversion::SHORT,
    trend_continuation::LONG,
    trend_continuation::SHORT,
    gamma_squeeze::BULLISH,
    gamma_squeeze::BEARISH,
    power_hour_reversal::BULLISH,
    power_hour_reversal::BEARISH,
    index_mean_reversion::LONG,
    index_mean_reversion::SHORT,
    opening_drive::BULLISH,
    opening_drive::BEARISH,
    gamma_flip::BULLISH,
    gamma_flip::BEARISH,
    eod_pin::SETUP,
];

/// Names for several detectors at once.
pub const GROUPS: [&str; 3] = ["all", "equity", "index"];

/// A detector as it is before anything is set.
#[derive(Debug, Clone, Copy)]
pub struct DetectorSpec {
    /// Its identifier: stable.
    pub id: &'static str,
    /// What it looks for, in a line.
    pub help: &'static str,
    /// Which classes of symbols it runs on.
    pub class: ClassGate,
    /// Which way it trades; `None`: toward a level that may lie on either side.
    pub side: Option<Side>,
    pub(super) params: &'static [ParamSpec],
    pub(super) build: fn(&Values) -> Result<Box<dyn Detector>, ParamError>,
}

impl DetectorSpec {
    /// Its parameters.
    pub const fn params(&self) -> &'static [ParamSpec] {
        self.params
    }

    /// The detector with its defaults and what is given over them, by name, as typed.
    pub fn configure(&'static self, given: &BTreeMap<String, String>) -> Result<Configured, ParamError> {
        let values = Values::resolve(self.id, self.params, given)?;
        let detector = (self.build)(&values)?;
        let config = DetectorConfig { detector: self.id.to_owned(), parameters: values.to_json() };
        Ok(Configured { spec: self, config, detector })
    }
}

/// A detector with its parameters.
#[derive(Debug)]
pub struct Configured {
    /// Which one.
    pub spec: &'static DetectorSpec,
    /// Its parameters in full, for the report.
    pub config: DetectorConfig,
    /// What runs.
    pub detector: Box<dyn Detector>,
}

/// The detector of an identifier.
pub fn find(id: &str) -> Option<&'static DetectorSpec> {
    DETECTORS.iter().find(|spec| spec.id == id)
}

/// The detectors of a group, in the order of reports; `None` if there is no such group.
pub fn group(name: &str) -> Option<Vec<&'static DetectorSpec>> {
    let of_class = |class| DETECTORS.iter().filter(|spec| spec.class == class).collect();
    match name {
        "all" => Some(DETECTORS.iter().collect()),
        "equity" => Some(of_class(ClassGate::Equity)),
        "index" => Some(of_class(ClassGate::Index)),
        _ => None,
    }
}
