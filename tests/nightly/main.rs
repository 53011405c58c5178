//! The nightly run, through the real program, against the vendor on loopback and a clock that the test sets.
#![cfg(feature = "sandbox")]

#[path = "../harness/mod.rs"]
mod harness;
#[allow(dead_code, reason = "a part of it is used")]
#[path = "../notify/hook.rs"]
mod hook;

mod alone;
mod nights;
mod world;
mod year;
