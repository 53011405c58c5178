//! Serving the queue of requests that the watchlist and other programs fill.
//!
//! What is pure: what a row asks for ([`Wish`]), which days are loaded next and for whom (`plan`), and what came of a request
//! (`judge`). The [`Processor`] around it claims requests and holds them by leases, has their days loaded step by step, newest
//! first and each day file once for everybody who wants it, asks the REST API for what files did not bring, and ends each
//! request as soon as nothing of it is left to do. Between steps newcomers join.

mod contact;
mod counting;
mod event;
mod judge;
mod pace;
mod plan;
mod problem;
mod processor;
mod settle;
mod wish;
mod workplace;

pub use event::{BatchReport, Event, ServedRequest};
pub use pace::Pace;
pub use problem::{given_up, put_off};
pub use processor::Processor;
pub use wish::{Wish, WishError};
pub use workplace::Workplace;

#[cfg(test)]
mod fakes;
#[cfg(test)]
mod processor_tests;
