//! Numbers and rows as the vendor prints them.

use super::rng::hash_numbers;
use super::universe::UNIT;
use super::walk::Minute;
use crate::model::Dataset;

/// How prices are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PriceStyle {
    /// As many decimals as it takes: `333.26`.
    Shortest,
    /// Six decimals: `333.260000`.
    SixDecimals,
    /// 16 significant digits: `5871.451234567803`.
    AllDigits,
}

impl PriceStyle {
    /// How the prices of a row are printed: indices published in cents in cents, computed ones with every digit.
    pub(super) fn of(prices: [i64; 4], all_digits: bool, otherwise: Self) -> Self {
        let in_cents = prices.iter().all(|price| price % (UNIT / 100) == 0);
        if all_digits && !in_cents { Self::AllDigits } else { otherwise }
    }
}

/// How volumes are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum VolumeStyle {
    /// No such column.
    Absent,
    /// Whole numbers, or as many decimals as it takes.
    Shortest,
    /// Six decimals: `17798.430378`.
    SixDecimals,
}

/// Header line, byte for byte the vendor's.
pub(super) const fn header(dataset: Dataset) -> &'static str {
    match dataset {
        Dataset::Indices => "ticker,open,close,high,low,window_start\n",
        _ => "ticker,volume,open,close,high,low,window_start,transactions\n",
    }
}

/// Appends a row. `stamp` is the printed `window_start`.
pub(super) fn push_row(
    line: &mut Vec<u8>,
    ticker: &str,
    row: &Minute,
    stamp: &[u8],
    prices: PriceStyle,
    volume: VolumeStyle,
) {
    line.extend_from_slice(ticker.as_bytes());
    line.push(b',');
    match volume {
        VolumeStyle::Absent => {}
        VolumeStyle::Shortest => push_shortest(line, row.volume),
        VolumeStyle::SixDecimals => push_six(line, row.volume),
    }
    if volume != VolumeStyle::Absent {
        line.push(b',');
    }
    for price in [row.open, row.close, row.high, row.low] {
        push_price(line, price, prices);
        line.push(b',');
    }
    line.extend_from_slice(stamp);
    if volume != VolumeStyle::Absent {
        line.push(b',');
        push_whole(line, u64::from(row.transactions));
    }
    line.push(b'\n');
}

pub(super) fn push_price(line: &mut Vec<u8>, price: i64, style: PriceStyle) {
    match style {
        PriceStyle::Shortest => push_shortest(line, price),
        PriceStyle::SixDecimals => push_six(line, price),
        PriceStyle::AllDigits => push_all_digits(line, price),
    }
}

fn push_whole(line: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[at..]);
}

fn push_padded(line: &mut Vec<u8>, mut value: u64, places: usize) {
    let start = line.len();
    line.resize(start + places, b'0');
    for digit in line[start..].iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// Sign and whole part; returns what is behind the point.
fn push_front(line: &mut Vec<u8>, value: i64) -> u64 {
    if value < 0 {
        line.push(b'-');
    }
    let magnitude = value.unsigned_abs();
    push_whole(line, magnitude / UNIT as u64);
    magnitude % UNIT as u64
}

/// Six decimals, cut behind them.
fn push_six(line: &mut Vec<u8>, value: i64) {
    let behind = push_front(line, value);
    line.push(b'.');
    push_padded(line, behind / 100, 6);
}

/// As many decimals as it takes, none for whole numbers.
pub(super) fn push_shortest(line: &mut Vec<u8>, value: i64) {
    let mut behind = push_front(line, value);
    if behind == 0 {
        return;
    }
    let mut places = 8;
    while behind.is_multiple_of(10) {
        behind /= 10;
        places -= 1;
    }
    line.push(b'.');
    push_padded(line, behind, places);
}

/// 16 significant digits. What is behind the eighth decimal follows from the number itself, so that equal prices print
/// equally and the order of different ones is kept.
fn push_all_digits(line: &mut Vec<u8>, value: i64) {
    let start = line.len() + usize::from(value < 0);
    let behind = push_front(line, value);
    let before = if line[start..] == *b"0" { 0 } else { line.len() - start };
    line.push(b'.');
    push_padded(line, behind, 8);
    if let Some(more) = 8_usize.checked_sub(before) {
        push_padded(line, hash_numbers(&[value.unsigned_abs()]), more.min(8));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(push: fn(&mut Vec<u8>, i64), value: i64) -> String {
        let mut line = Vec::new();
        push(&mut line, value);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn numbers_look_like_the_vendors() {
        assert_eq!(printed(push_six, 33_326_000_000), "333.260000");
        assert_eq!(printed(push_six, 1_779_843_037_800), "17798.430378");
        assert_eq!(printed(push_shortest, 33_326_000_000), "333.26");
        assert_eq!(printed(push_shortest, 10_000_000_000), "100");
        assert_eq!(printed(push_shortest, 1_240), "0.0000124");
        assert_eq!(printed(push_shortest, -1_250_000_000), "-12.5");
    }

    #[test]
    fn computed_indices_have_sixteen_digits() {
        for value in [587_145_123_456, 1_712_345_678, 4_500_012_345_678] {
            let text = printed(push_all_digits, value);
            assert_eq!(text.bytes().filter(u8::is_ascii_digit).count(), 16, "{text}");
            let back: f64 = text.parse().unwrap();
            assert!((back - value as f64 / UNIT as f64).abs() < 1e-8, "{text}");
        }
    }
}
