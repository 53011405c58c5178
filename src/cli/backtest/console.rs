//! A run for people at a terminal.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::files::RunFiles;
use crate::backtest::Status;
use crate::backtest::metrics::DetectorStats;
use crate::backtest::report::{Report, ReusedTicker, STATEMENT, SessionState, overall_status, status_groups};
use crate::cli::format::{count, counted, printable};
use crate::cli::table::{Align, Table};

/// Detectors with fewer trades have no place in an order.
const FEWEST_RANKED: u64 = 10;
/// Detectors that are listed from the top of the order.
const BEST: usize = 5;
/// Detectors that are listed from its end.
const WORST: usize = 3;
/// From here on a win rate is marked as high, and below the other as low.
const MARKED_WIN_RATES: (f64, f64) = (0.65, 0.45);
/// Gaps that are named; more are counted.
const GAPS_SHOWN: usize = 10;

/// What detectors are ordered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The lower bound of net expectancy.
    #[default]
    Expectancy,
    /// The win rate.
    WinRate,
}

impl Order {
    const fn words(self) -> &'static str {
        match self {
            Self::Expectancy => "lower bound of net expectancy",
            Self::WinRate => "win rate",
        }
    }

    fn key(self, stats: &DetectorStats) -> Option<f64> {
        match self {
            Self::Expectancy => stats.rank(),
            Self::WinRate => stats.win_rate.filter(|_| stats.total_trades >= FEWEST_RANKED),
        }
    }
}

/// A run for people: the best and the worst detectors, statuses, counters, what the data lack, labels, and where the files are.
pub fn summary(report: &Report<'_>, order: Order, files: Option<&RunFiles>) -> String {
    let mut text = String::new();
    heading(&mut text, report);
    detectors(&mut text, report, order);
    portfolio(&mut text, report);
    statuses(&mut text, report);
    counters(&mut text, report);
    data(&mut text, report);
    let labels = report.labels.join(", ");
    push(&mut text, format_args!("\nlabels: {}\n", if labels.is_empty() { "none" } else { &labels }));
    push(&mut text, format_args!("{}\n", STATEMENT.replace(". ", ".\n")));
    if let Some(files) = files {
        file_names(&mut text, files);
    }
    text
}

fn heading(text: &mut String, report: &Report<'_>) {
    let (config, study) = (report.inputs().config, report.inputs().study);
    let symbols = counted(study.symbols, "symbol");
    let bars = counted(study.bars, &format!("{} bar", config.timeframe));
    push(text, format_args!("{} to {}, {bars} of {symbols}, run {}\n", config.from, config.to, report.run_id));
}

fn detectors(text: &mut String, report: &Report<'_>, order: Order) {
    let mut ranked: Vec<_> = report.detectors.iter().filter_map(|stats| Some((order.key(stats)?, stats))).collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let ranked: Vec<_> = ranked.into_iter().map(|(_, stats)| stats).collect();
    let (best, rest) = ranked.split_at(ranked.len().min(BEST));
    let worst = &rest[rest.len().saturating_sub(WORST)..];
    let order = order.words();
    match ranked.len() {
        0 => text.push_str("\nno detector has 10 trades or more\n"),
        few if few <= BEST => push(text, format_args!("\ndetectors by {order}\n{}", table(best))),
        many => {
            let left_out = many - best.len() - worst.len();
            push(text, format_args!("\nbest by {order}\n{}", table(best)));
            push(text, format_args!("\nworst by {order}\n{}", table(worst)));
            if left_out > 0 {
                push(text, format_args!("{} between them\n", counted(left_out as u64, "detector")));
            }
        }
    }
    let few: Vec<_> = report
        .detectors
        .iter()
        .filter(|stats| (1..FEWEST_RANKED).contains(&stats.total_trades))
        .map(|stats| format!("{} ({})", stats.detector, count(stats.total_trades)))
        .collect();
    if !few.is_empty() {
        push(text, format_args!("\nfewer than 10 trades, in no order: {}\n", few.join(", ")));
    }
}

