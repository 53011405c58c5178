//! Everything a user, a file or a vendor can get wrong: what is said, how it ends, and that what was loaded stays.
//!
//! `BARKEEP_PRINT_TABLE=1 cargo test --features sandbox --test bad_inputs -- --nocapture` prints the table.
#![cfg(feature = "sandbox")]
#![allow(clippy::print_stdout, reason = "prints its table when asked to")]

mod harness;
#[path = "source_s3/server.rs"]
#[allow(dead_code, reason = "the tests of the source use all of it")]
mod server;

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Stdio;

use barkeep::model::Dataset;
use barkeep::sandbox::Plan;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use harness::{Dump, Place, Ran, Vendor, days, finished, id, make, make_with, minute_key, query_file, ran, wait_until};
use server::Reply;

const FIRST: &str = "2026-09-22";
const LAST: &str = "2026-10-02";
/// The day that is loaded before anything goes wrong.
const GOOD: &str = "2026-09-28";
/// The day whose file is bad.
const BAD: &str = "2026-10-01";
/// A run over the bad day and the day after it.
const RUN: &str = "s3 --source=BUCKET --from=2026-10-01 --to=2026-10-02 --symbols=SPY,AAPL";
/// The same, from a bucket.
const RUN_S3: &str = "s3 --from=2026-10-01 --to=2026-10-02 --symbols=SPY,AAPL";

/// What is to be found in the database afterwards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// What was there before.
    Same,
    /// That, and the day after the bad one.
    OtherDay,
}
use Then::{OtherDay, Same};

struct Case {
    input: &'static str,
    exit: i32,
    says: &'static [&'static str],
    then: Then,
    act: Box<dyn Fn(&Place) -> Ran>,
}

fn case(
    input: &'static str,
    exit: i32,
    says: &'static [&'static str],
    then: Then,
    act: impl Fn(&Place) -> Ran + 'static,
) -> Case {
    Case { input, exit, says, then, act: Box::new(act) }
}

