//! What `backfill doctor` says, through the real program and against the vendor on loopback.
#![cfg(feature = "sandbox")]

mod harness;

use std::fs;
use std::path::Path;
use std::time::Duration;

use barkeep::model::Dataset;
use barkeep::sandbox::{Plan, ServeOptions};
use harness::{Place, Ran, Schema, Vendor, make, query_file, ran};
use serde_json::Value;

const FROM: &str = "2026-09-21";
const TO: &str = "2026-10-02";

/// A user's machine and a vendor that has two weeks of stocks.
struct World {
    place: Place,
    vendor: Vendor,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut ServeOptions)) -> Self {
        Self::in_place(Place::new(), change)
    }

    fn in_place(place: Place, change: impl FnOnce(&mut ServeOptions)) -> Self {
        make(&place.bucket(), &[Dataset::Stocks], FROM, TO);
        let vendor = Vendor::serve_with(&place.bucket(), change);
        let world = Self { place, vendor };
        // At the usual rate every run takes a second.
        world.settings_file("rate = '1000/s'");
        world
    }

    /// The same without a settings file.
    fn without_settings(self) -> Self {
        fs::remove_dir_all(self.place.path("work/barkeep")).unwrap();
        self
    }

    fn faulty(script: &str) -> Self {
        Self::with(|options| options.faults = script.parse().unwrap())
    }

    fn doctor(&self) -> Told {
        self.doctor_with(&[])
    }

    /// What is told with some variables set; an empty one is not.
    fn doctor_with(&self, variables: &[(&str, &str)]) -> Told {
        let mut command = self.place.customer(&self.vendor.url(), "doctor --json");
        Told::of(ran(command.envs(variables.iter().copied())))
    }

    fn settings_file(&self, text: &str) {
        fs::create_dir_all(self.place.path("work/barkeep")).unwrap();
        fs::write(self.place.path("work/barkeep/config.toml"), text).unwrap();
    }
}

/// What was told.
struct Told {
    code: i32,
    json: Value,
}

impl Told {
    fn of(ran: Ran) -> Self {
        for secret in ["sandbox-secret", "sandbox-api-key"] {
            assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{ran:?}");
        }
        assert_eq!(ran.err, "");
        Self { code: ran.code, json: ran.json() }
    }

    fn row(&self, check: &str) -> Option<&Value> {
        self.json["rows"].as_array().unwrap().iter().find(|row| row["check"] == check)
    }

    /// That a check has a state, and that some words were found or advised.
    #[track_caller]
    fn says(&self, check: &str, state: &str, words: &str) -> &Self {
        let row = self.row(check).unwrap_or_else(|| panic!("{check}: {:#}", self.json));
        assert_eq!(row["state"], state, "{check}: {row:#}");
        let said = format!("{}; {}", row["found"].as_str().unwrap(), row["advice"].as_str().unwrap());
        assert!(said.contains(words), "{check}: {words} is not in {said}");
        self
    }

    #[track_caller]
    fn ends(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{:#}", self.json);
        self
    }
}

/// Every path below a folder.
fn all_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(all_below(&entry));
        }
        found.push(entry.display().to_string());
    }
    found.sort();
    found
}

