//! A vendor, a customer, and the time.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use barkeep::model::Dataset;
use barkeep::sandbox::{Plan, ServeOptions};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use crate::harness::{self, Dump, Place, Ran, Schema, Vendor, make_with, query};

/// Symbols that are traded on each day of a tiny market.
pub const WATCHED: [&str; 3] = ["AAPL", "QQQ", "SPY"];

/// A vendor that publishes as the clock goes on, and a customer's machine.
pub struct World {
    pub place: Place,
    pub vendor: Vendor,
    clock: PathBuf,
}

/// When a day's file usually comes: 06:00 New York of the next day (in summer).
pub fn usually(date: &str) -> Timestamp {
    let date: Date = date.parse().unwrap();
    let next = date.saturating_add(1.day());
    format!("{next}T10:00:00Z").parse().unwrap()
}

impl World {
    /// All sessions of some dates are published in time.
    pub fn new(place: Place, from: &str, to: &str) -> Self {
        Self::with(place, from, to, |_| {})
    }

    pub fn with(place: Place, from: &str, to: &str, change: impl FnOnce(&mut ServeOptions)) -> Self {
        let clock = place.path("clock");
        fs::write(&clock, "2026-01-01T00:00:00Z").unwrap();
        harness::make(&place.path("vendor"), &[Dataset::Stocks], from, to);
        fs::create_dir_all(place.bucket()).unwrap();
        let vendor = serve(&place, &clock, change);
        let world = Self { place, vendor, clock };
        for date in world.made() {
            world.publish(&date, usually(&date));
        }
        world.run("watchlist add AAPL QQQ SPY --days-to-backfill=7").ended(0);
        // Thousands of splits, as if they had been loaded in a moment; one test loads them.
        world.execute("INSERT INTO split_loads (symbol, loaded_at) VALUES ('*', 4102444800000)");
        world
    }

    /// Another service over the same bucket.
    pub fn another_vendor(&self, change: &dyn Fn(&mut ServeOptions)) -> Vendor {
        serve(&self.place, &self.clock, change)
    }

    pub fn clock(&self) -> &Path {
        &self.clock
    }

    /// One for each kind of database that there is.
    pub fn on_both(from: &str, to: &str) -> Vec<Self> {
        let places = [Some(Place::new()), Schema::new().map(Place::on)];
        places.into_iter().flatten().map(|place| Self::new(place, from, to)).collect()
    }

