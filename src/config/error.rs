//! What can be wrong with settings.

use std::io;
use std::path::PathBuf;

use super::{DatabaseUrlError, Origin};

/// Settings that cannot be used. No message shows a value that may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable whose bytes are no text.
    #[error("environment variable {name} is not valid UTF-8: set it again as plain text")]
    NotText {
        /// The variable.
        name: &'static str,
    },
    /// A file that is there (or was named) and cannot be read.
    #[error("cannot read the settings in {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of `.env` that is no assignment.
    #[error("{}, line {line}: not of the form NAME=value (put values with spaces, `#` or `$` in single quotes)", path.display())]
    DotEnv {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A settings file that is no TOML, or has a key or value it cannot have.
    #[error("{}, line {line}: {message}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// A secret in a settings file.
    #[error(
        "{}, line {line}: `{key}` looks like a secret, and secrets are not read from the settings file: remove the line \
         and {instead}",
        path.display()
    )]
    SecretInFile {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The key.
        key: String,
        /// What to do with it.
        instead: String,
    },
    /// A database this build cannot use.
    #[error("{origin}: {source}")]
    Database {
        /// Who named it.
        origin: Origin,
        /// What is wrong with it.
        #[source]
        source: DatabaseUrlError,
    },
    /// A value that cannot be.
    #[error("{origin}: {problem}")]
    Value {
        /// Who set it.
        origin: Origin,
        /// What is wrong with it, and what it should be.
        problem: String,
    },
    /// Half of a pair of keys.
    #[error("{present} is set ({origin}) but {absent} is not: set both or neither")]
    HalfAKey {
        /// The variable that is set.
        present: &'static str,
        /// Where it is set.
        origin: Origin,
        /// The variable that is not.
        absent: &'static str,
    },
    /// A part of what a channel of messages needs.
    #[error("{present} is set ({origin}), but not {absent}: set all of them, or none")]
    HalfAChannel {
        /// The variable that is set.
        present: &'static str,
        /// Where it is set.
        origin: Origin,
        /// The variables that are not.
        absent: String,
    },
    /// No home directory to put files below.
    #[error("there is no home directory (HOME is not set) to keep {what} in: name a place with {instead}")]
    NoHome {
        /// What would be kept there.
        what: &'static str,
        /// The flag and variable that name a place.
        instead: &'static str,
    },
}