fn table(detectors: &[&DetectorStats]) -> String {
    let mut table = Table::new([
        ("detector", Align::Left),
        ("trades", Align::Right),
        ("win rate", Align::Right),
        ("95 % interval", Align::Right),
        ("expectancy", Align::Right),
        ("95 % interval", Align::Right),
        ("stop to target first", Align::Right),
        ("PF", Align::Right),
        ("note", Align::Left),
    ]);
    for stats in detectors {
        let bounds = (stats.bounds.stop_first.expectancy, stats.bounds.target_first.expectancy);
        table.row([
            stats.detector.to_owned(),
            count(stats.total_trades),
            stats.win_rate.map_or_else(none, |rate| format!("{:.1} %", 100.0 * rate)),
            stats
                .win_rate_interval
                .map_or_else(none, |interval| format!("{:.1} to {:.1} %", 100.0 * interval.low, 100.0 * interval.high)),
            stats.expectancy.map_or_else(none, |r| format!("{r:+.3} R")),
            stats.expectancy_interval.map_or_else(none, |interval| between(interval.low, interval.high)),
            bounds.0.zip(bounds.1).map_or_else(none, |(stop, target)| between(stop, target)),
            stats.profit_factor.map_or_else(none, |factor| format!("{factor:.2}")),
            note(stats),
        ]);
    }
    table.to_string()
}

fn none() -> String {
    "-".to_owned()
}

fn between(low: f64, high: f64) -> String {
    format!("{low:+.3} to {high:+.3}")
}

/// What is to be known of a detector beside its figures. High and low win rates are marked, not praised.
fn note(stats: &DetectorStats) -> String {
    let (high, low) = MARKED_WIN_RATES;
    let rate = stats.win_rate.filter(|_| stats.total_trades >= FEWEST_RANKED);
    [
        (rate.is_some_and(|rate| rate >= high), "win rate at least 65 %"),
        (rate.is_some_and(|rate| rate < low), "win rate below 45 %"),
        (stats.small_sample, "small sample"),
    ]
    .into_iter()
    .filter_map(|(holds, words)| holds.then_some(words))
    .collect::<Vec<_>>()
    .join(", ")
}

fn portfolio(text: &mut String, report: &Report<'_>) {
    let Some((stats, portfolio)) = report.portfolio.as_ref().zip(report.inputs().portfolio) else { return };
    let sharpe = stats.sharpe.map_or_else(String::new, |sharpe| format!(", Sharpe {sharpe:.2}"));
    push(
        text,
        format_args!(
            "\nportfolio: {} to {} ({:+.1} %), largest fall {:.1} % over {}{sharpe}\n",
            money(stats.starting_capital),
            money(stats.final_equity),
            100.0 * stats.total_return,
            stats.max_drawdown_percent,
            counted(stats.max_drawdown_sessions, "session"),
        ),
    );
    let rejected = portfolio.rejected;
    let turned_away = listed(&[
        ("max_open", rejected.max_open),
        ("max_gross", rejected.max_gross),
        ("volume", rejected.volume),
        ("size", rejected.size),
    ]);
    push(text, format_args!("  {} taken{}\n", counted(stats.trades, "trade"), led_by(", turned away:", &turned_away)));
}

/// Whole units of money.
fn money(amount: f64) -> String {
    format!("{}{}", if amount <= -0.5 { "-" } else { "" }, count(amount.abs().round() as u64))
}

/// Detectors by status, and of those that are not evaluated everywhere what is missing.
fn statuses(text: &mut String, report: &Report<'_>) {
    let mut table = Table::new([
        ("detector", Align::Left),
        ("status", Align::Left),
        ("symbols", Align::Right),
        ("missing inputs", Align::Left),
    ]);
    // Detectors that have one and the same reason not to run on any symbol share a line.
    let mut idle = BTreeMap::<Status, Vec<&str>>::new();
    let mut listed = false;
    for result in &report.inputs().study.results {
        let groups = status_groups(result);
        if let [group] = groups.as_slice()
            && !matches!(group.status, Status::Evaluated | Status::Partial)
            && group.not_evaluable.is_empty()
        {
            idle.entry(group.status).or_default().push(result.detector);
            continue;
        }
        listed = true;
        for (place, group) in groups.into_iter().enumerate() {
            let missing: Vec<_> = group
                .not_evaluable
                .iter()
                .map(|(input, bars)| format!("{} on {} of {} bars", input.as_str(), count(*bars), count(group.bars)))
                .collect();
            let name = if place == 0 { result.detector } else { "" };
            table.row([name.to_owned(), group.status.words(), count(group.symbols.len() as u64), missing.join(", ")]);
        }
        if result.symbols.is_empty() {
            table.row([result.detector.to_owned(), overall_status(result).words(), count(0), String::new()]);
        }
    }
    if listed {
        push(text, format_args!("\n{table}"));
    }
    for (status, detectors) in idle {
        push(text, format_args!("\n{} on every symbol:\n", status.words()));
        for names in detectors.chunks(4) {
            push(text, format_args!("  {}\n", names.join(", ")));
        }
    }
}

