//! The page.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use barkeep::backtest::report::{CHARTS_MAX, Report, SignalInput, TradeChart, charted, trade_id};
use barkeep::backtest::{Sessions, SplitAt, SymbolData, Trade};
use barkeep::model::splits::{Factor, Ratio};
use sha2::{Digest, Sha256};

use crate::inputs;
use crate::sample::{HOSTILE, Sample, sample};

const VENDORED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/backtest/report/vendor");

fn data<'a>(sample: &'a Sample, trade: &Trade) -> &'a SymbolData {
    let mut markets = sample.markets.iter();
    &markets.find(|market| market.data.instrument.symbol.as_str() == &*trade.symbol).unwrap().data
}

fn charts(sample: &Sample) -> Vec<TradeChart> {
    let chart = |(detector, trade): (usize, usize)| {
        let trade = &sample.study.results[detector].trades[trade];
        let input = |name: &str, value: String| SignalInput { name: name.to_owned(), value };
        let inputs = vec![
            input("close", trade.raw_entry.to_string()),
            input("atr", format!("{:.4}", trade.atr.unwrap())),
            input("relative volume", "1.84".to_owned()),
            input("distance from VWAP", "0.42 %".to_owned()),
            input("rsi", "58.3".to_owned()),
            input("</script><script>alert(2)</script>", "missing: warm-up".to_owned()),
        ];
        TradeChart::of(data(sample, trade), trade, sample.config.engine.session, inputs)
    };
    charted(&sample.study).into_iter().map(chart).collect()
}

fn page(sample: &Sample) -> String {
    Report::new(inputs(sample)).html("backtest --symbols='AAPL,<b>' --days=90", &charts(sample))
}

/// Texts from outside stay texts: a ticker, a reason, an input and a command that look like markup.
#[test]
fn nothing_from_outside_becomes_markup() {
    let page = page(&sample());
    assert!(!page.contains("<script>alert") && !page.contains("<b>"), "written as it came");
    assert_eq!(page.matches("<script").count(), 3, "data, library, ours");
    assert_eq!(page.matches("</script>").count(), 3);
    let data = page.split_once("id=\"report-data\">").unwrap().1.split_once("</script>").unwrap().0;
    assert!(!data.contains('<'));
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["command"], "backtest --symbols='AAPL,<b>' --days=90");
    let symbols = data["report"]["config"]["symbols"].as_array().unwrap();
    assert!(symbols.iter().any(|symbol| symbol == HOSTILE), "and is read back as it was");
}

/// Scripts never make markup of text, and ask nobody for anything.
#[test]
fn the_pages_scripts_write_text_only() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backtest/report/page");
    let mut scripts = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "src="] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
        scripts += usize::from(path.extension().is_some_and(|extension| extension == "js"));
    }
    assert!(scripts >= 6);
    assert!(page(&sample()).contains("default-src 'none'"), "the browser is told to ask nobody");
}

/// Vendored files are those that their table names.
#[test]
fn vendored_files_have_their_checksums() {
    let table = std::fs::read_to_string(format!("{VENDORED}/README.md")).unwrap();
    let mut named = vec!["README.md".to_owned()];
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let quoted: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        let (name, checksum) = (quoted[0], quoted.last().unwrap());
        let bytes = std::fs::read(format!("{VENDORED}/{name}")).unwrap();
        let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sum, **checksum, "{name}");
        named.push(name.to_owned());
    }
    let mut there: Vec<_> =
        std::fs::read_dir(VENDORED).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.sort_unstable();
    named.sort_unstable();
    assert_eq!(there, named);
    assert!(page(&sample()).contains("Lightweight Charts™ v5.2.1"));
}

