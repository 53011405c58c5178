//! Minute bars of one symbol, page by page.

use std::fmt;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use url::Url;

use super::answer::{Envelope, Timeliness};
use super::list::Trail;
use super::{RestClient, RestError};
use crate::ingest::decode::{MAX_REJECTED_SHARE, checked_prices, checked_volume, whole};
use crate::ingest::report::{RejectReason, Rejects};
use crate::model::{Dataset, Prices, Symbol};

/// Most minutes of a page. The vendor's limit.
const PAGE_MINUTES: u32 = 50_000;
/// So few bad rows of a page do not fail it, whatever its length.
const HANDFUL: u64 = 5;
const MINUTE_MS: i64 = 60_000;

/// A minute as the vendor says it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RawMinute {
    /// Start, milliseconds since the Unix epoch, UTC; a whole minute.
    pub timestamp_ms: i64,
    /// Prices as traded.
    pub prices: Prices,
    /// Volume, which may be fractional; `None` exactly where the market has none.
    pub volume: Option<f64>,
    /// The vendor's exact VWAP, which may lie outside low..high; `None` where it says none, or there is no volume.
    pub vwap: Option<f64>,
    /// Number of transactions, where the vendor says it.
    pub trades: Option<u64>,
}

/// A page of minutes.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Whether the vendor calls its data late.
    pub timeliness: Timeliness,
    /// The minutes, ascending. Whatever the vendor sends twice stands here twice.
    pub rows: Vec<RawMinute>,
    /// Rows that came, rejected ones included.
    pub rows_read: u64,
    /// Rows that cannot be bars. Their text has the numbers only.
    pub rejects: Rejects,
}

/// Minutes of a symbol, under way.
#[derive(Debug)]
pub struct Pages<'a> {
    client: &'a RestClient,
    symbol: Symbol,
    range_ms: RangeInclusive<i64>,
    request: String,
    trail: Trail,
    /// Start of the latest minute that has come.
    latest_ms: Option<i64>,
}

impl RestClient {
    /// Unadjusted minutes of a symbol that start in a range of milliseconds since the Unix epoch; both ends are whole minutes.
    pub fn minutes(&self, symbol: &Symbol, range_ms: RangeInclusive<i64>) -> Pages<'_> {
        let url = self.minutes_url(symbol, &range_ms);
        let request = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        let time = |ms| Timestamp::from_millisecond(ms).unwrap_or_default().strftime("%Y-%m-%dT%H:%MZ");
        let what = format!("minutes of {symbol} from {} to {}", time(*range_ms.start()), time(*range_ms.end()));
        let trail = Trail::starting(what, url);
        Pages { client: self, symbol: symbol.clone(), range_ms, request, trail, latest_ms: None }
    }

    pub(super) fn minutes_url(&self, symbol: &Symbol, range_ms: &RangeInclusive<i64>) -> Url {
        let (from, to) = (range_ms.start().to_string(), range_ms.end().to_string());
        let limit = PAGE_MINUTES.to_string();
        self.url(
            &["v2", "aggs", "ticker", symbol.as_str(), "range", "1", "minute", &from, &to],
            &[("adjusted", "false"), ("sort", "asc"), ("limit", &limit)],
        )
    }
}

impl Pages<'_> {
    /// Path and query of the first request, which has no key in it.
    pub fn request(&self) -> &str {
        &self.request
    }

    /// The next page; none after the last one. After a failure that may pass, the same page is asked for again.
    pub async fn next(&mut self) -> Result<Option<Page>, RestError> {
        let Some(url) = self.trail.next() else { return Ok(None) };
        let answer = self.client.ask::<RawRow>(self.trail.what(), &url).await?;
        // Whatever is wrong with it now would be wrong again.
        self.take(answer).inspect_err(|_| self.trail.end()).map(Some)
    }

    fn take(&mut self, answer: Envelope<RawRow>) -> Result<Page, RestError> {
        let what = self.trail.what();
        if let Some(ticker) = answer.ticker.as_ref().filter(|ticker| *ticker != self.symbol.as_str()) {
            let ticker = self.client.harmless(ticker);
            return Err(RestError::damaged(what, format!("it is about {ticker}")));
        }
        if answer.adjusted == Some(true) {
            return Err(RestError::damaged(
                what,
                "its prices are adjusted for splits, although raw ones were asked for",
            ));
        }
        let timeliness = answer.timeliness();
        let next = answer.next_url.as_deref().map(|next| self.client.next_url(what, next)).transpose()?;
        let page = judge(what, self.symbol.dataset(), &self.range_ms, answer.results.unwrap_or_default(), timeliness)?;
        let latest = page.rows.last().map(|row| row.timestamp_ms);
        let earliest = page.rows.first().map(|row| row.timestamp_ms);
        if earliest.is_some() && earliest < self.latest_ms && latest > self.latest_ms {
            // What came before was taken for all there is.
            return Err(RestError::damaged(what, "a page goes back to before where the one before it ended"));
        }
        if latest.is_some() && latest <= self.latest_ms {
            let detail = "a page brought nothing that lies after the pages before".to_owned();
            return Err(RestError::Endless { what: what.to_owned(), detail });
        }
        self.latest_ms = latest.or(self.latest_ms);
        let is_full = answer.query_count.unwrap_or_default().max(page.rows_read as f64) >= f64::from(PAGE_MINUTES);
        let next = next.or_else(|| {
            // A page as long as it can be and no word of another: what is missing would look like a gap.
            let from = latest.filter(|_| is_full)? + MINUTE_MS;
            let rest = from..=*self.range_ms.end();
            (!rest.is_empty()).then(|| self.client.minutes_url(&self.symbol, &rest))
        });
        self.trail.go_on(next, latest.is_none())?;
        Ok(page)
    }
}

