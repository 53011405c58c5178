//! Every edge of conditions and score steps, on it and one unit to either side (detectors 9), for both twins.

use barkeep::backtest::detectors::{Configured, Factors};
use barkeep::backtest::options::FlipView;
use barkeep::backtest::{Features, Flow, Input, OpeningRange, Regime, Side};

use crate::scenes::{TWINS, chain, configured, factor, fires, flip, gamma, golden, mirrored, pin};

type Set = fn(&mut Features, f64);

/// One edge of a condition: whether the detector fires below, on and above it.
struct Edge {
    detector: &'static str,
    given: &'static [(&'static str, &'static str)],
    what: &'static str,
    set: Set,
    edge: f64,
    unit: f64,
    fires: [bool; 3],
    /// Distances in percent of a level are not exactly those of its mirror image: such edges have a row for each twin.
    has_twin: bool,
}

const T: bool = true;
const F: bool = false;

const fn edge(detector: &'static str, what: &'static str, set: Set, edge: f64, unit: f64, fires: [bool; 3]) -> Edge {
    Edge { detector, given: &[], what, set, edge, unit, fires, has_twin: true }
}

impl Edge {
    const fn alone(self) -> Self {
        Self { has_twin: false, ..self }
    }

    const fn with(self, given: &'static [(&'static str, &'static str)]) -> Self {
        Self { given, ..self }
    }
}

fn minutes(f: &mut Features, minute: f64) {
    (f.minute, f.late_minute) = (Some(minute as i32), Some(minute as i32));
}

const BREAKOUT: &str = "breakout_bullish";
const REVERSION: &str = "mean_reversion_long";
const INDEX_REVERSION: &str = "index_mean_reversion_long";
const TREND: &str = "trend_continuation_long";
const SQUEEZE: &str = "gamma_squeeze_bullish";
const POWER_HOUR: &str = "power_hour_reversal_bullish";
const DRIVE: &str = "opening_drive_bullish";
const FLIP: &str = "gamma_flip_bullish";
const PIN: &str = "eod_pin_setup";

