//! Disks without room, and disks that fail.
//!
//! Room ends on file systems in memory, mounted in a name space of their own. Single writes fail by a library preloaded into
//! the program: `io_faults.c`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::harness::{Ran, Vendor, ran};
use super::user::{Files, From, Store, User, seen_in_a_copy};
use super::{Scenario, Tally, Turn};
use crate::judge::{judge, judge_finished};

/// Error numbers, the same on every Linux.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Times a call fails that fails from one on.
const FOR_GOOD: u64 = 1_000_000_000;

/// Failing writes of one load in a row, at most.
const LONGEST_CHAIN: u64 = 4;

pub fn scenarios() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    if io_faults().is_some() {
        for (name, errno, times) in [
            ("database: a write fails (EIO)", EIO, 1),
            ("database: a write fails (ENOSPC)", ENOSPC, 1),
            ("database: all writes fail from one on (EIO)", EIO, FOR_GOOD),
            ("database: all writes fail from one on (ENOSPC)", ENOSPC, FOR_GOOD),
        ] {
            scenarios.push(Scenario::of(&[Store::Sqlite], name, move |turn, rng, tally| {
                database_fails(errno, times, turn, rng, tally);
            }));
        }
        for (name, errno, exit, words) in [
            ("cache: a write fails (EIO)", EIO, 3, "Input/output error"),
            ("cache: a write fails (ENOSPC)", ENOSPC, 1, "BARKEEP_CACHE_DIR"),
        ] {
            scenarios
                .push(Scenario::new(name, move |turn, rng, tally| cache_fails(errno, exit, words, turn, rng, tally)));
        }
    }
    if name_space().is_some() {
        scenarios.push(Scenario::of(&[Store::Sqlite], "database: its disk is full", database_disk_full));
        scenarios.push(Scenario::new("cache: its disk is full", cache_disk_full));
        scenarios.push(Scenario::new("TMPDIR: its disk is full", temporary_disk_full));
    }
    scenarios
}

/// The library that lets writes fail, made by the C compiler that the build needs anyway.
fn io_faults() -> Option<&'static Path> {
    static MADE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let make = || {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("io_faults.{}.so", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sweep/io_faults.c");
        let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").status();
        let can = cfg!(target_os = "linux") && made.is_ok_and(|status| status.success());
        if !can {
            println!("NOT RUN: writes that fail (needs Linux and `cc`)");
        }
        can.then_some(library)
    };
    MADE.get_or_init(make).as_deref()
}

/// The command in whose name space a file system can be mounted.
fn name_space() -> Option<&'static [&'static str]> {
    const WAYS: [&[&str]; 2] = [&["unshare", "--map-root-user", "--mount"], &["unshare", "--mount"]];
    static FOUND: OnceLock<Option<&[&str]>> = OnceLock::new();
    let works = |way: &&&[&str]| {
        let mount = ["sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"];
        let tried = Command::new(way[0]).args(&way[1..]).args(mount).output();
        tried.is_ok_and(|output| output.status.success())
    };
    *FOUND.get_or_init(|| {
        let found = WAYS.iter().find(works).copied();
        if found.is_none() {
            println!("NOT RUN: full disks (no file system can be mounted here, not even in a name space of its own)");
        }
        found
    })
}

/// Lets writes below a path fail. Returns how the command ended, how many writes there were and whether one failed.
fn with_failing_writes(command: &mut Command, below: &Path, errno: i32, nth: u64, times: u64) -> (Ran, u64, bool) {
    let log = tempfile::NamedTempFile::new().unwrap();
    command.env("LD_PRELOAD", io_faults().unwrap()).env("IO_FAULTS_BELOW", below).env("IO_FAULTS_LOG", log.path());
    command.env("IO_FAULTS_NTH", nth.to_string()).env("IO_FAULTS_TIMES", times.to_string());
    let ended = ran(command.env("IO_FAULTS_ERRNO", errno.to_string()));
    let calls = fs::read(log.path()).unwrap();
    (ended, calls.len() as u64, calls.contains(&b'!'))
}

