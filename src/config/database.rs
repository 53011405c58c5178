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
    /// One of which a part does not stand where it can stand: mostly, a password that is not escaped ends at its `/`, `?` or
    /// `#`, and the rest of it would be taken for a host and a path, which are shown.
    #[error(
        "this is not the address of a PostgreSQL database ({0}): it looks like postgres://user:password@host:5432/database; in a password and in parameters, characters such as @ : / ? # are written %40 %3A %2F %3F %23"
    )]
    Misplaced(&'static str),
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
    #[error(
        "parameters behind the SQLite path are not supported: leave out `?` and what follows it (the file is created when it is not there)"
    )]
    Parameters,
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
    if let Some(what) = misplaced(&url) {
        return Err(DatabaseUrlError::Misplaced(what));
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

/// What of an address stands where it cannot: then its host and path may be parts of a password.
fn misplaced(url: &Url) -> Option<&'static str> {
    let query = url.query().unwrap_or_default();
    if url.path().contains('@') || query.contains('@') {
        Some("an @ stands behind the host")
    } else if url.fragment().is_some() {
        Some("it has a # in it")
    } else if query.split('&').any(|parameter| !parameter.is_empty() && !parameter.contains('=')) {
        Some("a parameter behind the ? has no =")
    } else {
        None
    }
}

fn sqlite(rest: &str) -> Result<DatabaseUrl, DatabaseUrlError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let (path, parameters) = path.split_once('?').unwrap_or((path, ""));
    // What other programs put there to have the file created, which is what happens here anyway.
    if !matches!(parameters, "" | "mode=rwc") {
        return Err(DatabaseUrlError::Parameters);
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
            ("sqlite:bars.db?key=hunter2", "parameters behind the SQLite path"),
        ] {
            let message = text.parse::<DatabaseUrl>().unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    /// What follows a `/`, `?` or `#` of a password would be taken for the host and the database, which are shown.
    #[test]
    fn a_password_that_is_not_escaped_is_refused_and_not_repeated() {
        for password in ["12/hunter2", "p@hunter2/x", "12/p@hunter2", "12?hunter2", "12?x=hunter2", "12#hunter2"] {
            let text = format!("postgres://me:{password}@127.0.0.1:1/db");
            let message = text.parse::<DatabaseUrl>().expect_err(&text).to_string();
            assert!(message.contains("%40") && !message.contains("hunter2"), "{text}: {message}");
        }
        for parameters in ["password=12&hunter2", "password=12#hunter2", "password=12@hunter2"] {
            let text = format!("postgres://me@127.0.0.1:1/db?{parameters}");
            let message = text.parse::<DatabaseUrl>().expect_err(&text).to_string();
            assert!(message.contains("%40") && !message.contains("hunter2"), "{text}: {message}");
        }
        let escaped = "postgres://me:1%2Fp%40hunter2%23%3F:x@db/bars?options=-cx%40y&";
        assert_eq!(escaped.parse::<DatabaseUrl>().unwrap().to_string(), "postgres://me@db/bars");
    }
}
