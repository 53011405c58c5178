//! `backtest explain`.

use std::io::{self, Write};

use anyhow::anyhow;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde_json::{Value, json};

use super::load::{Needs, Source};
use super::parameters::{Offers, configured, looks_off_hours};
use super::request::{Bars, Chosen};
use crate::backtest::detectors::{Check, Comparison, Configured};
use crate::backtest::explain::{Explanation, explain};
use crate::backtest::run::{self, Setup, study_symbol};
use crate::backtest::{
    CostSettings, EngineSettings, FeatureSettings, Features, Known, SessionScope, Sessions, Status, SymbolData, Trade,
};
use crate::cli::args::{DataArgs, DetectorArgs, ExplainArgs};
use crate::cli::commands::Context;
use crate::cli::format::figure;
use crate::cli::{Align, Body, CliError, DateError, DateRule, Exit, Table, print_json};
use crate::model::{Calendar, Dataset, Market, Symbol, Timeframe};

/// Explains one bar.
pub(super) async fn run(args: &ExplainArgs, context: &Context) -> Result<Exit, CliError> {
    let typed =
        DetectorArgs { detector: vec![args.detector.clone()], set: args.set.clone(), params: args.params.clone() };
    // A bar is explained as the run sees it that allows what the parameters ask for. What the environment asks for takes a run
    // with --session=all: there is no such flag here, and parameters say the same.
    let offers = Offers { off_hours: true, overnight: true };
    let mut found = configured(&typed, false, offers)?;
    let (Some(detector), true) = (found.pop(), found.is_empty()) else {
        return Err(CliError::usage(anyhow!("`{}` is a group: explain one detector of it", args.detector)));
    };
    let symbol = Symbol::from_command_line(&args.symbol).map_err(CliError::usage)?;
    let market = symbol.dataset().market();
    let (end_ms, date) = moment(&args.time, market)?;
    let timeframe = args.timeframe.unwrap_or(Timeframe::M15);
    let bars = Bars {
        chosen: Chosen::Named(vec![symbol.clone()]),
        dates: session_on(date, symbol.dataset(), context.settings.now.value, &args.time)?,
        timeframe,
        session: if looks_off_hours(&detector) { SessionScope::All } else { SessionScope::Regular },
    };
    let settings = FeatureSettings { ..detector.detector.features() };
    let needs = Needs { warm_up_sessions: settings.warm_up_sessions(timeframe) as usize, coarser: true };
    let data = DataArgs { no_fallback: true, ..DataArgs::default() };
    let mut source = Source::open(&bars, needs, &[], &data, context).await?;
    source.settle().await?;
    let data = source.read(&[symbol]).await?.pop().ok_or_else(|| CliError::failed(anyhow!("nothing was read")))?;
    let bar = bar_of(&data, bars.session, end_ms, &args.time)?;
    let setup = Setup {
        source: run::Source::Detectors(vec![detector]),
        engine: EngineSettings { session: bars.session, hold_overnight: true, ..EngineSettings::default() },
        costs: CostSettings::default(),
        min_bars: 1,
        ignore_asset_class: args.ignore_asset_class,
        seed: 1,
        random_draws: 0,
    };
    let run = study_symbol(&data, &setup).study.runs.pop();
    let run::Source::Detectors(detectors) = &setup.source else { return Ok(Exit::Failed) };
    let (detector, Some(run)) = (&detectors[0], run) else { return Ok(Exit::Failed) };
    if matches!(run.status, Status::AssetClass | Status::NotTradable) {
        let words = run.status.words();
        let error = CliError::usage(anyhow!("{} does not run on {}: {words}", detector.spec.id, args.symbol));
        return Err(match run.status {
            Status::AssetClass => error.with_hint("--ignore-asset-class runs it all the same"),
            _ => error.with_hint("nobody can hold it: explain the detector on another symbol"),
        });
    }
    let explained = explain(&data, detector, bars.session, &[bar]).pop();
    let explained = explained.expect("Invariant: a bar that was read is of hours that are looked at");
    let gates = gates(&data, detector, &explained, &run.trades);
    let out = &mut io::stdout().lock();
    if context.json {
        let rows = rows(&explained, &gates);
        let settings = json!({ "detector": detector.config, "symbol": data.instrument.symbol.as_str(), "timeframe": timeframe, "end": instant(end_ms) });
        let totals = json!({ "fires": explained.fires, "missing": explained.missing, "trades": explained.fires && gates.iter().all(|gate| gate.passed) });
        print_json(out, "explain", &settings, Body::Rows(&rows), &totals, Exit::Done)?;
    } else {
        print(out, &data, detector, &explained, &gates)?;
    }
    Ok(Exit::Done)
}