/// A command line that is wrong in itself.
fn line(input: &'static str, exit: i32, says: &'static [&'static str], line: &'static str) -> Case {
    case(input, exit, says, Same, move |place| place.type_line(line))
}

/// A bad minute file on one of two days.
fn file(input: &'static str, says: &'static [&'static str], spoil: impl Fn(Vec<u8>) -> Vec<u8> + 'static) -> Case {
    case(input, 3, says, OtherDay, move |place| {
        let path = place.bucket().join(minute_key(BAD));
        let bytes = spoil(fs::read(&path).unwrap());
        fs::write(path, bytes).unwrap();
        place.type_line(RUN)
    })
}

/// The same, by its text.
fn text(input: &'static str, says: &'static [&'static str], spoil: impl Fn(String) -> String + 'static) -> Case {
    file(input, says, move |packed| pack(&spoil(unpack(&packed))))
}

/// A settings file.
fn config(input: &'static str, says: &'static [&'static str], content: &'static str) -> Case {
    case(input, 2, says, Same, move |place| {
        write(&place.path("home/config/barkeep/config.toml"), content);
        place.type_line(RUN)
    })
}

/// A run as another customer than the vendor knows.
fn keys(
    input: &'static str,
    exit: i32,
    says: &'static [&'static str],
    set: &'static [(&'static str, &'static str)],
) -> Case {
    case(input, exit, says, Same, move |place| {
        let vendor = Vendor::serve(&place.bucket());
        let mut command = place.customer(&vendor.url(), RUN_S3);
        command.env_remove("MASSIVE_S3_ACCESS_KEY_ID").env_remove("MASSIVE_S3_SECRET_ACCESS_KEY");
        ran(command.envs(set.iter().copied()))
    })
}

/// A run against a server that gives one answer to all listings, if any, and one to all objects.
fn scripted(place: &Place, list: Option<Reply>, object: Reply) -> Ran {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listing = listing(&place.bucket());
    let server = runtime.block_on(server::Server::start(move |request, _| {
        let is_list = request.query.contains_key("list-type");
        let prefix = request.query.get("prefix").map(String::as_str).unwrap_or_default();
        if is_list { list.clone().unwrap_or_else(|| listing(prefix)) } else { object.clone() }
    }));
    ran(&mut place.customer(&server.endpoint, RUN_S3))
}

/// What a bucket lists.
fn listing(bucket: &Path) -> impl Fn(&str) -> Reply + use<> {
    let bucket = bucket.to_owned();
    move |prefix| {
        let objects: Vec<String> = ["09/2026-09-30", "10/2026-10-01", "10/2026-10-02"]
            .into_iter()
            .map(|day| format!("{prefix}{day}.csv.gz"))
            .map(|key| {
                let size = fs::metadata(bucket.join(&key)).unwrap().len();
                format!(
                    "<Contents><Key>{key}</Key><LastModified>2026-10-03T10:00:00.000Z</LastModified>\
                     <ETag>\"e1\"</ETag><Size>{size}</Size></Contents>"
                )
            })
            .collect();
        Reply::new(
            200,
            format!(
                "<?xml version=\"1.0\"?><ListBucketResult><Name>flatfiles</Name><IsTruncated>false</IsTruncated>\
                 {}</ListBucketResult>",
                objects.concat()
            ),
        )
    }
}

fn unpack(packed: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    text
}

fn pack(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Every row again with a change to some.
fn rows(text: &str, change: impl Fn(usize, &str) -> String) -> String {
    text.lines().enumerate().map(|(index, row)| change(index, row) + "\n").collect()
}

const DAMAGED: &str = "2026-10-01 stocks damaged: us_stocks_sip/minute_aggs_v1/2026/10/2026-10-01.csv.gz: ";

#[expect(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    let mut cases = vec![
        // Files.
        file("file: gzip stream ends in its middle", &[DAMAGED, "the file is cut short"], |bytes| {
            bytes[..bytes.len() / 2].into()
        }),
        file("file: wrong bytes in its middle", &[DAMAGED, "the gzip data is damaged"], |mut bytes| {
            let middle = bytes.len() / 2;
            bytes[middle..middle + 64].iter_mut().for_each(|byte| *byte ^= 0x5a);
            bytes
        }),
        file("file: text, not gzip", &[DAMAGED, "gzip"], |bytes| unpack(&bytes).into_bytes()),
        file("file: an error page", &[DAMAGED, "gzip"], |_| b"<html><body>502 Bad Gateway</body></html>".to_vec()),
        file("file: no bytes", &[DAMAGED], |_| Vec::new()),
        text("file: packed nothing", &["2026-10-01 stocks"], |_| String::new()),
        text("file: another header", &[DAMAGED, "header"], |text| {
            rows(&text, |i, row| if i == 0 { "a,b,c".into() } else { row.into() })
        }),
        text(
            "file: a column is missing",
            &[DAMAGED, "`close`", "; found: ticker,volume,open,high", "; expected: "],
            |text| {
                rows(&text, |_, row| {
                    row.split(',')
                        .enumerate()
                        .filter(|(i, _)| *i != 3)
                        .map(|(_, cell)| cell)
                        .collect::<Vec<_>>()
                        .join(",")
                })
            },
        ),
        text("file: header only", &["2026-10-01 stocks empty", "has a header and no rows"], |text| {
            text.lines().next().unwrap().to_owned() + "\n"
        }),
        text("file: 2 % bad rows", &[DAMAGED, "rows"], |text| {
            rows(&text, |i, row| if i % 50 == 7 { row.replace(',', ",x") } else { row.into() })
        }),
        text("file: a line of 100 KiB", &[DAMAGED, "line"], |text| {
            rows(&text, |i, row| if i == 9 { format!("{},{}", row, "x".repeat(100 * 1024)) } else { row.into() })
        }),
        text("file: rows of another market", &[DAMAGED], |text| {
            rows(&text, |i, row| if i == 0 { row.into() } else { format!("X:{row}") })
        }),
        case("file: rows of another date", 3, &[DAMAGED, "rows"], OtherDay, |place| {
            fs::copy(place.bucket().join(minute_key("2026-09-30")), place.bucket().join(minute_key(BAD))).unwrap();
            place.type_line(RUN)
        }),
        case(
            "file: half of the rows",
            3,
            &["2026-10-01 stocks suspect", "looks cut short", "--accept=2026-10-01"],
            OtherDay,
            |place| {
                make_with(&place.bucket(), FIRST, LAST, |defects| {
                    defects.row_cut.insert(id(BAD), 0.5);
                });
                place.type_line(RUN)
            },
        ),
        case("file: of a loaded day, damaged since", 1, &["2026-09-28 stocks damaged"], Same, |place| {
            make_with(&place.bucket(), FIRST, LAST, |defects| {
                defects.corrupt.insert(id(GOOD));
                defects.replaced.insert(id(GOOD));
            });
            place.type_line("s3 --source=BUCKET --from=2026-09-28 --to=2026-09-28 --symbols=SPY,AAPL")
        }),
        case("file: of a loaded day, gone since", 0, &["unchanged"], Same, |place| {
            fs::remove_file(place.bucket().join(minute_key(GOOD))).unwrap();
            place.type_line("s3 --source=BUCKET --from=2026-09-28 --to=2026-09-28 --symbols=SPY,AAPL")
        }),
        case("file: not published", 3, &["2026-10-01 stocks missing", "lists no minute file"], OtherDay, |place| {
            fs::remove_file(place.bucket().join(minute_key(BAD))).unwrap();
            place.type_line(RUN)
        }),
        // Objects.
        case(
            "object: listed, but 404",
            1,
            &["missing: s3://flatfiles/us_stocks_sip/minute_aggs_v1/2026/10/2026-10-01.csv.gz is not there"],
            Same,
            |place| scripted(place, None, Reply::error(404, "NoSuchKey")),
        ),
        case(
            "object: dataset outside the plan",
            1,
            &["not_entitled", "us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz", "your plan does not"],
            Same,
            |place| {
                let vendor = Vendor::serve_with(&place.bucket(), |options| {
                    options.plan = Plan { datasets: vec![Dataset::Crypto], from: None }
                });
                place.against(&vendor, RUN_S3)
            },
        ),
        case(
            "object: older than the plan",
            3,
            &["2026-10-01 stocks not_entitled", "your plan does not"],
            OtherDay,
            |place| {
                let vendor =
                    Vendor::serve_with(&place.bucket(), |options| options.plan.from = Some(LAST.parse().unwrap()));
                place.against(&vendor, RUN_S3)
            },
        ),
        case("object: another version than listed, again and again", 1, &["failed", "was replaced"], Same, |place| {
            scripted(place, None, Reply::error(412, "PreconditionFailed"))
        }),
        case("object: 500 for ever", 1, &["failed", "given up after"], Same, |place| {
            scripted(place, None, Reply::error(500, "InternalError"))
        }),
        case("listing: not XML", 1, &["us_stocks_sip/"], Same, |place| {
            scripted(place, Some(Reply::new(200, "<html>login</html>")), Reply::new(200, ""))
        }),
        // Arguments.
        line("unknown flag", 2, &["--symbls", "--symbol"], "s3 --symbls=A"),
        line("unknown command", 2, &["s4"], "s4 --days=3"),
        line("no days", 2, &["--days=0"], "s3 --days=0"),
        line(
            "dates exchanged",
            2,
            &["--from=2026-10-02 lies after --to=2026-10-01"],
            "s3 --from=2026-10-02 --to=2026-10-01",
        ),
        line("future date", 2, &["--to=2026-10-09 lies in the future"], "s3 --from=2026-10-01 --to=2026-10-09"),
        line("a date that is none", 2, &["2026-02-30"], "s3 --from=2026-02-30"),
        line(
            "before the first file",
            2,
            &["--from=2003-09-09 is outside the trading calendar, which covers 2003-09-10"],
            "s3 --from=2003-09-09",
        ),
        line("futures dataset", 2, &["futures", "stocks"], "s3 --dataset=futures --all"),
        line("futures symbol", 2, &["--symbol: `F:ESZ6`: futures are not supported"], "s3 --symbol=F:ESZ6"),
        line(
            "bad timeframe",
            2,
            &["--timeframes: `2m` is not a timeframe", "1m 5m 15m 1h 4h day"],
            "s3 --timeframes=2m",
        ),
        line("no timeframes", 2, &["--timeframes"], "s3 --timeframes= --symbol=SPY"),
        line("all and one", 2, &["--all", "--symbol"], "s3 --all --symbol=SPY"),
        line(
            "symbol of another dataset",
            2,
            &["--symbol: `SPY` belongs to stocks, not to crypto"],
            "s3 --symbol=SPY --dataset=crypto",
        ),
        line("no such list of symbols", 2, &["--symbols=@none.txt"], "s3 --symbols=@none.txt"),
        case("bad symbol in a list", 2, &["list.txt:3: `F:ESZ6`"], Same, |place| {
            write(&place.path("work/list.txt"), "SPY\n\nF:ESZ6\n");
            place.type_line("s3 --symbols=@list.txt")
        }),
        line("bad date to accept", 2, &["--accept", "tomorrow"], "s3 --accept=tomorrow"),
        line("CSV and JSON", 2, &["--csv and --json"], "bars SPY --csv --json"),
        line("bars of nothing", 1, &["no day bars of QQQ", "backfill hybrid --symbol=QQQ"], "bars QQQ"),
        case(
            "symbol that does not exist",
            3,
            &["SPYY: not in stocks on any of 1 day", "check the spelling"],
            OtherDay,
            |place| place.type_line("s3 --source=BUCKET --from=2026-10-02 --to=2026-10-02 --symbols=SPY,AAPL,SPYY"),
        ),
        // Settings.
        line(
            "database of another kind",
            2,
            &["mysql", "--database-url", "sqlite:PATH"],
            "status --database-url=mysql://u:p@h/d",
        ),
        line(
            "address of PostgreSQL that is none",
            2,
            &["not the address of a PostgreSQL database (invalid port number)", "postgres://user:password@host"],
            "status --database-url=postgres://u:p@h:port/d",
        ),
        line("no database address", 2, &["--database-url", "not a database address"], "status --database-url=bars"),
        config(
            "secret in config.toml",
            &["config.toml, line 2", "secret_access_key", "remove the line"],
            "[s3]\nsecret_access_key = 'x'\n",
        ),
        config(
            "unknown key in config.toml",
            &["config.toml, line 1", "unknown field `downlods`", "downloads"],
            "downlods = 3\n",
        ),
        config("config.toml is no TOML", &["config.toml, line 1"], "downloads: 3\n"),
        case("line of .env that is none", 2, &[".env, line 2"], Same, |place| {
            write(&place.path("work/.env"), "A=1\nthis is no assignment\n");
            place.type_line(RUN)
        }),
        line(
            "no such source",
            1,
            &["/none: there is no such folder", "expected a mirror"],
            "s3 --source=/none --symbol=SPY",
        ),
        case("source without files", 1, &["has no day files", "expected a mirror"], Same, |place| {
            fs::create_dir(place.path("work/empty")).unwrap();
            place.type_line("s3 --source=empty --symbol=SPY")
        }),
        line("bad time to keep", 2, &["flag --cache-keep: `soon`", "24h"], "s3 --symbol=SPY --cache-keep=soon"),
        line("no downloads", 2, &["downloads"], "s3 --symbol=SPY --downloads=0"),
        case("no bucket of that name", 1, &["there is no bucket `bars`", "MASSIVE_S3_BUCKET"], Same, |place| {
            let vendor = Vendor::serve(&place.bucket());
            ran(place.customer(&vendor.url(), RUN_S3).env("MASSIVE_S3_BUCKET", "bars"))
        }),
        case("endpoint that is no address", 2, &["MASSIVE_S3_ENDPOINT"], Same, |place| {
            ran(&mut place.customer("files", RUN_S3))
        }),
        case("nobody at the endpoint", 1, &["no answer from http://127.0.0.1:9", "given up after"], Same, |place| {
            ran(&mut place.customer("http://127.0.0.1:9", RUN_S3))
        }),
        // Credentials.
        keys("no credentials", 1, &["there are no S3 credentials", "MASSIVE_S3_ACCESS_KEY_ID"], &[]),
        keys(
            "half a pair of keys",
            2,
            &["MASSIVE_S3_ACCESS_KEY_ID is set", "MASSIVE_S3_SECRET_ACCESS_KEY is not"],
            &[("MASSIVE_S3_ACCESS_KEY_ID", "a")],
        ),
        keys(
            "wrong key",
            1,
            &["InvalidAccessKeyId", "set MASSIVE_S3_ACCESS_KEY_ID"],
            &[("MASSIVE_S3_ACCESS_KEY_ID", "stranger"), ("MASSIVE_S3_SECRET_ACCESS_KEY", "sandbox-secret")],
        ),
        keys(
            "wrong secret",
            1,
            &["SignatureDoesNotMatch", "set MASSIVE_S3_ACCESS_KEY_ID"],
            &[("MASSIVE_S3_ACCESS_KEY_ID", "sandbox"), ("MASSIVE_S3_SECRET_ACCESS_KEY", "guess")],
        ),
        keys("profile that does not exist", 1, &["`team`"], &[("AWS_PROFILE", "team")]),
        case("clock off, at the listing", 1, &["clock is off", "set the clock"], Same, |place| {
            scripted(place, Some(Reply::error(403, "RequestTimeTooSkewed")), Reply::new(200, ""))
        }),
        case("clock off, at an object", 1, &["clock is off", "set the clock"], Same, |place| {
            scripted(place, None, Reply::error(403, "RequestTimeTooSkewed"))
        }),
        // Databases.
        case("database: another file", 1, &["x.db is not a barkeep database", "set DATABASE_URL"], Same, |place| {
            write(&place.path("work/x.db"), &"this is a diary, not a database. ".repeat(100));
            place.type_line(&format!("{RUN} --database-url=x.db"))
        }),
        case(
            "database: of another program",
            1,
            &["y.db is not a barkeep database", "table watchlist already exists"],
            Same,
            |place| {
                query_file(&place.path("work/y.db"), "CREATE TABLE watchlist (a)");
                place.type_line(&format!("{RUN} --database-url=y.db"))
            },
        ),
        case("database: of a newer version", 1, &["z.db is not", "newer version", "set DATABASE_URL"], Same, |place| {
            fs::copy(place.database(), place.path("work/z.db")).unwrap();
            query_file(
                &place.path("work/z.db"),
                "INSERT INTO barkeep_migrations (version, description, installed_on, success, checksum, execution_time) \
                 VALUES (99, 'later', '2030-01-01', 1, x'00', 1)",
            );
            place.type_line(&format!("{RUN} --database-url=z.db"))
        }),
        line(
            "database: a folder",
            1,
            &["cannot open the database", "home"],
            "s3 --source=BUCKET --database-url=sqlite:../home",
        ),
        line(
            "database: no place to write",
            1,
            &["/proc/none/a.db", "cannot make the folder /proc/none", "DATABASE_URL"],
            "s3 --source=BUCKET --database-url=sqlite:/proc/none/a.db",
        ),
        case("database: damaged", 1, &["w.db", "damaged", "restore it from a copy"], Same, |place| {
            let mut bytes = fs::read(place.database()).unwrap();
            bytes[40_000..].iter_mut().step_by(3).for_each(|byte| *byte ^= 0xff);
            fs::write(place.path("work/w.db"), bytes).unwrap();
            place.type_line(&format!("{RUN} --database-url=w.db"))
        }),
    ];
    if fs::metadata("/proc/self").is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) != 0) {
        // The superuser may write everything.
        cases.push(case("database: read-only", 1, &["r.db cannot be written"], Same, |place| {
            let path = place.path("work/r.db");
            fs::copy(place.database(), &path).unwrap();
            let mut rights = fs::metadata(&path).unwrap().permissions();
            rights.set_readonly(true);
            fs::set_permissions(&path, rights).unwrap();
            place.type_line(&format!("{RUN} --database-url=r.db"))
        }));
    }
    cases
}