#[test]
fn all_is_well_and_nothing_is_made() {
    let world = World::new().without_settings();
    let told = world.doctor();
    told.ends(0)
        .says("settings", "ok", "no .env and no settings file")
        .says("database", "not_set_up", "barkeep.db: no file yet")
        .says("database disk", "ok", "free")
        .says("cache", "ok", "free")
        .says("s3", "ok", "accepts the keys (environment MASSIVE_S3_ACCESS_KEY_ID)")
        .says("s3 stocks", "ok", "2026-09-21 to 2026-10-02 (all there is)")
        .says("s3 crypto", "not_set_up", "no file of the last two weeks")
        .says("s3 speed", "ok", "/s over one connection: the newest minute file of stocks")
        .says("rest", "ok", "accepts the key (environment MASSIVE_API_KEY)")
        .says("rest stocks", "ok", "minutes of SPY on 2026-10-02, back to 2003-09-10 (all there is)")
        .says("rest crypto", "ok", "minutes of X:BTCUSD on 2026-10-04")
        .says("rest options", "not_asked", "contract")
        .says("rest quota", "ok", "10/s (auto")
        .says("rest speed", "ok", "ms")
        .says("clock", "ok", "within");
    assert!(all_below(&world.place.path("home")).is_empty() && all_below(&world.place.path("work")).is_empty());
    let rows = told.json["rows"].as_array().unwrap().len() as u64;
    let by_state: Vec<u64> =
        told.json["totals"]["checks"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).collect();
    assert_eq!((told.json["command"].as_str(), by_state.iter().sum()), (Some("doctor"), rows));
    assert_eq!(told.json["settings"]["api_url"], world.vendor.url());
    let counts = world.vendor.counts();
    assert!(counts.get <= 10 && counts.list <= 20 && counts.bytes < 5_000_000, "{counts}");
    assert!(world.vendor.rest_counts().total() <= 12);

    let text = world.place.against(&world.vendor, "doctor").ended(0);
    assert!(text.out.starts_with("check ") && text.out.ends_with("everything that is set up works\n"), "{}", text.out);
    let quiet = world.place.against(&world.vendor, "doctor --quiet").ended(0);
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
}

#[test]
fn the_screen_tells_what_fails_and_what_to_do() {
    let world = World::new();
    let mut command = world.place.customer(&world.vendor.url(), "doctor");
    let text = ran(command.env("MASSIVE_API_KEY", "someone-elses")).ended(3);
    let row = text.out.lines().find(|line| line.starts_with("rest ")).unwrap();
    assert!(row.contains("fails") && row.contains("set MASSIVE_API_KEY to the API key"), "{}", text.out);
    assert!(text.out.ends_with(" checks fail\n") && !text.out.contains("someone-elses"), "{}", text.out);
    let mut command = world.place.customer(&world.vendor.url(), "doctor --quiet");
    let quiet = ran(command.env("MASSIVE_API_KEY", "someone-elses")).ended(3);
    assert!(
        quiet.out.is_empty() && quiet.err.starts_with("rest fails: ") && quiet.err.lines().count() == 1,
        "{quiet:?}"
    );
}

#[test]
fn keys_that_are_refused_or_not_there_are_told_apart() {
    let world = World::new();
    let no_s3 = [("MASSIVE_S3_ACCESS_KEY_ID", ""), ("MASSIVE_S3_SECRET_ACCESS_KEY", "")];
    let told = world.doctor_with(&[("MASSIVE_S3_SECRET_ACCESS_KEY", "wrong-words")]);
    told.ends(3).says("s3", "fails", "environment MASSIVE_S3_ACCESS_KEY_ID").says("s3", "fails", "dashboard");
    told.says("rest", "ok", "accepts").says("clock", "ok", "within");
    assert!(told.row("s3 stocks").is_none() && !told.json.to_string().contains("wrong-words"));
    let told = world.doctor_with(&[("MASSIVE_S3_ACCESS_KEY_ID", "nobodys-id")]);
    told.ends(3).says("s3", "fails", "InvalidAccessKeyId");
    assert!(!told.json.to_string().contains("nobodys-id"));
    let told = world.doctor_with(&[("MASSIVE_API_KEY", "someone-elses")]);
    told.ends(3).says("rest", "fails", "Unknown API Key").says("s3 stocks", "ok", "2026-10-02");
    assert!(told.row("rest stocks").is_none() && !told.json.to_string().contains("someone-elses"));
    world.doctor_with(&[("MASSIVE_API_KEY", "two words")]).ends(3).says("rest", "fails", "MASSIVE_API_KEY");

    let told = world.doctor_with(&no_s3);
    told.ends(0).says("s3", "not_set_up", "MASSIVE_S3_ACCESS_KEY_ID").says("rest", "ok", "accepts");
    let told = world.doctor_with(&[("MASSIVE_API_KEY", "")]);
    told.ends(0).says("rest", "not_set_up", "MASSIVE_API_KEY").says("s3", "ok", "accepts");
    let before = (world.vendor.counts(), world.vendor.rest_counts());
    let told = world.doctor_with(&[no_s3[0], no_s3[1], ("MASSIVE_API_KEY", "")]);
    told.ends(3).says("sources", "fails", "nothing to load bars from").says("clock", "not_asked", "nobody");
    assert_eq!((world.vendor.counts(), world.vendor.rest_counts()), before);
}

