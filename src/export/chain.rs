//! Option chains from the store into files, one per underlying and month.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, RangeInclusive};

use jiff::civil::Date;
use tokio_util::sync::CancellationToken;

use super::chain_file::ChainFile;
use super::{ExportError, ExportedChainFile, Format, Output};
use crate::store::{Audit, ChainRow, OptionChains};

/// What an export of option chains came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExportedChains {
    /// The files, by underlying and month.
    pub files: Vec<ExportedChainFile>,
    /// Underlyings that were named and have no row in what was asked for.
    pub missing: BTreeSet<String>,
    /// Whether it was stopped before the end; then the files are not all.
    pub stopped: bool,
}

/// Writes the chains of named underlyings, or of all, into files of the output, which is to be published then. All of it is of
/// one moment, whatever is taken meanwhile. At `stop` it ends early.
pub async fn export_chains<S: Audit + OptionChains>(
    store: &mut S,
    underlyings: Option<&[String]>,
    dates: RangeInclusive<Date>,
    (format, output): (Format, &Output),
    stop: &CancellationToken,
) -> Result<ExportedChains, ExportError> {
    store.freeze().await?;
    let mut exported =
        ExportedChains { missing: underlyings.into_iter().flatten().cloned().collect(), ..ExportedChains::default() };
    let mut files = Files { format, output, done: Vec::new(), open: None };
    let mut ended = Ok(());
    let each = |rows: &[ChainRow]| {
        ended = rows.iter().try_for_each(|row| files.write(row));
        if ended.is_err() || stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    store.scan_chain(underlyings, dates, each).await?;
    ended?;
    exported.stopped = stop.is_cancelled();
    exported.files = files.finish()?;
    for file in &exported.files {
        exported.missing.remove(&file.underlying);
    }
    Ok(exported)
}

/// Files that are done, and the one that rows go into now.
struct Files<'a> {
    format: Format,
    output: &'a Output,
    done: Vec<ExportedChainFile>,
    open: Option<ChainFile>,
}

impl Files<'_> {
    fn write(&mut self, row: &ChainRow) -> Result<(), ExportError> {
        let file = match self.open.take() {
            Some(file) if file.takes(row) => file,
            ended => {
                self.done.extend(ended.map(ChainFile::finish).transpose()?);
                ChainFile::create(&self.output.unfinished(), self.format, row)?
            }
        };
        self.open.insert(file).write(row)
    }

    fn finish(mut self) -> Result<Vec<ExportedChainFile>, ExportError> {
        self.done.extend(self.open.map(ChainFile::finish).transpose()?);
        Ok(self.done)
    }
}
