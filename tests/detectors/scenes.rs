//! Bars on which detectors fire, the same bars as the other side sees them, and short ways to ask a detector.

use std::collections::BTreeMap;

use barkeep::backtest::detectors::{Checks, Configured, Factor, Factors, find};
use barkeep::backtest::options::{ChainView, FlipView, GammaView, PinView, Rank};
use barkeep::backtest::{Features, Input, OpeningRange, Regime, Side};

/// Every detector, with its twin.
pub const TWINS: [(&str, &str); 8] = [
    ("breakout_bullish", "breakout_bearish"),
    ("mean_reversion_long", "mean_reversion_short"),
    ("trend_continuation_long", "trend_continuation_short"),
    ("gamma_squeeze_bullish", "gamma_squeeze_bearish"),
    ("power_hour_reversal_bullish", "power_hour_reversal_bearish"),
    ("index_mean_reversion_long", "index_mean_reversion_short"),
    ("opening_drive_bullish", "opening_drive_bearish"),
    ("gamma_flip_bullish", "gamma_flip_bearish"),
];

/// A detector with parameters.
pub fn configured(id: &str, given: &[(&str, &str)]) -> Configured {
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    configure(id, &given)
}

pub fn configure(id: &str, given: &BTreeMap<String, String>) -> Configured {
    find(id).unwrap().configure(given).unwrap_or_else(|error| panic!("{error}"))
}

/// What it says of a bar: the side, or the missing input.
pub fn detect(of: &Configured, features: &Features) -> (Option<Side>, Option<Input>) {
    let mut checks = Checks::default();
    let side = of.detector.detect(features, &mut checks);
    (side, checks.missing())
}

pub fn fires(of: &Configured, features: &Features) -> bool {
    detect(of, features).0.is_some()
}

/// Its score of a bar that it fires on.
pub fn score(of: &Configured, features: &Features) -> f64 {
    let side = detect(of, features).0.expect("the bar meets the conditions");
    of.detector.score(features, side, &mut Factors::default())
}

/// One of its factors, whether or not the bar meets the conditions.
pub fn factor(of: &Configured, features: &Features, side: Side, name: &str) -> Factor {
    let mut factors = Factors::explaining();
    of.detector.score(features, side, &mut factors);
    *factors.list().iter().find(|factor| factor.name == name).unwrap_or_else(|| panic!("no factor {name}"))
}

pub fn rank(percentile: f64) -> Rank {
    Rank { percentile, is_short: false }
}

pub fn chain(features: &mut Features) -> &mut ChainView {
    features.chain.as_mut().unwrap()
}

pub fn gamma(features: &mut Features) -> &mut GammaView {
    chain(features).gamma.as_mut().unwrap()
}

pub fn flip(features: &mut Features) -> &mut FlipView {
    chain(features).flip.as_mut().unwrap().as_mut().unwrap()
}

pub fn pin(features: &mut Features) -> &mut PinView {
    chain(features).pin.as_mut().unwrap()
}

