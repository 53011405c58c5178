//! The statistics of a portfolio.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::Flag;
use super::ratios::{FEWEST_SESSIONS, Moments, sharpe, sortino};
use super::sharpe::{expected_best_sharpe, probabilistic_sharpe};
use crate::backtest::Portfolio;
use crate::model::Market;

/// The statistics of a portfolio (backtest-semantics §8). Returns are fractions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PortfolioStats {
    /// Trades taken.
    pub trades: u64,
    /// Sessions of the period, with and without trades.
    pub sessions: u64,
    /// Money at the start.
    pub starting_capital: f64,
    /// Cash and positions at the end.
    pub final_equity: f64,
    /// Final equity ÷ starting capital − 1.
    pub total_return: f64,
    /// (final equity ÷ starting capital)^(sessions a year ÷ sessions) − 1; `None` under 20 sessions.
    pub annualised_return: Option<f64>,
    /// The largest fall of equity, marked at each bar's end, in percent of the highest before: 0 to 100, more if more than
    /// everything was lost.
    pub max_drawdown_percent: f64,
    /// Sessions from that height until equity was back at it, else until the end.
    pub max_drawdown_sessions: u64,
    /// Whether it came back.
    pub max_drawdown_recovered: bool,
    /// Change of equity per session; those without trades count as 0.
    pub daily_returns: Vec<SessionReturn>,
    /// The same per month.
    pub monthly_returns: Vec<MonthReturn>,
    /// Mean of daily returns ÷ their standard deviation, a year. `None` under 20 sessions or without spread.
    pub sharpe: Option<f64>,
    /// The same with the downside in place of the standard deviation. `None` under 20 sessions or without a loss.
    pub sortino: Option<f64>,
    /// Annualised return ÷ largest fall of equity. `None` without either.
    pub calmar: Option<f64>,
    /// Skewness of daily returns.
    pub skewness: Option<f64>,
    /// Kurtosis of daily returns; 3 for a normal distribution.
    pub kurtosis: Option<f64>,
    /// Probability that the true Sharpe ratio is above 0.
    pub probabilistic_sharpe: Option<f64>,
    /// Configurations tried: detectors × configurations of the run.
    pub trials: u64,
    /// Sharpe ratio a year that the best of so many trials without skill is expected to show.
    pub expected_best_sharpe: Option<f64>,
    /// Probability that the true Sharpe ratio is above that: the deflated Sharpe ratio. `None` for a single trial.
    pub deflated_sharpe: Option<f64>,
    /// Share of session bars with an open position, 0 to 1.
    pub exposure: f64,
    /// Value traded ÷ mean equity.
    pub turnover: f64,
    /// Why figures are not there.
    pub flags: Vec<Flag>,
}

/// Change of equity over a session.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionReturn {
    /// The trading date.
    pub date: Date,
    /// Equity at its end ÷ equity at the end of the one before − 1.
    #[serde(rename = "return")]
    pub change: f64,
}

/// Change of equity over the sessions of a month.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MonthReturn {
    /// As in `2026-11`.
    pub month: String,
    /// Equity at its last session's end ÷ equity before its first − 1.
    #[serde(rename = "return")]
    pub change: f64,
}

/// The statistics of a portfolio that began with `starting_capital`. `market` tells how many sessions a year has and which
/// date an instant belongs to; `trials` is the number of detectors × configurations that were tried.
pub fn portfolio_stats(portfolio: &Portfolio, starting_capital: f64, market: Market, trials: u64) -> PortfolioStats {
    let periods = match market {
        Market::NewYork => 252.0,
        Market::RoundTheClock => 365.0,
    };
    let sessions = portfolio.sessions.len();
    let final_equity = portfolio.sessions.last().map_or(starting_capital, |last| last.equity);
    let growth = final_equity / starting_capital;
    let solvent = portfolio.sessions.iter().all(|session| session.equity > 0.0);
    // Past a session without capital no return is defined.
    let daily_returns = if solvent { daily_returns(portfolio, starting_capital) } else { Vec::new() };
    let returns: Vec<f64> = daily_returns.iter().map(|session| session.change).collect();
    let moments = Moments::of(&returns);
    let best = expected_best_sharpe(trials, sessions as f64).filter(|_| moments.is_some());
    let drawdown = Drawdown::of(portfolio, starting_capital, market);
    let annualised_return =
        (sessions >= FEWEST_SESSIONS && solvent).then(|| growth.powf(periods / sessions as f64) - 1.0);
    let mut stats = PortfolioStats {
        trades: portfolio.trades.len() as u64,
        sessions: sessions as u64,
        starting_capital,
        final_equity,
        total_return: growth - 1.0,
        annualised_return,
        max_drawdown_percent: 100.0 * drawdown.share,
        max_drawdown_sessions: drawdown.sessions,
        max_drawdown_recovered: drawdown.recovered,
        monthly_returns: monthly_returns(&daily_returns),
        daily_returns,
        sharpe: moments.map(|moments| sharpe(&moments, periods)),
        sortino: sortino(&returns, periods),
        calmar: annualised_return.filter(|_| drawdown.share > 0.0).map(|annualised| annualised / drawdown.share),
        skewness: moments.map(|moments| moments.skewness),
        kurtosis: moments.map(|moments| moments.kurtosis),
        probabilistic_sharpe: moments.and_then(|moments| probabilistic_sharpe(&moments, 0.0)),
        trials,
        expected_best_sharpe: best.map(|best| best * periods.sqrt()),
        deflated_sharpe: best.and_then(|best| probabilistic_sharpe(&moments?, best)),
        exposure: portfolio.exposure,
        turnover: portfolio.turnover,
        flags: Vec::new(),
    };
    stats.flags = flags(&stats, solvent);
    stats
}

