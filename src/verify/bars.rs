//! Whether the bars of one symbol and trading date can be what a load has left: each by itself, and all against the
//! finest of them. Pure.

use std::ops::RangeInclusive;

use super::finding::{Finding, Kind};
use super::fold::Fold;
use crate::aggregate::{Bucket, DayGrid};
use crate::model::{Dataset, Session, Timeframe, TimeframeSet, VwapMethod};
use crate::store::{RawBar, Word};

/// What is stored of one symbol and trading date.
#[derive(Debug, Clone, Copy)]
pub struct SymbolDay<'a> {
    /// Market.
    pub dataset: Dataset,
    /// Ticker.
    pub symbol: &'a str,
    /// The date.
    pub grid: &'a DayGrid,
    /// Timeframes that came by the vendor's bulk files, which have no VWAP.
    pub from_files: TimeframeSet,
    /// Those of them whose VWAPs were made exact, bar by bar, where that could be.
    pub exact_vwap: TimeframeSet,
    /// Timeframes that came by the REST API.
    pub from_rest: TimeframeSet,
    /// Whether that was before the session was over: the last of their bars are not there yet.
    pub is_provisional: bool,
    /// The bars whose start lies on the date, by timeframe as in [`Timeframe::ALL`], each ascending.
    pub series: [&'a [RawBar]; Timeframe::ALL.len()],
}

/// How far an estimate may lie outside its bounds, relatively: a rounding.
const BOUNDS_TOLERANCE: f64 = 1e-12;

/// How far two sums of the same numbers may differ, relatively.
const SUM_TOLERANCE: f64 = 1e-9;

/// Whether two sums are the same but for rounding.
pub(super) fn is_same_sum(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() <= SUM_TOLERANCE * a.abs().max(b.abs())
}

impl<'a> SymbolDay<'a> {
    /// Timeframes that are loaded.
    pub fn covered(&self) -> TimeframeSet {
        self.from_files.union(self.from_rest)
    }

    /// Timeframes of which all bars there are must be there: by where they came from. What came by a file is not held against
    /// what came by the REST API: one of them may be of a later moment.
    fn whole(&self) -> [TimeframeSet; 2] {
        [self.from_files, if self.is_provisional { TimeframeSet::EMPTY } else { self.from_rest }]
    }

