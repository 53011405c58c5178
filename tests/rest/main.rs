//! Bars from the REST API, through the real program and against the vendor on loopback.
#![cfg(feature = "sandbox")]
#![allow(clippy::print_stdout, reason = "prints its table when asked to")]

#[path = "../harness/mod.rs"]
mod harness;

mod exact;
mod faults;
mod history;
mod hybrid;
mod loading;
mod sources;
mod stopping;

use std::path::Path;

use barkeep::model::Dataset;
use harness::{Dump, Place, Ran, Schema, Vendor, make};

/// Two weeks of a tiny market, and a vendor that has nothing but them.
pub(crate) struct World {
    pub(crate) place: Place,
    pub(crate) vendor: Vendor,
}

/// The first and the last date of the market.
pub(crate) const FROM: &str = "2026-09-21";
pub(crate) const TO: &str = "2026-10-02";

/// Symbols that are traded on each of its days.
pub(crate) const BUSY: &str = "SPY,AAPL,QQQ";

impl World {
    pub(crate) fn new() -> Self {
        Self::in_place(Place::new(), |_| {})
    }

    /// One on each kind of database that there is.
    pub(crate) fn on_both() -> Vec<Self> {
        let places = [Some(Place::new()), Schema::new().map(Place::on)];
        places.into_iter().flatten().map(|place| Self::in_place(place, |_| {})).collect()
    }

    pub(crate) fn with(change: impl FnOnce(&mut barkeep::sandbox::ServeOptions)) -> Self {
        Self::in_place(Place::new(), change)
    }

    pub(crate) fn in_place(place: Place, change: impl FnOnce(&mut barkeep::sandbox::ServeOptions)) -> Self {
        make(&place.bucket(), &[Dataset::Stocks], FROM, TO);
        publish(&place.bucket());
        let vendor = Vendor::serve_with(&place.bucket(), change);
        Self { place, vendor }
    }

    /// A line as typed; `BUSY` stands for the symbols, `DATES` for the dates of the market.
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.place.against(&self.vendor, &spelled(line))
    }

    pub(crate) fn dump(&self) -> Dump {
        self.place.dump()
    }

    /// Requests of the REST API so far.
    pub(crate) fn requests(&self) -> u64 {
        self.vendor.rest_counts().total()
    }
}

/// Dates files to the morning after their day, as far as the clock of these tests is concerned.
pub(crate) fn publish(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            publish(&entry);
        } else if let Some(date) = entry.file_name().unwrap().to_str().unwrap().strip_suffix(".csv.gz") {
            let morning: jiff::Timestamp = format!("{date}T20:00:00Z").parse().unwrap();
            let file = std::fs::File::options().append(true).open(&entry).unwrap();
            file.set_modified((morning + jiff::ToSpan::hours(12)).into()).unwrap();
        }
    }
}

pub(crate) fn spelled(line: &str) -> String {
    line.replace("BUSY", &format!("--symbols={BUSY}")).replace("DATES", &format!("--from={FROM} --to={TO}"))
}

/// What files bring of the same.
pub(crate) fn by_files(folder: &Path, line: &str) -> Dump {
    let place = Place::new();
    let line = format!("s3 --source={} --no-official-day {}", folder.display(), spelled(line));
    place.type_line(&line).ended(0);
    place.dump()
}
