//! Room on a disk, and whether a folder may be written.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, statvfs};

use super::{Check, State};
use crate::cli::format::bytes;

/// Less than this is told: a year of the whole stock market takes about 14 GB.
pub(in crate::cli) const LOW_BYTES: u64 = 5_000_000_000;

/// What there is of a folder, or of the nearest one above it that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Room {
    folder: PathBuf,
    free_bytes: u64,
    is_writable: bool,
}

impl Room {
    /// What there is beside a file that is there or is to be.
    pub(in crate::cli) fn beside(file: &Path) -> io::Result<Self> {
        let file = std::path::absolute(file)?;
        Self::of(file.parent().unwrap_or(&file))
    }

    /// Bytes that this user may fill.
    pub(in crate::cli) const fn free_bytes(&self) -> u64 {
        self.free_bytes
    }

    /// Looks, and makes nothing.
    pub(in crate::cli) fn of(folder: &Path) -> io::Result<Self> {
        let folder = std::path::absolute(folder)?;
        let there = folder.ancestors().find(|folder| folder.exists()).unwrap_or(&folder).to_owned();
        let disk = statvfs(&there)?;
        let is_writable = there.is_dir() && access(&there, Access::WRITE_OK | Access::EXEC_OK).is_ok();
        Ok(Self { folder: there, free_bytes: disk.f_bavail.saturating_mul(disk.f_frsize), is_writable })
    }
}

/// What a folder's disk is worth to what `needs` it.
pub(super) fn disk_check(name: &str, room: &io::Result<Room>, setting: &str) -> Check {
    let room = match room {
        Ok(room) => room,
        Err(error) => return Check::fails(name, error),
    };
    let folder = room.folder.display();
    if !room.is_writable {
        let found = format!("{folder} cannot be written by this user");
        return Check::new(name, State::Fails, found)
            .advising(format!("give it the right, or set {setting} to another place"));
    }
    let found = format!("{} free, {folder} can be written", bytes(room.free_bytes));
    let check = Check::new(name, State::Ok, found);
    if room.free_bytes >= LOW_BYTES {
        return check;
    }
    let advice =
        format!("a year of the whole stock market takes 14 GB: free some space, or set {setting} to another place");
    Check { state: State::Warn, ..check }.advising(advice)
}

/// The folder of fetched files.
pub(in crate::cli) fn cache_check(room: &io::Result<Room>) -> Check {
    disk_check("cache", room, "BARKEEP_CACHE_DIR")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_told() {
        let with = |free_bytes, is_writable| Ok(Room { folder: "/data".into(), free_bytes, is_writable });
        for (room, state, words) in [
            (with(LOW_BYTES, true), State::Ok, "5.0 GB free, /data can be written"),
            (with(LOW_BYTES - 1, true), State::Warn, "free"),
            (with(LOW_BYTES, false), State::Fails, "/data cannot be written"),
            (Err(io::ErrorKind::NotFound.into()), State::Fails, "not found"),
        ] {
            let check = cache_check(&room);
            assert_eq!(check.state, state, "{check:?}");
            assert!(check.found.contains(words), "{check:?}");
        }
    }

    #[test]
    fn the_nearest_folder_that_is_there_is_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let room = Room::of(&dir.path().join("not/there")).unwrap();
        assert_eq!(room.folder, dir.path());
        assert!(room.is_writable && room.free_bytes > 0);
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(!Room::of(&file.join("below")).unwrap().is_writable);
    }
}
