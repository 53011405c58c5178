//! Reports of a sample run: names and order of fields and columns, equal bytes, labels, what a terminal shows, two runs beside
//! each other, and the page in a browser.

mod comparison;
mod console;
mod csv;
mod json;
mod labels;
mod page;
mod sample;

use barkeep::backtest::report::{Inputs, Report};
use barkeep::model::Market;
use sample::Sample;

/// A report's inputs, at a fixed time.
fn inputs(sample: &Sample) -> Inputs<'_> {
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

/// A report's JSON.
fn written(report: &Report<'_>) -> Vec<u8> {
    let mut json = Vec::new();
    report.write_json(&mut json).unwrap();
    json
}
