//! What volume and the session so far say: of the symbol itself, or of the one whose volume stands in for an index's.

use super::frame::Pending;
use crate::backtest::indicators::{SessionVwap, SlotVolume, Slots, opening_range};
use crate::backtest::{
    Bars, FeatureSettings, Input, Known, OpeningRange, SessionClock, SessionScope, Sessions, SymbolData,
};
use crate::model::Session;

/// A close and the session whose shares it is in.
#[derive(Debug, Clone, Copy)]
struct Closed {
    session: u32,
    close: f64,
}

/// Goes through the signal bars of a symbol that has volume. All prices are in that symbol's own, in the shares of the
/// session of the last bar.
#[derive(Debug)]
pub(super) struct Traded<'a> {
    data: &'a SymbolData,
    sessions: &'a Sessions,
    bars: &'a Bars,
    scope: SessionScope,
    settings: FeatureSettings,
    /// What is missing where there is no volume.
    lacks: Input,
    next: usize,
    session: Option<u32>,
    splits: Pending<'a>,
    /// Next official day.
    official: usize,
    slots: Slots,
    volumes: SlotVolume,
    /// Bars that sum up to signal bars, and the next of them.
    finer: Option<(&'a Bars, usize)>,
    finer_vwap: SessionVwap,
    signal_vwap: SessionVwap,
    /// Whether each signal bar of the session so far had finer ones.
    finer_whole: bool,
    /// VWAP of the last regular session that is over.
    last_vwap: Option<(f64, Option<bool>)>,
    last_close: Option<Closed>,
    ranges: [Option<&'a Bars>; 3],
    above_seen: bool,
    below_seen: bool,
    /// What is known at the last bar.
    pub(super) view: View,
}

/// What [`Traded`] knows at a bar's end.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) close: f64,
    pub(super) rvol: Known,
    pub(super) volume_z: Known,
    pub(super) vwap: Known,
    pub(super) vwap_exact: Option<bool>,
    pub(super) day_open: Known,
    pub(super) previous_close: Known,
    pub(super) range: Known<OpeningRange>,
    pub(super) first_above: bool,
    pub(super) first_below: bool,
}

impl<'a> Traded<'a> {
    pub(super) fn new(data: &'a SymbolData, settings: FeatureSettings, scope: SessionScope, lacks: Input) -> Self {
        let full_minutes = data.sessions.iter().map(SessionClock::minutes).fold(SessionClock::FULL_MINUTES, i32::max);
        let slots = Slots::new(data.timeframe, full_minutes, scope);
        let volumes = SlotVolume::new(slots.count(), settings.rvol_sessions, settings.rvol_min_sessions);
        let mut ranges = data.series.iter().filter_map(|(timeframe, bars)| {
            let minutes = i32::from(timeframe.minutes()?);
            (settings.opening_range_minutes % minutes == 0).then_some(bars)
        });
        Self {
            data,
            sessions: &data.sessions,
            bars: data.signal_bars(),
            scope,
            settings,
            lacks,
            next: 0,
            session: None,
            splits: Pending::new(&data.splits),
            official: 0,
            slots,
            volumes,
            finer: data.finer(data.timeframe).map(|bars| (bars, 0)),
            finer_vwap: SessionVwap::default(),
            signal_vwap: SessionVwap::default(),
            finer_whole: false,
            last_vwap: None,
            last_close: None,
            ranges: [ranges.next(), ranges.next(), ranges.next()],
            above_seen: false,
            below_seen: false,
            view: View {
                close: f64::NAN,
                rvol: Err(Input::WarmUp),
                volume_z: Err(Input::WarmUp),
                vwap: Err(lacks),
                vwap_exact: None,
                day_open: Err(Input::WarmUp),
                previous_close: Err(Input::PreviousClose),
                range: Err(Input::WarmUp),
                first_above: false,
                first_below: false,
            },
        }
    }

    /// Takes the bars that have ended by an instant; whether one ended at it.
    pub(super) fn advance(&mut self, end_ms: i64) -> bool {
        let mut at = None;
        while self.next < self.bars.len() && self.bars.end_ms[self.next] <= end_ms {
            let bar = self.next;
            self.next += 1;
            if self.scope == SessionScope::All || self.bars.hours[bar] == Session::Regular {
                self.take(bar);
                at = Some(self.bars.end_ms[bar]);
            }
        }
        at == Some(end_ms)
    }

    fn take(&mut self, bar: usize) {
        let session = self.bars.session[bar];
        let clock = self.sessions.get(session);
        if self.session != Some(session) {
            self.enter(session);
        }
        let (start_ms, end_ms, hours) = (self.bars.start_ms[bar], self.bars.end_ms[bar], self.bars.hours[bar]);
        self.view.close = self.bars.close[bar];
        self.take_volume(bar, self.slots.of(clock, hours, start_ms, end_ms));
        (self.view.first_above, self.view.first_below) = (false, false);
        if hours == Session::Regular {
            self.weigh(bar, session, end_ms);
            self.last_close = Some(Closed { session, close: self.view.close });
            if self.view.day_open.is_err() {
                self.view.day_open = Ok(self.bars.open[bar]);
            }
            self.compare_range(clock, end_ms);
        } else {
            let last = self.own_vwap().or(self.last_vwap);
            self.view.vwap = last.map(|(vwap, _)| vwap).ok_or(self.lacks);
            self.view.vwap_exact = last.and_then(|(_, exact)| exact);
        }
    }

