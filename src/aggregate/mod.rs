//! Which bucket a minute falls in, and folding minutes into bars. Pure and synchronous.

mod fold;
mod grid;

pub use fold::roll_up;
pub use grid::{Bucket, DayGrid};