/// The instant of a time as typed, and its trading date.
fn moment(text: &str, market: Market) -> Result<(i64, Date), CliError> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok((instant.as_millisecond(), market.date_of(instant)));
    }
    match text.parse::<DateTime>() {
        Ok(at) if text.contains(['T', ' ']) => Ok((market.instant(at.date(), at.time()).as_millisecond(), at.date())),
        _ => Err(CliError::usage(anyhow!(
            "`{text}` is no time: write the end of a bar as 2026-10-01T10:15 (New York) or 2026-10-01T14:15:00Z"
        ))),
    }
}

/// The session of a date, in the words of who has typed a time.
fn session_on(date: Date, dataset: Dataset, now: Timestamp, text: &str) -> Result<DateRule, CliError> {
    let rule = DateRule::of(None, Some(date), Some(date)).and_then(|rule| rule.dates(dataset, now).map(|_| rule));
    let rule = rule.map_err(|error| {
        CliError::usage(match error {
            DateError::Future { today, .. } => anyhow!("{text} lies in the future: it is {today}"),
            DateError::BeforeFirst { first, .. } => {
                anyhow!("{text} lies before the vendor's first file of {dataset}, which is of {first}")
            }
            DateError::OutsideCalendar { .. } => anyhow!(
                "{text} is outside the trading calendar, which covers {} to {}",
                Calendar::FIRST,
                Calendar::LAST
            ),
            other => other.into(),
        })
    })?;
    if Sessions::of(dataset, date..=date).is_empty() {
        return Err(CliError::usage(anyhow!("{text}: there is no session of {dataset} on {date}")));
    }
    Ok(rule)
}

fn bar_of(data: &SymbolData, scope: SessionScope, end_ms: i64, text: &str) -> Result<usize, CliError> {
    let bars = data.signal_bars();
    let place = bars.end_ms.partition_point(|end| *end < end_ms);
    if bars.end_ms.get(place) == Some(&end_ms) {
        return Ok(place);
    }
    let near = [place.checked_sub(1), Some(place)].into_iter().flatten().filter_map(|place| bars.end_ms.get(place));
    let near: Vec<String> = near.map(|end| instant(*end)).collect();
    let hours = if scope == SessionScope::Regular { " of regular hours" } else { "" };
    let error = anyhow!("no stored {} bar of {}{hours} ends at {text}", data.timeframe, data.instrument.symbol);
    Err(CliError::failed(error).with_hint(match &near[..] {
        [] => "nothing is stored of it around then: `backfill status` shows what is".to_owned(),
        near if hours.is_empty() => format!("the nearest end at {}", near.join(" and ")),
        near => format!(
            "the nearest end at {}; --set=DETECTOR.rth_only=false has detectors that can look outside regular hours, too",
            near.join(" and ")
        ),
    }))
}

fn instant(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
}

/// A gate between a signal and a trade.
struct Gate {
    name: &'static str,
    value: String,
    limit: String,
    passed: bool,
}

