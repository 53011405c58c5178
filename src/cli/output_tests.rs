use clap::Parser;

use super::*;
use crate::cli::Command;
use crate::cli::summary::testing::{day, run};
use crate::config::{Directories, Flags, Inputs, Variables, env};
use crate::ingest::Outcome;

fn settings() -> Settings {
    let inputs = Inputs {
        flags: Flags { source: Some("mirror".into()), ..Flags::default() },
        environment: Variables::of([
            (env::MASSIVE_S3_ACCESS_KEY_ID, "ID"),
            (env::MASSIVE_S3_SECRET_ACCESS_KEY, "hunter2"),
            (env::MASSIVE_API_KEY, "hunter2-api"),
        ]),
        dotenv: Variables::of([(env::DATABASE_URL, "sqlite:bars.db")]),
        dotenv_file: None,
        file: None,
        overrides_beside: None,
        directories: Some(Directories {
            home: "/h".into(),
            config: "/c".into(),
            data: "/d".into(),
            cache: "/e".into(),
        }),
        cores: 4,
        clock: "2024-07-12T15:00:00Z".parse().unwrap(),
    };
    Settings::resolve(&inputs).unwrap()
}

fn text(print: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    print(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn effective(line: &str) -> Value {
    let args = Args::try_parse_from(line.split_whitespace()).unwrap();
    let Some(Command::S3(ingest)) = args.command else { panic!("s3") };
    let request = Request::new(&ingest.selection, &ingest.files, settings().now.value).unwrap();
    let (selections, _) = request.selections(&[]).unwrap();
    effective_settings(&request, &selections, &settings())
}

#[test]
fn settings_are_shown_with_their_origin_and_without_secrets() {
    let shown = text(|out| print_settings(out, &settings(), false));
    assert_eq!(
        shown,
        "\
setting               value                      from
database_url          sqlite:bars.db             .env DATABASE_URL
source                mirror                     flag --source
s3.endpoint           https://files.massive.com  default
s3.bucket             flatfiles                  default
s3 access key id      ID                         environment MASSIVE_S3_ACCESS_KEY_ID
s3 secret access key  set, not shown             environment MASSIVE_S3_SECRET_ACCESS_KEY
api.url               https://api.massive.com    default
api key               set, not shown             environment MASSIVE_API_KEY
rate                  auto                       default
splits.overrides      none                       default
cache_dir             /e/barkeep                 default
cache_keep            24h                        default
downloads             12                         default
decoders              4                          default
off-hours signals     false                      default
color                 true                       default
now                   2024-07-12T15:00:00Z       default
notify                nobody                     default
"
    );
    let json = text(|out| print_settings(out, &settings(), true));
    assert!(json.contains(r#""s3 secret access key":{"origin":"environment MASSIVE_S3_SECRET_ACCESS_KEY""#), "{json}");
    assert!(json.contains(r#""api key":{"origin":"environment MASSIVE_API_KEY","value":"set, not shown"}"#), "{json}");
    assert!(!json.contains("hunter2"));
}

#[test]
fn effective_settings_are_what_was_meant() {
    assert_eq!(
        effective("backfill s3 --days=1 --symbols=SPX,AAPL --timeframes=day,1h --accept=2024-07-11 --force"),
        json!({
            "database_url": "sqlite:bars.db",
            "source": "mirror",
            "selections": [
                { "dataset": "stocks", "symbols": ["AAPL"], "from": "2024-07-11", "to": "2024-07-11" },
                { "dataset": "indices", "symbols": ["I:SPX"], "from": "2024-07-11", "to": "2024-07-11" },
            ],
            "timeframes": ["1h", "day"],
            "official_day": true,
            "force": true,
            "accept": ["2024-07-11"],
            "dry_run": false,
        })
    );
    assert_eq!(effective("backfill s3 --days=1 --all --accept")["accept"], "all");
}

#[test]
fn a_run_is_printed_as_asked_for() {
    let run = run(vec![day("2024-07-10", Outcome::Loaded), day("2024-07-11", Outcome::Missing)]);
    let printed = |json, quiet| {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let effective = json!({ "force": false });
        print_run(&run, Exit::Gaps, "s3", &effective, (json, quiet), (&mut out, &mut err)).unwrap();
        (String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    };
    assert_eq!(printed(false, false), (summary(&run), String::new()));
    let missing = "not loaded:\n  2024-07-11 stocks missing\n    the vendor has no file of it: run the same command again later\n";
    assert_eq!(printed(false, true), (String::new(), missing.to_owned()));
    let (out, err) = printed(true, true);
    assert_eq!(err, "");
    assert!(out.starts_with(r#"{"command":"s3","settings":{"force":false},"days":[{"dataset":"stocks","#), "{out}");
    let object: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(object["days"][1]["outcome"], "missing");
    assert_eq!(object["totals"]["days"], json!({ "loaded": 1, "missing": 1 }));
    assert_eq!(object["totals"]["seconds"], 4.25);
    assert_eq!(object["exit_code"], 3);
}

#[test]
fn other_commands_have_rows() {
    let printed = text(|out| {
        print_json(out, "watchlist list", &json!({}), Body::Rows(&["A"]), &json!({ "rows": 1 }), Exit::Done)
    });
    assert_eq!(
        printed,
        "{\"command\":\"watchlist list\",\"settings\":{},\"rows\":[\"A\"],\"totals\":{\"rows\":1},\"exit_code\":0}\n"
    );
}

#[test]
fn completions_know_the_commands() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
        let script = text(|out| print_completions(out, shell));
        assert!(script.contains("watchlist") && script.contains("no-official-day"), "{shell}");
    }
}
