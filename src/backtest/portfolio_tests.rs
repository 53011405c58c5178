use jiff::civil::date;

use super::super::{Commission, Counters, DetectorResult, ExitDecision, ExitReason, Mark, Side, Slippage};
use super::*;
use crate::model::Dataset;

const MINUTE: i64 = 60_000;

fn sessions() -> Sessions {
    Sessions::of(Dataset::Stocks, date(2026, 11, 23)..=date(2026, 11, 24))
}

fn at(session: u32, minute: i64) -> i64 {
    sessions().get(session).open_ms + minute * MINUTE
}

/// A long trade from 100 with its stop at 99 over whole bars of 15 minutes, worth `closes` at their ends.
fn trade(symbol: &str, entry_minute: i64, closes: &[f64]) -> Trade {
    let marks: Box<[_]> =
        (1..).zip(closes).map(|(bar, close)| Mark { end_ms: at(0, entry_minute + 15 * bar), close: *close }).collect();
    let exit = marks[marks.len() - 1];
    let gain = exit.close - 100.0;
    Trade {
        symbol: symbol.into(),
        detector: "test",
        side: Side::Long,
        signal_bar: 0,
        signal_ms: at(0, entry_minute),
        entry_ms: at(0, entry_minute),
        exit_ms: exit.end_ms,
        session: 0,
        exit_session: 0,
        raw_entry: 100.0,
        entry_price: 100.0,
        stop_price: 99.0,
        target_price: None,
        raw_exit: exit.close,
        exit_price: exit.close,
        reason: ExitReason::MaxHold,
        decision: ExitDecision::Certain,
        gap_exit: false,
        quantity: 100.0,
        gross_pnl: 100.0 * gain,
        costs: 0.0,
        pnl: 100.0 * gain,
        pnl_pct: gain,
        r_multiple: gain,
        bars_held: closes.len() as u32,
        mae_r: 0.0,
        mfe_r: 0.0,
        score: 60.0,
        atr: None,
        regime: None,
        vix: None,
        best: None,
        worst: None,
        marks,
        entry_volume: None,
        flags: Vec::new(),
    }
}

