//! Work of a night beside bars.

use std::future::Future;

/// Work of a night beside bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chore {
    /// The option chains of the session that has ended are taken: they cannot be had later.
    Chains,
    /// Old files are removed from the cache.
    Cache,
    /// The list of splits is refreshed.
    Splits,
    /// Sessions that were announced are refreshed.
    Calendar,
}

impl Chore {
    /// Its name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chains => "chains",
            Self::Cache => "cache",
            Self::Splits => "splits",
            Self::Calendar => "calendar",
        }
    }
}

/// Does the work beside bars.
pub trait Chores: Send {
    /// Does it; says what it came to, if there is something to tell, or why it failed.
    fn work(&mut self, chore: Chore) -> impl Future<Output = Result<Option<String>, String>> + Send;
}
