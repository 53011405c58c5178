//! Folders as sources, and the cache: what is taken from a disk, and what is removed from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use barkeep::ingest::SilentReporter;
use barkeep::ingest::source::{Cache, CacheKeep, DayFile, FileKind, LocalSource, Source, SourceError, key};
use barkeep::model::Dataset;
use jiff::civil::{Date, date};

const DAY: Date = date(2026, 10, 2);
const ANY: std::ops::RangeInclusive<Date> = date(2003, 9, 10)..=date(2028, 12, 31);

fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

fn put(dir: &Path, below: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(below);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn list(source: &LocalSource, dataset: Dataset, kind: FileKind) -> Vec<DayFile> {
    source.list(dataset, kind, &ANY).unwrap()
}

#[test]
fn a_mirror_of_the_bucket_is_read_like_the_bucket() {
    for root in ["", "flatfiles/"] {
        let dir = tempfile::tempdir().unwrap();
        let minute = key::build(Dataset::Stocks, FileKind::Minute, DAY);
        put(dir.path(), &format!("{root}{minute}"), &gzip("a"));
        put(dir.path(), &format!("{root}us_stocks_sip/minute_aggs_v1/2025/12/2025-12-31.csv.gz"), &gzip("b"));
        put(dir.path(), &format!("{root}us_stocks_sip/minute_aggs_v1/2026/09/2026-10-05.csv.gz"), &gzip("misplaced"));
        put(dir.path(), &format!("{root}us_stocks_sip/minute_aggs_v1/2026/10/notes.txt"), b"x");
        put(dir.path(), &format!("{root}us_indices/day_aggs_v1/2026/10/2026-10-02.csv.gz"), &gzip("c"));
        let source = LocalSource::open(dir.path(), Dataset::Crypto).unwrap();
        let found = list(&source, Dataset::Stocks, FileKind::Minute);
        let keys: Vec<_> = found.iter().map(|file| (file.date, file.key.as_str())).collect();
        let last_year = format!("{root}us_stocks_sip/minute_aggs_v1/2025/12/2025-12-31.csv.gz");
        assert_eq!(keys, [(date(2025, 12, 31), last_year.as_str()), (DAY, format!("{root}{minute}").as_str())]);
        assert_eq!(source.list(Dataset::Stocks, FileKind::Minute, &(DAY..=DAY)).unwrap().len(), 1);
        assert_eq!(list(&source, Dataset::Indices, FileKind::Day).len(), 1);
        assert!(list(&source, Dataset::Crypto, FileKind::Minute).is_empty());
        assert_eq!(source.fetch(&found[1]).unwrap(), dir.path().join(root).join(&minute));
    }
}

#[test]
fn a_plain_folder_holds_minute_files_of_one_dataset() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "2026-10-05.csv.gz", &gzip("b"));
    put(dir.path(), "2026-10-02.csv.gz", &gzip("a"));
    put(dir.path(), "2026-10-06.csv", b"not packed");
    let source = LocalSource::open(dir.path(), Dataset::Crypto).unwrap();
    let dates: Vec<_> = list(&source, Dataset::Crypto, FileKind::Minute).iter().map(|file| file.date).collect();
    assert_eq!(dates, [DAY, date(2026, 10, 5)]);
    assert!(list(&source, Dataset::Crypto, FileKind::Day).is_empty());
    assert!(list(&source, Dataset::Stocks, FileKind::Minute).is_empty());
}

#[test]
fn the_same_content_is_the_same_version_whenever_it_was_copied() {
    let dir = tempfile::tempdir().unwrap();
    let path = put(dir.path(), "2026-10-02.csv.gz", &gzip("123456789"));
    let source = LocalSource::open(dir.path(), Dataset::Stocks).unwrap();
    let version = || list(&source, Dataset::Stocks, FileKind::Minute).remove(0);
    let before = version();
    assert_eq!(before.etag, "gz:cbf43926-9", "the check value of CRC-32, and nine bytes");
    let past = SystemTime::now() - Duration::from_secs(1_000_000);
    fs::File::options().append(true).open(&path).unwrap().set_modified(past).unwrap();
    assert_eq!(version().etag, before.etag);
    assert!(source.fetch(&before).is_ok());
    fs::write(&path, gzip("987654321")).unwrap();
    assert_ne!(version().etag, before.etag);
    assert!(matches!(source.fetch(&before), Err(SourceError::Changed { .. })));
    fs::remove_file(&path).unwrap();
    assert!(matches!(source.fetch(&before), Err(SourceError::NotFound { .. })));
}

#[test]
fn a_folder_without_day_files_is_refused_with_what_is_expected() {
    let dir = tempfile::tempdir().unwrap();
    let file = put(dir.path(), "2026-10-02.csv", b"x");
    fs::create_dir_all(dir.path().join("mirror/us_stocks_sip/minute_aggs_v1/2026/10")).unwrap();
    for (path, words) in [
        (dir.path().join("gone"), "there is no such folder"),
        (file, "is not a folder"),
        (dir.path().to_owned(), "has no day files"),
        (dir.path().join("mirror"), "has no day files"),
    ] {
        let error = LocalSource::open(&path, Dataset::Stocks).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, SourceError::BadFolder { .. }) && error.is_common_cause(), "{error:?}");
        assert!(text.contains(words) && text.contains(path.to_str().unwrap()), "{text}");
        assert!(text.contains("us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz"), "{text}");
    }
}