/// The line that says what is wrong: an error, a note of a day, or the first line there is.
fn first_line(ran: &Ran) -> String {
    let lines = || ran.err.lines().chain(ran.out.lines()).map(str::trim).filter(|line| !line.is_empty());
    let is_it = |line: &&str| {
        line.starts_with("error")
            || line.starts_with("2026-") && !line.contains("loaded")
            || line.contains("not in stocks")
    };
    lines().find(is_it).or_else(|| lines().next_back()).unwrap_or_default().to_owned()
}

#[test]
fn bad_inputs_are_named_and_leave_what_was_loaded() {
    let base = Place::new();
    make(&base.bucket(), &[Dataset::Stocks], FIRST, LAST);
    base.type_line("s3 --source=BUCKET --from=2026-09-28 --to=2026-09-28 --symbols=SPY,AAPL").ended(0);
    let before = base.dump();
    let mut table = vec![["input".to_owned(), "printed (first line)".into(), "exit".into(), "database".into()]];
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() >= 24);
    for Case { input, exit, says, then, act } in cases {
        let place = Place::new();
        copy_folder(&base.bucket(), &place.bucket());
        fs::create_dir_all(place.database().parent().unwrap()).unwrap();
        fs::copy(base.database(), place.database()).unwrap();
        let ran = act(&place);
        let said = format!("{}{}", ran.err, ran.out);
        let mut complain = |what: String| wrong.push(format!("{input}: {what}\n{said}"));
        if ran.code != exit {
            complain(format!("exit {} instead of {exit}", ran.code));
        }
        for part in says.iter().filter(|part| !said.contains(**part)) {
            complain(format!("does not say `{part}`"));
        }
        let after = place.dump();
        let database = found(&before, &after, then);
        if let Err(what) = &database {
            complain(what.clone());
        }
        let place_name = place.path("");
        let printed = first_line(&ran).replace(place_name.to_str().unwrap(), "…/");
        table.push([input.into(), printed, ran.code.to_string(), database.unwrap_or_else(|what| what)]);
    }
    if std::env::var_os("BARKEEP_PRINT_TABLE").is_some() {
        print(&table);
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len() - 1, wrong.join("\n---\n"));
}

