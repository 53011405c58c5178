//! Where settings come from, and whether they name anything to load from.

use super::{Check, State};
use crate::config::Settings;

/// Which files the settings were read from.
pub(in crate::cli) fn settings_check(settings: &Settings) -> Check {
    let files: Vec<_> = settings.files.iter().map(|file| file.display().to_string()).collect();
    let found = if files.is_empty() { "no .env and no settings file".to_owned() } else { files.join(", ") };
    Check::new("settings", State::Ok, found)
}

/// That there is nothing to load from, if so.
pub(in crate::cli) fn sources_check(settings: &Settings) -> Option<Check> {
    let is_set = settings.source.is_some() || settings.s3.credentials.is_some() || settings.api.key.is_some();
    let advice = "put MASSIVE_S3_ACCESS_KEY_ID and MASSIVE_S3_SECRET_ACCESS_KEY (files), or MASSIVE_API_KEY (REST API), into \
                  the environment or .env; they are on the vendor's dashboard";
    let check =
        || Check::new("sources", State::Fails, "there is nothing to load bars from: no key is set").advising(advice);
    (!is_set).then(check)
}
