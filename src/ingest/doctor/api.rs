//! What the REST API gives.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use jiff::civil::{Date, Weekday, time};
use jiff::{Timestamp, ToSpan};

use super::reach::{Answer, Reach, Search};
use crate::ingest::rest::{MinutesProbe, RestClient, RestError, Timeliness};
use crate::model::{Dataset, Expectation, Market, Symbol, last_finished_session};

/// Symbols that are always traded. Of options there is none: contracts end.
const LIQUID: [(Dataset, &str); 4] = [
    (Dataset::Stocks, "SPY"),
    (Dataset::Indices, "I:SPX"),
    (Dataset::Forex, "C:EURUSD"),
    (Dataset::Crypto, "X:BTCUSD"),
];
/// Requests made at most; of a quota that is counted in minutes, at most these.
const MOST_REQUESTS: u32 = 12;
const MOST_SLOW_REQUESTS: u32 = 5;
/// With fewer than this left, the edge of a plan cannot be searched.
const FEW_LEFT: u32 = 4;
/// A request that would have to wait longer than this for the quota is not made.
const MOST_WAIT_SECONDS: f64 = 2.0;
/// Longest time from asking to the answer's end.
const PATIENCE: Duration = Duration::from_secs(6);
/// After this time no further question is begun.
const LONGEST: Duration = Duration::from_secs(9);
/// Minutes asked for.
const FEW_MINUTES: i64 = 10;

/// What the REST API gives to whoever asks.
#[derive(Debug)]
pub struct ApiFacts {
    /// Market by market. Options are not asked for.
    pub markets: Vec<ApiMarket>,
    /// How far back stocks may be had; none if they may not.
    pub reach: Option<Reach>,
    /// Whether there was a question left that the quota, or the time, had no room for.
    pub is_cut_short: bool,
    /// The shortest time from asking to the answer.
    pub latency: Option<Duration>,
    /// How far the vendor's clock is ahead of this machine's, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
}

/// What the REST API gives of one market.
#[derive(Debug)]
pub struct ApiMarket {
    /// Which market.
    pub dataset: Dataset,
    /// Whose minutes were asked for.
    pub ticker: &'static str,
    /// Of which date.
    pub date: Date,
    /// What came of it.
    pub access: ApiAccess,
}

/// What came of asking for minutes.
#[derive(Debug)]
pub enum ApiAccess {
    /// So many, which the vendor calls late or not.
    Had(usize, Timeliness),
    /// A refusal or a failure.
    Failed(RestError),
    /// The quota had no room, or an earlier failure had ended the questions.
    NotAsked,
}

/// Asks the API for small things, one after the other and within its quota.
pub async fn ask_api(client: &RestClient, now: Timestamp) -> ApiFacts {
    let is_slow = client.quota().rate().spacing() > Duration::from_secs(1);
    let left = if is_slow { MOST_SLOW_REQUESTS } else { MOST_REQUESTS };
    let mut asking = Asking {
        client,
        began: Instant::now(),
        left,
        is_over: false,
        is_cut_short: false,
        latency: None,
        clock_ahead_ms: None,
    };
    let mut markets = Vec::new();
    for (dataset, ticker) in LIQUID {
        let date = last_finished_session(dataset, now);
        let access = match asking.ask(dataset, ticker, date).await {
            Some(Ok(probe)) => ApiAccess::Had(probe.rows, probe.timeliness),
            Some(Err(error)) => ApiAccess::Failed(error),
            None => ApiAccess::NotAsked,
        };
        markets.push(ApiMarket { dataset, ticker, date, access });
    }
    let stocks = &markets[0];
    let reach = match stocks.access {
        ApiAccess::Had(..) => Some(asking.reach(stocks.ticker, stocks.date, Market::NewYork.date_of(now)).await),
        _ => None,
    };
    let Asking { is_cut_short, latency, clock_ahead_ms, .. } = asking;
    ApiFacts { markets, reach, is_cut_short, latency, clock_ahead_ms }
}

/// Questions under way.
struct Asking<'a> {
    client: &'a RestClient,
    began: Instant,
    left: u32,
    /// Whether the next answer would be the same failure again.
    is_over: bool,
    is_cut_short: bool,
    latency: Option<Duration>,
    clock_ahead_ms: Option<i64>,
}

impl Asking<'_> {
    /// Asks for some minutes of a date; nothing if that is not to be.
    async fn ask(&mut self, dataset: Dataset, ticker: &str, date: Date) -> Option<Result<MinutesProbe, RestError>> {
        if self.is_over {
            return None;
        }
        let is_late = self.began.elapsed() > LONGEST;
        if is_late || self.left == 0 || self.client.quota().seconds_for(1) > MOST_WAIT_SECONDS {
            self.is_cut_short = true;
            return None;
        }
        self.left -= 1;
        let symbol = Symbol::from_ticker(ticker).ok()?;
        let range_ms = some_minutes(dataset, date);
        let answer = tokio::time::timeout(PATIENCE, self.client.probe(&symbol, &range_ms)).await;
        let answer = answer
            .unwrap_or_else(|_| Err(RestError::unreachable(&format!("minutes of {symbol}"), "no answer in time")));
        match &answer {
            Ok(probe) => {
                self.latency = Some(self.latency.map_or(probe.elapsed, |best| best.min(probe.elapsed)));
                self.clock_ahead_ms = probe.clock_ahead_ms.or(self.clock_ahead_ms);
            }
            Err(RestError::TooManyRequests { .. } | RestError::Unreachable { .. }) => self.is_over = true,
            Err(error) => self.is_over = error.is_common_cause(),
        }
        Some(answer)
    }

    /// How far back a stock may be had of which there are minutes on a date.
    async fn reach(&mut self, ticker: &str, had: Date, today: Date) -> Reach {
        let mut search = Search::new(today, had, Dataset::Stocks.first_date());
        if self.left < FEW_LEFT {
            search = search.frugal();
        }
        while let Some(wanted) = search.next() {
            let date = first_session(wanted);
            let answer = match self.ask(Dataset::Stocks, ticker, date).await {
                Some(Ok(_)) => Answer::Had(date),
                Some(Err(RestError::NotEntitled { .. })) => Answer::Refused(date),
                Some(Err(_)) | None => break,
            };
            search.take(wanted, answer);
        }
        search.reach()
    }
}

/// The first session of stocks on a date or after it.
fn first_session(date: Date) -> Date {
    let mut sessions =
        date.series(1.day()).take(14).filter(|day| Dataset::Stocks.expectation(*day) == Expectation::Due);
    sessions.next().unwrap_or(date)
}

/// Minutes in which everything is traded.
fn some_minutes(dataset: Dataset, date: Date) -> RangeInclusive<i64> {
    let hour = match dataset {
        Dataset::Stocks | Dataset::Options | Dataset::Indices => time(10, 0, 0, 0),
        // It opens in the evening.
        Dataset::Forex if date.weekday() == Weekday::Sunday => time(22, 30, 0, 0),
        Dataset::Forex | Dataset::Crypto => time(12, 0, 0, 0),
    };
    let from = dataset.market().instant(date, hour).as_millisecond();
    from..=from + (FEW_MINUTES - 1) * 60_000
}
