//! What names a run: hashes of what was asked for and of the data.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::backtest::RunConfig;

/// SHA-256 of the configuration, 64 hex digits. Hashed is its compact JSON: fields in their declared order, parameters sorted.
pub fn config_hash(config: &RunConfig) -> String {
    hash(config)
}

/// The first 12 hex digits of the SHA-256 over configuration and data snapshot: equal runs have equal names.
pub fn run_id(config: &RunConfig, snapshot: u128) -> String {
    let mut id = hash(&(config, snapshot_hex(snapshot)));
    id.truncate(12);
    id
}

/// A snapshot as 32 hex digits.
pub fn snapshot_hex(snapshot: u128) -> String {
    format!("{snapshot:032x}")
}

fn hash(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).expect("Invariant: a configuration has only text keys");
    Sha256::digest(json).iter().map(|byte| format!("{byte:02x}")).collect()
}
