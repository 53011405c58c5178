//! Flags over environment over `.env` over settings file over defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::notify::notify;
use super::{
    AccessKey, ApiSettings, AwsProfile, ConfigError, Credentials, DatabaseUrl, FileSettings, Inputs, Origin,
    S3Settings, Secret, Settings, Sourced, env,
};

const DEFAULT_ENDPOINT: &str = "https://files.massive.com";
const DEFAULT_BUCKET: &str = "flatfiles";
const DEFAULT_API_URL: &str = "https://api.massive.com";
const DEFAULT_RATE: &str = "auto";
const DEFAULT_CACHE_KEEP: &str = "24h";
const DEFAULT_DOWNLOADS: usize = 12;
const DEFAULT_LEASE: Duration = Duration::from_mins(1);
/// Shorter than the lease, or two processes would send the same message.
const NOTIFY_PATIENCE: Duration = Duration::from_secs(20);
/// More files or threads at once than any machine gains from; a number above it is a slip of the finger.
const MOST_AT_ONCE: u64 = 256;

impl Settings {
    /// Settles every setting.
    pub fn resolve(inputs: &Inputs) -> Result<Self, ConfigError> {
        let lease = lease(inputs)?;
        Ok(Self {
            files: inputs.dotenv_file.iter().chain(inputs.file.iter().map(|file| &file.path)).cloned().collect(),
            database: database(inputs)?,
            source: source(inputs)?,
            s3: s3(inputs)?,
            api: api(inputs)?,
            split_overrides: split_overrides(inputs)?,
            cache_dir: cache_dir(inputs)?,
            cache_keep: cache_keep(inputs)?,
            downloads: at_once(
                inputs.flags.downloads.map(|n| Sourced::new(n, Origin::Flag("--downloads"))),
                from_file(inputs, "downloads", |file| file.downloads),
                DEFAULT_DOWNLOADS,
            )?,
            decoders: at_once(
                inputs.flags.decoders.map(|n| Sourced::new(n, Origin::Flag("--decoders"))),
                from_file(inputs, "decoders", |file| file.decoders),
                inputs.cores.max(1),
            )?,
            // Not from `.env`: it is about the terminal, not the project.
            color: match inputs.environment.get(env::NO_COLOR) {
                Some(_) => Sourced::new(false, Origin::Environment(env::NO_COLOR)),
                None => Sourced::new(true, Origin::Default),
            },
            off_hours_signals: off_hours_signals(inputs)?,
            now: now(inputs)?,
            #[cfg(feature = "sandbox")]
            clock_file: variable(inputs, env::BARKEEP_CLOCK).map(|file| file.value.into()),
            notify: notify(inputs, notify_patience(inputs)?, lease.value)?,
            lease,
            #[cfg(feature = "sandbox")]
            patience: test_number(inputs, env::BARKEEP_PATIENCE_MS)?.map(Duration::from_millis),
        })
    }
}

fn off_hours_signals(inputs: &Inputs) -> Result<Sourced<bool>, ConfigError> {
    let Some(Sourced { value, origin }) = variable(inputs, env::ALLOW_WEEKEND_SIGNALS) else {
        return Ok(Sourced::new(false, Origin::Default));
    };
    match value.parse() {
        Ok(value) => Ok(Sourced::new(value, origin)),
        Err(_) => Err(ConfigError::Value { origin, problem: format!("`{value}` is neither true nor false") }),
    }
}

pub(super) fn variable(inputs: &Inputs, name: &'static str) -> Option<Sourced<String>> {
    let of = |value: &str, origin| Sourced::new(value.to_owned(), origin);
    let environment = inputs.environment.get(name).map(|value| of(value, Origin::Environment(name)));
    environment.or_else(|| inputs.dotenv.get(name).map(|value| of(value, Origin::DotEnv(name))))
}

pub(super) fn from_file<T>(
    inputs: &Inputs,
    key: &'static str,
    get: impl FnOnce(&FileSettings) -> Option<T>,
) -> Option<Sourced<T>> {
    let file = inputs.file.as_ref()?;
    let value = get(&file.settings)?;
    Some(Sourced::new(value, Origin::File { path: file.path.clone(), key }))
}

