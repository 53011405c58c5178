//! Files that are not whole yet.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::SourceError;

/// What the names of unfinished files end with. They start with a dot.
pub(super) const TEMP_SUFFIX: &str = ".part";

/// Names tried before giving up; two equal random names in a row do not happen.
const NAMES_TRIED: u32 = 8;

/// An empty file beside the one it will become; gone when dropped before that.
#[derive(Debug)]
pub(super) struct TempFile {
    path: PathBuf,
    kept: bool,
}

impl TempFile {
    /// Creates it, and the directories it needs.
    pub(super) fn beside(dest: &Path) -> Result<Self, SourceError> {
        let (Some(dir), Some(name)) = (dest.parent(), dest.file_name()) else {
            return Err(SourceError::disk(dest, io::ErrorKind::InvalidFilename.into()));
        };
        fs::create_dir_all(dir).map_err(|error| SourceError::disk(dir, error))?;
        let mut tries = 0;
        loop {
            let unique = format!("{}-{:08x}", std::process::id(), fastrand::u32(..));
            let path = dir.join(format!(".{}.{unique}{TEMP_SUFFIX}", name.to_string_lossy()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(_) => return Ok(Self { path, kept: false }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < NAMES_TRIED => tries += 1,
                Err(error) => return Err(SourceError::disk(&path, error)),
            }
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes it the file it was to become. Whoever has the older one open keeps reading that.
    pub(super) fn persist(mut self, dest: &Path) -> Result<(), SourceError> {
        fs::rename(&self.path, dest).map_err(|error| SourceError::disk(dest, error))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing can be done about a failure here; the cache's sweep finds what is left.
            let _ = fs::remove_file(&self.path);
        }
    }
}
