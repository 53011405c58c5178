//! Trouble of something that runs by itself, for people.

/// Trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What makes it the same trouble tomorrow: words, without times and numbers that change from run to run. Where they
    /// differ, people are told anew.
    pub essence: Vec<String>,
    /// What is wrong, one line without a full stop.
    pub headline: String,
    /// More of it, and what to do; may quote others.
    pub details: Vec<String>,
}
