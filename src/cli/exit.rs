//! How a command ends: exit codes, and errors as people read them.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::process::ExitCode;

use super::RequestError;
use super::format::{printable, printable_lines};
use crate::config::ConfigError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for is there.
    Done = 0,
    /// Nothing could be done.
    Failed = 1,
    /// The command, its flags or settings make no sense.
    Usage = 2,
    /// Finished, but some days or symbols are missing.
    Gaps = 3,
    /// Stopped by Ctrl-C.
    Interrupted = 130,
    /// Stopped by SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// The number a shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command could not do its work, with the exit code that says so and what to do about it.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    error: anyhow::Error,
    hint: Option<String>,
}

impl CliError {
    /// The user asked for something that makes no sense.
    pub fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, error: error.into(), hint: None }
    }

    /// The work could not be done.
    pub fn failed(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Failed, error: error.into(), hint: None }
    }

    /// The same with a line that says what to do.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// How the command ends.
    pub const fn exit(&self) -> Exit {
        self.exit
    }

    /// Why, without the words around it.
    pub fn reason(&self) -> String {
        printable(&self.error.to_string())
    }

    /// Why, with what caused it, in a line.
    pub fn in_a_line(&self) -> String {
        self.causes("; ", printable)
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    fn causes(&self, between: &str, shown: fn(&str) -> String) -> String {
        let mut said = shown(&self.error.to_string());
        let mut text = said.clone();
        for cause in self.error.chain().skip(1) {
            let cause = shown(&cause.to_string());
            // Errors of many libraries repeat their cause in their own text.
            if !said.ends_with(&cause) {
                text.push_str(&format!("{between}caused by: {cause}"));
            }
            said = cause;
        }
        text
    }

    /// Whether an error of this kind is behind it.
    pub fn is_of<E: std::error::Error + Send + Sync + 'static>(&self) -> bool {
        self.error.is::<E>()
    }

    /// Whether the reader of our output has gone away (`backfill bars A | head`), which is no failure.
    fn is_broken_pipe(&self) -> bool {
        self.error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<io::Error>())
            .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for CliError {
    /// `error: …`, then a `caused by:` line for each cause, then a `hint:` line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.causes("\n", printable_lines))?;
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        f.write_char('\n')
    }
}

impl From<anyhow::Error> for CliError {
    fn from(error: anyhow::Error) -> Self {
        Self::failed(error)
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        Self::failed(error)
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<RequestError> for CliError {
    fn from(error: RequestError) -> Self {
        Self::usage(error)
    }
}

/// How a command ended, and the error to tell, if there is one: a reader of our output that went away is none.
pub fn end_of(result: Result<Exit, CliError>) -> (Exit, Option<CliError>) {
    match result {
        Ok(exit) => (exit, None),
        Err(error) if error.is_broken_pipe() => (Exit::Done, None),
        Err(error) => (error.exit(), Some(error)),
    }
}

/// The exit code of a command; what went wrong is told on `stderr`.
pub fn finish(result: Result<Exit, CliError>, stderr: &mut impl Write) -> ExitCode {
    let (exit, error) = end_of(result);
    if let Some(error) = error {
        // Nobody is left to be told that telling failed.
        let _ = write!(stderr, "{error}");
    }
    exit.into()
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn errors_are_told_with_causes_and_a_hint() {
        let error =
            anyhow!("connection reset").context("reading a.csv.gz: connection reset").context("loading 2024-07-11");
        assert_eq!(
            CliError::failed(error).with_hint("try again").to_string(),
            "error: loading 2024-07-11\ncaused by: reading a.csv.gz: connection reset\nhint: try again\n"
        );
    }

    /// Rows of a file of signals that are none, places in a TOML file.
    #[test]
    fn errors_of_several_lines_are_told_in_several_lines() {
        let error =
            anyhow!("2 rows are no signals\n  line 2, side: \x1b[2J\n  line 3, stop\n").context("--signals=a.csv");
        let error = CliError::usage(error);
        assert_eq!(
            error.to_string(),
            "error: --signals=a.csv\ncaused by: 2 rows are no signals\n  line 2, side: \\u{1b}[2J\n  line 3, stop\n"
        );
        assert!(!error.in_a_line().contains('\n'), "{}", error.in_a_line());
    }

    #[test]
    fn wrong_settings_and_requests_are_usage_errors() {
        let error = CliError::from(ConfigError::NotText { name: "DATABASE_URL" });
        assert_eq!(error.exit(), Exit::Usage);
        assert_eq!(
            error.to_string(),
            "error: environment variable DATABASE_URL is not valid UTF-8: set it again as plain text\n"
        );
        assert_eq!(CliError::from(RequestError::NoTimeframes).exit().code(), 2);
        assert_eq!(CliError::from(anyhow!("x")).exit().code(), 1);
    }

    #[test]
    fn a_reader_that_went_away_is_success() {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let mut stderr = Vec::new();
        let wrapped = CliError::failed(anyhow::Error::from(gone()).context("printing bars"));
        assert_eq!(finish(Err(wrapped), &mut stderr), ExitCode::SUCCESS);
        assert_eq!(finish(Err(gone().into()), &mut stderr), ExitCode::SUCCESS);
        assert_eq!(stderr, b"");
        assert_eq!(finish(Err(CliError::failed(anyhow!("x"))), &mut stderr), ExitCode::from(1));
        assert_eq!(finish(Ok(Exit::Gaps), &mut stderr), ExitCode::from(3));
        assert_eq!(stderr, b"error: x\n");
    }
}
