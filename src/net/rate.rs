//! How many requests are made in how long.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The length of time that a rate counts its requests in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// One second.
    Second,
    /// One minute.
    Minute,
}

impl Window {
    /// How long it is.
    pub const fn duration(self) -> Duration {
        match self {
            Self::Second => Duration::from_secs(1),
            Self::Minute => Duration::from_mins(1),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
        }
    }
}

/// At most so many requests in every window of a length, wherever it begins. Written `100/s` or `5/min`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rate {
    requests: u32,
    per: Window,
}

impl Rate {
    /// What `auto` begins with: fast enough for a few symbols, and far below what any paid plan allows.
    pub const MODERATE: Self = Self { requests: 10, per: Window::Second };
    /// What `auto` falls to when the vendor refuses a request: the rate of the free plan.
    pub const SLOW: Self = Self { requests: 5, per: Window::Minute };
    /// Most requests per window.
    pub const MOST: u32 = 1000;

    /// A rate of 1 to [`Rate::MOST`] requests.
    pub fn new(requests: u32, per: Window) -> Option<Self> {
        (1..=Self::MOST).contains(&requests).then_some(Self { requests, per })
    }

    /// Requests per window.
    pub const fn requests(self) -> u32 {
        self.requests
    }

    /// Length of the window.
    pub const fn window(self) -> Duration {
        self.per.duration()
    }

    /// Time between two requests that go out evenly.
    pub fn spacing(self) -> Duration {
        self.window() / self.requests
    }

    /// How many may go out at once after a pause. Slower than one a second, all of them: whoever has five a minute does not
    /// want to wait for the second one.
    pub fn burst(self) -> u32 {
        if self.spacing() > Duration::from_secs(1) { self.requests } else { (self.requests / 10).max(1) }
    }

    /// How many a process takes at a time from those it shares with others.
    pub fn block(self) -> u32 {
        (self.requests / 10).clamp(1, 10)
    }

    /// Whether it allows more than another one.
    pub fn is_faster_than(self, other: Self) -> bool {
        self.spacing() < other.spacing()
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.requests, self.per.word())
    }
}

/// A text that is no rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a rate: write requests per second or minute, 1 to {most}, such as 100/s or 5/min, or auto",
    most = Rate::MOST
)]
pub struct RateError(pub String);

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rate = text.trim().split_once('/').and_then(|(requests, per)| {
            let per = [Window::Second, Window::Minute].into_iter().find(|window| window.word() == per)?;
            let digits = !requests.is_empty() && requests.bytes().all(|byte| byte.is_ascii_digit());
            Self::new(requests.parse().ok().filter(|_| digits)?, per)
        });
        rate.ok_or_else(|| RateError(text.to_owned()))
    }
}

impl TryFrom<String> for Rate {
    type Error = RateError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Rate> for String {
    fn from(rate: Rate) -> Self {
        rate.to_string()
    }
}

/// Who decides the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateRule {
    /// What is known of the plan: [`Rate::MODERATE`] until the vendor refuses a request, then [`Rate::SLOW`].
    Auto,
    /// The user.
    Fixed(Rate),
}

impl fmt::Display for RateRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Fixed(rate) => rate.fmt(f),
        }
    }
}

impl FromStr for RateRule {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim() == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::Fixed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_they_are_written() {
        for text in ["auto", "5/min", "300/min", "100/s", "1/s", "1000/min"] {
            assert_eq!(text.parse::<RateRule>().unwrap().to_string(), text);
        }
        for text in ["", "5", "5/", "/s", "0/s", "1001/s", "-1/s", "+5/min", "5/h", "1.5/s", "5/minute", "5 /s", "Auto"]
        {
            let error = text.parse::<RateRule>().unwrap_err();
            assert!(error.to_string().starts_with(&format!("`{text}` is not a rate: ")), "{error}");
        }
    }

    #[test]
    fn slow_rates_may_be_used_at_once_and_fast_ones_are_spread() {
        let of = |text: &str| text.parse::<Rate>().unwrap();
        for (rate, burst, block) in
            [("5/min", 5, 1), ("59/min", 59, 5), ("300/min", 30, 10), ("1/s", 1, 1), ("10/s", 1, 1), ("100/s", 10, 10)]
        {
            assert_eq!((of(rate).burst(), of(rate).block()), (burst, block), "{rate}");
        }
        assert!(of("10/s").is_faster_than(of("599/min")) && !of("1/s").is_faster_than(of("60/min")));
    }
}