fn counters(text: &mut String, report: &Report<'_>) {
    let counters = report.counters();
    let (rejected, unfilled) = (counters.rejected, counters.unfilled);
    let rejections = listed(&[
        ("score", rejected.score),
        ("min_rr", rejected.min_rr),
        ("cooldown", rejected.cooldown),
        ("session_limit", rejected.session_limit),
        ("concurrency", rejected.concurrency),
        ("size", rejected.size),
    ]);
    let unfillable =
        listed(&[("session_end", unfilled.session_end), ("data_end", unfilled.data_end), ("no_bar", unfilled.no_bar)]);
    push(
        text,
        format_args!(
            "\nsignals: {}; accepted {}{}{}{}\n",
            count(counters.signals),
            count(counters.accepted),
            led_by("; rejected:", &rejections),
            led_by("; unfilled:", &unfillable),
            led_by(";", &listed(&[("invalid_at_open", counters.invalid_at_open)])),
        ),
    );
    push(text, format_args!("bars: {}, evaluable {}\n", count(counters.bars_total), count(counters.bars_evaluable)));
    let exits = listed(&[
        ("gap_exits", counters.gap_exits),
        ("both_touched", counters.both_touched),
        ("resolved_finer", counters.resolved_finer),
        ("ambiguous", counters.ambiguous),
        ("late_flat", counters.late_flat),
        ("open_at_end", counters.open_at_end),
    ]);
    if !exits.is_empty() {
        push(text, format_args!("exits: {exits}\n"));
    }
}

fn data(text: &mut String, report: &Report<'_>) {
    let data = report.inputs().data;
    let states = SessionState::ALL.map(|state| (state.as_str(), data.sessions_in(state)));
    let states = listed(&states);
    if !states.is_empty() {
        push(text, format_args!("sessions: {states}\n"));
    }
    if data.conflicting_duplicates > 0 {
        push(text, format_args!("conflicting_duplicates: {}\n", count(data.conflicting_duplicates)));
    }
    reused(text, &data.reused);
    let mut heading = "\ngaps:\n";
    for gap in data.gaps.iter().take(GAPS_SHOWN) {
        let (symbol, state) = (printable(&gap.symbol), gap.state.as_str());
        let dates = if gap.from == gap.to { gap.from.to_string() } else { format!("{} to {}", gap.from, gap.to) };
        let sessions = counted(gap.sessions, "session");
        let reason = gap.reason.as_ref().map_or_else(String::new, |reason| format!(": {}", printable(reason)));
        push(text, format_args!("{heading}  {symbol} {dates} ({sessions}) {state}{reason}\n"));
        heading = "";
    }
    if data.gaps.len() > GAPS_SHOWN {
        let more = counted((data.gaps.len() - GAPS_SHOWN) as u64, "more gap");
        push(text, format_args!("  {more}: the report names all of them\n"));
    }
}

/// Names symbols of which bars were left out, as another company had the ticker.
fn reused(text: &mut String, reused: &[ReusedTicker]) {
    for ReusedTicker { symbol, since, sessions } in reused.iter().take(GAPS_SHOWN) {
        let (symbol, sessions) = (printable(symbol), counted(*sessions, "session"));
        push(
            text,
            format_args!("left out: {symbol} before {since} ({sessions}), when another company had the ticker\n"),
        );
    }
    if reused.len() > GAPS_SHOWN {
        let more = counted((reused.len() - GAPS_SHOWN) as u64, "more symbol");
        push(text, format_args!("left out: bars of {more}: the report names all of them\n"));
    }
}

fn file_names(text: &mut String, files: &RunFiles) {
    let name = |path: &Path| printable(&path.display().to_string());
    if files.kept {
        text.push_str("\nthe same run was there already: its files stay as they were\n");
    } else {
        text.push('\n');
    }
    for (what, path) in
        [("page", &files.html), ("json", &files.json), ("csv", &files.csv), ("latest", &files.latest_json)]
    {
        push(text, format_args!("{what:<7} {}\n", name(path)));
    }
}

/// Counts that are not zero, with their names.
fn listed(counts: &[(&str, u64)]) -> String {
    let some = counts.iter().filter(|(_, number)| *number > 0);
    some.map(|(name, number)| format!("{name} {}", count(*number))).collect::<Vec<_>>().join(", ")
}

fn led_by(before: &str, list: &str) -> String {
    if list.is_empty() { String::new() } else { format!("{before} {list}") }
}

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("Invariant: writing to a string does not fail");
}
