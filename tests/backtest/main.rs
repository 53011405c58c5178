//! `backtest` through the real program: a database that the real loader filled, and the vendor on loopback.
#![cfg(feature = "sandbox")]

#[path = "../harness/mod.rs"]
mod harness;

mod commands;
mod fallback;
mod refused;
mod runs;
mod signals;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use barkeep::model::Dataset;
use harness::{Place, Ran, Vendor, make, ran};
use serde_json::Value;
use tempfile::TempDir;

/// Enough sessions before the period for every indicator.
const FROM: &str = "2026-07-20";
const TO: &str = "2026-10-02";
/// A period of eight sessions, its end the last finished one.
const DAYS: &str = "--days=10";

/// Files of the vendor and what they make of a database, made once for all tests.
struct Made {
    dir: TempDir,
}

impl Made {
    fn once() -> &'static Self {
        static MADE: OnceLock<Made> = OnceLock::new();
        MADE.get_or_init(|| {
            let dir = tempfile::tempdir().unwrap();
            make(&dir.path().join("bucket"), &[Dataset::Stocks, Dataset::Indices], FROM, TO);
            let place = Place::new();
            let bucket = dir.path().join("bucket").display().to_string();
            let line = |dataset: &str, symbols: &str| {
                let words = format!("s3 --source={bucket} --dataset={dataset} {symbols} --from={FROM} --to={TO}");
                place.run(&words.split_whitespace().collect::<Vec<_>>()).ended(0);
            };
            line("stocks", "--symbols=SPY,QQQ,NVDA,MSFT,AAPL");
            line("indices", "--symbols=SPX,VIX");
            fs::copy(place.database(), dir.path().join("bars.db")).unwrap();
            Self { dir }
        })
    }

    fn bucket(&self) -> PathBuf {
        self.dir.path().join("bucket")
    }

    fn database(&self) -> PathBuf {
        self.dir.path().join("bars.db")
    }
}

/// A user with a filled database, or without one.
struct World {
    place: Place,
}

impl World {
    fn filled() -> Self {
        let world = Self::empty();
        fs::create_dir_all(world.place.database().parent().unwrap()).unwrap();
        fs::copy(Made::once().database(), world.place.database()).unwrap();
        world
    }

    fn empty() -> Self {
        Self { place: Place::new() }
    }

    fn command(&self, line: &str) -> Command {
        let words: Vec<&str> = line.split_whitespace().collect();
        self.place.command_of(env!("CARGO_BIN_EXE_backtest"), &words)
    }

    fn run(&self, line: &str) -> Ran {
        ran(&mut self.command(line))
    }

    /// The same by a customer of a vendor on loopback.
    fn against(&self, vendor: &Vendor, line: &str) -> Ran {
        let mut command = self.command(line);
        command.env("MASSIVE_API_URL", vendor.url()).env("MASSIVE_API_KEY", "sandbox-api-key");
        ran(&mut command)
    }

    fn vendor() -> Vendor {
        Vendor::serve(&Made::once().bucket())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path("work").join(name)
    }

    /// The report of the day's latest run in a folder of results.
    fn report(&self, folder: &str) -> Value {
        serde_json::from_slice(&self.bytes(folder, "json")).unwrap()
    }

    fn bytes(&self, folder: &str, extension: &str) -> Vec<u8> {
        fs::read(self.path(folder).join(format!("backtest-2026-10-05.{extension}"))).unwrap()
    }
}

/// Names of files, sorted; none where there is no folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Trades by detector.
fn trades(report: &Value) -> BTreeMap<String, Vec<Value>> {
    let of = |result: &Value| {
        let trades = result["trades"].as_array().cloned().unwrap_or_default();
        (result["detector"].as_str().unwrap().to_owned(), trades)
    };
    report["results"].as_array().unwrap().iter().map(of).collect()
}
