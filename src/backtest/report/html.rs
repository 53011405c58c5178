//! The report as one page that opens from disk: its data, our scripts, and a charting library.

use std::collections::BTreeMap;

use serde::Serialize;

use super::json::Document;
use super::{Report, TradeChart};
use crate::backtest::{EquityPoint, SessionEquity};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
const CHARTS: &str = include_str!("vendor/lightweight-charts.standalone.production.js");
const SCRIPT: &str = concat!(
    include_str!("page/dom.js"),
    include_str!("page/plots.js"),
    include_str!("page/charts.js"),
    include_str!("page/trades.js"),
    include_str!("page/detectors.js"),
    include_str!("page/main.js"),
);

/// Trades that a page lists at most, so that it opens quickly: about 10 MB of them.
const TRADES_MAX: usize = 20_000;
/// Points of the equity curve that a page draws at most, at bars' ends; of a longer one it draws the ends of sessions.
const EQUITY_MAX: usize = 50_000;

/// What the page's scripts read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PageData<'a> {
    report: Document<'a>,
    command: &'a str,
    /// Trades of the run, of which `report` may hold fewer.
    all_trades: usize,
    /// Whether the equity curve has one point for each session.
    equity_by_session: bool,
    /// By the trade's id.
    charts: BTreeMap<&'a str, &'a TradeChart>,
}

pub(super) fn html(report: &Report<'_>, command: &str, charts: &[TradeChart]) -> String {
    let mut document = Document::of(report);
    let all_trades = document.results.iter().map(|result| result.trades.trades.len()).sum();
    let mut room = TRADES_MAX;
    for result in &mut document.results {
        let trades = &mut result.trades.trades;
        *trades = &trades[..room.min(trades.len())];
        room -= trades.len();
    }
    let ends: Vec<EquityPoint>;
    let equity_by_session = document.equity.len() > EQUITY_MAX;
    if equity_by_session {
        ends = session_ends(report);
        document.equity = &ends;
    }
    let charts = charts.iter().map(|chart| (chart.trade_id.as_str(), chart)).collect();
    let data = PageData { report: document, command, all_trades, equity_by_session, charts };
    let json = serde_json::to_string(&data).expect("Invariant: a report has only text keys");
    let config = report.inputs().config;
    let title = format!("Backtest {} to {} · {}", config.from, config.to, report.run_id);
    fill(PAGE, |name| match name {
        "title" => escape(&title),
        "style" => STYLE.to_owned(),
        "charts" => CHARTS.to_owned(),
        "script" => SCRIPT.to_owned(),
        "data" => in_script(&json),
        _ => unreachable!("Invariant: the page names only these"),
    })
}

/// Equity at the end of sessions, as points at their regular close.
fn session_ends(report: &Report<'_>) -> Vec<EquityPoint> {
    let inputs = report.inputs();
    let sessions = inputs.portfolio.map_or(&[][..], |portfolio| &portfolio.sessions);
    let point = |session: &SessionEquity| {
        let place = inputs.sessions.index_of(session.date)?;
        Some(EquityPoint { timestamp: inputs.sessions.get(place).close_ms, equity: session.equity })
    };
    sessions.iter().filter_map(point).collect()
}

/// Puts values into the places of a template, `{{name}}`; what looks like a place in a value stays as it is.
fn fill(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut page = String::new();
    let mut rest = template;
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, after)| Some((before, after.split_once("}}")?)))
    {
        page.push_str(before);
        page.push_str(&value(name));
        rest = after;
    }
    page.push_str(rest);
    page
}

/// A text as HTML text.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// JSON that cannot end the script element it stands in, nor begin a comment there: `<` occurs in texts only, and is written
/// as an escape.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_do_not_become_places() {
        let page =
            fill("a {{one}} b {{two}} c", |name| if name == "one" { "{{two}}".to_owned() } else { "2".to_owned() });
        assert_eq!(page, "a {{two}} b 2 c");
        assert_eq!(escape("<b a=\"&\">"), "&lt;b a=&quot;&amp;&quot;&gt;");
    }
}
