//! The page.

use std::path::Path;

use barkeep::backtest::report::{Inputs, Report, SignalInput, TradeChart, charted};
use barkeep::model::Market;

use crate::sample::{Sample, sample};

pub fn inputs(sample: &Sample) -> Inputs<'_> {
    Inputs {
        config: &sample.config,
        study: &sample.study,
        portfolio: Some(&sample.portfolio),
        sessions: &sample.sessions,
        market: Market::NewYork,
        data: &sample.data,
        configurations: 1,
        generated: "2026-11-30T01:45:00Z".parse().unwrap(),
    }
}

pub fn charts(sample: &Sample) -> Vec<TradeChart> {
    let chart = |(detector, trade): (usize, usize)| {
        let trade = &sample.study.results[detector].trades[trade];
        let market =
            sample.markets.iter().find(|market| market.data.instrument.symbol.as_str() == &*trade.symbol).unwrap();
        let input = |name: &str, value: String| SignalInput { name: name.to_owned(), value };
        let inputs = vec![
            input("close", trade.raw_entry.to_string()),
            input("atr", format!("{:.4}", trade.atr.unwrap())),
            input("relative volume", "1.84".to_owned()),
            input("distance from VWAP", "0.42 %".to_owned()),
            input("rsi", "58.3".to_owned()),
            input("</script><script>alert(2)</script>", "missing: warm-up".to_owned()),
        ];
        TradeChart::of(&market.data, trade, sample.config.engine.session, inputs)
    };
    charted(&sample.study).into_iter().map(chart).collect()
}

pub fn page(sample: &Sample) -> String {
    Report::new(inputs(sample)).html("backtest --symbols='AAPL,<b>' --days=90", &charts(sample))
}

#[test]
fn the_page_opens_in_a_browser() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.html");
    std::fs::write(&path, page(&sample())).unwrap();
}
