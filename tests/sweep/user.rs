//! What scenarios are made of: markets, undisturbed tables, and users whose loads are disturbed.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use barkeep::model::Dataset;
use barkeep::sandbox::{Generation, Market, MarketSize, generate};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::harness::{Dump, Place, Schema, Vendor, generation, id, make, make_with, minute_key, query, ran};
use super::judge::{Wrong, assert_ledger_counts_the_table, judge, judge_finished};

pub const SIGKILL: i32 = 9;

/// Where bars are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Store {
    Sqlite,
    Postgres,
}

impl Store {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// The stores a name stands for, as far as there is a server for them.
    pub fn asked(name: &str) -> Vec<Self> {
        let has_server = Schema::new().is_some();
        match name {
            "postgres" if has_server => vec![Self::Postgres],
            "all" if has_server => Self::ALL.to_vec(),
            "sqlite" | "all" => vec![Self::Sqlite],
            "postgres" => panic!("TEST_DATABASE_URL is not set: scripts/sweep starts a server"),
            _ => panic!("BARKEEP_SWEEP_STORE={name}: there are sqlite, postgres and all"),
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        })
    }
}

/// What the vendor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Files {
    /// Five sessions.
    Week,
    /// The same, loaded without the day files.
    OnlyMinutes,
    /// The same, two of them published again with other rows.
    Restated,
    /// The same as the first, the minute files of two of them packed again with the same content.
    Repacked,
    /// Twenty-one sessions.
    Month,
    /// A session of so many symbols that it is written in several batches.
    Large,
}

/// The sessions of [`Files::Week`] that [`Files::Restated`] and [`Files::Repacked`] have otherwise.
pub const RESTATED: [&str; 2] = ["2026-09-29", "2026-10-01"];

impl Files {
    /// The line that loads all of them.
    pub const fn line(self) -> &'static str {
        match self {
            Self::Week | Self::Restated | Self::Repacked => "s3 --days=5 --all --timeframes=15m,1h,day --json",
            Self::OnlyMinutes => "s3 --days=5 --all --timeframes=15m,1h,day --no-official-day --json",
            Self::Month => "s3 --days=30 --all --timeframes=15m,1h,day --json",
            Self::Large => "s3 --days=1 --all --timeframes=1m,5m,15m,1h,4h,day --json",
        }
    }

    fn make(self, folder: &Path) {
        match self {
            Self::Week | Self::OnlyMinutes => make(folder, &[Dataset::Stocks], "2026-09-28", "2026-10-02"),
            Self::Restated => make_with(folder, "2026-09-28", "2026-10-02", |defects| {
                defects.replaced.extend(RESTATED.map(id));
            }),
            Self::Repacked => {
                Self::Week.make(folder);
                for date in RESTATED {
                    let path = folder.join(minute_key(date));
                    let mut text = Vec::new();
                    GzDecoder::new(&*fs::read(&path).unwrap()).read_to_end(&mut text).unwrap();
                    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
                    packer.write_all(&text).unwrap();
                    fs::write(&path, packer.finish().unwrap()).unwrap();
                }
            }
            Self::Month => make(folder, &[Dataset::Stocks], "2026-09-01", "2026-10-02"),
            Self::Large => {
                let tiny = generation(&[Dataset::Stocks], "2026-10-02", "2026-10-02");
                let market = Market { size: MarketSize::Default, ..tiny.market };
                generate(folder, &Generation { market, ..tiny }).unwrap();
            }
        }
    }
}

/// What all scenarios share.
pub struct Bench {
    dir: TempDir,
    made: Mutex<BTreeMap<Files, PathBuf>>,
    calm: Mutex<BTreeMap<(Store, Files, bool), Arc<Calm>>>,
    changes: Mutex<BTreeMap<(Store, Files), Vec<String>>>,
}

/// An undisturbed load.
pub struct Calm {
    pub dump: Dump,
    pub lasted: Duration,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            made: Mutex::default(),
            calm: Mutex::default(),
            changes: Mutex::default(),
        }
    }

    /// The folder of a vendor's files.
    pub fn folder(&self, files: Files) -> PathBuf {
        let mut made = self.made.lock().unwrap();
        let path = made.entry(files).or_insert_with(|| {
            let folder = self.dir.path().join(format!("{files:?}"));
            files.make(&folder);
            folder
        });
        path.clone()
    }

    /// What an undisturbed load from a bucket, or from a folder, makes of a vendor's files.
    pub fn calm(&self, store: Store, files: Files, from: From) -> Arc<Calm> {
        let folder = self.folder(files);
        let mut calm = self.calm.lock().unwrap();
        let known = calm.entry((store, files, from == From::Folder)).or_insert_with(|| {
            let user = User::new(store);
            let vendor = Vendor::serve(&folder);
            let began = Instant::now();
            ran(&mut user.load(&vendor, &folder, files, from)).ended(0);
            let lasted = began.elapsed();
            let dump = user.dump();
            assert!(!dump.bars.is_empty() && !dump.coverage.is_empty());
            assert_ledger_counts_the_table(&dump);
            Arc::new(Calm { dump, lasted })
        });
        Arc::clone(known)
    }

    /// The restatements that are told when the files of a week are loaded again, undisturbed, after they were replaced.
    pub fn changes(&self, store: Store, files: Files) -> Vec<String> {
        let mut changes = self.changes.lock().unwrap();
        let known = changes.entry((store, files)).or_insert_with(|| {
            let user = User::new(store);
            for files in [Files::Week, files] {
                assert_eq!(user.finish(self, files, From::Bucket), Wrong::default());
            }
            let told = user.restatements();
            assert_eq!(told.is_empty(), files == Files::Repacked, "{told:?}");
            told
        });
        known.clone()
    }
}

