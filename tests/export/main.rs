//! `backfill export` through the real binary: what the files hold, and what is in the folder when something goes wrong.
#![cfg(feature = "sandbox")]

#[path = "../harness/mod.rs"]
mod harness;

mod content;
mod folder;
mod selection;
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use barkeep::model::Dataset;
use harness::{Place, make};

/// A place with bars of three markets. Two ranges: one over a month's end with an early close, one over a month's end and
/// a change of New York's clocks.
fn place() -> Place {
    static DATABASE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let place = Place::new();
        let markets = [Dataset::Stocks, Dataset::Crypto, Dataset::Indices];
        for (from, to) in [("2025-11-28", "2025-12-01"), ("2026-02-27", "2026-03-09")] {
            make(&place.bucket(), &markets, from, to);
            for market in markets {
                let line = format!("s3 --source=BUCKET --all --dataset={market} --from={from} --to={to} --quiet");
                place.type_line(&line).ended(0);
            }
        }
        fs::read(place.database()).unwrap()
    });
    with_database(&DATABASE)
}

/// A place with a month of every minute of the stocks.
fn month() -> Place {
    static DATABASE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let place = Place::new();
        make(&place.bucket(), &[Dataset::Stocks], "2026-09-01", "2026-09-30");
        let line = "s3 --source=BUCKET --all --from=2026-09-01 --to=2026-09-30 --timeframes=1m,day --quiet";
        place.type_line(line).ended(0);
        fs::read(place.database()).unwrap()
    });
    with_database(&DATABASE)
}

/// A place with a database that was loaded elsewhere; all of it lies in the one file when nobody has it open.
fn with_database(bytes: &[u8]) -> Place {
    let place = Place::new();
    fs::create_dir_all(place.database().parent().unwrap()).unwrap();
    fs::write(place.database(), bytes).unwrap();
    place
}

/// The files below a folder, with their paths from there, those whose names begin with a dot included.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    fn collect(root: &Path, folder: &Path, into: &mut BTreeSet<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, into);
            } else {
                into.insert(path.strip_prefix(root).unwrap().to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(folder, folder, &mut found);
    found
}
