//! The stream against the definitions, and against what it must not know.

use std::sync::Arc;

use jiff::civil::date;
use proptest::prelude::*;

use super::model;
use super::testing::{Recipe, sessions, sessions_of, symbol};
use crate::backtest::{
    Bars, FeatureSettings, FeatureStream, Features, Input, Known, OpeningRange, SessionScope, SplitAt, SymbolData,
};
use crate::model::splits::{Factor, Ratio};
use crate::model::{Session, Timeframe, TimeframeSet};

fn all(data: &SymbolData, settings: FeatureSettings, scope: SessionScope) -> Vec<Features> {
    let mut stream = FeatureStream::new(data, settings, scope);
    let mut all = Vec::new();
    while let Some(features) = stream.next() {
        all.push(features.clone());
    }
    all
}

fn near(ours: Known, theirs: Known, tolerance: f64) -> bool {
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => (ours - theirs).abs() <= tolerance * theirs.abs().max(1e-3),
        (Err(ours), Err(theirs)) => ours == theirs,
        _ => false,
    }
}

fn numbers(features: &Features) -> Vec<(&'static str, Known)> {
    let range = |part: fn(OpeningRange) -> f64| features.opening_range.map(part);
    vec![
        ("rsi", features.rsi),
        ("atr", features.atr),
        ("atr5", features.atr5),
        ("adx", features.adx),
        ("di_plus", features.di_plus),
        ("di_minus", features.di_minus),
        ("ema21", features.ema21),
        ("ema50", features.ema50),
        ("ema200", features.ema200),
        ("rvol", features.rvol),
        ("volume_z", features.volume_z),
        ("vwap", features.vwap),
        // Small differences of large numbers.
        ("vwap_distance", features.vwap_distance.map(|percent| percent + 100.0)),
        ("day_move", features.day_move_pct.map(|percent| percent + 100.0)),
        ("gap", features.gap_pct.map(|percent| percent + 100.0)),
        ("day_open", features.day_open),
        ("day_high", features.day_high),
        ("day_low", features.day_low),
        ("previous_close", features.previous_close),
        ("range_open", range(|range| range.open)),
        ("range_high", range(|range| range.high)),
        ("range_low", range(|range| range.low)),
        ("range_close", range(|range| range.close)),
        ("donchian_high", features.donchian_high),
        ("donchian_low", features.donchian_low),
        ("swing_high", features.swing_high),
        ("swing_low", features.swing_low),
        ("approach_close", features.approach_close),
        ("mtf_rsi_long", Ok(features.mtf_rsi_long)),
        ("mtf_rsi_short", Ok(features.mtf_rsi_short)),
        ("mtf_ema_long", Ok(features.mtf_ema_long)),
        ("mtf_ema_short", Ok(features.mtf_ema_short)),
    ]
}

fn words(features: &Features) -> String {
    let place = (features.bar, features.session, features.end_ms, features.minute, features.late_minute);
    let flags = [
        features.first_above_range,
        features.first_below_range,
        features.higher_lows,
        features.lower_highs,
        features.bull_divergence,
        features.bear_divergence,
        features.patient,
        features.mtf_flag_long,
        features.mtf_flag_short,
    ];
    let breaks = (features.false_break_down, features.false_break_up);
    format!("{place:?} {:?} {flags:?} {breaks:?}", features.regime)
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let timeframes = prop::sample::select(vec![Timeframe::M5, Timeframe::M15, Timeframe::H1]);
    let stored = prop::sample::subsequence(vec![Timeframe::M1, Timeframe::M5, Timeframe::M15, Timeframe::H1], 0..=4);
    let splits = prop::collection::vec(0_u32..50, 0..3);
    let quiet = prop::sample::select(vec![0.0, 0.02, 0.3]);
    (any::<u64>(), timeframes, stored, quiet, any::<bool>(), splits).prop_map(
        |(seed, timeframe, stored, quiet, off_hours, splits)| {
            let (stored, ticker) = (TimeframeSet::of(stored), "ABC");
            Recipe { seed, ticker, timeframe, stored, quiet, off_hours, splits }
        },
    )
}

/// The symbol itself, or an index with it as a proxy.
fn made(recipe: &Recipe, proxied: bool) -> SymbolData {
    let data = symbol(&sessions(), recipe);
    if !proxied {
        return data;
    }
    let seed = recipe.seed ^ 1;
    let index = Recipe { seed, ticker: "I:SPX", quiet: 0.0, splits: Vec::new(), off_hours: false, ..recipe.clone() };
    SymbolData { proxy: Some(Arc::new(data)), ..symbol(&sessions(), &index) }
}

