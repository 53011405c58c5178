//! A run's files in its output directory: all of them, or none, and never over another run's.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use jiff::civil::Date;

use crate::backtest::report::same_but_for_time;

/// Enough that the number of writes does not matter.
const BUFFER_BYTES: usize = 1 << 20;

/// What a run writes beside its report for programs.
#[derive(Debug, Clone, Copy)]
pub struct RunBytes<'a> {
    /// A line for each detector.
    pub csv: &'a [u8],
    /// The page for people.
    pub html: &'a [u8],
}

/// Where a run's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFiles {
    /// The run's own JSON.
    pub json: PathBuf,
    /// Its CSV.
    pub csv: PathBuf,
    /// Its page.
    pub html: PathBuf,
    /// The JSON of the day's latest run.
    pub latest_json: PathBuf,
    /// The CSV of the day's latest run.
    pub latest_csv: PathBuf,
    /// Whether the same run had been written before: its own files stayed as they were.
    pub kept: bool,
}

/// Why a run's files could not be written. Nothing of it was left behind.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} {}: {source}; choose another directory with --output", path.display())]
pub struct FilesError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Looks whether files could be written into a directory, before a long run: makes it if it is not there.
pub fn prepare(directory: &Path) -> Result<(), FilesError> {
    fs::create_dir_all(directory).map_err(failed("create the output directory", directory))?;
    let probe = Temporary::write(directory.join(format!(".backtest-probe.{}.tmp", std::process::id())), |_| Ok(()))?;
    drop(probe);
    Ok(())
}

