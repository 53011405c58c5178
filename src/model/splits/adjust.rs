//! What splits do to prices and volumes.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::{Ratio, Split, SplitRecord, SplitStatus};
use crate::model::{Bar, Market, Prices, midnight};

/// What all splits between a bar and a date do together.
///
/// The products of shares before and shares after are kept apart, so that a value is multiplied once and divided once: whole
/// numbers of shares stay exact, and the view `historical_bars_adjusted` computes the same in the same order. There and back
/// again is off by no more than 4 units in the last place, one for each of the four roundings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factor {
    from: f64,
    to: f64,
}

impl Factor {
    /// No split.
    pub const NONE: Self = Self { from: 1.0, to: 1.0 };

    /// What one split does.
    pub const fn of(ratio: Ratio) -> Self {
        Self { from: ratio.from, to: ratio.to }
    }

    fn and(self, split: &Split) -> Self {
        Self { from: self.from * split.ratio.from, to: self.to * split.ratio.to }
    }

    /// Product of the shares before.
    pub const fn from(self) -> f64 {
        self.from
    }

    /// Product of the shares after.
    pub const fn to(self) -> f64 {
        self.to
    }

    /// What undoes it.
    #[must_use]
    pub const fn inverse(self) -> Self {
        Self { from: self.to, to: self.from }
    }

    /// A price in today's shares.
    pub fn price(self, price: f64) -> f64 {
        price * self.from / self.to
    }

    /// A volume in today's shares.
    pub fn volume(self, volume: f64) -> f64 {
        volume * self.to / self.from
    }

    /// Prices, VWAP and volume of a bar in today's shares. Transactions are what they were.
    pub fn adjust(self, bar: &mut Bar) {
        let Prices { open, high, low, close } = &mut bar.prices;
        for price in [open, high, low, close].into_iter().chain(&mut bar.vwap) {
            *price = self.price(*price);
        }
        bar.volume = bar.volume.map(|volume| self.volume(volume));
    }
}

/// The splits of one ticker as they are known on a date, for adjusting its bars to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Adjustment {
    /// Used splits, by date.
    splits: Vec<Split>,
    /// From these dates on the ticker is another company's, by date.
    reused: Vec<Date>,
    as_of: Date,
}

/// Bars of a stretch of dates, as they are adjusted in a stretch of time.
#[derive(Debug, Clone, PartialEq)]
pub struct Stretch {
    /// The first trading date of the bars.
    pub from_date: Date,
    /// The last one.
    pub to_date: Date,
    /// Since when: midnight in New York of the date of the last split that counts.
    pub effective_from: Timestamp,
    /// Until when: the same of the next split. `None`: no further one is known.
    pub effective_to: Option<Timestamp>,
    /// By how much.
    pub factor: Factor,
}

impl Adjustment {
    /// What the records of one ticker do to its bars, as of a date. Records that are not used count for nothing.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a SplitRecord>, as_of: Date) -> Self {
        let (mut splits, mut reused) = (Vec::new(), Vec::new());
        for record in records {
            match (record.status, record.ratio()) {
                (SplitStatus::Used, Some(ratio)) => splits.push(Split { execution_date: record.execution_date, ratio }),
                (SplitStatus::Reused, _) => reused.push(record.execution_date),
                (SplitStatus::Used | SplitStatus::Unused, _) => {}
            }
        }
        splits.sort_by_key(|split| split.execution_date);
        reused.sort_unstable();
        Self { splits, reused, as_of }
    }

    /// What to do with bars of a date: all splits after it, up to and with the date of the adjustment, unless the ticker
    /// was given to another company between the two.
    pub fn factor(&self, date: Date) -> Factor {
        let other_company = self.reused.iter().copied().find(|reused| *reused > date).unwrap_or(Date::MAX);
        let applies = |split: &&Split| {
            let on = split.execution_date;
            date < on && on <= self.as_of && on < other_company
        };
        self.splits.iter().filter(applies).fold(Factor::NONE, Factor::and)
    }

    /// Adjusts a bar of a date.
    pub fn adjust(&self, date: Date, bar: &mut Bar) {
        self.factor(date).adjust(bar);
    }

    /// Gives an adjusted bar of a date its values as traded, up to rounding.
    pub fn restore(&self, date: Date, bar: &mut Bar) {
        self.factor(date).inverse().adjust(bar);
    }

    /// Every stretch of bars that is adjusted at all, from the date of the adjustment on: as of it, and after each split that
    /// is announced. Of one moment the stretches of bars do not overlap.
    pub fn stretches(&self) -> Vec<Stretch> {
        let dates = distinct(self.splits.iter().map(|split| split.execution_date));
        let edges = distinct(dates.iter().chain(&self.reused).copied());
        let announced = dates.partition_point(|date| *date <= self.as_of);
        let mut stretches = Vec::new();
        // Of what is over only the last date is left.
        for (at, &as_of) in dates.iter().enumerate().skip(announced.saturating_sub(1)) {
            let then = Self { as_of, ..self.clone() };
            let effective_to = dates.get(at + 1).map(|next| midnight(Market::NewYork, *next));
            let firsts = [Date::constant(1, 1, 1)].into_iter().chain(edges.iter().copied());
            for (from_date, edge) in firsts.zip(&edges) {
                let factor = then.factor(from_date);
                if factor != Factor::NONE {
                    stretches.push(Stretch {
                        from_date,
                        to_date: edge.saturating_sub(1.day()),
                        effective_from: midnight(Market::NewYork, as_of),
                        effective_to,
                        factor,
                    });
                }
            }
        }
        stretches
    }
}

