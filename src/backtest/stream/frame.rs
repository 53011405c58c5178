//! A series of bars and the indicators of its prices.

use crate::backtest::indicators::{Atr, Ema, Rsi, WILDER_BARS, ema_bars};
use crate::backtest::{Bars, FeatureSettings, Input, Known, SplitAt};
use crate::model::Session;
use crate::model::splits::Factor;

/// Splits that have not taken effect yet.
#[derive(Debug, Clone)]
pub(super) struct Pending<'a>(&'a [SplitAt]);

impl<'a> Pending<'a> {
    pub(super) const fn new(splits: &'a [SplitAt]) -> Self {
        Self(splits)
    }

    /// The next split that has taken effect by a session, once.
    pub(super) fn due(&mut self, session: u32) -> Option<Factor> {
        let (split, later) = self.0.split_first().filter(|(split, _)| split.session <= session)?;
        self.0 = later;
        Some(split.factor)
    }
}

/// Indicators that every timeframe has: those of its regular hours.
#[derive(Debug, Clone)]
pub(super) struct Momentum {
    rsi: Rsi,
    ema21: Ema,
    ema50: Ema,
    atr: Atr,
    /// Bars so far.
    pub(super) bars: u32,
    /// Session of the last bar.
    pub(super) session: Option<u32>,
}

impl Momentum {
    pub(super) fn new(settings: &FeatureSettings) -> Self {
        Self {
            rsi: Rsi::default(),
            ema21: Ema::new(21),
            ema50: Ema::new(50),
            atr: Atr::new(settings.tr_gaps, settings.atr_simple),
            bars: 0,
            session: None,
        }
    }

    pub(super) fn update(&mut self, bars: &Bars, bar: usize) {
        let session = bars.session[bar];
        let opens_session = self.session.replace(session) != Some(session);
        let close = bars.close[bar];
        self.rsi.update(close);
        self.ema21.update(close);
        self.ema50.update(close);
        self.atr.update(bars.high[bar], bars.low[bar], close, opens_session);
        self.bars = self.bars.saturating_add(1);
    }

    pub(super) fn rescale(&mut self, factor: Factor) {
        self.rsi.rescale(factor);
        self.ema21.rescale(factor);
        self.ema50.rescale(factor);
        self.atr.rescale(factor);
    }

    /// A value that has forgotten where its series started (B-08).
    pub(super) fn settled(&self, value: Option<f64>, bars: u32) -> Known {
        value.filter(|_| self.bars >= bars).ok_or(Input::WarmUp)
    }

    pub(super) fn rsi(&self) -> Known {
        self.settled(self.rsi.value(), WILDER_BARS)
    }

    pub(super) fn atr(&self) -> Known {
        self.settled(self.atr.value(), WILDER_BARS)
    }

    pub(super) fn ema21(&self) -> Known {
        self.settled(self.ema21.value(), ema_bars(21))
    }

    pub(super) fn ema50(&self) -> Known {
        self.settled(self.ema50.value(), ema_bars(50))
    }

    /// Both by their definition alone, for indicators made of them.
    pub(super) fn defined(&self) -> (Option<f64>, Option<f64>) {
        (self.rsi.value(), self.atr.value())
    }
}

/// A timeframe beside that of the signals. Its bars are seen when they have ended (B-01).
#[derive(Debug, Clone)]
pub(super) struct Frame<'a> {
    pub(super) bars: &'a Bars,
    next: usize,
    splits: Pending<'a>,
    pub(super) momentum: Momentum,
    /// The last regular bar and the one before.
    pub(super) last: Option<usize>,
    pub(super) before: Option<usize>,
}

impl<'a> Frame<'a> {
    pub(super) fn new(bars: &'a Bars, splits: &'a [SplitAt], settings: &FeatureSettings) -> Self {
        Self {
            bars,
            next: 0,
            splits: Pending::new(splits),
            momentum: Momentum::new(settings),
            last: None,
            before: None,
        }
    }

    /// Takes the bars that have ended by an instant of a session; what it holds is then in that session's shares.
    pub(super) fn advance(&mut self, end_ms: i64, session: u32) {
        while self.next < self.bars.len() && self.bars.end_ms[self.next] <= end_ms {
            let bar = self.next;
            self.next += 1;
            if self.bars.hours[bar] == Session::Regular {
                self.enter(self.bars.session[bar]);
                self.momentum.update(self.bars, bar);
                self.before = self.last.replace(bar);
            }
        }
        self.enter(session);
    }

    fn enter(&mut self, session: u32) {
        while let Some(factor) = self.splits.due(session) {
            self.momentum.rescale(factor);
        }
    }
}
