//! B-44: a missing input never satisfies a condition and never vetoes one. It makes the bar not evaluable if it is
//! required, and counts as its stated neutral value if it is not.

use barkeep::backtest::detectors::DETECTORS;
use barkeep::backtest::{Features, Input, Known};

use crate::scenes::{chain, configured, detect, fires, golden, score};

type Hide = (&'static str, fn(&mut Features));

const NONE: Known = Err(Input::WarmUp);

/// What can be missing of a bar.
const INPUTS: [Hide; 24] = [
    ("rsi", |f| f.rsi = NONE),
    ("atr", |f| f.atr = NONE),
    ("atr5", |f| f.atr5 = NONE),
    ("regime", |f| f.regime = Err(Input::WarmUp)),
    ("ema21", |f| f.ema21 = NONE),
    ("ema50", |f| f.ema50 = NONE),
    ("ema200", |f| f.ema200 = NONE),
    ("rvol", |f| f.rvol = NONE),
    ("vwap", |f| (f.vwap, f.vwap_distance) = (NONE, NONE)),
    ("day_range", |f| (f.day_high, f.day_low) = (NONE, NONE)),
    ("day_move", |f| f.day_move_pct = NONE),
    ("previous_close", |f| (f.previous_close, f.gap_pct) = (NONE, NONE)),
    ("opening_range", |f| f.opening_range = Err(Input::WarmUp)),
    ("donchian", |f| (f.donchian_high, f.donchian_low) = (NONE, NONE)),
    ("swings", |f| (f.swing_high, f.swing_low) = (NONE, NONE)),
    ("5m bars", |f| (f.false_break_down, f.false_break_up) = (Err(Input::WarmUp), Err(Input::WarmUp))),
    ("approach", |f| f.approach_close = NONE),
    ("vix", |f| f.vix = NONE),
    ("flow", |f| f.flow = None),
    ("chain", |f| f.chain = Err(Input::WarmUp)),
    ("gamma", |f| {
        if let Ok(chain) = &mut f.chain {
            chain.gamma = Err(Input::WarmUp);
        }
    }),
    ("flip", |f| chain(f).flip = Err(Input::WarmUp)),
    ("option volume", |f| chain(f).volume_ratio = NONE),
    ("volume_z, adx", |f| (f.volume_z, f.adx, f.di_plus, f.di_minus) = (NONE, NONE, NONE, NONE)),
];

fn required(id: &str) -> &'static [&'static str] {
    let pair = id.rsplit_once('_').unwrap().0;
    match pair {
        "breakout" => &["atr", "rvol", "vwap", "donchian"],
        "mean_reversion" | "index_mean_reversion" => &["atr", "rsi", "vwap", "rvol", "regime"],
        "trend_continuation" => &["atr", "regime", "ema21", "ema50", "rsi", "rvol", "vwap", "swings"],
        "gamma_squeeze" => &["atr", "rvol", "approach", "chain", "gamma"],
        "power_hour_reversal" => &["atr", "rvol", "vwap", "rsi", "day_range", "5m bars"],
        "opening_drive" => &["atr", "rvol", "opening_range", "previous_close", "day_move"],
        "gamma_flip" => &["atr", "rvol", "chain", "gamma", "flip", "option volume"],
        "eod_pin" => &["atr5", "chain"],
        _ => panic!("{pair}"),
    }
}

#[test]
fn required_inputs_make_a_bar_not_evaluable_and_others_do_not() {
    for spec in DETECTORS {
        let of = configured(spec.id, &[]);
        let bar = golden(spec.id);
        assert!(fires(&of, &bar), "{}", spec.id);
        for (input, hide) in INPUTS {
            let mut lacking = bar.clone();
            hide(&mut lacking);
            let (side, missing) = detect(&of, &lacking);
            if required(spec.id).contains(&input) {
                assert_eq!((side, missing), (None, Some(Input::WarmUp)), "{} without {input}", spec.id);
            } else {
                assert_eq!(missing, None, "{} without {input}", spec.id);
                assert!(side.is_some(), "{} is vetoed by a missing {input}", spec.id);
                assert!(score(&of, &lacking).is_finite(), "{} without {input}", spec.id);
            }
        }
    }
}

