//! Parameters: declared once, listed in full, refused with a reason, and each of them does something (B-66).

use std::collections::{BTreeMap, BTreeSet};

use barkeep::backtest::detectors::{Checks, Configured, DETECTORS, DetectorSpec, Factors, GROUPS, find, group};
use barkeep::backtest::params::{ParamError, ParamKind, ParamSpec, ParamValue};
use barkeep::backtest::{ClassGate, Features, Flow, Input, Side};

use crate::scenes::{chain, configure, configured, gamma, golden, mirrored, rank};

const IDS: [&str; 17] = [
    "breakout_bullish",
    "breakout_bearish",
    "mean_reversion_long",
    "mean_reversion_short",
    "trend_continuation_long",
    "trend_continuation_short",
    "gamma_squeeze_bullish",
    "gamma_squeeze_bearish",
    "power_hour_reversal_bullish",
    "power_hour_reversal_bearish",
    "index_mean_reversion_long",
    "index_mean_reversion_short",
    "opening_drive_bullish",
    "opening_drive_bearish",
    "gamma_flip_bullish",
    "gamma_flip_bearish",
    "eod_pin_setup",
];

#[test]
fn the_seventeen_stand_in_their_order_and_groups() {
    let ids = |specs: &[&DetectorSpec]| specs.iter().map(|spec| spec.id).collect::<Vec<_>>();
    assert_eq!(DETECTORS.iter().map(|spec| spec.id).collect::<Vec<_>>(), IDS);
    assert_eq!(ids(&group("all").unwrap()), IDS);
    assert_eq!(ids(&group("equity").unwrap()), IDS[..6]);
    assert_eq!(ids(&group("index").unwrap()), IDS[6..]);
    assert!(GROUPS.iter().all(|name| group(name).is_some() && find(name).is_none()) && group("etf").is_none());
    for spec in DETECTORS {
        assert_eq!(find(spec.id).unwrap().id, spec.id);
        let up = spec.id.ends_with("bullish") || spec.id.ends_with("long");
        let side = if spec.id == "eod_pin_setup" { None } else { Some(if up { Side::Long } else { Side::Short }) };
        assert_eq!(spec.side, side, "{}", spec.id);
        let class = if IDS[..6].contains(&spec.id) { ClassGate::Equity } else { ClassGate::Index };
        assert_eq!(spec.class, class);
    }
}

#[test]
fn lists_are_sound() {
    for spec in DETECTORS {
        let names: BTreeSet<_> = spec.params().iter().map(|param| param.name).collect();
        assert_eq!(names.len(), spec.params().len(), "{}: each name once", spec.id);
        for param in spec.params() {
            let what = format!("{}.{}", spec.id, param.name);
            assert!(param.admits(param.default), "{what}: its default is of its kind and range");
            assert!(!param.help.is_empty() && !param.help.ends_with('.') && !param.help.contains('\n'), "{what}");
            for (other, words) in param.needs {
                if let Some(other) = spec.params().iter().find(|param| param.name == *other) {
                    let takes = |word: &&str| match other.kind {
                        ParamKind::Choice(of) => of.contains(word),
                        ParamKind::Switch => ["true", "false"].contains(word),
                        ParamKind::Number { .. } | ParamKind::Integer { .. } => false,
                    };
                    assert!(words.iter().all(takes), "{what} needs a value that {} does not take", other.name);
                }
            }
            let text = format!("{} {}", param.help, spec.help).to_lowercase();
            assert!(!["win rate", "profit", "expected"].iter().any(|word| text.contains(word)), "{what} promises");
        }
    }
}

