//! The vendor's object keys: `us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz`.

use jiff::civil::Date;

use super::FileKind;
use crate::model::Dataset;

/// What day files end with.
pub const SUFFIX: &str = ".csv.gz";

/// Bucket name that paths copied from the vendor's file browser start with.
const BUCKET_FOLDER: &str = "flatfiles/";

/// The key of a day file.
pub fn build(dataset: Dataset, kind: FileKind, date: Date) -> String {
    format!("{}{:02}/{date}{SUFFIX}", year_prefix(dataset, kind, date.year()), date.month())
}

/// What the keys of all days start with.
pub fn prefix(dataset: Dataset, kind: FileKind) -> String {
    format!("{}/{}/", dataset.vendor_prefix(), kind.vendor_name())
}

/// What the keys of a year start with.
pub fn year_prefix(dataset: Dataset, kind: FileKind, year: i16) -> String {
    format!("{}{year:04}/", prefix(dataset, kind))
}

/// A text that sorts after the keys of every earlier day and before the key of this one: S3's `start-after` excludes
/// the text itself.
pub fn just_before(dataset: Dataset, kind: FileKind, date: Date) -> String {
    let key = build(dataset, kind, date);
    key.strip_suffix(SUFFIX).unwrap_or(&key).to_owned()
}

/// What a key stands for; `None` for anything but a minute or day file whose folders agree with its date.
pub fn parse(key: &str) -> Option<(Dataset, FileKind, Date)> {
    let key = key.strip_prefix(BUCKET_FOLDER).unwrap_or(key);
    let mut parts = key.split('/');
    let prefix = parts.next()?;
    let dataset = Dataset::ALL.into_iter().find(|dataset| dataset.vendor_prefix() == prefix)?;
    let name = parts.next()?;
    let kind = FileKind::ALL.into_iter().find(|kind| kind.vendor_name() == name)?;
    let date = parse_file_name(parts.next_back()?)?;
    // One comparison settles the folders, their zero padding, and that nothing else is in the key.
    (build(dataset, kind, date) == key).then_some((dataset, kind, date))
}

/// The date of a file name `2026-10-02.csv.gz`.
pub fn parse_file_name(name: &str) -> Option<Date> {
    parse_date(name.strip_suffix(SUFFIX)?)
}

/// A date written exactly as `YYYY-MM-DD`; other forms a date library takes are not file names.
pub(super) fn parse_date(text: &str) -> Option<Date> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(i, b)| b == b'-' && (i == 4 || i == 7) || b.is_ascii_digit());
    if shape { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const DAY: Date = date(2026, 10, 2);

    #[test]
    fn keys_are_the_vendors() {
        assert_eq!(
            build(Dataset::Stocks, FileKind::Minute, DAY),
            "us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz"
        );
        assert_eq!(
            build(Dataset::Crypto, FileKind::Day, date(2014, 1, 9)),
            "global_crypto/day_aggs_v1/2014/01/2014-01-09.csv.gz"
        );
        assert_eq!(year_prefix(Dataset::Indices, FileKind::Day, 2023), "us_indices/day_aggs_v1/2023/");
    }

    #[test]
    fn paths_from_the_file_browser_are_keys_too() {
        let parsed = parse("flatfiles/us_stocks_sip/day_aggs_v1/2026/10/2026-10-02.csv.gz");
        assert_eq!(parsed, Some((Dataset::Stocks, FileKind::Day, DAY)));
    }

    #[test]
    fn what_is_no_day_file_is_not_taken_for_one() {
        for key in [
            "",
            "us_stocks_sip/minute_aggs_v1/2026/10/",
            "us_stocks_sip/trades_v1/2026/10/2026-10-02.csv.gz",
            "us_futures_cme/minute_aggs_v1/2026/10/2026-10-02.csv.gz",
            "us_stocks_sip/minute_aggs_v1/2026/09/2026-10-02.csv.gz",
            "us_stocks_sip/minute_aggs_v1/2025/10/2026-10-02.csv.gz",
            "us_stocks_sip/minute_aggs_v1/2026/10/2026-02-30.csv.gz",
            "us_stocks_sip/minute_aggs_v1/2026/10/20261002.csv.gz",
            "us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv",
            "us_stocks_sip/minute_aggs_v1/2026/10/x/2026-10-02.csv.gz",
            "us_stocks_sip/minute_aggs_v1/2026/2026-10-02.csv.gz",
            "../us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz",
            "flatfiles/flatfiles/us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz",
            "us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02T00:00.csv.gz",
        ] {
            assert_eq!(parse(key), None, "{key}");
        }
    }

    proptest! {
        #[test]
        fn keys_read_what_they_print_and_sort_by_day(
            days in 0_i64..9000, dataset in 0_usize..5, kind in 0_usize..2,
        ) {
            let (dataset, kind) = (Dataset::ALL[dataset], FileKind::ALL[kind]);
            let day = date(2003, 9, 10).saturating_add(jiff::Span::new().days(days));
            let key = build(dataset, kind, day);
            prop_assert_eq!(parse(&key), Some((dataset, kind, day)));
            prop_assert!(key.starts_with(&year_prefix(dataset, kind, day.year())));
            let before = just_before(dataset, kind, day);
            prop_assert!(before < key);
            prop_assert!(build(dataset, kind, day.yesterday().unwrap()) < before);
        }

        #[test]
        fn no_text_breaks_the_reader(text in ".{0,80}") {
            if let Some((dataset, kind, day)) = parse(&text) {
                prop_assert!(text.ends_with(&build(dataset, kind, day)));
            }
        }
    }
}
