//! The minutes of an instrument on a date, and the vendor's day row for them.

use jiff::civil::Date;

use super::hours::{Hours, Phase};
use super::level::{level, previous_trading_date};
use super::rng::{Chance, threshold};
use super::universe::{Instrument, UNIT};
use crate::model::Dataset;

/// A row of a minute file; prices and volume in [`UNIT`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Minute {
    /// Minutes since the date's midnight.
    pub minute: u16,
    pub open: i64,
    pub close: i64,
    pub high: i64,
    pub low: i64,
    pub volume: i64,
    pub transactions: u32,
}

/// What happened to an instrument on a date.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Story {
    /// Ascending; empty if it was not traded.
    pub minutes: Vec<Minute>,
    /// The vendor's day row (its `minute` means nothing); `None` where the vendor has none.
    pub day: Option<Minute>,
}

/// What the walks of one market and date have in common.
pub(super) struct Walker<'a> {
    pub dataset: Dataset,
    pub date: Date,
    pub seed: u64,
    /// 1 for what the vendor published first, more for later versions of the file.
    pub version: u8,
    pub hours: &'a Hours,
    /// Shares are traded in fractions, and printed so: since 2026-02-23.
    pub fractional: bool,
}

impl Walker<'_> {
    /// Walks one instrument through the date.
    pub(super) fn walk(&self, instrument: &Instrument) -> Story {
        let yesterday = previous_trading_date(self.dataset, self.date);
        let previous_close = level(instrument, self.seed, yesterday);
        let close = level(instrument, self.seed, self.date);
        let purpose = [self.seed, instrument.key, day_number(self.date)];
        let mut path = Path {
            chance: Chance::of(&purpose),
            instrument,
            // Some indices swing around zero: their step does not depend on their level.
            step: instrument.daily_change * if instrument.base == 0.0 { 1.0 } else { previous_close } / 20.0,
            dataset: self.dataset,
            fractional: self.fractional,
            at: previous_close,
            minutes: Vec::new(),
        };
        // Overnight news: part of the day's way is made before the open.
        let open = previous_close + (close - previous_close) * path.chance.unit() * 0.8;
        self.walk_phases(&mut path, open, close);
        if self.version > 1 {
            self.restate(&mut path);
        }
        let day = self.day_row(&mut path, previous_close);
        Story { minutes: path.minutes, day }
    }

    fn walk_phases(&self, path: &mut Path<'_>, open: f64, close: f64) {
        let step = path.step;
        for (phase, from, target) in
            [(Phase::Pre, path.at, open), (Phase::Regular, open, close), (Phase::Post, close, close)]
        {
            let Some(end) = self.hours.end_of(phase) else { continue };
            path.at = from;
            // Outside regular hours prices move less per minute.
            path.step = if phase == Phase::Regular { step } else { step * 0.3 };
            if phase == Phase::Post {
                self.auction(path, close);
            }
            let mut last = None;
            for span in self.hours.spans.iter().filter(|span| span.phase == phase) {
                let pace = path.instrument.pace * span.pace;
                let trades = threshold(1.0 - (-pace).exp());
                for minute in span.from..span.to {
                    if path.chance.draw() < trades {
                        let gap = f64::from(minute - last.unwrap_or(span.from));
                        path.minute(minute, pace, gap.max(1.0), f64::from(end - minute), target);
                        last = Some(minute);
                    }
                }
            }
        }
    }

    /// The closing auction: one price, much volume, in the minute after the last regular one. Quiet names often miss it;
    /// the busiest never do.
    fn auction(&self, path: &mut Path<'_>, close: f64) {
        let Some(minute) = self.hours.auction else { return };
        let happens = 1.0 - (-8.0 * path.instrument.pace).exp();
        let Some(last) = path.minutes.last().map(|last| last.close).filter(|_| path.chance.happens(happens)) else {
            return;
        };
        let tick = path.instrument.tick;
        let mut price = path.ticks(close);
        if price == last {
            price += tick;
        }
        let day: i64 = path.minutes.iter().map(|minute| minute.volume).sum();
        let volume = (day / 12 / UNIT).max(1) * UNIT;
        let transactions = 1 + (2.0 * path.instrument.pace) as u32;
        let busy = path.instrument.pace > 20.0;
        let close = if busy { price + tick } else { price };
        path.minutes.push(Minute { minute, open: price, close, high: close, low: price, volume, transactions });
    }

    /// What the vendor changes in a file it publishes again: late trades come in, and a few minutes outside regular hours
    /// go. The official prices and the range of the day stay, so that the day file need not be replaced with it.
    fn restate(&self, path: &mut Path<'_>) {
        let mut chance = Chance::of(&[self.seed, path.instrument.key, day_number(self.date), u64::from(self.version)]);
        let regular = self.regular();
        let auction = self.hours.auction;
        path.minutes.retain(|minute| {
            let stays = regular.contains(&minute.minute) || Some(minute.minute) == auction;
            stays || !chance.happens(0.02)
        });
        let last = path.minutes.iter().rev().find(|minute| regular.contains(&minute.minute)).map(|last| last.minute);
        for minute in path.minutes.iter_mut().filter(|_| chance.happens(0.2)) {
            minute.transactions += 1;
            minute.volume += match self.dataset {
                Dataset::Stocks => 100 * UNIT,
                Dataset::Crypto => minute.volume / 10 + 1,
                Dataset::Options | Dataset::Forex | Dataset::Indices => UNIT,
            };
            if Some(minute.minute) != last {
                minute.close = minute.low;
            }
        }
    }

    /// The minutes of regular hours; all of them in markets without sessions.
    fn regular(&self) -> std::ops::Range<u16> {
        let start = self.hours.spans.iter().find(|span| span.phase == Phase::Regular).map_or(0, |span| span.from);
        start..self.hours.end_of(Phase::Regular).unwrap_or(u16::MAX)
    }

    /// Official open and close, high and low of regular hours, volume of the whole date and a little that never was in a
    /// minute. A few names that did not trade have a row without volume.
    fn day_row(&self, path: &mut Path<'_>, previous_close: f64) -> Option<Minute> {
        let price = path.ticks(previous_close);
        let quiet =
            Minute { minute: 0, open: price, close: price, high: price, low: price, volume: 0, transactions: 0 };
        let (Some(first), Some(last)) = (path.minutes.first(), path.minutes.last()) else {
            return path.chance.happens(0.3).then_some(quiet);
        };
        let hours = self.regular();
        let regular = || path.minutes.iter().filter(|minute| hours.contains(&minute.minute));
        let open = regular().next().unwrap_or(first).open;
        let auction = path.minutes.iter().find(|minute| Some(minute.minute) == self.hours.auction);
        let close = auction.map_or_else(|| regular().next_back().unwrap_or(last).close, |auction| auction.open);
        let volume: i64 = path.minutes.iter().map(|minute| minute.volume).sum();
        let unseen = if self.dataset == Dataset::Stocks { volume / 1000 / UNIT * UNIT } else { 0 };
        Some(Minute {
            minute: 0,
            open,
            close,
            high: regular().map(|minute| minute.high).fold(open.max(close), i64::max),
            low: regular().map(|minute| minute.low).fold(open.min(close), i64::min),
            volume: volume + unseen,
            transactions: path.minutes.iter().map(|minute| minute.transactions).sum(),
        })
    }
}

