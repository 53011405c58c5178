//! Files that are not what they should be: cut, flipped, empty, endless, or something else.

use std::sync::LazyLock;

use barkeep::ingest::decode::{DecodeError, Grouping, MAX_LINE_BYTES};
use barkeep::model::Dataset;
use proptest::prelude::*;

use super::common::{HEADER, csv, gzip, row, session_rows, stamp, tickers};
use super::{DAY, Minutes, decode, everything, stocks};

/// A file of five symbols, about 15 kB packed, and what is in it.
static SOUND: LazyLock<(Vec<u8>, Minutes)> = LazyLock::new(|| {
    let packed = gzip(csv(HEADER, session_rows(DAY, &tickers(5))));
    let minutes = stocks(&packed).unwrap().1;
    (packed, minutes)
});

#[test]
fn a_file_without_rows_has_no_rows_and_one_without_header_is_none() {
    let (read, minutes) = stocks(&gzip(csv(HEADER, [""; 0]))).unwrap();
    assert_eq!((read.rows, minutes.len()), (0, 0));
    assert_eq!(stocks(&gzip(HEADER)).unwrap().0.rows, 0, "not even a line end");
    assert!(matches!(stocks(&gzip("")), Err(DecodeError::NoHeader)));
    assert!(matches!(stocks(&gzip("\n\n")), Err(DecodeError::NoHeader)));
    assert!(stocks(b"").is_err(), "no bytes at all");
}

#[test]
fn what_is_not_gzip_is_damaged() {
    for bytes in [
        &b"ticker,volume,open\nA,1,2\n"[..],
        b"<Error><Code>NoSuchKey</Code></Error>",
        &[0; 64],
        b"PK\x03\x04 but long enough for a gzip header",
    ] {
        assert!(matches!(stocks(bytes), Err(DecodeError::Gzip { .. })), "{bytes:?}");
    }
}

#[test]
fn members_follow_each_other_anywhere_in_a_line() {
    let text = csv(HEADER, session_rows(DAY, &tickers(2)));
    for cut in [0, 1, HEADER.len(), HEADER.len() + 1, 1000, text.len() - 1, text.len()] {
        let packed = [gzip(&text[..cut]), gzip(&text[cut..])].concat();
        assert_eq!(stocks(&packed).unwrap().1, stocks(&gzip(&text)).unwrap().1, "cut at {cut}");
    }
    let trailing = [SOUND.0.clone(), b"junk".to_vec()].concat();
    assert!(stocks(&trailing).is_err(), "what follows the last member must be one");
}

#[test]
fn a_line_too_long_is_named() {
    let long = "x".repeat(MAX_LINE_BYTES + 1);
    let text = csv(HEADER, [row("A", stamp(Dataset::Stocks, DAY, 10, 0), 100, "1", 1), long]);
    assert!(matches!(stocks(&gzip(text)), Err(DecodeError::LineTooLong { line: 3 })));
    assert!(matches!(stocks(&gzip(vec![b'x'; 10_000_000])), Err(DecodeError::LineTooLong { line: 1 })));
}

#[test]
fn every_cut_near_the_ends_is_noticed() {
    let (packed, _) = &*SOUND;
    for kept in (0..64).chain(packed.len() - 64..packed.len()) {
        match stocks(&packed[..kept]) {
            Err(DecodeError::CutShort { .. }) => {}
            other => panic!("{kept} of {} bytes: {other:?}", packed.len()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_part_of_a_file_passes_for_the_whole(share in 0.0..1.0_f64) {
        let (packed, _) = &*SOUND;
        let kept = (packed.len() as f64 * share) as usize;
        let cut = stocks(&packed[..kept]);
        prop_assert!(matches!(cut, Err(DecodeError::CutShort { .. } | DecodeError::Gzip { .. })), "{:?}", cut.map(|(read, _)| read.rows));
    }

    #[test]
    fn a_flipped_bit_is_noticed_or_changes_nothing(share in 0.0..1.0_f64, bit in 0..8_u8) {
        let (packed, minutes) = &*SOUND;
        let mut flipped = packed.clone();
        let place = (packed.len() as f64 * share) as usize;
        flipped[place] ^= 1 << bit;
        if let Ok((read, found)) = stocks(&flipped) {
            prop_assert_eq!(read.rejects.total(), 0);
            prop_assert_eq!(&found, minutes, "bit {} of byte {}", bit, place);
        }
    }

    #[test]
    fn packed_bytes_of_any_kind_are_read_or_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..2000), raw in any::<bool>(),
    ) {
        let text = [HEADER.as_bytes(), b"\n", &bytes].concat();
        for file in [gzip(&bytes), gzip(&text), if raw { bytes } else { text }] {
            for grouping in [Grouping::Together, Grouping::Any] {
                let _ = decode(Dataset::Stocks, DAY, &file, &everything(), grouping);
            }
        }
    }

    #[test]
    fn rows_of_odd_fields_are_read_or_refused(
        rows in prop::collection::vec(
            prop::collection::vec(
                prop::sample::select(vec![
                    "A", "NA", "", "1", "-1", "1e308", "1e-320", "nan", "\"", "\"1\"", "1790949600000000000",
                    "1790949660000000000", "9223372036854775807", "18446744073709551615", "0.1", "X:BTC-USD", "\r", "é",
                ]),
                6..10,
            ),
            0..20,
        ),
    ) {
        let text = csv(HEADER, rows.iter().map(|fields| fields.join(",")));
        for grouping in [Grouping::Together, Grouping::Any] {
            if let Ok((read, minutes)) = decode(Dataset::Stocks, DAY, &gzip(&text), &everything(), grouping) {
                let taken: usize = minutes.values().map(Vec::len).sum();
                let lost = read.rejects.total() + read.duplicates_identical + read.duplicates_conflicting;
                prop_assert_eq!(taken as u64 + lost, read.rows, "every row is accounted for");
            }
        }
    }
}
