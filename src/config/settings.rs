//! The settings of a run.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::{DatabaseUrl, NotifySettings, Secret, Sourced};

/// What a run is told about its surroundings. Made once by [`Settings::resolve`], never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The files that settings were read from: `.env`, the settings file.
    pub files: Vec<PathBuf>,
    /// Where the bars are kept.
    pub database: Sourced<DatabaseUrl>,
    /// A local mirror to read instead of the vendor's bucket.
    pub source: Option<Sourced<PathBuf>>,
    /// The vendor's bucket.
    pub s3: S3Settings,
    /// The vendor's REST API.
    pub api: ApiSettings,
    /// Whom to tell when something fails.
    pub notify: NotifySettings,
    /// The user's file of split overrides.
    pub split_overrides: Option<Sourced<PathBuf>>,
    /// Folder of fetched files.
    pub cache_dir: Sourced<PathBuf>,
    /// How long, or how many bytes of, fetched files are kept; read by the cache.
    pub cache_keep: Sourced<String>,
    /// Files fetched at the same time, at least 1.
    pub downloads: Sourced<usize>,
    /// Threads that decode files, at least 1.
    pub decoders: Sourced<usize>,
    /// Whether bars may be coloured.
    pub color: Sourced<bool>,
    /// Whether detectors take signals outside regular hours, unless their parameter says.
    pub off_hours_signals: Sourced<bool>,
    /// The time taken for now.
    pub now: Sourced<Timestamp>,
    /// The file that holds the time, where a simulation sets one.
    #[cfg(feature = "sandbox")]
    pub clock_file: Option<PathBuf>,
    /// How long a day stays claimed by a process that has died.
    pub lease: Sourced<Duration>,
    /// How long the vendor is waited for, where a test sets it.
    #[cfg(feature = "sandbox")]
    pub patience: Option<Duration>,
}

/// Where the vendor's bucket is and who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Settings {
    /// Address of the service: `http` or `https`, no slash at the end.
    pub endpoint: Sourced<String>,
    /// Name of the bucket.
    pub bucket: Sourced<String>,
    /// Who asks; `None` when nobody is named.
    pub credentials: Option<Credentials>,
    /// Bytes of a part of a large object, where a test sets them.
    #[cfg(feature = "sandbox")]
    pub part_size_bytes: Option<u64>,
}

/// Where the vendor's REST API is, who asks, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    /// Its address: `http` or `https`, no slash at the end.
    pub url: Sourced<String>,
    /// Who asks; `None` when nobody is named.
    pub key: Option<Sourced<Secret>>,
    /// Most requests in a time (`5/min`, `100/s`), or `auto`; read by the quota.
    pub rate: Sourced<String>,
}

/// Who asks for files. Instance metadata is never asked for credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A key: the vendor's own variables if they are set, else the `AWS_…` ones.
    Key(AccessKey),
    /// A named profile of the AWS files.
    Profile(AwsProfile),
}

/// An S3 access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// Its public half.
    pub id: Sourced<String>,
    /// Its secret half.
    pub secret: Sourced<Secret>,
    /// Token of a temporary key.
    pub session_token: Option<Sourced<Secret>>,
}

/// A profile in the AWS credentials file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsProfile {
    /// Its name.
    pub name: Sourced<String>,
    /// The credentials file, if not the usual one.
    pub credentials_file: Option<Sourced<PathBuf>>,
    /// The configuration file, if not the usual one.
    pub config_file: Option<Sourced<PathBuf>>,
}
