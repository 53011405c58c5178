//! Answers without data, in the vendor's words.

use std::time::Duration;

/// Why there is no data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 401.
    NoKey,
    /// 401.
    UnknownKey,
    /// 403: a market outside the plan.
    NotEntitled,
    /// 403: a date before the plan's history, or in the future.
    Timeframe,
    /// 429, and how long until a request would be answered.
    TooMany(Duration),
    /// 404.
    NotFound,
    /// 400, in its own words.
    Wrong(String),
}

impl Refusal {
    pub(super) fn status(&self) -> u16 {
        match self {
            Self::NoKey | Self::UnknownKey => 401,
            Self::NotEntitled | Self::Timeframe => 403,
            Self::TooMany(_) => 429,
            Self::NotFound => 404,
            Self::Wrong(_) => 400,
        }
    }

    pub(super) fn body(&self, request_id: &str) -> String {
        match self {
            Self::NoKey => error(request_id, "API Key was not provided"),
            Self::UnknownKey => error(request_id, "Unknown API Key"),
            Self::NotEntitled => message(request_id, "NOT_AUTHORIZED", "You are not entitled to this data."),
            Self::Timeframe => message(request_id, "NOT_AUTHORIZED", "Your plan doesn't include this data timeframe."),
            Self::TooMany(_) => error(request_id, TOO_MANY),
            Self::NotFound => error(request_id, "The requested resource was not found"),
            Self::Wrong(what) => error(request_id, what),
        }
    }
}

const TOO_MANY: &str =
    "You've exceeded the maximum requests per minute, please wait or upgrade your subscription to continue.";

/// What the vendor's gateway says when what is behind it does not answer.
pub(super) fn html(status: u16) -> String {
    let title = format!("{status} {}", reason(status));
    format!(
        "<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center><hr><center>nginx</center>\
         </body></html>"
    )
}

/// What the vendor says with a status that a script asks for.
pub(super) fn body_of(status: u16, request_id: &str) -> String {
    match status {
        401 => Refusal::UnknownKey.body(request_id),
        403 => Refusal::NotEntitled.body(request_id),
        404 => Refusal::NotFound.body(request_id),
        429 => error(request_id, TOO_MANY),
        _ => error(request_id, reason(status)),
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        499 => "Client Closed Request",
        504 => "Gateway Time-out",
        _ => hyper::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error"),
    }
}

fn error(request_id: &str, text: &str) -> String {
    let text = serde_json::Value::from(text);
    format!(r#"{{"status":"ERROR","request_id":"{request_id}","error":{text}}}"#)
}

fn message(request_id: &str, status: &str, text: &str) -> String {
    let advice = "Please upgrade your plan at https://polygon.io/pricing";
    format!(r#"{{"status":"{status}","request_id":"{request_id}","message":"{text} {advice}"}}"#)
}
