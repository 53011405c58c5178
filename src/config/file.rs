//! The settings file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, Secret, env};

/// What a settings file can hold: everything but secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSettings {
    /// Where the bars are kept; not shown, as people put passwords into such addresses.
    pub database_url: Option<Secret>,
    /// A local mirror to read instead of the bucket.
    pub source: Option<PathBuf>,
    /// Folder of fetched files.
    pub cache_dir: Option<PathBuf>,
    /// How long, or how many bytes of, fetched files are kept.
    pub cache_keep: Option<String>,
    /// Files fetched at the same time.
    pub downloads: Option<u64>,
    /// Threads that decode files.
    pub decoders: Option<u64>,
    /// Most requests to the REST API, or `auto`.
    pub rate: Option<String>,
    /// The vendor's bucket.
    #[serde(default)]
    pub s3: S3FileSettings,
    /// The vendor's REST API.
    #[serde(default)]
    pub api: ApiFileSettings,
    /// Splits.
    #[serde(default)]
    pub splits: SplitsFileSettings,
    /// Messages to people.
    #[serde(default)]
    pub notify: NotifyFileSettings,
}

/// The table `[notify]` of a settings file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyFileSettings {
    /// Who e-mail comes from.
    pub email_from: Option<String>,
    /// Whom e-mail goes to, with commas between.
    pub email_to: Option<String>,
    /// The chat a Telegram bot writes to.
    pub telegram_chat: Option<String>,
    /// Address of Telegram's API.
    pub telegram_url: Option<String>,
}

/// The table `[splits]` of a settings file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitsFileSettings {
    /// File of overrides.
    pub overrides: Option<PathBuf>,
}

/// The table `[api]` of a settings file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiFileSettings {
    /// Its address.
    pub url: Option<String>,
}

/// The table `[s3]` of a settings file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3FileSettings {
    /// Address of the service.
    pub endpoint: Option<String>,
    /// Name of the bucket.
    pub bucket: Option<String>,
}

/// A settings file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub settings: FileSettings,
}

/// Name of the settings file below the working directory and the user's configuration directory.
const FILE_NAME: &str = "barkeep/config.toml";

impl SettingsFile {
    /// The file named, which must be there; else `barkeep/config.toml` of the working directory; else that of the
    /// user's configuration directory; else none. Two files are never mixed.
    pub fn find(
        named: Option<&Path>,
        working_dir: &Path,
        config_dir: Option<&Path>,
    ) -> Result<Option<Self>, ConfigError> {
        if let Some(path) = named {
            let text =
                fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
            return Self::parse(path, &text).map(Some);
        }
        for folder in [Some(working_dir), config_dir].into_iter().flatten() {
            let path = folder.join(FILE_NAME);
            match fs::read_to_string(&path) {
                Ok(text) => return Self::parse(&path, &text).map(Some),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(ConfigError::Read { path, source }),
            }
        }
        Ok(None)
    }

    /// Reads the text of a settings file.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let failed = |error: toml::de::Error| ConfigError::File {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| line_of(text, span.start)),
            // Only the message: the error's own text repeats the line.
            message: error.message().to_owned(),
        };
        let table = DeTable::parse(text).map_err(failed)?;
        if let Some((key, position)) = find_secret(table.get_ref(), "") {
            let instead = instead_of(&key);
            return Err(ConfigError::SecretInFile {
                path: path.to_owned(),
                line: line_of(text, position),
                key,
                instead,
            });
        }
        let settings = toml::from_str(text).map_err(failed)?;
        Ok(Self { path: path.to_owned(), settings })
    }
}

fn line_of(text: &str, position: usize) -> usize {
    1 + text.bytes().take(position).filter(|byte| *byte == b'\n').count()
}

/// The first key that looks like a secret's, with its place in the text.
fn find_secret(table: &DeTable<'_>, above: &str) -> Option<(String, usize)> {
    for (key, value) in table {
        let path = format!("{above}{}", key.get_ref());
        if is_secret(key.get_ref()) {
            return Some((path, key.span().start));
        }
        let below = match value.get_ref() {
            DeValue::Table(table) => find_secret(table, &format!("{path}.")),
            DeValue::Array(array) => array.iter().map(Spanned::get_ref).find_map(|item| match item {
                DeValue::Table(table) => find_secret(table, &format!("{path}.")),
                _ => None,
            }),
            _ => None,
        };
        if below.is_some() {
            return below;
        }
    }
    None
}

/// Whether a key's name, written in whatever way, says secret.
fn is_secret(key: &str) -> bool {
    let plain: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    // Addresses of webhooks and mail servers have tokens and passwords in them.
    let words = ["secret", "accesskey", "apikey", "password", "passwd", "token", "credential", "webhook", "smtp"];
    plain == "key" || words.iter().any(|word| plain.contains(word))
}

