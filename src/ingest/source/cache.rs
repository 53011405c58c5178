//! Objects already fetched, kept on disk under their key and version.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use super::temp::TEMP_SUFFIX;
use super::{DayFile, SourceError, key};

/// How long fetched objects are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheKeep {
    /// Until they have not been used for so long.
    Age(Duration),
    /// The last used ones, up to so many bytes.
    Size(u64),
    /// For good: a local mirror.
    Forever,
}

/// A text that says nothing about keeping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` does not say how long to keep cached files (like 24h, 7d, 90m, 20GB, 500MB or forever)")]
pub struct CacheKeepError(pub String);

const HOUR: u64 = 3600;
const AGES: [(&str, u64); 3] = [("m", 60), ("h", HOUR), ("d", 24 * HOUR)];
const SIZES: [(&str, u64); 6] = [
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("MIB", 1 << 20),
    ("GIB", 1 << 30),
    ("TIB", 1 << 40),
];

impl Default for CacheKeep {
    fn default() -> Self {
        Self::Age(Duration::from_secs(24 * HOUR))
    }
}

impl FromStr for CacheKeep {
    type Err = CacheKeepError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = text.trim();
        if word.eq_ignore_ascii_case("forever") {
            return Ok(Self::Forever);
        }
        let bad = || CacheKeepError(text.to_owned());
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = word.split_at(digits);
        let number: u64 = number.parse().map_err(|_| bad())?;
        let unit = unit.trim_start();
        let factor = |units: &[(&str, u64)]| {
            units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor)
        };
        let scaled = |factor: u64| number.checked_mul(factor).ok_or_else(bad);
        match (factor(&AGES), factor(&SIZES)) {
            (Some(seconds), _) => Ok(Self::Age(Duration::from_secs(scaled(seconds)?))),
            (None, Some(bytes)) => Ok(Self::Size(scaled(bytes)?)),
            (None, None) => Err(bad()),
        }
    }
}

impl fmt::Display for CacheKeep {
    /// Writes what [`CacheKeep::from_str`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forever => f.write_str("forever"),
            Self::Age(age) if age.as_secs() % HOUR == 0 => write!(f, "{}h", age.as_secs() / HOUR),
            Self::Age(age) => write!(f, "{}m", age.as_secs().div_ceil(60)),
            Self::Size(bytes) if bytes % 1_000_000_000 == 0 => write!(f, "{}GB", bytes / 1_000_000_000),
            Self::Size(bytes) => write!(f, "{}MB", bytes.div_ceil(1_000_000)),
        }
    }
}

/// Unfinished files older than this belong to nobody any more.
const STALE_TEMP: Duration = Duration::from_secs(HOUR);

/// Files used this recently may be about to be opened, by this process or another one.
const IN_USE: Duration = Duration::from_mins(10);

/// A directory of fetched objects. Several processes may share it: files appear whole, by rename, under a name that
/// says which version they are.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
    keep: CacheKeep,
}

impl Cache {
    /// Opens a directory, and creates it if it is not there.
    pub fn open(dir: &Path, keep: CacheKeep) -> Result<Self, SourceError> {
        fs::create_dir_all(dir).map_err(|error| SourceError::disk(dir, error))?;
        Ok(Self { dir: dir.to_owned(), keep })
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where a version of an object belongs: `us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.<etag>.csv.gz`.
    pub fn path(&self, file: &DayFile) -> PathBuf {
        // Not the listed key: what a server sends is no path on this machine.
        let key = key::build(file.dataset, file.kind, file.date);
        let stem = key.strip_suffix(key::SUFFIX).unwrap_or(&key);
        self.dir.join(format!("{stem}.{}{}", file_name_of(&file.etag), key::SUFFIX))
    }

    /// The cached copy of an object; it counts as used now.
    pub fn get(&self, file: &DayFile) -> Option<PathBuf> {
        let path = self.path(file);
        let found = fs::metadata(&path).ok().filter(|found| found.is_file() && found.len() == file.size_bytes)?;
        if found.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age > Duration::from_mins(1))) {
            // In a cache that cannot be written the copy is as good; it only looks older than it is.
            let _ = File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        }
        Some(path)
    }

    /// Removes what is kept no longer, and what crashed processes left. Never touches a file that does not carry the
    /// cache's own kind of name. Returns the bytes freed.
    pub fn sweep(&self) -> Result<u64, SourceError> {
        let now = SystemTime::now();
        let mut entries = Vec::new();
        collect(&self.dir, &self.dir, &mut entries)?;
        let age = |entry: &Entry| now.duration_since(entry.used).unwrap_or_default();
        let (unfinished, mut objects): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.unfinished);
        let mut doomed: Vec<Entry> = unfinished.into_iter().filter(|entry| age(entry) > STALE_TEMP).collect();
        match self.keep {
            CacheKeep::Forever => {}
            CacheKeep::Age(keep) => doomed.extend(objects.into_iter().filter(|entry| age(entry) > keep)),
            CacheKeep::Size(keep) => {
                objects.sort_by_key(|entry| entry.used);
                let mut total: u64 = objects.iter().map(|entry| entry.size_bytes).sum();
                for entry in objects {
                    if total <= keep || age(&entry) <= IN_USE {
                        break;
                    }
                    total -= entry.size_bytes;
                    doomed.push(entry);
                }
            }
        }
        let mut freed = 0;
        for entry in doomed {
            match fs::remove_file(&entry.path) {
                Ok(()) => freed += entry.size_bytes,
                // Another process swept as well.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(SourceError::disk(&entry.path, error)),
            }
        }
        Ok(freed)
    }
}

/// A version token as part of a file name: whatever is not a letter, digit, `-` or `_` as `%XX`.
fn file_name_of(etag: &str) -> String {
    let mut name = String::with_capacity(etag.len());
    for byte in etag.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name
}

struct Entry {
    path: PathBuf,
    size_bytes: u64,
    used: SystemTime,
    unfinished: bool,
}

/// All of the cache's own files below a directory.
fn collect(root: &Path, dir: &Path, into: &mut Vec<Entry>) -> Result<(), SourceError> {
    let listed = match fs::read_dir(dir) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(SourceError::disk(dir, error)),
    };
    for entry in listed {
        let entry = entry.map_err(|error| SourceError::disk(dir, error))?;
        // What went away meanwhile is another process's sweep or rename. Links are not followed: they are not ours.
        let Ok(about) = entry.metadata() else { continue };
        let path = entry.path();
        if about.is_dir() {
            collect(root, &path, into)?;
        } else if about.is_file()
            && let Some(unfinished) = path.strip_prefix(root).ok().and_then(Path::to_str).and_then(own_name)
        {
            let used = about.modified().unwrap_or_else(|_| SystemTime::now());
            into.push(Entry { path, size_bytes: about.len(), used, unfinished });
        }
    }
    Ok(())
}

/// Whether a path below the cache is one of its own, and if so whether it is unfinished.
fn own_name(below: &str) -> Option<bool> {
    let below = below.replace('\\', "/");
    let (folder, name) = below.rsplit_once('/')?;
    let (name, unfinished) = match name.strip_prefix('.').and_then(|name| name.strip_suffix(TEMP_SUFFIX)) {
        Some(inner) => (inner.rsplit_once('.')?.0, true),
        None => (name, false),
    };
    let (date, etag) = name.strip_suffix(key::SUFFIX)?.split_once('.')?;
    let etag_is_ours = !etag.is_empty() && etag.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_%".contains(&b));
    (etag_is_ours && key::parse(&format!("{folder}/{date}{}", key::SUFFIX)).is_some()).then_some(unfinished)
}