    /// Ends the session before, if any, and starts another.
    fn enter(&mut self, session: u32) {
        if let Some(before) = self.session {
            for passed in before..session {
                if self.sessions.get(passed).minutes() < self.full_minutes() {
                    self.volumes.drop_session();
                } else {
                    self.volumes.close_session(self.covered(passed));
                }
            }
        }
        self.last_vwap = self.own_vwap().or(self.last_vwap);
        while let Some(factor) = self.splits.due(session) {
            self.volumes.rescale(factor);
            if let Some((vwap, _)) = &mut self.last_vwap {
                *vwap = factor.price(*vwap);
            }
        }
        self.volumes.open_session();
        self.session = Some(session);
        (self.finer_vwap, self.signal_vwap) = Default::default();
        self.finer_whole = self.finer.is_some();
        (self.above_seen, self.below_seen) = (false, false);
        self.view.day_open = Err(Input::WarmUp);
        self.view.range = Err(Input::WarmUp);
        self.view.previous_close = self.previous_close(session).ok_or(Input::PreviousClose);
    }

    const fn full_minutes(&self) -> i32 {
        self.slots.full_minutes()
    }

    fn covered(&self, session: u32) -> bool {
        self.data.covered.get(session as usize).copied().unwrap_or(false)
    }

    /// The official close of the session before, else that of its last regular bar. A session that is covered and has no bar
    /// had no trade: the one before it counts.
    fn previous_close(&mut self, session: u32) -> Option<f64> {
        let official = &self.data.official;
        while official.get(self.official).is_some_and(|day| day.session < session) {
            self.official += 1;
        }
        let official = self.official.checked_sub(1).map(|day| &official[day]);
        let official = official.map(|day| Closed { session: day.session, close: day.close });
        let last = match (official, self.last_close) {
            (Some(official), Some(last)) if last.session > official.session => last,
            (Some(official), _) => official,
            (None, last) => last?,
        };
        (last.session + 1..session)
            .all(|passed| self.covered(passed))
            .then(|| self.data.price_at(last.close, last.session, session))
    }

    fn take_volume(&mut self, bar: usize, slot: usize) {
        let volume = self.bars.volume(bar).ok_or(self.lacks);
        let own = |known: Known| known.map_err(|lack| if lack == Input::Volume { self.lacks } else { lack });
        self.view.rvol = volume.and_then(|volume| own(self.volumes.relative(slot, volume)));
        self.view.volume_z = volume.and_then(|volume| own(self.volumes.z(slot, volume)));
        if let Ok(volume) = volume {
            self.volumes.record(slot, volume);
        }
    }

    /// Adds a regular bar to the session's VWAP: the finer bars in it, or itself.
    fn weigh(&mut self, bar: usize, session: u32, end_ms: i64) {
        let bars = self.bars;
        self.signal_vwap.add(bars.vwap[bar], bars.volume[bar], bars.exact_vwap[bar]);
        if let Some((finer, next)) = &mut self.finer {
            let mut within = false;
            while *next < finer.len() && finer.end_ms[*next] <= end_ms {
                let minute = *next;
                *next += 1;
                if finer.session[minute] == session && finer.hours[minute] == Session::Regular {
                    self.finer_vwap.add(finer.vwap[minute], finer.volume[minute], finer.exact_vwap[minute]);
                    within |= finer.start_ms[minute] >= bars.start_ms[bar];
                }
            }
            self.finer_whole &= within;
        }
        let vwap = self.own_vwap();
        self.view.vwap = vwap.map(|(vwap, _)| vwap).ok_or(self.lacks);
        self.view.vwap_exact = vwap.and_then(|(_, exact)| exact);
    }

    /// VWAP of the regular session so far, and whether it is exact.
    fn own_vwap(&self) -> Option<(f64, Option<bool>)> {
        let vwap = if self.finer_whole { &self.finer_vwap } else { &self.signal_vwap };
        vwap.value().map(|value| (value, vwap.exact()))
    }

    fn compare_range(&mut self, clock: &SessionClock, end_ms: i64) {
        let minutes = self.settings.opening_range_minutes;
        if self.view.range == Err(Input::WarmUp) && end_ms >= clock.open_ms + i64::from(minutes) * 60_000 {
            let range = self.ranges.iter().flatten().find_map(|bars| opening_range(bars, clock, minutes));
            self.view.range = range.ok_or(Input::Minutes);
        }
        let Ok(range) = self.view.range else { return };
        let (above, below) = (self.view.close > range.high, self.view.close < range.low);
        self.view.first_above = above && !self.above_seen;
        self.view.first_below = below && !self.below_seen;
        self.above_seen |= above;
        self.below_seen |= below;
    }
}
