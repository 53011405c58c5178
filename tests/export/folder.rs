//! What is in the folder, whatever happens.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::table::{assert_same, of_database, of_export};
use super::{files, month};
use crate::harness::{Place, finished, ran, signal, wait_until};

const ALL: &str = "export --output=out --json";

/// A name of every file and what is in it.
fn picture(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    files(folder).into_iter().map(|path| (path.clone(), fs::read(folder.join(&path)).unwrap())).collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn an_export_replaces_the_one_before_and_nothing_else() {
    let place = month();
    let out = place.path("work/out");
    fs::create_dir(&out).unwrap();
    place.type_line("export --output=out --quiet").ended(0);
    fs::write(out.join("README"), "mine").unwrap();
    place.type_line("export --output=out --format=csv --timeframes=day --quiet").ended(0);
    let expected = ["README", "_manifest.json", "bars/timeframe=day/month=2026-09/stocks.csv"];
    assert_eq!(files(&out).into_iter().collect::<Vec<_>>(), expected.map(PathBuf::from));
    assert_same(&of_export(&out), &of_database(&place.database(), "timeframe = 'day'"));
}

#[test]
fn folders_with_something_else_are_refused_and_left_alone() {
    let place = month();
    let work = place.path("work");
    let refused = |line: &str, said: &str| {
        let ran = place.type_line(line).ended(1);
        assert!(ran.err.contains(said), "{}", ran.err);
    };
    fs::write(work.join("file"), "x").unwrap();
    refused("export --output=file", "file is a file: name a folder");
    refused("export --output=file/below", "cannot write file/below: ");

    fs::create_dir(work.join("full")).unwrap();
    fs::write(work.join("full/notes.txt"), "x").unwrap();
    refused("export --output=full", "full holds something that no export has put there (notes.txt)");
    fs::write(work.join("full/_manifest.json"), r#"{"name": "a web app"}"#).unwrap();
    refused("export --output=full", "(_manifest.json)");
    assert_eq!(files(&work.join("full")).len(), 2);

    place.type_line("export --output=out --timeframes=day --quiet").ended(0);
    let mine = work.join("out/bars/timeframe=day/mine.parquet");
    fs::write(&mine, "x").unwrap();
    let before = picture(&work.join("out"));
    refused("export --output=out", "(bars/timeframe=day/mine.parquet)");
    fs::remove_file(&mine).unwrap();

    let text = fs::read_to_string(work.join("out/_manifest.json")).unwrap();
    fs::write(work.join("out/_manifest.json"), text.replace(r#""barkeep_export": 1"#, r#""barkeep_export": 2"#))
        .unwrap();
    refused("export --output=out", "out/_manifest.json holds an export of a newer version");
    fs::write(work.join("out/_manifest.json"), text).unwrap();

    let lock = File::open(work.join("out")).unwrap();
    lock.lock().unwrap();
    refused("export --output=out", "another export is writing into out");
    lock.unlock().unwrap();
    fs::write(&mine, "x").unwrap();
    assert_eq!(picture(&work.join("out")), before);
    fs::remove_file(&mine).unwrap();
    place.type_line("export --output=out --quiet").ended(0);
}

#[test]
fn a_failed_export_leaves_what_was_there() {
    let place = month();
    place.type_line("export --output=out --timeframes=day --quiet").ended(0);
    let before = picture(&place.path("work/out"));
    // No file may become larger than 256 KiB; the signal that would end the program is ignored.
    let program = place.command(&[""; 0]).get_program().to_owned();
    for out in ["out", "new"] {
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' XFSZ; ulimit -f 512; exec \"$@\"", "sh"])
            .arg(&program)
            .args(["export", "--format=csv"])
            .arg(format!("--output={out}"))
            .arg(format!("--database-url=sqlite:{}", place.database().display()))
            .current_dir(place.path("work"));
        let failed = ran(&mut command).ended(1);
        assert!(failed.err.contains("/stocks.csv: File too large"), "{}", failed.err);
    }
    assert_eq!(picture(&place.path("work/out")), before);
    assert!(!place.path("work/new").exists());
}

/// Starts an export and waits until it writes bars.
fn begun(place: &Place) -> std::process::Child {
    let words: Vec<_> = ALL.split_whitespace().collect();
    let child = place.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let unfinished = place.path("work/out/.unfinished");
    wait_until("the first file", || unfinished.join("bars").exists());
    child
}

#[test]
fn ctrl_c_leaves_what_was_there() {
    let place = month();
    let stopped = |code: i32, name: &str| {
        let child = begun(&place);
        signal(&child, name);
        let ran = finished(child).ended(code);
        assert_eq!((&ran.json()["totals"]["interrupted"], &ran.json()["rows"]), (&true.into(), &serde_json::json!([])));
    };
    stopped(130, "INT");
    assert!(!place.path("work/out").exists());
    place.type_line("export --output=out --timeframes=day --quiet").ended(0);
    let before = picture(&place.path("work/out"));
    stopped(143, "TERM");
    assert_eq!(picture(&place.path("work/out")), before);
    assert_eq!(names(&place.path("work/out")), ["_manifest.json", "bars"].map(str::to_owned).into());
}

#[test]
fn a_killed_export_shows_no_half_and_the_next_one_tidies_up() {
    let place = month();
    let out = place.path("work/out");
    let all = of_database(&place.database(), "1");
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..6 {
        let mut child = begun(&place);
        std::thread::sleep(Duration::from_millis(rng.u64(0..200)));
        child.kill().unwrap();
        child.wait().unwrap();
        if out.join("_manifest.json").exists() {
            assert_same(&of_export(&out), &all);
        }
    }
    place.type_line(ALL).ended(0);
    assert_same(&of_export(&out), &all);
    assert_eq!(names(&out), ["_manifest.json", "bars"].map(str::to_owned).into());
}

/// Killed between the steps by which a new export takes the place of an old one.
#[test]
fn bars_without_a_manifest_beside_an_unfinished_export_are_replaced() {
    let place = month();
    let out = place.path("work/out");
    place.type_line("export --output=out --timeframes=day --quiet").ended(0);
    fs::remove_file(out.join("_manifest.json")).unwrap();
    let refused = place.type_line("export --output=out").ended(1);
    assert!(refused.err.contains("(bars)"), "without the trace of an export they may be anyone's: {}", refused.err);
    fs::create_dir_all(out.join(".unfinished/replaced/timeframe=day")).unwrap();
    place.type_line("export --output=out --timeframes=day --quiet").ended(0);
    assert_same(&of_export(&out), &of_database(&place.database(), "timeframe = 'day'"));
    assert_eq!(names(&out), ["_manifest.json", "bars"].map(str::to_owned).into());
}
