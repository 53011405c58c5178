//! Decimal texts to numbers, correctly rounded.

/// Powers of ten an `f64` holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Largest integer below which every integer is an `f64`.
const EXACT_INTEGER: u64 = 1 << 53;

/// A finite decimal number, rounded to the nearest `f64` like the standard library does; `None` for anything else
/// (empty, spaces, `nan`, `inf`, hexadecimal, overflow).
///
/// Digits that make an integer below 2⁵³ and a power of ten up to 10²² are exact in `f64`, so one division rounds
/// correctly (Clinger 1990, "How to read floating point numbers accurately"). All else goes to the standard library.
#[inline]
pub(crate) fn decimal(text: &[u8]) -> Option<f64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    // 19 digits cannot overflow the sum below.
    if digits.len() > 20 {
        return by_the_book(text);
    }
    let mut integer: u64 = 0;
    let mut decimals = 0;
    let mut point = None;
    for (place, byte) in digits.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            integer = integer.wrapping_mul(10).wrapping_add(u64::from(digit));
        } else if *byte == b'.' && point.is_none() {
            point = Some(place);
        } else {
            return by_the_book(text);
        }
    }
    if let Some(place) = point {
        decimals = digits.len() - 1 - place;
        if digits.len() == 1 {
            return None;
        }
    } else if digits.is_empty() || digits.len() > 19 {
        return by_the_book(text);
    }
    if integer >= EXACT_INTEGER {
        return by_the_book(text);
    }
    #[expect(clippy::cast_precision_loss, reason = "integers below 2^53 are exact")]
    let value = integer as f64 / EXACT_POWERS[decimals];
    Some(if negative { -value } else { value })
}

#[cold]
fn by_the_book(text: &[u8]) -> Option<f64> {
    let plain = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E');
    if !text.iter().all(plain) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok().filter(|value: &f64| value.is_finite())
}

/// A count: a decimal number that is a whole number from 0 to 2⁵³.
#[inline]
pub(crate) fn count(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 15 || !text.iter().all(u8::is_ascii_digit) {
        // `1234.000000` and `1.2e3` are whole numbers too.
        return decimal(text).and_then(whole);
    }
    Some(text.iter().fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0')))
}

/// The whole number from 0 to 2⁵³ that a number is, if it is one.
pub(crate) fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..=EXACT_INTEGER as f64).contains(&number)).then_some(number as u64)
}

/// A time stamp in nanoseconds since the Unix epoch: exactly 19 digits, which is the unit's signature from 2001 to 2286.
/// Other lengths are seconds, milliseconds, microseconds or damaged, and are not guessed at.
#[inline]
pub(crate) fn nanoseconds(text: &[u8]) -> Option<i64> {
    let digits: &[u8; 19] = text.try_into().ok()?;
    let mut sum: u64 = 0;
    let mut odd = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        odd |= u8::from(digit > 9);
        sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    // A leading zero would be a shorter number.
    if odd != 0 || digits[0] == b'0' { None } else { i64::try_from(sum).ok() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_the_vendor_prints_are_read_to_the_last_bit() {
        for text in [
            "333.260000",
            "17798.430378",
            "0.0001",
            "5",
            "4.",
            ".5",
            "-12.25",
            "4514.870000000001",
            "1.029145e+06",
            "9007199254740993",
            "123456789012345678901234567890",
            "0.000000",
            "-0",
            "99999999999999999.999",
        ] {
            assert_eq!(decimal(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_finite_number_is_refused() {
        for text in [
            "", "-", ".", "-.", "nan", "NaN", "inf", "infinity", "1e999", "0x10", "1,5", " 1", "1 ", "1.2.3", "--1",
            "1-", "é",
        ] {
            assert_eq!(decimal(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn counts_are_whole_and_not_negative() {
        assert_eq!(count(b"628334"), Some(628_334));
        assert_eq!(count(b"12.000000"), Some(12));
        assert_eq!(count(b"0"), Some(0));
        for text in ["", "-1", "1.5", "nan", "99999999999999999999"] {
            assert_eq!(count(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn stamps_of_other_units_are_not_guessed_at() {
        assert_eq!(nanoseconds(b"1790928000000000000"), Some(1_790_928_000_000_000_000));
        for text in [
            "1790928000",
            "1790928000000",
            "1790928000000000",
            "16799904000000000",
            "-68400000000000",
            "-6795364578871345152",
            "0179092800000000000",
            "17909280000000000000",
            "179092800000000000x",
            "9999999999999999999",
        ] {
            assert_eq!(nanoseconds(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_decimal_reads_like_the_standard_library(text in "-?[0-9]{0,22}\\.?[0-9]{0,22}") {
            let standard = text.parse::<f64>().ok().filter(|v| v.is_finite());
            prop_assert_eq!(decimal(text.as_bytes()).map(f64::to_bits), standard.map(f64::to_bits));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (decimal(&bytes), count(&bytes), nanoseconds(&bytes));
        }
    }
}