/// Why something in the statistics is not there. Each `None` has one.
fn flags(stats: &PortfolioStats, solvent: bool) -> Vec<Flag> {
    let enough = stats.sessions >= FEWEST_SESSIONS as u64;
    [
        (stats.trades == 0, Flag::NoTrades),
        (!enough, Flag::FewDays),
        (!solvent, Flag::CapitalLost),
        (enough && solvent && stats.probabilistic_sharpe.is_none(), Flag::NoSpread),
        (enough && solvent && stats.sortino.is_none(), Flag::NoLosingDays),
        (stats.max_drawdown_percent == 0.0, Flag::NoDrawdown),
        (stats.trials < 2, Flag::OneTrial),
    ]
    .into_iter()
    .filter_map(|(holds, flag)| holds.then_some(flag))
    .collect()
}

fn daily_returns(portfolio: &Portfolio, starting_capital: f64) -> Vec<SessionReturn> {
    let mut before = starting_capital;
    let change = |session: &crate::backtest::SessionEquity| {
        let change = session.equity / before - 1.0;
        before = session.equity;
        SessionReturn { date: session.date, change }
    };
    portfolio.sessions.iter().map(change).collect()
}

fn monthly_returns(sessions: &[SessionReturn]) -> Vec<MonthReturn> {
    sessions
        .chunk_by(|a, b| a.date.first_of_month() == b.date.first_of_month())
        .map(|month| MonthReturn {
            month: month[0].date.strftime("%Y-%m").to_string(),
            change: month.iter().map(|session| 1.0 + session.change).product::<f64>() - 1.0,
        })
        .collect()
}

/// The largest fall of equity from a height.
struct Drawdown {
    share: f64,
    sessions: u64,
    recovered: bool,
}

impl Drawdown {
    /// Over the equity of bars (B-43): max over t of 1 − equity ÷ highest equity until t, starting with the capital.
    fn of(portfolio: &Portfolio, starting_capital: f64, market: Market) -> Self {
        let (mut peak, mut peak_ms) = (starting_capital, None);
        let (mut share, mut from_ms, mut to_ms, mut recovered) = (0.0, None, None, true);
        for point in &portfolio.equity {
            if point.equity >= peak {
                if !recovered {
                    (to_ms, recovered) = (Some(point.timestamp), true);
                }
                (peak, peak_ms) = (point.equity, Some(point.timestamp));
            } else if 1.0 - point.equity / peak > share {
                share = 1.0 - point.equity / peak;
                (from_ms, to_ms, recovered) = (peak_ms, None, false);
            }
        }
        // The end of a bar belongs to the bar's session, also at midnight.
        let session_of = |instant_ms: i64| {
            let instant =
                Timestamp::from_millisecond(instant_ms - 1).expect("Invariant: bars lie in the calendar's years");
            let date = market.date_of(instant);
            portfolio.sessions.partition_point(|session| session.date < date)
        };
        let last = portfolio.sessions.len().saturating_sub(1);
        let from = from_ms.map_or(0, session_of);
        let to = if share > 0.0 { to_ms.map_or(last, session_of) } else { from };
        Self { share, sessions: to.saturating_sub(from) as u64, recovered }
    }
}