fn settings() -> impl Strategy<Value = FeatureSettings> {
    let range = prop::sample::select(vec![5, 15, 30]);
    (range, 1_usize..4, any::<bool>(), any::<bool>(), prop::sample::select(vec![15, 20, 60])).prop_map(
        |(opening_range_minutes, pivot_side, tr_gaps, atr_simple, approach_minutes)| FeatureSettings {
            opening_range_minutes,
            pivot_side,
            approach_minutes,
            tr_gaps,
            atr_simple,
            ..FeatureSettings::default()
        },
    )
}

/// What is left of a symbol at the end of a bar: later bars, official days and splits are gone, or noise.
fn known_at(data: &SymbolData, session: u32, end_ms: i64, noise: bool) -> SymbolData {
    let mut rng = fastrand::Rng::with_seed(end_ms as u64);
    let mut known = data.clone();
    for (_, bars) in &mut known.series {
        let until = bars.end_ms.partition_point(|end| *end <= end_ms);
        if !noise {
            *bars = bars.truncated(until);
            continue;
        }
        for bar in until..bars.len() {
            let price = 1.0 + 500.0 * rng.f64();
            (bars.open[bar], bars.high[bar], bars.low[bar], bars.close[bar]) = (price, price + 9.0, 0.5, price + 3.0);
            (bars.volume[bar], bars.vwap[bar]) = (1e6 * rng.f64(), price);
        }
    }
    known.official.retain(|day| day.session < session);
    known.splits.retain(|split| split.session <= session);
    for covered in &mut known.covered[session as usize..] {
        *covered = rng.bool();
    }
    known.proxy = data.proxy.as_ref().map(|proxy| Arc::new(known_at(proxy, session, end_ms, noise)));
    known.vix = data.vix.as_ref().map(|vix| Arc::new(known_at(vix, session, end_ms, noise)));
    known
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    // B-01, B-07, B-44, B-63, B-64
    #[test]
    fn every_feature_is_as_defined(
        recipe in recipes(), proxied: bool, settings in settings(), picks in prop::collection::vec(any::<prop::sample::Index>(), 12),
    ) {
        let data = made(&recipe, proxied);
        let ours = all(&data, settings, SessionScope::Regular);
        prop_assume!(!ours.is_empty());
        for pick in picks {
            let ours = pick.get(&ours);
            let theirs = model::features(&data, &settings, ours.bar);
            for ((name, ours), (_, theirs)) in numbers(ours).into_iter().zip(numbers(&theirs)) {
                prop_assert!(near(ours, theirs, 1e-9), "{name}: {ours:?} instead of {theirs:?}");
            }
            prop_assert_eq!(words(ours), words(&theirs));
        }
    }

    // B-65, B-07
    #[test]
    fn what_comes_later_changes_nothing(
        recipe in recipes(), proxied: bool, every: bool, noise: bool, pick: prop::sample::Index,
        timeframe in prop::sample::select(Timeframe::ROLLED.to_vec()),
    ) {
        let scope = if every { SessionScope::All } else { SessionScope::Regular };
        let mut data = made(&Recipe { timeframe, ..recipe.clone() }, proxied);
        data.vix = Some(Arc::new(symbol(&sessions(), &Recipe { timeframe, seed: 7, ..recipe })));
        let whole = all(&data, FeatureSettings::default(), scope);
        prop_assume!(!whole.is_empty());
        let last = pick.index(whole.len());
        let Features { session, end_ms, .. } = whole[last];
        let then = all(&known_at(&data, session, end_ms, noise), FeatureSettings::default(), scope);
        for (now, then) in whole[..=last].iter().zip(&then) {
            prop_assert_eq!(now, then);
        }
        prop_assert!(then.len() > last);
    }

    // B-03, B-06
    #[test]
    fn off_hours_change_no_regular_bar(recipe in recipes(), proxied: bool) {
        let data = made(&Recipe { off_hours: true, ..recipe }, proxied);
        let regular = all(&data, FeatureSettings::default(), SessionScope::Regular);
        let every = all(&data, FeatureSettings::default(), SessionScope::All);
        let in_hours = every.iter().filter(|features| features.minute.is_some());
        prop_assert!(regular.iter().eq(in_hours));
        for features in every.iter().filter(|features| features.minute.is_none()) {
            prop_assert!(data.signal_bars().hours[features.bar] != Session::Regular);
        }
    }
}

