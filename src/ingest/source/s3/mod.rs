//! The vendor's bucket.

mod answer;
mod fetch;
mod list;
mod probe;

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    AppName, BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

pub use self::probe::ObjectProbe;
use super::{S3Credentials, SourceError};
use crate::net::Retry;

/// How to reach the bucket. Start from [`S3Options::default`].
#[derive(Debug, Clone)]
pub struct S3Options {
    /// Address, `https://host[:port]`.
    pub endpoint: String,
    /// Bucket.
    pub bucket: String,
    /// Region that requests are signed for; the vendor ignores it.
    pub region: String,
    /// Key pair. Without one nothing is asked.
    pub credentials: Option<S3Credentials>,
    /// Larger objects are fetched in parts of this many bytes.
    pub part_size: u64,
    /// Parts of one object fetched at once.
    pub parts_at_once: usize,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time to the head of an answer, or to all of a listing.
    pub answer_timeout: Duration,
    /// Longest time without a byte in the middle of an object.
    pub stall_timeout: Duration,
    /// How to try again; one budget for the whole run.
    pub retry: Retry,
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            endpoint: "https://files.massive.com".to_owned(),
            bucket: "flatfiles".to_owned(),
            region: "us-east-1".to_owned(),
            credentials: None,
            part_size: 16 << 20,
            parts_at_once: 4,
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(20),
            retry: Retry::default(),
        }
    }
}

/// The vendor's bucket, ready to be asked.
pub struct S3Source {
    client: Client,
    endpoint: String,
    bucket: String,
    part_size: u64,
    parts_at_once: usize,
    stall_timeout: Duration,
    retry: Retry,
    /// Cleared when the server was seen to ignore `Range`.
    does_ranges: AtomicBool,
}

impl fmt::Debug for S3Source {
    /// Without the client: it prints pages, the access key's name among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Source")
            .field("endpoint", &self.endpoint)
            .field("bucket", &self.bucket)
            .field("part_size", &self.part_size)
            .field("parts_at_once", &self.parts_at_once)
            .field("stall_timeout", &self.stall_timeout)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

impl S3Source {
    /// Prepares requests; none is made yet. `environment` gives the value of a variable (`std::env::var` in a program).
    pub fn connect(options: S3Options) -> Result<Self, SourceError> {
        let endpoint = checked_endpoint(&options.endpoint)?;
        let nobody = || SourceError::Credentials { detail: "there are no S3 credentials".to_owned() };
        let keys = options.credentials.ok_or_else(nobody)?;
        let credentials =
            Credentials::new(keys.access_key_id, keys.secret_access_key, keys.session_token, None, "barkeep settings");
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.answer_timeout)
            .operation_timeout(options.answer_timeout)
            .build();
        let config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .app_name(AppName::new("barkeep").expect("Invariant: the name has no special characters"))
            .http_client(
                aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https(),
            )
            .endpoint_url(&endpoint)
            .region(Region::new(options.region))
            .credentials_provider(credentials)
            .force_path_style(true)
            // The endpoint is not AWS: it sends no checksums and stumbles over ours.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            // One layer retries, with one budget, and it is ours; the same for stalls and a wrong clock, which a person
            // must hear of.
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .disable_clock_skew_correction(true)
            .disable_s3_express_session_auth(true)
            .timeout_config(timeouts)
            .build();
        Ok(Self {
            client: Client::from_conf(config),
            endpoint,
            bucket: options.bucket,
            part_size: options.part_size.max(1),
            parts_at_once: options.parts_at_once.max(1),
            stall_timeout: options.stall_timeout,
            retry: options.retry,
            does_ranges: AtomicBool::new(true),
        })
    }

    /// Bucket and address, for people.
    pub fn describe(&self) -> String {
        format!("s3://{} at {}", self.bucket, self.endpoint)
    }

    /// What errors call an object or prefix.
    fn object(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }
}

/// The endpoint without a trailing slash, if it is an address and nothing more.
fn checked_endpoint(endpoint: &str) -> Result<String, SourceError> {
    let bad = |detail: String| Err(SourceError::BadEndpoint { detail });
    let endpoint = endpoint.trim().trim_end_matches('/');
    let Some(host) = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://")) else {
        return bad(format!("`{endpoint}` does not start with https:// or http://"));
    };
    if host.contains('@') {
        // Not repeated: what stands before the @ is a password.
        return bad("has a user name or password in it".to_owned());
    }
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#')) {
        return bad(format!("`{endpoint}` has no valid host name"));
    }
    Ok(endpoint.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_addresses_without_passwords() {
        assert_eq!(checked_endpoint(" https://files.massive.com/ ").unwrap(), "https://files.massive.com");
        for bad in ["", "files.massive.com", "https://", "https://a b", "s3://flatfiles", "https://me:hush@host"] {
            let error = checked_endpoint(bad).unwrap_err();
            assert!(error.is_common_cause() && !error.to_string().contains("hush"), "{error}");
        }
    }

    #[test]
    fn no_secret_is_printed() {
        let options =
            S3Options { credentials: Some(S3Credentials::new("AKVISIBLE", "topsecret")), ..S3Options::default() };
        let source = S3Source::connect(options.clone()).unwrap();
        for text in [format!("{options:?}"), format!("{source:?}"), source.describe()] {
            assert!(!text.contains("topsecret") && !text.contains("AKVISIBLE"), "{text}");
        }
        assert_eq!(source.describe(), "s3://flatfiles at https://files.massive.com");
    }
}
