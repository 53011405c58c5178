//! Statistics of a portfolio, worked out by hand.

use barkeep::backtest::metrics::{Flag, PortfolioStats, portfolio_stats};
use barkeep::backtest::{EquityPoint, Portfolio, SessionEquity, Sessions};
use barkeep::model::{Dataset, Market};
use jiff::civil::date;

use super::sample::sessions;

/// Equity at the ends of sessions, and at instants that are minutes after a session's open.
fn stats(ends: &[f64], within: &[(u32, i64, f64)]) -> PortfolioStats {
    let mut portfolio = Portfolio::default();
    for (session, equity) in ends.iter().enumerate() {
        let clock = sessions().get(session as u32);
        portfolio.sessions.push(SessionEquity { date: clock.date, equity: *equity });
        portfolio.equity.push(EquityPoint { timestamp: clock.close_ms, equity: *equity });
    }
    portfolio.equity.extend(within.iter().map(|(session, minutes, equity)| EquityPoint {
        timestamp: sessions().get(*session).open_ms + minutes * 60_000,
        equity: *equity,
    }));
    portfolio.equity.sort_by_key(|point| point.timestamp);
    portfolio_stats(&portfolio, 100.0, Market::NewYork, 1)
}

#[test]
fn the_drawdown_is_marked_at_bars_not_at_the_ends_of_sessions() {
    // From 110 at the end of session 1 to 88 within session 2; 110 again within session 4.
    let found = stats(&[100.0, 110.0, 105.0, 108.0, 109.0], &[(2, 60, 88.0), (4, 60, 110.0), (4, 75, 104.5)]);
    assert!((found.max_drawdown_percent - 20.0).abs() < 1e-9);
    assert_eq!((found.max_drawdown_sessions, found.max_drawdown_recovered), (3, true));
    let found = stats(&[100.0, 110.0, 105.0, 99.0], &[]);
    assert!((found.max_drawdown_percent - 10.0).abs() < 1e-9);
    assert_eq!((found.max_drawdown_sessions, found.max_drawdown_recovered), (2, false), "until the end");
    let found = stats(&[90.0, 95.0, 101.0], &[]);
    assert_eq!((found.max_drawdown_sessions, found.max_drawdown_recovered), (2, true), "from the start");
}

#[test]
fn a_bar_that_ends_at_midnight_belongs_to_the_session_before() {
    let sessions = Sessions::of(Dataset::Crypto, date(2026, 11, 1)..=date(2026, 11, 5));
    let equity = [100.0, 90.0, 95.0, 100.0, 101.0];
    let portfolio = Portfolio {
        equity: sessions.iter().zip(equity).map(|(s, equity)| EquityPoint { timestamp: s.close_ms, equity }).collect(),
        sessions: sessions.iter().zip(equity).map(|(s, equity)| SessionEquity { date: s.date, equity }).collect(),
        ..Portfolio::default()
    };
    let found = portfolio_stats(&portfolio, 100.0, Market::RoundTheClock, 1);
    assert_eq!((found.max_drawdown_sessions, found.max_drawdown_recovered), (3, true));
    let late = Portfolio { equity: portfolio.equity[1..].to_vec(), ..portfolio };
    let found = portfolio_stats(&late, 100.0, Market::RoundTheClock, 1);
    assert_eq!(found.max_drawdown_sessions, 3, "from the start to session 3");
}

#[test]
fn a_flat_account_has_no_ratios_but_says_so() {
    let flat = stats(&[100.0; 30], &[]);
    assert_eq!((flat.total_return, flat.annualised_return, flat.max_drawdown_percent), (0.0, Some(0.0), 0.0));
    assert_eq!((flat.sharpe, flat.sortino, flat.calmar, flat.probabilistic_sharpe), (None, None, None, None));
    assert_eq!(flat.flags, [Flag::NoTrades, Flag::NoSpread, Flag::NoLosingDays, Flag::NoDrawdown, Flag::OneTrial]);
    let steady: Vec<f64> = (1..=30).map(|day| 100.0 * 1.001_f64.powi(day)).collect();
    assert_eq!(stats(&steady, &[]).sharpe, None, "what rounding leaves is no spread");
}

#[test]
fn under_twenty_sessions_nothing_is_annualised() {
    let ends: Vec<f64> = (0..20).map(|day| 100.0 + f64::from(day % 3)).collect();
    let enough = stats(&ends, &[]);
    assert!(enough.sharpe.is_some() && enough.sortino.is_some() && enough.calmar.is_some());
    let few = stats(&ends[..19], &[]);
    assert_eq!((few.sharpe, few.sortino, few.calmar, few.annualised_return), (None, None, None, None));
    assert_eq!(few.flags, [Flag::NoTrades, Flag::FewDays, Flag::OneTrial]);
    assert_eq!(few.daily_returns.len(), 19, "each session has a return nevertheless");
}

#[test]
fn lost_capital_has_no_returns() {
    let mut ends = [100.0; 25];
    ends[10] = -5.0;
    let lost = stats(&ends, &[]);
    assert!(lost.flags.contains(&Flag::CapitalLost) && lost.daily_returns.is_empty());
    assert_eq!((lost.sharpe, lost.sortino, lost.annualised_return), (None, None, None));
    assert!((lost.max_drawdown_percent - 105.0).abs() < 1e-9);
}

#[test]
fn months_compound_their_sessions() {
    // 2 to 30 September are 20 sessions.
    let mut ends = [110.0; 30];
    ends[0] = 100.0;
    ends[29] = 121.0;
    let found = stats(&ends, &[]);
    let months: Vec<_> = found.monthly_returns.iter().map(|month| month.month.as_str()).collect();
    assert_eq!(months, ["2026-09", "2026-10"]);
    assert!(found.monthly_returns.iter().all(|month| (month.change - 0.1).abs() < 1e-9));
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["monthlyReturns"][0]["month"], "2026-09");
    assert!(json["monthlyReturns"][0]["return"].is_number() && json["dailyReturns"][0]["return"].is_number());
}

#[test]
fn no_sessions_are_no_portfolio() {
    let none = stats(&[], &[]);
    assert_eq!((none.final_equity, none.total_return, none.max_drawdown_percent), (100.0, 0.0, 0.0));
    assert!(none.flags.contains(&Flag::FewDays));
}
