//! Bad, repeated and misplaced rows, as the vendor's files have them.
//!
//! Bad rows are added and good ones left in place: what a careful reader keeps of a scrambled file is the clean file.

use super::rng::{Chance, hash_text};
use super::universe::UNIT;
use super::walk::Minute;
use super::{Aggregates, FileId};

/// A zero time the vendor wrapped: 1754-08-30.
const WRAPPED_ZERO: &[u8] = b"-6795364578871345152";

/// A row with its `window_start` as printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub stamp: Vec<u8>,
    pub row: Minute,
}

/// Puts defects into the rows of a file.
pub(super) struct Scrambler {
    kind: Aggregates,
    chance: Chance,
    rows: u64,
    symbols: u64,
    held: Vec<(String, Row)>,
}

impl Scrambler {
    pub(super) fn new(id: FileId, seed: u64) -> Self {
        Self { kind: id.kind, chance: Chance::of(&[seed, hash_text(&id.key())]), rows: 0, symbols: 0, held: Vec::new() }
    }

    /// The rows of one instrument with defects among them; some are held back for the end of the file.
    pub(super) fn scramble(&mut self, ticker: &str, rows: Vec<Row>) -> Vec<Row> {
        let mut scrambled = Vec::with_capacity(rows.len() + 2);
        for row in rows {
            scrambled.extend(self.companion(&row));
            scrambled.push(row);
        }
        self.symbols += 1;
        // The ticker comes back at the end of the file.
        if self.symbols % 97 == 3 {
            let half = scrambled.len() / 2;
            self.held.extend(scrambled.drain(half..).map(|row| (ticker.to_owned(), row)));
        }
        // Its minutes are in no order.
        if self.symbols % 89 == 5 {
            for place in (1..scrambled.len()).rev() {
                let other = self.chance.below(place as u64 + 1) as usize;
                scrambled.swap(place, other);
            }
        }
        scrambled
    }

    /// A bad row to go before this one. Four in 1 500 rows have one, the first early enough for the smallest market.
    fn companion(&mut self, good: &Row) -> Option<Row> {
        self.rows += 1;
        let cycle = match self.kind {
            Aggregates::Minute => 1500,
            Aggregates::Day => 500,
        };
        let at = |part: u64| self.rows % cycle == cycle * part / 13;
        let mut bad = good.clone();
        if at(1) {
            // The next day's stamp.
            let stamp: i64 = String::from_utf8_lossy(&bad.stamp).parse().ok()?;
            bad.stamp = (stamp + 24 * 3_600_000_000_000).to_string().into_bytes();
        } else if at(3) {
            bad.stamp = WRAPPED_ZERO.to_vec();
        } else if at(5) {
            // The same row twice.
        } else if at(7) {
            // The same minute with fewer transactions: the good row is the fuller one.
            bad.row.transactions = bad.row.transactions.checked_sub(1)?;
            bad.row.volume = (bad.row.volume / 2 / UNIT).max(1) * UNIT;
            bad.row.close = bad.row.low;
        } else {
            return None;
        }
        Some(bad)
    }

    /// Rows for the end of the file, with their tickers.
    pub(super) fn held_back(self) -> Vec<(String, Row)> {
        self.held
    }
}