#[test]
fn a_folder_in_place_of_the_bucket_is_looked_into() {
    let world = World::new();
    let none = [("MASSIVE_S3_ACCESS_KEY_ID", ""), ("MASSIVE_S3_SECRET_ACCESS_KEY", ""), ("MASSIVE_API_KEY", "")];
    world.settings_file(&format!("source = '{}'", world.place.bucket().display()));
    let told = world.doctor_with(&none);
    told.ends(0).says("source", "ok", "files up to 2026-10-02").says("settings", "ok", "barkeep/config.toml");
    world.settings_file("source = '/not/there'");
    world.doctor_with(&none).ends(3).says("source", "fails", "there is no such folder");
}

#[test]
fn how_far_back_the_plan_reaches_is_found() {
    let plan =
        |datasets: &[Dataset], from: &str| Plan { datasets: datasets.to_vec(), from: Some(from.parse().unwrap()) };
    let world = World::with(|options| {
        options.plan = plan(&[Dataset::Stocks], "2026-09-23");
        options.rest.plan = Some(plan(&[Dataset::Stocks, Dataset::Crypto], "2024-10-05"));
    });
    let told = world.doctor();
    let row = told.says("s3 stocks", "ok", "is refused").row("s3 stocks").unwrap()["found"].as_str().unwrap();
    // Known to a week.
    let (first, refused) = (&row[..10], &row[row.find('(').unwrap() + 1..][..10]);
    assert!(first >= "2026-09-23" && ("2026-09-21".."2026-09-23").contains(&refused), "{row}");
    told.ends(0).says("rest stocks", "ok", "back to 2024-10-08 (2024-10-02 is refused)");
    told.says("rest indices", "not_set_up", "not in your plan").says("rest crypto", "ok", "X:BTCUSD");

    // The free plan: keys are accepted, and no file may be read.
    let world = World::with(|options| {
        options.plan = plan(&[], "2026-09-23");
        options.rest.plan = Some(plan(&[], "2026-09-23"));
    });
    let told = world.doctor();
    told.ends(3).says("s3", "fails", "backfill rest").says("s3 stocks", "not_set_up", "NOT_AUTHORIZED");
    told.says("rest", "fails", "refuses everything").says("rest stocks", "not_set_up", "not in your plan");
    assert!(told.row("s3 speed").is_none());
}

#[test]
fn data_that_come_late_are_told() {
    let world = World::with(|options| {
        options.rest.delay = Duration::from_mins(15);
        options.hidden = [harness::id("2026-10-02")].into();
    });
    let told = world.doctor();
    told.ends(0).says("rest stocks", "ok", "late (DELAYED").says("s3 stocks", "warn", "2026-10-02 is late");
    let world = World::faulty("REST times=all empty");
    world.doctor().ends(0).says("rest stocks", "warn", "an answer without minutes of SPY");
}

