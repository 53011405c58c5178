//! Bars as Parquet.

use std::io;

use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};

use super::columns::{Nullable, ROWS, begin, column, days_since_epoch, shared};
use super::error::parquet_error;
use super::file::HashedFile;
use crate::model::{Session, VwapMethod};
use crate::store::StoredBar;

/// The columns of `historical_bars` in their order, but `timeframe`: readers take that from the path, and some refuse a
/// column that is in both places. Nullable where the table is.
const SCHEMA: &str = "message historical_bars {
    REQUIRED BYTE_ARRAY symbol (STRING);
    REQUIRED INT64 timestamp;
    REQUIRED DOUBLE open;
    REQUIRED DOUBLE high;
    REQUIRED DOUBLE low;
    REQUIRED DOUBLE close;
    OPTIONAL DOUBLE volume;
    OPTIONAL DOUBLE vwap;
    OPTIONAL INT64 trades;
    REQUIRED BYTE_ARRAY session (STRING);
    OPTIONAL BYTE_ARRAY vwap_method (STRING);
    REQUIRED INT32 session_date (DATE);
    REQUIRED INT64 end_timestamp;
    REQUIRED INT32 minutes;
}";

/// Places of the columns by which a file is sorted: symbol, timestamp.
const SORTED_BY: [i32; 2] = [0, 1];

/// A Parquet file of bars.
#[derive(Debug)]
pub(super) struct ParquetBars {
    file: SerializedFileWriter<HashedFile>,
    group: Box<Group>,
}

impl ParquetBars {
    pub(super) fn new(file: HashedFile) -> io::Result<Self> {
        // Bars follow each other at equal distances.
        let file = begin(file, SCHEMA, &SORTED_BY, &["timestamp", "end_timestamp"]).map_err(parquet_error)?;
        Ok(Self { file, group: Box::default() })
    }

