//! `backtest audit`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::anyhow;
use serde_json::{Value, json};

use super::load::{Needs, Source};
use super::parameters::{Offers, configured, note};
use super::request::Bars;
use super::run::tell_without_bars;
use crate::backtest::audit::{from_session, look_ahead};
use crate::backtest::explain::{Explanation, explain};
use crate::backtest::run::{self, Setup, study};
use crate::backtest::{CostSettings, EngineSettings, ExitReason, Input, SessionScope, Study, SymbolData};
use crate::cli::args::{AuditArgs, DataArgs};
use crate::cli::commands::{Context, warn};
use crate::cli::format::{count, counted, figure};
use crate::cli::{Align, BarsProgress, Body, CliError, Exit, Signals, Steps, Table, print_json};

/// Moments that are looked at, unless it is said.
const MOMENTS: u32 = 5;

/// Shares of the warm-up that are tried, in quarters.
const QUARTERS: [usize; 5] = [4, 3, 2, 1, 0];

/// What bars after a moment are replaced by depends on this.
const SEED: u64 = 1;

/// Looks at every detector on every symbol.
pub(super) async fn run(args: &AuditArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    let bars = Bars::new(&args.bars, context.settings.now.value)?;
    // There is no flag here that would have to allow it, too.
    let offers = Offers { off_hours: bars.session == SessionScope::All, overnight: true };
    let off_hours = context.settings.off_hours_signals.value;
    let detectors = configured(&args.detectors, off_hours, offers)?;
    note(&detectors, off_hours, offers).filter(|_| !context.quiet).into_iter().for_each(warn);
    let sessions = detectors.iter().map(|detector| detector.detector.features().warm_up_sessions(bars.timeframe)).max();
    let needs = Needs { warm_up_sessions: sessions.unwrap_or_default() as usize, coarser: true };
    let data = DataArgs { no_fallback: true, ..DataArgs::default() };
    let mut source = Source::open(&bars, needs, &[], &data, context).await?;
    source.settle().await?;
    let setup = Setup {
        source: run::Source::Detectors(detectors),
        engine: EngineSettings { session: bars.session, hold_overnight: offers.overnight, ..EngineSettings::default() },
        costs: CostSettings::default(),
        min_bars: 1,
        ignore_asset_class: false,
        seed: SEED,
        random_draws: 0,
    };
    let run::Source::Detectors(detectors) = &setup.source else { return Ok(Exit::Failed) };
    let moments = args.moments.unwrap_or(MOMENTS) as usize;
    let symbols = source.universe.symbols.clone();
    let mut progress = BarsProgress::new(
        ("audit", "symbols"),
        context.quiet,
        context.json,
        Context::has_terminal(),
        context.settings.color.value,
    );
    let mut steps = Steps { of: symbols.len() as u64, ..Steps::default() };
    let (mut looked, mut found) = (vec![Looks::default(); detectors.len()], Vec::new());
    let mut barren: Vec<&str> = Vec::new();
    let mut by_warm_up: Vec<Vec<Study>> = QUARTERS.map(|_| Vec::new()).into();
    for symbol in &symbols {
        if signals.stop().is_cancelled() {
            return Ok(signals.exit().unwrap_or(Exit::Interrupted));
        }
        let read = source.read(std::slice::from_ref(symbol)).await?;
        let with_moments = |data| (moments_of(&data, bars.session, moments), data);
        let Some((at, data)) = read.into_iter().map(with_moments).find(|(at, _)| !at.is_empty()) else {
            barren.push(symbol.as_str());
            continue;
        };
        tokio::task::block_in_place(|| {
            for (place, detector) in detectors.iter().enumerate() {
                if data.instrument.tradable && detector.spec.class.admits(data.instrument.class) {
                    for explained in explain(&data, detector, bars.session, &at) {
                        looked[place].add(&explained);
                    }
                    let ahead = look_ahead(&data, detector, bars.session, &at, SEED);
                    found.extend(ahead.into_iter().map(|ahead| (detector.spec.id, symbol.clone(), ahead)));
                }
            }
            for (quarters, studies) in QUARTERS.iter().zip(&mut by_warm_up) {
                let first = source.frame.warm_up - source.frame.warm_up * quarters / 4;
                let shorter = from_session(&data, first as u32);
                studies.push(study(std::iter::once(shorter), &setup, 1, |_| ()).study);
            }
        });
        steps.done += 1;
        steps.bars += data.signal_bars().len() as u64;
        progress.tell(steps);
    }
    drop(progress);
    if steps.done == 0 {
        return Err(CliError::failed(anyhow!("no bars are stored of these symbols and dates"))
            .with_hint("`backfill status` shows what is stored"));
    }
    let ids: Vec<&'static str> = detectors.iter().map(|detector| detector.spec.id).collect();
    let warm_up = warm_up(&ids, &by_warm_up, source.frame.warm_up);
    if !bars.are_named() {
        // Of a market, many are not traded in any period.
        barren.clear();
    }
    tell_without_bars(&barren, source.dates());
    let exit = match (found.is_empty(), barren.is_empty()) {
        (false, _) => Exit::Failed,
        (true, false) => Exit::Gaps,
        (true, true) => Exit::Done,
    };
    let out = &mut io::stdout().lock();
    if context.json {
        let rows: Vec<Value> = warm_up.iter().map(WarmUp::object).collect();
        let ahead: Vec<Value> = found
            .iter()
            .map(|(id, symbol, at)| json!({ "detector": id, "symbol": symbol.as_str(), "end": at.end_ms, "change": at.change }))
            .collect();
        let totals = json!({
            "looked_at": looked.iter().map(|looks| looks.evaluable).sum::<u64>(),
            "not_evaluable": looked.iter().map(Looks::not_evaluable).sum::<u64>(),
            "look_ahead": ahead,
            "without_bars": barren,
        });
        print_json(
            out,
            "audit",
            &json!({ "moments": moments, "symbols": symbols.len() }),
            Body::Rows(&rows),
            &totals,
            exit,
        )?;
        return Ok(exit);
    }
    for (id, looked) in ids.iter().zip(&looked) {
        let ahead = found.iter().filter(|(of, ..)| of == id).count();
        writeln!(out, "{id}: {}", looked.verdict(ahead as u64))?;
    }
    for (id, symbol, at) in found.iter().take(10) {
        warn(&format!("{id} on {symbol} at {}: differs when what came after is {}", at.end_ms, at.change));
    }
    let mut table = Table::new([
        ("warm-up", Align::Right),
        ("detector", Align::Left),
        ("evaluable bars", Align::Right),
        ("signals", Align::Right),
        ("trades", Align::Right),
        ("sum of R", Align::Right),
    ]);
    for row in &warm_up {
        table.row([
            counted(row.sessions as u64, "session"),
            row.detector.to_owned(),
            count(row.evaluable),
            count(row.signals),
            count(row.trades),
            figure(row.sum_r),
        ]);
    }
    write!(out, "\n{table}")?;
    Ok(exit)
}