#[test]
fn what_goes_wrong_at_the_vendor_is_told_and_the_rest_goes_on() {
    let faults = [
        ("LIST times=all clock-skew", "s3", "set the clock", "rest stocks"),
        ("LIST times=all internal-error", "s3", "HTTP 500", "rest stocks"),
        ("LIST times=all stall:0", "s3", "in time", "rest stocks"),
        ("GET nth=2 times=all internal-error", "s3 stocks", "HTTP 500", "rest stocks"),
        ("GET times=all stall:0", "s3 stocks", "not a byte", "rest stocks"),
        ("REST times=all status:500", "rest", "HTTP 500", "s3 stocks"),
        ("REST times=all html", "rest", "HTML", "s3 stocks"),
        ("REST times=all stall:0", "rest", "nothing more came", "s3 stocks"),
        ("REST key=*/X:BTCUSD/* times=all status:404", "rest crypto", "does not know", "rest stocks"),
    ];
    std::thread::scope(|scope| {
        for (script, check, words, well) in faults {
            scope.spawn(move || {
                let world = World::faulty(script);
                let told = world.doctor_with(&[("BARKEEP_PATIENCE_MS", "1000")]);
                told.ends(3).says(check, "fails", words).says(well, "ok", "2026-10-02");
                assert!(told.json["totals"]["seconds"].as_f64().unwrap() < 15.0, "{script}: {:#}", told.json);
            });
        }
    });
    let told = World::faulty("LIST internal-error\nGET times=all slow:5000").doctor();
    told.ends(0).says("s3 stocks", "ok", "all there is").says("s3 speed", "warn", "kB/s");
}

#[test]
fn nobody_at_the_address_is_told() {
    let world = World::new();
    let nowhere = "http://127.0.0.1:9";
    let told = world.doctor_with(&[("MASSIVE_S3_ENDPOINT", nowhere), ("MASSIVE_API_URL", nowhere)]);
    told.ends(3).says("s3", "fails", "no answer from http://127.0.0.1:9").says(
        "rest",
        "fails",
        "no answer from 127.0.0.1:9",
    );
    assert_eq!(told.json["totals"]["checks"]["fails"], 2);
}

#[test]
fn a_slow_quota_is_kept_to_and_shared() {
    let world = World::new();
    world.place.against(&world.vendor, "s3 --days=1 --symbol=SPY").ended(0);
    world.settings_file("rate = '5/min'");
    let told = world.doctor();
    told.ends(0).says("rest quota", "ok", "5/min; none is free").says(
        "rest stocks",
        "ok",
        "back to 2024-10-08 (what lies",
    );
    assert_eq!(world.vendor.rest_counts().total(), 5);
    // The next process knows of it.
    let told = world.doctor();
    told.ends(0).says("rest stocks", "not_asked", "quota").says("rest quota", "ok", "to keep to it");
    told.says("rest", "not_asked", "key from environment MASSIVE_API_KEY");
    assert_eq!(world.vendor.rest_counts().total(), 5);
}

#[test]
fn a_quota_that_was_learned_is_told() {
    let world = World::with(|options| options.rest.quota = Some("2/min".parse().unwrap())).without_settings();
    world.place.against(&world.vendor, "s3 --days=1 --symbol=SPY").ended(0);
    let told = world.doctor();
    told.ends(0).says("rest", "warn", "too many requests").says("rest quota", "ok", "5/min (learned from a refusal on");
    assert_eq!(world.vendor.rest_counts().total(), 3);
    world.doctor().ends(0).says("rest quota", "ok", "5/min (learned from a refusal on");
    assert_eq!(world.vendor.rest_counts().total(), 3);
}

#[test]
fn a_database_is_looked_at_and_left_as_it_is() {
    let world = World::new();
    world.place.against(&world.vendor, "s3 --days=3 --symbol=SPY").ended(0);
    let database = world.place.database();
    let no_key = [("MASSIVE_API_KEY", "")];
    let (before, folder) = (fs::read(&database).unwrap(), all_below(&world.place.path("home")));
    world.doctor_with(&no_key).ends(0).says("database", "ok", "SQLite 3.").says("database", "ok", "schema");
    world.doctor_with(&no_key).ends(0).says("database", "ok", "3 days of files");
    assert_eq!((fs::read(&database).unwrap(), all_below(&world.place.path("home"))), (before, folder));

    // While somebody writes.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        use sqlx::{ConnectOptions, Connection, Executor};
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&database);
        let mut writer = options.connect().await.unwrap();
        writer.execute("BEGIN IMMEDIATE; DELETE FROM ingest_ledger").await.unwrap();
        world.doctor_with(&no_key).ends(0).says("database", "ok", "3 days of files");
        writer.execute("ROLLBACK").await.unwrap();
        writer.close().await.unwrap();
    });

    query_file(&database, "DELETE FROM barkeep_migrations WHERE version > 2");
    world.doctor_with(&no_key).ends(0).says("database", "ok", "schema 2 of").says(
        "database",
        "ok",
        "brings its tables",
    );
    let migrations = "SELECT CAST(COUNT(*) AS TEXT) FROM barkeep_migrations";
    assert_eq!(harness::query(&database, migrations), ["2"]);
}