    /// The bars of a timeframe.
    pub fn bars(&self, timeframe: Timeframe) -> &'a [RawBar] {
        self.series[timeframe as usize - 1]
    }

    /// Minutes that the regular session's bars say they were made of, by the finest loaded timeframe.
    pub fn regular_minutes(&self) -> Option<i64> {
        let bars = self.bars(self.finest(self.covered())?);
        Some(bars.iter().filter(|bar| bar.session == Word::Known(Session::Regular)).map(|bar| bar.minutes).sum())
    }

    /// Calls back with everything that is wrong.
    pub fn check(&self, found: &mut impl FnMut(Finding)) {
        for timeframe in Timeframe::ALL {
            let bars = self.bars(timeframe);
            for bar in bars {
                self.check_bar(bar, found);
            }
            for pair in bars.windows(2).filter(|pair| pair[0].timestamp_ms == pair[1].timestamp_ms) {
                found(self.about(Kind::Duplicate, &pair[0], "stored more than once"));
            }
        }
        self.check_coverage(found);
        for loaded in self.whole() {
            let Some(finest) = self.finest(loaded) else { continue };
            let coarser = loaded.iter().filter(|timeframe| *timeframe > finest);
            for timeframe in coarser.filter(|timeframe| Timeframe::ROLLED.contains(timeframe)) {
                if !self.bars(timeframe).is_empty() {
                    self.check_made_of(timeframe, finest, found);
                }
            }
        }
    }

    /// The finest of some timeframes of which there are bars.
    fn finest(&self, of: TimeframeSet) -> Option<Timeframe> {
        let rolled = of.iter().filter(|timeframe| Timeframe::ROLLED.contains(timeframe));
        rolled.into_iter().find(|timeframe| !self.bars(*timeframe).is_empty())
    }

    fn about(&self, kind: Kind, bar: &RawBar, what: impl Into<String>) -> Finding {
        Finding {
            timeframe: Some(bar.timeframe),
            timestamp_ms: Some(bar.timestamp_ms),
            ..Finding::of_day(kind, self.dataset, self.grid.date(), what).of_symbol(self.symbol)
        }
    }

    fn check_bar(&self, bar: &RawBar, found: &mut impl FnMut(Finding)) {
        self.check_prices(bar, found);
        self.check_amounts(bar, found);
        self.check_vwap(bar, found);
        if bar.session_date != Some(self.grid.date()) {
            let stored = bar.session_date.map_or_else(|| "no date".to_owned(), |date| date.to_string());
            found(self.about(Kind::WrongDate, bar, "session_date").differing(self.grid.date(), stored));
        }
        let Some(bucket) = bucket(self.grid, bar) else {
            found(self.about(Kind::OffGrid, bar, "no bar of this timeframe starts here"));
            return;
        };
        let end = match bar.timeframe {
            Timeframe::DayOfficial => self.grid.official_end_ms(),
            _ => self.grid.instant_ms(bucket.end),
        };
        if bar.end_timestamp_ms != end {
            found(self.about(Kind::WrongEnd, bar, "end_timestamp").differing(end, bar.end_timestamp_ms));
        }
        if bar.session != Word::Known(bucket.session) {
            let stored = word(&bar.session, |session| session.as_str());
            found(self.about(Kind::WrongSession, bar, "session").differing(bucket.session.as_str(), stored));
        }
        let room = room(self.grid, bar.timeframe, bucket);
        if !room.contains(&bar.minutes) {
            let expected = if room.start() == room.end() {
                room.start().to_string()
            } else {
                format!("{} to {}", room.start(), room.end())
            };
            found(self.about(Kind::MinutesInvalid, bar, "minutes").differing(expected, bar.minutes));
        }
    }

    fn check_prices(&self, bar: &RawBar, found: &mut impl FnMut(Finding)) {
        let prices = [("open", bar.open), ("high", bar.high), ("low", bar.low), ("close", bar.close)];
        let mut are_numbers = true;
        for (name, price) in prices {
            if !price.is_finite() || price <= 0.0 && self.dataset.prices_are_positive() {
                are_numbers &= price.is_finite();
                found(self.about(Kind::PriceInvalid, bar, name).differing("a price", price));
            }
        }
        for (name, price) in [prices[0], prices[3]] {
            if are_numbers && !(bar.low..=bar.high).contains(&price) {
                let between = format!("{} to {}", bar.low, bar.high);
                found(self.about(Kind::PriceOrder, bar, name).differing(between, price));
            }
        }
    }

    fn check_amounts(&self, bar: &RawBar, found: &mut impl FnMut(Finding)) {
        let has = self.dataset.has_volume();
        let expected = if has { "0 or more" } else { "none" };
        if bar.volume.is_some() != has || bar.volume.is_some_and(|volume| !volume.is_finite() || volume < 0.0) {
            found(self.about(Kind::VolumeInvalid, bar, "volume").differing(expected, or_none(bar.volume)));
        }
        if bar.trades.is_some() != has || bar.trades.is_some_and(|trades| trades < 0) {
            found(self.about(Kind::TradesInvalid, bar, "trades").differing(expected, or_none(bar.trades)));
        }
    }

    fn check_vwap(&self, bar: &RawBar, found: &mut impl FnMut(Finding)) {
        let is_weighed = self.dataset.has_vwap()
            && bar.timeframe != Timeframe::DayOfficial
            && bar.volume.is_some_and(|volume| volume > 0.0);
        let Some(vwap) = bar.vwap else {
            if is_weighed {
                found(self.about(Kind::VwapMissing, bar, "vwap").differing("a price", "none"));
            }
            if let Some(method) = &bar.vwap_method {
                let stored = word(method, |method| method.as_str());
                found(self.about(Kind::VwapMethod, bar, "vwap_method").differing("none", stored));
            }
            return;
        };
        if !is_weighed {
            found(self.about(Kind::VwapUnexpected, bar, "vwap").differing("none", vwap));
        }
        let from_file = self.from_files.contains(bar.timeframe);
        let may_be_exact = !from_file || self.exact_vwap.contains(bar.timeframe);
        let method = match &bar.vwap_method {
            Some(Word::Known(VwapMethod::Vendor)) if may_be_exact => VwapMethod::Vendor,
            Some(Word::Known(VwapMethod::Estimate)) => VwapMethod::Estimate,
            other => {
                let stored = other.as_ref().map(|method| word(method, |method| method.as_str()));
                let expected = if may_be_exact { "vendor or estimate" } else { "estimate" };
                found(self.about(Kind::VwapMethod, bar, "vwap_method").differing(expected, or_none(stored)));
                VwapMethod::Estimate
            }
        };
        // The vendor's own may lie outside, and what is estimated with some of them: it counts trades that set no price.
        let slack = BOUNDS_TOLERANCE * vwap.abs();
        let is_bound = from_file && method == VwapMethod::Estimate;
        let bounds = if is_bound { bar.low - slack..=bar.high + slack } else { 0.0..=f64::MAX };
        if !bounds.contains(&vwap) {
            let expected = format!("{} to {}", bar.low, bar.high);
            found(self.about(Kind::VwapBounds, bar, "vwap").differing(expected, vwap));
        } else if method == VwapMethod::Estimate && is_weighed && bar.minutes == 1 {
            let middle = f64::midpoint(bar.high, bar.low);
            if vwap != middle {
                found(self.about(Kind::VwapDiffers, bar, "vwap").differing(middle, vwap));
            }
        }
    }

    /// Timeframes of which there are bars.
    pub fn stored(&self) -> TimeframeSet {
        TimeframeSet::of(Timeframe::ALL.into_iter().filter(|timeframe| !self.bars(*timeframe).is_empty()))
    }

    /// Loaded timeframes of which there is no bar, though bars of others prove that there must be some.
    pub fn lacking(&self) -> TimeframeSet {
        self.whole().into_iter().fold(TimeframeSet::EMPTY, |all, loaded| all.union(self.lacking_of(loaded)))
    }

    fn lacking_of(&self, loaded: TimeframeSet) -> TimeframeSet {
        let empty = loaded.minus(self.stored()).minus(TimeframeSet::of([Timeframe::DayOfficial]));
        if empty.is_empty() {
            return empty;
        }
        // Bars that nobody has loaded prove as much.
        let proof = loaded.union(self.stored().minus(self.covered())).and(TimeframeSet::of(Timeframe::ROLLED));
        let rolled = || proof.iter().flat_map(|timeframe| self.bars(timeframe));
        // Day bars are made of the regular session alone.
        let has_regular = rolled().any(|bar| bar.session == Word::Known(Session::Regular));
        let has_any = rolled().next().is_some();
        TimeframeSet::of(empty.iter().filter(|timeframe| has_regular || has_any && *timeframe != Timeframe::Day))
    }

    /// Holds the loaded timeframes against the bars there are.
    fn check_coverage(&self, found: &mut impl FnMut(Finding)) {
        let of_symbol = |kind| Finding::of_day(kind, self.dataset, self.grid.date(), "bars").of_symbol(self.symbol);
        let (covered, stored) = (self.covered(), self.stored());
        if !stored.minus(covered).is_empty() {
            found(of_symbol(Kind::UncoveredBars).differing(or_nothing(covered), stored));
        }
        for timeframe in self.lacking().iter() {
            let finding = of_symbol(Kind::TimeframeMissing).differing(covered, stored);
            found(Finding { timeframe: Some(timeframe), ..finding });
        }
    }

    /// Holds the bars of a timeframe against what finer ones make.
    fn check_made_of(&self, timeframe: Timeframe, finest: Timeframe, found: &mut impl FnMut(Finding)) {
        // VWAPs that were made exact bar by bar need not be what those of finer bars make, which may have stayed estimates.
        let exchanged = self.exact_vwap.contains(timeframe) || self.exact_vwap.contains(finest);
        let mut folds = Fold::all(self.grid, timeframe, self.bars(finest)).into_iter().peekable();
        // A bar that is stored twice is said to be; it is compared once.
        let mut bars =
            self.bars(timeframe).chunk_by(|a, b| a.timestamp_ms == b.timestamp_ms).map(|same| &same[0]).peekable();
        let key = |fold: &Fold| self.grid.instant_ms(fold.start);
        loop {
            let order = match (folds.peek(), bars.peek()) {
                (None, None) => return,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(fold), Some(bar)) => key(fold).cmp(&bar.timestamp_ms),
            };
            match order {
                std::cmp::Ordering::Less => {
                    let Some(fold) = folds.next() else { return };
                    found(Finding {
                        timeframe: Some(timeframe),
                        timestamp_ms: Some(key(&fold)),
                        ..Finding::of_day(
                            Kind::CoarseMissing,
                            self.dataset,
                            self.grid.date(),
                            format!("its {finest} bars are there"),
                        )
                        .of_symbol(self.symbol)
                    });
                }
                std::cmp::Ordering::Greater => {
                    let Some(bar) = bars.next() else { return };
                    found(self.about(Kind::FinerMissing, bar, format!("none of its {finest} bars is there")));
                }
                std::cmp::Ordering::Equal => {
                    let (Some(fold), Some(bar)) = (folds.next(), bars.next()) else { return };
                    for (name, expected, stored) in fold.differences(bar, self.dataset, exchanged) {
                        let what = format!("{name}, against its {finest} bars");
                        found(self.about(Kind::CoarseDiffers, bar, what).differing(expected, stored));
                    }
                }
            }
        }
    }
}

