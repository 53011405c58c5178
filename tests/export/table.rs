//! Bars as read back from the table and from files.

use std::fs::File;
use std::path::Path;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde::Deserialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Row};

/// A row of `historical_bars`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Bar {
    pub symbol: String,
    pub timeframe: String,
    pub timestamp: i64,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub volume: Option<f64>,
    pub vwap: Option<f64>,
    pub trades: Option<i64>,
    pub session: String,
    pub vwap_method: Option<String>,
    pub session_date: String,
    pub end_timestamp: i64,
    pub minutes: i64,
}

/// All bars of a database that a condition holds for, by symbol, timeframe and start.
pub fn of_database(database: &Path, condition: &str) -> Vec<Bar> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut bars: Vec<Bar> = runtime.block_on(async {
        let mut connection = SqliteConnectOptions::new().filename(database).connect().await.unwrap();
        let sql = format!("SELECT * FROM historical_bars WHERE {condition}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        sqlx::Connection::close(connection).await.unwrap();
        let bar = |row: &SqliteRow| Bar {
            symbol: row.get("symbol"),
            timeframe: row.get("timeframe"),
            timestamp: row.get("timestamp"),
            open: row.get("open"),
            high: row.get("high"),
            low: row.get("low"),
            close: row.get("close"),
            volume: row.get("volume"),
            vwap: row.get("vwap"),
            trades: row.get("trades"),
            session: row.get("session"),
            vwap_method: row.get("vwap_method"),
            session_date: row.get("session_date"),
            end_timestamp: row.get("end_timestamp"),
            minutes: row.get("minutes"),
        };
        rows.iter().map(bar).collect()
    });
    sort(&mut bars);
    bars
}

/// All bars of an export, whatever its form, by symbol, timeframe and start; each file is in order and where it belongs.
pub fn of_export(folder: &Path) -> Vec<Bar> {
    let mut all = Vec::new();
    for path in super::files(&folder.join("bars")) {
        let text = path.to_str().unwrap();
        let parts: Vec<_> = text.split('/').collect();
        let [timeframe, month, name] = parts[..] else { panic!("{text}") };
        let timeframe = timeframe.strip_prefix("timeframe=").unwrap();
        let month = month.strip_prefix("month=").unwrap();
        let file = folder.join("bars").join(&path);
        let bars = if std::path::Path::new(&name).extension().is_some_and(|ending| ending == "csv") {
            of_csv(&file)
        } else {
            of_parquet(&file, timeframe)
        };
        assert!(!bars.is_empty(), "{text}");
        for bar in &bars {
            assert_eq!((&*bar.timeframe, &bar.session_date[..7]), (timeframe, month), "{text}: {bar:?}");
        }
        for pair in bars.windows(2) {
            let key = |bar: &Bar| (bar.symbol.clone(), bar.timestamp);
            assert!(key(&pair[0]) < key(&pair[1]), "{text}: {pair:?}");
        }
        all.extend(bars);
    }
    sort(&mut all);
    all
}

fn sort(bars: &mut [Bar]) {
    bars.sort_by(|a, b| (&a.symbol, &a.timeframe, a.timestamp).cmp(&(&b.symbol, &b.timeframe, b.timestamp)));
}

fn of_csv(file: &Path) -> Vec<Bar> {
    csv::Reader::from_path(file).unwrap().deserialize().map(Result::unwrap).collect()
}

fn of_parquet(file: &Path, timeframe: &str) -> Vec<Bar> {
    let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| {
        let row = row.unwrap();
        let fields: Vec<(&String, &Field)> = row.get_column_iter().collect();
        let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names.join(" "),
            "symbol timestamp open high low close volume vwap trades session vwap_method session_date end_timestamp minutes"
        );
        let text = |at: usize| match fields[at].1 {
            Field::Str(text) => Some(text.clone()),
            Field::Null => None,
            other => panic!("{other:?}"),
        };
        let double = |at: usize| match fields[at].1 {
            Field::Double(value) => Some(*value),
            Field::Null => None,
            other => panic!("{other:?}"),
        };
        let whole = |at: usize| match fields[at].1 {
            Field::Long(value) => Some(*value),
            Field::Int(value) => Some(i64::from(*value)),
            Field::Null => None,
            other => panic!("{other:?}"),
        };
        let day = |at: usize| match fields[at].1 {
            Field::Date(days) => date(1970, 1, 1) + days.days(),
            other => panic!("{other:?}"),
        };
        Bar {
            symbol: text(0).unwrap(),
            timeframe: timeframe.to_owned(),
            timestamp: whole(1).unwrap(),
            open: double(2).unwrap(),
            high: double(3).unwrap(),
            low: double(4).unwrap(),
            close: double(5).unwrap(),
            volume: double(6),
            vwap: double(7),
            trades: whole(8),
            session: text(9).unwrap(),
            vwap_method: text(10),
            session_date: Date::to_string(&day(11)),
            end_timestamp: whole(12).unwrap(),
            minutes: whole(13).unwrap(),
        }
    })
    .collect()
}

#[track_caller]
pub fn assert_same(exported: &[Bar], stored: &[Bar]) {
    assert_eq!(exported.len(), stored.len(), "number of bars");
    for (exported, stored) in exported.iter().zip(stored) {
        assert_eq!(exported, stored);
    }
}
