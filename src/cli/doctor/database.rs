//! What a database is worth.

use std::io;

use super::disk::disk_check;
use super::{Check, Room, State};
use crate::cli::format::{bytes, counted};
use crate::config::{DatabaseUrl, Origin, Sourced};
use crate::store::{Facts, Schema, StoreError};

/// What was found of a database.
#[derive(Debug)]
pub(in crate::cli) struct DatabaseFacts {
    /// What it says of itself; `None` where there is none.
    pub(in crate::cli) facts: Result<Option<Facts>, StoreError>,
    /// Room beside it, where it is a file.
    pub(in crate::cli) room: Option<io::Result<Room>>,
}

/// The rows of a database.
pub(in crate::cli) fn database_checks(url: &Sourced<DatabaseUrl>, found: &DatabaseFacts) -> Vec<Check> {
    let from = match &url.origin {
        Origin::Default => String::new(),
        origin => format!(" ({origin})"),
    };
    let name = format!("{}{from}", url.value);
    let check = match &found.facts {
        Ok(Some(facts)) => judged(&name, facts),
        Ok(None) => Check::new("database", State::NotSetUp, format!("{name}: no file yet"))
            .advising("nothing: the first load makes it"),
        Err(error) => Check::fails("database", error),
    };
    let disk = found.room.as_ref().map(|room| disk_check("database disk", room, "DATABASE_URL"));
    std::iter::once(check).chain(disk).collect()
}

fn judged(name: &str, facts: &Facts) -> Check {
    let Facts { engine, schema, is_writable, size_bytes, file_days } = facts;
    let about = |schema: &str| {
        let loaded = format!("{}, {} of files", bytes(*size_bytes), counted(*file_days, "day"));
        format!("{name}: {engine}, {schema}, {loaded}")
    };
    let check = match schema {
        Schema::Absent => Check::new("database", State::NotSetUp, format!("{name}: {engine}, no tables of ours yet"))
            .advising("nothing: the first load makes them"),
        Schema::Older { applied, known } => {
            let found = about(&format!("schema {applied} of {known}"));
            Check::new("database", State::Ok, found).advising("nothing: the next command brings its tables up to date")
        }
        Schema::Current { applied } => Check::new("database", State::Ok, about(&format!("schema {applied}"))),
        Schema::Newer { applied, known } => {
            let found = about(&format!("schema {applied}, and this program knows {known}"));
            let advice = "use the newer version of this program that made it, or set DATABASE_URL to another database";
            return Check::new("database", State::Fails, found).advising(advice);
        }
        Schema::Differs { migration } => {
            let found = about(&format!("migration {migration} differs from this program's"));
            return Check::new("database", State::Fails, found).advising("set DATABASE_URL to another database");
        }
    };
    if *is_writable {
        return check;
    }
    let (state, advice) = match schema {
        Schema::Current { .. } => {
            (State::Warn, "it is enough for bars, status, verify and export; loading needs the right to write")
        }
        _ => (State::Fails, "give this user the right to make tables and to write"),
    };
    Check { state, found: format!("{}; it cannot be written by this user", check.found), ..check }.advising(advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_and_rights_are_judged_together() {
        let url = Sourced::new("sqlite:/d/bars.db".parse().unwrap(), Origin::Environment("DATABASE_URL"));
        for (schema, is_writable, state, words) in [
            (Schema::Absent, true, State::NotSetUp, "no tables of ours yet"),
            (Schema::Absent, false, State::Fails, "cannot be written"),
            (Schema::Older { applied: 2, known: 4 }, true, State::Ok, "schema 2 of 4, 1.5 GB, 64 days of files"),
            (Schema::Older { applied: 2, known: 4 }, false, State::Fails, "cannot be written"),
            (
                Schema::Current { applied: 4 },
                true,
                State::Ok,
                "/d/bars.db (environment DATABASE_URL): SQLite 3, schema 4,",
            ),
            (Schema::Current { applied: 4 }, false, State::Warn, "cannot be written"),
            (Schema::Newer { applied: 5, known: 4 }, true, State::Fails, "this program knows 4"),
            (Schema::Differs { migration: 3 }, true, State::Fails, "migration 3 differs"),
        ] {
            let facts =
                Facts { engine: "SQLite 3".to_owned(), schema, is_writable, size_bytes: 1_500_000_000, file_days: 64 };
            let checks = database_checks(&url, &DatabaseFacts { facts: Ok(Some(facts)), room: None });
            assert_eq!(checks.len(), 1);
            assert_eq!(checks[0].state, state, "{checks:?}");
            assert!(checks[0].found.contains(words), "{checks:?}");
        }
    }
}
