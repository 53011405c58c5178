//! `backtest`: a run from the bars to the files of its report.

use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use jiff::civil::Date;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::charts::charts;
use super::console::{self, Order};
use super::files::{self, RunBytes};
use super::load::{Needs, Source};
use super::request::RunRequest;
use crate::backtest::report::{DataGap, DataSection, Inputs, Report};
use crate::backtest::run::{self, Setup, Studied};
use crate::backtest::signals_file::Unmatched;
use crate::backtest::{FeatureSettings, RunConfig, Study, SymbolData, portfolio};
use crate::cli::args::RunArgs;
use crate::cli::commands::{Context, warn};
use crate::cli::format::{count, counted, duration};
use crate::cli::{BarsProgress, Body, CliError, Exit, Signals, Steps, print_json};
use crate::model::Symbol;

/// Symbols that wait to be studied: reading goes on meanwhile.
const WAITING: usize = 32;

/// Rows of a file of signals that are named when they could not be traded.
const UNMATCHED_NAMED: usize = 10;

/// Gaps that are named on the terminal; the report has all.
const GAPS_NAMED: usize = 10;

/// Runs. A folder that was made for nothing goes away.
pub(super) async fn run(args: &RunArgs, context: &Context, signals: &Signals) -> Result<Exit, CliError> {
    let request = RunRequest::new(args, &context.settings)?;
    let was_there = request.output.exists();
    files::prepare(&request.output).map_err(CliError::failed)?;
    let ended = run_request(&request, args, context, signals).await;
    if !was_there {
        // One with reports in it stays.
        let _ = std::fs::remove_dir(&request.output);
    }
    ended
}