fn edges() -> Vec<Edge> {
    vec![
        edge(BREAKOUT, "Donchian close", |f, v| f.donchian_high = Ok(v), 1000.0, 0.01, [T, F, F]),
        edge(BREAKOUT, "rvol", |f, v| f.rvol = Ok(v), 1.5, 0.01, [F, F, T]),
        edge(BREAKOUT, "VWAP distance", |f, v| f.vwap_distance = Ok(v), 0.0, 0.01, [F, F, T]),
        edge(BREAKOUT, "rvol floor", |f, v| f.rvol = Ok(v), 1.8, 0.01, [F, T, T]).with(&[("rvol_floor", "1.8")]),
        edge(BREAKOUT, "VIX", |f, v| f.vix = Ok(v), 15.0, 0.01, [F, T, T]).with(&[("vix_min", "15")]),
        edge(BREAKOUT, "VIX", |f, v| f.vix = Ok(v), 30.0, 0.01, [T, T, F]).with(&[("vix_max", "30")]),
        edge(BREAKOUT, "clock", minutes, 45.0, 1.0, [F, T, T]).with(&[("clock_from", "45")]),
        edge(BREAKOUT, "clock", minutes, 300.0, 1.0, [T, T, F]).with(&[("clock_to", "300")]),
        edge(REVERSION, "RSI", |f, v| f.rsi = Ok(v), 35.0, 0.01, [T, F, F]),
        edge(REVERSION, "VWAP distance", |f, v| f.vwap_distance = Ok(v), -0.3, 0.01, [T, F, F]),
        edge(REVERSION, "rvol", |f, v| f.rvol = Ok(v), 1.2, 0.01, [F, T, T]).with(&[("rvol_min", "1.2")]),
        edge(REVERSION, "EMA21", |f, v| f.ema21 = Ok(v), 1008.0, 0.01, [F, T, T]).with(&[("ema21_gap_atr", "2")]),
        edge(REVERSION, "flow", |f, v| f.flow = Some(flow(50.0, 0, 0, v)), 0.4, 0.01, [F, F, T])
            .with(&[("flow_veto", "true")])
            .alone(),
        edge(INDEX_REVERSION, "RSI", |f, v| f.rsi = Ok(v), 35.0, 0.01, [T, F, F]),
        edge(INDEX_REVERSION, "VWAP distance", |f, v| f.vwap_distance = Ok(v), -0.3, 0.01, [T, F, F]),
        edge(TREND, "close and EMA21", |f, v| (f.ema21, f.ema50) = (Ok(v), Ok(990.0)), 1000.0, 0.01, [T, T, F]),
        edge(TREND, "EMA21 and EMA50", |f, v| (f.ema21, f.ema50) = (Ok(995.0), Ok(v)), 995.0, 0.01, [T, T, F]),
        edge(TREND, "close and EMA50", |f, v| (f.ema21, f.ema50) = (Ok(1000.0), Ok(v)), 1000.0, 0.01, [T, T, F]),
        edge(TREND, "RSI", |f, v| f.rsi = Ok(v), 40.0, 0.01, [F, T, T]),
        edge(TREND, "RSI", |f, v| f.rsi = Ok(v), 70.0, 0.01, [T, T, F]),
        edge(TREND, "EMA200", |f, v| f.ema200 = Ok(v), 1000.0, 0.01, [T, F, F]).with(&[("ema200_filter", "true")]),
        edge(TREND, "near EMA21", |f, v| (f.ema21, f.close) = (Ok(1000.0), v), 1010.0, 0.01, [T, T, F])
            .with(&[("ema21_near_pct", "1")])
            .alone(),
        edge(TREND, "far from EMA21", |f, v| f.ema21 = Ok(v), 992.0, 0.01, [F, T, T])
            .with(&[("ema21_gap_max_atr", "2")]),
        edge(SQUEEZE, "wall distance", |f, v| gamma(f).call_wall = Some(v), 1005.0, 0.01, [T, F, F]),
        edge(SQUEEZE, "wall side", |f, v| gamma(f).call_wall = Some(v), 1000.0, 0.01, [F, F, T]),
        edge(SQUEEZE, "net GEX", |f, v| gamma(f).net_gex = v, 0.0, 1.0, [T, F, F]),
        edge(SQUEEZE, "rvol", |f, v| f.rvol = Ok(v), 1.3, 0.01, [F, T, T]),
        edge(SQUEEZE, "minute", minutes, 300.0, 1.0, [F, T, T]),
        edge(SQUEEZE, "approach", |f, v| f.approach_close = Ok(v), 1000.0, 0.01, [T, F, F]),
        edge(POWER_HOUR, "minute", minutes, 330.0, 1.0, [F, T, T]),
        edge(POWER_HOUR, "minute", minutes, 390.0, 1.0, [T, T, F]),
        edge(POWER_HOUR, "day low", |f, v| (f.day_low, f.close) = (Ok(1000.0), v), 1005.0, 0.01, [T, T, F]).alone(),
        edge(
            "power_hour_reversal_bearish",
            "day high",
            |f, v| (f.day_high, f.close) = (Ok(1000.0), v),
            995.0,
            0.01,
            [F, T, T],
        ),
        edge(POWER_HOUR, "RSI", |f, v| f.rsi = Ok(v), 40.0, 0.01, [T, T, F]),
        edge(POWER_HOUR, "rvol", |f, v| f.rvol = Ok(v), 1.2, 0.01, [F, T, T]),
        edge(POWER_HOUR, "net GEX", |f, v| gamma(f).net_gex = v, 0.0, 1.0, [F, T, T]),
        edge(DRIVE, "after the range", minutes, 5.0, 1.0, [F, F, T]),
        edge(DRIVE, "minute", minutes, 30.0, 1.0, [T, T, F]),
        edge(DRIVE, "move", |f, v| f.day_move_pct = Ok(v), 0.3, 0.01, [F, T, T]),
        edge(DRIVE, "rvol", |f, v| f.rvol = Ok(v), 1.5, 0.01, [F, T, T]),
        edge(DRIVE, "range close", |f, v| f.opening_range.as_mut().unwrap().close = v, 994.0, 0.01, [F, F, T]),
        edge(FLIP, "expiry", |f, v| chain(f).minutes_to_expiry = v, 480.0, 1.0, [T, F, F]),
        edge(FLIP, "minute", minutes, 210.0, 1.0, [F, T, T]),
        edge(FLIP, "before", |f, v| flip(f).previous_close = v, 999.0 * (1.0 - 0.02 / 100.0), 0.01, [T, T, F]).alone(),
        edge(FLIP, "after", |f, v| f.close = v, 999.0 * (1.0 + 0.02 / 100.0), 0.01, [F, T, T]).alone(),
        edge("gamma_flip_bearish", "before", before, 1001.0 * (1.0 + 0.02 / 100.0), 0.01, [F, T, T]),
        edge("gamma_flip_bearish", "after", |f, v| f.close = v, 1001.0 * (1.0 - 0.02 / 100.0), 0.01, [T, T, F]),
        edge(PIN, "minute", minutes, 360.0, 1.0, [F, T, T]),
        edge(PIN, "expiry", pin_expiry, 30.0, 1.0, [T, F, F]),
        edge(PIN, "nearest strike", |f, v| pin(f).strike = v, 1000.5, 0.01, [F, T, T]),
        edge(PIN, "farthest strike", |f, v| pin(f).strike = v, 1005.0, 0.01, [T, F, F]),
        edge(PIN, "weight", |f, v| pin(f).weight = v, 5000.0, 1.0, [F, T, T]),
    ]
}

fn before(f: &mut Features, v: f64) {
    flip(f).previous_close = v;
}

