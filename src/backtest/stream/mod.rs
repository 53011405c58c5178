//! Bars in, [`Features`] out: one for each signal bar, with the same work for each.
//!
//! At the end t of a signal bar only bars with an end up to t have been seen, of every timeframe and of the proxy (B-01). All
//! that is held is in the shares of t's session: where a split takes effect it is rescaled, and later ones change nothing
//! (B-07).
//!
//! Bars outside regular hours, where the scope has them, leave the indicators as the last regular bar left them (they are
//! made of regular hours only, and are the same in either scope). Such a bar has its own prices, its volume against the same
//! slot of sessions before, and for VWAP that of the last regular session: its own after the close, that of the session
//! before, before the open.

mod frame;
#[cfg(test)]
mod model;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod traded;
mod warm_up;

use frame::{Frame, Momentum, Pending};
use traded::Traded;

use super::indicators::{
    ADX_BARS, ATR_MEAN_BARS, Adx, Divergence, Donchian, Ema, Pivots, RegimeInputs, RollingMean, WILDER_BARS, ema_bars,
    regime,
};
use super::{
    AssetClass, Bars, FeatureSettings, Features, Input, Known, OpeningRange, SessionClock, SessionScope, Side,
    SymbolData,
};
use crate::model::splits::Factor;
use crate::model::{Session, Timeframe};

/// Timeframes that are held together, finest first.
const FRAMES: [Timeframe; 3] = [Timeframe::M5, Timeframe::M15, Timeframe::H1];
const M5: usize = 0;

/// Largest body of a patient candle, in ATR.
const PATIENT_ATR: f64 = 0.3;

/// Indicators of the signal bars alone.
#[derive(Debug)]
struct Trend {
    ema200: Ema,
    adx: Adx,
    atr_mean: RollingMean,
    donchian: Donchian,
    pivots: Pivots,
    bull: Divergence,
    bear: Divergence,
}

impl Trend {
    fn rescale(&mut self, factor: Factor) {
        self.ema200.rescale(factor);
        self.adx.rescale(factor);
        self.atr_mean.rescale(factor);
        self.donchian.rescale(factor);
        self.pivots.rescale(factor);
        self.bull.rescale(factor);
        self.bear.rescale(factor);
    }
}

/// Features of a symbol, bar by bar.
#[derive(Debug)]
pub struct FeatureStream<'a> {
    data: &'a SymbolData,
    bars: &'a Bars,
    scope: SessionScope,
    settings: FeatureSettings,
    next: usize,
    session: Option<u32>,
    /// Session of the last regular bar before this session.
    session_before: Option<u32>,
    splits: Pending<'a>,
    momentum: Momentum,
    trend: Trend,
    frames: [Option<Frame<'a>>; 3],
    /// Whose volume counts; `None` for an index without a proxy.
    traded: Option<Traded<'a>>,
    /// Next of VIX's bars.
    vix: usize,
    /// First bar of the session that `approach_close` has not passed.
    approach: usize,
    features: Features,
}

impl<'a> FeatureStream<'a> {
    /// Starts before the first bar.
    pub fn new(data: &'a SymbolData, settings: FeatureSettings, scope: SessionScope) -> Self {
        let frame = |timeframe: Timeframe| {
            let bars = data.bars(timeframe).filter(|_| timeframe != data.timeframe)?;
            Some(Frame::new(bars, &data.splits, &settings))
        };
        let traded = match &data.proxy {
            Some(proxy) => Some(Traded::new(proxy, settings, scope, Input::ProxyVolume)),
            None if data.instrument.class == AssetClass::Index => None,
            None => Some(Traded::new(data, settings, scope, Input::Volume)),
        };
        let divergence = |side| Divergence::new(side, settings.div_min_bars, settings.div_max_bars);
        Self {
            data,
            bars: data.signal_bars(),
            scope,
            settings,
            next: 0,
            session: None,
            session_before: None,
            splits: Pending::new(&data.splits),
            momentum: Momentum::new(&settings),
            trend: Trend {
                ema200: Ema::new(200),
                adx: Adx::default(),
                atr_mean: RollingMean::new(ATR_MEAN_BARS),
                donchian: Donchian::new(settings.donchian_bars),
                pivots: Pivots::new(settings.pivot_side),
                bull: divergence(Side::Long),
                bear: divergence(Side::Short),
            },
            frames: FRAMES.map(frame),
            traded,
            vix: 0,
            approach: 0,
            features: Features::unknown(),
        }
    }

