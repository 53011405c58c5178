//! Findings as people read them.

use super::{Finding, Level};
use crate::cli::Table;
use crate::cli::doctor::{row_line, rows_table};

/// All findings, long words on several lines.
pub(in crate::cli) fn health_table(findings: &[Finding]) -> Table {
    rows_table(findings.iter().map(row))
}

/// Findings that somebody should know of, a line each.
pub(in crate::cli) fn health_lines(findings: &[Finding]) -> String {
    findings.iter().filter(|finding| finding.level >= Level::Warn).map(row).map(row_line).collect()
}

fn row(finding: &Finding) -> [&str; 4] {
    [finding.check, finding.level.as_str(), &finding.found, &finding.advice]
}