fn pin_expiry(f: &mut Features, v: f64) {
    (pin(f).minutes_to_expiry, pin(f).expires_today) = (v, false);
}

fn flow(score: f64, sweeps: u32, blocks: u32, buy_share: f64) -> Flow {
    Flow { score, sweeps, blocks, buy_share }
}

/// The twin of a detector; a pin is its own.
fn twin(id: &str) -> &str {
    TWINS.iter().find(|(long, _)| *long == id).map_or(id, |(_, short)| short)
}

#[test]
fn conditions_on_their_edges() {
    for row in edges() {
        let of = configured(row.detector, row.given);
        for (value, expected) in [row.edge - row.unit, row.edge, row.edge + row.unit].into_iter().zip(row.fires) {
            let mut bar = golden(row.detector);
            (row.set)(&mut bar, value);
            assert_eq!(fires(&of, &bar), expected, "{} {} {value}", row.detector, row.what);
            if row.has_twin && row.detector == row.detector.replace("bearish", "bullish") {
                let short = configured(twin(row.detector), row.given);
                assert_eq!(fires(&short, &mirrored(&bar)), expected, "twin of {} {} {value}", row.detector, row.what);
            }
        }
    }
}

#[test]
fn conditions_that_are_so_or_not() {
    type Break = (&'static str, &'static str, fn(&mut Features));
    let breaks: [Break; 12] = [
        (BREAKOUT, "regular hours", |f| (f.minute, f.late_minute) = (None, None)),
        (REVERSION, "regular hours", |f| (f.minute, f.late_minute) = (None, None)),
        (REVERSION, "trend against", |f| f.regime = Ok(Regime::TrendingDown)),
        (INDEX_REVERSION, "trend against", |f| f.regime = Ok(Regime::TrendingDown)),
        (TREND, "no trend", |f| f.regime = Ok(Regime::Ranging)),
        (TREND, "trend against", |f| f.regime = Ok(Regime::TrendingDown)),
        (SQUEEZE, "no wall", |f| (gamma(f).call_wall, gamma(f).put_wall) = (None, None)),
        (POWER_HOUR, "not confirmed", |f| f.false_break_down = Ok(false)),
        (DRIVE, "not the first", |f| f.first_above_range = false),
        (FLIP, "no level", |f| chain(f).flip = Ok(None)),
        (PIN, "no strike", |f| chain(f).pin = None),
        (PIN, "no minute", |f| (f.minute, f.late_minute) = (None, None)),
    ];
    for (id, what, change) in breaks {
        let mut bar = golden(id);
        change(&mut bar);
        assert!(!fires(&configured(id, &[]), &bar), "{id}: {what}");
        assert!(!fires(&configured(twin(id), &[]), &mirrored(&bar)), "twin of {id}: {what}");
    }
    // These do not matter.
    let with_trend = Features { regime: Ok(Regime::TrendingUp), ..golden(REVERSION) };
    assert!(fires(&configured(REVERSION, &[]), &with_trend));
    let mut far = golden(FLIP);
    (chain(&mut far).minutes_to_expiry, chain(&mut far).expires_today) = (9999.0, true);
    assert!(fires(&configured(FLIP, &[]), &far), "an expiry today is near");
    let mut far = golden(PIN);
    pin(&mut far).minutes_to_expiry = 9999.0;
    assert!(fires(&configured(PIN, &[]), &far), "an expiry today is near");
    let mut no_gamma = golden(POWER_HOUR);
    no_gamma.chain = Err(Input::OpenInterest);
    assert!(fires(&configured(POWER_HOUR, &[]), &no_gamma), "gamma exposure counts where it is known");
}

#[test]
fn a_turn_is_confirmed_as_asked() {
    for (confirm, neither, divergence, failed_break, both) in
        [("either", F, T, T, T), ("divergence", F, T, F, T), ("failed_break", F, F, T, T), ("both", F, F, F, T)]
    {
        let of = configured(POWER_HOUR, &[("confirm", confirm)]);
        let with = |diverges, breaks| {
            let bar = golden(POWER_HOUR);
            fires(&of, &Features { bull_divergence: diverges, false_break_down: Ok(breaks), ..bar })
        };
        let found = (with(F, F), with(T, F), with(F, T), with(T, T));
        assert_eq!(found, (neither, divergence, failed_break, both), "{confirm}");
    }
}

/// The edges of one factor: its value below, on and above each.
struct Steps {
    detector: &'static str,
    factor: &'static str,
    set: Set,
    unit: f64,
    at: &'static [(f64, [f64; 3])],
}

const fn steps(
    detector: &'static str,
    factor: &'static str,
    set: Set,
    unit: f64,
    at: &'static [(f64, [f64; 3])],
) -> Steps {
    Steps { detector, factor, set, unit, at }
}