/// The gates of the engine, with the trades of the session before the bar.
fn gates(data: &SymbolData, detector: &Configured, explained: &Explanation, trades: &[Trade]) -> Vec<Gate> {
    let Some(setup) = &explained.setup else { return Vec::new() };
    let (rules, features) = (detector.detector.rules(), &explained.features);
    let distances = setup.plan.distances(setup.side, features.close);
    let reward = distances.target / distances.stop;
    let before: Vec<&Trade> = trades.iter().filter(|trade| trade.signal_bar < features.bar).collect();
    let open = before.iter().any(|trade| trade.exit_ms > features.end_ms);
    let since = before.iter().map(|trade| (features.end_ms - trade.exit_ms) / 60_000).filter(|since| *since >= 0).min();
    let in_session = before.iter().filter(|trade| trade.session == features.session).count();
    let known = explained.features.session == data.signal_bars().session[features.bar];
    debug_assert!(known, "Invariant: a bar has one session");
    let gate = |name, value, limit, passed| Gate { name, value, limit, passed };
    vec![
        gate("score", figure(setup.score), format!("≥ {}", figure(rules.min_score)), setup.score >= rules.min_score),
        gate(
            "reward over risk",
            figure(reward),
            format!("≥ {}", figure(rules.min_rr)),
            rules.min_rr <= 0.0 || reward >= rules.min_rr - 1e-9,
        ),
        gate(
            "minutes since the last exit",
            since.map_or_else(|| "-".to_owned(), |since| since.to_string()),
            format!("≥ {}", rules.cooldown_minutes),
            since.is_none_or(|since| since >= i64::from(rules.cooldown_minutes)),
        ),
        gate(
            "trades of the session",
            in_session.to_string(),
            format!("< {}", rules.max_trades_per_session),
            in_session < rules.max_trades_per_session as usize,
        ),
        gate("open position", if open { "yes" } else { "no" }.to_owned(), "no".to_owned(), !open),
    ]
}

/// What was known, by name.
fn inputs(features: &Features) -> Vec<(&'static str, Known)> {
    let minute = |minute: Option<i32>| minute.map(f64::from).ok_or(crate::backtest::Input::Minutes);
    vec![
        ("open", Ok(features.open)),
        ("high", Ok(features.high)),
        ("low", Ok(features.low)),
        ("close", Ok(features.close)),
        ("minute", minute(features.minute)),
        ("late_minute", minute(features.late_minute)),
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
        ("vwap_distance", features.vwap_distance),
        ("day_open", features.day_open),
        ("day_high", features.day_high),
        ("day_low", features.day_low),
        ("day_move_pct", features.day_move_pct),
        ("previous_close", features.previous_close),
        ("gap_pct", features.gap_pct),
        ("opening_range_high", features.opening_range.map(|range| range.high)),
        ("opening_range_low", features.opening_range.map(|range| range.low)),
        ("donchian_high", features.donchian_high),
        ("donchian_low", features.donchian_low),
        ("swing_high", features.swing_high),
        ("swing_low", features.swing_low),
        ("mtf_rsi_long", Ok(features.mtf_rsi_long)),
        ("mtf_rsi_short", Ok(features.mtf_rsi_short)),
        ("mtf_ema_long", Ok(features.mtf_ema_long)),
        ("mtf_ema_short", Ok(features.mtf_ema_short)),
        ("vix", features.vix),
    ]
}

fn comparison(check: &Check) -> (&'static str, String) {
    let limit = figure(check.limit);
    match check.comparison {
        Comparison::Above => (">", limit),
        Comparison::AtLeast => ("≥", limit),
        Comparison::Below => ("<", limit),
        Comparison::AtMost => ("≤", limit),
        Comparison::Holds => ("holds", String::new()),
    }
}

const fn met(is: bool) -> &'static str {
    if is { "met" } else { "NOT MET" }
}