/// The defaults of detectors 5 and 7, where they differ between detectors.
#[test]
fn defaults_are_those_of_the_specification() {
    let of = |id: &str, name: &str| configured(id, &[]).config.parameters[name].clone();
    for id in IDS {
        let expected = match id.rsplit_once('_').unwrap().0 {
            "breakout" | "trend_continuation" => (15, 2, 0),
            "mean_reversion" => (15, 3, 0),
            "gamma_squeeze" => (45, 2, 5),
            "power_hour_reversal" | "opening_drive" => (10, 1, 0),
            "index_mean_reversion" => (10, 3, 0),
            "gamma_flip" => (60, 1, 5),
            "eod_pin" => (120, 1, 0),
            _ => unreachable!(),
        };
        let found = (of(id, "cooldown_minutes"), of(id, "max_trades_per_session"), of(id, "flat_by"));
        assert_eq!(found, (expected.0.into(), expected.1.into(), expected.2.into()), "{id}");
        assert_eq!((of(id, "min_score"), of(id, "min_rr")), (55.0.into(), 1.0.into()));
        let settings = configured(id, &[]).detector.features();
        assert_eq!(settings, barkeep::backtest::FeatureSettings::default(), "{id}");
        let rules = configured(id, &[]);
        let rules = rules.detector.rules();
        assert_eq!((rules.cooldown_minutes, rules.flat_before_close_minutes), (expected.0, expected.2));
        assert_eq!((rules.breakeven_at_r, rules.partial_at_r, rules.trail_atr), (None, None, None));
        assert!(!rules.hold_overnight);
        let has_overnight = find(id).unwrap().params().iter().any(|param| param.name == "hold_overnight");
        assert_eq!(has_overnight, id.starts_with("trend"));
    }
    assert_eq!(
        (of("trend_continuation_short", "rsi_low"), of("mean_reversion_short", "rsi_min")),
        (30.0.into(), 65.0.into())
    );
    assert_eq!(of("breakout_bullish", "breakeven_at_r"), "off");
}

fn refused(id: &str, given: &[(&str, &str)]) -> ParamError {
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    find(id).unwrap().configure(&given).expect_err("it is refused")
}

