//! The time of a simulation.

use std::fs;
use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

/// A file that holds the instant (RFC 3339) and that other processes change.
#[derive(Debug, Clone)]
pub(super) struct SimulatedClock(PathBuf);

impl SimulatedClock {
    pub(super) const fn new(file: PathBuf) -> Self {
        Self(file)
    }

    /// What it shows.
    pub(super) fn now(&self) -> io::Result<Timestamp> {
        fs::read_to_string(&self.0)?.trim().parse().map_err(io::Error::other)
    }
}
