//! Which symbols trade in nearly every minute, and on which days they lack some. Pure.

use std::collections::BTreeMap;

use jiff::civil::Date;

/// A symbol is liquid if its median day has this share of the regular session's minutes…
const LIQUID_SHARE: f64 = 0.99;

/// …over at least so many days.
const FEWEST_DAYS: usize = 3;

/// A liquid symbol's day with a smaller share lacks minutes.
const LACKING_SHARE: f64 = 0.95;

/// How many regular minutes a symbol has on a date, and how many the session has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegularMinutes {
    /// Trading date.
    pub date: Date,
    /// Minutes with a trade.
    pub minutes: u16,
    /// Minutes of the session.
    pub of: u16,
}

impl RegularMinutes {
    fn share(self) -> f64 {
        f64::from(self.minutes) / f64::from(self.of.max(1))
    }
}

/// Regular minutes by symbol, ascending by date: eight bytes for each symbol and day.
#[derive(Debug, Default)]
pub struct Liquidity(BTreeMap<String, Vec<RegularMinutes>>);

impl Liquidity {
    /// Takes note of a day.
    pub fn add(&mut self, symbol: &str, day: RegularMinutes) {
        match self.0.get_mut(symbol) {
            Some(days) => days.push(day),
            None => {
                self.0.insert(symbol.to_owned(), vec![day]);
            }
        }
    }

    /// Days on which liquid symbols lack minutes. The first day after one on which the symbol did not trade is none of them:
    /// it may have been listed, or gone on trading, within it. `was_looked_for` says whether it would be known of the
    /// session before a date.
    pub fn lacking(&self, was_looked_for: impl Fn(&str, Date) -> Option<Date>) -> Vec<(&str, RegularMinutes)> {
        let mut found = Vec::new();
        for (symbol, days) in self.0.iter().filter(|(_, days)| is_liquid(days)) {
            for (at, day) in days.iter().enumerate().filter(|(_, day)| day.share() < LACKING_SHARE) {
                let before = at.checked_sub(1).map(|before| days[before].date);
                let is_first = was_looked_for(symbol, day.date).is_some_and(|session| before != Some(session));
                if !is_first {
                    found.push((symbol.as_str(), *day));
                }
            }
        }
        found
    }
}

fn is_liquid(days: &[RegularMinutes]) -> bool {
    let mut shares: Vec<_> = days.iter().map(|day| day.share()).collect();
    shares.sort_by(f64::total_cmp);
    shares.len() >= FEWEST_DAYS && shares[(shares.len() - 1) / 2] >= LIQUID_SHARE
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn found(minutes: &[u16], looked_for_before: bool) -> Vec<i8> {
        let mut liquidity = Liquidity::default();
        for (day, minutes) in (1..).zip(minutes).filter(|(_, minutes)| **minutes > 0) {
            liquidity.add("A", RegularMinutes { date: date(2026, 10, day), minutes: *minutes, of: 390 });
        }
        let before = |_: &str, date: Date| date.yesterday().ok().filter(|_| looked_for_before);
        liquidity.lacking(before).into_iter().map(|(_, day)| day.date.day()).collect()
    }

    #[test]
    fn days_below_the_usual_lack_minutes() {
        assert_eq!(found(&[390, 389, 370, 390, 0], true), [3]);
        assert_eq!(found(&[390, 389, 371, 390], true), [0; 0], "95 % are enough");
        assert_eq!(found(&[390, 100], true), [0; 0], "two days tell nothing");
        assert_eq!(found(&[380, 390, 100, 385, 380], true), [0; 0], "not liquid");
    }

    #[test]
    fn the_first_day_of_trading_is_whatever_it_is() {
        assert_eq!(found(&[390, 390, 0, 200, 390], true), [0; 0]);
        assert_eq!(found(&[200, 390, 390], true), [0; 0], "listed within the first day");
        assert_eq!(found(&[200, 390, 390], false), [1], "nothing is known of the day before");
    }
}
