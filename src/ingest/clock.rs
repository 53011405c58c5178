//! What the time is, and waiting for another.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The time of a run: what it calls now, and what has passed since. So a run whose now is set by a test leaves times that
/// fit.
#[derive(Debug, Clone)]
pub struct Clock(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Wall,
    Started {
        start: Timestamp,
        since: Instant,
    },
    /// A simulation's: the instant stands in a file that its processes share, and passes when one of them sleeps.
    #[cfg(feature = "sandbox")]
    Simulated(std::path::PathBuf),
}

impl Clock {
    /// This machine's, as it is set while time passes: of a process that runs for months.
    pub const fn wall() -> Self {
        Self(Kind::Wall)
    }

    /// A clock that shows this instant now.
    pub fn starting(start: Timestamp) -> Self {
        Self(Kind::Started { start, since: Instant::now() })
    }

    /// The clock of a simulation: a file that holds the instant (RFC 3339).
    #[cfg(feature = "sandbox")]
    pub const fn simulated(file: std::path::PathBuf) -> Self {
        Self(Kind::Simulated(file))
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Kind::Wall => Timestamp::now(),
            Kind::Started { start, since } => start.saturating_add(since.elapsed()).unwrap_or(*start),
            #[cfg(feature = "sandbox")]
            Kind::Simulated(file) => {
                let text = std::fs::read_to_string(file).expect("Invariant: a simulation's clock can be read");
                text.trim().parse().expect("Invariant: a simulation's clock holds an instant")
            }
        }
    }

    /// Waits so long. May be dropped at any time.
    pub async fn sleep(&self, pause: Duration) {
        match &self.0 {
            Kind::Wall | Kind::Started { .. } => tokio::time::sleep(pause).await,
            #[cfg(feature = "sandbox")]
            Kind::Simulated(file) => {
                let later = self.now().saturating_add(pause).expect("Invariant: a pause can be added");
                std::fs::write(file, later.to_string()).expect("Invariant: a simulation's clock can be set");
                tokio::task::yield_now().await;
            }
        }
    }
}

#[cfg(all(test, feature = "sandbox"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn time_passes_in_a_simulation_when_somebody_sleeps() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clock");
        std::fs::write(&file, "2026-10-05T21:30:00Z\n").unwrap();
        let (clock, other) = (Clock::simulated(file.clone()), Clock::simulated(file));
        clock.sleep(Duration::from_hours(12)).await;
        assert_eq!(other.now(), "2026-10-06T09:30:00Z".parse().unwrap());
    }
}
