//! B-68: a short twin says of a mirrored bar what the long one says of the bar.

use std::sync::LazyLock;

use barkeep::backtest::detectors::{Checks, Configured, Factors};
use barkeep::backtest::options::{ChainView, FlipView, GammaView};
use barkeep::backtest::{Features, Flow, Input, OpeningRange, Regime, Side};
use proptest::prelude::*;
use proptest::sample::select;

use crate::scenes::{TWINS, configured, mirrored, quiet, rank};

const CLOSE: f64 = 1000.0;

/// A price so many tenths of a percent from the close. A distance in percent of a level is not quite that in percent of
/// its mirror image: no two of these prices are near to an edge apart.
fn price() -> impl Strategy<Value = f64> {
    select(&[-27.0, -15.0, -8.0, -4.0, 0.0, 4.0, 8.0, 15.0, 27.0][..]).prop_map(|tenths: f64| CLOSE + tenths)
}

fn known<T: Clone + std::fmt::Debug + 'static>(
    value: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Result<T, Input>> {
    prop_oneof![40 => value.prop_map(Ok), 1 => Just(Err(Input::WarmUp))].boxed()
}

fn regime() -> impl Strategy<Value = Regime> {
    select(&[Regime::TrendingUp, Regime::TrendingDown, Regime::Volatile, Regime::Choppy, Regime::Ranging][..])
}

fn flow() -> impl Strategy<Value = Option<Flow>> {
    let flow = (0.0..100.0, 0_u32..6, 0_u32..5, select(&[0.2, 0.5, 0.8][..]));
    prop::option::of(flow.prop_map(|(score, sweeps, blocks, buy_share)| Flow { score, sweeps, blocks, buy_share }))
}

fn chain() -> impl Strategy<Value = ChainView> {
    let view = (-500.0..100.0, price(), price(), 1.0..600.0, any::<bool>(), 0.0..1.0, 0.0..3.0, 0.0..100.0);
    (view, prop::option::of((price(), price()))).prop_map(|((net, call, put, mte, today, share, ratio, of), flip)| {
        ChainView {
            minutes_to_expiry: mte,
            expires_today: today,
            call_volume_share: Some(share),
            volume_ratio: Ok(ratio),
            gamma: Ok(GammaView {
                net_gex: net,
                negative_gex_rank: rank(of),
                call_wall: Some(call),
                put_wall: Some(put),
                dealer_delta: net * 10.0,
                dealer_delta_rank: rank(of),
            }),
            flip: Ok(flip.map(|(level, previous_close)| FlipView {
                level,
                previous_close,
                gex: net,
                gex_rank: rank(of),
            })),
            pin: None,
        }
    })
}

prop_compose! {
    fn momentum()(
        rsi in known(prop_oneof![15.0..45.0, 25.0..75.0, 55.0..85.0]),
        distance in known(-2.0..2.0),
        rvol in known(0.3..4.0),
        regime in known(regime()),
        minute in prop_oneof![20 => (1..=26_i32).prop_map(|quarter| Some(quarter * 15)), 1 => Just(None)],
        moved in known(-1.5..1.5),
        gap in known(-1.5..1.5),
        flow in flow(),
    ) -> Features {
        Features {
            rsi, vwap_distance: distance, rvol, regime, minute, late_minute: minute, day_move_pct: moved, gap_pct: gap, flow,
            ..quiet()
        }
    }
}

prop_compose! {
    fn levels()(
        (ema21, ema50, ema200) in (known(price()), known(price()), known(price())),
        (donchian_high, donchian_low, swing_high, swing_low) in
            (known(price()), known(price()), known(price()), known(price())),
        (day_high, day_low) in (0.0..20.0, 0.0..20.0).prop_map(|(up, down)| (CLOSE + up, CLOSE - down)),
        (low, high) in (0.0..6.0, 0.0..6.0).prop_map(|(down, up)| (CLOSE - down, CLOSE + up)),
        (open, close, lowest, highest) in (price(), price(), price(), price()),
        (vwap, approach) in (known(price()), known(price())),
    ) -> Features {
        let range = OpeningRange {
            open, close, high: highest.max(open).max(close), low: lowest.min(open).min(close),
        };
        Features {
            ema21, ema50, ema200, donchian_high, donchian_low, swing_high, swing_low, low, high, vwap,
            day_high: Ok(day_high), day_low: Ok(day_low), opening_range: Ok(range), approach_close: approach, ..quiet()
        }
    }
}