/// The bucket that a bar starts, if it does.
fn bucket(grid: &DayGrid, bar: &RawBar) -> Option<Bucket> {
    let starts = |bucket: Bucket| (grid.instant_ms(bucket.start) == bar.timestamp_ms).then_some(bucket);
    match bar.timeframe {
        Timeframe::Day | Timeframe::DayOfficial => grid.bucket(Timeframe::Day, grid.regular().0).and_then(starts),
        timeframe => grid.bucket(timeframe, grid.minute_at(bar.timestamp_ms)?).and_then(starts),
    }
}

/// How many minutes a bar can be made of.
fn room(grid: &DayGrid, timeframe: Timeframe, bucket: Bucket) -> RangeInclusive<i64> {
    match timeframe {
        Timeframe::DayOfficial => 0..=0,
        Timeframe::Day => 1..=i64::from(grid.regular().1 - grid.regular().0),
        _ => 1..=i64::from(bucket.end - bucket.start),
    }
}

fn word<T>(word: &Word<T>, known: impl FnOnce(&T) -> &'static str) -> String {
    match word {
        Word::Known(value) => known(value).to_owned(),
        Word::Unknown(text) => format!("`{text}`"),
    }
}

fn or_none(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn or_nothing(timeframes: TimeframeSet) -> String {
    if timeframes.is_empty() { "none".to_owned() } else { timeframes.to_string() }
}
