//! What an account could have taken of a study's trades (B-40, B-42, B-43). It never changes the study.

use jiff::civil::Date;

use super::engine::Costs;
use super::{
    CostSettings, EquityPoint, ExitReason, Portfolio, PortfolioSettings, PortfolioTrade, SessionEquity, Sessions,
    Study, Trade,
};

/// Goes through all trades of a study in the order of their entries; at the same moment the higher score comes first, then the
/// symbol, then the detector.
///
/// A trade is taken if fewer than `max_open` positions are open. Its quantity risks `risk_pct` of the marked equity between
/// entry and stop, is cut to what `max_gross_pct` and `max_volume_pct` leave, and rounded down to the lot; a trade of which
/// nothing is left is turned away by what cut it. Entry bars without a volume, those of indices, set no limit. A position holds
/// its place up to the end of the bar it is left in, where the next entry may take it.
///
/// Gains and costs are the study's at another quantity: prices do not depend on it, and commissions are taken anew. Equity is
/// marked at the end of every bar a position is open at. `sessions` are those of the run's period: equity of a session is that
/// at its regular close, of the last one that after everything. Exposure is the share of their regular hours with a position.
/// Turnover counts both sides of each trade, over the mean of the sessions' equity.
pub fn run(study: &Study, sessions: &Sessions, settings: &PortfolioSettings, costs: &CostSettings) -> Portfolio {
    // The portfolio meets instruments through their trades, whose prices are rounded to the tick already.
    let mut account = Account {
        settings,
        costs: Costs::new(costs, 1.0),
        cash: settings.starting_capital,
        open: Vec::new(),
        busy: Vec::new(),
        traded_value: 0.0,
        portfolio: Portfolio::default(),
    };
    let mut instants =
        sessions.iter().flat_map(|clock| [(clock.open_ms, None), (clock.close_ms, Some(clock.date))]).peekable();
    for candidate in candidates(study) {
        while let Some((at_ms, closes)) = instants.next_if(|(at_ms, _)| *at_ms <= candidate.trade.entry_ms) {
            account.pass(at_ms, closes);
        }
        account.advance(candidate.trade.entry_ms);
        account.consider(&candidate);
    }
    for (at_ms, closes) in instants {
        account.pass(at_ms, closes);
    }
    account.finish(sessions)
}

/// A trade of the study, and its place there.
struct Candidate<'a> {
    detector: usize,
    place: usize,
    trade: &'a Trade,
}

fn candidates(study: &Study) -> Vec<Candidate<'_>> {
    let mut all = Vec::with_capacity(study.results.iter().map(|result| result.trades.len()).sum());
    for (detector, result) in study.results.iter().enumerate() {
        all.extend(result.trades.iter().enumerate().map(|(place, trade)| Candidate { detector, place, trade }));
    }
    all.sort_by(|Candidate { trade: a, .. }, Candidate { trade: b, .. }| {
        (a.entry_ms.cmp(&b.entry_ms))
            .then_with(|| b.score.total_cmp(&a.score))
            .then_with(|| a.symbol.cmp(&b.symbol))
            .then_with(|| a.detector.cmp(b.detector))
    });
    all
}

/// A position of the account.
struct Position<'a> {
    trade: &'a Trade,
    quantity: f64,
    /// Gain after costs once it is closed.
    pnl: f64,
    /// Commission of its entry.
    commission: f64,
    /// Price it was last marked at, and the place of the mark that follows.
    price: f64,
    next_mark: usize,
}

impl Position<'_> {
    /// Gain at the price it was last marked at.
    fn gain(&self) -> f64 {
        self.trade.side.sign() * (self.price - self.trade.entry_price) * self.quantity - self.commission
    }

    fn value(&self) -> f64 {
        (self.price * self.quantity).abs()
    }
}

struct Account<'a> {
    settings: &'a PortfolioSettings,
    costs: Costs,
    /// Capital and the gains of closed positions.
    cash: f64,
    open: Vec<Position<'a>>,
    /// Stretches of time with a position, ascending and apart from each other.
    busy: Vec<(i64, i64)>,
    traded_value: f64,
    portfolio: Portfolio,
}

impl<'a> Account<'a> {
    fn equity(&self) -> f64 {
        self.cash + self.open.iter().map(Position::gain).sum::<f64>()
    }

    /// Notes the equity of a moment, once.
    fn note(&mut self, timestamp: i64) {
        let point = EquityPoint { timestamp, equity: self.equity() };
        match self.portfolio.equity.last_mut() {
            Some(last) if last.timestamp == timestamp => *last = point,
            _ => self.portfolio.equity.push(point),
        }
    }

    /// Marks positions at the end of all bars up to a moment, and closes those that end there.
    fn advance(&mut self, to_ms: i64) {
        let next = |position: &Position| position.trade.marks[position.next_mark].end_ms;
        while let Some(at_ms) = self.open.iter().map(next).min().filter(|at_ms| *at_ms <= to_ms) {
            let cash = &mut self.cash;
            self.open.retain_mut(|position| {
                if next(position) == at_ms {
                    position.price = position.trade.marks[position.next_mark].close;
                    position.next_mark += 1;
                }
                let closed = position.next_mark == position.trade.marks.len();
                *cash += if closed { position.pnl } else { 0.0 };
                !closed
            });
            self.note(at_ms);
        }
    }