/// Bars of the period, evenly over it.
fn moments_of(data: &SymbolData, scope: SessionScope, moments: usize) -> Vec<usize> {
    let bars = data.signal_bars();
    let in_period = |bar: &usize| data.tradable[bars.session[*bar] as usize] && scope.admits(bars.hours[*bar]);
    let places: Vec<usize> = (0..bars.len()).filter(in_period).collect();
    let mut chosen: Vec<usize> = (1..=moments).map(|nth| nth * places.len() / (moments + 1)).collect();
    chosen.dedup();
    chosen.into_iter().filter_map(|nth| places.get(nth).copied()).collect()
}

/// Moments at which a detector was looked at.
#[derive(Debug, Clone, Default)]
struct Looks {
    /// Those at which it had what it needs.
    evaluable: u64,
    /// The others, by the first thing that was missing.
    missing: BTreeMap<Input, u64>,
}

impl Looks {
    fn add(&mut self, explained: &Explanation) {
        match explained.missing {
            None => self.evaluable += 1,
            Some(input) => *self.missing.entry(input).or_default() += 1,
        }
    }

    fn not_evaluable(&self) -> u64 {
        self.missing.values().sum()
    }

    /// What was seen, in words: where a detector does nothing, nothing is shown of it.
    fn verdict(&self, ahead: u64) -> String {
        let missing = self.missing.keys().map(|input| input.as_str()).collect::<Vec<_>>().join(", ");
        match (ahead, self.evaluable, self.not_evaluable()) {
            (0, 0, 0) => "not looked at: no symbol of its class".to_owned(),
            (0, 0, others) => format!("not evaluable: {missing} ({})", counted(others, "moment")),
            (0, evaluable, others) => {
                let others = if others == 0 { String::new() } else { format!("; {others} not evaluable: {missing}") };
                let moments = counted(evaluable, "moment");
                format!("{moments}: the same without what came after, and with noise in its place{others}")
            }
            (_, evaluable, others) => {
                format!("LOOKS AHEAD at {ahead} of {}", counted(2 * (evaluable + others), "look"))
            }
        }
    }
}

/// What a detector did with a warm-up of some length.
struct WarmUp {
    sessions: usize,
    detector: &'static str,
    evaluable: u64,
    signals: u64,
    trades: u64,
    sum_r: f64,
}

impl WarmUp {
    fn object(&self) -> Value {
        json!({
            "warm_up_sessions": self.sessions,
            "detector": self.detector,
            "bars_evaluable": self.evaluable,
            "signals": self.signals,
            "trades": self.trades,
            "sum_r": self.sum_r,
        })
    }
}

fn warm_up(ids: &[&'static str], by_warm_up: &[Vec<Study>], sessions: usize) -> Vec<WarmUp> {
    let mut rows = Vec::new();
    for (place, id) in ids.iter().enumerate() {
        for (quarters, studies) in QUARTERS.iter().zip(by_warm_up) {
            let results = || studies.iter().map(|study| &study.results[place]);
            let closed =
                || results().flat_map(|result| &result.trades).filter(|trade| trade.reason != ExitReason::DataEnd);
            rows.push(WarmUp {
                sessions: sessions * quarters / 4,
                detector: id,
                evaluable: results().map(|result| result.counters.bars_evaluable).sum(),
                signals: results().map(|result| result.counters.signals).sum(),
                trades: closed().count() as u64,
                // The sum of nothing is -0.
                sum_r: closed().map(|trade| trade.r_multiple).sum::<f64>() + 0.0,
            });
        }
    }
    rows
}