fn study(of: Vec<(&'static str, Vec<Trade>)>) -> Study {
    let results = of
        .into_iter()
        .map(|(detector, trades)| DetectorResult {
            detector,
            trades: trades.into_iter().map(|trade| Trade { detector, ..trade }).collect(),
            counters: Counters::default(),
            symbols: Vec::new(),
            random_r: Vec::new(),
        })
        .collect();
    Study { results, snapshot: 0, symbols: 1, bars: 1 }
}

const FREE: CostSettings = CostSettings {
    commission: Commission::Bps { bps: 0.0 },
    half_spread_bps: 0.0,
    slippage: Slippage::Bps { bps: 0.0 },
    slip_on_limit: false,
    borrow_bps_per_day: 0.0,
    lot: 1.0,
    zero: false,
};

fn portfolio(study: &Study, settings: &PortfolioSettings) -> Portfolio {
    let before = study.clone();
    let portfolio = run(study, &sessions(), settings, &FREE);
    assert_eq!(*study, before);
    let rejected = portfolio.rejected;
    let turned_away = rejected.max_open + rejected.max_gross + rejected.volume + rejected.size;
    let candidates: usize = study.results.iter().map(|result| result.trades.len()).sum();
    assert_eq!(portfolio.trades.len() as u64 + turned_away, candidates as u64);
    portfolio
}

/// Room for everything, 1 % of 100,000 at risk: 1,000 shares a trade.
fn roomy() -> PortfolioSettings {
    PortfolioSettings { max_gross_pct: 1e9, ..PortfolioSettings::default() }
}

/// B-40
#[test]
fn candidates_come_by_time_then_score_then_symbol_then_detector() {
    let scored = |symbol: &str, minute: i64, score: f64| Trade { score, ..trade(symbol, minute, &[100.0]) };
    let study = study(vec![
        ("b", vec![scored("X", 15, 60.0), scored("Y", 15, 70.0), scored("Z", 0, 10.0)]),
        ("a", vec![scored("X", 15, 60.0), scored("A", 15, 60.0)]),
    ]);
    let order: Vec<_> = portfolio(&study, &roomy()).trades.iter().map(|taken| (taken.detector, taken.trade)).collect();
    assert_eq!(order, [(0, 2), (0, 1), (1, 1), (1, 0), (0, 0)]);
}

/// B-40
#[test]
fn what_finds_no_room_is_counted_by_what_it_lacks() {
    let volume = |volume: f64| Trade { entry_volume: Some(volume), ..trade("V", 30, &[100.0]) };
    let study = study(vec![(
        "a",
        vec![
            trade("A", 0, &[100.0, 100.0]),
            trade("B", 15, &[100.0]),
            volume(99.0),
            volume(4_000.0),
            Trade { stop_price: 100.0 - 2_000.0, ..trade("S", 45, &[100.0]) },
        ],
    )]);
    let one = PortfolioSettings { max_open: 1, ..roomy() };
    let rejected = portfolio(&study, &one).rejected;
    assert_eq!((rejected.max_open, rejected.volume, rejected.size), (1, 1, 1));
    let taken = portfolio(&study, &roomy());
    let quantities: Vec<_> = taken.trades.iter().map(|taken| taken.quantity).collect();
    assert_eq!(quantities, [1000.0, 1000.0, 40.0], "1 % of a volume of 4,000");
    let full = portfolio(&study, &PortfolioSettings::default());
    assert_eq!((full.trades[0].quantity, full.rejected.max_gross), (1000.0, 1), "1,000 at 100 is all there is");
}

/// B-40: the place of a position is free once its last bar is over.
#[test]
fn the_next_entry_may_take_the_place() {
    let study = study(vec![("a", vec![trade("A", 0, &[101.0]), trade("B", 15, &[100.0]), trade("C", 29, &[100.0])])]);
    let taken = portfolio(&study, &PortfolioSettings { max_open: 1, ..roomy() });
    assert_eq!((taken.trades.len(), taken.rejected.max_open), (2, 1));
}

/// B-42
#[test]
fn a_trade_risks_its_share_of_the_equity_at_its_entry() {
    let open = trade("A", 0, &[105.0, 105.0, 90.0]);
    let study = study(vec![("a", vec![open, trade("B", 15, &[100.0]), trade("C", 60, &[100.0])])]);
    let taken = portfolio(&study, &roomy());
    let quantities: Vec<_> = taken.trades.iter().map(|taken| taken.quantity).collect();
    assert_eq!(quantities, [1000.0, 1050.0, 900.0], "5,000 are gained on paper, then 10,000 lost");
    assert_eq!(taken.trades[0].pnl, -10_000.0);
}

/// B-43
#[test]
fn equity_is_marked_at_every_bar_end_and_session() {
    let study = study(vec![("a", vec![trade("A", 0, &[105.0, 90.0]), trade("B", 15, &[101.0])])]);
    let taken = portfolio(&study, &roomy());
    let equity: Vec<_> = taken.equity.iter().map(|point| (point.timestamp, point.equity)).collect();
    let end = 100_000.0 - 10_000.0 + 1_050.0;
    let expected = [
        (at(0, 0), 100_000.0),
        (at(0, 15), 105_000.0),
        (at(0, 30), end),
        (at(0, 390), end),
        (at(1, 0), end),
        (at(1, 390), end),
    ];
    assert_eq!(equity, expected);
    let sessions: Vec<_> = taken.sessions.iter().map(|session| (session.date.day(), session.equity)).collect();
    assert_eq!(sessions, [(23, end), (24, end)]);
    assert!((taken.exposure - 30.0 / 780.0).abs() < 1e-12);
    let traded = 1000.0 * 190.0 + 1050.0 * 201.0;
    assert!((taken.turnover - traded / end).abs() < 1e-9);
}

/// B-43: what costs have taken is gone at once, and the sum of gains is what the equity gained.
#[test]
fn gains_add_up_to_the_equity_with_commissions() {
    let costs = CostSettings { commission: Commission::PerShare { amount: 0.005, minimum: 2.0 }, ..FREE };
    let paid = Trade { pnl: 100.0 * 1.0 - 4.0, ..trade("A", 0, &[100.5, 101.0]) };
    let study = study(vec![("a", vec![paid])]);
    let taken = run(&study, &sessions(), &roomy(), &costs);
    assert_eq!(taken.trades[0].pnl, 1000.0 - 10.0, "2 x 5 in place of 2 x 2");
    assert_eq!(taken.equity[1].equity, 100_000.0 + 500.0 - 5.0);
    assert_eq!(taken.sessions[1].equity, 100_990.0);
}