/// Which of so many writes fails: at first those at the edges and in the midst, later any.
fn which(writes: u64, attempt: u64, turn: &Turn<'_>, rng: &mut fastrand::Rng) -> u64 {
    if turn.round > 0 { rng.u64(1..=writes) } else { [1, writes / 3, writes / 2, writes / 4][attempt as usize].max(1) }
}

fn database_fails(errno: i32, times: u64, turn: &Turn<'_>, rng: &mut fastrand::Rng, tally: &mut Tally) {
    let (bench, user, files) = (turn.bench, User::new(turn.store), Files::Week);
    let calm = bench.calm(turn.store, files, From::Folder);
    let folder = bench.folder(files);
    let vendor = Vendor::serve(&folder);
    let load = |user: &User| user.load(&vendor, &folder, files, From::Folder);
    let database = user.place.database();
    let undisturbed = User::new(turn.store);
    let (_, writes, _) = with_failing_writes(&mut load(&undisturbed), &undisturbed.place.database(), errno, 0, 0);
    assert!(writes > 50, "{writes} writes");
    for attempt in 0..LONGEST_CHAIN {
        let nth = which(writes, attempt, turn, rng);
        let (ended, _, struck) = with_failing_writes(&mut load(&user), &database, errno, nth, times);
        assert!(struck || attempt > 0, "there was no write {nth}");
        match ended.code {
            // What failed was not needed, or was done again.
            0 => {
                tally.wrong.add(&user.expect(&calm.dump));
                break;
            }
            1 => {
                let says = [database.to_str().unwrap(), "run the command again", "what was loaded is kept"];
                assert!(
                    struck && says.iter().all(|part| ended.err.contains(part)),
                    "write {nth} of {writes}: {ended:?}"
                );
            }
            _ => panic!("write {nth} of {writes}: {ended:?}"),
        }
        tally.wrong.add(&user.judge(&[&calm.dump]));
    }
    tally.wrong.add(&user.finish(bench, files, From::Folder));
}

fn cache_fails(errno: i32, exit: i32, words: &str, turn: &Turn<'_>, rng: &mut fastrand::Rng, tally: &mut Tally) {
    let (bench, user, files) = (turn.bench, User::new(turn.store), Files::Week);
    let calm = bench.calm(turn.store, files, From::Bucket);
    // It may be the day file that is not had; the day is then loaded without.
    let without = bench.calm(turn.store, Files::OnlyMinutes, From::Bucket);
    let folder = bench.folder(files);
    let vendor = Vendor::serve(&folder);
    // Two files a day, each at least one write. In parts there are more.
    let nth = which(10, 1, turn, rng);
    let mut command = user.load(&vendor, &folder, files, From::Bucket);
    if rng.bool() {
        command.env("BARKEEP_PART_SIZE", "20000");
    }
    let cache = user.place.path("home/cache");
    let (ended, _, struck) = with_failing_writes(&mut command, &cache, errno, nth, 1);
    let ended = ended.ended(exit);
    assert!(struck && format!("{}{}", ended.err, ended.out).contains(words), "{ended:?}");
    tally.wrong.add(&user.judge(&[&calm.dump, &without.dump]));
    tally.wrong.add(&user.finish(bench, files, From::Bucket));
    assert_no_unfinished_files(&cache);
}

/// No half of a file is left in a cache.
fn assert_no_unfinished_files(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_no_unfinished_files(&path);
        }
        assert!(path.extension().is_none_or(|ending| ending != "part"), "{}", path.display());
    }
}

