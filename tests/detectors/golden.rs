//! Golden score vectors (detectors 8), through conditions and score as a run has them.

use crate::scenes::{TWINS, chain, configured, golden, score};

/// Detector, score by the inherited formulas, score by this specification.
const VECTORS: [(&str, f64, f64); 10] = [
    ("breakout_bullish", 67.6667, 67.6667),
    ("mean_reversion_long", 71.0, 71.0),
    ("index_mean_reversion_long", 76.5, 76.5),
    ("trend_continuation_long", 87.5, 87.5),
    ("gamma_squeeze_bullish", 67.0, 69.5),
    ("gamma_squeeze_bearish", 48.0, 60.5),
    ("power_hour_reversal_bullish", 72.95, 72.95),
    ("opening_drive_bullish", 49.9707, 61.0536),
    ("gamma_flip_bullish", 63.0, 70.5),
    ("eod_pin_setup", 67.308, 67.308),
];

/// Detectors whose score has no inherited formula do not take the choice (B-66).
fn profile(id: &str, compat: bool) -> &'static [(&'static str, &'static str)] {
    let has_two = ["gamma_squeeze", "opening_drive", "gamma_flip"].iter().any(|pair| id.starts_with(pair));
    if compat && has_two { &[("score_profile", "compat")] } else { &[] }
}

#[test]
fn golden_vectors_in_both_profiles() {
    for (id, compat, standard) in VECTORS {
        let features = golden(id);
        for (expected, is_compat) in [(compat, true), (standard, false)] {
            let score = score(&configured(id, profile(id, is_compat)), &features);
            assert!((score - expected).abs() < 1e-4, "{id}, compat {is_compat}: {score} instead of {expected}");
        }
    }
}

#[test]
fn mirrored_twins_have_the_same_score() {
    for (long, short) in TWINS {
        if long == "gamma_squeeze_bullish" {
            continue; // its rows differ in the put share of one state: both are above
        }
        for is_compat in [true, false] {
            let of_long = score(&configured(long, profile(long, is_compat)), &golden(long));
            let of_short = score(&configured(short, profile(short, is_compat)), &golden(short));
            assert!((of_long - of_short).abs() < 1e-9, "{long} {of_long}, {short} {of_short}");
        }
    }
}

#[test]
fn the_inherited_formula_of_a_bearish_squeeze_has_the_other_sign() {
    let of = configured("gamma_squeeze_bearish", &[("score_profile", "compat")]);
    let mut features = golden("gamma_squeeze_bearish");
    chain(&mut features).gamma.as_mut().unwrap().net_gex = -600.0;
    assert!((score(&of, &features) - (48.0 - 0.25 * 10.0)).abs() < 1e-9);
}
