//! Features from their definitions: everything anew for each bar, from all bars that have ended by then.

use crate::backtest::{
    AssetClass, Bars, FeatureSettings, Features, Input, Known, OpeningRange, Regime, Side, SymbolData,
};
use crate::model::{Session, Timeframe};

#[derive(Debug, Clone, Copy)]
struct Candle {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
    session: u32,
    start_ms: i64,
    end_ms: i64,
}

/// Regular bars that have ended by an instant, in the shares of a session.
fn ended(data: &SymbolData, bars: &Bars, end_ms: i64, session: u32) -> Vec<Candle> {
    (0..bars.len())
        .filter(|bar| bars.end_ms[*bar] <= end_ms && bars.hours[*bar] == Session::Regular)
        .map(|bar| {
            let price = |price| data.price_at(price, bars.session[bar], session);
            Candle {
                open: price(bars.open[bar]),
                high: price(bars.high[bar]),
                low: price(bars.low[bar]),
                close: price(bars.close[bar]),
                volume: data.volume_at(bars.volume[bar], bars.session[bar], session),
                session: bars.session[bar],
                start_ms: bars.start_ms[bar],
                end_ms: bars.end_ms[bar],
            }
        })
        .collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Wilder's mean of 14 at each value; None before.
fn wilder(values: &[f64]) -> Vec<Option<f64>> {
    let mut means: Vec<Option<f64>> = vec![None; values.len()];
    for place in 13..values.len() {
        means[place] = Some(match means[..place].last().copied().flatten() {
            Some(before) => (before * 13.0 + values[place]) / 14.0,
            None => mean(&values[..14]),
        });
    }
    means
}

fn ema(closes: &[f64], n: usize) -> Option<f64> {
    let alpha = 2.0 / (n as f64 + 1.0);
    (closes.len() >= n).then(|| closes[n..].iter().fold(mean(&closes[..n]), |m, c| alpha * c + (1.0 - alpha) * m))
}

fn rsi(candles: &[Candle]) -> Vec<Option<f64>> {
    let changes: Vec<f64> = candles.windows(2).map(|pair| pair[1].close - pair[0].close).collect();
    let rises = wilder(&changes.iter().map(|change| change.max(0.0)).collect::<Vec<_>>());
    let falls = wilder(&changes.iter().map(|change| (-change).max(0.0)).collect::<Vec<_>>());
    let index = |(rise, fall): (Option<f64>, Option<f64>)| {
        let (rise, fall) = (rise?, fall?);
        Some(match (rise, fall) {
            (0.0, 0.0) => 50.0,
            (_, 0.0) => 100.0,
            _ => 100.0 - 100.0 / (1.0 + rise / fall),
        })
    };
    std::iter::once(None).chain(rises.into_iter().zip(falls).map(index)).take(candles.len()).collect()
}

fn true_ranges(candles: &[Candle], gaps: bool) -> Vec<f64> {
    let range = |place: usize| {
        let Candle { high, low, .. } = candles[place];
        match place.checked_sub(1).map(|before| candles[before]) {
            Some(before) if gaps || before.session == candles[place].session => {
                (high - low).max((high - before.close).abs()).max((low - before.close).abs())
            }
            _ => high - low,
        }
    };
    (0..candles.len()).map(range).collect()
}

fn atr(candles: &[Candle], settings: &FeatureSettings) -> Vec<Option<f64>> {
    let ranges = true_ranges(candles, settings.tr_gaps);
    if settings.atr_simple {
        return (0..ranges.len()).map(|place| (place >= 13).then(|| mean(&ranges[place - 13..=place]))).collect();
    }
    wilder(&ranges)
}

/// ADX, DI+, DI-.
fn adx(candles: &[Candle]) -> Option<(f64, f64, f64)> {
    let moves: Vec<(f64, f64)> = candles
        .windows(2)
        .map(|pair| {
            let (up, down) = (pair[1].high - pair[0].high, pair[0].low - pair[1].low);
            (if up > down { up.max(0.0) } else { 0.0 }, if down > up { down.max(0.0) } else { 0.0 })
        })
        .collect();
    let plus = wilder(&moves.iter().map(|(plus, _)| *plus).collect::<Vec<_>>());
    let minus = wilder(&moves.iter().map(|(_, minus)| *minus).collect::<Vec<_>>());
    let ranges = wilder(&true_ranges(candles, true)[1.min(candles.len())..]);
    let share = |movement: f64, range: f64| if range == 0.0 { 0.0 } else { 100.0 * movement / range };
    let di: Vec<(f64, f64)> = (0..moves.len())
        .filter_map(|place| Some((share(plus[place]?, ranges[place]?), share(minus[place]?, ranges[place]?))))
        .collect();
    let dx: Vec<f64> =
        di.iter().map(|(p, m)| if p + m == 0.0 { 0.0 } else { 100.0 * (p - m).abs() / (p + m) }).collect();
    let (plus, minus) = *di.last()?;
    Some(((*wilder(&dx).last()?)?, plus, minus))
}

/// Places of strict swings that are confirmed by the last candle.
fn swings(candles: &[Candle], side: usize, value: impl Fn(&Candle) -> f64) -> Vec<usize> {
    let highest = |place: &usize| {
        (place - side..=place + side).all(|o| o == *place || value(&candles[o]) < value(&candles[*place]))
    };
    (side..candles.len().saturating_sub(side)).filter(highest).collect()
}

fn diverges(candles: &[Candle], swings: &[usize], rsi: &[Option<f64>], side: Side, settings: &FeatureSettings) -> bool {
    let level = |place: usize| if side == Side::Long { candles[place].low } else { -candles[place].high };
    let index = |place: usize| rsi[place].map(|rsi| side.sign() * rsi);
    swings.iter().any(|later| {
        let recent = later + settings.pivot_side + 5 >= candles.len();
        let apart = |earlier: &usize| (settings.div_min_bars..=settings.div_max_bars).contains(&(later - earlier));
        recent
            && swings.iter().filter(|earlier| *earlier < later).filter(|earlier| apart(earlier)).any(|earlier| {
                let rsi_rises = index(*later).zip(index(*earlier)).is_some_and(|(later, earlier)| later > earlier);
                level(*later) < level(*earlier) && rsi_rises
            })
    })
}

fn settled(value: Option<f64>, candles: &[Candle], bars: usize) -> Known {
    value.filter(|_| candles.len() >= bars).ok_or(Input::WarmUp)
}

/// Volumes of the same slot in so many full sessions before, the latest first.
fn slot_volumes(data: &SymbolData, candles: &[Candle], sessions: usize) -> Vec<f64> {
    let last = candles.last().unwrap();
    let clock = data.sessions.get(last.session);
    let from_open = last.end_ms - clock.open_ms <= clock.close_ms - last.end_ms || !clock.closes_early();
    let first = candles[0].session;
    (first..last.session)
        .rev()
        .filter(|session| !data.sessions.get(*session).closes_early())
        .take(sessions)
        .filter_map(|session| {
            let other = data.sessions.get(session);
            let is_slot = |candle: &&Candle| {
                candle.session == session
                    && if from_open {
                        candle.start_ms - other.open_ms == last.start_ms - clock.open_ms
                    } else {
                        other.close_ms - candle.start_ms == clock.close_ms - last.start_ms
                    }
            };
            let covered = data.covered[session as usize].then_some(0.0);
            candles.iter().find(is_slot).map(|candle| candle.volume).or(covered)
        })
        .collect()
}

/// What volume and session say, in the prices of the symbol that has the volume.
fn set_traded(features: &mut Features, own: &SymbolData, settings: &FeatureSettings) {
    let (data, lacks) = match &own.proxy {
        Some(proxy) => (&**proxy, Input::ProxyVolume),
        None => (own, Input::Volume),
    };
    let (end_ms, session) = (features.end_ms, features.session);
    let candles = ended(data, data.signal_bars(), end_ms, session);
    let has_bar = candles.last().is_some_and(|last| last.end_ms == end_ms);
    if !has_bar || (own.proxy.is_none() && own.instrument.class == AssetClass::Index) {
        let none = Err(Input::ProxyVolume);
        (features.rvol, features.volume_z, features.vwap, features.vwap_distance) = (none, none, none, none);
        (features.day_open, features.day_move_pct, features.previous_close, features.gap_pct) =
            (none, none, none, none);
        features.opening_range = Err(Input::ProxyVolume);
        return;
    }
    let last = candles.last().unwrap();
    let clock = data.sessions.get(session);
    let ratio = if own.proxy.is_some() { features.close / last.close } else { 1.0 };

    let volumes = slot_volumes(data, &candles, settings.rvol_sessions);
    features.rvol = if volumes.len() < settings.rvol_min_sessions {
        Err(Input::WarmUp)
    } else {
        Some(last.volume / mean(&volumes)).filter(|_| mean(&volumes) > 0.0).ok_or(lacks)
    };
    let volumes = slot_volumes(data, &candles, 20);
    features.volume_z = if volumes.len() < settings.rvol_min_sessions {
        Err(Input::WarmUp)
    } else {
        let center = mean(&volumes);
        let squares: f64 = volumes.iter().map(|volume| (volume - center).powi(2)).sum();
        let deviation = (squares / (volumes.len() as f64 - 1.0)).sqrt();
        Some((last.volume - center) / deviation).filter(|_| deviation > 0.0).ok_or(lacks)
    };

    let minutes = |bars: &Bars| -> Vec<usize> {
        let of_session = |bar: &usize| {
            bars.session[*bar] == session && bars.hours[*bar] == Session::Regular && bars.end_ms[*bar] <= end_ms
        };
        (0..bars.len()).filter(of_session).collect()
    };
    let finer = data.finer(data.timeframe).filter(|bars| !minutes(bars).is_empty());
    let source = finer.unwrap_or(data.signal_bars());
    let (mut weighted, mut weight) = (0.0, 0.0);
    for bar in minutes(source) {
        if let Some((vwap, volume)) = source.vwap(bar).zip(source.volume(bar)) {
            (weighted, weight) = (weighted + vwap * volume, weight + volume);
        }
    }
    let vwap = Some(weighted / weight).filter(|_| weight > 0.0).ok_or(lacks);
    features.vwap = vwap.map(|vwap| vwap * ratio);
    features.vwap_distance = vwap.map(|vwap| 100.0 * (last.close / vwap - 1.0));

    let day: Vec<&Candle> = candles.iter().filter(|candle| candle.session == session).collect();
    let open = day[0].open;
    features.day_open = Ok(open * ratio);
    features.day_move_pct = Ok(100.0 * (last.close / open - 1.0));
    let official = data.official.iter().rev().find(|day| day.session < session);
    let official = official.map(|day| (day.session, data.price_at(day.close, day.session, session)));
    let traded = candles.iter().rev().find(|candle| candle.session < session);
    let traded = traded.map(|candle| (candle.session, candle.close));
    let before = [traded, official].into_iter().flatten().max_by_key(|(session, _)| *session);
    let before = before.filter(|(last, _)| (last + 1..session).all(|passed| data.covered[passed as usize]));
    features.previous_close = before.map(|(_, close)| close * ratio).ok_or(Input::PreviousClose);
    features.gap_pct = before.map(|(_, close)| 100.0 * (open / close - 1.0)).ok_or(Input::PreviousClose);

    let range_end = clock.open_ms + i64::from(settings.opening_range_minutes) * 60_000;
    let range = data.series.iter().find_map(|(timeframe, bars)| {
        let length = i32::from(timeframe.minutes()?);
        let first: Vec<usize> = minutes(bars).into_iter().filter(|bar| bars.end_ms[*bar] <= range_end).collect();
        let fits = settings.opening_range_minutes % length == 0 && !first.is_empty();
        fits.then(|| OpeningRange {
            open: bars.open[first[0]],
            high: first.iter().map(|bar| bars.high[*bar]).fold(f64::MIN, f64::max),
            low: first.iter().map(|bar| bars.low[*bar]).fold(f64::MAX, f64::min),
            close: bars.close[*first.last().unwrap()],
        })
    });
    if end_ms < range_end {
        features.opening_range = Err(Input::WarmUp);
        return;
    }
    features.opening_range = range.ok_or(Input::Minutes).map(|range| OpeningRange {
        open: range.open * ratio,
        high: range.high * ratio,
        low: range.low * ratio,
        close: range.close * ratio,
    });
    if let Some(range) = range {
        let over = day.iter().filter(|candle| candle.end_ms >= range_end);
        features.first_above_range =
            over.clone().position(|candle| candle.close > range.high) == Some(over.clone().count() - 1);
        features.first_below_range = over.clone().position(|candle| candle.close < range.low) == Some(over.count() - 1);
    }
}

fn set_frames(features: &mut Features, data: &SymbolData, own: &[Candle], settings: &FeatureSettings) {
    let session = features.session;
    let session_before = own.iter().rev().map(|candle| candle.session).find(|other| *other < session);
    let frame = |timeframe: Timeframe| {
        let candles = ended(data, data.bars(timeframe)?, features.end_ms, session);
        candles.last().is_some_and(|last| Some(last.session) >= session_before).then_some(candles)
    };
    let index = |candles: &Vec<Candle>| settled(rsi(candles).last().copied().flatten(), candles, 150).ok();
    let known: Vec<f64> = [Timeframe::M5, Timeframe::M15, Timeframe::H1]
        .into_iter()
        .filter_map(frame)
        .filter_map(|candles| index(&candles))
        .collect();
    let share = |so: usize, of: usize| if of == 0 { 50.0 } else { 100.0 * so as f64 / of as f64 };
    let within = |low: f64, high: f64| known.iter().filter(|rsi| low <= **rsi && **rsi <= high).count();
    features.mtf_rsi_long = share(within(50.0, 70.0), known.len());
    features.mtf_rsi_short = share(within(30.0, 50.0), known.len());
    features.mtf_flag_long = known.len() >= 2 && within(50.0, 70.0) == known.len();
    features.mtf_flag_short = known.len() >= 2 && within(30.0, 50.0) == known.len();
    let trends: Vec<f64> = [Timeframe::M15, Timeframe::H1]
        .into_iter()
        .filter_map(frame)
        .filter(|candles| candles.len() >= 250)
        .map(|candles| {
            let closes: Vec<f64> = candles.iter().map(|candle| candle.close).collect();
            ema(&closes, 21).unwrap() - ema(&closes, 50).unwrap()
        })
        .collect();
    features.mtf_ema_long = share(trends.iter().filter(|trend| **trend > 0.0).count(), trends.len());
    features.mtf_ema_short = share(trends.iter().filter(|trend| **trend < 0.0).count(), trends.len());
    let fives = frame(Timeframe::M5);
    features.atr5 = fives
        .as_ref()
        .map_or(Err(Input::Minutes), |candles| settled(atr(candles, settings).last().copied().flatten(), candles, 150));
    let start_ms = own.last().unwrap().start_ms;
    let fives = fives.filter(|candles| candles.last().unwrap().end_ms > start_ms);
    let broken = fives.map(|candles| {
        let [.., before, last] = &candles[..] else { return (false, false) };
        let comparable = before.session == session && before.low <= last.close && last.close <= before.high;
        (comparable && last.low < before.low, comparable && last.high > before.high)
    });
    features.false_break_down = broken.map(|(down, _)| down).ok_or(Input::Minutes);
    features.false_break_up = broken.map(|(_, up)| up).ok_or(Input::Minutes);
}

/// Features of a regular signal bar of 5m or longer.
pub(super) fn features(data: &SymbolData, settings: &FeatureSettings, bar: usize) -> Features {
    let bars = data.signal_bars();
    let (session, end_ms) = (bars.session[bar], bars.end_ms[bar]);
    let clock = data.sessions.get(session);
    let candles = ended(data, bars, end_ms, session);
    let closes: Vec<f64> = candles.iter().map(|candle| candle.close).collect();
    let mut features = Features::unknown();
    (features.bar, features.session, features.end_ms) = (bar, session, end_ms);
    let Candle { open, high, low, close, .. } = *candles.last().unwrap();
    (features.open, features.high, features.low, features.close) = (open, high, low, close);
    features.minute = Some(((end_ms - clock.open_ms) / 60_000) as i32);
    features.late_minute = Some(390 - ((clock.close_ms - end_ms) / 60_000) as i32);

    let (rsis, atrs) = (rsi(&candles), atr(&candles, settings));
    features.rsi = settled(*rsis.last().unwrap(), &candles, 150);
    features.atr = settled(*atrs.last().unwrap(), &candles, 150);
    features.ema21 = settled(ema(&closes, 21), &candles, 105);
    features.ema50 = settled(ema(&closes, 50), &candles, 250);
    features.ema200 = settled(ema(&closes, 200), &candles, 1000);
    features.patient = features.atr.is_ok_and(|atr| (close - open).abs() <= 0.3 * atr);
    let directional = adx(&candles);
    features.adx = settled(directional.map(|(adx, _, _)| adx), &candles, 200);
    features.di_plus = settled(directional.map(|(_, plus, _)| plus), &candles, 200);
    features.di_minus = settled(directional.map(|(_, _, minus)| minus), &candles, 200);
    if let (Ok(adx), Ok(plus), Ok(minus), Ok(atr)) = (features.adx, features.di_plus, features.di_minus, features.atr) {
        let fifty: Vec<f64> = atrs.iter().rev().skip(1).take(50).flatten().copied().collect();
        features.regime = Ok(if adx > 25.0 && plus > minus {
            Regime::TrendingUp
        } else if adx > 25.0 && minus > plus {
            Regime::TrendingDown
        } else if atr > 2.0 * mean(&fifty) {
            Regime::Volatile
        } else if adx < 20.0 && atr / close > 0.015 {
            Regime::Choppy
        } else {
            Regime::Ranging
        });
    }

    let before = &candles[..candles.len() - 1];
    if let Some(from) = before.len().checked_sub(settings.donchian_bars) {
        features.donchian_high = Ok(before[from..].iter().map(|candle| candle.high).fold(f64::MIN, f64::max));
        features.donchian_low = Ok(before[from..].iter().map(|candle| candle.low).fold(f64::MAX, f64::min));
    }
    let highs = swings(&candles, settings.pivot_side, |candle| candle.high);
    let lows = swings(&candles, settings.pivot_side, |candle| -candle.low);
    features.swing_high = highs.last().map(|place| candles[*place].high).ok_or(Input::WarmUp);
    features.swing_low = lows.last().map(|place| candles[*place].low).ok_or(Input::WarmUp);
    features.higher_lows = matches!(lows[..], [.., a, b] if candles[b].low > candles[a].low);
    features.lower_highs = matches!(highs[..], [.., a, b] if candles[b].high < candles[a].high);
    features.bull_divergence = diverges(&candles, &lows, &rsis, Side::Long, settings);
    features.bear_divergence = diverges(&candles, &highs, &rsis, Side::Short, settings);

    let day: Vec<&Candle> = candles.iter().filter(|candle| candle.session == session).collect();
    features.day_high = Ok(day.iter().map(|candle| candle.high).fold(f64::MIN, f64::max));
    features.day_low = Ok(day.iter().map(|candle| candle.low).fold(f64::MAX, f64::min));
    let until = end_ms - i64::from(settings.approach_minutes) * 60_000;
    let approach = day.iter().rev().find(|candle| candle.end_ms <= until);
    features.approach_close = approach.map(|candle| candle.close).ok_or(Input::WarmUp);

    set_frames(&mut features, data, &candles, settings);
    set_traded(&mut features, data, settings);
    features
}