    /// The dates of which the vendor has files.
    fn made(&self) -> Vec<String> {
        fn dates(folder: &Path, into: &mut Vec<String>) {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    dates(&path, into);
                } else if let Some(date) = path.file_name().unwrap().to_str().unwrap().strip_suffix(".csv.gz") {
                    into.push(date.to_owned());
                }
            }
        }
        let mut found = Vec::new();
        dates(&self.place.path("vendor"), &mut found);
        found.sort();
        found.dedup();
        found
    }

    /// Publishes both files of a date, at some time, as they are in a folder.
    pub fn publish_from(&self, folder: &str, date: &str, at: Timestamp) {
        for kind in ["minute", "day"] {
            let key = harness::id(&format!("stocks/{kind}/{date}")).key();
            let (from, to) = (self.place.path(folder).join(&key), self.place.bucket().join(&key));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            // By a new file, as a server's reader may be in the middle of the old one.
            let new = to.with_extension("new");
            fs::copy(from, &new).unwrap();
            fs::File::options().append(true).open(&new).unwrap().set_modified(at.into()).unwrap();
            fs::rename(new, to).unwrap();
        }
    }

    pub fn publish(&self, date: &str, at: Timestamp) {
        self.publish_from("vendor", date, at);
    }

    /// Makes another version of a date's files, in the folder `vendor-again`.
    pub fn make_replaced(&self, date: &str) {
        make_with(&self.place.path("vendor-again"), date, date, |defects| {
            for kind in ["minute", "day"] {
                defects.replaced.insert(harness::id(&format!("stocks/{kind}/{date}")));
            }
        });
    }

    /// The vendor has other rows for a date from some time on.
    pub fn republish(&self, date: &str, at: Timestamp) {
        self.make_replaced(date);
        self.publish_from("vendor-again", date, at);
    }

    /// The vendor has a file of a date that cannot be unpacked.
    pub fn damage(&self, date: &str, at: Timestamp) {
        make_with(&self.place.path("vendor-damaged"), date, date, |defects| {
            defects.truncated.insert(harness::id(date));
        });
        self.publish_from("vendor-damaged", date, at);
    }

    /// The vendor has files of a date that lack a symbol.
    pub fn publish_without(&self, symbol: &str, date: &str, at: Timestamp) {
        for kind in ["minute", "day"] {
            let key = harness::id(&format!("stocks/{kind}/{date}")).key();
            let (from, to) = (self.place.path("vendor").join(&key), self.place.path("vendor-without").join(&key));
            let mut rows = String::new();
            GzDecoder::new(fs::File::open(from).unwrap()).read_to_string(&mut rows).unwrap();
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            let mut packer = GzEncoder::new(fs::File::create(to).unwrap(), Compression::fast());
            for row in rows.lines().filter(|row| !row.starts_with(&format!("{symbol},"))) {
                writeln!(packer, "{row}").unwrap();
            }
            packer.finish().unwrap();
        }
        self.publish_from("vendor-without", date, at);
    }

    /// The vendor has no file of a date.
    pub fn withdraw(&self, date: &str) {
        for kind in ["minute", "day"] {
            fs::remove_file(self.place.bucket().join(harness::id(&format!("stocks/{kind}/{date}")).key())).unwrap();
        }
    }

    /// Sets the clock.
    pub fn at(&self, instant: &str) -> &Self {
        let instant: Timestamp = instant.parse().unwrap();
        fs::write(&self.clock, instant.to_string()).unwrap();
        self
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp {
        fs::read_to_string(&self.clock).unwrap().trim().parse().unwrap()
    }

    pub fn command(&self, line: &str) -> Command {
        self.command_at(&self.vendor.url(), line)
    }

    pub fn command_at(&self, url: &str, line: &str) -> Command {
        let mut command = self.place.customer(url, line);
        command.env("BARKEEP_CLOCK", &self.clock).env("BARKEEP_LEASE_SECONDS", "1").env("BARKEEP_PATIENCE_MS", "500");
        command
    }

    pub fn run(&self, line: &str) -> Ran {
        harness::ran(&mut self.command(line))
    }

    /// A nightly run that says all it knows. From 21:30 it looks again at 01:45 and at 06:00.
    pub fn night(&self, flags: &str) -> Ran {
        self.run(&format!("nightly --json --poll=255m {flags}"))
    }

    pub fn dump(&self) -> Dump {
        self.place.dump()
    }

    /// The first column of a query's rows, which is a text.
    pub fn query(&self, sql: &str) -> Vec<String> {
        match self.place.schema() {
            Some(schema) => schema.query(sql),
            None => query(&self.place.database(), sql),
        }
    }

    pub fn execute(&self, sql: &str) {
        match self.place.schema() {
            Some(schema) => schema.execute(sql),
            None => harness::query_file(&self.place.database(), sql),
        }
    }

    /// The record of the last run, as the database has it.
    pub fn record(&self) -> Value {
        let last =
            "SELECT CAST(record AS TEXT) FROM ingest_runs WHERE record IS NOT NULL ORDER BY started_at DESC LIMIT 1";
        serde_json::from_str(&self.query(last)[0]).unwrap()
    }

    /// What a fresh database holds that loads the same symbols of the same dates from all that is published by now.
    pub fn fresh(&self, from: &str, to: &str) -> Dump {
        let place = Place::new();
        let line = format!("s3 --symbols={} --from={from} --to={to}", WATCHED.join(","));
        harness::ran(place.customer(&self.vendor.url(), &line).env("BARKEEP_CLOCK", &self.clock)).ended(0);
        place.dump()
    }
}

fn serve(place: &Place, clock: &Path, change: impl FnOnce(&mut ServeOptions)) -> Vendor {
    Vendor::serve_with(&place.bucket(), |options| {
        options.clock = Some(clock.to_owned());
        options.rest.market.splits = true;
        // Without option chains, which are many pages each night.
        options.rest.plan = Some(Plan { datasets: vec![Dataset::Stocks], from: None });
        change(options);
    })
}

/// The incidents of a record: kinds with their dates.
pub fn incidents(record: &Value) -> Vec<String> {
    let incidents = record["incidents"].as_array().unwrap().iter().map(|incident| {
        let date = |name: &str| incident[name].as_str().map(|date| format!(" {date}"));
        let to = date("to").filter(|to| Some(to) != date("from").as_ref());
        let kind = incident["kind"].as_str().unwrap();
        format!("{kind}{}{}", date("from").unwrap_or_default(), to.unwrap_or_default())
    });
    incidents.collect()
}

/// Days of a report by date.
pub fn outcomes(report: &Value) -> BTreeMap<String, String> {
    let days = report["days"].as_array().unwrap().iter();
    days.map(|day| (day["date"].as_str().unwrap().to_owned(), day["outcome"].as_str().unwrap().to_owned())).collect()
}
