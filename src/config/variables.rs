//! Environment variables, and those of a `.env` file.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fmt, fs, io};

use super::{ConfigError, env};

/// Variables by name: the ones in [`env::ALL`], set to something. An empty variable counts as not set, as container
/// files have no other way to say so.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<&'static str, String>);

impl Variables {
    /// Those of the process.
    pub fn of_process() -> Result<Self, ConfigError> {
        let mut found = Self::default();
        for &name in env::ALL {
            if let Some(value) = std::env::var_os(name) {
                found.insert(name, value.into_string().map_err(|_| ConfigError::NotText { name })?);
            }
        }
        Ok(found)
    }

    /// Those of a `.env` file; none when there is no such file. The process environment is not changed.
    pub fn of_dotenv(path: &Path) -> Result<Self, ConfigError> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse_dotenv(path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(ConfigError::Read { path: path.to_owned(), source }),
        }
    }

    fn parse_dotenv(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut found = Self::default();
        for entry in dotenvy::from_read_iter(text.as_bytes()) {
            let (name, value) = entry.map_err(|error| dotenv_error(path, text, error))?;
            if let Some(&name) = env::ALL.iter().find(|known| **known == name) {
                found.insert(name, value);
            }
        }
        Ok(found)
    }

    /// Those of a list.
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'static str, &'a str)>) -> Self {
        let mut found = Self::default();
        for (name, value) in pairs {
            found.insert(name, value.to_owned());
        }
        found
    }

    fn insert(&mut self, name: &'static str, value: String) {
        if !value.is_empty() {
            self.0.insert(name, value);
        }
    }

    /// The value of one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// The library's own message repeats the line, which may hold a secret: only its number is told.
fn dotenv_error(path: &Path, text: &str, error: dotenvy::Error) -> ConfigError {
    match error {
        dotenvy::Error::LineParse(content, _) => {
            // What the library hands over is the line, or the value of it.
            let first = content.lines().next().unwrap_or_default().trim_end();
            let line = text.lines().position(|line| line.contains(first)).map_or(1, |index| index + 1);
            ConfigError::DotEnv { path: path.to_owned(), line }
        }
        dotenvy::Error::Io(source) => ConfigError::Read { path: path.to_owned(), source },
        other => ConfigError::Read { path: path.to_owned(), source: io::Error::other(other) },
    }
}

impl fmt::Debug for Variables {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Variables, ConfigError> {
        Variables::parse_dotenv(Path::new(".env"), text)
    }

    #[test]
    fn a_dotenv_file_gives_the_known_variables_that_are_set() {
        let text =
            "\u{feff}# keys\nDATABASE_URL=sqlite:a.db\nexport MASSIVE_S3_BUCKET='b'\nAWS_PROFILE=\nSOMETHING=else\n";
        let found = parse(text).unwrap();
        assert_eq!(found.get(env::DATABASE_URL), Some("sqlite:a.db"));
        assert_eq!(found.get(env::MASSIVE_S3_BUCKET), Some("b"));
        assert_eq!(found.get(env::AWS_PROFILE), None, "empty is not set");
        assert_eq!(format!("{found:?}"), r#"{"DATABASE_URL", "MASSIVE_S3_BUCKET"}"#);
    }

    #[test]
    fn a_bad_line_is_named_by_its_number_and_not_repeated() {
        let error = parse("DATABASE_URL=a.db\nMASSIVE_S3_SECRET_ACCESS_KEY=hunter2 and more\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            ".env, line 2: not of the form NAME=value (put values with spaces, `#` or `$` in single quotes)"
        );
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn no_file_is_no_variables() {
        assert_eq!(Variables::of_dotenv(Path::new("/nonexistent/.env")).unwrap(), Variables::default());
    }
}
