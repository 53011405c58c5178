//! Secrets stay in the environment: none in the repository, none in anything a command leaves behind.

use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Files that belong to the repository; all but the build's where there is no git.
fn files() -> Vec<PathBuf> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(ROOT).output();
    let listed = listed.ok().filter(|output| output.status.success() && !output.stdout.is_empty());
    let listed = listed.map(|output| String::from_utf8(output.stdout).unwrap()).unwrap_or_default();
    listed.split('\0').filter(|name| !name.is_empty()).map(|name| Path::new(ROOT).join(name)).collect()
}

/// What in a line has the shape of a secret or of somebody's machine.
fn suspicious(line: &str) -> Option<&'static str> {
    let words = || line.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=_-".contains(c)));
    let is_key_id = |word: &str| {
        let rest = word.strip_prefix("AKIA").or_else(|| word.strip_prefix("ASIA"));
        rest.is_some_and(|rest| rest.len() == 16 && rest.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()))
    };
    let is_random = |word: &str| {
        let has = |is: fn(char) -> bool| word.chars().filter(|c| is(*c)).count() >= 4;
        let hex = word.chars().all(|c| c.is_ascii_hexdigit());
        // Paths have words between slashes; a key of 40 characters and more has none as long as this.
        let wordy = word.split(['/', '-', '_']).count() > 3;
        word.len() >= 40
            && !hex
            && !wordy
            && has(|c| c.is_ascii_uppercase())
            && has(|c| c.is_ascii_lowercase())
            && has(|c| c.is_ascii_digit())
    };
    let homes = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Use", "rs/")];
    if words().any(is_key_id) {
        Some("an access key id")
    } else if line.contains(concat!("-----BEGIN ", "PRIVATE KEY")) || line.contains(concat!("PRIVATE ", "KEY-----")) {
        Some("a private key")
    } else if words().any(is_random) {
        Some("a long random word")
    } else if homes
        .iter()
        .any(|home| line.split(home).skip(1).any(|rest| rest.bytes().take_while(u8::is_ascii_alphanumeric).count() > 1))
    {
        Some("a path of somebody's machine")
    } else {
        None
    }
}

