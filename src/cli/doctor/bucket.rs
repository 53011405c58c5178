//! What the bucket, or the folder in its place, is worth.

use jiff::Timestamp;
use jiff::civil::Date;

use super::{Check, State};
use crate::cli::format::{bytes, duration_of, printable};
use crate::config::{Credentials, Settings};
use crate::ingest::doctor::{Before, BucketFacts, BucketMarket, FileAccess, Reach, Speed};
use crate::ingest::source::SourceError;
use crate::model::{Dataset, Expectation, file_due_at, last_finished_session};

/// The vendor delivers about 900 kB/s over a connection; a tenth of it is worth a word.
const SLOW_BYTES_PER_SECOND: f64 = 90_000.0;

/// The rows of the bucket; `None` of facts is that nobody is named who asks.
pub(in crate::cli) fn bucket_checks(
    settings: &Settings,
    facts: Option<&Result<BucketFacts, SourceError>>,
) -> Vec<Check> {
    let s3 = &settings.s3;
    let who = match &s3.credentials {
        Some(Credentials::Key(key)) => key.id.origin.to_string(),
        Some(Credentials::Profile(profile)) => format!("profile {} ({})", profile.name.value, profile.name.origin),
        None => String::new(),
    };
    let place = format!("s3://{} at {}", s3.bucket.value, s3.endpoint.value);
    let facts = match facts {
        None => {
            let advice = "to load files, set MASSIVE_S3_ACCESS_KEY_ID and MASSIVE_S3_SECRET_ACCESS_KEY (paid plans)";
            return vec![Check::new("s3", State::NotSetUp, "no S3 keys").advising(advice)];
        }
        Some(Err(error)) => return vec![with_origin(Check::fails("s3", error), &who)],
        Some(Ok(facts)) => facts,
    };
    let found = format!("{place} accepts the keys ({who})");
    let is_of_use = facts.markets.iter().any(|market| matches!(market.access, Ok(FileAccess::Since(_))));
    let is_refused = facts.markets.iter().any(|market| matches!(market.access, Ok(FileAccess::Refused(_))));
    let first = if !is_of_use && is_refused {
        Check::new("s3", State::Fails, format!("{found}, but no file may be read with them"))
            .advising("the free plan has no files: use `backfill rest`, or another plan")
    } else if !is_of_use {
        Check::new("s3", State::Fails, format!("{found}, but there are no files"))
            .advising("check MASSIVE_S3_BUCKET and MASSIVE_S3_ENDPOINT")
    } else {
        Check::new("s3", State::Ok, found)
    };
    let markets = facts.markets.iter().map(|market| market_check(market, settings.now.value));
    std::iter::once(first).chain(markets).chain(facts.speed.as_ref().map(speed_check)).collect()
}

/// A failure with where its keys come from: often they are not the ones that somebody has in mind.
fn with_origin(check: Check, who: &str) -> Check {
    let found = format!("{} (keys: {who})", check.found);
    Check { found, ..check }
}

fn market_check(market: &BucketMarket, now: Timestamp) -> Check {
    let name = format!("s3 {}", market.dataset);
    match &market.access {
        Err(error) => Check::fails(name, error),
        Ok(FileAccess::NothingListed) => Check::new(name, State::NotSetUp, "no file of the last two weeks is listed"),
        Ok(FileAccess::Refused(code)) => {
            Check::new(name, State::NotSetUp, format!("not in your plan ({})", printable(code)))
        }
        Ok(FileAccess::Since(reach)) => {
            let newest = reach.newest;
            let found = format!("{} to {newest} ({})", reach.first, end(*reach));
            match newest_due(market.dataset, now) {
                Some(due) if newest < due => Check::new(name, State::Warn, format!("{found}; {due} is late"))
                    .advising("nothing: `backfill hybrid` takes such days from the REST API"),
                _ => Check::new(name, State::Ok, found),
            }
        }
    }
}

/// What lies before the earliest date that may be had.
pub(super) fn end(reach: Reach) -> String {
    match reach.before {
        Before::Nothing => "all there is".to_owned(),
        Before::NotAsked => "what lies before was not asked".to_owned(),
        Before::Refused(refused) => format!("{refused} is refused"),
    }
}

/// The latest date whose file should be there.
fn newest_due(dataset: Dataset, now: Timestamp) -> Option<Date> {
    let mut date = last_finished_session(dataset, now);
    while file_due_at(date) > now || dataset.expectation(date) != Expectation::Due {
        date = date.yesterday().ok().filter(|date| *date >= dataset.first_date())?;
    }
    Some(date)
}

fn speed_check(speed: &Result<Speed, SourceError>) -> Check {
    let Speed { dataset, size_bytes, probe } = match speed {
        Ok(speed) => speed,
        Err(error) => return Check::fails("s3 speed", error),
    };
    let rate = probe.bytes as f64 / probe.elapsed.as_secs_f64().max(0.001);
    let took = duration_of(size_bytes.to_owned() as f64 / rate.max(1.0));
    let found = format!(
        "{}/s over one connection: the newest minute file of {dataset}, {}, takes {took}",
        bytes(rate as u64),
        bytes(*size_bytes)
    );
    if rate < SLOW_BYTES_PER_SECOND && probe.bytes < *size_bytes {
        return Check::new("s3 speed", State::Warn, found).advising("see what else uses the network, and try again");
    }
    Check::new("s3 speed", State::Ok, found)
}

/// The row of the folder that is read in the bucket's place.
pub(in crate::cli) fn folder_check(settings: &Settings, opened: Result<Option<Date>, SourceError>) -> Option<Check> {
    let folder = settings.source.as_ref()?;
    Some(match opened {
        Ok(Some(newest)) => {
            let found = format!("{} ({}): files up to {newest}", folder.value.display(), folder.origin);
            Check::new("source", State::Ok, found)
        }
        Ok(None) => Check::new("source", State::Ok, format!("{} ({})", folder.value.display(), folder.origin)),
        Err(error) => Check::fails("source", &error),
    })
}
