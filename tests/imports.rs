//! Arrows point one way: holds every `crate::…` path against the table in ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const HEADING: &str = "## Who may import whom";

/// Rust files below `src`, with their path from there.
fn sources() -> Vec<(String, String)> {
    fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                into.push(path);
            }
        }
    }
    let src = Path::new(ROOT).join("src");
    let mut paths = Vec::new();
    collect(&src, &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect()
}

/// The room a file stands in: `cli` for `cli/table.rs`; `None` for the crate's root.
fn room(file: &str) -> Option<&str> {
    match file.split_once('/') {
        Some(("bin", _)) => Some("bin"),
        Some((room, _)) => Some(room),
        None => None,
    }
}

/// The text without comments and without its module of unit tests, which may use what it likes.
fn code(text: &str) -> String {
    let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..tests].lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The first names behind `crate::`, braces unfolded.
fn imported(code: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::").chain(code.match_indices("barkeep::")) {
        let rest = code[at..].split_once("::").unwrap().1;
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = 0;
            for (index, c) in list.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth > 0 => depth -= 1,
                    ',' | '}' if depth == 0 => {
                        found.insert(list[start..index].trim().chars().take_while(|c| is_name(*c)).collect());
                        start = index + 1;
                        if c == '}' {
                            break;
                        }
                    }
                    _ => {}
                }
            }
        } else {
            found.insert(rest.chars().take_while(|c| is_name(*c)).collect());
        }
    }
    found.remove("");
    found
}

/// Room by room, whom it may import.
fn table() -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).unwrap();
    let section = text.split_once(HEADING).expect("the section is there").1;
    let section = section.split("\n## ").next().unwrap();
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<_> = line.split('|').collect();
            (names(cells[1])[0].clone(), names(cells[2]).into_iter().collect())
        })
        .collect()
}

#[test]
fn rooms_import_only_whom_the_table_allows() {
    let table = table();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for (file, text) in sources() {
        let Some(room) = room(&file) else { continue };
        seen.insert(room.to_owned());
        let Some(allowed) = table.get(room) else {
            wrong.push(format!("src/{file}: the table has no row `{room}`"));
            continue;
        };
        for name in imported(&code(&text)) {
            if name != room && !allowed.contains(&name) {
                wrong.push(format!("src/{file}: `{room}` may not import `{name}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}\n(the table is in ARCHITECTURE.md, `{HEADING}`)", wrong.join("\n"));
    assert_eq!(table.keys().collect::<Vec<_>>(), seen.iter().collect::<Vec<_>>(), "rooms in the table and in src");
}

#[test]
fn the_table_has_no_circles() {
    let table = table();
    let mut left: BTreeSet<&String> = table.keys().collect();
    while !left.is_empty() {
        let free: Vec<_> =
            left.iter().copied().filter(|room| table[*room].iter().all(|name| !left.contains(name))).collect();
        assert!(!free.is_empty(), "these import each other: {left:?}");
        left.retain(|room| !free.contains(room));
    }
}

/// Words of outside libraries and the only places that may say them.
const CONFINED: [(&str, &[&str]); 13] = [
    ("sqlx", &["store/"]),
    ("libsqlite3_sys", &["store/"]),
    ("indicatif", &["cli/"]),
    ("clap", &["cli/", "sandbox/cli.rs", "sandbox/market/mod.rs", "bin/vendor-sandbox.rs"]),
    ("aws_sdk_s3", &["ingest/source/"]),
    ("reqwest", &["ingest/rest/", "net/http.rs", "notify/"]),
    ("lettre", &["notify/email.rs"]),
    ("governor", &["ingest/rest/"]),
    ("tracing", &["cli/log.rs"]),
    ("tracing_subscriber", &["cli/log.rs"]),
    ("prometheus", &["cli/metrics/"]),
    ("s3s", &["sandbox/"]),
    ("::parquet", &["export/"]),
];

/// Rooms without a runtime, a database, a network or a terminal.
const PURE: [&str; 6] =
    ["model/", "aggregate/", "ingest/decode/", "notify/situation.rs", "notify/text.rs", "notify/render.rs"];

#[test]
fn libraries_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let code = code(&text);
        for (library, places) in CONFINED {
            let says = code.contains(&format!("{library}::")) || code.contains(&format!("use {library}"));
            if says && !places.iter().any(|place| file.starts_with(place)) {
                wrong.push(format!("src/{file}: {library}"));
            }
        }
        if PURE.iter().any(|pure| file.starts_with(pure)) {
            for word in ["async ", "tokio", "sqlx", "aws_", "std::net", ".await"] {
                if code.contains(word) {
                    wrong.push(format!("src/{file}: {word}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn paths_are_read_as_the_compiler_reads_them() {
    let text =
        "use crate::model::{Bar, Day};\nuse crate::{store, net::Retry, cli::{a, b}};\nlet x = crate::config::X;\n";
    let found: Vec<_> = imported(text).into_iter().collect();
    assert_eq!(found, ["cli", "config", "model", "net", "store"]);
    assert!(imported(&code("// crate::cli\n#[cfg(test)]\nmod tests {\n use crate::cli;\n}")).is_empty());
}
