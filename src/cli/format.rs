//! Numbers as people read them.

use std::time::Duration;

/// A count with thousands separators: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and its noun: `1 day`, `2,000 days`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A size in powers of 1000, as networks and disks are sold: `1.9 GB`.
pub fn bytes(size_bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if size_bytes < 1000 {
        return format!("{size_bytes} B");
    }
    let mut size = size_bytes as f64 / 1000.0;
    let mut unit = 0;
    // 999.95 would be printed as 1000.0.
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// A duration to the second, or to the millisecond below a minute: `4.250s`, `2m 13s`, `1h 02m`.
pub fn duration(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds {
        0..60 => format!("{:.3}s", elapsed.as_secs_f64().min(59.999)),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// An estimate of a time: whole seconds, as it has no milliseconds.
pub fn about(seconds: f64) -> String {
    match seconds.round() {
        ..2.0 => "a second".to_owned(),
        whole @ 2.0..60.0 => format!("{whole:.0}s"),
        whole => duration(Duration::try_from_secs_f64(whole).unwrap_or(Duration::MAX)),
    }
}

/// A measured number of seconds as a duration; what is too long for one as the longest.
pub fn duration_of(seconds: f64) -> String {
    duration(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// A price in the fewest digits that read back as the same number.
pub fn price(price: f64) -> String {
    price.to_string()
}

/// A figure to four places, without zeros at the end; a dash where there is none.
pub fn figure(value: f64) -> String {
    if value.is_nan() {
        return "-".to_owned();
    }
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A text from outside without characters that a terminal would obey.
pub fn printable(text: &str) -> String {
    text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}

/// The same line by line, for a text that has several.
pub fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        let counts = [0, 999, 1000, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([counted(1, "day"), counted(2000, "day"), counted(0, "day")], ["1 day", "2,000 days", "0 days"]);
        let sizes = [0, 999, 1000, 999_949, 999_950, 1_900_000_000, u64::MAX].map(bytes);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "1.9 GB", "18446.7 PB"]);
        let durations = [4250, 59_999, 133_000, 3_720_500].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(durations, ["4.250s", "59.999s", "2m 13s", "1h 02m"]);
        assert_eq!([price(0.1 + 0.2), price(185.0), price(1e-7)], ["0.30000000000000004", "185", "0.0000001"]);
        let figures = [1.5, 2.0, -0.00001, 12.345_67, f64::NAN].map(figure);
        assert_eq!(figures, ["1.5", "2", "0", "12.3457", "-"]);
        assert_eq!(printable("a\x1b[2Jb\tü"), "a\\u{1b}[2Jb\\tü");
    }
}
