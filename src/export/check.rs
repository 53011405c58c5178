//! Stored bars become files only if they are bars.

use std::ops::{Range, RangeInclusive};

use jiff::civil::Date;

use crate::model::{Bar, Market, Prices, midnight};
use crate::store::{RawBar, StoredBar, Word};

/// Makes bars of what lies in the table, of one market and some of its dates.
#[derive(Debug)]
pub(super) struct Check {
    market: Market,
    dates: RangeInclusive<Date>,
    /// The date of the last bar and its milliseconds: most neighbours share it.
    last: Option<(Date, Range<i64>)>,
}

impl Check {
    pub(super) const fn new(market: Market, dates: RangeInclusive<Date>) -> Self {
        Self { market, dates, last: None }
    }

    /// The bar, or what is wrong with it.
    pub(super) fn bar(&mut self, raw: &RawBar) -> Result<StoredBar, String> {
        let prices = Prices::checked(raw.open, raw.high, raw.low, raw.close).map_err(|error| error.to_string())?;
        for (name, value) in [("volume", raw.volume), ("vwap", raw.vwap)] {
            if let Some(value) = value.filter(|value| !value.is_finite()) {
                return Err(format!("its {name} is {value}"));
            }
        }
        let session = known("session", &raw.session)?;
        let vwap_method = raw.vwap_method.as_ref().map(|word| known("vwap_method", word)).transpose()?;
        if raw.vwap.is_some() != vwap_method.is_some() {
            return Err("of vwap and vwap_method it has only one".to_owned());
        }
        let trades = raw.trades.map(u64::try_from).transpose().map_err(|_| "its trades are negative".to_owned())?;
        let minutes = raw.minutes.try_into().map_err(|_| format!("its minutes are {}", raw.minutes))?;
        let session_date = raw.session_date.ok_or("its session_date is no date")?;
        if !self.day(session_date).is_some_and(|day| day.contains(&raw.timestamp_ms)) {
            return Err(format!("it does not begin on its session_date, {session_date}"));
        }
        if raw.end_timestamp_ms <= raw.timestamp_ms {
            return Err("it ends before it begins".to_owned());
        }
        let bar = Bar {
            timeframe: raw.timeframe,
            timestamp_ms: raw.timestamp_ms,
            end_timestamp_ms: raw.end_timestamp_ms,
            prices,
            volume: raw.volume,
            vwap: raw.vwap,
            vwap_method,
            trades,
            session,
            minutes,
        };
        Ok(StoredBar { bar, session_date })
    }

    /// The milliseconds of a date; none if it is not among those looked at.
    fn day(&mut self, date: Date) -> Option<&Range<i64>> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != date) {
            if !self.dates.contains(&date) {
                return None;
            }
            self.last = Some((date, day_ms(self.market, &(date..=date))));
        }
        self.last.as_ref().map(|(_, day)| day)
    }
}

/// The milliseconds of dates, on their market's clock.
pub(super) fn day_ms(market: Market, dates: &RangeInclusive<Date>) -> Range<i64> {
    let end = dates.end().tomorrow().map_or(i64::MAX, |next| midnight(market, next).as_millisecond());
    midnight(market, *dates.start()).as_millisecond()..end
}

fn known<T: Copy>(column: &str, word: &Word<T>) -> Result<T, String> {
    match word {
        Word::Known(meaning) => Ok(*meaning),
        Word::Unknown(word) => Err(format!("`{word}` is no {column}")),
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::model::{Session, Timeframe, VwapMethod};

    const DAY: Date = date(2024, 3, 11);

    fn raw() -> RawBar {
        // 09:30 in New York, on the Monday after its clocks went forward.
        let timestamp_ms = 1_710_163_800_000;
        RawBar {
            timeframe: Timeframe::M5,
            timestamp_ms,
            end_timestamp_ms: timestamp_ms + 300_000,
            open: 10.0,
            high: 11.0,
            low: 9.0,
            close: 10.5,
            volume: Some(100.5),
            vwap: Some(10.25),
            trades: Some(7),
            session: Word::Known(Session::Regular),
            vwap_method: Some(Word::Known(VwapMethod::Estimate)),
            session_date: Some(DAY),
            minutes: 5,
        }
    }

    fn check(change: impl FnOnce(&mut RawBar)) -> Result<StoredBar, String> {
        let mut raw = raw();
        change(&mut raw);
        Check::new(Market::NewYork, DAY..=DAY).bar(&raw)
    }

    #[test]
    fn a_bar_comes_through_as_it_is() {
        let stored = check(|_| ()).unwrap();
        assert_eq!((stored.session_date, stored.bar.trades, stored.bar.minutes), (DAY, Some(7), 5));
        assert_eq!((stored.bar.volume, stored.bar.vwap_method), (Some(100.5), Some(VwapMethod::Estimate)));
        let index =
            check(|raw| (raw.volume, raw.vwap, raw.vwap_method, raw.trades) = (None, None, None, None)).unwrap();
        assert_eq!((index.bar.volume, index.bar.vwap, index.bar.trades), (None, None, None));
    }

    #[test]
    fn what_is_no_bar_is_refused_with_the_reason() {
        let first = day_ms(Market::NewYork, &(DAY..=DAY)).start;
        assert!(check(|raw| raw.timestamp_ms = first).is_ok());
        type Fault = fn(&mut RawBar);
        let faults: [(Fault, &str); 12] = [
            (|raw| raw.close = f64::NAN, "a price is not a finite number"),
            (|raw| raw.high = 10.0, "high is not the highest or low not the lowest of the four prices"),
            (|raw| raw.volume = Some(f64::INFINITY), "its volume is inf"),
            (|raw| raw.session = Word::Unknown("noon".into()), "`noon` is no session"),
            (|raw| raw.vwap_method = Some(Word::Unknown(String::new())), "`` is no vwap_method"),
            (|raw| raw.vwap = None, "of vwap and vwap_method it has only one"),
            (|raw| raw.trades = Some(-1), "its trades are negative"),
            (|raw| raw.minutes = 70_000, "its minutes are 70000"),
            (|raw| raw.session_date = None, "its session_date is no date"),
            (|raw| raw.session_date = Some(Date::MAX), "it does not begin on its session_date, 9999-12-31"),
            (|raw| raw.timestamp_ms -= 86_400_000, "it does not begin on its session_date, 2024-03-11"),
            (|raw| raw.end_timestamp_ms = raw.timestamp_ms, "it ends before it begins"),
        ];
        for (fault, reason) in faults {
            assert_eq!(check(fault), Err(reason.to_owned()));
        }
    }
}
