//! Settings as shown by `--show-settings`.

use super::{Credentials, Settings, Sourced};

/// What is shown for a secret.
const NOT_SHOWN: &str = "set, not shown";

/// One line of `--show-settings`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingRow {
    /// The setting, by its key in the settings file where it has one.
    pub name: &'static str,
    /// Its value; secrets are not shown.
    pub value: String,
    /// Who set it.
    pub origin: String,
}

impl SettingRow {
    fn of<T>(name: &'static str, setting: &Sourced<T>, value: impl ToString) -> Self {
        Self { name, value: value.to_string(), origin: setting.origin.to_string() }
    }

    fn unset(name: &'static str, value: &str) -> Self {
        Self { name, value: value.to_owned(), origin: "default".to_owned() }
    }
}

impl Settings {
    /// Every setting, what won and where it came from.
    pub fn rows(&self) -> Vec<SettingRow> {
        let mut rows = vec![
            SettingRow::of("database_url", &self.database, &self.database.value),
            match &self.source {
                Some(source) => SettingRow::of("source", source, source.value.display()),
                None => SettingRow::unset("source", "the bucket"),
            },
            SettingRow::of("s3.endpoint", &self.s3.endpoint, &self.s3.endpoint.value),
            SettingRow::of("s3.bucket", &self.s3.bucket, &self.s3.bucket.value),
        ];
        match &self.s3.credentials {
            Some(Credentials::Key(key)) => {
                rows.push(SettingRow::of("s3 access key id", &key.id, &key.id.value));
                rows.push(SettingRow::of("s3 secret access key", &key.secret, NOT_SHOWN));
                if let Some(token) = &key.session_token {
                    rows.push(SettingRow::of("s3 session token", token, NOT_SHOWN));
                }
            }
            Some(Credentials::Profile(profile)) => {
                rows.push(SettingRow::of("aws profile", &profile.name, &profile.name.value));
                let files =
                    [("aws credentials file", &profile.credentials_file), ("aws config file", &profile.config_file)];
                for (name, file) in files {
                    rows.extend(file.as_ref().map(|file| SettingRow::of(name, file, file.value.display())));
                }
            }
            None => rows.push(SettingRow::unset("s3 access key id", "not set")),
        }
        rows.extend([
            SettingRow::of("api.url", &self.api.url, &self.api.url.value),
            match &self.api.key {
                Some(key) => SettingRow::of("api key", key, NOT_SHOWN),
                None => SettingRow::unset("api key", "not set"),
            },
            SettingRow::of("rate", &self.api.rate, &self.api.rate.value),
            match &self.split_overrides {
                Some(path) => SettingRow::of("splits.overrides", path, path.value.display()),
                None => SettingRow::unset("splits.overrides", "none"),
            },
            SettingRow::of("cache_dir", &self.cache_dir, self.cache_dir.value.display()),
            SettingRow::of("cache_keep", &self.cache_keep, &self.cache_keep.value),
            SettingRow::of("downloads", &self.downloads, self.downloads.value),
            SettingRow::of("decoders", &self.decoders, self.decoders.value),
            SettingRow::of("off-hours signals", &self.off_hours_signals, self.off_hours_signals.value),
            SettingRow::of("color", &self.color, self.color.value),
            SettingRow::of("now", &self.now, self.now.value),
        ]);
        rows.extend(self.notify_rows());
        rows
    }

    /// The channels of messages that are set up; without one, that.
    fn notify_rows(&self) -> Vec<SettingRow> {
        let mut rows = Vec::new();
        if let Some(webhook) = &self.notify.webhook {
            rows.push(SettingRow::of("notify webhook url", &webhook.url, NOT_SHOWN));
            rows.extend(webhook.secret.as_ref().map(|of| SettingRow::of("notify webhook secret", of, NOT_SHOWN)));
        }
        if let Some(email) = &self.notify.email {
            rows.push(SettingRow::of("notify smtp url", &email.smtp_url, NOT_SHOWN));
            rows.push(SettingRow::of("notify.email_from", &email.from, &email.from.value));
            rows.push(SettingRow::of("notify.email_to", &email.to, &email.to.value));
        }
        if let Some(telegram) = &self.notify.telegram {
            rows.push(SettingRow::of("notify telegram token", &telegram.token, NOT_SHOWN));
            rows.push(SettingRow::of("notify.telegram_chat", &telegram.chat, &telegram.chat.value));
            rows.push(SettingRow::of("notify.telegram_url", &telegram.url, &telegram.url.value));
        }
        if rows.is_empty() {
            rows.push(SettingRow::unset("notify", "nobody"));
        }
        rows
    }
}