fn database(inputs: &Inputs) -> Result<Sourced<DatabaseUrl>, ConfigError> {
    let named = inputs
        .flags
        .database_url
        .clone()
        .map(|url| Sourced::new(url, Origin::Flag("--database-url")))
        .or_else(|| variable(inputs, env::DATABASE_URL).map(|url| url.map(Secret::new)))
        .or_else(|| from_file(inputs, "database_url", |file| file.database_url.clone()));
    if let Some(Sourced { value, origin }) = named {
        return match value.expose().parse() {
            Ok(DatabaseUrl::Sqlite(path)) => Ok(Sourced::new(DatabaseUrl::Sqlite(at_home(inputs, path)), origin)),
            Ok(postgres) => Ok(Sourced::new(postgres, origin)),
            Err(source) => Err(ConfigError::Database { origin, source }),
        };
    }
    let directories = inputs
        .directories
        .as_ref()
        .ok_or(ConfigError::NoHome { what: "the database", instead: "--database-url=sqlite:PATH or DATABASE_URL" })?;
    Ok(Sourced::new(DatabaseUrl::Sqlite(directories.data.join("barkeep/barkeep.db")), Origin::Default))
}

fn source(inputs: &Inputs) -> Result<Option<Sourced<PathBuf>>, ConfigError> {
    let flag = inputs.flags.source.clone().map(|dir| Sourced::new(dir, Origin::Flag("--source")));
    let named = flag.or_else(|| from_file(inputs, "source", |file| file.source.clone()));
    named.map(|dir| checked_path(inputs, dir, "the folder that mirrors the bucket")).transpose()
}

fn split_overrides(inputs: &Inputs) -> Result<Option<Sourced<PathBuf>>, ConfigError> {
    let flag = inputs.flags.split_overrides.clone().map(|path| Sourced::new(path, Origin::Flag("--overrides")));
    let named = flag.or_else(|| from_file(inputs, "splits.overrides", |file| file.splits.overrides.clone()));
    let beside = || inputs.overrides_beside.clone().map(|path| Sourced::new(path, Origin::Default));
    named.or_else(beside).map(|path| checked_path(inputs, path, "a file of split overrides")).transpose()
}

fn cache_dir(inputs: &Inputs) -> Result<Sourced<PathBuf>, ConfigError> {
    let named = inputs
        .flags
        .cache_dir
        .clone()
        .map(|dir| Sourced::new(dir, Origin::Flag("--cache-dir")))
        .or_else(|| variable(inputs, env::BARKEEP_CACHE_DIR).map(|dir| dir.map(PathBuf::from)))
        .or_else(|| from_file(inputs, "cache_dir", |file| file.cache_dir.clone()));
    if let Some(dir) = named {
        return checked_path(inputs, dir, "a folder for fetched files");
    }
    let directories = inputs
        .directories
        .as_ref()
        .ok_or(ConfigError::NoHome { what: "fetched files", instead: "--cache-dir=DIR or BARKEEP_CACHE_DIR" })?;
    Ok(Sourced::new(directories.cache.join("barkeep"), Origin::Default))
}

fn checked_path(inputs: &Inputs, path: Sourced<PathBuf>, what: &str) -> Result<Sourced<PathBuf>, ConfigError> {
    if path.value == Path::new("") {
        return Err(ConfigError::Value {
            origin: path.origin,
            problem: format!("is empty: name {what}, or leave it out"),
        });
    }
    Ok(path.map(|path| at_home(inputs, path)))
}

/// A path with `~/` at its start put into the home directory: no shell has done so in a settings file, nor behind the `=` of
/// a flag.
fn at_home(inputs: &Inputs, path: PathBuf) -> PathBuf {
    match (path.strip_prefix("~"), &inputs.directories) {
        (Ok(below), Some(directories)) => directories.home.join(below),
        _ => path,
    }
}

fn cache_keep(inputs: &Inputs) -> Result<Sourced<String>, ConfigError> {
    let flag = inputs.flags.cache_keep.clone().map(|keep| Sourced::new(keep, Origin::Flag("--cache-keep")));
    let named = flag.or_else(|| from_file(inputs, "cache_keep", |file| file.cache_keep.clone()));
    let keep = named.unwrap_or_else(|| Sourced::new(DEFAULT_CACHE_KEEP.to_owned(), Origin::Default));
    if keep.value.trim().is_empty() {
        let problem = "is empty: name a time such as 24h, a size such as 20GB, or forever".to_owned();
        return Err(ConfigError::Value { origin: keep.origin, problem });
    }
    Ok(keep)
}