#[test]
fn without_a_chain_the_five_say_that_open_interest_is_missing() {
    for spec in DETECTORS {
        let of = configured(spec.id, &[]);
        // Everything else is missing, too: the chain is what they can least do without.
        let (side, missing) = detect(&of, &Features::unknown());
        let needs_chain = ["gamma", "eod_pin"].iter().any(|start| spec.id.starts_with(start));
        assert_eq!(side, None);
        assert_eq!(missing == Some(Input::OpenInterest), needs_chain, "{}", spec.id);
    }
}

#[test]
fn filters_need_their_inputs() {
    for spec in DETECTORS {
        let bar = golden(spec.id);
        let of = configured(spec.id, &[("spread_max_pct", "0.5")]);
        assert_eq!(detect(&of, &bar), (None, Some(Input::Quotes)), "{}: quotes are not stored", spec.id);
        let of = configured(spec.id, &[("vix_max", "30")]);
        assert!(fires(&of, &bar), "{}", spec.id);
        let without = Features { vix: Err(Input::Vix), ..bar.clone() };
        assert_eq!(detect(&of, &without), (None, Some(Input::Vix)), "{}", spec.id);
    }
    let bar = Features { ema200: Err(Input::WarmUp), ..golden("trend_continuation_long") };
    assert!(fires(&configured("trend_continuation_long", &[]), &bar));
    let strict = configured("trend_continuation_long", &[("ema200_filter", "true")]);
    assert_eq!(detect(&strict, &bar), (None, Some(Input::WarmUp)));
    let pin = Features { atr: Err(Input::WarmUp), ..golden("eod_pin_setup") };
    for exits in [("exit_profile", "atr_fixed"), ("trail_atr", "1.5")] {
        assert_eq!(detect(&configured("eod_pin_setup", &[exits]), &pin), (None, Some(Input::WarmUp)));
    }
}

#[test]
fn conditions_without_an_answer_are_not_met() {
    let mut bar = golden("gamma_flip_bullish");
    chain(&mut bar).flip = Ok(None);
    assert_eq!(detect(&configured("gamma_flip_bullish", &[]), &bar), (None, None), "no zero: not a missing input");
    let mut bar = golden("eod_pin_setup");
    chain(&mut bar).pin = None;
    assert_eq!(detect(&configured("eod_pin_setup", &[]), &bar), (None, None));
    let mut bar = golden("gamma_squeeze_bullish");
    chain(&mut bar).gamma.as_mut().unwrap().call_wall = None;
    assert_eq!(detect(&configured("gamma_squeeze_bullish", &[]), &bar), (None, None));
}

#[test]
fn outside_regular_hours_six_pairs_fire_if_asked() {
    for spec in DETECTORS {
        let bar = Features { minute: None, late_minute: None, ..golden(spec.id) };
        assert!(!fires(&configured(spec.id, &[]), &bar), "{}", spec.id);
        if !spec.params().iter().any(|param| param.name == "rth_only") {
            continue;
        }
        let of = configured(spec.id, &[("rth_only", "false")]);
        assert!(fires(&of, &bar), "{}", spec.id);
        // A VWAP that is absent there leaves its condition out.
        let bar = Features { vwap: Err(Input::Volume), vwap_distance: Err(Input::Volume), ..bar };
        assert!(fires(&of, &bar), "{}", spec.id);
        assert!(score(&of, &bar).is_finite());
        let side = spec.side.unwrap();
        let target = of.detector.exits(&bar, side).distances(side, bar.close).target;
        assert!(target.is_finite() && target > 0.0, "{}: {target}", spec.id);
    }
    for pair in ["mean_reversion", "index_mean_reversion"] {
        let of = configured(&format!("{pair}_long"), &[("rth_only", "false")]);
        let inside = golden("mean_reversion_long");
        let outside = Features { minute: None, late_minute: None, ..inside.clone() };
        for (rsi, distance, in_hours, off_hours) in [
            (39.9, -0.7, false, true),
            (40.0, -0.7, false, false),
            (28.0, -0.21, false, true),
            (28.0, -0.2, false, false),
        ] {
            let with = |bar: &Features| Features { rsi: Ok(rsi), vwap_distance: Ok(distance), ..bar.clone() };
            assert_eq!(fires(&of, &with(&inside)), in_hours, "{pair} {rsi} {distance}");
            assert_eq!(fires(&of, &with(&outside)), off_hours, "{pair} {rsi} {distance}");
        }
    }
}