    /// What is known at the end of the next signal bar; `None` after the last. Bars that only warm indicators up are among
    /// them.
    #[expect(clippy::should_implement_trait, reason = "what is lent lives until the next call")]
    pub fn next(&mut self) -> Option<&Features> {
        let bar = loop {
            let bar = self.next;
            if bar == self.bars.len() {
                return None;
            }
            self.next += 1;
            if self.scope == SessionScope::All || self.bars.hours[bar] == Session::Regular {
                break bar;
            }
        };
        let (session, end_ms) = (self.bars.session[bar], self.bars.end_ms[bar]);
        if self.session != Some(session) {
            self.enter(session, bar);
        }
        for frame in self.frames.iter_mut().flatten() {
            frame.advance(end_ms, session);
        }
        self.set_bar(bar, session, end_ms);
        if self.bars.hours[bar] == Session::Regular {
            self.take(bar);
        } else {
            self.set_levels();
            self.features.approach_close = Err(Input::WarmUp);
        }
        self.set_frames(bar, session);
        self.set_traded(end_ms);
        self.set_vix(session, end_ms);
        Some(&self.features)
    }

    fn enter(&mut self, session: u32, bar: usize) {
        while let Some(factor) = self.splits.due(session) {
            self.momentum.rescale(factor);
            self.trend.rescale(factor);
        }
        self.session = Some(session);
        self.session_before = self.momentum.session;
        self.approach = bar;
        self.features.day_high = Err(Input::WarmUp);
        self.features.day_low = Err(Input::WarmUp);
        self.set_trend();
    }

    fn set_bar(&mut self, bar: usize, session: u32, end_ms: i64) {
        let features = &mut self.features;
        (features.bar, features.session, features.end_ms) = (bar, session, end_ms);
        features.open = self.bars.open[bar];
        features.high = self.bars.high[bar];
        features.low = self.bars.low[bar];
        features.close = self.bars.close[bar];
        let clock = self.data.sessions.get(session);
        features.minute = clock.minute(end_ms).filter(|_| self.bars.hours[bar] == Session::Regular);
        let full = clock.minutes().max(SessionClock::FULL_MINUTES);
        features.late_minute = features.minute.map(|minute| full - (clock.minutes() - minute));
    }

    /// A regular bar: into the indicators, and what they then say.
    fn take(&mut self, bar: usize) {
        let Features { high, low, close, session, end_ms, .. } = self.features;
        self.set_levels();
        self.momentum.update(self.bars, bar);
        let (rsi, atr) = self.momentum.defined();
        let trend = &mut self.trend;
        trend.donchian.push(high, low);
        trend.ema200.update(close);
        trend.adx.update(high, low, close);
        let (swing_high, swing_low) = trend.pivots.push(high, low, rsi.unwrap_or(f64::NAN));
        trend.bull.push(swing_low);
        trend.bear.push(swing_high);
        self.set_trend();
        self.features.regime = self.regime(close);
        if let Some(atr) = atr {
            self.trend.atr_mean.update(atr);
        }
        let features = &mut self.features;
        features.day_high = Ok(features.day_high.map_or(high, |highest| highest.max(high)));
        features.day_low = Ok(features.day_low.map_or(low, |lowest| lowest.min(low)));
        self.features.approach_close = self.approach_close(session, end_ms);
    }

    /// Levels of the bars before.
    fn set_levels(&mut self) {
        let levels = self.trend.donchian.levels();
        self.features.donchian_high = levels.map(|(high, _)| high).ok_or(Input::WarmUp);
        self.features.donchian_low = levels.map(|(_, low)| low).ok_or(Input::WarmUp);
    }

