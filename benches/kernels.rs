//! The three kernels of a load: decoding a day file, rolling minutes up, writing bars into SQLite.
//!
//!     cargo bench --features sandbox
//!
//! A full-market day has 1.7 million minutes (130 MB unpacked, 23 MB packed) and some 900,000 bars. What a slower number
//! means there:
//!
//! * `decode/gunzip` is the floor of everything: only the library that unpacks can change it.
//! * `decode/20 symbols` is a watchlist's whole cost. It should stay close to `gunzip`: if it moves away, rows of symbols
//!   nobody asked for are being parsed.
//! * `decode/all symbols` and `roll up` run on the decoder threads. They may cost up to (number of decoders) × the writer's
//!   time before a load gets slower.
//! * `sqlite` is the single writer: whatever it loses is lost by every load of a whole market, one to one.

use std::hint::black_box;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use barkeep::aggregate::{DayGrid, roll_up};
use barkeep::ingest::Wanted;
use barkeep::ingest::decode::{Grouping, SymbolMinutes, decode_minutes, gunzip};
use barkeep::model::{Dataset, Minute, Timeframe, TimeframeSet};
use barkeep::sandbox::{Dates, Defects, Generation, Market, MarketSize, generate};
use barkeep::store::sqlite::SqliteStore;
use barkeep::store::{BarBatch, BarSink, DayCommit};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use jiff::civil::{Date, date};

const DAY: Date = date(2026, 10, 1);

/// The names a small watchlist has; the sandbox's default market knows all of them.
const WATCHLIST: [&str; 20] = [
    "SPY", "QQQ", "IWM", "DIA", "AAPL", "MSFT", "NVDA", "TSLA", "AMZN", "META", "GOOGL", "AMD", "JPM", "XOM", "BAC",
    "F", "T", "PFE", "INTC", "BRK.B",
];

/// What `--all` makes.
fn timeframes() -> TimeframeSet {
    TimeframeSet::of(Timeframe::ROLLED).minus(TimeframeSet::of([Timeframe::M1]))
}

fn everyone() -> Wanted {
    Wanted { others: timeframes(), ..Wanted::default() }
}

fn watchlist() -> Wanted {
    let named = WATCHLIST.map(|ticker| (ticker.to_owned(), TimeframeSet::of(Timeframe::ROLLED)));
    Wanted { named: named.into(), ..Wanted::default() }
}

/// A day file of the default market: 400 stocks, some 70,000 minutes.
fn packed_day(folder: &Path) -> Vec<u8> {
    let generation = Generation {
        market: Market { size: MarketSize::Default, seed: 1, splits: false },
        datasets: vec![Dataset::Stocks],
        dates: Dates::Range(DAY..=DAY),
        now: "2026-10-05T12:00:00Z".parse().expect("an instant"),
        defects: Defects::default(),
    };
    generate(folder, &generation).expect("the sandbox makes a market");
    let file: PathBuf = folder.join("us_stocks_sip/minute_aggs_v1/2026/10/2026-10-01.csv.gz");
    std::fs::read(file).expect("the file it made")
}

/// Every symbol's minutes.
fn minutes_of(packed: &[u8], grid: &DayGrid) -> Vec<(String, Vec<Minute>)> {
    let mut symbols = Vec::new();
    decode(packed, grid, &everyone(), |symbol| symbols.push((symbol.ticker.to_owned(), symbol.minutes.to_vec())));
    symbols
}

fn decode(packed: &[u8], grid: &DayGrid, wanted: &Wanted, mut each: impl FnMut(SymbolMinutes<'_>)) {
    let take = |symbol: SymbolMinutes<'_>| {
        each(symbol);
        ControlFlow::Continue(())
    };
    let rows = decode_minutes(packed, Dataset::Stocks, grid, wanted, Grouping::Together, |_| (), take);
    black_box(rows.expect("a file without defects"));
}

fn bars_of(symbols: &[(String, Vec<Minute>)], grid: &DayGrid) -> BarBatch {
    let mut batch = BarBatch::default();
    for (ticker, minutes) in symbols {
        let from = batch.bars.len();
        roll_up(grid, Dataset::Stocks, timeframes(), minutes, &mut batch.bars);
        batch.symbols.push((ticker.as_str().into(), from..batch.bars.len()));
    }
    batch
}

fn decoding(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let packed = packed_day(folder.path());
    let grid = DayGrid::new(Dataset::Stocks, DAY);
    let mut unpacked = Vec::new();
    gunzip(packed.as_slice()).read_to_end(&mut unpacked).expect("a gzip file");

    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Bytes(unpacked.len() as u64));
    group.bench_function("gunzip", |b| {
        let mut buffer = vec![0; 64 * 1024];
        b.iter(|| {
            let mut reader = gunzip(black_box(packed.as_slice()));
            while reader.read(&mut buffer).expect("a gzip file") > 0 {
                black_box(&buffer);
            }
        });
    });
    for (name, wanted) in [("all symbols", everyone()), ("20 symbols", watchlist())] {
        group.bench_function(name, |b| {
            b.iter(|| {
                decode(black_box(&packed), &grid, &wanted, |symbol| {
                    black_box(symbol.minutes);
                });
            });
        });
    }
    group.finish();
}

fn rolling_up(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let grid = DayGrid::new(Dataset::Stocks, DAY);
    let symbols = minutes_of(&packed_day(folder.path()), &grid);
    let minutes: usize = symbols.iter().map(|(_, minutes)| minutes.len()).sum();
    let mut bars = bars_of(&symbols, &grid).bars;

    let mut group = c.benchmark_group("roll up");
    group.throughput(Throughput::Elements(minutes as u64));
    group.bench_function("minutes to five timeframes", |b| {
        b.iter(|| {
            bars.clear();
            for (_, minutes) in black_box(&symbols) {
                roll_up(&grid, Dataset::Stocks, timeframes(), minutes, &mut bars);
            }
            black_box(&bars);
        });
    });
    group.finish();
}

/// A day of bars per iteration, each appended to a database that already holds others: `begin_day`, `write`, `commit_day`
/// with its sync to disk. The time is the writer's alone; opening the database and the day's coverage are outside.
fn writing(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let grid = DayGrid::new(Dataset::Stocks, DAY);
    let batch = bars_of(&minutes_of(&packed_day(folder.path()), &grid), &grid);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
    let commit = DayCommit {
        files: Vec::new(),
        everyone: timeframes(),
        named: Vec::new(),
        started_at: Timestamp::UNIX_EPOCH,
        finished_at: Timestamp::UNIX_EPOCH,
    };

    let mut group = c.benchmark_group("sqlite");
    group.sample_size(10).throughput(Throughput::Elements(batch.bars.len() as u64));
    group.bench_function("write a day and commit", |b| {
        b.iter_custom(|iterations| {
            let database = tempfile::tempdir_in(folder.path()).expect("a temporary folder");
            runtime.block_on(async {
                let mut store = SqliteStore::open(&database.path().join("bars.db")).await.expect("a new database");
                let mut spent = Duration::ZERO;
                let mut day = DAY;
                for _ in 0..iterations {
                    let began = Instant::now();
                    store.begin_day(Dataset::Stocks, day, || ()).await.expect("nobody else writes");
                    store.write(&batch).await.expect("there is space");
                    store.commit_day(&commit).await.expect("there is space");
                    spent += began.elapsed();
                    day = day.tomorrow().expect("far from the calendar's end");
                }
                store.close().await.expect("closes");
                spent
            })
        });
    });
    group.finish();
}

criterion_group!(kernels, decoding, rolling_up, writing);
criterion_main!(kernels);