/// What became of the database; an error if it is not what should have.
fn found(before: &Dump, after: &Dump, then: Then) -> Result<String, String> {
    let less = |of: &[String]| of.iter().filter(|row| !row.contains(&format!("|{LAST}|"))).cloned().collect::<Vec<_>>();
    let same_else = less(&after.bars) == before.bars
        && less(&after.versions) == before.versions
        && less(&after.coverage) == before.coverage;
    let added = after.bars.len() - less(&after.bars).len();
    match (same_else, then, added) {
        (false, ..) => Err("the bars loaded before have changed".into()),
        (true, Same, 0) => Ok("as before".into()),
        (true, OtherDay, 1..) => Ok(format!("as before, and {added} bars of {LAST}")),
        (true, _, added) => Err(format!("{added} bars of {LAST}")),
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn print(table: &[[String; 4]]) {
    let cell = |text: &str| text.replace('|', "\\|").chars().take(150).collect::<String>();
    let width = |column: usize| table.iter().map(|row| cell(&row[column]).chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..4).map(width).collect();
    for (index, row) in table.iter().enumerate() {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(text, width)| format!("{:<width$}", cell(text))).collect();
        println!("| {} |", cells.join(" | "));
        if index == 0 {
            println!("|{}|", widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("|"));
        }
    }
}

#[test]
fn an_object_replaced_in_the_middle_of_a_run_is_read_anew() {
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Stocks], FIRST, LAST);
    let vendor = Vendor::serve_with(&place.bucket(), |options| {
        options.faults = "GET times=all slow:40000".parse().unwrap();
    });
    let line = format!("{RUN_S3} --downloads=1 --json");
    let child = place.customer(&vendor.url(), &line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The newest day comes first; the other is replaced while that one is under way.
    wait_until("the first object", || vendor.counts().get > 0);
    make_with(&place.bucket(), FIRST, LAST, |defects| {
        defects.replaced.insert(id(BAD));
    });
    let ran = finished(child).ended(0);
    assert_eq!(ran.days(), days(&[("loaded", 2)]));
    assert!(ran.err.contains("was replaced while it was read"), "{}", ran.err);
    let fresh = Place::new();
    fresh.against(&Vendor::serve(&place.bucket()), &line).ended(0);
    place.dump().assert_same(&fresh.dump());
}