fn instead_of(key: &str) -> String {
    let plain = key.to_ascii_lowercase();
    let name = if plain.contains("webhook") {
        if plain.contains("secret") { env::BARKEEP_WEBHOOK_SECRET } else { env::BARKEEP_WEBHOOK_URL }
    } else if plain.contains("smtp") {
        env::BARKEEP_SMTP_URL
    } else if plain.contains("telegram") {
        env::BARKEEP_TELEGRAM_TOKEN
    } else if plain.contains("session") {
        env::AWS_SESSION_TOKEN
    } else if plain.contains("api") {
        env::MASSIVE_API_KEY
    } else if plain.contains("secret") {
        env::MASSIVE_S3_SECRET_ACCESS_KEY
    } else if plain.contains("access") {
        env::MASSIVE_S3_ACCESS_KEY_ID
    } else {
        return format!(
            "set {} and {} in the environment or in .env",
            env::MASSIVE_S3_ACCESS_KEY_ID,
            env::MASSIVE_S3_SECRET_ACCESS_KEY
        );
    };
    format!("set {name} in the environment or in .env")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<FileSettings, String> {
        SettingsFile::parse(Path::new("c.toml"), text).map(|file| file.settings).map_err(|error| error.to_string())
    }

    #[test]
    fn every_key_is_read() {
        let text = r#"
            database_url = "sqlite:a.db"
            source = "mirror"
            cache_dir = "cache"
            cache_keep = "20GB"
            downloads = 4
            decoders = 2
            rate = "5/min"
            [s3]
            endpoint = "http://localhost:9000"
            bucket = "b"
            [api]
            url = "http://localhost:9001"
            [splits]
            overrides = "s.csv"
            [notify]
            email_from = "a@b.example"
            email_to = "c@d.example, e@f.example"
            telegram_chat = "-100"
            telegram_url = "http://localhost:9002"
        "#;
        let expected = FileSettings {
            database_url: Some(Secret::new("sqlite:a.db")),
            source: Some("mirror".into()),
            cache_dir: Some("cache".into()),
            cache_keep: Some("20GB".into()),
            downloads: Some(4),
            decoders: Some(2),
            rate: Some("5/min".into()),
            s3: S3FileSettings { endpoint: Some("http://localhost:9000".into()), bucket: Some("b".into()) },
            api: ApiFileSettings { url: Some("http://localhost:9001".into()) },
            splits: SplitsFileSettings { overrides: Some("s.csv".into()) },
            notify: NotifyFileSettings {
                email_from: Some("a@b.example".into()),
                email_to: Some("c@d.example, e@f.example".into()),
                telegram_chat: Some("-100".into()),
                telegram_url: Some("http://localhost:9002".into()),
            },
        };
        assert_eq!(parse(text), Ok(expected));
        assert_eq!(parse(""), Ok(FileSettings::default()));
    }

    #[test]
    fn mistakes_are_named_with_file_and_line() {
        for (text, message) in [
            ("downloads = 3\nuploads = 4\n", "c.toml, line 2: unknown field `uploads`, expected one of `database_url`"),
            ("\n\ndownloads = \"many\"\n", "c.toml, line 3: invalid type: string \"many\", expected u64"),
            ("downloads = 3\ndatabase_url = \"a.db\n", "c.toml, line 2: "),
            ("[s3]\nbuket = \"b\"\n", "c.toml, line 2: unknown field `buket`"),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.starts_with(message), "{found}");
        }
    }

    #[test]
    fn secrets_are_refused_by_name_and_not_repeated() {
        for (text, message) in [
            (
                "[s3]\nsecret_access_key = \"hunter2\"\n",
                "c.toml, line 2: `s3.secret_access_key` looks like a secret, and secrets are not read from the settings \
                 file: remove the line and set MASSIVE_S3_SECRET_ACCESS_KEY in the environment or in .env",
            ),
            ("\naccess-key-id = \"hunter2\"\n", "c.toml, line 2: `access-key-id` looks like"),
            (
                "[api]\nkey = \"hunter2\"\n",
                "c.toml, line 2: `api.key` looks like a secret, and secrets are not read from the settings file: remove the \
                 line and set MASSIVE_API_KEY in the environment or in .env",
            ),
            ("API_KEY = \"hunter2\"\n", "c.toml, line 1: `API_KEY` looks like"),
            (
                "[notify]\nwebhook_url = \"hunter2\"\n",
                "c.toml, line 2: `notify.webhook_url` looks like a secret, and secrets are not read from the settings file: remove \
                 the line and set BARKEEP_WEBHOOK_URL in the environment or in .env",
            ),
            ("[notify]\nsmtp-url = \"hunter2\"\n", "c.toml, line 2: `notify.smtp-url` looks like"),
            ("[notify.telegram]\ntoken = \"hunter2\"\n", "c.toml, line 2: `notify.telegram.token` looks like"),
            ("[[x]]\ndb.Password = \"hunter2\"\n", "c.toml, line 2: `x.db.Password` looks like"),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.starts_with(message), "{found}");
            assert!(!found.contains("hunter2"), "{found}");
        }
        assert!(!parse("x = \"hunter2\nsecret = 1").unwrap_err().contains("hunter2"));
    }

    #[test]
    fn the_working_directory_comes_before_the_configuration_directory() {
        let [here, user] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let find = |named| SettingsFile::find(named, here.path(), Some(user.path()));
        assert_eq!(find(None).unwrap(), None);
        for (folder, downloads) in [(&user, 1), (&here, 2)] {
            fs::create_dir(folder.path().join("barkeep")).unwrap();
            fs::write(folder.path().join(FILE_NAME), format!("downloads = {downloads}")).unwrap();
            assert_eq!(find(None).unwrap().unwrap().settings.downloads, Some(downloads));
        }
        let error = find(Some(Path::new("/nonexistent.toml"))).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the settings in /nonexistent.toml");
    }
}