/// Runs a command with a small disk mounted at a folder; then again with a large one. Returns how both ended; the folder's
/// content after each is in `first` and `second` below `kept`.
fn on_small_disk(command: &Command, at: &Path, kilobytes: u64, kept: &Path) -> [Ran; 2] {
    const STEPS: &str = r#"
        mount -t tmpfs -o size="${KILOBYTES}k" tmpfs "$AT" || exit 99
        for run in first second; do
            "$@" >"$KEPT/$run.out" 2>"$KEPT/$run.err"
            echo $? >"$KEPT/$run.code"
            cp -a "$AT" "$KEPT/$run"
            mount -o remount,size=1g "$AT"
        done"#;
    fs::create_dir_all(at).unwrap();
    let way = name_space().unwrap();
    let mut small = Command::new(way[0]);
    small.args(&way[1..]).args(["sh", "-c", STEPS, "sh"]).arg(command.get_program()).args(command.get_args());
    small.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    small.env("AT", at).env("KEPT", kept).env("KILOBYTES", kilobytes.to_string());
    ran(small.current_dir(command.get_current_dir().unwrap())).ended(0);
    ["first", "second"].map(|run| {
        let read = |ending: &str| fs::read_to_string(kept.join(format!("{run}.{ending}"))).unwrap();
        Ran { code: read("code").trim().parse().unwrap(), out: read("out"), err: read("err") }
    })
}

fn database_disk_full(turn: &Turn<'_>, rng: &mut fastrand::Rng, tally: &mut Tally) {
    let (bench, user, files) = (turn.bench, User::new(turn.store), Files::Week);
    let calm = bench.calm(turn.store, files, From::Folder);
    let folder = bench.folder(files);
    let vendor = Vendor::serve(&folder);
    let kept = tempfile::tempdir().unwrap();
    // The tables alone take some half a megabyte, and as much in the log.
    let kilobytes = if turn.round == 0 { 1600 } else { rng.u64(40..2000) };
    let database = user.place.database();
    let command = user.load(&vendor, &folder, files, From::Folder);
    let [first, second] = on_small_disk(&command, database.parent().unwrap(), kilobytes, kept.path());
    if first.code != 0 {
        let said = first.ended(1).err;
        assert!(said.contains(database.to_str().unwrap()) && said.contains("run the command again"), "{said}");
    } else {
        assert!(turn.round > 0, "{kilobytes} kB were enough");
    }
    let name = database.file_name().unwrap();
    tally.wrong.add(&judge(&seen_in_a_copy(&kept.path().join("first").join(name)), &[&calm.dump]));
    second.ended(0);
    let end = seen_in_a_copy(&kept.path().join("second").join(name));
    tally.wrong.add(&judge_finished(&end, &calm.dump));
    end.assert_same(&calm.dump);
}

fn cache_disk_full(turn: &Turn<'_>, rng: &mut fastrand::Rng, tally: &mut Tally) {
    let (bench, user, files) = (turn.bench, User::new(turn.store), Files::Week);
    let calm = bench.calm(turn.store, files, From::Bucket);
    let folder = bench.folder(files);
    let vendor = Vendor::serve(&folder);
    let kept = tempfile::tempdir().unwrap();
    let kilobytes = if turn.round == 0 { 200 } else { rng.u64(8..400) };
    let cache = user.place.path("home/cache/barkeep");
    let command = user.load(&vendor, &folder, files, From::Bucket);
    let [first, second] = on_small_disk(&command, &cache, kilobytes, kept.path());
    let said = first.ended(1).err;
    assert!(said.contains("free some space or choose another directory with BARKEEP_CACHE_DIR"), "{said}");
    second.ended(0);
    tally.wrong.add(&user.expect(&calm.dump));
    assert_no_unfinished_files(&kept.path().join("first"));
}

/// Nothing that is loaded goes through it.
fn temporary_disk_full(turn: &Turn<'_>, _: &mut fastrand::Rng, tally: &mut Tally) {
    let (bench, user, files) = (turn.bench, User::new(turn.store), Files::Week);
    let calm = bench.calm(turn.store, files, From::Bucket);
    let folder = bench.folder(files);
    let vendor = Vendor::serve(&folder);
    let kept = tempfile::tempdir().unwrap();
    let temporary = user.place.path("temporary");
    let mut command = user.load(&vendor, &folder, files, From::Bucket);
    command.env("TMPDIR", &temporary);
    for ended in on_small_disk(&command, &temporary, 4, kept.path()) {
        ended.ended(0);
    }
    tally.wrong.add(&user.expect(&calm.dump));
}
