//! Flags about whether all goes on by itself.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args as ClapArgs;

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

/// Reads a time with its unit: 90s, 15m, 36h, 2d.
pub(in crate::cli) fn parse_span(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        _ => None,
    };
    let number = number.parse::<u32>().ok();
    match number.zip(seconds) {
        Some((number, seconds)) => Ok(Duration::from_secs(u64::from(number) * seconds)),
        None => Err("give a number and a unit: 90s, 15m, 36h, 2d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        let seconds = |text| parse_span(text).map(|span| span.as_secs());
        assert_eq!(
            [seconds("90s"), seconds("15m"), seconds("36h"), seconds("2d")].map(Result::unwrap),
            [90, 900, 129_600, 172_800]
        );
        for wrong in ["", "90", "h", "-1h", "1.5h", "99999999999s", "2 d"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
