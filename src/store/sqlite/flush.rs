//! Getting the log onto the disk while bars are still being written.

use std::fs::File;
use std::path::{Path, PathBuf};

use tokio::task::JoinHandle;

use super::beside;

/// Asks the system, from another thread, to write the log to the disk as it grows. A day's commit must wait until all of
/// its log is there; most of it then is. Only a head start: nothing relies on it, and errors are the commit's to find.
#[derive(Debug)]
pub(super) struct LogFlush {
    log: PathBuf,
    running: Option<JoinHandle<()>>,
    /// Bars written since the last flush began.
    bars: usize,
}

/// Bars from which on a flush is worth it: some 8 MB of log.
const WORTH_FLUSHING_BARS: usize = 128 * 1024;

impl LogFlush {
    /// For the write-ahead log of a database.
    pub(super) fn of(database: &Path) -> Self {
        Self { log: beside(database, "-wal"), running: None, bars: 0 }
    }

    /// Starts a flush after so many more bars, if it is worth it and none is under way.
    pub(super) fn after(&mut self, bars: usize) {
        self.bars += bars;
        if self.bars < WORTH_FLUSHING_BARS || self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        self.bars = 0;
        let log = self.log.clone();
        self.running = Some(tokio::task::spawn_blocking(move || {
            let _ = File::open(log).and_then(|log| log.sync_data());
        }));
    }
}
