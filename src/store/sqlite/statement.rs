//! A prepared statement of SQLite's C interface, on the driver's own connection while the driver has lent its handle.
//!
//! Where millions of rows go in or out, the driver's values and argument lists take many times as long as SQLite's own work. What
//! such a path needs is here; its texts are borrowed for as long as the statement lives, since SQLite does not copy them.
#![expect(unsafe_code, reason = "the one place that calls SQLite's C interface; see the module's text")]

use std::ffi::{CStr, c_int};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

use libsqlite3_sys as ffi;
use sqlx::sqlite::LockedSqliteHandle;

/// An error code of SQLite's with its message.
#[derive(Debug)]
pub(super) struct StatementError {
    pub(super) code: i32,
    pub(super) message: String,
}

/// A connection for as long as its handle is lent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Connection<'a> {
    raw: NonNull<ffi::sqlite3>,
    lent: PhantomData<&'a str>,
}

impl<'a> Connection<'a> {
    pub(super) fn of(handle: &'a mut LockedSqliteHandle<'_>) -> Self {
        Self { raw: handle.as_raw_handle(), lent: PhantomData }
    }

    fn error(self, code: c_int) -> StatementError {
        // SAFETY: the connection is alive; the message is valid until the next call on it, and copied at once.
        let message = unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(self.raw.as_ptr())) };
        StatementError { code: code & 0xff, message: message.to_string_lossy().into_owned() }
    }
}

/// A prepared statement. Places of parameters count from 1, columns from 0; SQLite checks the former.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    connection: Connection<'a>,
    raw: NonNull<ffi::sqlite3_stmt>,
}

impl<'a> Statement<'a> {
    pub(super) fn prepare(connection: Connection<'a>, sql: &str) -> Result<Self, StatementError> {
        let mut raw = ptr::null_mut();
        let length = c_int::try_from(sql.len()).expect("Invariant: a statement has some kilobytes");
        // SAFETY: the connection is lent to us and alive; `sql` is `length` bytes long.
        let code = unsafe {
            ffi::sqlite3_prepare_v2(connection.raw.as_ptr(), sql.as_ptr().cast(), length, &raw mut raw, ptr::null_mut())
        };
        match NonNull::new(raw) {
            Some(raw) if code == ffi::SQLITE_OK => Ok(Self { connection, raw }),
            _ => Err(connection.error(code)),
        }
    }

    fn check(&self, code: c_int) -> Result<(), StatementError> {
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(self.connection.error(code)) }
    }

    #[inline]
    pub(super) fn bind_int(&mut self, place: c_int, value: i64) -> Result<(), StatementError> {
        // SAFETY: the statement is alive.
        self.check(unsafe { ffi::sqlite3_bind_int64(self.raw.as_ptr(), place, value) })
    }

    #[inline]
    pub(super) fn bind_real(&mut self, place: c_int, value: f64) -> Result<(), StatementError> {
        // SAFETY: as above.
        self.check(unsafe { ffi::sqlite3_bind_double(self.raw.as_ptr(), place, value) })
    }

    #[inline]
    pub(super) fn bind_null(&mut self, place: c_int) -> Result<(), StatementError> {
        // SAFETY: as above.
        self.check(unsafe { ffi::sqlite3_bind_null(self.raw.as_ptr(), place) })
    }

    #[inline]
    pub(super) fn bind_text(&mut self, place: c_int, text: &'a str) -> Result<(), StatementError> {
        let length = c_int::try_from(text.len()).unwrap_or(c_int::MAX);
        // SAFETY: as above; the text outlives the statement, so SQLite need not copy it (no destructor means SQLITE_STATIC).
        self.check(unsafe { ffi::sqlite3_bind_text(self.raw.as_ptr(), place, text.as_ptr().cast(), length, None) })
    }

    /// Goes on to the next row; whether there is one.
    #[inline]
    pub(super) fn step(&mut self) -> Result<bool, StatementError> {
        // SAFETY: the statement is alive; what is not bound is null.
        match unsafe { ffi::sqlite3_step(self.raw.as_ptr()) } {
            ffi::SQLITE_ROW => Ok(true),
            ffi::SQLITE_DONE => Ok(false),
            code => Err(self.connection.error(code)),
        }
    }

    /// Makes it ready to be bound and stepped again.
    pub(super) fn reset(&mut self) {
        // SAFETY: the statement is alive. It repeats the error of the last step, which was told then.
        unsafe { ffi::sqlite3_reset(self.raw.as_ptr()) };
    }

    #[inline]
    fn is_null(&self, column: c_int) -> bool {
        // SAFETY: the statement is alive. Where it stands on no row, or has no such column, the answer is null.
        unsafe { ffi::sqlite3_column_type(self.raw.as_ptr(), column) == ffi::SQLITE_NULL }
    }

    #[inline]
    pub(super) fn int(&self, column: c_int) -> i64 {
        // SAFETY: as above.
        unsafe { ffi::sqlite3_column_int64(self.raw.as_ptr(), column) }
    }

    /// Whole numbers, too, as a double.
    #[inline]
    pub(super) fn real(&self, column: c_int) -> f64 {
        // SAFETY: as above.
        unsafe { ffi::sqlite3_column_double(self.raw.as_ptr(), column) }
    }

    pub(super) fn int_or_null(&self, column: c_int) -> Option<i64> {
        (!self.is_null(column)).then(|| self.int(column))
    }

    pub(super) fn real_or_null(&self, column: c_int) -> Option<f64> {
        (!self.is_null(column)).then(|| self.real(column))
    }
}

impl Drop for Statement<'_> {
    fn drop(&mut self) {
        // SAFETY: the statement is alive and used by nobody after this.
        unsafe { ffi::sqlite3_finalize(self.raw.as_ptr()) };
    }
}