fn print(
    out: &mut impl Write,
    data: &SymbolData,
    detector: &Configured,
    explained: &Explanation,
    gates: &[Gate],
) -> io::Result<()> {
    let features = &explained.features;
    let start = data.signal_bars().start_ms[features.bar];
    writeln!(
        out,
        "{} on {}, {} bar {} to {}",
        detector.spec.id,
        data.instrument.symbol,
        data.timeframe,
        instant(start),
        instant(features.end_ms)
    )?;
    let verdict = match explained.missing {
        Some(missing) => format!("not evaluable: {}", missing.as_str()),
        None if !explained.fires => "no signal: a condition is not met".to_owned(),
        None if gates.iter().all(|gate| gate.passed) => "a signal, and nothing keeps it from being traded".to_owned(),
        None => "a signal that is turned away".to_owned(),
    };
    writeln!(out, "{verdict}\n")?;
    let mut table = Table::new([("input", Align::Left), ("value", Align::Right)]);
    for (name, known) in inputs(features) {
        let value = known.map_or_else(|missing| format!("missing: {}", missing.as_str()), figure);
        table.row([name.to_owned(), value]);
    }
    let regime =
        features.regime.map_or_else(|missing| format!("missing: {}", missing.as_str()), |it| it.as_str().to_owned());
    table.row(["regime".to_owned(), regime]);
    writeln!(out, "{table}")?;
    let mut table = Table::new([
        ("condition", Align::Left),
        ("value", Align::Right),
        ("", Align::Left),
        ("limit", Align::Right),
        ("by", Align::Right),
        ("", Align::Left),
    ]);
    for check in &explained.checks {
        let (sign, limit) = comparison(check);
        let by = if limit.is_empty() { String::new() } else { figure((check.value - check.limit).abs()) };
        let value = if limit.is_empty() { String::new() } else { figure(check.value) };
        table.row([check.name.to_owned(), value, sign.to_owned(), limit, by, met(check.met).to_owned()]);
    }
    writeln!(out, "{table}")?;
    let Some(setup) = &explained.setup else { return Ok(()) };
    let mut table = Table::new([
        ("factor", Align::Left),
        ("value", Align::Right),
        ("weight", Align::Right),
        ("points", Align::Right),
    ]);
    for factor in &setup.factors {
        let points = figure(factor.value * factor.weight);
        table.row([factor.name.to_owned(), figure(factor.value), figure(factor.weight), points]);
    }
    table.row(["score".to_owned(), String::new(), String::new(), figure(setup.score)]);
    writeln!(out, "{table}")?;
    let mut table =
        Table::new([("gate", Align::Left), ("value", Align::Right), ("limit", Align::Right), ("", Align::Left)]);
    for gate in gates {
        table.row([gate.name.to_owned(), gate.value.clone(), gate.limit.clone(), met(gate.passed).to_owned()]);
    }
    writeln!(out, "{table}")?;
    let distances = setup.plan.distances(setup.side, features.close);
    writeln!(
        out,
        "if entered at {}: {}, stop {} away, target {} away{}",
        figure(features.close),
        setup.side.as_str(),
        figure(distances.stop),
        if distances.target.is_finite() { figure(distances.target) } else { "nowhere".to_owned() },
        setup.plan.max_bars.map_or_else(String::new, |bars| format!(", at most {bars} bars")),
    )
}

fn rows(explained: &Explanation, gates: &[Gate]) -> Vec<Value> {
    let inputs = inputs(&explained.features).into_iter().map(|(name, known)| {
        let (value, missing) = (known.ok(), known.err());
        json!({ "kind": "input", "name": name, "value": value, "missing": missing })
    });
    let checks = explained.checks.iter().map(|check| {
        let (sign, _) = comparison(check);
        let value = (!check.value.is_nan()).then_some(check.value);
        json!({ "kind": "condition", "name": check.name, "value": value, "comparison": sign, "limit": check.limit, "met": check.met })
    });
    let factors =
        explained.setup.iter().flat_map(|setup| &setup.factors).map(
            |factor| json!({ "kind": "factor", "name": factor.name, "value": factor.value, "weight": factor.weight }),
        );
    let gates = gates.iter().map(|gate| {
        json!({ "kind": "gate", "name": gate.name, "value": gate.value, "limit": gate.limit, "met": gate.passed })
    });
    inputs.chain(checks).chain(factors).chain(gates).collect()
}