const RSI_EXTREME: &[(f64, [f64; 3])] = &[
    (20.0, [100.0, 100.0, 85.0]),
    (25.0, [85.0, 85.0, 70.0]),
    (30.0, [70.0, 70.0, 55.0]),
    (35.0, [55.0, 55.0, 29.98]),
    (50.0, [0.02, 0.0, 0.0]),
];
const VOLUME_PROFILE: &[(f64, [f64; 3])] =
    &[(2.0, [80.0, 100.0, 100.0]), (1.5, [65.0, 80.0, 80.0]), (1.2, [59.5, 65.0, 65.0]), (0.0, [0.0, 0.0, 0.5])];

fn all_steps() -> Vec<Steps> {
    vec![
        steps(
            BREAKOUT,
            "volume_intensity",
            |f, v| f.rvol = Ok(v),
            0.01,
            &[
                (4.0, [75.0, 100.0, 100.0]),
                (2.5, [50.0, 75.0, 75.0]),
                (1.5, [16.17, 50.0, 50.0]),
                (1.0, [0.0, 0.0, 0.33]),
            ],
        ),
        steps(
            BREAKOUT,
            "vwap_strength",
            |f, v| f.vwap_distance = Ok(v),
            0.01,
            &[
                (1.5, [85.0, 100.0, 100.0]),
                (1.0, [70.0, 85.0, 85.0]),
                (0.5, [60.0, 70.0, 70.0]),
                (0.2, [50.0, 60.0, 60.0]),
                (0.0, [0.0, 50.0, 50.0]),
            ],
        ),
        steps(
            BREAKOUT,
            "breakout_strength",
            |f, v| f.opening_range.as_mut().unwrap().high = v,
            0.01,
            &[(997.0, [80.0, 90.0, 90.0]), (1003.0, [90.0, 90.0, 80.0])],
        ),
        steps(
            BREAKOUT,
            "breakout_strength",
            |f, v| f.swing_high = Ok(v),
            0.01,
            &[(997.0, [80.0, 90.0, 90.0]), (1003.0, [90.0, 90.0, 80.0])],
        ),
        steps(BREAKOUT, "breakout_strength", |f, v| f.donchian_high = Ok(v), 0.01, &[(1000.0, [80.0, 50.0, 50.0])]),
        steps(REVERSION, "rsi_extreme", |f, v| f.rsi = Ok(v), 0.01, RSI_EXTREME),
        steps(
            REVERSION,
            "vwap_deviation",
            |f, v| f.vwap_distance = Ok(-v),
            0.01,
            &[
                (1.5, [85.0, 100.0, 100.0]),
                (1.0, [70.0, 85.0, 85.0]),
                (0.5, [55.0, 70.0, 70.0]),
                (0.3, [11.6, 55.0, 55.0]),
            ],
        ),
        steps(REVERSION, "volume_profile", |f, v| f.rvol = Ok(v), 0.01, VOLUME_PROFILE),
        steps(INDEX_REVERSION, "rsi_extreme", |f, v| f.rsi = Ok(v), 0.01, RSI_EXTREME),
        steps(
            INDEX_REVERSION,
            "vwap_deviation_magnitude",
            |f, v| f.vwap_distance = Ok(-v),
            0.01,
            &[
                (1.5, [85.0, 100.0, 100.0]),
                (1.0, [70.0, 85.0, 85.0]),
                (0.5, [55.0, 70.0, 70.0]),
                (0.3, [14.5, 55.0, 55.0]),
            ],
        ),
        steps(INDEX_REVERSION, "volume_profile", |f, v| f.rvol = Ok(v), 0.01, VOLUME_PROFILE),
        steps(
            INDEX_REVERSION,
            "time_based_probability",
            minutes,
            1.0,
            &[
                (30.0, [60.0, 80.0, 80.0]),
                (60.0, [80.0, 100.0, 100.0]),
                (240.0, [100.0, 100.0, 80.0]),
                (300.0, [80.0, 80.0, 60.0]),
            ],
        ),
        steps(
            TREND,
            "pullback_quality",
            |f, v| (f.rsi, f.vwap_distance) = (Ok(v), Ok(1.0)),
            0.01,
            &[
                (40.0, [50.0, 65.0, 65.0]),
                (45.0, [65.0, 80.0, 80.0]),
                (60.0, [80.0, 80.0, 65.0]),
                (65.0, [65.0, 65.0, 50.0]),
            ],
        ),
        steps(
            TREND,
            "pullback_quality",
            |f, v| f.vwap_distance = Ok(v),
            0.01,
            &[(-0.2, [80.0, 100.0, 100.0]), (0.5, [100.0, 100.0, 80.0])],
        ),
        steps(
            TREND,
            "volume_confirmation",
            |f, v| f.rvol = Ok(v),
            0.01,
            &[
                (0.5, [40.0, 60.0, 60.0]),
                (0.6, [60.0, 75.0, 75.0]),
                (0.8, [75.0, 100.0, 100.0]),
                (1.5, [100.0, 100.0, 75.0]),
                (2.0, [75.0, 75.0, 60.0]),
                (2.5, [60.0, 60.0, 40.0]),
            ],
        ),
        steps(
            TREND,
            "higher_lows_pattern",
            |f, v| f.swing_low = Ok(v),
            0.01,
            &[(997.0, [90.0, 100.0, 100.0]), (1003.0, [100.0, 100.0, 90.0])],
        ),
        steps(TREND, "ema_alignment", |f, v| f.ema200 = Ok(v), 0.01, &[(993.0, [80.0, 70.0, 70.0])]),
        steps(
            SQUEEZE,
            "gamma_wall_proximity",
            |f, v| gamma(f).call_wall = Some(v),
            0.01,
            &[(1000.0, [99.8, 100.0, 99.8]), (1002.5, [50.2, 50.0, 49.8]), (1005.0, [0.2, 0.0, 0.0])],
        ),
        steps(
            SQUEEZE,
            "call_put_skew",
            |f, v| chain(f).call_volume_share = Some(v),
            0.01,
            &[(0.60, [75.0, 100.0, 100.0]), (0.55, [50.0, 75.0, 75.0]), (0.50, [30.0, 50.0, 50.0])],
        ),
        steps(
            SQUEEZE,
            "time_decay_acceleration",
            |f, v| chain(f).minutes_to_expiry = v,
            1.0,
            &[
                (30.0, [100.0, 100.0, 85.0]),
                (60.0, [85.0, 85.0, 70.0]),
                (120.0, [70.0, 70.0, 55.0]),
                (240.0, [55.0, 55.0, 51.8]),
                (500.0, [0.2, 0.0, 0.0]),
            ],
        ),
        steps(
            SQUEEZE,
            "volume_surge",
            |f, v| f.rvol = Ok(v),
            0.01,
            &[(3.0, [80.0, 100.0, 100.0]), (2.0, [60.0, 80.0, 80.0]), (1.5, [59.6, 60.0, 60.0])],
        ),
        steps(
            POWER_HOUR,
            "extreme_proximity",
            day_range,
            0.01,
            &[
                (5.0, [100.0, 100.0, 85.0]),
                (10.0, [85.0, 85.0, 70.0]),
                (20.0, [70.0, 70.0, 39.97]),
                (34.0, [0.0, 0.0, 0.0]),
            ],
        ),
        steps(
            POWER_HOUR,
            "reversal_confirmation",
            |f, v| f.rsi = Ok(v),
            0.01,
            &[
                (25.0, [100.0, 100.0, 85.0]),
                (30.0, [85.0, 85.0, 70.0]),
                (35.0, [70.0, 70.0, 55.0]),
                (40.0, [55.0, 55.0, 40.0]),
            ],
        ),
        steps(
            POWER_HOUR,
            "power_hour_timing",
            minutes,
            1.0,
            &[(330.0, [0.0, 70.0, 70.0]), (345.0, [70.0, 85.0, 85.0]), (360.0, [85.0, 100.0, 100.0])],
        ),
        steps(
            POWER_HOUR,
            "day_range_position",
            |f, v| f.day_move_pct = Ok(v),
            0.01,
            &[(-1.5, [100.0, 100.0, 99.6]), (0.0, [40.4, 50.0, 50.0])],
        ),
        steps(
            DRIVE,
            "momentum_strength",
            |f, v| f.day_move_pct = Ok(v),
            0.07,
            &[(0.3, [45.0, 50.0, 55.0]), (1.0, [95.0, 100.0, 100.0])],
        ),
        steps(
            DRIVE,
            "volume_intensity",
            |f, v| f.rvol = Ok(v),
            0.01,
            &[(4.0, [99.75, 100.0, 100.0]), (2.0, [49.75, 50.0, 50.25])],
        ),
        steps(
            DRIVE,
            "overnight_gap",
            |f, v| f.gap_pct = Ok(v),
            0.01,
            &[(0.0, [20.0, 20.0, 21.0]), (0.5, [69.0, 70.0, 71.0]), (0.8, [99.0, 100.0, 100.0])],
        ),
        steps(
            FLIP,
            "time_to_expiry",
            |f, v| chain(f).minutes_to_expiry = v,
            1.0,
            &[(120.0, [100.0, 100.0, 75.0]), (240.0, [75.0, 75.0, 50.0]), (360.0, [50.0, 50.0, 25.0])],
        ),
        steps(
            FLIP,
            "options_volume",
            |f, v| chain(f).volume_ratio = Ok(v),
            0.01,
            &[(0.5, [0.0, 0.0, 1.0]), (1.5, [99.0, 100.0, 100.0])],
        ),
        steps(
            FLIP,
            "price_momentum",
            |f, v| f.rvol = Ok(v),
            0.01,
            &[(1.0, [0.0, 0.0, 0.5]), (3.0, [99.5, 100.0, 100.0])],
        ),
        steps(
            PIN,
            "max_pain_proximity",
            |f, v| pin(f).strike = v,
            0.01,
            &[(1002.5, [50.2, 50.0, 49.8]), (1005.0, [0.2, 0.0, 0.0])],
        ),
        steps(
            PIN,
            "open_interest_concentration",
            |f, v| pin(f).share = v,
            0.01,
            &[(0.30, [96.57, 99.9, 100.0]), (0.0, [0.0, 0.0, 3.33])],
        ),
        steps(
            PIN,
            "time_remaining",
            |f, v| pin(f).minutes_to_expiry = v,
            1.0,
            &[(0.0, [100.0, 100.0, 98.33]), (30.0, [51.57, 50.0, 50.0])],
        ),
        steps(PIN, "dealer_gamma", |f, v| pin(f).gex = Some(v), 1.0, &[(0.0, [30.0, 30.0, 100.0])]),
    ]
}

