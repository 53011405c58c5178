//! The folder of an export.
//!
//! ```text
//! FOLDER/bars/timeframe=1h/month=2026-10/stocks.parquet     what readers are pointed at
//! FOLDER/_manifest.json                                     the list of it; there if and only if it is whole
//! FOLDER/.unfinished/                                       the next one while it is made; locked
//! ```
//!
//! The manifest stands beside the bars, because Polars reads a folder only if all its files are of one kind. Its name begins
//! with `_`, by which pandas and Spark pass over it when they are given the folder above. Option chains lie in `option_chain` in
//! the place of `bars`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::manifest::{Listed, listed};
use super::{ExportError, Manifest};

/// What an export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Bars.
    Bars,
    /// Option chains.
    OptionChain,
}

impl Content {
    const ALL: [Self; 2] = [Self::Bars, Self::OptionChain];

    /// The folder in that of the export which readers are pointed at.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Bars => "bars",
            Self::OptionChain => "option_chain",
        }
    }
}

const MANIFEST: &str = "_manifest.json";
const UNFINISHED: &str = ".unfinished";
/// Where the earlier export waits to be removed, in `.unfinished`.
const REPLACED: &str = "replaced";

/// The folder of an export that is being made. What it held stays until the new one takes its place; if that does not
/// happen, nothing of the new one stays.
#[derive(Debug)]
pub struct Output {
    folder: PathBuf,
    content: Content,
    /// Whether it was not there before.
    is_new: bool,
    /// Held as long as this lives.
    _lock: File,
}

impl Output {
    /// Looks whether the folder may be written, creating it if it is not there: it must be empty or hold an earlier export of the
    /// same kind, and nobody else may be writing into it.
    pub fn open(folder: &Path, content: Content) -> Result<Self, ExportError> {
        if folder.is_file() {
            return Err(ExportError::NotAFolder(folder.to_owned()));
        }
        let is_new = !folder.exists();
        fs::create_dir_all(folder).map_err(|error| ExportError::write(folder, error))?;
        let lock = File::open(folder).map_err(|error| ExportError::read(folder, error))?;
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            return Err(ExportError::Busy(folder.to_owned()));
        }
        // A file system that has no locks for folders goes without.
        let output = Self { folder: folder.to_owned(), content, is_new, _lock: lock };
        output.refuse_foreign()?;
        let unfinished = output.unfinished();
        // Of an export that was killed.
        remove_if_there(&unfinished).map_err(|error| ExportError::write(&unfinished, error))?;
        fs::create_dir(&unfinished).map_err(|error| ExportError::write(&unfinished, error))?;
        Ok(output)
    }

    /// Where files are written until they take their place.
    pub(super) fn unfinished(&self) -> PathBuf {
        self.folder.join(UNFINISHED)
    }

    /// Puts the files that were written, and the manifest, into their place, and removes those of the export before.
    pub fn publish(self, manifest: &Manifest<'_, impl Listed>) -> Result<(), ExportError> {
        let name = self.content.folder();
        let (unfinished, data) = (self.unfinished(), self.folder.join(name));
        let (listed, listing) = (self.folder.join(MANIFEST), unfinished.join(MANIFEST));
        let write = |path: &Path, done: io::Result<()>| done.map_err(|error| ExportError::write(path, error));
        write(&listing, write_manifest(&listing, manifest))?;
        // From here to the last line there is no manifest: whoever looks meanwhile sees that nothing is whole.
        write(&listed, remove_if_there(&listed))?;
        if data.exists() {
            write(&data, fs::rename(&data, unfinished.join(REPLACED)))?;
        }
        write(&data, fs::rename(unfinished.join(name), &data))?;
        write(&listed, fs::rename(&listing, &listed))
    }

    /// Everything in the folder must be ours to replace.
    fn refuse_foreign(&self) -> Result<(), ExportError> {
        let foreign = |found: PathBuf| ExportError::Foreign { folder: self.folder.clone(), found };
        let names = names(&self.folder).map_err(|error| ExportError::read(&self.folder, error))?;
        let Some(listed) = listed(&self.folder.join(MANIFEST))? else {
            // An export that was killed while it took its place leaves its files without a manifest.
            let was_killed = names.contains(&OsString::from(UNFINISHED));
            let is_ours = |name: &OsString| was_killed && (name == UNFINISHED || name == self.content.folder());
            return names.into_iter().find(|name| !is_ours(name)).map_or(Ok(()), |name| Err(foreign(name.into())));
        };
        let listed: BTreeSet<PathBuf> = listed.into_iter().map(PathBuf::from).collect();
        let is_of = |content: &Content| listed.iter().any(|path| path.starts_with(content.folder()));
        if let Some(other) = Content::ALL.iter().find(|content| **content != self.content && is_of(content)) {
            return Err(ExportError::OtherContent { folder: self.folder.clone(), found: other.folder() });
        }
        let there = files(&self.folder, Path::new(self.content.folder()))
            .map_err(|error| ExportError::read(&self.folder, error))?;
        there.into_iter().find(|file| !listed.contains(file)).map_or(Ok(()), |file| Err(foreign(file)))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // Nothing can be done about a failure here; the next export removes what is left.
        let _ = fs::remove_dir_all(self.unfinished());
        if self.is_new {
            // Stays where it is not empty.
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

fn write_manifest(path: &Path, manifest: &Manifest<'_, impl Listed>) -> io::Result<()> {
    let mut file = io::BufWriter::new(File::create_new(path)?);
    serde_json::to_writer_pretty(&mut file, manifest)?;
    io::Write::write_all(&mut file, b"\n")?;
    file.into_inner()?.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn names(folder: &Path) -> io::Result<BTreeSet<OsString>> {
    fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
}

/// The files below a folder of another, with their path from there.
fn files(root: &Path, below: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    Ok(found)
}