    pub(super) fn write(&mut self, symbol: &str, mut bars: &[StoredBar]) -> io::Result<()> {
        while !bars.is_empty() {
            let (fitting, rest) = bars.split_at(bars.len().min(ROWS - self.group.rows()));
            self.group.add(symbol, fitting);
            if self.group.rows() == ROWS {
                self.end_group()?;
            }
            bars = rest;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<HashedFile> {
        if self.group.rows() > 0 {
            self.end_group()?;
        }
        self.file.into_inner().map_err(parquet_error)
    }

    fn end_group(&mut self) -> io::Result<()> {
        let mut writer = self.file.next_row_group().map_err(parquet_error)?;
        self.group.write(&mut writer).map_err(parquet_error)?;
        writer.close().map_err(parquet_error)?;
        self.group.clear();
        Ok(())
    }
}

/// A row group in the making, column by column.
#[derive(Debug, Default)]
struct Group {
    /// Symbols and how many rows each has.
    symbols: Vec<(ByteArray, usize)>,
    timestamps: Vec<i64>,
    opens: Vec<f64>,
    highs: Vec<f64>,
    lows: Vec<f64>,
    closes: Vec<f64>,
    volumes: Nullable<f64>,
    vwaps: Nullable<f64>,
    trades: Nullable<i64>,
    sessions: Vec<Session>,
    vwap_methods: Nullable<VwapMethod>,
    session_dates: Vec<i32>,
    end_timestamps: Vec<i64>,
    minutes: Vec<i32>,
}

impl Group {
    fn rows(&self) -> usize {
        self.timestamps.len()
    }

    fn add(&mut self, symbol: &str, bars: &[StoredBar]) {
        self.symbols.push((ByteArray::from(symbol), bars.len()));
        for StoredBar { bar, session_date } in bars {
            self.timestamps.push(bar.timestamp_ms);
            self.opens.push(bar.prices.open);
            self.highs.push(bar.prices.high);
            self.lows.push(bar.prices.low);
            self.closes.push(bar.prices.close);
            self.volumes.push(bar.volume);
            self.vwaps.push(bar.vwap);
            self.trades.push(bar.trades.map(u64::cast_signed));
            self.sessions.push(bar.session);
            self.vwap_methods.push(bar.vwap_method);
            self.session_dates.push(days_since_epoch(*session_date));
            self.end_timestamps.push(bar.end_timestamp_ms);
            self.minutes.push(i32::from(bar.minutes));
        }
    }

    /// Writes the columns in the order of the schema.
    fn write(&self, to: &mut SerializedRowGroupWriter<'_, HashedFile>) -> Result<(), ParquetError> {
        let symbols: Vec<_> =
            self.symbols.iter().flat_map(|(symbol, rows)| std::iter::repeat_n(symbol.clone(), *rows)).collect();
        // Words are shared, not copied for every row.
        let words = Session::ALL.map(|session| (session, ByteArray::from(session.as_str())));
        let sessions = shared(&words, &self.sessions);
        let words = VwapMethod::ALL.map(|method| (method, ByteArray::from(method.as_str())));
        let methods = shared(&words, &self.vwap_methods.values);
        column::<ByteArrayType>(to, &symbols, None)?;
        column::<Int64Type>(to, &self.timestamps, None)?;
        column::<DoubleType>(to, &self.opens, None)?;
        column::<DoubleType>(to, &self.highs, None)?;
        column::<DoubleType>(to, &self.lows, None)?;
        column::<DoubleType>(to, &self.closes, None)?;
        column::<DoubleType>(to, &self.volumes.values, Some(&self.volumes.defined))?;
        column::<DoubleType>(to, &self.vwaps.values, Some(&self.vwaps.defined))?;
        column::<Int64Type>(to, &self.trades.values, Some(&self.trades.defined))?;
        column::<ByteArrayType>(to, &sessions, None)?;
        column::<ByteArrayType>(to, &methods, Some(&self.vwap_methods.defined))?;
        column::<Int32Type>(to, &self.session_dates, None)?;
        column::<Int64Type>(to, &self.end_timestamps, None)?;
        column::<Int32Type>(to, &self.minutes, None)
    }

    /// Makes room for the next group, keeping the memory.
    fn clear(&mut self) {
        self.symbols.clear();
        self.timestamps.clear();
        self.opens.clear();
        self.highs.clear();
        self.lows.clear();
        self.closes.clear();
        self.volumes.clear();
        self.vwaps.clear();
        self.trades.clear();
        self.sessions.clear();
        self.vwap_methods.clear();
        self.session_dates.clear();
        self.end_timestamps.clear();
        self.minutes.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use ::parquet::basic::Compression;
    use ::parquet::file::metadata::RowGroupMetaData;
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::file::statistics::Statistics;
    use jiff::civil::date;

    use super::*;
    use crate::model::{Bar, Prices, Timeframe};

    fn bars(count: usize) -> Vec<StoredBar> {
        let bar = |index: usize| {
            let timestamp_ms = 1_790_000_000_000 + index as i64 * 60_000;
            let price = 100.0 + (index % 100) as f64 / 100.0;
            Bar {
                timeframe: Timeframe::M1,
                timestamp_ms,
                end_timestamp_ms: timestamp_ms + 60_000,
                prices: Prices::checked(price, price, price, price).unwrap(),
                volume: (!index.is_multiple_of(3)).then_some(index as f64),
                vwap: None,
                vwap_method: None,
                trades: Some(1),
                session: Session::Regular,
                minutes: 1,
            }
        };
        (0..count).map(|index| StoredBar { bar: bar(index), session_date: date(2026, 9, 21) }).collect()
    }

    /// What is in memory is one row group, and what readers can skip is one, too.
    #[test]
    fn row_groups_end_when_they_are_full_and_say_what_they_hold() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bars.parquet");
        let mut file = ParquetBars::new(HashedFile::create(&path).unwrap()).unwrap();
        let of_symbol = ROWS / 2 - 1;
        let bars = bars(of_symbol);
        for symbol in ["A", "B", "C"] {
            file.write(symbol, &bars).unwrap();
            assert!(file.group.rows() < ROWS);
        }
        file.finish().unwrap();

        let reader = SerializedFileReader::new(File::open(&path).unwrap()).unwrap();
        let groups = reader.metadata().row_groups();
        assert_eq!(
            groups.iter().map(RowGroupMetaData::num_rows).collect::<Vec<_>>(),
            [ROWS as i64, ROWS as i64 / 2 - 3]
        );
        let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
        let symbols: Vec<_> = groups
            .iter()
            .map(|group| group.column(0).statistics().unwrap())
            .map(|symbol| (text(symbol.min_bytes_opt()), text(symbol.max_bytes_opt())))
            .collect();
        assert_eq!(symbols, [("A".to_owned(), "C".to_owned()), ("C".to_owned(), "C".to_owned())]);
        let Some(Statistics::Int64(times)) = groups[1].column(1).statistics() else { panic!("{groups:?}") };
        let last = bars.last().unwrap().bar.timestamp_ms;
        assert_eq!((times.min_opt(), times.max_opt()), (Some(&bars[2].bar.timestamp_ms), Some(&last)));
        let sorted_by: Vec<_> = groups[0].sorting_columns().unwrap().iter().map(|by| by.column_idx).collect();
        assert_eq!(sorted_by, SORTED_BY);
        for (group, column) in groups.iter().flat_map(|group| group.columns().iter().map(move |column| (group, column)))
        {
            assert!(matches!(column.compression(), Compression::ZSTD(_)), "{group:?}");
        }
    }
}
