//! What is wrong with files: absent, replaced, cut or damaged ones.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::market::{Content, FileId, FileIdError};

/// Which files have which defects. A file can have several.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Defects {
    /// Neither listed nor there.
    pub absent: BTreeSet<FileId>,
    /// Published again with other rows.
    pub replaced: BTreeSet<FileId>,
    /// Gzip stream that ends in its middle.
    pub truncated: BTreeSet<FileId>,
    /// Share of the rows that is there; the gzip stream is valid.
    pub row_cut: BTreeMap<FileId, f64>,
    /// Gzip stream with wrong bytes in its middle.
    pub corrupt: BTreeSet<FileId>,
    /// With bad, repeated and misplaced rows.
    pub defect_rows: BTreeSet<FileId>,
}

impl Defects {
    /// All files that have one.
    pub fn files(&self) -> BTreeSet<FileId> {
        let sets = [&self.absent, &self.replaced, &self.truncated, &self.corrupt, &self.defect_rows];
        sets.into_iter().flatten().chain(self.row_cut.keys()).copied().collect()
    }

    /// What the file contains.
    pub fn content(&self, id: FileId) -> Content {
        Content {
            version: if self.replaced.contains(&id) { 2 } else { 1 },
            row_share: self.row_cut.get(&id).copied().unwrap_or(1.0),
            defect_rows: self.defect_rows.contains(&id),
        }
    }

    /// Damages the packed file.
    pub fn damage(&self, id: FileId, packed: &mut Vec<u8>) {
        let middle = packed.len() / 2;
        if self.corrupt.contains(&id) {
            let end = packed.len().min(middle + 64);
            packed[middle..end].iter_mut().for_each(|byte| *byte ^= 0x5a);
        }
        if self.truncated.contains(&id) {
            packed.truncate(middle);
        }
    }

    /// A text that differs where the file would.
    pub(super) fn fingerprint(&self, id: FileId) -> String {
        let Content { version, row_share, defect_rows } = self.content(id);
        let (corrupt, truncated) = (self.corrupt.contains(&id), self.truncated.contains(&id));
        format!("version={version} rows={row_share} defects={defect_rows} corrupt={corrupt} truncated={truncated}")
    }
}

/// A file and the share of its rows to keep: `2026-10-01` (half of them) or `2026-10-01:0.9`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowCut {
    /// The file.
    pub file: FileId,
    /// 0 (header only) to 1.
    pub share: f64,
}

/// A text that names no file and share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowCutError {
    /// The part before the colon.
    #[error(transparent)]
    File(#[from] FileIdError),
    /// The part behind the colon.
    #[error("`{0}` is not a share of rows between 0 and 1")]
    Share(String),
}

impl FromStr for RowCut {
    type Err = RowCutError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (file, share) = text.split_once(':').unwrap_or((text, "0.5"));
        let parsed = share.parse().ok().filter(|parsed| (0.0..=1.0).contains(parsed));
        Ok(Self { file: file.parse()?, share: parsed.ok_or_else(|| RowCutError::Share(share.to_owned()))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_between_nothing_and_all() {
        assert_eq!("2026-10-01".parse::<RowCut>().unwrap().share, 0.5);
        assert_eq!("indices/minute/2026-10-01:0.25".parse::<RowCut>().unwrap().share, 0.25);
        for wrong in ["2026-10-01:1.5", "2026-10-01:", "2026-10-01:NaN", "yesterday:0.5"] {
            assert!(wrong.parse::<RowCut>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn defects_of_one_file_add_up() {
        let id: FileId = "2026-10-01".parse().unwrap();
        let defects = Defects { corrupt: [id].into(), truncated: [id].into(), ..Defects::default() };
        let mut packed = vec![0; 1000];
        defects.damage(id, &mut packed);
        assert_eq!(packed.len(), 500, "cut before the wrong bytes");
        assert_eq!(defects.files(), [id].into());
        let other = "2026-10-02".parse().unwrap();
        assert_ne!(defects.fingerprint(id), defects.fingerprint(other));
    }
}