/// A range of 100 with the close so far from its low.
fn day_range(f: &mut Features, distance: f64) {
    (f.day_low, f.day_high) = (Ok(f.close - distance), Ok(f.close - distance + 100.0));
}

/// The value of the factor in the same place of a score.
fn same_place(of: &Configured, features: &Features, side: Side, place: usize) -> f64 {
    let mut factors = Factors::explaining();
    of.detector.score(features, side, &mut factors);
    factors.list()[place].value
}

#[test]
fn score_steps_on_their_edges() {
    for row in all_steps() {
        let of = configured(row.detector, &[]);
        let short = configured(twin(row.detector), &[]);
        let mut factors = Factors::explaining();
        of.detector.score(&golden(row.detector), Side::Long, &mut factors);
        let place = factors.list().iter().position(|factor| factor.name == row.factor).unwrap();
        for (edge, expected) in row.at {
            for (value, expected) in [edge - row.unit, *edge, edge + row.unit].into_iter().zip(*expected) {
                let mut bar = golden(row.detector);
                (row.set)(&mut bar, value);
                let found = factor(&of, &bar, Side::Long, row.factor).value;
                let what = format!("{} {} {value}", row.detector, row.factor);
                assert!((found - expected).abs() < 1e-9, "{what}: {found} instead of {expected}");
                // The mirror image of a decimal may lie beside the edge by the last bit.
                let image = mirrored(&bar);
                let is_exact = mirrored(&image).rsi == bar.rsi && value == edge.round();
                if is_exact || value != *edge {
                    let found = same_place(&short, &image, Side::Short, place);
                    assert!((found - expected).abs() < 1e-6, "twin of {what}: {found} instead of {expected}");
                }
            }
        }
    }
}