async fn run_request(
    request: &RunRequest,
    args: &RunArgs,
    context: &Context,
    signals: &Signals,
) -> Result<Exit, CliError> {
    let started = Instant::now();
    let now = context.settings.now.value;
    let stop = signals.stop();
    let stopped = || Ok(signals.exit().unwrap_or(Exit::Interrupted));

    let needs = needs(&request.setup, request.bars.timeframe);
    let mut source = Source::open(&request.bars, needs, &request.etfs, &args.data, context).await?;
    tokio::select! {
        filled = source.fill(&args.data, context) => filled?,
        () = stop.cancelled() => return stopped(),
    }
    let gaps = source.gaps();
    if !context.quiet {
        warn(&plan(request, &source));
        request.note.into_iter().for_each(warn);
    }
    // The summary has them, too.
    if context.quiet || context.json || args.data.strict {
        tell_gaps(&gaps);
    }
    let unranked = source.universe.unranked.len();
    if args.data.strict && !(gaps.is_empty() && unranked == 0) {
        warn("--strict: nothing was run, as sessions are missing");
        return Ok(Exit::Gaps);
    }
    source.settle().await?;

    let mut section = source.section();
    let symbols = source.universe.symbols.clone();
    let progress = BarsProgress::new(
        ("backtest", "symbols"),
        context.quiet,
        context.json,
        Context::has_terminal(),
        context.settings.color.value,
    );
    let studied = study(&mut source, request, &symbols, &mut section, stop, progress)?;
    if stop.is_cancelled() {
        return stopped();
    }
    section.reused = source.reused();
    let Studied { study, unmatched } = studied;
    tell_unmatched(&unmatched);
    section.unmatched_signals = unmatched;

    let portfolio = (request.portfolio.as_ref())
        .map(|settings| portfolio::run(&study, &source.period_sessions(), settings, &request.setup.costs));
    let charts = tokio::select! {
        charts = charts(&mut source, &study, &request.setup) => charts?,
        () = stop.cancelled() => return stopped(),
    };
    let config = config(request, &source);
    let barren = if request.bars.are_named() { without_bars(&study) } else { Vec::new() };
    tell_without_bars(&barren, source.dates());
    let report = Report::new(Inputs {
        config: &config,
        study: &study,
        portfolio: portfolio.as_ref(),
        sessions: &source.frame.sessions,
        market: symbols[0].dataset().market(),
        data: &section,
        configurations: 1,
        generated: now,
    });
    let (csv, html) = (report.csv(), report.html(&command_line(std::env::args_os().skip(1)), &charts));
    let bytes = RunBytes { csv: &csv, html: html.as_bytes() };
    let date = symbols[0].dataset().market().date_of(now);
    if stop.is_cancelled() {
        return stopped();
    }
    let files = files::write(&request.output, date, &report.run_id, bytes, |file| report.write_json(file))
        .map_err(CliError::failed)?;

    let is_all_there = gaps.is_empty() && section.unmatched_signals.is_empty() && unranked == 0 && barren.is_empty();
    let exit = if is_all_there { Exit::Done } else { Exit::Gaps };
    let out = &mut io::stdout().lock();
    if context.json {
        let settings = json!({
            "database_url": context.settings.database.value.to_string(),
            "output": request.output.display().to_string(),
            "config": config,
        });
        // A name that is no text is shown as far as it is one.
        let named = [&files.json, &files.csv, &files.html].map(|file| file.display().to_string());
        let totals = json!({
            "run_id": report.run_id,
            "trades": report.summary.total_trades,
            "symbols": study.symbols,
            "bars": study.bars,
            "gaps": gaps.len(),
            "unmatched_signals": section.unmatched_signals.len(),
            "unranked_months": unranked,
            "without_bars": barren,
            "labels": report.labels,
            "files": named,
            "seconds": (started.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
        });
        print_json(out, "backtest", &settings, Body::Rows(&report.detectors), &totals, exit)?;
    } else if !context.quiet {
        let order = if request.by_win_rate { Order::WinRate } else { Order::Expectancy };
        out.write_all(console::summary(&report, order, Some(&files)).as_bytes())?;
        warn(&format!(
            "{} of {} in {}",
            counted(study.bars, "bar"),
            counted(study.symbols, "symbol"),
            duration(started.elapsed())
        ));
    }
    Ok(exit)
}

/// What has to be read for a run.
pub(super) fn needs(setup: &Setup, timeframe: crate::model::Timeframe) -> Needs {
    let settings: Vec<FeatureSettings> = match &setup.source {
        run::Source::Detectors(detectors) => detectors.iter().map(|detector| detector.detector.features()).collect(),
        run::Source::File(_) => vec![FeatureSettings::default()],
    };
    let sessions = settings.iter().map(|settings| settings.warm_up_sessions(timeframe)).max().unwrap_or_default();
    Needs { warm_up_sessions: sessions as usize, coarser: matches!(setup.source, run::Source::Detectors(_)) }
}

/// Reads symbols and has them studied on threads of their own meanwhile.
fn study(
    source: &mut Source,
    request: &RunRequest,
    symbols: &[Symbol],
    section: &mut DataSection,
    stop: &CancellationToken,
    progress: BarsProgress,
) -> Result<Studied<Study>, CliError> {
    let (to, mut from) = tokio::sync::mpsc::channel::<SymbolData>(WAITING);
    let of = symbols.len() as u64;
    let progress = Mutex::new((progress, Steps { of, ..Steps::default() }));
    let (setup, threads) = (&request.setup, request.threads);
    // The threads are joined before this returns, so that they may borrow.
    std::thread::scope(|scope| {
        let studying = scope.spawn(|| {
            let arriving = std::iter::from_fn(move || if stop.is_cancelled() { None } else { from.blocking_recv() });
            run::study(arriving, setup, threads, |studied| {
                let (progress, steps) = &mut *progress.lock().unwrap_or_else(PoisonError::into_inner);
                steps.done += 1;
                steps.bars += studied.bars;
                progress.tell(*steps);
            })
        });
        let read = tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(source.read_all(symbols, to, stop, section))
        });
        let studied = studying.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        read.map(|()| studied)
    })
}

