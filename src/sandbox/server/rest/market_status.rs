//! `/v1/marketstatus/now` and `/v1/marketstatus/upcoming`, from the calendar.

use std::collections::BTreeSet;

use jiff::civil::{Date, Weekday, time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use serde_json::{Value, json};

use crate::model::{Calendar, Dataset, Market, NEW_YORK, SessionKind, session_finished_at, xnys};

/// What the vendor lists holidays of.
const EXCHANGES: [&str; 3] = ["NYSE", "NASDAQ", "OTC"];
/// Index families the vendor tells the state of.
const INDICES: [&str; 8] = ["s_and_p", "societe_generale", "msci", "ftse_russell", "mstar", "mstarc", "cccy", "nasdaq"];

/// How the markets are at an instant.
pub(super) fn now(now: Timestamp) -> Value {
    let date = Market::NewYork.date_of(now);
    let hours = xnys().session(date).map(|kind| {
        let at = |hour, minute| Market::NewYork.instant(date, time(hour, minute, 0, 0));
        (at(4, 0), at(9, 30), at(close_hour(kind), 0), session_finished_at(Dataset::Stocks, date))
    });
    let early = hours.is_some_and(|(pre, open, ..)| (pre..open).contains(&now));
    let late = hours.is_some_and(|(_, _, close, end)| (close..end).contains(&now));
    let market = match hours {
        _ if early || late => "extended-hours",
        Some((_, open, close, _)) if (open..close).contains(&now) => "open",
        _ => "closed",
    };
    let open_or_closed = |open: bool| if open { "open" } else { "closed" };
    let indices: Value =
        INDICES.iter().map(|name| ((*name).to_owned(), Value::from(open_or_closed(market != "closed")))).collect();
    let zone = TimeZone::get(NEW_YORK).expect("Invariant: the time zone table is compiled in");
    json!({
        "afterHours": late,
        "currencies": {"crypto": "open", "fx": open_or_closed(currencies_trade(now))},
        "earlyHours": early,
        "exchanges": {"nasdaq": market, "nyse": market, "otc": market},
        "indicesGroups": indices,
        "market": market,
        "serverTime": Zoned::new(now, zone).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
    })
}

/// From Sunday to Friday, 17:00 New York.
fn currencies_trade(now: Timestamp) -> bool {
    let date = Market::NewYork.date_of(now);
    let is_evening = now >= Market::NewYork.instant(date, time(17, 0, 0, 0));
    match date.weekday() {
        Weekday::Saturday => false,
        Weekday::Sunday => is_evening,
        Weekday::Friday => !is_evening,
        _ => true,
    }
}

const fn close_hour(kind: SessionKind) -> i8 {
    match kind {
        SessionKind::Full => 16,
        SessionKind::EarlyClose => 13,
    }
}

/// The closures and early closes of a year from an instant on, with closures that no calendar foresees.
pub(super) fn upcoming(now: Timestamp, unforeseen: &BTreeSet<Date>) -> Value {
    let today = Market::NewYork.date_of(now);
    let last = today.saturating_add(1.year()).min(Calendar::LAST);
    let dates = today.series(1.day()).take_while(|date| *date <= last);
    let special = dates.filter(|date| {
        let is_weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        !is_weekend && (xnys().session(*date) != Some(SessionKind::Full) || unforeseen.contains(date))
    });
    let kind = |date| xnys().session(date).filter(|_| !unforeseen.contains(&date));
    special.flat_map(|date| EXCHANGES.map(|exchange| holiday(date, kind(date), exchange))).collect()
}

fn holiday(date: Date, kind: Option<SessionKind>, exchange: &str) -> Value {
    let name = name(date);
    let at = |hour, minute| {
        Market::NewYork.instant(date, time(hour, minute, 0, 0)).strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string()
    };
    match kind {
        None => json!({"date": date.to_string(), "exchange": exchange, "name": name, "status": "closed"}),
        Some(kind) => json!({
            "close": at(close_hour(kind), 0),
            "date": date.to_string(),
            "exchange": exchange,
            "name": name,
            "open": at(9, 30),
            "status": "early-close",
        }),
    }
}

/// The day it is, or is the eve or the morrow of.
fn name(date: Date) -> &'static str {
    match (date.month(), date.day()) {
        (1, 1..=3) | (12, 30..) => "New Years Day",
        (1, 15..=21) => "Martin Luther King, Jr. Day",
        (2, _) => "Washington's Birthday",
        (3 | 4, _) => "Good Friday",
        (5, _) => "Memorial Day",
        (6, _) => "Juneteenth",
        (7, _) => "Independence Day",
        (9, _) => "Labor Day",
        (11, _) => "Thanksgiving",
        (12, _) => "Christmas",
        _ => "Market Holiday",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn market(instant: &str) -> (String, bool, bool, String) {
        let status = now(instant.parse().unwrap());
        let flag = |name: &str| status[name].as_bool().unwrap();
        let fx = status["currencies"]["fx"].as_str().unwrap().to_owned();
        (status["market"].as_str().unwrap().to_owned(), flag("earlyHours"), flag("afterHours"), fx)
    }

    #[test]
    fn markets_open_and_close_by_the_calendar() {
        let is = |market: &str, early, late, fx: &str| (market.to_owned(), early, late, fx.to_owned());
        assert_eq!(market("2026-10-05T13:29:59Z"), is("extended-hours", true, false, "open"));
        assert_eq!(market("2026-10-05T13:30:00Z"), is("open", false, false, "open"));
        assert_eq!(market("2026-10-05T20:00:00Z"), is("extended-hours", false, true, "open"));
        assert_eq!(market("2026-10-06T00:00:00Z"), is("closed", false, false, "open"));
        assert_eq!(market("2026-11-27T18:00:00Z"), is("extended-hours", false, true, "open"), "an early close");
        assert_eq!(market("2026-10-03T16:00:00Z"), is("closed", false, false, "closed"), "a Saturday");
        assert_eq!(market("2026-11-26T16:00:00Z"), is("closed", false, false, "open"), "Thanksgiving");
    }

    #[test]
    fn a_year_of_holidays_is_ahead() {
        let all = upcoming("2026-10-05T16:00:00Z".parse().unwrap(), &BTreeSet::new());
        let of = |exchange: &str| {
            let rows = all.as_array().unwrap().iter().filter(|row| row["exchange"] == exchange);
            rows.cloned().collect::<Vec<_>>()
        };
        let nyse = of("NYSE");
        assert_eq!((nyse.len(), of("OTC").len()), (12, 12), "ten closures and two early closes");
        assert_eq!(
            nyse[0],
            json!({"date": "2026-11-26", "exchange": "NYSE", "name": "Thanksgiving", "status": "closed"})
        );
        assert_eq!(nyse[1]["close"], "2026-11-27T18:00:00.000Z");
        assert_eq!((&nyse[1]["open"], &nyse[1]["status"]), (&json!("2026-11-27T14:30:00.000Z"), &json!("early-close")));
        let serves = |date: &str| nyse.iter().any(|row| row["date"] == date);
        let mourning = upcoming("2026-10-05T16:00:00Z".parse().unwrap(), &["2026-10-08".parse().unwrap()].into());
        assert_eq!((&mourning[0]["date"], &mourning[0]["status"]), (&json!("2026-10-08"), &json!("closed")));
        assert!(serves("2027-03-26") && serves("2027-07-05"), "{nyse:?}");
    }
}
