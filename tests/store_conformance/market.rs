//! The series of many symbols read at once.

use std::collections::BTreeMap;

use barkeep::model::Dataset::{self, Indices, Stocks};
use barkeep::model::{Bar, Prices, Session, Timeframe};
use barkeep::store::{BarReader, MarketReader, MarketSlice, StoredBar};
use jiff::civil::Date;

use crate::Bench;
use crate::fixtures::*;

const A_DAY: i64 = 24 * 60 * MINUTE;

fn slice(dataset: Dataset, tickers: &[&str], timeframes: &str, dates: (Date, Date)) -> MarketSlice {
    let tickers = tickers.iter().map(|&ticker| ticker.to_owned()).collect();
    MarketSlice { dataset, tickers, timeframes: frames(timeframes), dates: dates.0..=dates.1 }
}

/// Series by place of ticker and timeframe.
async fn read(store: &mut impl MarketReader, slice: &MarketSlice) -> BTreeMap<(usize, Timeframe), Vec<StoredBar>> {
    let mut series: BTreeMap<(usize, Timeframe), Vec<StoredBar>> = BTreeMap::new();
    let take = |place: usize, session_date: Date, bar: &Bar| {
        series.entry((place, bar.timeframe)).or_default().push(StoredBar { bar: *bar, session_date });
    };
    store.read_market(slice, take).await.unwrap();
    series
}

/// Three symbols on two days, the later day loaded first.
async fn filled(bench: &impl Bench) {
    let mut store = bench.open().await;
    let odd = Bar {
        prices: Prices::checked(4514.870000000001, 5000.123456789012, 0.1 + 0.2, 4514.87).unwrap(),
        volume: None,
        vwap: None,
        vwap_method: None,
        trades: None,
        session: Session::Post,
        end_timestamp_ms: T + 7 * MINUTE,
        ..bar(Timeframe::H1, T, 1.0)
    };
    let official = Bar { minutes: 0, ..bar(Timeframe::DayOfficial, T - MINUTE, 9.5) };
    let first =
        [bar(Timeframe::M1, T, 0.0001), bar(Timeframe::M1, T + MINUTE, 2.0), bar(Timeframe::M5, T, 3.0), odd, official];
    let second = [bar(Timeframe::M1, T + A_DAY, 4.0), bar(Timeframe::M5, T + A_DAY, 5.0)];
    load(&mut store, NEXT, &[("BCpC", &second), ("AA", &second)]).await;
    load(&mut store, DAY, &[("AA", &first), ("BCPC", &first[..1]), ("Ä", &first[..1])]).await;
    let commit = commit("1m", &[], vec![]);
    put(&mut store, (Indices, DAY), &[], &[("I:SPX", &first[..2])], &commit).await;
}

pub async fn what_is_read_at_once_is_what_is_read_one_by_one(bench: &impl Bench) {
    filled(bench).await;
    let mut store = bench.open().await;
    let tickers = ["Ä", "AA", "NONE", "BCpC"];
    let all = "1m,5m,15m,1h,4h,day,day_official";
    let found = read(&mut store, &slice(Stocks, &tickers, all, (DAY, NEXT))).await;
    let mut expected = BTreeMap::new();
    for (place, ticker) in tickers.into_iter().enumerate() {
        for timeframe in Timeframe::ALL {
            let bars = store.bars(ticker, timeframe, ANY).await.unwrap();
            if !bars.is_empty() {
                expected.insert((place, timeframe), bars);
            }
        }
    }
    assert_eq!(expected.len(), 1 + 4 + 2, "Ä has minutes, AA four series, BCpC two");
    assert_eq!(found, expected);
}

pub async fn reading_at_once_stays_within_what_is_asked_for(bench: &impl Bench) {
    filled(bench).await;
    let mut store = bench.open().await;
    let counted = |series: BTreeMap<(usize, Timeframe), Vec<StoredBar>>| {
        series.into_iter().map(|((place, timeframe), bars)| (place, timeframe, bars.len())).collect::<Vec<_>>()
    };
    let one_day = read(&mut store, &slice(Stocks, &["AA"], "1m,1h", (DAY, DAY))).await;
    assert_eq!(
        counted(one_day),
        [(0, Timeframe::M1, 2), (0, Timeframe::H1, 1)],
        "5m lies between and is not asked for"
    );
    let next = read(&mut store, &slice(Stocks, &["BCPC", "AA"], "5m", (NEXT, NEXT))).await;
    assert_eq!(counted(next), [(1, Timeframe::M5, 1)]);
    let index = read(&mut store, &slice(Indices, &["I:SPX"], "1m", (DAY, NEXT))).await;
    assert_eq!(counted(index), [(0, Timeframe::M1, 2)]);
    assert_eq!(store.tickers(Stocks).await.unwrap(), ["AA", "BCPC", "BCpC", "Ä"]);
    assert_eq!(store.tickers(Indices).await.unwrap(), ["I:SPX"]);
    assert!(store.tickers(Dataset::Crypto).await.unwrap().is_empty());
}
