//! What the bucket gives.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::reach::{Answer, Reach, Search};
use crate::ingest::SilentReporter;
use crate::ingest::source::{DayFile, FileKind, ObjectProbe, S3Options, S3Source, SourceError};
use crate::model::{Dataset, Market};
use crate::net::{Retry, RetryPolicy};

/// How far back the newest file of a market is looked for.
const NEWEST_DAYS: i32 = 14;
/// Objects asked for, of each market.
const MOST_OBJECTS: u32 = 8;
/// Bytes asked for to see whether an object may be had.
const FEW_BYTES: u64 = 1;
/// Bytes asked for to see how fast they come, and how long that may take.
const SPEED_BYTES: u64 = 2_000_000;
const SPEED_PATIENCE: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(5);

/// After this time no further question about a market is begun.
const LONGEST: Duration = Duration::from_secs(6);

/// How to reach a bucket that is to be asked: with little patience, as a person is waiting.
pub fn impatient() -> S3Options {
    let policy = RetryPolicy { attempts: 2, retry_after_cap: Duration::from_secs(2), ..RetryPolicy::default() };
    S3Options {
        connect_timeout: PATIENCE,
        answer_timeout: PATIENCE,
        retry: Retry::new(policy, Arc::default()),
        ..S3Options::default()
    }
}

/// What the bucket gives to whoever asks.
#[derive(Debug)]
pub struct BucketFacts {
    /// Market by market, in the order of [`Dataset::ALL`].
    pub markets: Vec<BucketMarket>,
    /// How fast files come; none where none may be had.
    pub speed: Option<Result<Speed, SourceError>>,
    /// How far the vendor's clock is ahead of this machine's, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
}

/// What the bucket gives of one market's minute files.
#[derive(Debug)]
pub struct BucketMarket {
    /// Which market.
    pub dataset: Dataset,
    /// What may be had; a failure ended the questions.
    pub access: Result<FileAccess, SourceError>,
}

/// Which files of a market may be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileAccess {
    /// No recent file is listed.
    NothingListed,
    /// Not even the newest one, with the vendor's code.
    Refused(String),
    /// Those from a date on.
    Since(Reach),
}

/// How fast an object comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speed {
    /// The market whose newest minute file it was.
    pub dataset: Dataset,
    /// Its size.
    pub size_bytes: u64,
    /// What came of it over one connection.
    pub probe: ObjectProbe,
}

/// Asks the bucket for small things. The error is one that would meet every other request, too.
pub async fn ask_bucket(bucket: &S3Source, now: Timestamp) -> Result<BucketFacts, SourceError> {
    // One first: without an answer, or with keys that are refused, the others would only say the same.
    let newest = newest(bucket, Dataset::Stocks, now).await?;
    let others = Dataset::ALL.into_iter().filter(|dataset| *dataset != Dataset::Stocks);
    let others = others.map(async |dataset| {
        let newest = self::newest(bucket, dataset, now).await;
        look_at(bucket, dataset, newest, now).await
    });
    let (stocks, others) = tokio::join!(look_at(bucket, Dataset::Stocks, Ok(newest), now), join_all(others));
    let looked = std::iter::once(stocks).chain(others);
    let (markets, newest): (Vec<BucketMarket>, Vec<Option<DayFile>>) = looked.unzip();
    let may_be_had = |market: &BucketMarket| matches!(market.access, Ok(FileAccess::Since(_)));
    let file = markets.iter().zip(newest).find(|(market, _)| may_be_had(market)).and_then(|(_, file)| file);
    let speed = match file {
        Some(file) => {
            let probe = bucket.probe(&file, SPEED_BYTES.min(file.size_bytes), SPEED_PATIENCE).await;
            Some(probe.map(|probe| Speed { dataset: file.dataset, size_bytes: file.size_bytes, probe }))
        }
        None => None,
    };
    let clock_ahead_ms = speed.as_ref().and_then(|speed| speed.as_ref().ok()?.probe.clock_ahead_ms);
    Ok(BucketFacts { markets, speed, clock_ahead_ms })
}

/// The newest minute file that is listed.
async fn newest(bucket: &S3Source, dataset: Dataset, now: Timestamp) -> Result<Option<DayFile>, SourceError> {
    let today = dataset.market().date_of(now);
    let range = today.saturating_sub(NEWEST_DAYS.days())..=today;
    Ok(bucket.list(dataset, FileKind::Minute, range, &SilentReporter).await?.pop())
}

/// What may be had of a market, and its newest file.
async fn look_at(
    bucket: &S3Source,
    dataset: Dataset,
    newest: Result<Option<DayFile>, SourceError>,
    now: Timestamp,
) -> (BucketMarket, Option<DayFile>) {
    let (newest, access) = match newest {
        Ok(Some(file)) => {
            let access = reach(bucket, &file, Market::NewYork.date_of(now)).await;
            (Some(file), access)
        }
        Ok(None) => (None, Ok(FileAccess::NothingListed)),
        Err(error) => (None, Err(error)),
    };
    (BucketMarket { dataset, access }, newest)
}

async fn reach(bucket: &S3Source, newest: &DayFile, today: Date) -> Result<FileAccess, SourceError> {
    let began = Instant::now();
    if let Err(code) = may_have(bucket, newest).await? {
        return Ok(FileAccess::Refused(code));
    }
    let mut search = Search::new(today, newest.date, newest.dataset.first_date());
    for _ in 1..MOST_OBJECTS {
        let Some(date) = search.next().filter(|_| began.elapsed() < LONGEST) else { break };
        let listed = bucket.first_listed(newest.dataset, FileKind::Minute, date, &SilentReporter).await?;
        // At the latest the newest one is listed.
        let file = listed.unwrap_or_else(|| newest.clone());
        let is_known = file.date >= search.reach().first;
        let may_be_had = is_known || may_have(bucket, &file).await?.is_ok();
        search.take(date, if may_be_had { Answer::Had(file.date) } else { Answer::Refused(file.date) });
    }
    Ok(FileAccess::Since(search.reach()))
}

/// Whether an object may be had; if not, the vendor's code.
async fn may_have(bucket: &S3Source, file: &DayFile) -> Result<Result<(), String>, SourceError> {
    match bucket.probe(file, FEW_BYTES, PATIENCE).await {
        Ok(_) => Ok(Ok(())),
        Err(SourceError::NotEntitled { code, .. }) => Ok(Err(code)),
        Err(error) => Err(error),
    }
}
