//! A directory that looks like the vendor's bucket.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::defects::Defects;
use super::market::{Aggregates, FileId, Market};
use super::{SandboxError, at};
use crate::model::{Calendar, Dataset, Expectation, last_finished_session};

/// Which dates are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dates {
    /// This many calendar days up to the last finished session of each dataset.
    Last(u16),
    /// From this one up to the last finished session of each dataset.
    Since(Date),
    /// These, both ends included, finished or not.
    Range(RangeInclusive<Date>),
}

/// What is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// The market.
    pub market: Market,
    /// Its parts.
    pub datasets: Vec<Dataset>,
    /// Which dates; those without a file of the vendor are passed over.
    pub dates: Dates,
    /// The instant that counts as now.
    pub now: Timestamp,
    /// What is wrong with the files.
    pub defects: Defects,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Made {
    /// Files written.
    pub made: u64,
    /// Files that were there with the same settings.
    pub kept: u64,
    /// Files that are to be absent.
    pub absent: u64,
    /// Rows of the files written.
    pub rows: u64,
    /// Packed bytes of the files written.
    pub bytes: u64,
}

/// Changes when the same settings give other bytes than before.
const GENERATOR: u32 = 1;
/// What each file was made with, one line per file; the last line of a file counts.
const MANIFEST: &str = ".vendor-sandbox";

impl Generation {
    /// The files of these settings, by dataset and date, absent ones included.
    pub fn files(&self) -> Vec<FileId> {
        let mut files = Vec::new();
        for dataset in &self.datasets {
            let last = last_finished_session(*dataset, self.now);
            let range = match &self.dates {
                Dates::Range(range) => range.clone(),
                Dates::Since(first) => *first..=last,
                Dates::Last(0) => continue,
                Dates::Last(days) => last.saturating_sub((i64::from(*days) - 1).days())..=last,
            };
            let first = *range.start().max(&dataset.first_date());
            let dates = first.series(1.day()).take_while(|date| date <= range.end() && *date <= Calendar::LAST);
            for date in dates.filter(|date| dataset.expectation(*date) != Expectation::Closed) {
                files.extend(Aggregates::ALL.map(|kind| FileId { dataset: *dataset, kind, date }));
            }
        }
        files
    }

    fn fingerprint(&self, id: FileId) -> String {
        let Market { size, seed, splits } = self.market;
        let (size, defects) = (size.as_str(), self.defects.fingerprint(id));
        // Files of markets without such stocks, and of other datasets, are the same whether there is the option or not.
        let splits = if splits && id.dataset == Dataset::Stocks { " splits=true" } else { "" };
        format!("generator={GENERATOR} market={size} seed={seed} {defects}{splits}")
    }
}

/// Makes what is missing or was made with other settings; on as many threads as there are processors.
pub fn generate(directory: &Path, generation: &Generation) -> Result<Made, SandboxError> {
    fs::create_dir_all(directory).map_err(at(directory))?;
    let manifest = Manifest::open(directory)?;
    let files = generation.files();
    let (next, total) = (AtomicUsize::new(0), Mutex::new(Made::default()));
    let work = || -> Result<(), SandboxError> {
        while let Some(id) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let one = make(directory, generation, &manifest, *id)?;
            total.lock().expect("Invariant: no thread panics while adding up").add(one);
        }
        Ok(())
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len().max(1));
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })?;
    Ok(total.into_inner().expect("Invariant: no thread panics while adding up"))
}

impl Made {
    fn add(&mut self, other: Self) {
        self.made += other.made;
        self.kept += other.kept;
        self.absent += other.absent;
        self.rows += other.rows;
        self.bytes += other.bytes;
    }
}

fn make(directory: &Path, generation: &Generation, manifest: &Manifest, id: FileId) -> Result<Made, SandboxError> {
    let path = directory.join(id.key());
    if generation.defects.absent.contains(&id) {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path)(error)),
            _ => Ok(Made { absent: 1, ..Made::default() }),
        };
    }
    let fingerprint = generation.fingerprint(id);
    if fs::metadata(&path).is_ok_and(|there| manifest.knows(id, there.len(), &fingerprint)) {
        return Ok(Made { kept: 1, ..Made::default() });
    }
    let mut file = generation.market.file(id, &generation.defects.content(id)).map_err(at(&path))?;
    generation.defects.damage(id, &mut file.bytes);
    write_whole(&path, &file.bytes)?;
    let bytes = file.bytes.len() as u64;
    manifest.note(id, bytes, &fingerprint)?;
    Ok(Made { made: 1, rows: file.rows, bytes, ..Made::default() })
}