fn distinct(dates: impl Iterator<Item = Date>) -> Vec<Date> {
    dates.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::model::splits::{SplitFlag, SplitSource};
    use crate::model::{Session, Timeframe, VwapMethod};

    fn record(execution_date: Date, numbers: Option<(f64, f64)>, status: SplitStatus) -> SplitRecord {
        SplitRecord {
            ticker: "T".to_owned(),
            execution_date,
            split_from: numbers.map(|(from, _)| from),
            split_to: numbers.map(|(_, to)| to),
            kind: None,
            vendor_factor: None,
            source: SplitSource::Vendor,
            status,
            flags: vec![SplitFlag::Duplicate],
            reason: None,
        }
    }

    /// Splits as people say them: shares after, shares before.
    fn history(splits: &[(Date, f64, f64)]) -> Vec<SplitRecord> {
        splits.iter().map(|(on, to, from)| record(*on, Some((*from, *to)), SplitStatus::Used)).collect()
    }

    fn price(records: &[SplitRecord], of: Date, as_of: Date, price: f64) -> f64 {
        Adjustment::of(records, as_of).factor(of).price(price)
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-12 * b.abs()
    }

    /// Apple: 7:1 on 2014-06-09, 4:1 on 2020-08-31. It closed at 645.57 on the Friday before the first.
    #[test]
    fn forward_splits_of_apple() {
        let apple = history(&[(date(2020, 8, 31), 4.0, 1.0), (date(2014, 6, 9), 7.0, 1.0)]);
        let friday = date(2014, 6, 6);
        assert_eq!(price(&apple, friday, friday, 645.57), 645.57);
        assert_eq!(price(&apple, friday, date(2014, 6, 8), 645.57), 645.57, "not before its date");
        assert_eq!(price(&apple, friday, date(2014, 6, 9), 645.57), 645.57 / 7.0);
        assert_eq!(price(&apple, friday, date(2020, 8, 30), 645.57), 645.57 / 7.0);
        assert_eq!(price(&apple, friday, date(2020, 8, 31), 645.57), 645.57 / 28.0);
        assert!(near(645.57 / 28.0, 23.056_071_428_571_43));
        // The first day of a split has its prices already.
        assert_eq!(price(&apple, date(2014, 6, 9), date(2026, 1, 1), 93.70), 93.70 / 4.0);
        assert_eq!(price(&apple, date(2020, 8, 31), date(2026, 1, 1), 129.04), 129.04);
        assert_eq!(Adjustment::of(&apple, date(2026, 1, 1)).factor(friday).volume(12_497_800.0), 349_938_400.0);
    }

    /// General Electric: one for eight on 2021-08-02. It closed at 12.95 before.
    #[test]
    fn a_reverse_split_of_general_electric() {
        let general_electric = history(&[(date(2021, 8, 2), 1.0, 8.0)]);
        let (before, later) = (date(2021, 7, 30), date(2024, 1, 2));
        assert_eq!(price(&general_electric, before, later, 12.95), 103.6);
        let factor = Adjustment::of(&general_electric, later).factor(before);
        assert_eq!(factor.volume(60_000_001.0), 7_500_000.125);
    }

    /// NVIDIA: 4:1 on 2021-07-20 (751.19 before), 10:1 on 2024-06-10 (1,208.88 before).
    #[test]
    fn several_splits_of_nvidia() {
        let nvidia = history(&[(date(2021, 7, 20), 4.0, 1.0), (date(2024, 6, 10), 10.0, 1.0)]);
        let (first, second) = (date(2021, 7, 19), date(2024, 6, 7));
        assert_eq!(price(&nvidia, first, date(2024, 6, 9), 751.19), 187.7975);
        assert_eq!(price(&nvidia, first, date(2024, 6, 10), 751.19), 18.77975);
        assert_eq!(price(&nvidia, second, date(2024, 6, 10), 1208.88), 120.888);
    }

    /// The vendor's own example: one for three on 2026-10-06, a bar of 2026-10-01.
    #[test]
    fn the_vendors_example() {
        let etha = history(&[(date(2026, 10, 6), 1.0, 3.0)]);
        let adjustment = Adjustment::of(&etha, date(2026, 10, 6));
        let mut bar = Bar {
            timeframe: Timeframe::M1,
            timestamp_ms: 1_790_863_200_000,
            end_timestamp_ms: 1_790_863_260_000,
            prices: Prices { open: 20.34, high: 20.35, low: 20.31, close: 20.32 },
            volume: Some(45_879.0),
            vwap: Some(20.3333),
            vwap_method: Some(VwapMethod::Vendor),
            trades: Some(312),
            session: Session::Regular,
            minutes: 1,
        };
        let raw = bar;
        adjustment.adjust(date(2026, 10, 1), &mut bar);
        assert!(near(bar.prices.open, 61.02) && near(bar.prices.low, 60.93) && near(bar.vwap.unwrap(), 60.9999));
        assert_eq!((bar.volume, bar.trades, bar.vwap_method), (Some(15_293.0), Some(312), Some(VwapMethod::Vendor)));
        adjustment.restore(date(2026, 10, 1), &mut bar);
        assert_eq!((bar.volume, bar.timestamp_ms), (raw.volume, raw.timestamp_ms));
        assert!(near(bar.prices.open, raw.prices.open));
        adjustment.adjust(date(2026, 10, 6), &mut bar);
        assert_eq!(bar.volume, raw.volume, "the first day after it is not adjusted");
    }

    #[test]
    fn a_reused_ticker_inherits_no_split() {
        let mut records = history(&[(date(2010, 5, 3), 2.0, 1.0), (date(2024, 3, 4), 10.0, 1.0)]);
        records.push(record(date(2022, 6, 9), None, SplitStatus::Reused));
        let adjustment = Adjustment::of(&records, date(2026, 1, 1));
        let to = |on| adjustment.factor(on).to();
        assert_eq!([to(date(2010, 5, 2)), to(date(2010, 5, 3)), to(date(2022, 6, 8))], [2.0, 1.0, 1.0]);
        assert_eq!([to(date(2022, 6, 9)), to(date(2024, 3, 3)), to(date(2024, 3, 4))], [10.0, 10.0, 1.0]);
        let stretches = adjustment.stretches();
        assert!(stretches.iter().all(|stretch| stretch.to_date != date(2022, 6, 8)), "{stretches:#?}");
    }

    #[test]
    fn what_is_not_used_adjusts_nothing() {
        let unused = record(date(2020, 1, 2), Some((1.0, 2.0)), SplitStatus::Unused);
        let adjustment = Adjustment::of([&unused], date(2026, 1, 1));
        assert_eq!((adjustment.factor(date(2019, 1, 1)), adjustment.stretches()), (Factor::NONE, Vec::new()));
    }

    #[test]
    fn stretches_change_on_the_day_of_a_split_in_new_york() {
        let splits =
            history(&[(date(2007, 9, 11), 1.5, 1.0), (date(2021, 7, 20), 4.0, 1.0), (date(2026, 12, 1), 3.0, 1.0)]);
        let stretches = Adjustment::of(&splits, date(2024, 1, 1)).stretches();
        let told: Vec<_> = stretches
            .iter()
            .map(|s| {
                let until = s.effective_to.map_or("-".to_owned(), |to| to.to_string());
                format!("{}..{} from {} to {until}: {}", s.from_date, s.to_date, s.effective_from, s.factor.to())
            })
            .collect();
        assert_eq!(
            told,
            [
                "0001-01-01..2007-09-10 from 2021-07-20T04:00:00Z to 2026-12-01T05:00:00Z: 6",
                "2007-09-11..2021-07-19 from 2021-07-20T04:00:00Z to 2026-12-01T05:00:00Z: 4",
                "0001-01-01..2007-09-10 from 2026-12-01T05:00:00Z to -: 18",
                "2007-09-11..2021-07-19 from 2026-12-01T05:00:00Z to -: 12",
                "2021-07-20..2026-11-30 from 2026-12-01T05:00:00Z to -: 3",
            ]
        );
    }
}
