//! Bars as they are read become what a run knows of a symbol.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::universe::Universe;
use crate::backtest::{Bars, Instrument, OfficialDay, SessionScope, Sessions, SplitAt, SymbolData};
use crate::history::{Held, Origin};
use crate::model::splits::{Factor, SplitRecord, SplitStatus};
use crate::model::{Bar, SessionState, Symbol, Timeframe, TimeframeSet};

/// What is the same for all symbols of a run.
#[derive(Debug)]
pub(super) struct Frame {
    /// Sessions to warm up and those of the period.
    pub(super) sessions: Arc<Sessions>,
    /// How many of them warm up.
    pub(super) warm_up: usize,
    /// Timeframe of the signals.
    pub(super) timeframe: Timeframe,
    /// Timeframes that are read where they are stored.
    pub(super) read: TimeframeSet,
    /// Which bars.
    pub(super) scope: SessionScope,
    /// Further symbols that are ETFs.
    pub(super) etfs: Vec<String>,
    /// What is known of splits.
    pub(super) splits: SplitsOf,
}

/// What is known of splits, by ticker.
#[derive(Debug, Default)]
pub(super) struct SplitsOf(BTreeMap<String, OfTicker>);

#[derive(Debug, Default)]
struct OfTicker {
    splits: Vec<SplitAt>,
    /// Before this date the ticker was another company's.
    since: Option<Date>,
}

impl SplitsOf {
    /// Takes those that fall into the sessions; later ones change nothing that was known then.
    pub(super) fn new(records: &[SplitRecord], sessions: &Sessions) -> Self {
        let mut of = BTreeMap::<String, OfTicker>::new();
        let Some(last) = sessions.iter().last().map(|clock| clock.date) else { return Self::default() };
        for record in records.iter().filter(|record| record.execution_date <= last) {
            let ticker = of.entry(record.ticker.clone()).or_default();
            match (record.status, record.ratio()) {
                (SplitStatus::Used, Some(ratio)) => {
                    let session = sessions.iter().position(|clock| clock.date >= record.execution_date);
                    if let Some(session) = session.filter(|session| *session > 0) {
                        ticker.splits.push(SplitAt { session: session as u32, factor: Factor::of(ratio) });
                    }
                }
                (SplitStatus::Reused, _) => ticker.since = ticker.since.max(Some(record.execution_date)),
                (SplitStatus::Used | SplitStatus::Unused, _) => {}
            }
        }
        for ticker in of.values_mut() {
            ticker.splits.sort_by_key(|split| split.session);
        }
        Self(of)
    }

    /// How many fall into the sessions.
    pub(super) fn count(&self) -> u64 {
        self.0.values().map(|ticker| ticker.splits.len() as u64).sum()
    }
}

/// A symbol whose bars are being read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    frame: &'a Frame,
    symbol: Symbol,
    series: Vec<(Timeframe, Bars)>,
    official: Vec<OfficialDay>,
    since: Option<Date>,
    /// By session: whether there is a bar of the signals' timeframe.
    seen: Vec<bool>,
    /// The session of the last bar: most bars are of the same.
    last: Option<(Date, u32)>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(frame: &'a Frame, symbol: &Symbol) -> Self {
        let rolled = frame.read.iter().filter(|timeframe| *timeframe != Timeframe::DayOfficial);
        Self {
            frame,
            symbol: symbol.clone(),
            series: rolled.map(|timeframe| (timeframe, Bars::default())).collect(),
            official: Vec::new(),
            since: frame.splits.0.get(symbol.as_str()).and_then(|ticker| ticker.since),
            seen: vec![false; frame.sessions.len()],
            last: None,
        }
    }

    /// Takes a bar. Those of another company that had the ticker, and those outside the hours of the run, are left out.
    pub(super) fn take(&mut self, date: Date, bar: &Bar) {
        let session = match self.last {
            Some((last, session)) if last == date => session,
            _ => {
                let Some(session) = self.frame.sessions.index_of(date) else { return };
                self.last = Some((date, session));
                session
            }
        };
        self.seen[session as usize] |= bar.timeframe == self.frame.timeframe;
        if self.since.is_some_and(|since| date < since) {
            return;
        }
        if bar.timeframe == Timeframe::DayOfficial {
            let (open, close) = (bar.prices.open, bar.prices.close);
            self.official.push(OfficialDay { session, open, close });
        } else if self.frame.scope.admits(bar.session)
            && let Some((_, bars)) = self.series.iter_mut().find(|(timeframe, _)| *timeframe == bar.timeframe)
        {
            bars.push(session, bar);
        }
    }

    /// The first session that has bars by the ledger, and had none when they were read (B-50). Sessions that files have brought
    /// may have none of a symbol, and day bars are of regular hours only.
    pub(super) fn torn(&self, held: &[Held]) -> Option<Date> {
        let counted = |held: &Held| held.state == SessionState::Complete && held.origin != Origin::File;
        if self.frame.timeframe == Timeframe::Day {
            return None;
        }
        let torn = held.iter().zip(&self.seen).position(|(held, seen)| counted(held) && !seen)?;
        Some(self.frame.sessions.get(torn as u32).date)
    }

    /// All of it has been read.
    pub(super) fn done(self, held: &[Held], universe: (&Universe, usize), beside: Beside) -> SymbolData {
        let Self { frame, symbol, mut series, official, .. } = self;
        series.retain(|(timeframe, bars)| *timeframe == frame.timeframe || !bars.is_empty());
        let splits = frame.splits.0.get(symbol.as_str()).map(|ticker| ticker.splits.clone()).unwrap_or_default();
        let in_period = |(place, date): (usize, Date)| place >= frame.warm_up && universe.0.admits(universe.1, date);
        SymbolData {
            instrument: Instrument::of(&symbol, &frame.etfs),
            sessions: Arc::clone(&frame.sessions),
            timeframe: frame.timeframe,
            series,
            official,
            splits,
            covered: held.iter().map(|held| held.state.is_whole()).collect(),
            tradable: frame.sessions.iter().map(|clock| clock.date).enumerate().map(in_period).collect(),
            proxy: beside.proxy,
            vix: beside.vix,
        }
    }
}

/// Symbols that are looked at beside another.
#[derive(Debug, Clone, Default)]
pub(super) struct Beside {
    pub(super) proxy: Option<Arc<SymbolData>>,
    pub(super) vix: Option<Arc<SymbolData>>,
}
