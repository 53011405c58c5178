//! The nightly run, through the real program, against the vendor on loopback and a clock that the test sets.
#![cfg(feature = "sandbox")]

#[path = "../harness/mod.rs"]
mod harness;

mod alone;
mod nights;
mod world;
mod year;
