//! `backfill verify` through the real programs: what is damaged is found, named and repaired; what is not is left in peace.
#![cfg(feature = "sandbox")]

#[path = "../harness/mod.rs"]
mod harness;

mod damage;
mod fetched;
mod honest;
mod plantings;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use barkeep::model::Dataset;
use harness::{Place, Ran, Schema, make};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

const WEEK: (&str, &str) = ("2026-09-28", "2026-10-02");

/// A week of tiny stocks.
fn loaded_week() -> Place {
    loaded(WEEK.0, WEEK.1)
}

/// A place for each database there is to test with.
fn places() -> impl Iterator<Item = Place> {
    [Some(Place::new()), Schema::new().map(Place::on)].into_iter().flatten()
}

/// Tiny stocks in a SQLite file.
fn loaded(from: &str, to: &str) -> Place {
    let place = Place::new();
    load(&place, from, to);
    place
}

/// Loads tiny stocks as people do: two symbols by name in every timeframe, then all in some.
fn load(place: &Place, from: &str, to: &str) {
    make(&place.bucket(), &[Dataset::Stocks], from, to);
    let load = format!("s3 --source=BUCKET --from={from} --to={to}");
    place.type_line(&format!("{load} --symbols=SPY,AAPL")).ended(0);
    place.type_line(&format!("{load} --all --timeframes=15m,1h,day")).ended(0);
}

/// Another place with the same bucket and database.
fn copy_of(place: &Place) -> Place {
    let copy = place.schema().map_or_else(Place::new, |schema| Place::on(schema.copy()));
    std::os::unix::fs::symlink(place.bucket(), copy.bucket()).unwrap();
    if place.schema().is_none() {
        fs::create_dir_all(copy.database().parent().unwrap()).unwrap();
        fs::copy(place.database(), copy.database()).unwrap();
    }
    copy
}

/// Runs statements on a database.
fn execute(database: &Path, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = SqliteConnectOptions::new().filename(database).connect().await.unwrap();
        let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.close().await.unwrap();
    });
}

/// How often each kind was found.
fn kinds(ran: &Ran) -> BTreeMap<String, u64> {
    serde_json::from_value(ran.json()["totals"]["findings"].clone()).unwrap()
}

fn words(ran: &Ran) -> BTreeSet<String> {
    kinds(ran).into_keys().collect()
}