/// What is going to be done, in a line.
fn plan(request: &RunRequest, source: &Source) -> String {
    let what = match &request.setup.source {
        run::Source::Detectors(detectors) => counted(detectors.len() as u64, "detector"),
        run::Source::File(file) => format!("{} of {}", counted(file.rows.len() as u64, "signal"), file.name),
    };
    let (from, to) = source.dates();
    let sessions = source.frame.sessions.len() - source.frame.warm_up;
    format!(
        "backtest: {what} on {} ({}), {} bars from {from} to {to} ({}, {} before to warm up), {}",
        counted(source.universe.symbols.len() as u64, "symbol"),
        source.universe.words,
        request.bars.timeframe,
        counted(sessions as u64, "session"),
        source.frame.warm_up,
        counted(request.threads as u64, "thread"),
    )
}

fn tell_gaps(gaps: &[DataGap]) {
    for gap in gaps.iter().take(GAPS_NAMED) {
        let dates = if gap.sessions == 1 { gap.from.to_string() } else { format!("{} to {}", gap.from, gap.to) };
        let reason = gap.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        warn(&format!(
            "gap: {} {dates} ({}) {}{reason}",
            gap.symbol,
            counted(gap.sessions, "session"),
            gap.state.as_str()
        ));
    }
    if gaps.len() > GAPS_NAMED {
        warn(&format!("and {} more; the report lists them", count((gaps.len() - GAPS_NAMED) as u64)));
    }
}

fn tell_unmatched(unmatched: &[Unmatched]) {
    for row in unmatched.iter().take(UNMATCHED_NAMED) {
        warn(&format!("not traded: {row}"));
    }
    if unmatched.len() > UNMATCHED_NAMED {
        let more = counted((unmatched.len() - UNMATCHED_NAMED) as u64, "more row");
        warn(&format!("and {more} not traded; the report lists all of them"));
    }
}

/// Symbols that have no bar in the period, sorted.
fn without_bars(study: &Study) -> Vec<&str> {
    let symbols = study.results.first().map(|result| &result.symbols[..]).unwrap_or_default();
    symbols.iter().filter(|symbol| symbol.bars == 0).map(|symbol| &*symbol.symbol).collect()
}

/// Names symbols that have no bar in a period: few of them are meant.
pub(super) fn tell_without_bars(symbols: &[&str], (from, to): (Date, Date)) {
    for symbol in symbols.iter().take(GAPS_NAMED) {
        warn(&format!(
            "{symbol} has no bars from {from} to {to}: look whether it is spelled as it is traded (case matters), and in these \
             dates"
        ));
    }
    if symbols.len() > GAPS_NAMED {
        warn(&format!("and {} more symbols have none", count((symbols.len() - GAPS_NAMED) as u64)));
    }
}

fn config(request: &RunRequest, source: &Source) -> RunConfig {
    let (from, to) = source.dates();
    RunConfig {
        detectors: request.detectors.clone(),
        signals: request.signals.clone(),
        symbols: source.universe.symbols.iter().map(ToString::to_string).collect(),
        universe: source.universe.words.clone(),
        timeframe: request.bars.timeframe,
        from,
        to,
        engine: request.setup.engine,
        costs: request.setup.costs,
        portfolio: request.portfolio,
        min_bars: request.setup.min_bars,
        ignore_asset_class: request.setup.ignore_asset_class,
        etfs: request.etfs.clone(),
        oi_proxy_volume: false,
        seed: request.setup.seed,
        random_draws: request.setup.random_draws,
    }
}

/// How the run was started with such words behind the program, without what may be secret.
fn command_line(typed: impl Iterator<Item = OsString>) -> String {
    let mut words = vec!["backtest".to_owned()];
    let mut hidden = false;
    for word in typed.map(|word| word.to_string_lossy().into_owned()) {
        if hidden {
            hidden = false;
            words.push("…".to_owned());
        } else if word == "--database-url" {
            hidden = true;
            words.push(word);
        } else if word.starts_with("--database-url=") {
            words.push("--database-url=…".to_owned());
        } else {
            words.push(word);
        }
    }
    words.join(" ")
}