    /// Lets the open of a session pass, or the close of the one of a date.
    fn pass(&mut self, at_ms: i64, closes: Option<Date>) {
        self.advance(at_ms);
        self.note(at_ms);
        if let Some(date) = closes {
            self.portfolio.sessions.push(SessionEquity { date, equity: self.equity() });
        }
    }

    /// Takes a trade if there is room for it.
    fn consider(&mut self, candidate: &Candidate<'a>) {
        let quantity = self.quantity(candidate.trade);
        let rejected = &mut self.portfolio.rejected;
        match quantity {
            Ok(quantity) => self.take(candidate, quantity),
            Err(Full::MaxOpen) => rejected.max_open += 1,
            Err(Full::MaxGross) => rejected.max_gross += 1,
            Err(Full::Volume) => rejected.volume += 1,
            Err(Full::Size) => rejected.size += 1,
        }
    }

    fn quantity(&self, trade: &Trade) -> Result<f64, Full> {
        let PortfolioSettings { risk_pct, max_open, max_gross_pct, max_volume_pct, .. } = *self.settings;
        if self.open.len() >= max_open as usize {
            return Err(Full::MaxOpen);
        }
        let some = |quantity: f64, full: Full| {
            let lots = self.costs.lots(quantity);
            if lots > 0.0 { Ok(lots) } else { Err(full) }
        };
        let equity = self.equity();
        let risk = (trade.raw_entry - trade.stop_price).abs();
        let quantity = some(equity * risk_pct / 100.0 / risk, Full::Size)?;
        let room = equity * max_gross_pct / 100.0 - self.open.iter().map(Position::value).sum::<f64>();
        let quantity = quantity.min(some(room / trade.raw_entry.abs(), Full::MaxGross)?);
        let Some(volume) = trade.entry_volume else { return Ok(quantity) };
        Ok(quantity.min(some(volume * max_volume_pct / 100.0, Full::Volume)?))
    }

    fn take(&mut self, &Candidate { detector, place, trade }: &Candidate<'a>, quantity: f64) {
        let before_commission = (trade.pnl + self.commission(trade, trade.quantity)) / trade.quantity;
        let pnl = before_commission * quantity - self.commission(trade, quantity);
        let commission = self.costs.commission(quantity, trade.raw_entry);
        self.portfolio.trades.push(PortfolioTrade { detector, trade: place, quantity, pnl });
        self.traded_value += (trade.raw_entry.abs() + trade.raw_exit.abs()) * quantity;
        self.open.push(Position { trade, quantity, pnl, commission, price: trade.raw_entry, next_mark: 0 });
        let until = trade.marks.last().map_or(trade.entry_ms, |mark| mark.end_ms);
        match self.busy.last_mut() {
            Some((_, end)) if trade.entry_ms <= *end => *end = until.max(*end),
            _ => self.busy.push((trade.entry_ms, until)),
        }
    }

    /// Commissions of all orders of a trade at a quantity. A split on the way changes the shares of the exit, which is left out:
    /// it matters only to a minimum.
    fn commission(&self, trade: &Trade, quantity: f64) -> f64 {
        let enter = self.costs.commission(quantity, trade.raw_entry);
        let leave = if trade.reason == ExitReason::DataEnd {
            0.0
        } else if trade.flags.contains(&"partial") {
            2.0 * self.costs.commission(quantity / 2.0, trade.raw_exit)
        } else {
            self.costs.commission(quantity, trade.raw_exit)
        };
        enter + leave
    }

    fn finish(mut self, sessions: &Sessions) -> Portfolio {
        self.advance(i64::MAX);
        let last = self.equity();
        let mut portfolio = self.portfolio;
        if let Some(session) = portfolio.sessions.last_mut() {
            session.equity = last;
        }
        let hours: i64 = sessions.iter().map(|clock| clock.close_ms - clock.open_ms).sum();
        let busy: i64 = sessions.iter().map(|clock| overlap(&self.busy, clock.open_ms, clock.close_ms)).sum();
        let equities = portfolio.sessions.iter().map(|session| session.equity);
        let mean = equities.sum::<f64>() / portfolio.sessions.len() as f64;
        portfolio.exposure = if hours > 0 { busy as f64 / hours as f64 } else { 0.0 };
        portfolio.turnover = if mean > 0.0 { self.traded_value / mean } else { 0.0 };
        portfolio
    }
}

/// Why there is no room for a trade.
enum Full {
    MaxOpen,
    MaxGross,
    Volume,
    Size,
}

/// How much of a stretch of time lies in ascending others.
fn overlap(stretches: &[(i64, i64)], from_ms: i64, to_ms: i64) -> i64 {
    let first = stretches.partition_point(|(_, end)| *end <= from_ms);
    let inside = stretches[first..].iter().take_while(|(start, _)| *start < to_ms);
    inside.map(|(start, end)| (*end).min(to_ms) - (*start).max(from_ms)).sum()
}

#[cfg(test)]
#[path = "portfolio_tests.rs"]
mod tests;