/// Where a load reads from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// A bucket, through a cache that is empty at first.
    Bucket,
    /// A folder that mirrors it.
    Folder,
}

/// A machine with a database of its own.
pub struct User {
    pub place: Place,
    pub schema: Option<Schema>,
    store: Store,
}

/// What of restatements is the same every time.
const RESTATEMENTS: &str = "SELECT dataset || '|' || CAST(session_date AS TEXT) || '|' || file || '|' || old_etag || '|' || \
    new_etag || '|' || bars_added || '|' || bars_changed || '|' || bars_removed FROM restatements \
    ORDER BY dataset, session_date, file, old_etag";

impl User {
    pub fn new(store: Store) -> Self {
        match store {
            Store::Sqlite => Self { place: Place::new(), schema: None, store },
            Store::Postgres => Self::at(Schema::new().unwrap()),
        }
    }

    /// One whose bars are kept in this schema.
    pub fn at(schema: Schema) -> Self {
        Self { place: Place::new(), schema: Some(schema), store: Store::Postgres }
    }

    /// The command that loads everything. A process that died holds its days for a second.
    pub fn load(&self, vendor: &Vendor, folder: &Path, files: Files, from: From) -> Command {
        let mut command = match from {
            From::Bucket => self.place.customer(&vendor.url(), files.line()),
            From::Folder => {
                self.place.customer("http://127.0.0.1:9", &format!("{} --source={}", files.line(), folder.display()))
            }
        };
        command.env("BARKEEP_LEASE_SECONDS", "1").envs(self.schema.iter().map(|schema| ("DATABASE_URL", schema.url())));
        command
    }

    /// What the finished database holds.
    pub fn dump(&self) -> Dump {
        if let Some(schema) = &self.schema {
            return Dump::of_schema(schema);
        }
        if self.place.database().exists() {
            assert_eq!(query(&self.place.database(), "PRAGMA integrity_check"), ["ok"]);
        }
        self.place.dump()
    }

    /// What a reader would see of a database whose writer died.
    pub fn seen(&self) -> Dump {
        match &self.schema {
            Some(schema) if schema.rows(IS_MADE).is_empty() => Dump::default(),
            Some(schema) => Dump::of_schema(schema),
            None => seen_in_a_copy(&self.place.database()),
        }
    }

    /// The restatements told, without times.
    pub fn restatements(&self) -> Vec<String> {
        match &self.schema {
            Some(schema) => schema.query(RESTATEMENTS),
            None => query(&self.place.database(), RESTATEMENTS),
        }
    }

    /// Runs an honest load and expects the undisturbed table.
    #[track_caller]
    pub fn finish(&self, bench: &Bench, files: Files, from: From) -> Wrong {
        let folder = bench.folder(files);
        let vendor = Vendor::serve(&folder);
        ran(&mut self.load(&vendor, &folder, files, from)).ended(0);
        self.expect(&bench.calm(self.store, files, from).dump)
    }

    /// Expects a table, ledger and coverage.
    #[track_caller]
    pub fn expect(&self, calm: &Dump) -> Wrong {
        let found = self.dump();
        let wrong = judge_finished(&found, calm);
        if wrong == Wrong::default() {
            found.assert_same(calm);
        }
        wrong
    }

    /// Holds what is visible against undisturbed tables.
    pub fn judge(&self, allowed: &[&Dump]) -> Wrong {
        judge(&self.seen(), allowed)
    }
}

/// Has a row if the tables of a schema are made.
const IS_MADE: &str =
    "SELECT 1 FROM pg_catalog.pg_views WHERE schemaname = current_schema() AND viewname = 'historical_bars'
    UNION SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = 'historical_bars'";

/// Looks at a copy, log included: to open the database itself would repair it.
pub fn seen_in_a_copy(original: &Path) -> Dump {
    let copy = tempfile::tempdir().unwrap();
    let database = copy.path().join("copy.db");
    if fs::copy(original, &database).is_err() {
        return Dump::default();
    }
    let mut log = original.to_owned().into_os_string();
    log.push("-wal");
    // There is no log before the first write.
    let _ = fs::copy(log, copy.path().join("copy.db-wal"));
    assert_eq!(query(&database, "PRAGMA integrity_check"), ["ok"]);
    let is_made = "SELECT name FROM sqlite_schema WHERE name = 'historical_bars'";
    if query(&database, is_made).is_empty() { Dump::default() } else { Dump::of(&database) }
}

/// Starts a command whose words nobody reads.
pub fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Whether a process was killed.
pub fn was_killed(child: &mut Child) -> bool {
    child.wait().unwrap().signal() == Some(SIGKILL)
}
