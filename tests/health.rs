//! `status --health` through the real program, on both databases.

#![cfg(feature = "sandbox")]

mod harness;

use barkeep::model::Dataset;
use harness::{Place, Schema, make, query_file};
use serde_json::Value;

/// Places with each of the databases there are.
fn places() -> Vec<Place> {
    std::iter::once(Place::new()).chain(Schema::new().map(Place::on)).collect()
}

impl Place {
    /// Runs statements that both databases understand.
    fn execute(&self, sql: &str) {
        match self.schema() {
            Some(schema) => schema.execute(sql),
            None => query_file(&self.database(), sql),
        }
    }

    fn health(&self, code: i32) -> Health {
        let ran = self.run(&["status", "--health", "--json"]).ended(code);
        assert_eq!(ran.err, "", "nothing but the object");
        Health(ran.json())
    }
}

struct Health(Value);

impl Health {
    /// How a check stands, and what was found.
    #[track_caller]
    fn check(&self, name: &str) -> (&str, &str) {
        let rows = self.0["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["check"] == name).unwrap();
        (row["level"].as_str().unwrap(), row["found"].as_str().unwrap())
    }

    fn facts(&self) -> &Value {
        &self.0["totals"]["facts"]
    }
}

/// Milliseconds since the epoch, so long before now.
fn ago(minutes: i64) -> i64 {
    let now: jiff::Timestamp = harness::NOW.parse().unwrap();
    now.as_millisecond() - minutes * 60_000
}

fn run(began: i64, end: Option<(i64, u8, &str)>) -> String {
    let end = end.map_or("NULL, NULL, NULL, NULL, NULL".to_owned(), |(ended, exit, complete_to)| {
        format!("{}, {exit}, '{complete_to}', '10 days are there', '{{}}'", ago(ended))
    });
    format!(
        "INSERT INTO ingest_runs (run_id, command, started_at, finished_at, exit_code, complete_to, summary, record) \
         VALUES ('run-{began}', 'nightly', {}, {end})",
        ago(began)
    )
}

#[test]
fn a_table_that_is_kept_filled_is_fine_and_one_that_is_not_is_stale() {
    for place in places() {
        make(&place.bucket(), &[Dataset::Stocks], "2026-09-21", "2026-10-02");
        let bucket = place.bucket();
        let source = format!("--source={}", bucket.display());
        let load = |from: &str, code| {
            place.run(&["s3", &source, from, "--to=2026-10-02", "--symbol=SPY", "--timeframes=1h"]).ended(code);
        };
        place.run(&["watchlist", "add", "SPY"]).ended(0);
        let health = place.health(0);
        assert_eq!(health.facts()["days"]["symbols_awaited"], 1, "its request is open");
        assert_eq!(health.facts()["queue"]["pending"], 1);
        place.execute("DELETE FROM historical_ingestion_queue");
        place.execute(&format!("UPDATE watchlist SET added_at = {}", ago(60 * 24 * 30)));

        let health = place.health(3);
        assert_eq!(health.check("days").0, "stale", "{:?}", health.check("days"));
        assert_eq!(health.facts()["days"]["missing_days"], 10);
        assert_eq!(health.check("nightly").0, "info");

        load("--from=2026-09-22", 0);
        let health = place.health(3);
        assert_eq!(health.facts()["days"]["missing"]["SPY"], serde_json::json!(["2026-09-21"]));
        load("--from=2026-09-21", 0);
        let health = place.health(0);
        assert_eq!(health.check("days"), ("ok", "the latest sessions of 1 symbol are there"));
        assert_eq!(health.facts()["days"]["missing_days"], 0);

        // Three days later nobody has loaded anything.
        let mut later = place.command(&["status", "--health"]);
        let later = harness::ran(later.env("BARKEEP_NOW", "2026-10-08T17:00:00Z")).ended(3);
        let words = later.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("days STALE 3 missing of the latest sessions, since 2026-10-05:"), "{}", later.out);
        let checks = if place.schema().is_some() { 7 } else { 8 };
        assert!(words.ends_with(&format!("stale: 1 of {checks} checks")), "{}", later.out);
        assert!(later.out.contains("`backfill hybrid --from=2026-10-05`"), "{}", later.out);
    }
}