/// Writes `backtest-DATE-RUN.{json,csv,html}` and `backtest-DATE.{json,csv}`, the copy of the day's latest run. `date` is the
/// exchange's date of the run.
///
/// All are complete beside their places before the first takes its name. Own files of the same run stay, if they hold the same
/// figures; if they do not (another version of the program made them), the new ones are called `RUN-2`, `RUN-3`, … The JSON, which
/// may be larger than memory should be, goes to disk as it is made.
pub fn write(
    directory: &Path,
    date: Date,
    run_id: &str,
    bytes: RunBytes<'_>,
    json: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<RunFiles, FilesError> {
    fs::create_dir_all(directory).map_err(failed("create the output directory", directory))?;
    let latest = |extension: &str| directory.join(format!("backtest-{date}.{extension}"));
    let (latest_json, latest_csv) = (latest("json"), latest("csv"));
    let new_json = beside(&latest_json, json)?;
    let mut number = 1;
    loop {
        let suffix = if number == 1 { String::new() } else { format!("-{number}") };
        let own = |extension: &str| directory.join(format!("backtest-{date}-{run_id}{suffix}.{extension}"));
        let (json, csv, html) = (own("json"), own("csv"), own("html"));
        let kept = json.exists();
        // Another run's, or what is left of one.
        if if kept { !says_the_same(&json, new_json.path())? } else { csv.exists() || html.exists() } {
            number += 1;
            continue;
        }
        let all_of = |content| move |file: &mut dyn Write| file.write_all(content);
        let mut ready = Vec::new();
        for (path, content) in [(&csv, bytes.csv), (&html, bytes.html)] {
            if !path.exists() {
                ready.push((beside(path, all_of(content))?, path));
            }
        }
        // What there was of the run is what the latest is a copy of.
        let latest_of_run = if kept {
            drop(new_json);
            copy(&json, &latest_json)?
        } else {
            ready.push((copy(new_json.path(), &json)?, &json));
            new_json
        };
        let latest = [(beside(&latest_csv, all_of(bytes.csv))?, &latest_csv), (latest_of_run, &latest_json)];
        let mut own_files = Vec::new();
        for (temporary, path) in ready {
            own_files.push(temporary.rename(path)?);
        }
        for (temporary, path) in latest {
            temporary.rename(path)?.keep();
        }
        own_files.into_iter().for_each(Temporary::keep);
        return Ok(RunFiles { json, csv, html, latest_json, latest_csv, kept });
    }
}

fn says_the_same(known: &Path, new: &Path) -> Result<bool, FilesError> {
    let open = |path: &Path| File::open(path).map(BufReader::new).map_err(failed("read", path));
    same_but_for_time(open(known)?, open(new)?).map_err(failed("read", known))
}

/// The temporary file of a place.
fn beside(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Temporary, FilesError> {
    let name = path.file_name().expect("Invariant: a run's file has a name").to_string_lossy();
    Temporary::write(path.with_file_name(format!(".{name}.{}.tmp", std::process::id())), content)
}

/// A temporary file of a place with what another file holds.
fn copy(from: &Path, to: &Path) -> Result<Temporary, FilesError> {
    let mut source = File::open(from).map_err(failed("read", from))?;
    beside(to, |file| io::copy(&mut source, file).map(drop))
}

/// A file that goes away unless it is kept.
struct Temporary(Option<PathBuf>);

impl Temporary {
    fn write(path: PathBuf, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Self, FilesError> {
        let write = || {
            let mut file = BufWriter::with_capacity(BUFFER_BYTES, File::create(&path)?);
            content(&mut file)?;
            file.into_inner()?.sync_all()
        };
        let written = write();
        let temporary = Self(Some(path.clone()));
        written.map_err(failed("write", &path))?;
        Ok(temporary)
    }

    fn path(&self) -> &Path {
        self.0.as_deref().expect("Invariant: a file that is kept is gone from here")
    }

    fn rename(mut self, to: &Path) -> Result<Self, FilesError> {
        if let Some(from) = &self.0 {
            fs::rename(from, to).map_err(failed("write", to))?;
        }
        self.0 = Some(to.to_owned());
        Ok(self)
    }

    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // What cannot be removed now could not be written either; its name tells what it is.
            let _ = fs::remove_file(path);
        }
    }
}

fn failed(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> FilesError {
    let path = path.to_owned();
    move |source| FilesError { doing, path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    const JSON: &[u8] = b"{\"timestamp\":\"2026-11-30T01:00:00Z\",\"config\":{}}\n";
    const LATER: &[u8] = b"{\"timestamp\":\"2026-11-30T02:00:00Z\",\"config\":{}}\n";
    const OTHER: &[u8] = b"{\"timestamp\":\"2026-11-30T02:00:00Z\",\"config\":{\"x\":1}}\n";

    const BYTES: RunBytes<'_> = RunBytes { csv: b"csv", html: b"html" };

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    fn write_json(directory: &Path, json: &[u8]) -> RunFiles {
        write(directory, date(2026, 11, 30), "0123456789ab", BYTES, |file| file.write_all(json)).unwrap()
    }

    #[test]
    fn a_run_has_its_own_files_and_is_the_days_latest() {
        let directory = tempfile::tempdir().unwrap();
        let output = directory.path().join("new/results");
        let files = write_json(&output, JSON);
        assert!(!files.kept);
        assert_eq!(
            names(&output),
            [
                "backtest-2026-11-30-0123456789ab.csv",
                "backtest-2026-11-30-0123456789ab.html",
                "backtest-2026-11-30-0123456789ab.json",
                "backtest-2026-11-30.csv",
                "backtest-2026-11-30.json",
            ]
        );
        assert_eq!(fs::read(files.json).unwrap(), fs::read(files.latest_json).unwrap());
        assert_eq!(fs::read(files.csv).unwrap(), fs::read(files.latest_csv).unwrap());
    }

    #[test]
    fn no_runs_own_file_is_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        write_json(directory.path(), JSON);
        let again = write_json(directory.path(), LATER);
        assert!(again.kept);
        assert_eq!(fs::read(&again.json).unwrap(), JSON, "the same figures at another time are the same run");
        assert_eq!(fs::read(&again.latest_json).unwrap(), JSON, "the latest is a copy of it");
        let other = write_json(directory.path(), OTHER);
        assert!(other.json.ends_with("backtest-2026-11-30-0123456789ab-2.json") && !other.kept);
        assert_eq!(fs::read(&again.json).unwrap(), JSON);
        assert_eq!(fs::read(&other.latest_json).unwrap(), OTHER);
        fs::remove_file(&again.json).unwrap();
        let third = write_json(directory.path(), JSON);
        assert!(third.json.ends_with("backtest-2026-11-30-0123456789ab-3.json"), "its CSV and page are still there");
    }

    #[test]
    fn what_cannot_be_written_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        // A folder in the place of the day's latest CSV: own files have their names by then.
        fs::create_dir(directory.path().join("backtest-2026-11-30.csv")).unwrap();
        let try_in =
            |directory| write(directory, date(2026, 11, 30), "0123456789ab", BYTES, |file| file.write_all(JSON));
        let error = try_in(directory.path()).unwrap_err();
        assert!(error.to_string().contains("backtest-2026-11-30.csv"), "{error}");
        assert_eq!(names(directory.path()), ["backtest-2026-11-30.csv"], "own files are gone with it");
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let error = try_in(&file).unwrap_err();
        assert!(error.to_string().starts_with("cannot create the output directory"), "{error}");
        assert!(prepare(&file).is_err());
    }
}