/// Days since 1970-01-01, to tell dates apart.
pub(super) fn day_number(date: Date) -> u64 {
    (date.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24).unsigned_abs()
}

/// An instrument on its way through a date.
struct Path<'a> {
    chance: Chance,
    instrument: &'a Instrument,
    /// Deviation of the price over one minute.
    step: f64,
    dataset: Dataset,
    fractional: bool,
    /// Where the price stands, in the instrument's currency.
    at: f64,
    minutes: Vec<Minute>,
}

impl Path<'_> {
    /// The price on the instrument's grid.
    fn ticks(&self, price: f64) -> i64 {
        let tick = self.instrument.tick;
        let price = (price * UNIT as f64 / tick as f64).round() as i64 * tick;
        if self.dataset.prices_are_positive() { price.max(tick) } else { price }
    }

    /// One traded minute, `left` minutes before the phase ends at `target`: a bridge, so that it arrives there.
    fn minute(&mut self, minute: u16, pace: f64, gap: f64, left: f64, target: f64) {
        let whole = gap + left;
        let noise = self.chance.normal() * self.step * (gap * left / whole).sqrt();
        let from = self.at;
        self.at = from + (target - from) * gap / whole + noise;
        let transactions = self.transactions(pace);
        let close = self.print(self.at);
        let (open, high, low) = if transactions == 1 {
            (close, close, close)
        } else {
            // The first trade is near the last one before, rarely at it.
            let near = from + self.chance.normal() * self.step * 0.2;
            let open = self.ticks(near);
            let reach = self.step * UNIT as f64;
            let tick = self.instrument.tick as f64;
            let above = (self.chance.unit() * reach / tick) as i64 * self.instrument.tick;
            let below = (self.chance.unit() * reach / tick) as i64 * self.instrument.tick;
            let bottom = open.min(close);
            let low = if self.dataset.prices_are_positive() {
                (bottom - below).max(self.instrument.tick.min(bottom))
            } else {
                bottom - below
            };
            (open, open.max(close) + above, low)
        };
        let volume = self.traded(transactions);
        self.minutes.push(Minute { minute, open, close, high, low, volume, transactions });
    }

    fn transactions(&mut self, pace: f64) -> u32 {
        // Trades come in clusters: where there is one, there are more.
        1 + ((pace + 0.8) * self.chance.exponential()).min(1e6) as u32
    }

    /// The price as printed: on the grid but for some trades between bid and ask.
    fn print(&mut self, price: f64) -> i64 {
        let on_grid = self.ticks(price);
        let cents = self.dataset == Dataset::Stocks && self.instrument.tick == UNIT / 100;
        let bits = self.chance.draw();
        if !cents || !bits.is_multiple_of(7) {
            return on_grid;
        }
        // Midpoints end in half a cent; a few retail prints in hundredths of a cent.
        let part = if bits.is_multiple_of(21) { i64::from(bits >> 8) % 100 * UNIT / 10_000 } else { UNIT / 200 };
        on_grid + part % (UNIT / 100)
    }

    fn traded(&mut self, transactions: u32) -> i64 {
        match self.dataset {
            Dataset::Indices => 0,
            Dataset::Forex => i64::from(transactions) * UNIT,
            Dataset::Crypto => {
                let coins = self.instrument.lot * f64::from(transactions) * self.chance.exponential();
                ((coins * UNIT as f64) as i64).max(1)
            }
            Dataset::Stocks | Dataset::Options => self.shares(transactions),
        }
    }

    /// Shares or contracts: single trades are round lots or odd lots, busy minutes have fractions of shares among them.
    fn shares(&mut self, transactions: u32) -> i64 {
        let bits = self.chance.draw();
        let round = if self.dataset == Dataset::Stocks { 100 } else { 1 };
        let shares = match transactions {
            1 if bits.is_multiple_of(2) => round * (1 + i64::from(bits >> 30)),
            1 => 1 + i64::from((bits >> 8) % 99),
            many => {
                let mean = self.instrument.lot * f64::from(many);
                ((mean * (0.3 + 1.4 * self.chance.unit())) as i64).max(i64::from(many))
            }
        };
        let has_fraction = self.fractional && bits % 1000 < (100 + 12 * transactions).min(850);
        // Six places: a millionth of a share is a hundred units.
        let fraction = if has_fraction { i64::from(self.chance.draw() % 1_000_000) * (UNIT / 1_000_000) } else { 0 };
        shares * UNIT + fraction
    }
}