#[test]
fn databases_that_cannot_be_used_are_told() {
    let world = World::new();
    world.place.against(&world.vendor, "s3 --days=1 --symbol=SPY").ended(0);
    let database = world.place.database();
    query_file(&database, "UPDATE barkeep_migrations SET checksum = x'00' WHERE version = 3");
    world.doctor().ends(3).says("database", "fails", "migration 3 differs").says("s3", "ok", "accepts");
    let newer = "INSERT INTO barkeep_migrations SELECT MAX(version) + 1, 'x', installed_on, 1, checksum, 0 FROM barkeep_migrations";
    let other = Place::new();
    let world = World::in_place(other, |_| {});
    world.place.against(&world.vendor, "s3 --days=1 --symbol=SPY").ended(0);
    query_file(&world.place.database(), newer);
    world.doctor().ends(3).says("database", "fails", "and this program knows");
    fs::write(world.place.database(), "something else ".repeat(100)).unwrap();
    world.doctor().ends(3).says("database", "fails", "is not a barkeep database").says("rest", "ok", "accepts");
    fs::write(world.place.database(), "").unwrap();
    world.doctor().ends(0).says("database", "not_set_up", "no tables of ours yet");
    assert_eq!(fs::read(world.place.database()).unwrap(), b"");
    let closed = [("DATABASE_URL", "postgres://u:hunter2-word@127.0.0.1:9/d?password=hunter2-word")];
    let told = world.doctor_with(&closed);
    told.ends(3)
        .says("database", "fails", "cannot connect to the database 127.0.0.1:9/d")
        .says("rest", "ok", "accepts");
    assert!(!told.json.to_string().contains("hunter2"));
    let bad = [("DATABASE_URL", "sqlite:/dev/null/bars.db")];
    world.doctor_with(&bad).ends(3).says("database disk", "fails", "cannot be written");
}

#[test]
fn postgres_is_looked_at_and_left_as_it_is() {
    let Some(schema) = Schema::new() else { return };
    let world = World::in_place(Place::on(schema), |_| {});
    let schema = world.place.schema().unwrap();
    let no_key = [("MASSIVE_API_KEY", "")];
    world.doctor_with(&no_key).ends(0).says("database", "not_set_up", "no tables of ours yet");
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()";
    assert!(schema.query(tables).is_empty());
    world.place.against(&world.vendor, "s3 --days=3 --symbol=SPY").ended(0);
    world.doctor_with(&no_key).ends(0).says("database", "ok", "schema").says("database", "ok", "3 days of files");
    let read_only = format!("{}%20-cdefault_transaction_read_only%3Don", schema.url());
    let told = world.doctor_with(&[no_key[0], ("DATABASE_URL", &read_only)]);
    told.ends(0).says("database", "warn", "cannot be written by this user");
    // The quota is shared in the database.
    world.settings_file("rate = '5/min'");
    world.doctor().ends(0).says("rest stocks", "ok", "SPY");
    world.doctor().ends(0).says("rest stocks", "not_asked", "quota");

    schema.execute("DELETE FROM barkeep_migrations WHERE version > 3");
    world.doctor_with(&no_key).ends(0).says("database", "ok", "schema 3 of");
    assert_eq!(schema.query("SELECT count(*)::text FROM barkeep_migrations"), ["3"]);
    schema.execute("UPDATE barkeep_migrations SET checksum = '\\x00' WHERE version = 2");
    world.doctor_with(&no_key).ends(3).says("database", "fails", "migration 2 differs");
}
