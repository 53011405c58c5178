//! The statistics of one detector.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use super::bootstrap::{SessionSum, bootstrap};
use super::calibration::{Decile, calibration};
use super::control::benjamini_hochberg;
use super::histogram::{Bin, histogram};
use super::tally::{Tally, verdict};
use super::wilson::{Interval, wilson};
use super::{Bounds, Breakdown, ClusteredT, Costs, EffectiveBets, Excursion, Flag, RDrawdown, RandomControl};
use crate::backtest::{DetectorResult, ExitDecision, ExitReason, Regime, Sessions, Trade};
use crate::model::{Market, midnight};

/// Fewer trades are a small sample.
pub(super) const SMALL_SAMPLE: u64 = 30;
const HALF_HOUR_MS: i64 = 30 * 60_000;
/// Fewer trades have no rank among detectors.
const FEWEST_RANKED: u64 = 10;

/// The statistics of one detector over all its symbols, after costs (backtest-semantics §7, §8).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DetectorStats {
    /// Its identifier.
    pub detector: &'static str,
    /// Trades, without those that the end of the data ended.
    pub total_trades: u64,
    /// Those that the end of the data ended: left out of everything here (B-22).
    pub open_at_end: u64,
    /// Trades with a gain after costs.
    pub winners: u64,
    /// Trades with a loss.
    pub losers: u64,
    /// Trades with neither, after rounding to 1e-9.
    pub breakeven: u64,
    /// Winners ÷ trades.
    pub win_rate: Option<f64>,
    /// Its Wilson 95 % interval.
    pub win_rate_interval: Option<Interval>,
    /// Σ P&L in money.
    pub total_pnl: f64,
    /// Σ P&L in percent of each trade's entry value.
    pub total_pnl_percent: f64,
    /// Mean P&L of winners, percent of entry value.
    pub avg_win: Option<f64>,
    /// Mean P&L of losers, percent of entry value, negative.
    pub avg_loss: Option<f64>,
    /// Largest P&L of a winner, percent of entry value.
    pub largest_win: Option<f64>,
    /// Largest loss, percent of entry value, negative.
    pub largest_loss: Option<f64>,
    /// Σ wins ÷ |Σ losses| in money; `None` with [`Flag::NoLosses`] where nothing was lost.
    pub profit_factor: Option<f64>,
    /// Mean R.
    pub expectancy: Option<f64>,
    /// Its bootstrap 95 % interval over whole sessions.
    pub expectancy_interval: Option<Interval>,
    /// Mean R, under its older name.
    pub avg_r_multiple: Option<f64>,
    /// Mean of signal bars held.
    pub avg_bars_held: Option<f64>,
    /// The same of winners.
    pub avg_win_bars: Option<f64>,
    /// The same of losers.
    pub avg_loss_bars: Option<f64>,
    /// Whether mean R differs from zero, sessions being independent and trades not.
    pub clustered_t: Option<ClusteredT>,
    /// How many independent bets the trades are.
    pub effective_bets: Option<EffectiveBets>,
    /// Exits that the rule decided, since no bar showed what came first.
    pub assumed_exits: u64,
    /// Their share of all exits, 0 to 1.
    pub assumed_share: Option<f64>,
    /// Win rate, expectancy and profit factor if those had all gone one way.
    pub bounds: Bounds,
    /// Comparison with random entries; `None` where the run drew none.
    pub random_control: Option<RandomControl>,
    /// The largest fall of the sum of R.
    pub drawdown: Option<RDrawdown>,
    /// Costs, and mean R at other costs.
    pub costs: Option<Costs>,
    /// Worst excursion in R (0 or less), from entry to exit.
    pub mae: Excursion,
    /// Best excursion in R (0 or more), from entry to exit.
    pub mfe: Excursion,
    /// Trades by R.
    pub r_histogram: Vec<Bin>,
    /// Mean R by score decile.
    pub calibration: Vec<Decile>,
    /// By kind of market at the signal.
    pub by_regime: Breakdown,
    /// By the half-hour of entry, on the market's clock: New York, UTC in 24-hour markets.
    pub by_time_of_day: Breakdown,
    /// By symbol.
    pub by_symbol: Breakdown,
    /// By weekday of the entry's session.
    pub by_weekday: Breakdown,
    /// By reason of the exit.
    pub by_exit_reason: Breakdown,
    /// By side.
    pub by_side: Breakdown,
    /// By month of the entry's session, `2026-11`.
    pub by_month: Breakdown,
    /// Fewer than 30 trades.
    pub small_sample: bool,
    /// Why figures are not there, or to be read with care.
    pub flags: Vec<Flag>,
}

