//! Option chains: the vendor's snapshots, one per underlying and session, and a user's own open interest.
//!
//! The vendor has the chain of now and no other, so what is not taken in time cannot be had later. A snapshot belongs to the
//! session under way, from its regular open on, and is provisional then; else to the last finished session. It is known when
//! its last page has come. Its open interest is that of the end of the last trading day, as the vendor counts it.

mod import;
mod plan;
mod take;

pub use import::{BadLine, ChainFile, ChainFileError, LineProblem, read_chain_file};
pub use plan::{default_underlyings, settled};
pub use take::{ChainError, ChainReport, ChainTools, UnderlyingReport, take};
