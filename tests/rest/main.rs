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
mod stopping;

use std::path::Path;

use barkeep::model::Dataset;
use harness::{Dump, Place, Ran, Schema, Vendor, make};

/// Two weeks of a tiny market, and a vendor that has nothing but them.
pub struct World {
    pub place: Place,
    pub vendor: Vendor,
}

/// The first and the last date of the market.
pub const FROM: &str = "2026-09-21";
pub const TO: &str = "2026-10-02";

/// Symbols that are traded on each of its days.
pub const BUSY: &str = "SPY,AAPL,QQQ";

impl World {
    pub fn new() -> Self {
        Self::in_place(Place::new(), |_| {})
    }

    /// One on each kind of database that there is.
    pub fn on_both() -> Vec<Self> {
        let places = [Some(Place::new()), Schema::new().map(Place::on)];
        places.into_iter().flatten().map(|place| Self::in_place(place, |_| {})).collect()
    }

    pub fn with(change: impl FnOnce(&mut barkeep::sandbox::ServeOptions)) -> Self {
        Self::in_place(Place::new(), change)
    }

    pub fn in_place(place: Place, change: impl FnOnce(&mut barkeep::sandbox::ServeOptions)) -> Self {
        make(&place.bucket(), &[Dataset::Stocks], FROM, TO);
        let vendor = Vendor::serve_with(&place.bucket(), change);
        Self { place, vendor }
    }

    /// A line as typed; `BUSY` stands for the symbols, `DATES` for the dates of the market.
    pub fn run(&self, line: &str) -> Ran {
        self.place.against(&self.vendor, &spelled(line))
    }

    pub fn dump(&self) -> Dump {
        self.place.dump()
    }

    /// Requests of the REST API so far.
    pub fn requests(&self) -> u64 {
        self.vendor.rest_counts().total()
    }
}

pub fn spelled(line: &str) -> String {
    line.replace("BUSY", &format!("--symbols={BUSY}")).replace("DATES", &format!("--from={FROM} --to={TO}"))
}

/// What files bring of the same.
pub fn by_files(folder: &Path, line: &str) -> Dump {
    let place = Place::new();
    let line = format!("s3 --source={} --no-official-day {}", folder.display(), spelled(line));
    place.type_line(&line).ended(0);
    place.dump()
}
