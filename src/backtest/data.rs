//! Everything a run knows of one symbol.

use std::sync::Arc;

use super::{Bars, Instrument, Sessions};
use crate::model::Timeframe;
use crate::model::splits::Factor;

/// A split: prices of bars before the session are multiplied by `factor.price`, volumes by `factor.volume`, to be
/// compared with those from it on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitAt {
    /// The first session that trades in the new shares: its place in [`Sessions`].
    pub session: u32,
    /// What this one split does to earlier values.
    pub factor: Factor,
}

/// A session's official prices, from the vendor's own day bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OfficialDay {
    /// The session's place in [`Sessions`].
    pub session: u32,
    /// Official open, as traded.
    pub open: f64,
    /// Official close, as traded.
    pub close: f64,
}

/// Everything a run knows of one symbol: its bars of each timeframe, as traded, and what tells how to read them.
#[derive(Debug, Clone)]
pub struct SymbolData {
    /// What it is.
    pub instrument: Instrument,
    /// The trading days that bars refer to.
    pub sessions: Arc<Sessions>,
    /// Timeframe of the signals.
    pub timeframe: Timeframe,
    /// Series that are stored, by timeframe, finest first; that of the signals is among them.
    pub series: Vec<(Timeframe, Bars)>,
    /// Official prices, ascending, where they are stored.
    pub official: Vec<OfficialDay>,
    /// Splits, ascending.
    pub splits: Vec<SplitAt>,
    /// By session: whether its bars are complete, so that a slot without a bar had no trade.
    pub covered: Vec<bool>,
    /// By session: whether the symbol may be entered, as a member of the run's universe and period. Sessions before the
    /// period warm indicators up.
    pub tradable: Vec<bool>,
    /// The symbol whose volume and VWAP stand in for its own.
    pub proxy: Option<Arc<Self>>,
    /// VIX, where it is stored.
    pub vix: Option<Arc<Self>>,
}

impl SymbolData {
    /// A stored series.
    pub fn bars(&self, timeframe: Timeframe) -> Option<&Bars> {
        self.series.iter().find(|(of, _)| *of == timeframe).map(|(_, bars)| bars)
    }

    /// The series that signals come from.
    pub fn signal_bars(&self) -> &Bars {
        self.bars(self.timeframe).expect("Invariant: a symbol without bars of the signal timeframe is not run")
    }

    /// The finest stored series that is finer than a timeframe.
    pub fn finer(&self, timeframe: Timeframe) -> Option<&Bars> {
        self.series.iter().find(|(of, bars)| *of < timeframe && !bars.is_empty()).map(|(_, bars)| bars)
    }

    /// A price of one session in the shares of a later one.
    pub fn price_at(&self, price: f64, from: u32, to: u32) -> f64 {
        self.between(from, to).fold(price, |price, split| split.factor.price(price))
    }

    /// A volume of one session in the shares of a later one.
    pub fn volume_at(&self, volume: f64, from: u32, to: u32) -> f64 {
        self.between(from, to).fold(volume, |volume, split| split.factor.volume(volume))
    }

    fn between(&self, from: u32, to: u32) -> impl Iterator<Item = &SplitAt> {
        self.splits.iter().filter(move |split| from < split.session && split.session <= to)
    }
}
