//! What scripts of faults have in common: a rule per line.

use std::str::FromStr;

/// A script that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the script, `{text}`: {problem}")]
pub struct ScriptError {
    line: usize,
    text: String,
    problem: String,
}

/// The rules of a script; `#` begins a comment.
pub(super) fn parse<R: FromStr<Err = String>>(script: &str) -> Result<Vec<R>, ScriptError> {
    let mut rules = Vec::new();
    for (line, text) in script.lines().enumerate() {
        let text = text.split('#').next().unwrap_or_default().trim();
        if !text.is_empty() {
            let failed = |problem| ScriptError { line: line + 1, text: text.to_owned(), problem };
            rules.push(text.parse().map_err(failed)?);
        }
    }
    Ok(rules)
}

/// A number from 1 up.
pub(super) fn positive(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| format!("`{text}` is not a positive number"))
}