#[tokio::test]
async fn one_bad_file_spoils_its_own_day_only() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "2026-10-02.csv.gz", &gzip("a"));
    put(dir.path(), "2026-10-05.csv.gz", b"stub");
    let source = Source::Local(LocalSource::open(dir.path(), Dataset::Stocks).unwrap());
    let found = source.list(Dataset::Stocks, FileKind::Minute, ANY, &SilentReporter).await.unwrap();
    assert_eq!(found[1].etag, "gz:cut-4");
    let fetched = source.fetch(&found[0], &SilentReporter).await.unwrap();
    assert_eq!((fetched.path, fetched.bytes_over_network), (dir.path().join("2026-10-02.csv.gz"), 0));
    assert_eq!(source.describe(), format!("folder {}", dir.path().display()));
}

#[test]
fn how_long_to_keep_is_read_from_words() {
    let hours = |hours: u64| CacheKeep::Age(Duration::from_secs(hours * 3600));
    for (text, keep) in [
        ("24h", hours(24)),
        ("7d", hours(7 * 24)),
        (" 90m ", CacheKeep::Age(Duration::from_mins(90))),
        ("20GB", CacheKeep::Size(20_000_000_000)),
        ("500 mb", CacheKeep::Size(500_000_000)),
        ("1GiB", CacheKeep::Size(1 << 30)),
        ("Forever", CacheKeep::Forever),
        ("0h", hours(0)),
    ] {
        assert_eq!(text.parse(), Ok(keep), "{text}");
    }
    for keep in [CacheKeep::default(), "90m".parse().unwrap(), CacheKeep::Size(20_000_000_000), CacheKeep::Forever] {
        assert_eq!(keep.to_string().parse(), Ok(keep));
    }
    for text in ["", "h", "24", "24x", "-1h", "1.5h", "99999999999999999999d", "18446744073709551615d", "ever", "٣h"] {
        let error = text.parse::<CacheKeep>().unwrap_err();
        assert!(error.to_string().contains("20GB"), "{error}");
    }
}

fn file(date: Date, etag: &str, size_bytes: u64) -> DayFile {
    let (dataset, kind) = (Dataset::Stocks, FileKind::Minute);
    let key = "../../from/a/server".to_owned();
    DayFile { dataset, kind, date, key, size_bytes, etag: etag.to_owned(), last_modified: None }
}

/// Puts an object of ten bytes into a cache, last used so many hours ago.
fn cached(cache: &Cache, date: Date, hours_ago: u64) -> PathBuf {
    let path = cache.path(&file(date, "tag", 10));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, [7; 10]).unwrap();
    age(&path, hours_ago);
    path
}

fn age(path: &Path, hours: u64) {
    let then = SystemTime::now() - Duration::from_secs(hours * 3600);
    fs::File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
}

fn is_old(path: &Path) -> bool {
    fs::metadata(path).unwrap().modified().unwrap().elapsed().unwrap() > Duration::from_hours(1)
}

#[test]
fn a_hit_needs_the_same_version_and_the_right_size() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(&dir.path().join("new/cache"), CacheKeep::default()).unwrap();
    let path = cached(&cache, DAY, 5);
    assert_eq!(path, cache.dir().join("us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.tag.csv.gz"));
    assert_eq!(cache.get(&file(DAY, "tag", 11)), None);
    assert_eq!(cache.get(&file(DAY, "other", 10)), None);
    assert!(is_old(&path));
    assert_eq!(cache.get(&file(DAY, "tag", 10)), Some(path.clone()));
    assert!(!is_old(&path), "it counts as used now");
    let odd = cache.path(&file(DAY, "../a/b", 10));
    assert_eq!(odd, path.with_file_name("2026-10-02.%2E%2E%2Fa%2Fb.csv.gz"), "what a server sends is no path");
}

#[test]
fn a_sweep_removes_what_is_old_and_only_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path(), CacheKeep::default()).unwrap();
    let old = cached(&cache, DAY, 25);
    let young = cached(&cache, date(2026, 10, 5), 23);
    let month = young.parent().unwrap();
    let crashed = put(month, ".2026-10-02.tag.csv.gz.4711-0a1b2c3d.part", &[1; 5]);
    let running = put(month, ".2026-10-05.tag.csv.gz.4712-0a1b2c3d.part", &[1; 5]);
    age(&crashed, 2);
    let others = [
        put(month, "2026-10-02.csv.gz", b"a mirror's"),
        put(month, "2026-10-02.tag.csv", b"x"),
        put(month, ".hidden.part", b"x"),
        put(dir.path(), "2026-10-02.tag.csv.gz", b"in no month"),
        put(dir.path(), "us_stocks_sip/minute_aggs_v1/2025/10/2026-10-02.tag.csv.gz", b"in the wrong month"),
    ];
    for path in &others {
        age(path, 1000);
    }
    assert_eq!(cache.sweep().unwrap(), 15);
    assert!(!old.exists() && !crashed.exists() && young.exists() && running.exists());
    assert!(others.iter().all(|path| path.exists()));
    assert_eq!(cache.sweep().unwrap(), 0);
}

#[test]
fn a_sweep_to_a_size_removes_the_least_used_first() {
    let dir = tempfile::tempdir().unwrap();
    let cache = Cache::open(dir.path(), CacheKeep::Size(20)).unwrap();
    let days = [(2, 30), (5, 20), (6, 40), (7, 0)];
    let paths: Vec<_> = days.iter().map(|(day, hours)| cached(&cache, date(2026, 10, *day), *hours)).collect();
    assert_eq!(cache.sweep().unwrap(), 20);
    assert_eq!(paths.iter().map(|path| path.exists()).collect::<Vec<_>>(), [false, true, false, true]);
    let tiny = Cache::open(dir.path(), CacheKeep::Size(0)).unwrap();
    assert_eq!(tiny.sweep().unwrap(), 10, "what was used just now may be about to be read");
    assert!(paths[3].exists());
    cached(&cache, DAY, 100_000);
    assert_eq!(Cache::open(dir.path(), CacheKeep::Forever).unwrap().sweep().unwrap(), 0);
}
