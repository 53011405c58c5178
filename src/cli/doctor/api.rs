//! What the REST API is worth.

use std::time::Duration;

use super::bucket::end;
use super::{Check, State};
use crate::cli::CliError;
use crate::cli::format::duration_of;
use crate::config::Settings;
use crate::ingest::doctor::{ApiAccess, ApiFacts, ApiMarket};
use crate::ingest::rest::{Quota, RestError, Timeliness};
use crate::model::Dataset;

/// The rows of the REST API; `None` of facts is that nobody is named who asks.
pub(in crate::cli) fn api_checks(
    settings: &Settings,
    facts: Option<&Result<(ApiFacts, Quota), CliError>>,
) -> Vec<Check> {
    let (Some(facts), Some(key)) = (facts, &settings.api.key) else {
        let advice = "for bars up to this minute and splits, set MASSIVE_API_KEY";
        return vec![Check::new("rest", State::NotSetUp, "no API key").advising(advice)];
    };
    let (facts, quota) = match facts {
        Ok((facts, quota)) => (facts, quota),
        Err(error) => return vec![Check::new("rest", State::Fails, error.reason())],
    };
    let mut checks = vec![first_check(settings, facts, &key.origin.to_string())];
    checks.extend(facts.markets.iter().filter_map(|market| market_check(market, facts)));
    let options = "a contract would have to be named";
    checks.push(Check::new(format!("rest {}", Dataset::Options), State::NotAsked, options));
    checks.push(quota_check(facts, quota));
    checks.extend(
        facts
            .latency
            .map(|latency| Check::new("rest speed", State::Ok, format!("{} ms for a request", latency.as_millis()))),
    );
    checks
}

/// Whether the key is accepted: by the first answer that tells.
fn first_check(settings: &Settings, facts: &ApiFacts, origin: &str) -> Check {
    let url = &settings.api.url.value;
    let failure = facts.markets.iter().find_map(|market| match &market.access {
        ApiAccess::Failed(error) if ends_everything(error) => Some(error),
        _ => None,
    });
    let is_of_use = facts.markets.iter().any(|market| matches!(market.access, ApiAccess::Had(..)));
    let is_asked = facts.markets.iter().any(|market| !matches!(market.access, ApiAccess::NotAsked));
    match failure {
        Some(error @ RestError::TooManyRequests { .. }) => Check { state: State::Warn, ..Check::fails("rest", error) },
        Some(error) => {
            let check = Check::fails("rest", error);
            let found = format!("{} (key: {origin})", check.found);
            Check { found, ..check }
        }
        None if is_of_use => Check::new("rest", State::Ok, format!("{url} accepts the key ({origin})")),
        None if is_asked => Check::new("rest", State::Fails, format!("{url} refuses everything to the key ({origin})"))
            .advising("see on the vendor's dashboard what the plan includes"),
        None => Check::new("rest", State::NotAsked, format!("{url}, key from {origin}")),
    }
}

/// Whether a failure is none of a market's own.
const fn ends_everything(error: &RestError) -> bool {
    matches!(error, RestError::TooManyRequests { .. } | RestError::Unreachable { .. }) || error.is_common_cause()
}

fn market_check(market: &ApiMarket, facts: &ApiFacts) -> Option<Check> {
    let ApiMarket { dataset, ticker, date, access } = market;
    let name = format!("rest {dataset}");
    Some(match access {
        ApiAccess::Had(0, _) => {
            let found = format!("an answer without minutes of {ticker} on {date}");
            Check::new(name, State::Warn, found).advising("try again later: the vendor does so under load")
        }
        ApiAccess::Had(_, timeliness) => {
            let late = match timeliness {
                Timeliness::UpToDate => "",
                Timeliness::Delayed => ", late (DELAYED: 15 minutes)",
            };
            let back = match (dataset, facts.reach) {
                (Dataset::Stocks, Some(reach)) => format!(", back to {} ({})", reach.first, end(reach)),
                _ => String::new(),
            };
            Check::new(name, State::Ok, format!("minutes of {ticker} on {date}{back}{late}"))
        }
        ApiAccess::Failed(RestError::NotEntitled { message, .. }) => {
            // Behind its first sentence the vendor advertises.
            let said = message.split(". ").next().unwrap_or_default();
            Check::new(name, State::NotSetUp, format!("not in your plan ({said})"))
        }
        // Told once, above.
        ApiAccess::Failed(error) if ends_everything(error) => return None,
        ApiAccess::Failed(error) => Check::fails(name, error),
        ApiAccess::NotAsked if facts.is_cut_short => {
            Check::new(name, State::NotAsked, "the quota, or the time, had no room for it")
        }
        ApiAccess::NotAsked => return None,
    })
}

fn quota_check(facts: &ApiFacts, quota: &Quota) -> Check {
    let mut found = quota.describe();
    // What is free of a second is not any more when it is read.
    if quota.rate().window() > Duration::from_secs(1) {
        found.push_str(&match quota.free() {
            0 => format!("; none is free, the next one in {}", duration_of(quota.seconds_for(1).ceil())),
            free => format!("; {free} free now"),
        });
    }
    if facts.is_cut_short {
        found.push_str("; not everything was asked, to keep to it");
    }
    Check::new("rest quota", State::Ok, found)
}
