//! The vendor on loopback: synthetic markets in its file formats, served by its S3 dialect and told by its REST API, with its
//! defects on request.
//!
//! For the quickstart and the tests. Nothing here reads a file or rolls up a bar: what the product makes of the sandbox's
//! files is checked against what the sandbox meant, not against a second copy of the product.
#![expect(clippy::print_stderr, reason = "a server that says on its terminal what goes on")]

pub mod cli;
mod defects;
mod market;
mod mirror;
mod proxy;
mod rules;
mod server;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use defects::{Defects, RowCut, RowCutError};
pub use market::{Aggregates, Content, FileId, FileIdError, Market, MarketFile, MarketSize};
pub use mirror::{Dates, Generation, Made, generate};
pub use proxy::{Proxy, ProxyScript};
pub use rules::ScriptError;
pub use server::{
    Action, Counts, FaultBody, Plan, Quota, QuotaError, RestCounts, RestFault, RestOptions, Rule, Script, ServeOptions,
    Server,
};

/// Why the sandbox cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// A file or directory.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A script of faults.
    #[error("{path}: {error}")]
    Script {
        /// Which.
        path: PathBuf,
        /// Why.
        error: ScriptError,
    },
    /// The sandbox has well-known keys and must not be reachable from elsewhere.
    #[error("{0} is not a loopback address: the sandbox only listens on 127.0.0.1 or ::1")]
    NotLoopback(SocketAddr),
    /// The address is taken or not allowed.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// Only this machine can be served.
fn is_loopback(address: SocketAddr) -> Result<(), SandboxError> {
    if address.ip().is_loopback() { Ok(()) } else { Err(SandboxError::NotLoopback(address)) }
}

/// Says which file an error is about.
fn at(path: &Path) -> impl FnOnce(io::Error) -> SandboxError + '_ {
    |source| SandboxError::File { path: path.to_owned(), source }
}
