//! Day files in a folder: a mirror of the bucket, or just the files.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;

use super::{DayFile, FileKind, SourceError, key};
use crate::model::Dataset;

/// Bytes of the shortest gzip file.
const SHORTEST_GZIP: u64 = 18;

/// A folder of day files.
#[derive(Debug, Clone)]
pub struct LocalSource {
    dir: PathBuf,
    layout: Layout,
}

#[derive(Debug, Clone)]
enum Layout {
    /// `us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz` below this folder.
    Mirror(PathBuf),
    /// `2026-10-02.csv.gz` in the folder: minute files of this dataset.
    Plain(Dataset),
}

impl LocalSource {
    /// Looks at a folder and refuses one without day files. `plain` is the dataset of files that lie in it directly;
    /// in a mirror of the bucket the folders tell.
    pub fn open(dir: &Path, plain: Dataset) -> Result<Self, SourceError> {
        let bad = |detail: &str| SourceError::BadFolder { path: dir.to_owned(), detail: detail.to_owned() };
        match fs::metadata(dir) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(bad("is not a folder")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(bad("there is no such folder")),
            Err(error) => return Err(bad(&format!("cannot be read: {error}"))),
        }
        let layout = [dir.to_owned(), dir.join("flatfiles")]
            .into_iter()
            .find(|root| Dataset::ALL.iter().any(|dataset| root.join(dataset.vendor_prefix()).is_dir()))
            .map_or(Layout::Plain(plain), Layout::Mirror);
        let source = Self { dir: dir.to_owned(), layout };
        if source.has_a_day_file()? { Ok(source) } else { Err(bad("has no day files")) }
    }

    /// The folder, for people.
    pub fn describe(&self) -> String {
        format!("folder {}", self.dir.display())
    }

    fn has_a_day_file(&self) -> Result<bool, SourceError> {
        let any = Date::MIN..=Date::MAX;
        match &self.layout {
            Layout::Plain(_) => Ok(!day_files_in(&self.dir, &any)?.is_empty()),
            Layout::Mirror(root) => {
                for dataset in Dataset::ALL {
                    for kind in FileKind::ALL {
                        if !mirrored(root, dataset, kind, &any, true)?.is_empty() {
                            return Ok(true);
                        }
                    }
                }
                Ok(false)
            }
        }
    }

    /// The day files of a range of dates, ascending. Reads the last bytes of each.
    pub fn list(
        &self,
        dataset: Dataset,
        kind: FileKind,
        range: &RangeInclusive<Date>,
    ) -> Result<Vec<DayFile>, SourceError> {
        let mut found = match &self.layout {
            Layout::Mirror(root) => mirrored(root, dataset, kind, range, false)?,
            Layout::Plain(plain) if *plain == dataset && kind == FileKind::Minute => day_files_in(&self.dir, range)?,
            Layout::Plain(_) => Vec::new(),
        };
        found.sort();
        let file = |(date, path): (Date, PathBuf)| {
            let version = Version::of(&path);
            let key = path.strip_prefix(&self.dir).unwrap_or(&path).to_string_lossy().into_owned();
            // A file that cannot be read fails by itself, when its turn comes, and stops no other day.
            let Version { size_bytes, etag, last_modified } = version.unwrap_or_else(|_| Version::unreadable(&path));
            DayFile { dataset, kind, date, key, size_bytes, etag, last_modified }
        };
        Ok(found.into_iter().map(file).collect())
    }

    /// The path of a listed file, if it is still what was listed.
    pub fn fetch(&self, file: &DayFile) -> Result<PathBuf, SourceError> {
        let path = self.dir.join(&file.key);
        match Version::of(&path) {
            Ok(now) if now.etag == file.etag && now.size_bytes == file.size_bytes => Ok(path),
            Ok(_) => Err(SourceError::Changed { object: path.display().to_string() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(SourceError::NotFound { object: path.display().to_string() })
            }
            Err(error) => Err(SourceError::disk(&path, error)),
        }
    }
}

/// What tells one content of a file from another.
struct Version {
    size_bytes: u64,
    etag: String,
    last_modified: Option<Timestamp>,
}

impl Version {
    /// Reads checksum and length from the file's gzip end: a copy or a touched file stays the same version.
    fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let about = file.metadata()?;
        let size_bytes = about.len();
        let last_modified = about.modified().ok().and_then(|at| Timestamp::try_from(at).ok());
        let etag = if size_bytes < SHORTEST_GZIP {
            format!("gz:cut-{size_bytes}")
        } else {
            let mut end = [0; 8];
            file.seek(SeekFrom::End(-8))?;
            file.read_exact(&mut end)?;
            let [a, b, c, d, length @ ..] = end;
            format!("gz:{:08x}-{}", u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes(length))
        };
        Ok(Self { size_bytes, etag, last_modified })
    }

    fn unreadable(path: &Path) -> Self {
        let size_bytes = fs::metadata(path).map_or(0, |about| about.len());
        Self { size_bytes, etag: "gz:unreadable".to_owned(), last_modified: None }
    }
}

/// Day files directly in a folder.
fn day_files_in(dir: &Path, range: &RangeInclusive<Date>) -> Result<Vec<(Date, PathBuf)>, SourceError> {
    let mut found = Vec::new();
    for path in entries(dir)? {
        let date = path.file_name().and_then(|name| key::parse_file_name(name.to_str()?));
        if let Some(date) = date.filter(|date| range.contains(date) && path.is_file()) {
            found.push((date, path));
        }
    }
    Ok(found)
}

/// Day files in the year and month folders of a mirror; the first only, where one will do.
fn mirrored(
    root: &Path,
    dataset: Dataset,
    kind: FileKind,
    range: &RangeInclusive<Date>,
    one_will_do: bool,
) -> Result<Vec<(Date, PathBuf)>, SourceError> {
    let mut found = Vec::new();
    let base = root.join(dataset.vendor_prefix()).join(kind.vendor_name());
    let years = range.start().year()..=range.end().year();
    let in_range = |path: &PathBuf| number(path).is_some_and(|year| years.contains(&year));
    for year in folders(&base)?.into_iter().filter(in_range) {
        for month in folders(&year)? {
            for (date, path) in day_files_in(&month, range)? {
                let below = path.strip_prefix(root).ok().and_then(Path::to_str).map(|key| key.replace('\\', "/"));
                // A file in the wrong folder is none of the vendor's.
                if below.and_then(|key| key::parse(&key)) == Some((dataset, kind, date)) {
                    found.push((date, path));
                }
            }
            if one_will_do && !found.is_empty() {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

fn number(path: &Path) -> Option<i16> {
    path.file_name()?.to_str()?.parse().ok()
}

fn folders(dir: &Path) -> Result<Vec<PathBuf>, SourceError> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    Ok(entries(dir)?.into_iter().filter(|path| path.is_dir()).collect())
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let listed = fs::read_dir(dir).and_then(|all| all.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
    listed.map_err(|error| SourceError::disk(dir, error))
}