    fn set_trend(&mut self) {
        let (features, momentum, trend) = (&mut self.features, &self.momentum, &self.trend);
        features.rsi = momentum.rsi();
        features.atr = momentum.atr();
        features.ema21 = momentum.ema21();
        features.ema50 = momentum.ema50();
        features.ema200 = momentum.settled(trend.ema200.value(), ema_bars(200));
        let directional = trend.adx.value().filter(|_| momentum.bars >= ADX_BARS);
        features.adx = directional.map(|known| known.adx).ok_or(Input::WarmUp);
        features.di_plus = directional.map(|known| known.plus).ok_or(Input::WarmUp);
        features.di_minus = directional.map(|known| known.minus).ok_or(Input::WarmUp);
        features.swing_high = trend.pivots.high().map(|swing| swing.price).ok_or(Input::WarmUp);
        features.swing_low = trend.pivots.low().map(|swing| swing.price).ok_or(Input::WarmUp);
        features.higher_lows = trend.pivots.higher_lows();
        features.lower_highs = trend.pivots.lower_highs();
        features.bull_divergence = trend.bull.holds();
        features.bear_divergence = trend.bear.holds();
    }

    fn regime(&self, close: f64) -> Known<super::Regime> {
        let bars = ADX_BARS.max(WILDER_BARS + ATR_MEAN_BARS as u32);
        let atr_mean = self.momentum.settled(self.trend.atr_mean.value(), bars)?;
        let directional = self.trend.adx.value().ok_or(Input::WarmUp)?;
        Ok(regime(&RegimeInputs { directional, atr: self.momentum.atr()?, atr_mean, close }))
    }

    /// Close of the last signal bar of the session that had ended so long ago.
    fn approach_close(&mut self, session: u32, end_ms: i64) -> Known {
        let until = end_ms - i64::from(self.settings.approach_minutes) * 60_000;
        while self.approach < self.next && self.bars.end_ms[self.approach] <= until {
            self.approach += 1;
        }
        let last = self.approach.checked_sub(1).ok_or(Input::WarmUp)?;
        let in_session = self.bars.session[last] == session && self.bars.hours[last] == Session::Regular;
        if in_session { Ok(self.bars.close[last]) } else { Err(Input::WarmUp) }
    }

    /// A timeframe's indicators, unless its bars have ended long ago: then it is stored for other days only.
    fn fresh(&self, frame: usize) -> Option<&Momentum> {
        let momentum = match &self.frames[frame] {
            _ if FRAMES[frame] == self.data.timeframe => &self.momentum,
            Some(frame) => &frame.momentum,
            None => return None,
        };
        momentum.session.filter(|last| Some(*last) >= self.session_before).map(|_| momentum)
    }

    fn set_frames(&mut self, bar: usize, session: u32) {
        let frames: [Option<&Momentum>; 3] = std::array::from_fn(|frame| self.fresh(frame));
        let rsi = frames.map(|frame| frame.and_then(|momentum| momentum.rsi().ok()));
        let [_, slow @ ..] = frames;
        let trends = slow.map(|frame| frame.and_then(|momentum| momentum.ema21().ok().zip(momentum.ema50().ok())));
        let atr5 = frames[M5].map_or(Err(Input::Minutes), Momentum::atr);
        let false_break = self.false_break(bar, session);
        let features = &mut self.features;
        features.atr5 = atr5;
        (features.mtf_rsi_long, features.mtf_flag_long) =
            share(rsi.iter().flatten(), |rsi| (50.0..=70.0).contains(rsi));
        (features.mtf_rsi_short, features.mtf_flag_short) =
            share(rsi.iter().flatten(), |rsi| (30.0..=50.0).contains(rsi));
        (features.mtf_ema_long, _) = share(trends.iter().flatten(), |(fast, slow)| fast > slow);
        (features.mtf_ema_short, _) = share(trends.iter().flatten(), |(fast, slow)| fast < slow);
        features.false_break_down = false_break.map(|(down, _)| down);
        features.false_break_up = false_break.map(|(_, up)| up);
        features.patient = features.atr.is_ok_and(|atr| (features.close - features.open).abs() <= PATIENT_ATR * atr);
    }

