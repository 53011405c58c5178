//! Bars on request: the database first, the REST API for what is missing.

use serde_json::{Value, json};

use crate::harness::{Place, Ran, ran};
use crate::{World, by_files};

const LINE: &str = "bars SPY --timeframe=15m --from=2026-09-28 --to=2026-10-02 --fetch --json";

fn parts(ran: &Ran) -> Vec<(String, u64)> {
    let parts = ran.json()["totals"]["parts"].as_array().unwrap().clone();
    let part = |part: &Value| (part["origin"].as_str().unwrap().to_owned(), part["days"].as_u64().unwrap());
    parts.iter().map(part).collect()
}

fn told(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(origin, days)| ((*origin).to_owned(), *days)).collect()
}

fn bars(ran: &Ran) -> Vec<(i64, f64)> {
    let rows = ran.json()["rows"].as_array().unwrap().clone();
    rows.iter().map(|row| (row["timestamp"].as_i64().unwrap(), row["close"].as_f64().unwrap())).collect()
}

/// What the whole of it is.
fn expected(world: &World) -> Vec<(i64, f64)> {
    let dump = by_files(&world.place.bucket(), "--symbol=SPY --from=2026-09-28 --to=2026-10-02");
    let of_series = dump.bars.iter().filter(|bar| bar.starts_with("SPY|15m|"));
    let fields = of_series.map(|bar| bar.split('|').collect::<Vec<_>>());
    fields.map(|bar| (bar[2].parse().unwrap(), bar[6].parse().unwrap())).collect()
}

#[test]
fn what_is_stored_is_not_fetched_and_what_is_fetched_is_stored() {
    // B-51, B-53
    for world in World::on_both() {
        world.run("s3 --symbol=SPY --no-official-day --from=2026-09-28 --to=2026-09-29").ended(0);
        world.run("rest --symbol=SPY --from=2026-10-02 --to=2026-10-02").ended(0);
        let first = world.run(LINE).ended(0);
        assert_eq!(parts(&first), told(&[("file", 2), ("fetched", 2), ("rest", 1)]));
        assert_eq!(bars(&first), expected(&world));
        let second = world.run(LINE).ended(0);
        assert_eq!(parts(&second), told(&[("file", 2), ("rest", 3)]));
        assert_eq!(bars(&second), bars(&first));
        assert_eq!(world.requests(), 2);
        let hours = world.run(&LINE.replace("15m", "1h")).ended(0);
        assert_eq!(parts(&hours), parts(&second), "other bars of the same minutes are stored, too");
    }
}

#[test]
fn an_empty_database_is_filled_and_left_alone_if_told_to() {
    for world in World::on_both() {
        let ran = world.run(&format!("{LINE} --no-store")).ended(0);
        assert_eq!((parts(&ran), bars(&ran)), (told(&[("fetched_not_kept", 5)]), expected(&world)));
        assert!(world.place.schema().is_some() || !world.place.database().exists());
        let ran = world.run(LINE).ended(0);
        assert_eq!((parts(&ran), bars(&ran)), (told(&[("fetched", 5)]), expected(&world)));
    }
}

#[test]
fn a_database_that_cannot_be_used_leads_to_the_api_and_is_told_once() {
    let world = World::new();
    for url in ["sqlite:/proc/none/a.db", "postgres://nobody@127.0.0.1:9/none"] {
        let ran = world.run(&format!("{LINE} --database-url={url}")).ended(0);
        assert_eq!((parts(&ran), bars(&ran)), (told(&[("fetched_not_kept", 5)]), expected(&world)), "{url}");
        assert_eq!(ran.err.matches("the database cannot be used").count(), 1, "{}", ran.err);
    }
    let other = Place::new();
    std::fs::write(other.path("work/x.db"), "this is no database").unwrap();
    let ran = other.against(&world.vendor, &format!("{LINE} --database-url=sqlite:x.db")).ended(0);
    assert_eq!(bars(&ran), expected(&world));
}

#[test]
fn without_a_key_or_a_network_the_answer_is_what_is_stored_with_its_gaps() {
    // B-55
    let world = World::new();
    world.run("s3 --symbol=SPY --no-official-day --from=2026-09-28 --to=2026-09-30").ended(0);
    for (name, value) in [("MASSIVE_API_KEY", ""), ("MASSIVE_API_URL", "http://127.0.0.1:9"), ("MASSIVE_API_KEY", "x")]
    {
        let mut command = world.place.customer(&world.vendor.url(), LINE);
        let ran = ran(command.env(name, value)).ended(3);
        assert_eq!(parts(&ran)[0], ("file".to_owned(), 3), "{name}");
        assert_eq!(parts(&ran)[1], ("missing".to_owned(), 2), "{name}");
        assert_eq!(bars(&ran), expected(&world).into_iter().take(bars(&ran).len()).collect::<Vec<_>>());
        assert!(!ran.json()["totals"]["parts"][1]["detail"].is_null());
    }
    let day = world.run("bars SPY --timeframe=day_official --from=2026-09-28 --to=2026-09-29 --fetch").ended(1);
    assert!(day.err.contains("only day files bring it"), "{}", day.err);
}

#[test]
fn the_session_under_way_is_there_as_far_as_it_is_known() {
    let world = World::new();
    let line = "bars SPY --timeframe=15m --from=2026-10-02 --fetch --json";
    let first = world.run(line).ended(0);
    assert_eq!(parts(&first), told(&[("fetched", 1), ("fetched", 1)]));
    assert_eq!(first.json()["totals"]["parts"][1]["detail"], json!("the session is not over"));
    let second = world.run(line).ended(0);
    assert_eq!(parts(&second), told(&[("rest", 1), ("fetched", 1)]), "it is fetched again until it is");
    assert_eq!(bars(&second), bars(&first));
}