fn at_once(
    flag: Option<Sourced<u64>>,
    file: Option<Sourced<u64>>,
    default: usize,
) -> Result<Sourced<usize>, ConfigError> {
    let Some(Sourced { value, origin }) = flag.or(file) else {
        return Ok(Sourced::new(default, Origin::Default));
    };
    match usize::try_from(value) {
        Ok(number) if (1..=MOST_AT_ONCE).contains(&value) => Ok(Sourced::new(number, origin)),
        _ => Err(ConfigError::Value { origin, problem: format!("{value} is not between 1 and {MOST_AT_ONCE}") }),
    }
}

fn s3(inputs: &Inputs) -> Result<S3Settings, ConfigError> {
    let endpoint = variable(inputs, env::MASSIVE_S3_ENDPOINT)
        .or_else(|| from_file(inputs, "s3.endpoint", |file| file.s3.endpoint.clone()))
        .unwrap_or_else(|| Sourced::new(DEFAULT_ENDPOINT.to_owned(), Origin::Default));
    let bucket = variable(inputs, env::MASSIVE_S3_BUCKET)
        .or_else(|| from_file(inputs, "s3.bucket", |file| file.s3.bucket.clone()))
        .unwrap_or_else(|| Sourced::new(DEFAULT_BUCKET.to_owned(), Origin::Default));
    if bucket.value.is_empty() || bucket.value.contains(|c: char| c == '/' || c.is_whitespace()) {
        let problem = format!("`{}` is not the name of a bucket (the vendor's is {DEFAULT_BUCKET})", bucket.value);
        return Err(ConfigError::Value { origin: bucket.origin, problem });
    }
    Ok(S3Settings {
        endpoint: checked_address(
            endpoint,
            ("the S3 endpoint", DEFAULT_ENDPOINT),
            "MASSIVE_S3_ACCESS_KEY_ID and MASSIVE_S3_SECRET_ACCESS_KEY",
        )?,
        bucket,
        credentials: credentials(inputs)?,
        #[cfg(feature = "sandbox")]
        part_size_bytes: test_number(inputs, env::BARKEEP_PART_SIZE)?,
    })
}

#[cfg(feature = "sandbox")]
fn test_number(inputs: &Inputs, name: &'static str) -> Result<Option<u64>, ConfigError> {
    let Some(Sourced { value, origin }) = variable(inputs, name) else { return Ok(None) };
    let number = value.parse().ok().filter(|number| *number > 0);
    let problem = || format!("`{value}` is not a positive number");
    number.map(Some).ok_or_else(|| ConfigError::Value { origin, problem: problem() })
}

fn api(inputs: &Inputs) -> Result<ApiSettings, ConfigError> {
    let url = variable(inputs, env::MASSIVE_API_URL)
        .or_else(|| from_file(inputs, "api.url", |file| file.api.url.clone()))
        .unwrap_or_else(|| Sourced::new(DEFAULT_API_URL.to_owned(), Origin::Default));
    let flag = inputs.flags.rate.clone().map(|rate| Sourced::new(rate, Origin::Flag("--rate")));
    let rate = flag.or_else(|| from_file(inputs, "rate", |file| file.rate.clone()));
    Ok(ApiSettings {
        url: checked_address(url, ("the REST API's address", DEFAULT_API_URL), "MASSIVE_API_KEY")?,
        key: variable(inputs, env::MASSIVE_API_KEY).map(|key| key.map(Secret::new)),
        rate: rate.unwrap_or_else(|| Sourced::new(DEFAULT_RATE.to_owned(), Origin::Default)),
    })
}

/// An address of the vendor's, of which `what` says which and what it usually is. It is never repeated in a message: a user
/// name and password may be in it.
fn checked_address(
    address: Sourced<String>,
    (what, usual): (&str, &str),
    key: &str,
) -> Result<Sourced<String>, ConfigError> {
    let problem = match Url::parse(&address.value) {
        Ok(url) if !matches!(url.scheme(), "http" | "https") => "is not an http or https address".to_owned(),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            format!("has a user name or password in it: keys belong into {key}")
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            "has a `?` or `#` part, which it cannot have".to_owned()
        }
        Ok(_) => return Ok(address.map(|text| text.trim_end_matches('/').to_owned())),
        Err(_) => "is not an http or https address".to_owned(),
    };
    let problem = format!("{what} {problem} (the vendor's is {usual})");
    Err(ConfigError::Value { origin: address.origin, problem })
}