// B-08
#[test]
fn an_earlier_start_moves_no_value_by_more_than_a_ten_thousandth() {
    let sessions = sessions_of(date(2026, 3, 2), date(2026, 11, 27));
    let settings = FeatureSettings::default();
    let stored = TimeframeSet::of([Timeframe::M5, Timeframe::M15, Timeframe::H1]);
    for (seed, timeframe) in [(1, Timeframe::M15), (2, Timeframe::M15), (3, Timeframe::M5), (4, Timeframe::H1)] {
        let (quiet, splits) = (0.0, vec![100, 160]);
        let recipe = Recipe { seed, ticker: "ABC", timeframe, stored, quiet, off_hours: false, splits };
        let early = symbol(&sessions, &recipe);
        // Two early closes may lie in the warm-up, and are shorter.
        let start = sessions.len() as u32 - 20 - settings.warm_up_sessions(timeframe) - 1;
        let mut late = early.clone();
        for (_, bars) in &mut late.series {
            *bars = kept(bars, |bar| bars.session[bar] >= start);
        }
        let early = all(&early, settings, SessionScope::Regular);
        let late = all(&late, settings, SessionScope::Regular);
        let traded = sessions.len() as u32 - 20;
        let early = early.iter().filter(|features| features.session >= traded);
        let late = late.iter().filter(|features| features.session >= traded);
        let mut compared = 0;
        for (early, late) in early.zip(late) {
            for ((name, early), (_, late)) in numbers(early).into_iter().zip(numbers(late)) {
                assert!(near(late, early, 1e-4), "{timeframe} {name}: {late:?} instead of {early:?}");
            }
            assert!(late.ema200.is_ok() && late.adx.is_ok() && late.regime.is_ok());
            compared += 1;
        }
        assert!(compared >= 100, "{compared}");
    }
}

fn plain(seed: u64, off_hours: bool) -> Recipe {
    let stored = TimeframeSet::of([Timeframe::M1, Timeframe::M5, Timeframe::M15, Timeframe::H1]);
    Recipe { seed, ticker: "ABC", timeframe: Timeframe::M15, stored, quiet: 0.0, off_hours, splits: Vec::new() }
}

// B-07
#[test]
fn before_a_split_everything_is_seen_in_the_shares_after_it() {
    let settings = FeatureSettings::default();
    let unsplit = SymbolData { official: Vec::new(), ..symbol(&sessions(), &plain(11, false)) };
    let mut split = unsplit.clone();
    let session = 45;
    split.splits = vec![SplitAt { session, factor: Factor::of(Ratio::checked(2.0, 3.0).unwrap()) }];
    for (_, bars) in &mut split.series {
        for bar in 0..bars.session.partition_point(|other| *other < session) {
            for column in [&mut bars.open, &mut bars.high, &mut bars.low, &mut bars.close, &mut bars.vwap] {
                column[bar] *= 1.5;
            }
            bars.volume[bar] /= 1.5;
        }
    }
    let unsplit = all(&unsplit, settings, SessionScope::Regular);
    let split = all(&split, settings, SessionScope::Regular);
    let mut higher = 0;
    for (unsplit, split) in unsplit.iter().zip(&split) {
        if split.session < session {
            higher += usize::from((split.donchian_high.unwrap_or(1.5) / unsplit.donchian_high.unwrap_or(1.0)) > 1.49);
            continue;
        }
        for ((name, ours), (_, theirs)) in numbers(split).into_iter().zip(numbers(unsplit)) {
            assert!(near(ours, theirs, 1e-9), "{name}: {ours:?} instead of {theirs:?}");
        }
        assert!(split.ema200.is_ok() && split.rvol.is_ok());
    }
    assert!(higher > 1000, "before it, in the shares before it");
}

