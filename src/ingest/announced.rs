//! From the vendor's list of holidays to the sessions that the calendar does not foresee.

use jiff::Timestamp;
use jiff::civil::{Date, time};
use serde_json::{Map, Value};

use super::rest::{RestClient, RestError};
use crate::model::{AnnouncedKind, AnnouncedSession, Market, SessionKind, xnys};
use crate::store::{AnnouncedSessions, StoreError};

const PATH: &str = "/v1/marketstatus/upcoming";
/// The exchange whose sessions the calendar has.
const EXCHANGE: &str = "NYSE";

/// More closures than these at once were never announced: after September 11th there were four.
const MOST_CLOSURES: usize = 5;

/// What the list came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announced {
    /// Sessions that are other than the calendar foresees.
    pub sessions: Vec<AnnouncedSession>,
    /// What the list says and the calendar cannot: a close at another time.
    pub odd: Vec<String>,
}

/// Why the list could not be had, or kept. What was announced before is as it was.
#[derive(Debug, thiserror::Error)]
pub enum AnnouncedError {
    /// The vendor.
    #[error(transparent)]
    Rest(#[from] RestError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Fetches the list and keeps what of it the calendar does not foresee. What has passed stays as it was announced.
pub async fn load_announced(
    client: &RestClient,
    store: &mut impl AnnouncedSessions,
    now: Timestamp,
) -> Result<Announced, AnnouncedError> {
    let mut list = client.list::<Map<String, Value>>("holidays", PATH, &[]);
    let mut rows = Vec::new();
    while let Some(page) = list.next().await? {
        rows.extend(page);
    }
    let today = Market::NewYork.date_of(now);
    let announced = understood(&rows, today)?;
    store.announce(today, &announced.sessions, now).await?;
    Ok(announced)
}

/// What of the list is other than the calendar foresees; an error if it cannot be the list it should be.
fn understood(rows: &[Map<String, Value>], today: Date) -> Result<Announced, RestError> {
    // A year without a holiday is an answer that lacks something, not news.
    if !rows.iter().any(is_of_exchange) {
        return Err(RestError::damaged("holidays", format!("the list has no day of {EXCHANGE}")));
    }
    let announced = unforeseen(rows, today);
    let closed = announced.sessions.iter().filter(|session| session.kind == AnnouncedKind::Closed).count();
    if closed > MOST_CLOSURES {
        let why = format!("the list closes {closed} sessions that no holiday closes; nothing of it is believed");
        return Err(RestError::damaged("holidays", why));
    }
    Ok(announced)
}

fn is_of_exchange(row: &Map<String, Value>) -> bool {
    row.get("exchange").and_then(Value::as_str) == Some(EXCHANGE)
}

/// What of the list is other than the calendar foresees, from a date on.
fn unforeseen(rows: &[Map<String, Value>], from: Date) -> Announced {
    let mut announced = Announced::default();
    for row in rows {
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let date = text("date").and_then(|date| date.parse::<Date>().ok());
        let Some(date) = date.filter(|date| *date >= from && is_of_exchange(row)) else { continue };
        let close = || text("close").and_then(|close| close.parse::<Timestamp>().ok());
        let kind = match text("status") {
            Some("closed") => AnnouncedKind::Closed,
            Some("early-close") if close() == Some(Market::NewYork.instant(date, time(13, 0, 0, 0))) => {
                AnnouncedKind::EarlyClose
            }
            status => {
                announced.odd.push(format!("{date}: {} {}", status.unwrap_or("?"), text("close").unwrap_or("")));
                continue;
            }
        };
        let foreseen: Option<SessionKind> = xnys().session_foreseen(date);
        let is_known = announced.sessions.iter().any(|session| session.date == date);
        if kind.session() != foreseen && !is_known {
            announced.sessions.push(AnnouncedSession { date, kind, name: text("name").map(str::to_owned) });
        }
    }
    announced
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(date: &str, exchange: &str) -> Map<String, Value> {
        let row = serde_json::json!({ "date": date, "exchange": exchange, "status": "closed" });
        row.as_object().unwrap().clone()
    }

    #[test]
    fn a_list_that_cannot_be_right_is_refused() {
        let today = "2026-10-05".parse().unwrap();
        let error = |rows: &[Map<String, Value>]| understood(rows, today).unwrap_err().to_string();
        assert!(error(&[]).contains("no day of NYSE"));
        assert!(error(&[row("2026-11-26", "NASDAQ")]).contains("no day of NYSE"));
        let week = ["05", "06", "07", "08", "09", "12"].map(|day| row(&format!("2026-10-{day}"), "NYSE"));
        assert_eq!(understood(&week[..5], today).unwrap().sessions.len(), 5);
        assert!(error(&week).contains("closes 6 sessions"));
    }

    #[test]
    fn only_what_is_not_foreseen_is_kept() {
        let rows: Vec<Map<String, Value>> = serde_json::from_str(
            r#"[
            {"date": "2026-11-26", "exchange": "NYSE", "name": "Thanksgiving", "status": "closed"},
            {"date": "2026-11-27", "exchange": "NYSE", "name": "Thanksgiving", "status": "early-close",
             "open": "2026-11-27T14:30:00.000Z", "close": "2026-11-27T18:00:00.000Z"},
            {"date": "2026-12-02", "exchange": "NASDAQ", "name": "Another's", "status": "closed"},
            {"date": "2026-12-03", "exchange": "NYSE", "name": "Day of Mourning", "status": "closed"},
            {"date": "2026-12-04", "exchange": "NYSE", "name": "Storm", "status": "early-close",
             "close": "2026-12-04T18:00:00.000Z"},
            {"date": "2026-12-07", "exchange": "NYSE", "status": "early-close", "close": "2026-12-07T19:00:00.000Z"},
            {"date": "2026-10-01", "exchange": "NYSE", "name": "Past", "status": "closed"},
            {"exchange": "NYSE"}
            ]"#,
        )
        .unwrap();
        let found = unforeseen(&rows, "2026-10-05".parse().unwrap());
        let session = |date: &str, kind, name: &str| AnnouncedSession {
            date: date.parse().unwrap(),
            kind,
            name: Some(name.to_owned()),
        };
        let expected = [
            session("2026-12-03", AnnouncedKind::Closed, "Day of Mourning"),
            session("2026-12-04", AnnouncedKind::EarlyClose, "Storm"),
        ];
        assert_eq!(found.sessions, expected);
        assert_eq!(found.odd, ["2026-12-07: early-close 2026-12-07T19:00:00.000Z"]);
    }
}
