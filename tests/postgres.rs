//! The real program with `DATABASE_URL=postgres://…`.
#![cfg(feature = "sandbox")]

mod harness;

use barkeep::model::Dataset;
use harness::{Dump, Place, Schema, make, ran};

/// A command of a place's user whose bars are kept in a schema.
fn typed(place: &Place, schema: &Schema, line: &str) -> harness::Ran {
    let bucket = place.bucket().display().to_string();
    let words: Vec<String> = line.split_whitespace().map(|word| word.replace("BUCKET", &bucket)).collect();
    ran(place.command(&words).env("DATABASE_URL", schema.url()))
}

const ALL: &str = "s3 --days=10 --all --source=BUCKET";

#[test]
fn both_databases_hold_the_same_bars_ledger_and_coverage() {
    let Some(schema) = Schema::new() else { return };
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Stocks], "2026-09-22", "2026-10-02");
    for line in
        ["s3 --days=10 --symbols=SPY,QQQ --source=BUCKET", ALL, "s3 --days=10 --symbol=SPY --force --source=BUCKET"]
    {
        place.type_line(line).ended(0);
        typed(&place, &schema, line).ended(0);
        Dump::of_schema(&schema).assert_same(&place.dump());
    }
    for line in ["bars SPY --timeframe=5m --csv", "status --symbol=SPY", "watchlist list --json"] {
        let (sqlite, postgres) = (place.type_line(line).ended(0), typed(&place, &schema, line).ended(0));
        assert_eq!(postgres.out, sqlite.out, "{line}");
    }
}