#[test]
fn steps_of_percent_beyond_a_mean_are_strict() {
    let of = configured(TREND, &[]);
    let value = |close: f64, ema21: f64, ema50: f64| {
        let bar = Features { close, ema21: Ok(ema21), ema50: Ok(ema50), ema200: Err(Input::WarmUp), ..golden(TREND) };
        factor(&of, &bar, Side::Long, "ema_alignment").value
    };
    for (close, expected) in [(1005.0, 50.0), (1005.01, 60.0), (1010.0, 60.0), (1010.01, 70.0)] {
        assert_eq!(value(close, 1000.0, 1000.0), expected, "close {close}");
    }
    for (ema21, expected) in [(1010.0, 50.0), (1010.01, 60.0), (1020.0, 60.0), (1020.01, 70.0)] {
        assert_eq!(value(ema21, ema21, 1000.0), expected, "EMA21 {ema21}");
    }
    let short = configured("trend_continuation_short", &[]);
    let bar = golden("trend_continuation_short");
    for (close, expected) in [(995.0, 50.0), (994.99, 60.0), (990.0, 60.0), (989.99, 70.0)] {
        let bar = Features { close, ema21: Ok(1000.0), ema50: Ok(1000.0), ema200: Err(Input::WarmUp), ..bar.clone() };
        assert_eq!(factor(&short, &bar, Side::Short, "ema_alignment").value, expected, "close {close}");
    }
}

#[test]
fn regimes_suit_a_way_back() {
    let kinds = [
        (Ok(Regime::Ranging), 100.0, 100.0),
        (Ok(Regime::Choppy), 90.0, 90.0),
        (Ok(Regime::Volatile), 70.0, 70.0),
        (Ok(Regime::TrendingUp), 60.0, 60.0),
        (Ok(Regime::TrendingDown), 20.0, 40.0),
        (Err(Input::WarmUp), 50.0, 40.0),
    ];
    for (regime, equity, index) in kinds {
        for (id, expected) in [(REVERSION, equity), (INDEX_REVERSION, index)] {
            let bar = Features { regime, ..golden(id) };
            let name = "market_regime_suitability";
            assert_eq!(factor(&configured(id, &[]), &bar, Side::Long, name).value, expected, "{id} {regime:?}");
            let short = configured(twin(id), &[]);
            assert_eq!(factor(&short, &mirrored(&bar), Side::Short, name).value, expected, "twin of {id} {regime:?}");
        }
    }
}

