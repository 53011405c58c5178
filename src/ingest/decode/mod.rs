//! From a day file's bytes to minutes and day bars. Pure: reads from any [`std::io::Read`].
//!
//! Columns are bound by the header's names. A row that cannot be a bar is rejected and counted, never repaired; the file
//! fails when its header is wrong, its gzip damaged or cut short, or too many of its rows are bad.

mod census;
mod content;
mod day;
mod error;
mod header;
mod lines;
mod minute;
mod number;
mod rows;

use std::io::Read;

use flate2::bufread::MultiGzDecoder;

pub use census::Census;
pub use content::content_hash;
pub use day::{DayFileRows, OfficialBar, decode_day};
pub use error::DecodeError;
pub use header::HeaderError;
pub use lines::{MAX_LINE_BYTES, MAX_UNPACKED_BYTES};
pub use minute::{Grouping, MinuteRows, SymbolMinutes, decode_minutes};
pub(super) use number::whole;
pub use rows::MAX_REJECTED_SHARE;
pub(super) use rows::{checked_prices, checked_volume};

/// The content of a gzip file of one or more members.
pub fn gunzip<R: Read>(packed: R) -> impl Read {
    MultiGzDecoder::new(std::io::BufReader::with_capacity(128 * 1024, packed))
}