impl DetectorStats {
    /// What detectors are ordered by: the lower bound of expectancy. `None` under ten trades, or if all are of one session.
    pub fn rank(&self) -> Option<f64> {
        self.expectancy_interval.filter(|_| self.total_trades >= FEWEST_RANKED).map(|interval| interval.low)
    }
}

/// The statistics of a run's detectors, in their order. `sessions` are those that trades name, `market` has the clock that
/// half-hours are read from, and `seed` is that of the bootstrap.
pub fn detector_stats(
    results: &[DetectorResult],
    sessions: &Sessions,
    market: Market,
    seed: u64,
) -> Vec<DetectorStats> {
    // No clock changes between a session's midnight and its last bar.
    let midnights: Vec<i64> = sessions.iter().map(|session| midnight(market, session.date).as_millisecond()).collect();
    let mut stats: Vec<_> = results.iter().map(|result| one(result, sessions, &midnights, seed)).collect();
    benjamini_hochberg(stats.iter_mut().filter_map(|stats| stats.random_control.as_mut()));
    stats
}

/// Of one detector; `midnights` begin the sessions' dates on the market's clock.
fn one(result: &DetectorResult, sessions: &Sessions, midnights: &[i64], seed: u64) -> DetectorStats {
    let trades: Vec<&Trade> = result.trades.iter().filter(|trade| trade.reason != ExitReason::DataEnd).collect();
    let mut tally = Tally::default();
    for trade in &trades {
        tally.add(trade.pnl, trade.r_multiple);
    }
    let (won, lost): (Vec<_>, Vec<_>) = (
        trades.iter().copied().filter(|trade| verdict(trade.pnl) == Ordering::Greater).collect(),
        trades.iter().copied().filter(|trade| verdict(trade.pnl) == Ordering::Less).collect(),
    );
    let by_session = session_sums(&trades);
    let assumed_exits = trades.iter().filter(|trade| trade.decision == ExitDecision::Assumed).count() as u64;
    let date = |trade: &Trade| sessions.get(trade.session).date;
    let mut stats = DetectorStats {
        detector: result.detector,
        total_trades: tally.trades(),
        open_at_end: (result.trades.len() - trades.len()) as u64,
        winners: tally.winners,
        losers: tally.losers,
        breakeven: tally.breakeven,
        win_rate: tally.win_rate(),
        win_rate_interval: wilson(tally.winners, tally.trades()),
        total_pnl: tally.won + tally.lost,
        total_pnl_percent: trades.iter().map(|trade| trade.pnl_pct).sum::<f64>() + 0.0,
        avg_win: mean(&won, |trade| trade.pnl_pct),
        avg_loss: mean(&lost, |trade| trade.pnl_pct),
        largest_win: won.iter().map(|trade| trade.pnl_pct).max_by(f64::total_cmp),
        largest_loss: lost.iter().map(|trade| trade.pnl_pct).min_by(f64::total_cmp),
        profit_factor: tally.profit_factor(),
        expectancy: tally.expectancy(),
        expectancy_interval: bootstrap(&by_session, seed),
        avg_r_multiple: tally.expectancy(),
        avg_bars_held: mean(&trades, |trade| f64::from(trade.bars_held)),
        avg_win_bars: mean(&won, |trade| f64::from(trade.bars_held)),
        avg_loss_bars: mean(&lost, |trade| f64::from(trade.bars_held)),
        clustered_t: ClusteredT::of(&by_session),
        effective_bets: EffectiveBets::of(&by_session),
        assumed_exits,
        assumed_share: (!trades.is_empty()).then(|| assumed_exits as f64 / trades.len() as f64),
        bounds: Bounds::of(&trades),
        random_control: RandomControl::of(tally.r, tally.trades(), &result.random_r),
        drawdown: RDrawdown::of(&trades),
        costs: Costs::of(&trades),
        mae: Excursion::of(trades.iter().map(|trade| (verdict(trade.pnl), trade.mae_r))),
        mfe: Excursion::of(trades.iter().map(|trade| (verdict(trade.pnl), trade.mfe_r))),
        r_histogram: histogram(trades.iter().map(|trade| trade.r_multiple)),
        calibration: calibration(trades.iter().map(|trade| (trade.score, trade.r_multiple)).collect()),
        by_regime: Breakdown::by(
            &trades,
            // Trades of unknown regime come last.
            |trade| (trade.regime.is_none(), trade.regime),
            |(_, regime)| regime.map_or("unknown", Regime::as_str).to_owned(),
        ),
        by_time_of_day: Breakdown::by(
            &trades,
            |trade| (trade.entry_ms - midnights[trade.session as usize]) / HALF_HOUR_MS,
            |half| format!("{:02}:{:02}", half / 2, half % 2 * 30),
        ),
        by_symbol: Breakdown::by(&trades, |trade| &*trade.symbol, ToString::to_string),
        by_weekday: Breakdown::by(
            &trades,
            |trade| date(trade).weekday().to_monday_zero_offset(),
            |offset| weekday(*offset).to_owned(),
        ),
        by_exit_reason: Breakdown::by(&trades, |trade| trade.reason, |reason| reason.as_str().to_owned()),
        by_side: Breakdown::by(&trades, |trade| trade.side, |side| side.as_str().to_owned()),
        by_month: Breakdown::by(
            &trades,
            |trade| (date(trade).year(), date(trade).month()),
            |(year, month)| format!("{year:04}-{month:02}"),
        ),
        small_sample: tally.trades() < SMALL_SAMPLE,
        flags: Vec::new(),
    };
    stats.flags = flags(&stats, by_session.len());
    stats
}