prop_compose! {
    fn bars()(
        of in momentum(),
        levels in levels(),
        flags in prop::array::uniform11(any::<bool>()),
        shares in prop::array::uniform4(select(&[0.0, 50.0, 100.0 / 3.0, 100.0][..])),
        chain in known(chain()),
    ) -> Features {
        Features {
            rsi: of.rsi, vwap_distance: of.vwap_distance, rvol: of.rvol, regime: of.regime, minute: of.minute,
            late_minute: of.late_minute, day_move_pct: of.day_move_pct, gap_pct: of.gap_pct, flow: of.flow,
            first_above_range: flags[0], first_below_range: flags[1], higher_lows: flags[2], lower_highs: flags[3],
            bull_divergence: flags[4], bear_divergence: flags[5], patient: flags[6], mtf_flag_long: flags[7],
            mtf_flag_short: flags[8], false_break_down: Ok(flags[9]), false_break_up: Ok(flags[10]),
            mtf_rsi_long: shares[0], mtf_rsi_short: shares[1], mtf_ema_long: shares[2], mtf_ema_short: shares[3],
            chain, ..levels
        }
    }
}

/// The twins as they are, and with the filters that are off by default, which are conditions, too.
static PAIRS: LazyLock<Vec<(&str, Configured, Configured)>> = LazyLock::new(|| {
    let mut pairs = Vec::new();
    for (long, short) in TWINS {
        let strict: &[_] = if long.starts_with("trend") {
            &[("ema200_filter", "true"), ("ema21_near_pct", "1"), ("ema21_gap_max_atr", "2")]
        } else if long.starts_with("mean") {
            &[("flow_veto", "true"), ("ema21_gap_atr", "1.1"), ("rvol_min", "0.9")]
        } else {
            &[]
        };
        for given in [&[][..], strict] {
            pairs.push((long, configured(long, given), configured(short, given)));
        }
    }
    pairs
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn twins_are_mirrors(bar in bars(), offset in -3.0..3.0_f64) {
        let image = mirrored(&bar);
        for (long, of_long, of_short) in PAIRS.iter() {
                let (mut checks, mut image_checks) = (Checks::default(), Checks::default());
                let side = of_long.detector.detect(&bar, &mut checks);
                let image_side = of_short.detector.detect(&image, &mut image_checks);
                prop_assert_eq!(side, image_side.map(Side::opposite), "{}", long);
                prop_assert_eq!(checks.missing(), image_checks.missing(), "{}", long);

                // Factors, stop and target are compared on every bar, met or not.
                let (mut factors, mut image_factors) = (Factors::explaining(), Factors::explaining());
                of_long.detector.score(&bar, Side::Long, &mut factors);
                of_short.detector.score(&image, Side::Short, &mut image_factors);
                for (one, other) in factors.list().iter().zip(image_factors.list()) {
                    prop_assert_eq!(one.weight, other.weight);
                    let is_same = (one.value - other.value).abs() < 1e-6 || one.value.is_nan() && other.value.is_nan();
                    prop_assert!(is_same, "{} {}: {} {}", long, one.name, one.value, other.value);
                }
                let one = of_long.detector.exits(&bar, Side::Long);
                let other = of_short.detector.exits(&image, Side::Short);
                let (one, other) =
                    (one.distances(Side::Long, CLOSE + offset), other.distances(Side::Short, CLOSE - offset));
                for (one, other) in [(one.stop, other.stop), (one.target, other.target)] {
                    let is_same = (one - other).abs() < 1e-6 || one.is_nan() && other.is_nan();
                    prop_assert!(is_same, "{}: {} {}", long, one, other);
                }
        }
    }

    /// A pin is its own twin.
    #[test]
    fn a_pin_pulls_both_ways(tenths in -60..=60_i32, offset in -3.0..3.0_f64) {
        let mut bar = crate::scenes::golden("eod_pin_setup");
        crate::scenes::pin(&mut bar).strike = CLOSE + f64::from(tenths) / 10.0;
        let image = mirrored(&bar);
        let of = configured("eod_pin_setup", &[]);
        let side = of.detector.detect(&bar, &mut Checks::default());
        prop_assert_eq!(side.map(Side::opposite), of.detector.detect(&image, &mut Checks::default()));
        if let Some(side) = side {
            prop_assert_eq!(side == Side::Long, tenths > 0);
            let score = of.detector.score(&bar, side, &mut Factors::default());
            prop_assert_eq!(score, of.detector.score(&image, side.opposite(), &mut Factors::default()));
            let one = of.detector.exits(&bar, side).distances(side, CLOSE + offset);
            let other = of.detector.exits(&image, side.opposite()).distances(side.opposite(), CLOSE - offset);
            prop_assert!((one.stop - other.stop).abs() < 1e-9 && (one.target - other.target).abs() < 1e-9);
        }
    }
}

/// The property above would hold for detectors that never fire: each of them does on some of the bars.
#[test]
fn random_bars_make_every_twin_fire() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut fired = [0_u32; TWINS.len()];
    let detectors: Vec<_> = TWINS.iter().map(|(long, _)| configured(long, &[])).collect();
    for _ in 0..8_000 {
        let bar = bars().new_tree(&mut runner).unwrap().current();
        for (fired, of) in fired.iter_mut().zip(&detectors) {
            *fired += u32::from(crate::scenes::fires(of, &bar));
        }
    }
    assert!(fired.iter().all(|fired| *fired > 0), "{fired:?}");
}