#[test]
fn runs_requests_and_messages_are_judged() {
    for place in places() {
        place.run(&["watchlist", "list"]).ended(0);
        place.execute(&run(900, Some((800, 0, "2026-10-02"))));
        let health = place.health(0);
        assert_eq!(health.check("nightly").0, "ok", "{:?}", health.check("nightly"));
        assert_eq!(health.facts()["nightly"]["complete_to"], "2026-10-02");
        assert_eq!(health.facts()["nightly"]["last_exit_code"], 0);
        place.run(&["status", "--health", "--max-age=14h"]).ended(0);
        place.run(&["status", "--health", "--max-age=13h"]).ended(3);
        place.execute(&run(100, None));
        let health = place.health(0);
        assert_eq!(health.facts()["nightly"]["under_way"], "run-100");
        place.execute("UPDATE ingest_runs SET complete_to = '2026-10-01'");
        let health = place.health(3);
        assert!(health.check("nightly").1.starts_with("complete to 2026-10-01 only, 1 session behind"));
        place.execute("DELETE FROM ingest_runs");

        // A request asked for long ago that nobody takes.
        place.execute(&format!(
            "INSERT INTO historical_ingestion_queue (symbol, requested_at) VALUES ('SPY', {})",
            ago(20)
        ));
        let health = place.health(3);
        assert_eq!(health.check("queue").0, "stale", "{:?}", health.check("queue"));
        assert_eq!(health.facts()["queue"]["pending"], 1);
        place.execute("UPDATE historical_ingestion_queue SET status = 'failed', outcome = 'dead'");
        let health = place.health(0);
        assert_eq!(health.check("queue").0, "warn");
        place.execute("DELETE FROM historical_ingestion_queue");

        place.execute(&format!(
            "INSERT INTO notification_outbox (dedup_key, channel, event, subject, body, created_at, not_before) \
             VALUES ('a', 'webhook', 'failure', 's', 'b', {0}, {0})",
            ago(61)
        ));
        assert_eq!(place.health(3).check("messages").0, "stale");
    }
}

#[test]
fn looking_makes_and_changes_nothing() {
    let place = Place::new();
    let none = place.run(&["status", "--health"]).ended(1);
    assert!(none.err.contains("no database at") && none.err.contains("\nhint: "), "{}", none.err);
    assert!(!place.database().exists());
    let unreachable = place.run(&["status", "--health", "--database-url=postgres://u@127.0.0.1:9/d"]).ended(1);
    assert!(unreachable.err.starts_with("error: "), "{}", unreachable.err);

    place.run(&["watchlist", "add", "SPY"]).ended(0);
    place.execute("DELETE FROM historical_ingestion_queue");
    let folder = place.database().parent().unwrap().to_owned();
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files.into_iter().map(|file| (std::fs::read(&file).unwrap(), file)).collect::<Vec<_>>()
    };
    let before = files();
    let quiet = place.run(&["status", "--health", "--quiet"]).ended(3);
    assert_eq!(quiet.out, "");
    assert!(quiet.err.starts_with("days STALE: 10 missing"), "{}", quiet.err);
    assert!(before == files(), "the files are as they were");
}

#[test]
fn who_may_only_read_can_look() {
    let Some(schema) = Schema::new() else { return };
    let place = Place::on(schema);
    place.run(&["watchlist", "list"]).ended(0);
    let schema = place.schema().unwrap();
    let name = schema.query("SELECT current_schema()::text").remove(0);
    let role = format!("{name}_reader");
    schema.execute(&format!(
        "CREATE ROLE {role}; GRANT USAGE ON SCHEMA {name} TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO {role}"
    ));
    let url = schema.url().replace("options=", &format!("options=-crole%3D{role}%20"));
    let mut command = place.command(&["status", "--health", "--json"]);
    let looked = harness::ran(command.env("DATABASE_URL", &url));
    let written = harness::ran(place.command(&["watchlist", "add", "SPY"]).env("DATABASE_URL", &url));
    schema.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    assert_eq!(looked.code, 0, "{looked:?}");
    assert_eq!(written.code, 1, "the role may not write: {written:?}");
}

#[test]
fn flags_of_health_make_sense_with_it_only() {
    let place = Place::new();
    for wrong in [
        &["status", "--max-age=30h"][..],
        &["status", "--health", "--symbol=SPY"],
        &["status", "--health", "--max-age=soon"],
    ] {
        place.run(wrong).ended(2);
    }
}
