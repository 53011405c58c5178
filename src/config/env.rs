//! Every environment variable that is read, named once. The same names work in a `.env` file in the working directory,
//! except [`NO_COLOR`].

/// Where the bars are kept: `sqlite:PATH` or `postgres://…`. Flag `--database-url`, settings file `database_url`.
pub const DATABASE_URL: &str = "DATABASE_URL";
/// Address of the vendor's S3 service. Settings file `s3.endpoint`.
pub const MASSIVE_S3_ENDPOINT: &str = "MASSIVE_S3_ENDPOINT";
/// The vendor's bucket. Settings file `s3.bucket`.
pub const MASSIVE_S3_BUCKET: &str = "MASSIVE_S3_BUCKET";
/// Key of the vendor's REST API (not one of the S3 pair). Never in the settings file.
pub const MASSIVE_API_KEY: &str = "MASSIVE_API_KEY";
/// Address of the vendor's REST API. Settings file `api.url`.
pub const MASSIVE_API_URL: &str = "MASSIVE_API_URL";
/// Access key id of the vendor's S3 service (not the REST API key). Never in the settings file.
pub const MASSIVE_S3_ACCESS_KEY_ID: &str = "MASSIVE_S3_ACCESS_KEY_ID";
/// Secret that belongs to [`MASSIVE_S3_ACCESS_KEY_ID`]. Never in the settings file.
pub const MASSIVE_S3_SECRET_ACCESS_KEY: &str = "MASSIVE_S3_SECRET_ACCESS_KEY";
/// Address that messages are posted to. Such addresses carry tokens: never in the settings file.
pub const BARKEEP_WEBHOOK_URL: &str = "BARKEEP_WEBHOOK_URL";
/// Secret that messages to [`BARKEEP_WEBHOOK_URL`] are signed with. Never in the settings file.
pub const BARKEEP_WEBHOOK_SECRET: &str = "BARKEEP_WEBHOOK_SECRET";
/// The mail server, `smtps://user:password@host`. Never in the settings file.
pub const BARKEEP_SMTP_URL: &str = "BARKEEP_SMTP_URL";
/// Who e-mail comes from. Settings file `notify.email_from`.
pub const BARKEEP_EMAIL_FROM: &str = "BARKEEP_EMAIL_FROM";
/// Whom e-mail goes to, with commas between. Settings file `notify.email_to`.
pub const BARKEEP_EMAIL_TO: &str = "BARKEEP_EMAIL_TO";
/// Token of a Telegram bot. Never in the settings file.
pub const BARKEEP_TELEGRAM_TOKEN: &str = "BARKEEP_TELEGRAM_TOKEN";
/// The chat its messages go to: a number, or a channel's `@name`. Settings file `notify.telegram_chat`.
pub const BARKEEP_TELEGRAM_CHAT: &str = "BARKEEP_TELEGRAM_CHAT";
/// Address of Telegram's API. Settings file `notify.telegram_url`.
pub const BARKEEP_TELEGRAM_URL: &str = "BARKEEP_TELEGRAM_URL";
/// `true`: detectors of `backtest` take signals outside regular hours, too, unless their `rth_only` is set.
pub const ALLOW_WEEKEND_SIGNALS: &str = "ALLOW_WEEKEND_SIGNALS";
/// Folder of fetched files. Flag `--cache-dir`, settings file `cache_dir`.
pub const BARKEEP_CACHE_DIR: &str = "BARKEEP_CACHE_DIR";
/// The time to take for now (RFC 3339), for tests and simulations.
#[cfg(feature = "sandbox")]
pub const BARKEEP_NOW: &str = "BARKEEP_NOW";
/// A file that holds the time to take for now (RFC 3339); it passes when a process would sleep until something happens. For
/// simulations.
#[cfg(feature = "sandbox")]
pub const BARKEEP_CLOCK: &str = "BARKEEP_CLOCK";
/// Bytes of a part of a large object, for tests with small ones.
#[cfg(feature = "sandbox")]
pub const BARKEEP_PART_SIZE: &str = "BARKEEP_PART_SIZE";
/// Milliseconds to wait for a connection, an answer, or its next byte, for tests that cannot wait long.
#[cfg(feature = "sandbox")]
pub const BARKEEP_PATIENCE_MS: &str = "BARKEEP_PATIENCE_MS";
/// For how many seconds a day stays claimed by a process that has died, for tests.
#[cfg(feature = "sandbox")]
pub const BARKEEP_LEASE_SECONDS: &str = "BARKEEP_LEASE_SECONDS";
/// Access key id taken when the `MASSIVE_S3_…` pair is not set.
pub const AWS_ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
/// Secret that belongs to [`AWS_ACCESS_KEY_ID`].
pub const AWS_SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
/// Session token that belongs to [`AWS_ACCESS_KEY_ID`], if it is a temporary key.
pub const AWS_SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
/// Named profile of the AWS credentials file, taken when neither pair of keys is set.
pub const AWS_PROFILE: &str = "AWS_PROFILE";
/// AWS credentials file to look [`AWS_PROFILE`] up in, instead of `~/.aws/credentials`.
pub const AWS_SHARED_CREDENTIALS_FILE: &str = "AWS_SHARED_CREDENTIALS_FILE";
/// AWS configuration file to look [`AWS_PROFILE`] up in, instead of `~/.aws/config`.
pub const AWS_CONFIG_FILE: &str = "AWS_CONFIG_FILE";
/// Set to anything: no colour in progress bars. Environment only.
pub const NO_COLOR: &str = "NO_COLOR";

/// All of them.
pub const ALL: &[&str] = &[
    DATABASE_URL,
    MASSIVE_S3_ENDPOINT,
    MASSIVE_S3_BUCKET,
    MASSIVE_S3_ACCESS_KEY_ID,
    MASSIVE_S3_SECRET_ACCESS_KEY,
    MASSIVE_API_KEY,
    MASSIVE_API_URL,
    ALLOW_WEEKEND_SIGNALS,
    BARKEEP_WEBHOOK_URL,
    BARKEEP_WEBHOOK_SECRET,
    BARKEEP_SMTP_URL,
    BARKEEP_EMAIL_FROM,
    BARKEEP_EMAIL_TO,
    BARKEEP_TELEGRAM_TOKEN,
    BARKEEP_TELEGRAM_CHAT,
    BARKEEP_TELEGRAM_URL,
    BARKEEP_CACHE_DIR,
    #[cfg(feature = "sandbox")]
    BARKEEP_NOW,
    #[cfg(feature = "sandbox")]
    BARKEEP_CLOCK,
    #[cfg(feature = "sandbox")]
    BARKEEP_PART_SIZE,
    #[cfg(feature = "sandbox")]
    BARKEEP_PATIENCE_MS,
    #[cfg(feature = "sandbox")]
    BARKEEP_LEASE_SECONDS,
    AWS_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY,
    AWS_SESSION_TOKEN,
    AWS_PROFILE,
    AWS_SHARED_CREDENTIALS_FILE,
    AWS_CONFIG_FILE,
    NO_COLOR,
];