#[test]
fn flow_counts_by_its_steps() {
    // Score, sweeps, blocks, buy share; breakout and trend; opening drive; power hour.
    let flows = [
        (None, 50.0, 50.0, 50.0),
        (Some(flow(99.0, 9, 9, 0.4)), 30.0, 50.0, 70.0),
        (Some(flow(71.0, 0, 0, 0.6)), 100.0, 100.0, 80.0),
        (Some(flow(70.0, 0, 0, 0.6)), 85.0, 100.0, 80.0),
        (Some(flow(61.0, 0, 0, 0.6)), 85.0, 100.0, 80.0),
        (Some(flow(60.0, 0, 0, 0.6)), 50.0, 75.0, 80.0),
        (Some(flow(60.0, 1, 0, 0.6)), 70.0, 75.0, 80.0),
        (Some(flow(61.0, 4, 2, 0.6)), 90.0, 100.0, 90.0),
        (Some(flow(60.0, 4, 3, 0.6)), 90.0, 90.0, 100.0),
        (Some(flow(99.0, 0, 0, 0.59)), 60.0, 50.0, 50.0),
        (Some(flow(99.0, 0, 0, 0.41)), 60.0, 50.0, 50.0),
        (Some(flow(99.0, 3, 3, 0.5)), 70.0, 50.0, 70.0),
        (Some(flow(99.0, 2, 2, 0.5)), 70.0, 50.0, 50.0),
        (Some(flow(99.0, 4, 0, 0.5)), 90.0, 90.0, 60.0),
    ];
    for (flow, shared, drive, power_hour) in flows {
        for (id, name, expected) in [
            (BREAKOUT, "flow_alignment", shared),
            (TREND, "flow_alignment", shared),
            (DRIVE, "flow_alignment", drive),
            (POWER_HOUR, "institutional_flow", power_hour),
        ] {
            let bar = Features { flow, ..golden(id) };
            assert_eq!(factor(&configured(id, &[]), &bar, Side::Long, name).value, expected, "{id} {flow:?}");
            let short = configured(twin(id), &[]);
            let image = mirrored(&bar);
            assert_eq!(factor(&short, &image, Side::Short, name).value, expected, "twin of {id} {flow:?}");
        }
    }
}

#[test]
fn what_is_so_or_not_counts_as_stated() {
    let of = configured(REVERSION, &[]);
    for (bull_divergence, patient, expected) in [(F, F, 50.0), (T, F, 80.0), (F, T, 70.0), (T, T, 100.0)] {
        let bar = Features { bull_divergence, bear_divergence: !bull_divergence, patient, ..golden(REVERSION) };
        assert_eq!(factor(&of, &bar, Side::Long, "reversal_confirmation").value, expected);
    }
    let of = configured(TREND, &[]);
    let bar = Features { higher_lows: false, ..golden(TREND) };
    assert_eq!(factor(&of, &bar, Side::Long, "higher_lows_pattern").value, 50.0);
    let of = configured(DRIVE, &[]);
    let bar = Features { mtf_flag_long: true, ..golden(DRIVE) };
    assert_eq!(factor(&of, &bar, Side::Long, "mtf_alignment").value, 100.0);
    let of = configured(POWER_HOUR, &[]);
    let bar = Features { day_low: Ok(1000.0), day_high: Ok(1000.0), ..golden(POWER_HOUR) };
    assert_eq!(factor(&of, &bar, Side::Long, "extreme_proximity").value, 50.0, "a day without range");
    let of = configured(PIN, &[]);
    let mut bar = golden(PIN);
    pin(&mut bar).gex = None;
    assert_eq!(factor(&of, &bar, Side::Long, "dealer_gamma").value, 50.0);
}

