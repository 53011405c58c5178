//! What can be typed of `notify`.

use clap::Args as ClapArgs;

/// Flags of `notify`.
#[derive(Debug, Clone, Default, PartialEq, Eq, ClapArgs)]
pub struct NotifyArgs {
    /// Send a test message over every channel that is set up, now, and say what became of each.
    #[arg(long)]
    pub test: bool,
    /// Send what waits, as commands that run by themselves do.
    #[arg(long, conflicts_with = "test")]
    pub send: bool,
}
