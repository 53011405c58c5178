//! The meaning of the server's errors, by SQLSTATE.

use sqlx::Error;

use super::StoreError;

/// The meaning of an error of a statement.
pub(super) fn named(database: &str, doing: &'static str, source: Error) -> StoreError {
    let database = database.to_owned();
    let Some(error) = source.as_database_error() else {
        return StoreError::Lost { database, doing, source };
    };
    let detail = error.message().to_owned();
    match error.code().as_deref() {
        // disk_full
        Some("53100") => StoreError::DiskFull { database },
        // read_only_sql_transaction
        Some("25006") => StoreError::ReadOnly { database },
        // data_corrupted, index_corrupted
        Some("XX001" | "XX002") => StoreError::Corrupt { database, detail },
        // insufficient_privilege
        Some("42501") => StoreError::Forbidden { database, doing, detail },
        // The server stops, or an administrator, or a time limit, has ended the connection.
        Some("57P01" | "57P02" | "57P03" | "57P05" | "25P03") => StoreError::Lost { database, doing, source },
        // So does a pooler say that the server behind it is gone.
        Some(code) if code.starts_with("08") => StoreError::Lost { database, doing, source },
        _ => StoreError::Other { database, doing, source },
    }
}

/// Why there is no connection.
pub(super) fn unreachable(database: &str, source: Error) -> StoreError {
    StoreError::Unreachable { database: database.to_owned(), detail: source.to_string() }
}