/// A quiet bar of which everything is known.
pub fn quiet() -> Features {
    let gamma = GammaView {
        net_gex: 0.0,
        negative_gex_rank: rank(50.0),
        call_wall: Some(1010.0),
        put_wall: Some(990.0),
        dealer_delta: 0.0,
        dealer_delta_rank: rank(50.0),
    };
    let flip = FlipView { level: 980.0, previous_close: 1000.0, gex: 0.0, gex_rank: rank(50.0) };
    let pin = PinView {
        strike: 1020.0,
        weight: 10_000.0,
        share: 0.1,
        gex: Some(1.0),
        minutes_to_expiry: 500.0,
        expires_today: false,
    };
    let chain = ChainView {
        minutes_to_expiry: 500.0,
        expires_today: false,
        call_volume_share: Some(0.5),
        volume_ratio: Ok(1.0),
        gamma: Ok(gamma),
        flip: Ok(Some(flip)),
        pin: Some(pin),
    };
    Features {
        bar: 100,
        end_ms: 1_000_000,
        open: 1000.0,
        high: 1001.0,
        low: 999.0,
        close: 1000.0,
        minute: Some(120),
        late_minute: Some(120),
        rsi: Ok(50.0),
        atr: Ok(4.0),
        atr5: Ok(2.0),
        adx: Ok(15.0),
        di_plus: Ok(20.0),
        di_minus: Ok(20.0),
        regime: Ok(Regime::Ranging),
        ema21: Ok(1000.0),
        ema50: Ok(1000.0),
        ema200: Ok(1000.0),
        rvol: Ok(1.0),
        volume_z: Ok(0.0),
        vwap: Ok(1000.0),
        vwap_distance: Ok(0.0),
        vwap_exact: Some(true),
        day_open: Ok(1000.0),
        day_high: Ok(1010.0),
        day_low: Ok(990.0),
        day_move_pct: Ok(0.0),
        previous_close: Ok(1000.0),
        gap_pct: Ok(0.0),
        opening_range: Ok(OpeningRange { open: 1000.0, high: 1010.0, low: 990.0, close: 1000.0 }),
        donchian_high: Ok(1020.0),
        donchian_low: Ok(980.0),
        swing_high: Ok(1020.0),
        swing_low: Ok(980.0),
        false_break_down: Ok(false),
        false_break_up: Ok(false),
        approach_close: Ok(1000.0),
        vix: Ok(20.0),
        chain: Ok(chain),
        ..Features::unknown()
    }
}

/// The bar of a detector's golden vector (detectors 8): it fires on it.
pub fn golden(id: &str) -> Features {
    let mut f = quiet();
    match id {
        "breakout_bullish" => {
            (f.rvol, f.vwap_distance, f.vwap) = (Ok(2.6), Ok(0.6), Ok(1000.0 / 1.006));
            f.donchian_high = Ok(998.0);
            f.mtf_rsi_long = 200.0 / 3.0;
        }
        "mean_reversion_long" | "index_mean_reversion_long" => {
            (f.rsi, f.vwap_distance, f.vwap) = (Ok(28.0), Ok(-0.7), Ok(1000.0 / 0.993));
            f.rvol = Ok(1.3);
        }
        "trend_continuation_long" => {
            f.regime = Ok(Regime::TrendingUp);
            // +10 beyond EMA21, +10 beyond EMA50, +10 beyond EMA200
            (f.ema21, f.ema50, f.ema200) = (Ok(993.0), Ok(978.0), Ok(900.0));
            (f.rsi, f.vwap_distance, f.vwap) = (Ok(55.0), Ok(0.1), Ok(1000.0 / 1.001));
            f.rvol = Ok(1.1);
            f.higher_lows = true;
            f.mtf_ema_long = 50.0;
        }
        "gamma_squeeze_bullish" | "gamma_squeeze_bearish" => {
            let chain = f.chain.as_mut().unwrap();
            (chain.call_volume_share, chain.minutes_to_expiry, chain.expires_today) = (Some(0.57), 90.0, true);
            let gamma = chain.gamma.as_mut().unwrap();
            (gamma.net_gex, gamma.negative_gex_rank) = (-400.0, rank(80.0));
            (gamma.call_wall, gamma.put_wall) = (Some(1002.0), Some(998.0));
            (f.rvol, f.minute, f.late_minute) = (Ok(1.8), Some(315), Some(315));
            f.approach_close = Ok(if id == "gamma_squeeze_bullish" { 999.0 } else { 1001.0 });
        }
        "power_hour_reversal_bullish" => {
            (f.minute, f.late_minute) = (Some(350), Some(350));
            (f.day_low, f.day_high) = (Ok(998.0), Ok(1023.0)); // 8 % of the range
            (f.rsi, f.rvol) = (Ok(33.0), Ok(1.3));
            (f.day_move_pct, f.vwap, f.vwap_distance) = (Ok(-0.8), Ok(1004.0), Ok(-0.398));
            f.false_break_down = Ok(true);
        }
        "opening_drive_bullish" => {
            (f.minute, f.late_minute) = (Some(15), Some(15));
            (f.day_move_pct, f.rvol, f.gap_pct) = (Ok(0.6), Ok(2.5), Ok(0.4));
            f.opening_range = Ok(OpeningRange { open: 994.0, high: 998.0, low: 993.0, close: 997.0 });
            f.first_above_range = true;
        }
        "gamma_flip_bullish" => {
            (f.minute, f.late_minute, f.rvol) = (Some(240), Some(240), Ok(1.5));
            let chain = f.chain.as_mut().unwrap();
            (chain.minutes_to_expiry, chain.volume_ratio) = (200.0, Ok(1.2));
            let gamma = chain.gamma.as_mut().unwrap();
            (gamma.dealer_delta, gamma.dealer_delta_rank) = (4000.0, rank(60.0));
            chain.flip = Ok(Some(FlipView { level: 999.0, previous_close: 998.0, gex: 900.0, gex_rank: rank(80.0) }));
        }
        "eod_pin_setup" => {
            (f.minute, f.late_minute) = (Some(370), Some(370));
            f.chain.as_mut().unwrap().pin = Some(PinView {
                strike: 1001.0,
                weight: 6000.0,
                share: 0.12,
                gex: Some(5.0),
                minutes_to_expiry: 20.0,
                expires_today: true,
            });
        }
        short => {
            let (long, _) = TWINS.iter().find(|(_, twin)| *twin == short).expect("every short has a long");
            f = mirrored(&golden(long));
        }
    }
    f
}

