//! Where bars are kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use url::Url;

use super::Secret;

/// A database this build can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file, created on first use.
    Sqlite(PathBuf),
    /// A PostgreSQL database; its tables are created on first use.
    Postgres(PostgresUrl),
}

/// The address of a PostgreSQL database. Shown without its password and parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    url: Secret,
    shown: String,
}

impl PostgresUrl {
    /// The whole address, for the one place that connects.
    pub fn expose(&self) -> &str {
        self.url.expose()
    }
}

/// A text that names no database this build can use. Messages never repeat it: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// A PostgreSQL address that is none.
    #[error(
        "this is not the address of a PostgreSQL database ({0}): it looks like postgres://user:password@host:5432/database; characters such as @ : / in a password are written %40 %3A %2F"
    )]
    Postgres(url::ParseError),
    /// Something else with a scheme.
    #[error(
        "`{scheme}` databases are not supported: bars are kept in a SQLite file (sqlite:PATH) or in PostgreSQL (postgres://…)"
    )]
    OtherKind {
        /// What stands before the colon.
        scheme: String,
    },
    /// No scheme, and not the name of a database file either.
    #[error(
        "this is not a database address: use sqlite:PATH or postgres://… (a bare path must end in .db, .sqlite or .sqlite3)"
    )]
    Unclear,
    /// `sqlite:` and nothing behind it, or a database in memory.
    #[error(
        "sqlite: needs the path of a file behind it, such as sqlite:bars.db (bars in memory would be gone at the end)"
    )]
    NoFile,
    /// `?…` behind the path.
    #[error("`?{0}` behind the SQLite path is not supported: leave it out (the file is created when it is not there)")]
    Parameters(String),
}

/// Endings by which a bare path is taken for a SQLite file.
const SQLITE_ENDINGS: [&str; 3] = ["db", "sqlite", "sqlite3"];

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    /// Reads `sqlite:PATH`, `sqlite://PATH` (`sqlite:///PATH` is absolute), or a bare path with the ending of a SQLite file.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some((scheme, rest)) = text.split_once(':') else {
            let ending = Path::new(text).extension().and_then(|ending| ending.to_str());
            return match ending {
                Some(ending) if SQLITE_ENDINGS.contains(&ending) => Ok(Self::Sqlite(text.into())),
                _ => Err(DatabaseUrlError::Unclear),
            };
        };
        match scheme.to_ascii_lowercase().as_str() {
            "sqlite" => sqlite(rest),
            "postgres" | "postgresql" => postgres(text),
            other if is_scheme(other) => Err(DatabaseUrlError::OtherKind { scheme: other.to_owned() }),
            _ => Err(DatabaseUrlError::Unclear),
        }
    }
}

fn postgres(text: &str) -> Result<DatabaseUrl, DatabaseUrlError> {
    let url = Url::parse(text).map_err(DatabaseUrlError::Postgres)?;
    if !url.has_authority() {
        return Err(DatabaseUrlError::Postgres(url::ParseError::EmptyHost));
    }
    let mut shown = format!(
        "postgres://{}",
        if url.username().is_empty() { String::new() } else { format!("{}@", url.username()) }
    );
    shown.push_str(url.host_str().unwrap_or_default());
    shown.extend(url.port().map(|port| format!(":{port}")));
    shown.push_str(url.path());
    Ok(DatabaseUrl::Postgres(PostgresUrl { url: Secret::new(text), shown }))
}

fn sqlite(rest: &str) -> Result<DatabaseUrl, DatabaseUrlError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let (path, parameters) = path.split_once('?').unwrap_or((path, ""));
    // What other programs put there to have the file created, which is what happens here anyway.
    if !matches!(parameters, "" | "mode=rwc") {
        return Err(DatabaseUrlError::Parameters(parameters.to_owned()));
    }
    if path.is_empty() || path.starts_with(':') {
        return Err(DatabaseUrlError::NoFile);
    }
    Ok(DatabaseUrl::Sqlite(path.into()))
}

/// Only what can be a scheme is repeated in a message; anything else may be part of a password.
fn is_scheme(word: &str) -> bool {
    !word.is_empty() && word.len() <= 20 && word.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => f.write_str(&url.shown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_files_are_named_in_the_usual_ways() {
        for (text, path) in [
            ("sqlite:bars.db", "bars.db"),
            ("sqlite://bars.db", "bars.db"),
            ("sqlite:/data/bars.db", "/data/bars.db"),
            ("sqlite:///data/bars.db", "/data/bars.db"),
            ("sqlite:///data/bars.db?mode=rwc", "/data/bars.db"),
            ("SQLite:bars", "bars"),
            ("bars.db", "bars.db"),
            ("/data/bars.sqlite3", "/data/bars.sqlite3"),
        ] {
            assert_eq!(text.parse(), Ok(DatabaseUrl::Sqlite(path.into())), "{text}");
        }
        assert_eq!("sqlite:///a.db".parse::<DatabaseUrl>().unwrap().to_string(), "sqlite:/a.db");
    }

    #[test]
    fn postgres_is_shown_without_its_secrets() {
        for (text, shown) in [
            ("postgres://user:hunter2@db:5433/bars?sslmode=require&password=hunter2", "postgres://user@db:5433/bars"),
            ("postgresql://db/bars", "postgres://db/bars"),
            ("postgres:///bars?host=/run/postgresql", "postgres:///bars"),
        ] {
            let url: DatabaseUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("hunter2"));
            let DatabaseUrl::Postgres(url) = url else { panic!("{url}") };
            assert_eq!(url.expose(), text);
        }
    }

    #[test]
    fn other_databases_are_refused_without_repeating_the_address() {
        for (text, part) in [
            ("postgres://user:hunter2@db:port/bars", "not the address of a PostgreSQL database (invalid port number)"),
            ("postgresql:hunter2", "not the address of a PostgreSQL database"),
            ("mysql://user:hunter2@db/bars", "`mysql` databases are not supported"),
            ("bars", "not a database address"),
            ("", "not a database address"),
            ("sqlite:", "needs the path of a file"),
            ("sqlite::memory:", "needs the path of a file"),
            ("sqlite:bars.db?mode=ro", "`?mode=ro` behind the SQLite path"),
        ] {
            let message = text.parse::<DatabaseUrl>().unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