fn credentials(inputs: &Inputs) -> Result<Option<Credentials>, ConfigError> {
    if let Some(key) = key(inputs, env::MASSIVE_S3_ACCESS_KEY_ID, env::MASSIVE_S3_SECRET_ACCESS_KEY)? {
        return Ok(Some(Credentials::Key(key)));
    }
    if let Some(mut key) = key(inputs, env::AWS_ACCESS_KEY_ID, env::AWS_SECRET_ACCESS_KEY)? {
        key.session_token = variable(inputs, env::AWS_SESSION_TOKEN).map(|token| token.map(Secret::new));
        return Ok(Some(Credentials::Key(key)));
    }
    let path = |name| variable(inputs, name).map(|path| path.map(PathBuf::from));
    Ok(variable(inputs, env::AWS_PROFILE).map(|name| {
        Credentials::Profile(AwsProfile {
            name,
            credentials_file: path(env::AWS_SHARED_CREDENTIALS_FILE),
            config_file: path(env::AWS_CONFIG_FILE),
        })
    }))
}

fn key(inputs: &Inputs, id_name: &'static str, secret_name: &'static str) -> Result<Option<AccessKey>, ConfigError> {
    match (variable(inputs, id_name), variable(inputs, secret_name)) {
        (Some(id), Some(secret)) => Ok(Some(AccessKey { id, secret: secret.map(Secret::new), session_token: None })),
        (Some(id), None) => Err(ConfigError::HalfAKey { present: id_name, origin: id.origin, absent: secret_name }),
        (None, Some(secret)) => {
            Err(ConfigError::HalfAKey { present: secret_name, origin: secret.origin, absent: id_name })
        }
        (None, None) => Ok(None),
    }
}

#[cfg(feature = "sandbox")]
fn now(inputs: &Inputs) -> Result<Sourced<jiff::Timestamp>, ConfigError> {
    let read = |file: &Sourced<String>| {
        let unread =
            |error| ConfigError::Value { origin: file.origin.clone(), problem: format!("{}: {error}", file.value) };
        std::fs::read_to_string(&file.value).map_err(unread)
    };
    let of_file = variable(inputs, env::BARKEEP_CLOCK).map(|file| Ok(Sourced::new(read(&file)?, file.origin)));
    let Some(named) = of_file.or_else(|| variable(inputs, env::BARKEEP_NOW).map(Ok)) else {
        return Ok(Sourced::new(inputs.clock, Origin::Default));
    };
    let Sourced { value, origin } = named?;
    let value = value.trim();
    if let Ok(now) = value.parse() {
        Ok(Sourced::new(now, origin))
    } else {
        let problem = format!("`{value}` is not a time: write it like 2024-07-12T15:00:00Z");
        Err(ConfigError::Value { origin, problem })
    }
}

#[cfg(feature = "sandbox")]
fn lease(inputs: &Inputs) -> Result<Sourced<Duration>, ConfigError> {
    let Some(Sourced { value, origin }) = variable(inputs, env::BARKEEP_LEASE_SECONDS) else {
        return Ok(Sourced::new(DEFAULT_LEASE, Origin::Default));
    };
    let seconds = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match seconds.filter(|seconds| !seconds.is_zero()) {
        Some(seconds) => Ok(Sourced::new(seconds, origin)),
        None => Err(ConfigError::Value { origin, problem: format!("`{value}` is not a number of seconds above 0") }),
    }
}

#[cfg(feature = "sandbox")]
fn notify_patience(inputs: &Inputs) -> Result<Duration, ConfigError> {
    Ok(test_number(inputs, env::BARKEEP_PATIENCE_MS)?.map_or(NOTIFY_PATIENCE, Duration::from_millis))
}

#[cfg(not(feature = "sandbox"))]
fn notify_patience(_: &Inputs) -> Result<Duration, ConfigError> {
    Ok(NOTIFY_PATIENCE)
}

#[cfg(not(feature = "sandbox"))]
fn now(inputs: &Inputs) -> Result<Sourced<jiff::Timestamp>, ConfigError> {
    Ok(Sourced::new(inputs.clock, Origin::Default))
}

#[cfg(not(feature = "sandbox"))]
fn lease(_: &Inputs) -> Result<Sourced<Duration>, ConfigError> {
    Ok(Sourced::new(DEFAULT_LEASE, Origin::Default))
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
