//! What an answer of the vendor's means: the one place that looks at statuses and codes.

use std::error::Error;
use std::ops::Range;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use jiff::Timestamp;

use super::S3Source;
use crate::ingest::source::SourceError;
use crate::net::parse_retry_after;
use crate::net::{chain, tidy};

/// Codes that say the key pair is not accepted.
const CREDENTIAL_CODES: [&str; 11] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
    "InvalidSecurity",
    "InvalidClientTokenId",
    "MissingSecurityHeader",
    "MissingAuthenticationToken",
    "AuthorizationHeaderMalformed",
    "NotSignedUp",
];

/// Codes that say this machine's clock is off.
const CLOCK_CODES: [&str; 2] = ["RequestTimeTooSkewed", "RequestExpired"];

/// Codes that say "later", whatever status they come with (a `RequestTimeout` is a 400).
const LATER_CODES: [&str; 9] = [
    "SlowDown",
    "RequestTimeout",
    "InternalError",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "RequestThrottled",
    "TooManyRequests",
    "OperationAborted",
];

/// How the TLS library begins its words about a certificate it refuses. Its error type is out of reach behind the SDK.
const CERTIFICATE_WORDS: &str = "invalid peer certificate";

impl S3Source {
    /// What a failed request means.
    pub(super) fn failure<E>(&self, key: &str, error: &SdkError<E, HttpResponse>) -> SourceError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let object = self.object(key);
        match (error, error.raw_response()) {
            (SdkError::ServiceError(_) | SdkError::ResponseError(_), Some(response)) => {
                let status = response.status().as_u16();
                if (200..300).contains(&status) {
                    // Cut off, or not the XML it should be: a proxy's page, or a body that broke.
                    return SourceError::unreachable(&object, format!("unreadable answer: {}", chain(error)));
                }
                let told = error.as_service_error().map(ProvideErrorMetadata::meta);
                let code = told.and_then(|meta| meta.code()).unwrap_or_default();
                let message = told.and_then(|meta| meta.message()).unwrap_or_default();
                let retry_after = response.headers().get("retry-after");
                let retry_after = retry_after.and_then(|value| parse_retry_after(value, Timestamp::now()));
                let refused = Refusal { status, code: &tidy(code), message: &tidy(message) };
                match refused.meaning(object) {
                    SourceError::NoSuchBucket { .. } => {
                        SourceError::NoSuchBucket { bucket: self.bucket.clone(), endpoint: self.endpoint.clone() }
                    }
                    SourceError::Unreachable { object, detail, .. } => {
                        SourceError::Unreachable { object, detail, retry_after, tried: None }
                    }
                    other => other,
                }
            }
            (SdkError::TimeoutError(_), _) => {
                SourceError::unreachable(&object, format!("no answer from {} in time", self.endpoint))
            }
            (SdkError::DispatchFailure(failure), _) if failure.is_user() => {
                SourceError::Unexpected { object, detail: chain(error) }
            }
            (SdkError::DispatchFailure(_), _) => {
                let (endpoint, why) = (self.endpoint.clone(), chain(error));
                match why.find(CERTIFICATE_WORDS) {
                    Some(at) => SourceError::Untrusted { endpoint, detail: why[at..].to_owned() },
                    None => SourceError::unreachable(&object, format!("no answer from {endpoint}: {why}")),
                }
            }
            _ => SourceError::Unexpected { object, detail: chain(error) },
        }
    }
}

/// A request answered with anything but success.
struct Refusal<'a> {
    status: u16,
    code: &'a str,
    message: &'a str,
}

impl Refusal<'_> {
    fn meaning(&self, object: String) -> SourceError {
        let Self { status, code, message } = *self;
        let message = if message.is_empty() { "no further explanation" } else { message };
        let said = if code.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status} {code}") };
        if CLOCK_CODES.contains(&code) {
            return SourceError::ClockSkew { object, message: message.to_owned() };
        }
        if status == 401 || CREDENTIAL_CODES.contains(&code) {
            let detail = format!("{object}: the vendor does not accept the S3 credentials ({said}: {message})");
            return SourceError::Credentials { detail };
        }
        if code == "NoSuchBucket" {
            return SourceError::NoSuchBucket { bucket: String::new(), endpoint: String::new() };
        }
        if LATER_CODES.contains(&code) || matches!(status, 408 | 429 | 500..) {
            return SourceError::unreachable(&object, format!("{said}: {message}"));
        }
        match status {
            403 => {
                let code = if code.is_empty() { "HTTP 403" } else { code };
                SourceError::NotEntitled { object, code: code.to_owned(), message: message.to_owned() }
            }
            404 => SourceError::NotFound { object },
            412 => SourceError::Changed { object },
            _ => SourceError::Unexpected { object, detail: format!("{said}: {message}") },
        }
    }
}

/// A `Content-Range`: which bytes, and of how many (`None` where the server does not know).
pub(super) fn parse_content_range(value: &str) -> Option<(Range<u64>, Option<u64>)> {
    let (span, total) = value.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    let end = last.checked_add(1)?;
    (first < end && total.is_none_or(|total| end <= total)).then_some((first..end, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, code: &str) -> String {
        let error = Refusal { status, code, message: "words" }.meaning("s3://b/k".to_owned());
        let text = format!("{error:?}");
        text.split([' ', '{']).next().unwrap().to_owned()
    }

    #[test]
    fn refusals_are_told_apart_by_status_and_code() {
        for (status, code, meaning) in [
            (403, "NOT_AUTHORIZED", "NotEntitled"),
            (403, "AccessDenied", "NotEntitled"),
            (403, "", "NotEntitled"),
            (403, "InvalidAccessKeyId", "Credentials"),
            (403, "SignatureDoesNotMatch", "Credentials"),
            (400, "ExpiredToken", "Credentials"),
            (401, "", "Credentials"),
            (403, "RequestTimeTooSkewed", "ClockSkew"),
            (404, "NoSuchKey", "NotFound"),
            (404, "", "NotFound"),
            (404, "NoSuchBucket", "NoSuchBucket"),
            (412, "PreconditionFailed", "Changed"),
            (503, "SlowDown", "Unreachable"),
            (400, "RequestTimeout", "Unreachable"),
            (408, "", "Unreachable"),
            (429, "", "Unreachable"),
            (500, "", "Unreachable"),
            (504, "", "Unreachable"),
            (416, "InvalidRange", "Unexpected"),
            (301, "PermanentRedirect", "Unexpected"),
        ] {
            assert_eq!(kind(status, code), meaning, "{status} {code}");
        }
    }

    #[test]
    fn content_ranges_are_read_strictly() {
        assert_eq!(parse_content_range("bytes 0-9/100"), Some((0..10, Some(100))));
        assert_eq!(parse_content_range("bytes 5-5/*"), Some((5..6, None)));
        for bad in ["", "bytes */100", "bytes 9-0/100", "bytes 0-100/100", "0-9/100", "bytes 0-9", "bytes a-b/c"] {
            assert_eq!(parse_content_range(bad), None, "{bad}");
        }
        assert_eq!(parse_content_range(&format!("bytes 0-{}/*", u64::MAX)), None);
    }
}
