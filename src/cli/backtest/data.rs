//! Bars as they are read become what a run knows of a symbol.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Date;

use super::universe::Universe;
use crate::backtest::{Bars, Instrument, OfficialDay, SessionClock, SessionScope, Sessions, SplitAt, SymbolData};
use crate::history::{Held, Origin};
use crate::model::splits::{Factor, SplitRecord, SplitStatus};
use crate::model::{Bar, Session, SessionState, Symbol, Timeframe, TimeframeSet};

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

/// What was read is not what the ledger says is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadError {
    /// Nothing.
    #[error("the ledger has {timeframe} bars of {symbol} on {date}, and none can be read")]
    Nothing {
        /// Of which symbol.
        symbol: Symbol,
        /// Of which timeframe.
        timeframe: Timeframe,
        /// On which date.
        date: Date,
    },
    /// Less of one timeframe than of another.
    #[error(
        "the {timeframe} bars of {symbol} on {date} are made of {minutes} minutes of regular hours, and its {other} bars of \
         {others}: some of them are lost"
    )]
    Uneven {
        /// Of which symbol.
        symbol: Symbol,
        /// On which date.
        date: Date,
        /// The timeframe of the signals.
        timeframe: Timeframe,
        /// Its minutes.
        minutes: u32,
        /// Another one.
        other: Timeframe,
        /// Its minutes.
        others: u32,
    },
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
    /// By series and session: minutes of regular hours that bars are made of.
    minutes: Vec<Vec<u32>>,
    /// The session of the last bar: most bars are of the same.
    last: Option<(Date, u32)>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(frame: &'a Frame, symbol: &Symbol) -> Self {
        let rolled = frame.read.iter().filter(|timeframe| *timeframe != Timeframe::DayOfficial);
        let series: Vec<(Timeframe, Bars)> = rolled.map(|timeframe| (timeframe, Bars::default())).collect();
        Self {
            frame,
            symbol: symbol.clone(),
            minutes: vec![vec![0; frame.sessions.len()]; series.len()],
            series,
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
        let series = self.series.iter().position(|(timeframe, _)| *timeframe == bar.timeframe);
        if let Some(series) = series.filter(|_| bar.session == Session::Regular) {
            self.minutes[series][session as usize] += u32::from(bar.minutes);
        }
        if self.since.is_some_and(|since| date < since) {
            return;
        }
        if bar.timeframe == Timeframe::DayOfficial {
            let (open, close) = (bar.prices.open, bar.prices.close);
            self.official.push(OfficialDay { session, open, close });
        } else if self.frame.scope.admits(bar.session)
            && let Some(series) = series
        {
            self.series[series].1.push(session, bar);
        }
    }

    /// The first date that is the symbol's own, where bars of another company that had the ticker before were left out, and of
    /// how many sessions.
    pub(super) fn left_out(&self) -> Option<(Date, u64)> {
        let since = self.since?;
        let before = |(clock, seen): &(&SessionClock, &bool)| **seen && clock.date < since;
        let sessions = self.frame.sessions.iter().zip(&self.seen).filter(before).count() as u64;
        (sessions > 0).then_some((since, sessions))
    }

    /// Holds what was read against the ledger (B-50): a session that requests have brought bars of has some, and bars of all
    /// timeframes that came the same way are made of as many minutes. How many bars of one symbol a file has brought, the
    /// ledger does not say.
    pub(super) fn check(&self, held: &[Held]) -> Result<(), ReadError> {
        let (symbol, of) = (|| self.symbol.clone(), self.frame.timeframe);
        let signals = self.series.iter().position(|(timeframe, _)| *timeframe == of);
        let signals = signals.expect("Invariant: the timeframe of the signals is read");
        for (session, (held, clock)) in held.iter().zip(self.frame.sessions.iter()).enumerate() {
            if held.state != SessionState::Complete {
                continue;
            }
            // Day bars are of regular hours only.
            let has_some = self.seen[session] || held.origin == Origin::File || of == Timeframe::Day;
            if !has_some {
                return Err(ReadError::Nothing { symbol: symbol(), timeframe: of, date: clock.date });
            }
            let minutes = self.minutes[signals][session];
            for ((other, _), others) in self.series.iter().zip(&self.minutes) {
                if held.alike.contains(*other) && others[session] != minutes {
                    let (other, others) = (*other, others[session]);
                    return Err(ReadError::Uneven {
                        symbol: symbol(),
                        date: clock.date,
                        timeframe: of,
                        minutes,
                        other,
                        others,
                    });
                }
            }
        }
        Ok(())
    }

    /// All of it has been read.
    pub(super) fn done(self, held: &[Held], universe: (&Universe, usize), beside: Beside) -> SymbolData {
        let Self { frame, symbol, mut series, official, since, .. } = self;
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
            // That it had no trade cannot be said of sessions in which it was not there.
            covered: (held.iter().zip(frame.sessions.iter()))
                .map(|(held, clock)| held.state.is_whole() && since.is_none_or(|since| clock.date >= since))
                .collect(),
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
