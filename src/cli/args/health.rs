//! Flags about whether all goes on by itself.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args as ClapArgs;

use super::span::parse_span;

/// Flags of `status --health`.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "Whether it is kept filled")]
pub struct HealthArgs {
    /// Show instead whether the table is kept filled: the last nightly run, days missing, the queue, messages, quota, disks.
    #[arg(long, conflicts_with_all = ["symbol", "dataset", "restatements"])]
    pub health: bool,
    /// Call it stale, too, when the last nightly run that ended with 0 did so longer ago: 30h, 2d.
    #[arg(long, value_name = "TIME", value_parser = parse_span, requires = "health")]
    pub max_age: Option<Duration>,
}

/// Flags of commands that go on for long.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
#[command(next_help_heading = "Watching it")]
pub struct MetricsArgs {
    /// Serve metrics for Prometheus on this address, at /metrics and /healthz: 127.0.0.1:9464. Whoever reaches it may read
    /// them.
    #[arg(long, value_name = "IP:PORT")]
    pub metrics_addr: Option<SocketAddr>,
}
