//! What Parquet files of any content have in common.

use std::sync::Arc;

use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::data_type::{ByteArray, DataType};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::SortingColumn;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::ColumnPath;
use jiff::civil::{Date, date};

use super::file::HashedFile;

/// Rows of a row group. A group is what readers skip by its smallest and largest values, and what is held in
/// memory, about ten megabytes, before it is written.
pub(super) const ROWS: usize = 128 * 1024;

const ZSTD_LEVEL: i32 = 3;

/// Begins a file sorted by some columns. Values of `steady` columns follow each other at equal distances.
pub(super) fn begin(
    file: HashedFile,
    schema: &str,
    sorted_by: &[i32],
    steady: &[&str],
) -> Result<SerializedFileWriter<HashedFile>, ParquetError> {
    let schema = Arc::new(parse_message_type(schema)?);
    let ascending = |column: &i32| SortingColumn { column_idx: *column, descending: false, nulls_first: false };
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_sorting_columns(Some(sorted_by.iter().map(ascending).collect()));
    for column in steady {
        properties = properties
            .set_column_dictionary_enabled(ColumnPath::from(*column), false)
            .set_column_encoding(ColumnPath::from(*column), Encoding::DELTA_BINARY_PACKED);
    }
    SerializedFileWriter::new(file, schema, Arc::new(properties.build()))
}

/// Values of a column that may be null.
#[derive(Debug)]
pub(super) struct Nullable<T> {
    pub(super) values: Vec<T>,
    /// 1 where there is a value, 0 where there is none.
    pub(super) defined: Vec<i16>,
}

impl<T> Default for Nullable<T> {
    fn default() -> Self {
        Self { values: Vec::new(), defined: Vec::new() }
    }
}

impl<T> Nullable<T> {
    pub(super) fn push(&mut self, value: Option<T>) {
        self.defined.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.defined.clear();
    }
}

/// The words of values, shared, not copied for every row.
pub(super) fn shared<T: PartialEq>(words: &[(T, ByteArray)], values: &[T]) -> Vec<ByteArray> {
    values
        .iter()
        .filter_map(|value| words.iter().find(|(known, _)| known == value))
        .map(|(_, word)| word.clone())
        .collect()
}

/// Writes the next column of a group; `defined` has 1 where there is a value, 0 where there is none.
pub(super) fn column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, HashedFile>,
    values: &[T::T],
    defined: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let mut column = group.next_column()?.expect("Invariant: the schema has a column for each of a group's");
    column.typed::<T>().write_batch(values, defined, None)?;
    column.close()
}

/// A date as the format has it.
pub(super) fn days_since_epoch(of: Date) -> i32 {
    (of - date(1970, 1, 1)).get_days()
}