#[test]
fn what_is_not_taken_is_said_with_its_reason() {
    let breakout = "breakout_bullish";
    type Refusal = (&'static str, &'static [(&'static str, &'static str)], &'static str);
    let cases: [Refusal; 23] = [
        (
            breakout,
            &[("rvol_mn", "2")],
            "breakout_bullish has no parameter `rvol_mn` (did you mean `rvol_min`?); `backtest detectors --list` shows what it has",
        ),
        (
            breakout,
            &[("moon_phase", "2")],
            "breakout_bullish has no parameter `moon_phase`; `backtest detectors --list` shows what it has",
        ),
        (
            breakout,
            &[("hold_overnight", "true")],
            "breakout_bullish has no parameter `hold_overnight`; `backtest detectors --list` shows what it has",
        ),
        (
            breakout,
            &[("score_profile", "compat")],
            "breakout_bullish has no parameter `score_profile`; `backtest detectors --list` shows what it has",
        ),
        (
            breakout,
            &[("rvol_min", "many")],
            "breakout_bullish.rvol_min = many is not a value for this number: it takes 0 to 20",
        ),
        (
            breakout,
            &[("rvol_min", "NaN")],
            "breakout_bullish.rvol_min = NaN is not a value for this number: it takes 0 to 20",
        ),
        (
            breakout,
            &[("rvol_min", "inf")],
            "breakout_bullish.rvol_min = inf is not a value for this number: it takes 0 to 20",
        ),
        (
            breakout,
            &[("rvol_min", "off")],
            "breakout_bullish.rvol_min = off is not a value for this number: it takes 0 to 20",
        ),
        (breakout, &[("rvol_min", "20.1")], "breakout_bullish.rvol_min = 20.1 is out of range: it takes 0 to 20 (x)"),
        (
            breakout,
            &[("rvol_min", "")],
            "breakout_bullish.rvol_min =  is not a value for this number: it takes 0 to 20",
        ),
        (
            breakout,
            &[("donchian_bars", "20.0")],
            "breakout_bullish.donchian_bars = 20.0 is not a value for this integer: it takes 2 to 500",
        ),
        (
            breakout,
            &[("donchian_bars", "1")],
            "breakout_bullish.donchian_bars = 1 is out of range: it takes 2 to 500 (bars)",
        ),
        (
            breakout,
            &[("trail_atr", "0")],
            "breakout_bullish.trail_atr = 0 is out of range: it takes 0.1 to 10 or off (ATR)",
        ),
        (
            breakout,
            &[("rth_only", "yes")],
            "breakout_bullish.rth_only = yes is not a value for this switch: it takes true, false",
        ),
        (
            breakout,
            &[("exit_profile", "fixed")],
            "breakout_bullish.exit_profile = fixed is not a value for this choice: it takes structural, atr_fixed",
        ),
        (
            breakout,
            &[("stop_min_atr", "1.1")],
            "breakout_bullish.stop_min_atr = 1.1 must be at most stop_atr = 1: change one of them",
        ),
        (
            breakout,
            &[("min_rr", "2")],
            "breakout_bullish.min_rr = 2 must be at most target_r = 1.5: change one of them",
        ),
        (
            breakout,
            &[("partial_at_r", "1.5")],
            "breakout_bullish.partial_at_r = 1.5 must be below target_r = 1.5: change one of them",
        ),
        (
            breakout,
            &[("exit_profile", "atr_fixed"), ("fixed_target_atr", "0.5")],
            "breakout_bullish.min_rr = 1 must be at most fixed_target_atr / fixed_stop_atr = 0.5: change one of them",
        ),
        (
            breakout,
            &[("w_flow_alignment", "0.35")],
            "the weights of breakout_bullish (`w_…`) sum to 1.1 and must sum to 1: change others of them, too",
        ),
        (
            breakout,
            &[("exit_profile", "atr_fixed"), ("target_r", "2")],
            "breakout_bullish.target_r = 2 changes nothing while exit_profile = atr_fixed: it needs exit_profile = structural",
        ),
        (
            "power_hour_reversal_bullish",
            &[("confirm", "failed_break"), ("div_min_bars", "5")],
            "power_hour_reversal_bullish.div_min_bars = 5 changes nothing while confirm = failed_break: it needs confirm = either or divergence or both",
        ),
        (
            "trend_continuation_long",
            &[("hold_overnight", "true"), ("flat_by", "5")],
            "trend_continuation_long.flat_by = 5 changes nothing while hold_overnight = true: it needs hold_overnight = false",
        ),
    ];
    for (id, given, message) in cases {
        assert_eq!(refused(id, given).to_string(), message);
    }
}

#[test]
fn contradictions_are_refused() {
    let pairs: [(&str, &[(&str, &str)]); 12] = [
        ("breakout_bullish", &[("rvol_sessions", "9")]),
        ("mean_reversion_long", &[("div_min_bars", "21")]),
        ("breakout_bullish", &[("vix_min", "30"), ("vix_max", "20")]),
        ("breakout_bullish", &[("clock_from", "200"), ("clock_to", "100")]),
        ("trend_continuation_long", &[("stop_min_atr", "1.6")]),
        ("mean_reversion_long", &[("stop_atr", "1.6")]),
        ("trend_continuation_short", &[("rsi_low", "61")]),
        ("power_hour_reversal_bullish", &[("minute_min", "385"), ("minute_max", "380")]),
        ("opening_drive_bullish", &[("opening_range_minutes", "30")]),
        ("eod_pin_setup", &[("distance_min_pct", "0.5")]),
        ("gamma_flip_bullish", &[("min_rr", "2.1")]),
        ("gamma_squeeze_bullish", &[("breakeven_at_r", "1.5")]),
    ];
    for (id, given) in pairs {
        assert!(matches!(refused(id, given), ParamError::Contradiction { .. }), "{id} {given:?}");
    }
    // Where the target is not a multiple of the stop, nothing contradicts.
    configured("gamma_squeeze_bullish", &[("target_mode", "wall"), ("breakeven_at_r", "3")]);
    configured("mean_reversion_long", &[("min_rr", "3"), ("partial_at_r", "3")]);
    configured("breakout_bullish", &[("vix_max", "20")]);
}

/// What a report prints can be given back: all of it, with the values that do not matter at the time.
#[test]
fn parameters_are_printed_in_full_and_can_be_given_back() {
    for spec in DETECTORS {
        for given in [&[][..], &[("exit_profile", "atr_fixed"), ("fixed_stop_atr", "0.75"), ("vix_max", "30")]] {
            let one = configured(spec.id, given);
            assert_eq!(one.config.parameters.len(), spec.params().len(), "{}", spec.id);
            let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let again = one.config.parameters.iter().map(|(name, value)| (name.clone(), text(value))).collect();
            let again = configure(spec.id, &again);
            assert_eq!(again.config, one.config);
            assert_eq!(format!("{:?}", again.detector), format!("{:?}", one.detector));
        }
    }
    let config = configured("breakout_bullish", &[("donchian_bars", "55")]).config;
    assert_eq!(config.parameters["donchian_bars"], serde_json::json!(55), "an integer stays one");
    assert_eq!(config.parameters["rvol_min"], serde_json::json!(1.5));
}

/// Bars that between them show every parameter: the golden one, and it with one thing changed.
fn bars(id: &str) -> Vec<Features> {
    let bar = golden(id);
    let short = id.ends_with("bearish") || id.ends_with("short");
    let mut bars = vec![bar.clone()];
    let mut add = |change: &dyn Fn(&mut Features)| {
        // Changes are written for the long side.
        let mut changed = if short { mirrored(&bar) } else { bar.clone() };
        change(&mut changed);
        bars.push(if short { mirrored(&changed) } else { changed });
    };
    add(&|f| (f.minute, f.late_minute) = (None, None));
    add(&|f| {
        (f.minute, f.late_minute) = (None, None);
        (f.rsi, f.vwap_distance) = (Ok(38.0), Ok(-0.25));
    });
    add(&|f| f.flow = Some(Flow { score: 90.0, sweeps: 5, blocks: 5, buy_share: 0.1 }));
    add(&|f| (f.swing_high, f.swing_low, f.low) = (Ok(1004.0), Ok(998.5), 995.0));
    add(&|f| f.ema200 = Ok(1005.0));
    add(&|f| f.rvol = Err(Input::Volume));
    add(&|f| f.bull_divergence = true);
    add(&|f| (f.bull_divergence, f.false_break_down) = (true, Ok(false)));
    add(&|f| {
        if let Ok(view) = &mut f.chain {
            view.minutes_to_expiry = 600.0;
            if let Some(pin) = &mut view.pin {
                (pin.expires_today, pin.minutes_to_expiry) = (false, 40.0);
            }
        }
        chain(f).expires_today = false;
        gamma(f).negative_gex_rank = rank(10.0);
    });
    bars
}

/// Everything a run sees of a detector.
fn fingerprint(of: &Configured, bars: &[Features]) -> String {
    let mut seen = format!("{:?} {:?}", of.detector.features(), of.detector.rules());
    for bar in bars {
        let mut checks = Checks::default();
        let side = of.detector.detect(bar, &mut checks);
        seen.push_str(&format!("{side:?} {:?}", checks.missing()));
        let Some(side) = side else { continue };
        let score = of.detector.score(bar, side, &mut Factors::default());
        let plan = of.detector.exits(bar, side);
        seen.push_str(&format!("{score} {:?} {:?}", plan.max_bars, of.detector.once(bar, side)));
        for quarter in -24..=24 {
            seen.push_str(&format!("{:?}", plan.distances(side, bar.close + f64::from(quarter) / 4.0)));
        }
    }
    seen
}

/// Values to try in place of the default.
fn others(param: &ParamSpec) -> Vec<ParamValue> {
    let mut values = match param.kind {
        ParamKind::Number { min, max, step } => {
            let from = if let ParamValue::Number(default) = param.default { default } else { min };
            let around = [1.0, 2.0, 4.0, 20.0].iter().flat_map(|times| [from + times * step, from - times * step]);
            around.chain([min, max]).map(ParamValue::Number).collect()
        }
        ParamKind::Integer { min, max, step } => {
            let from = if let ParamValue::Integer(default) = param.default { default } else { min };
            let around = [1, 2, 4, 20].iter().flat_map(|times| [from + times * step, from - times * step]);
            around.chain([min, max]).map(ParamValue::Integer).collect()
        }
        ParamKind::Switch => vec![ParamValue::Switch(true), ParamValue::Switch(false)],
        ParamKind::Choice(of) => of.iter().map(|word| ParamValue::Choice(word)).collect(),
    };
    values.push(ParamValue::Off);
    values.retain(|value| *value != param.default && param.admits(*value));
    values
}

/// Parameter and value, with what it needs to matter.
fn given(
    spec: &DetectorSpec,
    param: &ParamSpec,
    value: ParamValue,
) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let has = |name: &str| spec.params().iter().any(|param| param.name == name);
    let needs = param.needs.iter().filter(|(name, _)| has(name));
    let base: BTreeMap<_, _> = needs.map(|(name, words)| ((*name).to_owned(), words[0].to_owned())).collect();
    let mut changed = base.clone();
    changed.insert(param.name.to_owned(), value.words());
    if let (ParamValue::Number(value), ParamValue::Number(default)) = (value, param.default)
        && param.name.starts_with("w_")
    {
        // Another weight gives way.
        let other = spec.params().iter().rev().find(|other| {
            other.name.starts_with("w_")
                && other.name != param.name
                && matches!(other.default, ParamValue::Number(weight) if weight >= value - default)
        });
        if let Some(ParamSpec { name, default: ParamValue::Number(weight), .. }) = other {
            changed.insert((*name).to_owned(), (weight - (value - default)).to_string());
        }
    }
    (base, changed)
}

#[test]
fn every_parameter_changes_something() {
    for spec in DETECTORS {
        let bars = bars(spec.id);
        for param in spec.params() {
            let does_something = others(param).into_iter().any(|value| {
                let (base, changed) = given(spec, param, value);
                let base = fingerprint(&configure(spec.id, &base), &bars);
                spec.configure(&changed).is_ok_and(|of| fingerprint(&of, &bars) != base)
            });
            assert!(does_something, "{}.{} changes nothing", spec.id, param.name);
        }
    }
}
