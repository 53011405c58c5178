//! The sandbox's REST API as its clients see it.
#![cfg(feature = "sandbox")]

mod aggregates;
mod chain;
mod client;
mod faults;
mod service;
mod splits;

#[path = "../harness/mod.rs"]
mod harness;
