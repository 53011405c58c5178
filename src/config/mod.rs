//! Settings: read from flags, the environment, `.env`, a settings file and defaults, in this order, into one typed value.
//!
//! Nothing below the commands looks at the process environment again.

mod database;
pub mod env;
mod error;
mod file;
mod layers;
mod notify;
mod resolve;
mod secret;
mod settings;
mod show;
mod sourced;
mod variables;

pub use database::{DatabaseUrl, DatabaseUrlError, PostgresUrl};
pub use error::ConfigError;
pub use file::{ApiFileSettings, FileSettings, NotifyFileSettings, S3FileSettings, SettingsFile, SplitsFileSettings};
pub use layers::{Directories, Flags, Inputs};
pub use notify::{EmailSettings, NotifySettings, TelegramSettings, WebhookSettings};
pub use secret::Secret;
pub use settings::{AccessKey, ApiSettings, AwsProfile, Credentials, S3Settings, Settings};
pub use show::SettingRow;
pub use sourced::{Origin, Sourced};
pub use variables::Variables;