/// What the trades of each session sum to, ascending; a trade belongs to the session it was entered in.
fn session_sums(trades: &[&Trade]) -> Vec<SessionSum> {
    let mut sums = BTreeMap::<u32, SessionSum>::new();
    for trade in trades {
        let sum = sums.entry(trade.session).or_default();
        sum.trades += 1;
        sum.r += trade.r_multiple;
        sum.r_squared += trade.r_multiple.powi(2);
    }
    sums.into_values().collect()
}

fn mean(trades: &[&Trade], value: impl Fn(&Trade) -> f64) -> Option<f64> {
    (!trades.is_empty()).then(|| trades.iter().map(|trade| value(trade)).sum::<f64>() / trades.len() as f64)
}

fn weekday(monday_zero_offset: i8) -> &'static str {
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"][monday_zero_offset as usize]
}

/// Why something in the statistics is not there. Each `None` has one.
fn flags(stats: &DetectorStats, sessions: usize) -> Vec<Flag> {
    if stats.total_trades == 0 {
        return vec![Flag::NoTrades, Flag::SmallSample];
    }
    let no_spread = sessions > 1 && (stats.clustered_t.is_none() || stats.effective_bets.is_none());
    let no_gross_gain = stats.costs.as_ref().is_some_and(|c| c.share_of_gross.is_none() || c.break_even_bps.is_none());
    [
        (stats.small_sample, Flag::SmallSample),
        (stats.winners == 0, Flag::NoWins),
        (stats.losers == 0, Flag::NoLosses),
        (sessions == 1, Flag::OneSession),
        (no_spread, Flag::NoSpread),
        (no_gross_gain, Flag::NoGrossGain),
    ]
    .into_iter()
    .filter_map(|(holds, flag)| holds.then_some(flag))
    .collect()
}
