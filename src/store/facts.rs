//! What a database says of itself at a glance, before it is opened: looking makes no file and no table, and changes none.

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType};

/// What a database says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Its program and version: `SQLite 3.50.4`, `PostgreSQL 16.4`.
    pub engine: String,
    /// Its tables.
    pub schema: Schema,
    /// Whether this user may write to it.
    pub is_writable: bool,
    /// Bytes of the file, or of all partitions of bars with their indices.
    pub size_bytes: u64,
    /// Days of which a file is loaded, of all datasets.
    pub file_days: u64,
}

/// The tables of a database, by the migrations that made them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// None of ours.
    Absent,
    /// Those of an earlier version of this program; opening the database brings them up to date.
    Older {
        /// Migrations applied.
        applied: usize,
        /// Migrations that this program knows.
        known: usize,
    },
    /// Those of this program.
    Current {
        /// Migrations applied.
        applied: usize,
    },
    /// Those of a later version of this program.
    Newer {
        /// Migrations applied.
        applied: usize,
        /// Migrations that this program knows.
        known: usize,
    },
    /// One of the migrations was another one.
    Differs {
        /// Its number.
        migration: i64,
    },
}

impl Schema {
    /// Judges migrations that were applied, by number and checksum in order; none where there is no table of them.
    pub(super) fn of(applied: Option<&[(i64, Vec<u8>)]>, known: &[(i64, &str, &'static str)]) -> Self {
        let Some(found) = applied else { return Self::Absent };
        let differs = found
            .iter()
            .zip(known)
            .find(|((version, found), (number, _, sql))| version != number || *found != checksum(*number, sql));
        let (applied, known) = (found.len(), known.len());
        match differs {
            Some(((migration, _), _)) => Self::Differs { migration: *migration },
            None if applied < known => Self::Older { applied, known },
            None if applied > known => Self::Newer { applied, known },
            None => Self::Current { applied },
        }
    }
}

/// The checksum by which a migration is told from another one of the same number.
pub(super) fn checksum(version: i64, sql: &'static str) -> Vec<u8> {
    Migration::new(version, "".into(), MigrationType::Simple, SqlStr::from_static(sql), false).checksum.into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_known_by_its_migrations() {
        let known = [(1, "one", "CREATE 1"), (2, "two", "CREATE 2")];
        let made = |versions: &[(i64, &'static str)]| -> Vec<(i64, Vec<u8>)> {
            versions.iter().map(|(version, sql)| (*version, checksum(*version, sql))).collect()
        };
        for (applied, schema) in [
            (None, Schema::Absent),
            (Some(made(&[])), Schema::Older { applied: 0, known: 2 }),
            (Some(made(&[(1, "CREATE 1")])), Schema::Older { applied: 1, known: 2 }),
            (Some(made(&[(1, "CREATE 1"), (2, "CREATE 2")])), Schema::Current { applied: 2 }),
            (Some(made(&[(1, "CREATE 1"), (2, "CREATE 2"), (3, "CREATE 3")])), Schema::Newer { applied: 3, known: 2 }),
            (Some(made(&[(1, "CREATE 1"), (2, "DROP 2")])), Schema::Differs { migration: 2 }),
        ] {
            assert_eq!(Schema::of(applied.as_deref(), &known), schema);
        }
    }
}