#[test]
fn the_repository_holds_no_secret_and_no_path_of_a_machine() {
    let mut found = Vec::new();
    for path in files() {
        let name = path.strip_prefix(ROOT).unwrap().display().to_string();
        // Checksums of crates.
        if name == "Cargo.lock" {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (index, line) in text.lines().enumerate() {
            if let Some(what) = suspicious(line) {
                found.push(format!("{name}:{}: {what}", index + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn secrets_are_told_by_their_shape() {
    for (line, what) in [
        (format!("key = AKIA{}", "ABCDEFGH01234567"), "an access key id"),
        (format!("-----BEGIN {} KEY-----", "RSA PRIVATE"), "a private key"),
        (format!("x = {}{}", "wJalrXUtnFEMI7K7MDENGbPx", "RfiCYzzEXAMPLE9KEYab12"), "a long random word"),
        (format!("cd /ho{}", "me/somebody/bars"), "a path of somebody's machine"),
    ] {
        assert_eq!(suspicious(&line), Some(what), "{line}");
    }
    for line in [
        concat!("/ho", "me/u/.config"),
        "us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz",
        "AKIDEXAMPLE",
        "x-amz-content-sha256",
    ] {
        assert_eq!(suspicious(line), None, "{line}");
    }
}

#[cfg(feature = "sandbox")]
mod harness;

/// Commands that fail with recognisable secrets in all places that take one.
#[cfg(feature = "sandbox")]
#[test]
fn no_command_repeats_a_secret() {
    use barkeep::model::Dataset;
    use harness::{Place, Vendor, make, ran};

    const SECRET: &str = "hunter2-very-secret-word";
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Stocks], "2026-10-01", "2026-10-02");
    let vendor = Vendor::serve(&place.bucket());
    let run = "s3 --days=2 --symbol=SPY";
    for (line, variable, exit) in [
        (run, "MASSIVE_S3_SECRET_ACCESS_KEY", 1),
        (run, "MASSIVE_S3_ACCESS_KEY_ID", 1),
        ("s3 --days=2 --symbol=SPY --json", "MASSIVE_S3_SECRET_ACCESS_KEY", 1),
        ("s3 --days=2 --symbol=SPY --log=json", "MASSIVE_S3_SECRET_ACCESS_KEY", 1),
        ("rest --days=2 --symbol=SPY --log=human", "MASSIVE_API_KEY", 1),
        ("status --log=json", "DATABASE_URL", 1),
        ("--show-settings", "MASSIVE_S3_SECRET_ACCESS_KEY", 0),
        ("--show-settings --json", "MASSIVE_S3_SECRET_ACCESS_KEY", 0),
        ("status --json", "MASSIVE_API_KEY", 0),
        (run, "MASSIVE_API_KEY", 0),
        ("doctor", "MASSIVE_S3_SECRET_ACCESS_KEY", 3),
        ("doctor --json", "MASSIVE_S3_ACCESS_KEY_ID", 3),
        ("doctor --quiet", "MASSIVE_API_KEY", 3),
        ("doctor", "DATABASE_URL", 3),
        ("status", "DATABASE_URL", 1),
        (run, "DATABASE_URL", 1),
        ("--show-settings", "DATABASE_URL", 0),
        ("--show-settings --json", "DATABASE_URL", 0),
        ("--show-settings", "BARKEEP_WEBHOOK_URL", 0),
        ("--show-settings --json", "BARKEEP_SMTP_URL", 0),
        ("--show-settings", "BARKEEP_TELEGRAM_TOKEN", 0),
        ("notify --test", "BARKEEP_WEBHOOK_URL", 1),
        ("notify --test --json", "BARKEEP_WEBHOOK_SECRET", 1),
        ("notify --test", "BARKEEP_SMTP_URL", 1),
        ("notify --test --json", "BARKEEP_SMTP_URL", 1),
        ("notify --test", "BARKEEP_TELEGRAM_TOKEN", 1),
        ("notify --test --json", "BARKEEP_TELEGRAM_TOKEN", 1),
        ("notify --json", "BARKEEP_TELEGRAM_TOKEN", 0),
    ] {
        let value = match variable {
            "DATABASE_URL" => format!("postgres://u:{SECRET}@127.0.0.1:9/d?password={SECRET}"),
            "BARKEEP_WEBHOOK_URL" => format!("http://u:{SECRET}@127.0.0.1:9/{SECRET}?{SECRET}"),
            "BARKEEP_SMTP_URL" => format!("smtp+starttls://u:{SECRET}@127.0.0.1:9"),
            "BARKEEP_TELEGRAM_TOKEN" => format!("1:{SECRET}"),
            _ => SECRET.to_owned(),
        };
        // What else a channel needs.
        let beside: &[(&str, &str)] = match variable {
            "BARKEEP_WEBHOOK_SECRET" => &[("BARKEEP_WEBHOOK_URL", "http://127.0.0.1:9/")],
            "BARKEEP_SMTP_URL" => &[("BARKEEP_EMAIL_FROM", "a@b.example"), ("BARKEEP_EMAIL_TO", "c@d.example")],
            "BARKEEP_TELEGRAM_TOKEN" => {
                &[("BARKEEP_TELEGRAM_CHAT", "1"), ("BARKEEP_TELEGRAM_URL", "http://127.0.0.1:9")]
            }
            _ => &[],
        };
        for level in ["", "trace"] {
            let mut command = place.customer(&vendor.url(), line);
            let ran = ran(command
                .envs(beside.iter().copied())
                .env(variable, &value)
                .env("RUST_LOG", level)
                .env("RUST_BACKTRACE", "1"));
            assert!(!ran.out.contains(SECRET) && !ran.err.contains(SECRET), "{line} {variable}: {ran:?}");
            assert_eq!(ran.code, exit, "{line} {variable}: {ran:?}");
        }
    }
    for (url, exit) in [(format!("mysql://u:{SECRET}@h/d"), 2), (format!("u:{SECRET}@h/d"), 2), (SECRET.to_owned(), 2)]
    {
        let ran = place.run(&["status", "--database-url", &url]).ended(exit);
        assert!(!ran.err.contains(SECRET), "{url}: {}", ran.err);
    }
    // A password that is not escaped: the rest of it is no host and no database to be shown.
    for password in [format!("12/{SECRET}"), format!("p@{SECRET}/x"), format!("12?{SECRET}"), format!("12#{SECRET}")] {
        let url = format!("postgres://me:{password}@127.0.0.1:9/d");
        let programs = [env!("CARGO_BIN_EXE_backfill"), env!("CARGO_BIN_EXE_backtest")];
        let lines = [&["--show-settings"][..], &["--show-settings", "--json"], &["--json", "--log=json"]];
        for (program, words) in programs.into_iter().flat_map(|program| lines.map(|words| (program, words))) {
            let ran = ran(place.command_of(program, words).env("DATABASE_URL", &url)).ended(2);
            assert!(!ran.out.contains(SECRET) && !ran.err.contains(SECRET), "{words:?} {url}: {ran:?}");
            assert!(ran.err.contains("%40"), "{ran:?}");
        }
    }
    let config = place.path("work/config.toml");
    std::fs::write(&config, format!("[s3]\nsecret_access_key = '{SECRET}'\n")).unwrap();
    let ran = place.run(&["status", "--config", config.to_str().unwrap()]).ended(2);
    assert!(!ran.err.contains(SECRET), "{}", ran.err);
    std::fs::write(place.path("work/.env"), format!("MASSIVE_S3_SECRET_ACCESS_KEY=\"{SECRET}\nX=1\n")).unwrap();
    let ran = place.run(&["status"]);
    assert!(!ran.err.contains(SECRET) && !ran.out.contains(SECRET), "{ran:?}");
    std::fs::remove_file(place.path("work/.env")).unwrap();
    std::fs::remove_file(config).unwrap();

    fn holds(folder: &std::path::Path, word: &[u8]) -> Option<std::path::PathBuf> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).find_map(|path| {
            if path.is_dir() {
                holds(&path, word)
            } else {
                let bytes = std::fs::read(&path).unwrap();
                bytes.windows(word.len()).any(|window| window == word).then_some(path)
            }
        })
    }
    assert_eq!(holds(&place.path("home"), SECRET.as_bytes()), None);
}

#[test]
fn settings_are_printed_without_secrets() {
    let secret = barkeep::config::Secret::new("hunter2");
    assert!(!format!("{secret:?} {secret:#?}").contains("hunter2"));
}
