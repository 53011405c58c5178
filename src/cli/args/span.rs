//! Times as they are typed.

use std::time::Duration;

/// Reads a time with its unit: 500ms, 90s, 15m, 36h, 2d.
pub(super) fn parse_span(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    match number.parse::<u32>().ok().zip(milliseconds) {
        Some((number, unit)) => Ok(Duration::from_millis(u64::from(number) * unit)),
        None => Err("give a number and a unit: 500ms, 90s, 15m, 36h, 2d".to_owned()),
    }
}

/// Reads a time between looks: a second to a day.
pub(super) fn parse_pause(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_secs(1), "1s")
}

/// Reads a time between looks: a millisecond to a day.
pub(super) fn parse_interval(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_millis(1), "1ms")
}

fn within(text: &str, shortest: Duration, named: &str) -> Result<Duration, String> {
    let span = parse_span(text)?;
    let fits = (shortest..=Duration::from_hours(24)).contains(&span);
    fits.then_some(span).ok_or_else(|| format!("not a time from {named} to 24h"))
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
