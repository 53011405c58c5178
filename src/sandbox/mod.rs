//! The vendor on loopback: synthetic markets in its file formats, served by its S3 dialect, with its defects on request.
//!
//! For the quickstart and the tests. Nothing here reads a file or rolls up a bar: what the product makes of the sandbox's
//! files is checked against what the sandbox meant, not against a second copy of the product.

mod market;

pub use market::{Aggregates, Content, FileId, FileIdError, Market, MarketFile, MarketSize};