/// A chart starts before the signal, ends after the exit, and holds the bars in between.
#[test]
fn a_chart_shows_the_bars_around_its_trade() {
    let sample = sample();
    for chart in charts(&sample) {
        let mut trades = sample.study.results.iter().flat_map(|result| &result.trades);
        let trade = trades.find(|trade| trade_id(trade) == chart.trade_id).unwrap();
        let starts: Vec<_> = chart.bars.iter().map(|bar| bar.start_s * 1000).collect();
        assert!(starts.is_sorted() && starts.contains(&trade.entry_ms));
        assert!(starts[0] + 900_000 * 20 <= trade.signal_ms);
        let entry = chart.bars.iter().find(|bar| bar.start_s * 1000 == trade.entry_ms).unwrap();
        assert_eq!(entry.open, trade.raw_entry);
        let held = starts.iter().filter(|start| (trade.entry_ms..trade.exit_ms).contains(*start)).count();
        assert!(held >= trade.bars_held as usize - usize::from(trade.gap_exit), "{held} of {}", trade.bars_held);
    }
}

/// Bars of other sessions are shown in the shares of the trade's: those before a split as they are after it, and those after
/// a later split as they would have been.
#[test]
fn charts_are_in_the_shares_of_the_trade() {
    let mut sample = sample();
    let trade =
        sample.study.results[0].trades.iter().find(|trade| &*trade.symbol == "AAPL" && trade.session > 2).unwrap();
    let trade = trade.clone();
    let market = sample.markets.iter_mut().find(|market| market.data.instrument.symbol.as_str() == "AAPL").unwrap();
    let plain = TradeChart::of(&market.data, &trade, sample.config.engine.session, Vec::new());
    let split = Factor::of(Ratio::checked(1.0, 2.0).unwrap());
    let with = |data: &mut SymbolData, session: u32| {
        data.splits = vec![SplitAt { session, factor: split }];
        TradeChart::of(data, &trade, Default::default(), Vec::new())
    };
    let open_ms = |sessions: &Arc<Sessions>, session: u32| sessions.get(session).open_ms;
    let before = with(&mut market.data, trade.session);
    for (bar, raw) in before.bars.iter().zip(&plain.bars) {
        let earlier = bar.start_s * 1000 < open_ms(&sample.sessions, trade.session);
        let factor = if earlier { 0.5 } else { 1.0 };
        assert_eq!((bar.close, bar.volume), (raw.close * factor, raw.volume.map(|volume| volume / factor)));
    }
    let after = with(&mut market.data, trade.session + 1);
    for (bar, raw) in after.bars.iter().zip(&plain.bars) {
        let later = bar.start_s * 1000 >= open_ms(&sample.sessions, trade.session + 1);
        assert_eq!(bar.close, raw.close * if later { 2.0 } else { 1.0 });
    }
}

/// Of many trades each detector gets its share of charts, and what it does not need goes to the others.
#[test]
fn charts_are_shared_out() {
    let mut sample = sample();
    let all: usize = sample.study.results.iter().map(|result| result.trades.len()).sum();
    assert_eq!(charted(&sample.study).len(), all.min(CHARTS_MAX));
    for result in &mut sample.study.results[..2] {
        result.trades = result.trades.iter().cycle().take(3000).cloned().collect();
    }
    let chosen = charted(&sample.study);
    assert_eq!(chosen.len(), CHARTS_MAX);
    assert!(chosen.is_sorted());
    let of = |detector: usize| chosen.iter().filter(|(of, _)| *of == detector).count();
    assert_eq!(of(4), sample.study.results[4].trades.len(), "few trades have all their charts");
    assert!(of(0).abs_diff(of(1)) <= 1 && of(0) > of(4));
    let last = chosen.iter().rfind(|(of, _)| *of == 0).unwrap().1;
    assert!(last > 2900, "spread over all of them, not the first ones");
}

/// In a browser, where there is one: no errors, no requests, charts that are drawn, at desktop and phone width.
#[test]
fn the_page_opens_in_a_browser() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.html");
    std::fs::write(&path, page(&sample())).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/check-report");
    match Command::new(script).arg(&path).output() {
        Ok(looked) => {
            let (said, errors) = (String::from_utf8_lossy(&looked.stdout), String::from_utf8_lossy(&looked.stderr));
            eprintln!("{said}");
            assert!(looked.status.success(), "{said}{errors}");
        }
        Err(error) => eprintln!("SKIPPED the_page_opens_in_a_browser: python3 does not start: {error}"),
    }
}
