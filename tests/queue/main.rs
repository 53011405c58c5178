//! The queue of requests and those who serve it: the real program, other programs' SQL, and the vendor on loopback.
#![cfg(feature = "sandbox")]
#![allow(clippy::print_stdout, reason = "prints its tables when asked to")]

#[path = "../harness/mod.rs"]
mod harness;

mod lives;
mod outcomes;
mod soak;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use barkeep::model::Dataset;
use barkeep::sandbox::ServeOptions;
use harness::{Place, Ran, Schema, Vendor, finished, make, ran, signal, wait_until};

/// Ten sessions of stocks, of two files each.
const FROM: &str = "2026-09-21";
const TO: &str = "2026-10-02";
const FILES: u64 = 20;
/// So many days ask for all of them.
const DAYS: u32 = 12;

/// A vendor and a user with a database.
struct World {
    place: Place,
    vendor: Vendor,
    /// Whether the user has a key of the REST API.
    has_key: bool,
}

impl World {
    /// One on each kind of database that there is. Without a key of the API, only files bring bars.
    fn on_both() -> Vec<Self> {
        Self::on_both_with(|_| {})
    }

    fn on_both_with(change: impl Fn(&mut ServeOptions)) -> Vec<Self> {
        let places = [Some(Place::new()), Schema::new().map(Place::on)];
        places.into_iter().flatten().map(|place| Self::of(place, &change)).collect()
    }

    fn of(place: Place, change: impl Fn(&mut ServeOptions)) -> Self {
        make(&place.bucket(), &[Dataset::Stocks], FROM, TO);
        let vendor = Vendor::serve_with(&place.bucket(), change);
        let world = Self { place, vendor, has_key: false };
        // Makes the tables.
        world.run("watchlist list").ended(0);
        world
    }

    fn with_key(self) -> Self {
        Self { has_key: true, ..self }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.place.customer(&self.vendor.url(), line);
        // Half a second is some seconds less than the usual 20.
        command.env("BARKEEP_LEASE_SECONDS", "2").stdout(Stdio::piped()).stderr(Stdio::piped());
        if !self.has_key {
            command.env_remove("MASSIVE_API_KEY");
        }
        command
    }

    fn run(&self, line: &str) -> Ran {
        ran(&mut self.command(line))
    }

    fn once(&self) -> Ran {
        self.run("watchlist run --once --json")
    }

    /// A processor that works until it is told to stop.
    fn processor(&self) -> Processor {
        Processor::start(&mut self.command("watchlist run --json"))
    }

    /// Asks for symbols as another program would.
    fn request(&self, symbols: &[&str], days: u32) {
        let rows: Vec<_> = symbols.iter().map(|symbol| format!("('{symbol}', {days})")).collect();
        self.place.sql(&format!(
            "INSERT INTO historical_ingestion_queue (symbol, days_to_backfill) VALUES {}",
            rows.join(", ")
        ));
    }

    /// What became of all requests: `SPY completed loaded` and so on, by symbol.
    fn outcomes(&self) -> Vec<String> {
        self.place.sql(
            "SELECT symbol || ' ' || status || ' ' || coalesce(outcome, '-') FROM historical_ingestion_queue
             ORDER BY symbol, id",
        )
    }

    fn message(&self, symbol: &str) -> String {
        let sql = format!("SELECT error_message FROM historical_ingestion_queue WHERE symbol = '{symbol}'");
        self.place.sql(&sql).concat()
    }

    /// How many requests have this status.
    fn count(&self, status: &str) -> u64 {
        let sql = format!("SELECT CAST(count(*) AS TEXT) FROM historical_ingestion_queue WHERE status = '{status}'");
        self.place.sql(&sql)[0].parse().unwrap()
    }
}

/// A process that ends with this value, one way or the other.
struct Processor(Option<Child>);

impl Processor {
    fn start(command: &mut Command) -> Self {
        Self(Some(command.spawn().unwrap()))
    }

    fn child(&self) -> &Child {
        self.0.as_ref().unwrap()
    }

    fn kill(mut self) {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to stop, and waits for that.
    fn stop(mut self, name: &str) -> Ran {
        let child = self.0.take().unwrap();
        signal(&child, name);
        finished(child)
    }
}

impl Drop for Processor {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// So long a test waits for something that takes a moment.
const MOMENT: Duration = Duration::from_secs(20);
