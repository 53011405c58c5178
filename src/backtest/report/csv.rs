//! A line for each detector, for spreadsheets.

use super::{Report, overall_status};

/// Columns, in their order: the first thirteen are kept as they always were, further ones come at the end.
const COLUMNS: [&str; 20] = [
    "Detector",
    "Total Trades",
    "Winners",
    "Losers",
    "Win Rate %",
    "Profit Factor",
    "Expectancy (R)",
    "Avg Win %",
    "Avg Loss %",
    "Largest Win %",
    "Largest Loss %",
    "Total P&L %",
    "Avg Bars Held",
    "Status",
    "Win Rate Low %",
    "Win Rate High %",
    "Max Drawdown %",
    "Ambiguous",
    "OI Proxy",
    "Run Id",
];

pub(super) fn csv(report: &Report<'_>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |row: [String; 20]| {
        writer.write_record(row).expect("Invariant: writing to memory does not fail, and rows are of one length");
    };
    write(COLUMNS.map(str::to_owned));
    for (result, stats) in report.inputs().study.results.iter().zip(&report.detectors) {
        let percent = |rate: Option<f64>| number(rate.map(|rate| 100.0 * rate));
        write([
            stats.detector.to_owned(),
            stats.total_trades.to_string(),
            stats.winners.to_string(),
            stats.losers.to_string(),
            percent(stats.win_rate),
            number(stats.profit_factor),
            number(stats.expectancy),
            number(stats.avg_win),
            number(stats.avg_loss),
            number(stats.largest_win),
            number(stats.largest_loss),
            number(Some(stats.total_pnl_percent)),
            number(stats.avg_bars_held),
            overall_status(result).words(),
            percent(stats.win_rate_interval.map(|interval| interval.low)),
            percent(stats.win_rate_interval.map(|interval| interval.high)),
            number(stats.drawdown.map(|drawdown| drawdown.percent)),
            stats.assumed_exits.to_string(),
            if report.inputs().config.oi_proxy_volume { "volume" } else { "none" }.to_owned(),
            report.run_id.clone(),
        ]);
    }
    writer.into_inner().expect("Invariant: memory is flushed without errors")
}

/// A number to six digits after the point, without trailing zeros; what is not defined is an empty cell.
fn number(value: Option<f64>) -> String {
    let Some(value) = value else { return String::new() };
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_what_is_undefined_is_empty() {
        let numbers = [Some(12.5), Some(100.0), Some(1.0 / 3.0), Some(-0.0000001), Some(-2.25), None].map(number);
        assert_eq!(numbers, ["12.5", "100", "0.333333", "0", "-2.25", ""]);
    }
}