#[test]
fn an_index_takes_what_volume_says_from_its_proxy() {
    let mut proxy = symbol(&sessions(), &plain(5, false));
    // The proxy lacks one bar.
    let (_, bars) = proxy.series.iter_mut().find(|(timeframe, _)| *timeframe == Timeframe::M15).unwrap();
    let absent = bars.end_ms[699];
    *bars = kept(bars, |bar| bar != 699);
    let index = symbol(&sessions(), &Recipe { ticker: "I:SPX", ..plain(6, false) });
    let alone = all(&index, FeatureSettings::default(), SessionScope::Regular);
    let index = SymbolData { proxy: Some(Arc::new(proxy.clone())), ..index };
    let index = all(&index, FeatureSettings::default(), SessionScope::Regular);
    let proxy = all(&proxy, FeatureSettings::default(), SessionScope::Regular);
    let gap = index.iter().find(|features| features.end_ms == absent).unwrap();
    assert_eq!(
        (gap.rvol, gap.vwap, gap.day_open),
        (Err(Input::ProxyVolume), Err(Input::ProxyVolume), Err(Input::ProxyVolume))
    );
    assert!(gap.rsi.is_ok() && gap.day_high.is_ok());
    let mut compared = 0;
    for theirs in &proxy {
        let ours = index.iter().find(|features| features.end_ms == theirs.end_ms).unwrap();
        assert_eq!((ours.rvol, ours.vwap_distance, ours.gap_pct), (theirs.rvol, theirs.vwap_distance, theirs.gap_pct));
        assert_eq!((ours.day_move_pct, ours.first_above_range), (theirs.day_move_pct, theirs.first_above_range));
        let points = |price: Known| price.map(|price| price / theirs.close * ours.close);
        assert!(near(ours.vwap, points(theirs.vwap), 1e-12) && near(ours.day_open, points(theirs.day_open), 1e-12));
        let highs = [ours, theirs].map(|features| features.opening_range.map(|range| range.high));
        assert!(near(highs[0], points(highs[1]), 1e-12));
        compared += 1;
    }
    assert!(compared > 1000);
    // Without a proxy an index has none of it, but its own prices.
    assert!(alone.iter().all(|features| features.rvol == Err(Input::ProxyVolume)));
    assert!(alone.iter().zip(&index).all(|(alone, index)| alone.rsi == index.rsi && alone.day_low == index.day_low));
}

#[test]
fn off_hours_bars_are_held_against_the_last_regular_session() {
    let data = symbol(&sessions(), &plain(9, true));
    let all = all(&data, FeatureSettings::default(), SessionScope::All);
    let hours = &data.signal_bars().hours;
    let mut last: Option<Features> = None;
    let (mut pre, mut post) = (0, 0);
    for features in all {
        let hours = hours[features.bar];
        if let Some(last) = last.as_ref().filter(|_| hours != Session::Regular) {
            assert_eq!((features.rsi, features.atr, features.regime), (last.rsi, last.atr, last.regime));
            assert_eq!((features.vwap, features.minute), (last.vwap, None));
            let vwap = last.vwap.unwrap();
            assert!(near(features.vwap_distance, Ok(100.0 * (features.close - vwap) / vwap), 1e-9));
            assert_eq!(features.day_open.is_ok(), hours == Session::Post, "today has not opened yet before the open");
            *if hours == Session::Pre { &mut pre } else { &mut post } += 1;
            continue;
        }
        last = Some(features).filter(|features| features.minute.is_some());
    }
    assert!(pre > 100 && post > 100);
}

#[test]
fn vix_is_its_last_close_that_is_known() {
    let mut data = symbol(&sessions(), &plain(3, false));
    let vix = symbol(&sessions(), &Recipe { ticker: "I:VIX", timeframe: Timeframe::H1, ..plain(4, false) });
    let mut hours = vix.signal_bars().clone();
    hours = hours.truncated(hours.session.partition_point(|session| *session < 30));
    let mut vix = vix;
    vix.series = vec![(Timeframe::H1, hours.clone())];
    data.vix = Some(Arc::new(vix));
    for features in all(&data, FeatureSettings::default(), SessionScope::Regular) {
        let known = hours.end_ms.iter().rposition(|end| *end <= features.end_ms).map(|bar| hours.close[bar]);
        let expected = known.filter(|_| features.session <= 30).ok_or(Input::Vix);
        assert_eq!(features.vix, expected, "session {}", features.session);
    }
}

/// The bars that are to be kept.
fn kept(bars: &Bars, keeps: impl Fn(usize) -> bool) -> Bars {
    let mut kept = Bars::default();
    for bar in (0..bars.len()).filter(|bar| keeps(*bar)) {
        kept.start_ms.push(bars.start_ms[bar]);
        kept.end_ms.push(bars.end_ms[bar]);
        kept.open.push(bars.open[bar]);
        kept.high.push(bars.high[bar]);
        kept.low.push(bars.low[bar]);
        kept.close.push(bars.close[bar]);
        kept.volume.push(bars.volume[bar]);
        kept.vwap.push(bars.vwap[bar]);
        kept.session.push(bars.session[bar]);
        kept.hours.push(bars.hours[bar]);
        kept.exact_vwap.push(bars.exact_vwap[bar]);
    }
    kept
}