/// Writes a file so that others see all of it or nothing.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), SandboxError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(at(folder))?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    fs::write(&temporary, bytes).map_err(at(&temporary))?;
    fs::rename(&temporary, path).map_err(at(path))
}

/// What the files in a directory were made with.
struct Manifest {
    path: PathBuf,
    known: HashMap<String, String>,
    file: Mutex<File>,
}

impl Manifest {
    fn open(directory: &Path) -> Result<Self, SandboxError> {
        let path = directory.join(MANIFEST);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(at(&path))?,
        };
        let entry = |line: &str| line.split_once('\t').map(|(key, rest)| (key.to_owned(), rest.to_owned()));
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(at(&path))?;
        Ok(Self { known: text.lines().filter_map(entry).collect(), file: Mutex::new(file), path })
    }

    fn knows(&self, id: FileId, bytes: u64, fingerprint: &str) -> bool {
        self.known.get(&id.key()).is_some_and(|known| *known == format!("{bytes}\t{fingerprint}"))
    }

    fn note(&self, id: FileId, bytes: u64, fingerprint: &str) -> Result<(), SandboxError> {
        let line = format!("{id}\t{bytes}\t{fingerprint}\n");
        let mut file = self.file.lock().expect("Invariant: no thread panics while writing a line");
        file.write_all(line.as_bytes()).map_err(at(&self.path))
    }
}

/// Versions of the files that were made again as others, as a directory's manifest tells them; none if it has no manifest.
pub(super) fn republished(directory: &Path) -> HashMap<FileId, u8> {
    let text = fs::read_to_string(directory.join(MANIFEST)).unwrap_or_default();
    let entry = |line: &str| {
        let id = FileId::of_key(line.split('\t').next()?)?;
        let version = line.split_whitespace().find_map(|word| word.strip_prefix("version=")?.parse().ok())?;
        Some((id, version))
    };
    // The last line of a file counts, and may have brought the first version back.
    text.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::sandbox::MarketSize;

    fn generation(dates: Dates) -> Generation {
        Generation {
            market: Market { size: MarketSize::Tiny, seed: 1, splits: false },
            datasets: vec![Dataset::Stocks],
            dates,
            now: "2026-10-05T12:00:00Z".parse().unwrap(),
            defects: Defects::default(),
        }
    }

    #[test]
    fn days_are_counted_back_from_the_last_finished_session() {
        let dates = |dataset, days| {
            let generation = Generation { datasets: vec![dataset], ..generation(Dates::Last(days)) };
            generation.files().iter().filter(|id| id.kind == Aggregates::Day).map(|id| id.date).collect::<Vec<_>>()
        };
        assert_eq!(dates(Dataset::Stocks, 2), [date(2026, 10, 1), date(2026, 10, 2)], "now is Monday before the open");
        assert_eq!(dates(Dataset::Crypto, 2), [date(2026, 10, 3), date(2026, 10, 4)]);
        assert_eq!(dates(Dataset::Stocks, 1), [date(2026, 10, 2)]);
    }

    #[test]
    fn indices_have_files_on_holidays_and_stocks_have_none() {
        let holiday = Dates::Range(date(2026, 9, 7)..=date(2026, 9, 7));
        assert!(generation(holiday.clone()).files().is_empty());
        let indices = Generation { datasets: vec![Dataset::Indices], ..generation(holiday) };
        assert_eq!(indices.files().len(), 2);
    }

    #[test]
    fn files_are_kept_while_their_settings_stay() {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = generation(Dates::Last(2));
        let first = generate(directory.path(), &settings).unwrap();
        assert_eq!((first.made, first.kept), (4, 0));
        assert_eq!(generate(directory.path(), &settings).unwrap(), Made { kept: 4, ..Made::default() });

        let replaced: FileId = "2026-10-01".parse().unwrap();
        let before = fs::read(directory.path().join(replaced.key())).unwrap();
        settings.defects.replaced.insert(replaced);
        settings.defects.absent.insert("2026-10-02".parse().unwrap());
        let second = generate(directory.path(), &settings).unwrap();
        assert_eq!((second.made, second.kept, second.absent), (1, 2, 1));
        assert_ne!(fs::read(directory.path().join(replaced.key())).unwrap(), before);

        settings.defects = Defects::default();
        let third = generate(directory.path(), &settings).unwrap();
        assert_eq!((third.made, third.kept), (2, 2));
        assert_eq!(fs::read(directory.path().join(replaced.key())).unwrap(), before);
    }
}