/// Stop and target distances from an entry, by hand (detectors 7): ATR is 4, that of 5m bars 2, the close 1000.
#[test]
fn stops_and_targets_by_hand() {
    let at = |id: &str, given: &[(&str, &str)], bar: &Features, entry: f64| {
        let of = configured(id, given);
        let side = if id.ends_with("bearish") || id.ends_with("short") { Side::Short } else { Side::Long };
        let plan = of.detector.exits(bar, side);
        let distances = plan.distances(side, entry);
        (distances.stop, distances.target, plan.max_bars)
    };
    let near = |found: (f64, f64, Option<u32>), stop: f64, target: f64, max_bars: Option<u32>| {
        let is_target = found.1 == target || (found.1 - target).abs() < 1e-9;
        let is_same = (found.0 - stop).abs() < 1e-9 && is_target;
        assert!(is_same && found.2 == max_bars, "{found:?} instead of {stop}, {target}, {max_bars:?}");
    };
    // 7.1: level 998, less 0.25 ATR; between 0.5 and 1 ATR; 1.5 R.
    let bar = golden(BREAKOUT);
    near(at(BREAKOUT, &[], &bar, 1000.0), 3.0, 4.5, Some(20));
    near(at(BREAKOUT, &[], &bar, 998.0), 2.0, 3.0, Some(20));
    near(at(BREAKOUT, &[], &bar, 1005.0), 4.0, 6.0, Some(20));
    near(at("breakout_bearish", &[], &mirrored(&bar), 1000.0), 3.0, 4.5, Some(20));
    // 7.2: low 999, less 0.25 ATR; between 1 and 1.5 ATR; VWAP, at most 1.5 ATR.
    let bar = Features { vwap: Ok(1005.0), ..golden(REVERSION) };
    near(at(REVERSION, &[], &bar, 1000.0), 4.0, 5.0, Some(12));
    near(at(REVERSION, &[], &bar, 1003.0), 5.0, 2.0, Some(12));
    near(at(REVERSION, &[], &bar, 1004.5), 6.0, 0.5, Some(12));
    near(at(REVERSION, &[], &bar, 990.0), 4.0, 6.0, Some(12));
    near(at(INDEX_REVERSION, &[], &bar, 1000.0), 4.0, 5.0, Some(12));
    // 7.3: swing low, less 0.1 ATR; between 0.5 and 1.5 ATR; 2 R.
    let bar = Features { swing_low: Ok(997.0), ..golden(TREND) };
    near(at(TREND, &[], &bar, 1000.0), 3.4, 6.8, Some(20));
    near(at(TREND, &[], &bar, 998.0), 2.0, 4.0, Some(20));
    near(at(TREND, &[], &golden(TREND), 1000.0), 6.0, 12.0, Some(20));
    // 7.4: 0.75 ATR; 1.5 R, or 0.25 % past the wall at 1002.
    let bar = golden(SQUEEZE);
    near(at(SQUEEZE, &[], &bar, 1000.0), 3.0, 4.5, None);
    near(at(SQUEEZE, &[("target_mode", "wall")], &bar, 1000.0), 3.0, 1002.0 * 1.0025 - 1000.0, None);
    let bar = golden("gamma_squeeze_bearish");
    let target = 1000.0 - 998.0 * 0.9975;
    near(at("gamma_squeeze_bearish", &[("target_mode", "wall")], &bar, 1000.0), 3.0, target, None);
    // 7.5: day low 998, less 0.25 ATR; at least 0.25 ATR; VWAP 1004, at most 1.5 ATR.
    let bar = golden(POWER_HOUR);
    near(at(POWER_HOUR, &[], &bar, 1000.0), 3.0, 4.0, None);
    near(at(POWER_HOUR, &[], &bar, 997.0), 1.0, 6.0, None);
    // 7.7: the other side of the range at 993; between 0.5 and 1.5 ATR; 1.5 R, or the close.
    let mut bar = golden(DRIVE);
    near(at(DRIVE, &[], &bar, 1000.0), 6.0, 9.0, None);
    bar.opening_range = Ok(OpeningRange { open: 997.0, high: 999.0, low: 996.5, close: 998.0 });
    near(at(DRIVE, &[], &bar, 1000.0), 3.5, 5.25, None);
    near(at(DRIVE, &[("target_mode", "close")], &bar, 997.0), 2.0, f64::INFINITY, None);
    // 7.8: the level at 999, less 0.5 ATR; between 0.5 and 1.5 ATR; 2 R.
    let mut bar = golden(FLIP);
    near(at(FLIP, &[], &bar, 1000.0), 3.0, 6.0, None);
    chain(&mut bar).flip = Ok(Some(FlipView { level: 990.0, ..*flip(&mut golden(FLIP)) }));
    near(at(FLIP, &[], &bar, 1000.0), 6.0, 12.0, None);
    // 7.9: the strike at 1001 and as far on the other side, at least 0.25 ATR of 5m bars.
    let bar = golden(PIN);
    near(at(PIN, &[], &bar, 1000.0), 1.0, 1.0, None);
    near(at(PIN, &[], &bar, 1000.8), 0.5, 1001.0 - 1000.8, None);
    // The fixed profile is the same for all.
    for id in [BREAKOUT, REVERSION, TREND, SQUEEZE, POWER_HOUR, INDEX_REVERSION, DRIVE, FLIP, PIN] {
        near(at(id, &[("exit_profile", "atr_fixed")], &golden(id), 1000.0), 4.0, 6.0, Some(20));
    }
}

#[test]
fn a_breakout_trades_its_level_once() {
    for (id, bar) in [(BREAKOUT, golden(BREAKOUT)), ("breakout_bearish", golden("breakout_bearish"))] {
        let side = barkeep::backtest::detectors::find(id).unwrap().side.unwrap();
        let once = configured(id, &[]).detector.once(&bar, side).unwrap();
        assert_eq!((once.level - bar.close).abs(), 2.0);
        assert_eq!(once.within, 1.0, "0.25 ATR");
    }
    assert!(configured(REVERSION, &[]).detector.once(&golden(REVERSION), Side::Long).is_none());
}