/// Makes bars of rows, unless too many cannot be.
fn judge(
    what: &str,
    dataset: Dataset,
    range_ms: &RangeInclusive<i64>,
    raw: Vec<RawRow>,
    timeliness: Timeliness,
) -> Result<Page, RestError> {
    let mut page = Page {
        timeliness,
        rows: Vec::with_capacity(raw.len()),
        rows_read: raw.len() as u64,
        rejects: Rejects::default(),
    };
    for (row, place) in raw.iter().zip(1..) {
        match row.minute(dataset, range_ms) {
            Ok(minute) => page.rows.push(minute),
            Err(reason) => page.rejects.reject(reason, place, || row.to_string()),
        }
    }
    // As was asked for; a day must not end where the order does.
    page.rows.sort_by_key(|row| row.timestamp_ms);
    bear(what, &page.rejects, page.rows_read)?;
    Ok(page)
}

/// Bears a few bad rows among many; refuses what has more of them than that, or nothing else.
pub(super) fn bear(what: &str, rejects: &Rejects, rows: u64) -> Result<(), RestError> {
    let rejected = rejects.total();
    let is_more_than_a_few = rejected > HANDFUL && rejected as f64 > rows as f64 * MAX_REJECTED_SHARE;
    if is_more_than_a_few || rejected > 0 && rejected == rows {
        let detail = format!("{rejected} of {rows} rows are bad (at most 1 % may be): {}", rejects.in_words("row"));
        return Err(RestError::damaged(what, detail));
    }
    Ok(())
}

/// What a row has where a number should be.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Field {
    #[default]
    Absent,
    Number(f64),
    Other,
}

impl Field {
    const fn number(self) -> Result<f64, RejectReason> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Absent => Err(RejectReason::FieldCount),
            Self::Other => Err(RejectReason::Number),
        }
    }

    /// The same, where it may be missing.
    const fn optional(self) -> Result<Option<f64>, RejectReason> {
        match self {
            Self::Absent => Ok(None),
            Self::Number(number) => Ok(Some(number)),
            Self::Other => Err(RejectReason::Number),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("null"),
            Self::Number(number) => number.fmt(f),
            Self::Other => f.write_str("?"),
        }
    }
}

/// A row of an answer, whatever it is.
#[derive(Debug, Default, PartialEq)]
struct RawRow {
    t: Field,
    o: Field,
    h: Field,
    l: Field,
    c: Field,
    v: Field,
    vw: Field,
    n: Field,
}

impl fmt::Display for RawRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { t, o, h, l, c, v, vw, n } = self;
        write!(f, "t={t} o={o} h={h} l={l} c={c} v={v} vw={vw} n={n}")
    }
}

impl RawRow {
    fn minute(&self, dataset: Dataset, range_ms: &RangeInclusive<i64>) -> Result<RawMinute, RejectReason> {
        let timestamp_ms = milliseconds(self.t.number()?)?;
        if timestamp_ms % MINUTE_MS != 0 {
            return Err(RejectReason::StampOffMinute);
        }
        if !range_ms.contains(&timestamp_ms) {
            return Err(RejectReason::StampOtherDate);
        }
        let [open, high, low, close] = [self.o.number()?, self.h.number()?, self.l.number()?, self.c.number()?];
        let (volume, trades) = if dataset.has_volume() {
            let trades = self.n.optional()?.map(|n| whole(n).ok_or(RejectReason::Number)).transpose()?;
            (Some(checked_volume(self.v.number()?)?), trades)
        } else {
            (None, None)
        };
        let prices = checked_prices(dataset, open, high, low, close)?;
        let vwap = match self.vw.optional()? {
            // Without volume there is nothing that it could be the average of.
            Some(vwap) if volume.is_some_and(|volume| volume > 0.0) => {
                // No order among them is asked for: an exact VWAP may lie outside low..high.
                checked_prices(dataset, vwap, vwap, vwap, vwap)?;
                Some(vwap)
            }
            _ => None,
        };
        Ok(RawMinute { timestamp_ms, prices, volume, vwap, trades })
    }
}

/// A time stamp in milliseconds since the Unix epoch: 13 digits, which is the unit's signature from 2001 to 2286. Others are
/// seconds, nanoseconds or damaged, and are not guessed at.
fn milliseconds(number: f64) -> Result<i64, RejectReason> {
    let is_whole = number.fract() == 0.0;
    if is_whole && (1e12..1e13).contains(&number) { Ok(number as i64) } else { Err(RejectReason::StampMagnitude) }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<E>(self, number: f64) -> Result<Field, E> {
        Ok(Field::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Field, E> {
        Ok(Field::Number(number as f64))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field, E> {
        Ok(Field::Number(number as f64))
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field::Absent)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Field, E> {
        Ok(Field::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Field, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Field, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Field::Other)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

/// A name in a row.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Name {
    T,
    O,
    H,
    L,
    C,
    V,
    Vw,
    N,
    #[serde(other)]
    Unknown,
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = RawRow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<RawRow, A::Error> {
        let mut row = RawRow::default();
        while let Some(name) = entries.next_key::<Name>()? {
            let field = match name {
                Name::T => &mut row.t,
                Name::O => &mut row.o,
                Name::H => &mut row.h,
                Name::L => &mut row.l,
                Name::C => &mut row.c,
                Name::V => &mut row.v,
                Name::Vw => &mut row.vw,
                Name::N => &mut row.n,
                Name::Unknown => {
                    entries.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let value = entries.next_value()?;
            // Said twice, it is not known which is meant.
            *field = if *field == Field::Absent { value } else { Field::Other };
        }
        Ok(row)
    }
}

impl<'de> Deserialize<'de> for RawRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RowVisitor)
    }
}