/// The bar with up and down exchanged around its close (B-68).
pub fn mirrored(f: &Features) -> Features {
    let flip = |price: f64| 2.0 * f.close - price;
    let chain = f.chain.map(|chain| ChainView {
        call_volume_share: chain.call_volume_share.map(|share| 1.0 - share),
        gamma: chain.gamma.map(|gamma| GammaView {
            call_wall: gamma.put_wall.map(flip),
            put_wall: gamma.call_wall.map(flip),
            ..gamma
        }),
        flip: chain.flip.map(|view| {
            view.map(|view| FlipView { level: flip(view.level), previous_close: flip(view.previous_close), ..view })
        }),
        pin: chain.pin.map(|pin| PinView { strike: flip(pin.strike), ..pin }),
        ..chain
    });
    Features {
        open: flip(f.open),
        high: flip(f.low),
        low: flip(f.high),
        rsi: f.rsi.map(|rsi| 100.0 - rsi),
        di_plus: f.di_minus,
        di_minus: f.di_plus,
        regime: f.regime.map(|regime| match regime {
            Regime::TrendingUp => Regime::TrendingDown,
            Regime::TrendingDown => Regime::TrendingUp,
            other => other,
        }),
        ema21: f.ema21.map(flip),
        ema50: f.ema50.map(flip),
        ema200: f.ema200.map(flip),
        vwap: f.vwap.map(flip),
        vwap_distance: f.vwap_distance.map(|distance| -distance),
        day_open: f.day_open.map(flip),
        day_high: f.day_low.map(flip),
        day_low: f.day_high.map(flip),
        day_move_pct: f.day_move_pct.map(|pct| -pct),
        previous_close: f.previous_close.map(flip),
        gap_pct: f.gap_pct.map(|pct| -pct),
        opening_range: f.opening_range.map(|range| OpeningRange {
            open: flip(range.open),
            high: flip(range.low),
            low: flip(range.high),
            close: flip(range.close),
        }),
        first_above_range: f.first_below_range,
        first_below_range: f.first_above_range,
        donchian_high: f.donchian_low.map(flip),
        donchian_low: f.donchian_high.map(flip),
        swing_high: f.swing_low.map(flip),
        swing_low: f.swing_high.map(flip),
        higher_lows: f.lower_highs,
        lower_highs: f.higher_lows,
        bull_divergence: f.bear_divergence,
        bear_divergence: f.bull_divergence,
        mtf_rsi_long: f.mtf_rsi_short,
        mtf_rsi_short: f.mtf_rsi_long,
        mtf_ema_long: f.mtf_ema_short,
        mtf_ema_short: f.mtf_ema_long,
        mtf_flag_long: f.mtf_flag_short,
        mtf_flag_short: f.mtf_flag_long,
        false_break_down: f.false_break_up,
        false_break_up: f.false_break_down,
        approach_close: f.approach_close.map(flip),
        flow: f.flow.map(|flow| barkeep::backtest::Flow { buy_share: 1.0 - flow.buy_share, ..flow }),
        chain,
        ..f.clone()
    }
}