    /// Whether the last complete 5m bar, one of this signal bar, broke out of the range of the one before in its session and
    /// closed back inside it: downwards, upwards.
    fn false_break(&self, bar: usize, session: u32) -> Known<(bool, bool)> {
        if self.bars.hours[bar] != Session::Regular {
            return Err(Input::Minutes);
        }
        let (bars, last, before) = match &self.frames[M5] {
            _ if self.data.timeframe == Timeframe::M5 => (self.bars, Some(bar), bar.checked_sub(1)),
            Some(frame) => (frame.bars, frame.last, frame.before),
            None => return Err(Input::Minutes),
        };
        // Of timeframes finer than 5m the last complete bar ended before this one started.
        let since = self.bars.start_ms[bar].min(self.bars.end_ms[bar] - 10 * 60_000);
        let last = last.filter(|last| bars.end_ms[*last] > since).ok_or(Input::Minutes)?;
        let in_session = |bar: &usize| bars.session[*bar] == session && bars.hours[*bar] == Session::Regular;
        let Some(before) = before.filter(in_session).filter(|_| in_session(&last)) else { return Ok((false, false)) };
        let (high, low, close) = (bars.high[before], bars.low[before], bars.close[last]);
        let inside = low <= close && close <= high;
        Ok((inside && bars.low[last] < low, inside && bars.high[last] > high))
    }

    fn set_traded(&mut self, end_ms: i64) {
        let features = &mut self.features;
        let proxied = self.data.proxy.is_some();
        let view = self.traded.as_mut().and_then(|traded| traded.advance(end_ms).then_some(&traded.view));
        let Some(view) = view else {
            features.rvol = Err(Input::ProxyVolume);
            features.volume_z = Err(Input::ProxyVolume);
            features.vwap = Err(Input::ProxyVolume);
            features.vwap_distance = Err(Input::ProxyVolume);
            features.vwap_exact = None;
            features.day_open = Err(Input::ProxyVolume);
            features.day_move_pct = Err(Input::ProxyVolume);
            features.previous_close = Err(Input::ProxyVolume);
            features.gap_pct = Err(Input::ProxyVolume);
            features.opening_range = Err(Input::ProxyVolume);
            (features.first_above_range, features.first_below_range) = (false, false);
            return;
        };
        let close = features.close;
        let own = |price: f64| if proxied { close * (price / view.close) } else { price };
        let percent = |value: f64, of: f64| 100.0 * (value - of) / of;
        features.rvol = view.rvol;
        features.volume_z = view.volume_z;
        features.vwap = view.vwap.map(own);
        features.vwap_distance = view.vwap.map(|vwap| percent(view.close, vwap));
        features.vwap_exact = view.vwap_exact;
        features.day_open = view.day_open.map(own);
        features.day_move_pct = view.day_open.map(|open| percent(view.close, open));
        features.previous_close = view.previous_close.map(own);
        features.gap_pct = view.previous_close.and_then(|before| Ok(percent(view.day_open?, before)));
        features.opening_range = view.range.map(|range| OpeningRange {
            open: own(range.open),
            high: own(range.high),
            low: own(range.low),
            close: own(range.close),
        });
        (features.first_above_range, features.first_below_range) = (view.first_above, view.first_below);
    }

    /// The last close of VIX that is known, of this session or the one before.
    fn set_vix(&mut self, session: u32, end_ms: i64) {
        let Some(vix) = &self.data.vix else { return };
        let bars = vix.signal_bars();
        while self.vix < bars.len() && bars.end_ms[self.vix] <= end_ms {
            self.vix += 1;
        }
        let last = self.vix.checked_sub(1).filter(|last| bars.session[*last] + 1 >= session);
        self.features.vix = last.map(|last| bars.close[last]).ok_or(Input::Vix);
    }
}

/// Share of items that are so in percent (50 of none), and whether at least two are and none is not.
fn share<'i, T: 'i>(items: impl Iterator<Item = &'i T>, is_so: impl Fn(&T) -> bool) -> (f64, bool) {
    let (mut count, mut so) = (0_u32, 0_u32);
    for item in items {
        count += 1;
        so += u32::from(is_so(item));
    }
    let percent = if count == 0 { 50.0 } else { 100.0 * f64::from(so) / f64::from(count) };
    (percent, count >= 2 && so == count)
}
