//! What users do, through the real programs against the vendor on loopback.
#![cfg(feature = "sandbox")]

mod harness;

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use barkeep::model::Dataset;
use barkeep::sandbox::Plan;
use harness::{
    Dump, Place, Vendor, days, finished, generation, id, make, make_with, query, query_file, signal, wait_until,
};

const WEEK: (&str, &str) = ("2026-09-28", "2026-10-02");
const LOAD: &str = "s3 --days=5 --symbols=SPY,AAPL --json";

/// A place with a week of tiny stocks.
fn week() -> Place {
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Stocks], WEEK.0, WEEK.1);
    place
}

#[test]
fn the_second_run_asks_for_listings_only_and_changes_nothing() {
    let place = week();
    let vendor = Vendor::serve(&place.bucket());
    let first = place.against(&vendor, LOAD).ended(0);
    assert_eq!(first.days(), days(&[("loaded", 5)]));
    assert!(first.err.contains(&format!("new database: {}", place.database().display())), "{}", first.err);
    let (bytes, before) = (fs::read(place.database()).unwrap(), vendor.counts());
    // Even without the cache.
    fs::remove_dir_all(place.path("home/cache")).unwrap();

    let second = place.against(&vendor, LOAD).ended(0);
    assert_eq!(second.days(), days(&[("unchanged", 5)]));
    assert!(!second.err.contains("new database"), "{}", second.err);
    assert_eq!(vendor.asked_since(before), (2, 0), "one listing for each kind of file");
    assert!(fs::read(place.database()).unwrap() == bytes, "the database file is the same, byte for byte");
}

#[test]
fn another_symbol_reads_each_day_once_and_touches_nothing_else() {
    let place = week();
    let vendor = Vendor::serve(&place.bucket());
    place.against(&vendor, LOAD).ended(0);
    let (before, asked) = (place.dump(), vendor.counts());
    let cached = place.against(&vendor, "s3 --days=5 --symbol=BRK.B --json").ended(0);
    assert_eq!(cached.days(), days(&[("loaded", 5)]));
    assert_eq!(vendor.asked_since(asked).1, 0, "the files are still in the cache");
    let after = place.dump();
    assert_eq!(after.bars_without("BRK.B|"), before.bars.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(
        query(
            &place.database(),
            "SELECT count(DISTINCT session_date) || '' FROM historical_bars WHERE symbol = 'BRK.B'"
        ),
        ["5"]
    );

    let alone = Place::new();
    alone.against(&vendor, "s3 --days=5 --symbols=SPY,AAPL,BRK.B --json").ended(0);
    assert_eq!(alone.dump().bars, after.bars);
    fs::remove_dir_all(place.path("home/cache")).unwrap();
    let asked = vendor.counts();
    place.against(&vendor, "s3 --days=5 --symbol=NA --json").ended(0);
    assert_eq!(vendor.asked_since(asked).1, 10, "five days, two files each");
}

#[test]
fn a_further_timeframe_is_loaded_beside_the_others() {
    let place = week();
    place.type_line("s3 --source=BUCKET --days=5 --symbol=SPY --timeframes=5m --no-official-day --json").ended(0);
    let before = place.dump();
    assert!(before.bars.iter().all(|bar| bar.starts_with("SPY|5m|")));
    let more = place.type_line("s3 --source=BUCKET --days=5 --symbol=SPY --timeframes=5m,1h --no-official-day --json");
    assert_eq!(more.ended(0).days(), days(&[("loaded", 5)]));
    let after = place.dump();
    assert_eq!(after.bars_without("|1h|"), before.bars.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(!after.bars_with("|1h|").is_empty());
    let official = place.type_line("s3 --source=BUCKET --days=5 --symbol=SPY --timeframes=5m --json").ended(0);
    assert_eq!(official.json()["totals"]["bars"], 5, "{}", official.out);
    assert_eq!(place.dump().bars_with("|day_official|").len(), 5);
}

#[test]
fn force_loads_again_to_the_same_table() {
    let place = week();
    let vendor = Vendor::serve(&place.bucket());
    place.against(&vendor, LOAD).ended(0);
    let before = place.dump();
    let forced = place.against(&vendor, &format!("{LOAD} --force")).ended(0);
    assert_eq!(forced.days(), days(&[("loaded", 5)]));
    place.dump().assert_same(&before);
    let all = place.against(&vendor, "s3 --days=5 --all --force --json").ended(0);
    assert_eq!(all.days(), days(&[("loaded", 5)]));
    assert_eq!(place.dump().of_symbol("SPY"), before.of_symbol("SPY"), "the 1m bars named before stay");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let place = week();
    let json = place.type_line("s3 --source=BUCKET --days=5 --symbol=SPY --dry-run --json").ended(0).json();
    let size: u64 = generation(&[Dataset::Stocks], WEEK.0, WEEK.1)
        .files()
        .into_iter()
        .map(|file| place.bucket().join(file.key()).metadata().unwrap().len())
        .sum();
    let forecast = &json["totals"][0];
    assert_eq!((&forecast["days"], &forecast["files"], &forecast["file_bytes"]), (&5.into(), &10.into(), &size.into()));
    assert_eq!(json["days"].as_array().unwrap().len(), 5);
    assert_eq!((&json["days"][0]["date"], &json["days"][0]["action"]), (&"2026-09-28".into(), &"load".into()));
    assert_eq!(json["settings"]["dry_run"], true);
    let text = place.type_line("s3 --source=BUCKET --days=5 --symbol=SPY --dry-run").ended(0).out;
    assert!(text.contains("5 days to load from 10 files"), "{text}");
    assert!(text.contains("2026-09-30  stocks   load") && text.contains("minute_aggs_v1/2026/09/2026-09-30"), "{text}");
    assert_eq!(place.dump(), Dump::default());
}

#[test]
fn a_dry_run_makes_no_database() {
    let place = week();
    let dry = place.type_line("s3 --source=BUCKET --days=5 --symbol=SPY --dry-run").ended(0);
    assert!(!place.database().exists() && !dry.err.contains("new database"), "{}", dry.err);
}

#[test]
fn a_file_replaced_upstream_replaces_its_day_and_no_other() {
    let place = week();
    let vendor = Vendor::serve(&place.bucket());
    place.against(&vendor, LOAD).ended(0);
    let before = place.dump();
    make_with(&place.bucket(), WEEK.0, WEEK.1, |defects| {
        defects.replaced.insert(id("2026-09-30"));
    });
    let asked = vendor.counts();
    // Whoever is asked for: all that is loaded of the day is loaded again.
    let again = place.against(&vendor, "s3 --days=5 --symbols=SPY --json").ended(0);
    assert_eq!(again.days(), days(&[("loaded", 1), ("unchanged", 4)]));
    assert_eq!(again.json()["totals"]["days_replaced"], 1);
    assert_eq!(vendor.asked_since(asked).1, 1, "the day file is the same and in the cache");
    let after = place.dump();
    assert_ne!(after.bars_with("|2026-09-30|"), before.bars_with("|2026-09-30|"));
    assert_eq!(after.bars_without("|2026-09-30|"), before.bars_without("|2026-09-30|"));
    let fresh = Place::new();
    fresh.against(&vendor, LOAD).ended(0);
    assert_eq!((fresh.dump().bars, fresh.dump().coverage), (after.bars, after.coverage));
}

#[test]
fn a_late_file_is_waited_for_then_missed_then_loaded() {
    let place = Place::new();
    make_with(&place.bucket(), WEEK.0, WEEK.1, |defects| {
        defects.absent.extend([id("2026-10-02"), id("stocks/day/2026-10-02")]);
    });
    let at = |now: &str| {
        let bucket = format!("--source={}", place.bucket().display());
        let words = ["s3", &bucket, "--days=5", "--symbol=SPY", "--json"];
        harness::ran(place.command(&words).env("BARKEEP_NOW", now))
    };
    // 10:59 and 11:00 on Saturday in New York.
    let early = at("2026-10-03T14:59:00Z").ended(0);
    assert_eq!(early.days(), days(&[("loaded", 4), ("not_due", 1)]));
    let due = at("2026-10-03T15:00:00Z").ended(3);
    assert_eq!(due.days(), days(&[("missing", 1), ("unchanged", 4)]));
    let text = place.type_line("s3 --source=BUCKET --days=5 --symbol=SPY").ended(3).out;
    assert!(text.contains("2026-10-02 stocks missing: the vendor lists no minute file"), "{text}");
    make(&place.bucket(), &[Dataset::Stocks], WEEK.0, WEEK.1);
    assert_eq!(at(harness::NOW).ended(0).days(), days(&[("loaded", 1), ("unchanged", 4)]));
}

#[test]
fn a_refused_dataset_is_named_and_not_asked_for_again_for_a_day() {
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Indices], WEEK.0, WEEK.1);
    let vendor = Vendor::serve_with(&place.bucket(), |options| {
        options.plan = Plan { datasets: vec![Dataset::Stocks], from: None };
    });
    let line = "s3 --days=5 --symbol=SPX --downloads=1 --json";
    let refused = place.against(&vendor, line).ended(1);
    assert_eq!(refused.days(), days(&[("not_entitled", 5)]));
    let details: Vec<_> = refused.json()["days"].as_array().unwrap().iter().map(|day| day["detail"].clone()).collect();
    assert!(
        details[4].as_str().unwrap().contains("us_indices/minute_aggs_v1/2026/10/2026-10-02.csv.gz"),
        "{details:?}"
    );
    assert!(details[0].as_str().unwrap().contains("has no indices"), "{details:?}");
    let asked = vendor.counts();
    let again = place.against(&vendor, line).ended(1);
    assert_eq!((again.days(), vendor.asked_since(asked).1), (days(&[("not_entitled", 5)]), 0));
    place.against(&vendor, &format!("{line} --force")).ended(1);
    assert!(vendor.asked_since(asked).1 > 0);
}

#[test]
fn two_refusals_settle_all_older_days() {
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Stocks], "2026-09-08", "2026-10-02");
    let vendor = Vendor::serve_with(&place.bucket(), |options| {
        options.plan.from = Some("2026-09-30".parse().unwrap());
    });
    let line = "s3 --days=25 --symbol=SPY --downloads=2 --json";
    let run = place.against(&vendor, line).ended(3);
    assert_eq!(run.days(), days(&[("loaded", 3), ("not_entitled", 16)]));
    // Three days of two files; the two refusals that make a boundary, and what was in flight beside them.
    assert!(vendor.counts().get <= 3 * 2 + 2 + 2, "{}", vendor.counts());
    let text = place.against(&vendor, "s3 --days=25 --symbol=SPY").ended(3).out;
    assert!(text.contains("your plan does not include it"), "{text}");
    let asked = vendor.counts();
    assert_eq!(place.against(&vendor, line).ended(3).days(), days(&[("not_entitled", 16), ("unchanged", 3)]));
    assert_eq!(vendor.asked_since(asked).1, 0);
}

#[test]
fn the_watchlist_is_loaded_when_no_symbol_is_named() {
    let place = week();
    let starter = place.type_line("s3 --source=BUCKET --days=1 --dry-run").ended(0);
    let first = starter.err.lines().find(|line| !line.starts_with("new database")).unwrap();
    assert!(first.starts_with("No symbol named and the watchlist is empty: taking SPY QQQ IWM DIA."), "{first}");
    assert!(first.contains("--symbol=S") && first.contains("watchlist add"), "{first}");

    let add = place.type_line("watchlist add AAPL SPX NA").ended(0).out;
    assert_eq!(add, "3 symbols added; 3 on the watchlist\n");
    assert!(place.type_line("watchlist add AAPL").ended(0).out.contains("1 on the list already"));
    let removed = place.type_line("watchlist remove SPX XX").ended(3).out;
    assert!(removed.contains("1 symbol removed (bars stay); not on the list: XX"), "{removed}");
    let list = place.type_line("watchlist list --json").ended(0).json();
    assert_eq!((&list["command"], &list["totals"]["symbols"]), (&"watchlist".into(), &2.into()));
    assert_eq!(list["rows"][0]["symbol"], "AAPL");
    let run = place.type_line("s3 --source=BUCKET --days=1 --json").ended(0);
    assert_eq!(run.json()["settings"]["selections"][0]["symbols"], serde_json::json!(["AAPL", "NA"]));
    assert_eq!(query(&place.database(), "SELECT DISTINCT symbol FROM historical_bars ORDER BY 1"), ["AAPL", "NA"]);
    place.type_line("watchlist remove AAPL NA").ended(0);
    assert!(place.type_line("watchlist list").ended(0).out.contains("the watchlist is empty"));
    assert_eq!(query(&place.database(), "SELECT DISTINCT symbol FROM historical_bars ORDER BY 1"), ["AAPL", "NA"]);
}

#[test]
fn the_whole_market_comes_without_minutes_unless_asked() {
    let place = week();
    let all = place.type_line("s3 --source=BUCKET --days=5 --all --json").ended(0).json();
    assert_eq!(all["settings"]["timeframes"], serde_json::json!(["5m", "15m", "1h", "4h", "day"]));
    let dump = place.dump();
    assert!(dump.bars_with("|1m|").is_empty());
    let symbols = query(&place.database(), "SELECT DISTINCT symbol FROM historical_bars");
    assert!(symbols.len() > 10, "{symbols:?}");
    // A symbol of the whole market is loaded as one that was named.
    let named = Place::new();
    make(&named.bucket(), &[Dataset::Stocks], WEEK.0, WEEK.1);
    named.type_line("s3 --source=BUCKET --days=5 --symbol=BRK.B --timeframes=5m,15m,1h,4h,day").ended(0);
    assert_eq!(named.dump().bars, dump.of_symbol("BRK.B"));
}

#[test]
fn every_market_loads_with_the_columns_it_has() {
    let place = Place::new();
    make(&place.bucket(), &Dataset::ALL, "2026-10-01", "2026-10-02");
    for (dataset, empty) in [
        (Dataset::Stocks, ""),
        (Dataset::Options, ""),
        (Dataset::Indices, "volume vwap vwap_method trades"),
        (Dataset::Crypto, ""),
        (Dataset::Forex, "vwap vwap_method"),
    ] {
        place
            .type_line(&format!(
                "s3 --source=BUCKET --from=2026-10-01 --to=2026-10-02 --all --dataset={dataset} --json"
            ))
            .ended(0);
        let rows = format!(
            "FROM historical_bars b JOIN symbols s USING (symbol) WHERE s.dataset = '{dataset}' AND timeframe <> 'day_official'"
        );
        assert_ne!(query(&place.database(), &format!("SELECT count(*) || '' {rows}")), ["0"], "{dataset}");
        for column in ["volume", "vwap", "vwap_method", "trades"] {
            let filled = query(&place.database(), &format!("SELECT (count({column}) > 0) || '' {rows}"));
            let expected = if empty.split(' ').any(|word| word == column) { "0" } else { "1" };
            assert_eq!(filled, [expected], "{dataset} {column}");
        }
    }
    let tickers = query(&place.database(), "SELECT symbol FROM symbols WHERE dataset IN ('crypto', 'forex')");
    assert!(tickers.iter().all(|ticker| !ticker.contains('-')), "{tickers:?}");
    let regular = "SELECT DISTINCT session FROM historical_bars JOIN symbols USING (symbol) WHERE dataset = 'crypto'";
    assert_eq!(query(&place.database(), regular), ["regular"]);
}

#[test]
fn indices_have_short_names() {
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Indices], "2026-10-01", "2026-10-02");
    place.type_line("s3 --source=BUCKET --days=2 --symbol=SPX").ended(0);
    assert_eq!(query(&place.database(), "SELECT DISTINCT symbol FROM historical_bars"), ["I:SPX"]);
    let table = place.type_line("bars SPX").ended(0).out;
    assert_eq!(table.lines().count(), 3, "{table}");
}

#[test]
fn status_and_bars_say_what_is_stored() {
    let place = week();
    assert!(place.type_line("status").ended(0).out.starts_with("nothing is loaded"));
    assert!(!place.database().exists(), "looking makes no database");
    place.type_line("s3 --source=BUCKET --days=5 --symbols=SPY,NA").ended(0);
    let status = place.type_line("status --json").ended(0).json();
    let sql = "SELECT symbol || ' ' || timeframe || ' ' || count(*) || ' ' || min(session_date) || ' ' || max(session_date) \
               FROM historical_bars GROUP BY symbol, timeframe";
    let rows = status["rows"].as_array().unwrap();
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
    let mut said: Vec<_> = rows
        .iter()
        .map(|row| {
            let (symbol, timeframe) = (text(row, "symbol"), text(row, "timeframe"));
            format!("{symbol} {timeframe} {} {} {}", row["bars"], text(row, "first"), text(row, "last"))
        })
        .collect();
    let mut stored = query(&place.database(), sql);
    said.sort();
    stored.sort();
    assert_eq!(said, stored);
    assert_eq!(
        status["totals"]["bars"].to_string(),
        query(&place.database(), "SELECT count(*) || '' FROM historical_bars")[0]
    );
    assert_eq!(status["command"], "status");

    let csv = place.type_line("bars SPY --timeframe=1h --csv").ended(0).out;
    let header = "symbol,timeframe,timestamp,open,high,low,close,volume,vwap,trades,session,vwap_method,session_date,end_timestamp,minutes";
    assert_eq!(csv.lines().next(), Some(header));
    let json = place.type_line("bars SPY --timeframe=1h --json").ended(0).json();
    assert_eq!(json["rows"].as_array().unwrap().len(), csv.lines().count() - 1);
    assert_eq!((&json["command"], &json["settings"]["timeframe"]), (&"bars".into(), &"1h".into()));
    let first = &json["rows"][0];
    let line: Vec<_> = csv.lines().nth(1).unwrap().split(',').collect();
    assert_eq!((first["timestamp"].to_string(), first["open"].to_string()), (line[2].into(), line[3].into()));
    let table = place.type_line("bars SPY --timeframe=1h --limit=2").ended(0).out;
    assert_eq!(table.lines().count(), 3, "{table}");
    let one_day = place.type_line("bars SPY --timeframe=1m --from=2026-10-01 --to=2026-10-01 --csv").ended(0).out;
    assert!(one_day.lines().skip(1).all(|line| line.contains(",2026-10-01,")), "{one_day}");
    let nothing = place.type_line("bars QQQ").ended(1).err;
    assert!(
        nothing.contains("no day bars of QQQ are loaded") && nothing.contains("backfill hybrid --symbol=QQQ"),
        "{nothing}"
    );
}

/// Other programs write both tables by SQL.
#[test]
fn the_queue_is_shown_and_dead_requests_are_queued_again() {
    let place = week();
    let looked = place.type_line("watchlist queue").ended(0);
    assert_eq!(looked.out, "no requests to show; in the queue: 0 waiting, 0 being processed, 0 dead\n");
    assert!(!place.database().exists(), "looking makes nothing");
    place.type_line("watchlist add AAPL SPX --days-to-backfill=30").ended(0);
    query_file(&place.database(), "INSERT INTO watchlist (symbol, active) VALUES ('OFF', 0), ('odd one', 1)");
    let listed = place.type_line("watchlist list").ended(0).out;
    assert!(listed.lines().any(|line| line.starts_with("OFF ") && line.contains(" no ")), "{listed}");
    assert!(!listed.contains("odd one"), "{listed}");
    let planned = place.type_line("s3 --source=BUCKET --days=1 --dry-run --json").ended(0).json();
    assert_eq!(planned["settings"]["selections"][0]["symbols"], serde_json::json!(["AAPL"]), "{planned}");
    let dead =
        "UPDATE historical_ingestion_queue SET status = 'failed', outcome = 'dead', error_message = 'tried 5 times',
                completed_at = 1790866800000, retry_count = 5 WHERE symbol <> 'AAPL'";
    query_file(&place.database(), dead);
    let shown = place.type_line("watchlist queue").ended(0).out;
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines.len(), 5, "{shown}");
    assert!(lines[1].contains("AAPL") && lines[1].contains("pending") && lines[1].contains(" 30 "), "{shown}");
    assert!(lines[2].contains("odd one") && lines[2].ends_with("5  tried 5 times"), "{shown}");
    assert!(lines[4].starts_with("in the queue: 1 waiting, 0 being processed, 2 dead; the oldest"), "{shown}");
    let of = |flags: &str| place.type_line(&format!("watchlist queue --json {flags}")).ended(0).json();
    let spx = of("--symbol=SPX");
    assert_eq!((&spx["rows"][0]["symbol"], &spx["totals"]["dead"]), (&"I:SPX".into(), &2.into()));
    assert_eq!(of("--limit=1")["rows"].as_array().unwrap().len(), 1);
    let id = &spx["rows"][0]["id"];
    let again = place.type_line(&format!("watchlist retry {id} 999")).ended(3).out;
    assert_eq!(again, "1 request queued again; 1 not: not there, not failed, or equal to one that is open\n");
    assert_eq!(place.type_line("watchlist retry --dead").ended(0).out, "1 request queued again\n");
    let totals = &of("")["totals"];
    assert_eq!((&totals["pending"], &totals["dead"]), (&3.into(), &0.into()));
}

#[test]
fn every_command_has_one_shape_of_json() {
    let place = week();
    place.type_line("s3 --source=BUCKET --days=5 --symbol=SPY").ended(0);
    for (line, command, body) in [
        ("s3 --source=BUCKET --days=5 --symbol=SPY --json", "s3", "days"),
        ("s3 --source=BUCKET --days=5 --symbol=NOPE --json", "s3", "days"),
        ("s3 --source=BUCKET --days=5 --symbol=SPY --dry-run --json", "s3", "days"),
        ("status --json", "status", "rows"),
        ("bars SPY --json", "bars", "rows"),
        ("watchlist list --json", "watchlist", "rows"),
        ("watchlist add A --json", "watchlist", "rows"),
        ("watchlist remove B --json", "watchlist", "rows"),
        ("watchlist queue --json", "watchlist queue", "rows"),
        ("watchlist retry --dead --json", "watchlist retry", "rows"),
    ] {
        let ran = place.type_line(line);
        let json = ran.json();
        let mut keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        let mut expected = vec!["command", body, "exit_code", "settings", "totals"];
        expected.sort_unstable();
        assert_eq!((keys, &json["command"]), (expected, &command.into()), "{line}");
        let exit = if line.contains("NOPE") || line.contains("remove") { 3 } else { 0 };
        assert_eq!(ran.code, exit, "{line}: {ran:?}");
    }
}

#[test]
fn completions_are_scripts() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.run(&["completions", shell]).ended(0).out;
        assert!(script.contains("backfill") && script.contains("watchlist"), "{shell}");
    }
}

#[test]
fn a_mirror_and_a_plain_folder_are_read_in_place() {
    let place = week();
    let run = place.type_line("s3 --source=BUCKET --days=5 --symbols=SPY,AAPL --json").ended(0);
    assert_eq!(run.json()["totals"]["bytes_fetched"], 0);
    assert!(!place.path("home/cache").exists(), "nothing is copied");
    let vendor = Vendor::serve(&place.bucket());
    let remote = Place::new();
    remote.against(&vendor, LOAD).ended(0);
    remote.dump().assert_same_bars(&place.dump());
    assert_eq!(remote.dump().coverage, place.dump().coverage);

    let plain = Place::new();
    fs::create_dir(plain.bucket()).unwrap();
    for date in ["2026-09-30", "2026-10-01", "2026-10-02"] {
        fs::copy(place.bucket().join(harness::minute_key(date)), plain.bucket().join(format!("{date}.csv.gz")))
            .unwrap();
    }
    plain.type_line("s3 --source=BUCKET --days=3 --symbols=SPY,AAPL --json").ended(0);
    let theirs = place.dump();
    let expected: Vec<_> = theirs
        .bars
        .iter()
        .filter(|bar| {
            !bar.contains("|day_official|")
                && ["|2026-09-30|", "|2026-10-01|", "|2026-10-02|"].iter().any(|d| bar.contains(d))
        })
        .collect();
    assert_eq!(plain.dump().bars.iter().collect::<Vec<_>>(), expected);
}

#[test]
fn two_processes_share_a_database() {
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Stocks], "2026-09-08", "2026-10-02");
    let bucket = format!("--source={}", place.bucket().display());
    let words = ["s3", &bucket, "--days=25", "--all", "--timeframes=1m,5m,15m,1h,4h,day", "--json"];
    let single = Place::new();
    harness::ran(&mut single.command(&words)).ended(0);
    let start = || place.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let both = [start(), start()].map(finished);
    let loaded: u64 = both
        .into_iter()
        .map(|ran| {
            let days = ran.ended(0).days();
            assert!(days.keys().all(|outcome| outcome == "loaded" || outcome == "unchanged"), "{days:?}");
            days.get("loaded").copied().unwrap_or_default()
        })
        .sum();
    assert_eq!(loaded, 19, "each day is loaded by one of them");
    place.dump().assert_same(&single.dump());
    assert_eq!(query(&place.database(), "PRAGMA integrity_check"), ["ok"]);
}

/// Starts a slow run, sends a signal in the middle of it, and expects the exit code, whole days and a good end of the next run.
fn stopped_by(name: &str, code: i32) {
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Stocks], "2026-09-08", "2026-10-02");
    let calm = Place::new();
    let line = "s3 --days=25 --symbols=SPY,AAPL --json --downloads=2";
    calm.against(&Vendor::serve(&place.bucket()), line).ended(0);
    let slow =
        Vendor::serve_with(&place.bucket(), |options| options.faults = "GET times=all slow:100000".parse().unwrap());
    let mut command = place.customer(&slow.url(), line);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("some days to be loaded", || slow.counts().get > 8);
    signal(&child, name);
    let sent = Instant::now();
    let ran = finished(child).ended(code);
    assert!(sent.elapsed() < Duration::from_secs(20), "{:?}", sent.elapsed());
    assert!(ran.err.contains("stopping:"), "{}", ran.err);
    assert_eq!(ran.json()["totals"]["interrupted"], true);
    let (half, whole) = (place.dump(), calm.dump());
    let loaded = ran.days()["loaded"];
    assert!((1..19).contains(&loaded), "{loaded}");
    assert_eq!(half.versions.len() as u64, loaded * 2);
    assert!(half.bars.iter().all(|bar| whole.bars.binary_search(bar).is_ok() || whole.bars.contains(bar)));
    drop(slow);
    let vendor = Vendor::serve(&place.bucket());
    let rest = place.against(&vendor, line).ended(0);
    assert_eq!(rest.days(), days(&[("loaded", 19 - loaded), ("unchanged", loaded)]));
    place.dump().assert_same(&whole);
}

#[test]
fn ctrl_c_leaves_whole_days() {
    stopped_by("INT", 130);
}

#[test]
fn sigterm_leaves_whole_days() {
    stopped_by("TERM", 143);
}

#[test]
fn ctrl_c_does_not_wait_for_a_slow_object() {
    let place = week();
    // An object takes a minute and more.
    let slow =
        Vendor::serve_with(&place.bucket(), |options| options.faults = "GET times=all slow:1000".parse().unwrap());
    let mut command = place.customer(&slow.url(), LOAD);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("a request", || slow.counts().get > 0);
    signal(&child, "INT");
    let sent = Instant::now();
    let ran = finished(child).ended(130);
    assert!(sent.elapsed() < Duration::from_secs(20), "{:?}", sent.elapsed());
    assert_eq!(ran.json()["totals"]["interrupted"], true);
}

#[test]
fn ctrl_c_ends_the_planning_too() {
    let place = Place::new();
    // Takes connections and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let child = place.customer(&url, LOAD).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(silent.accept().unwrap());
    let _second = silent.accept().unwrap();
    signal(&child, "INT");
    let sent = Instant::now();
    let ran = finished(child).ended(130);
    assert!(sent.elapsed() < Duration::from_secs(20), "{:?} {}", sent.elapsed(), ran.err);
}

#[test]
fn a_damaged_copy_in_the_cache_is_fetched_again() {
    let place = week();
    let vendor = Vendor::serve(&place.bucket());
    place.against(&vendor, "s3 --days=1 --symbol=SPY --json").ended(0);
    let whole = place.dump();
    let folder = place.path("home/cache/barkeep/us_stocks_sip/minute_aggs_v1/2026/10");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 64].iter_mut().for_each(|byte| *byte ^= 0x5a);
        fs::write(&path, bytes).unwrap();
    }
    // The hint of the first run says: run the same command again.
    place.against(&vendor, "s3 --days=1 --symbol=SPY --force --json");
    place.dump().assert_same_bars(&whole);
    place.against(&vendor, "s3 --days=1 --symbol=SPY --force --json").ended(0);
    place.dump().assert_same(&whole);
}

#[test]
fn a_foreign_table_is_refused_at_once() {
    let place = week();
    query_file(&place.path("work/other.db"), "CREATE TABLE watchlist (a)");
    let began = Instant::now();
    let ran = place.type_line("s3 --source=BUCKET --days=1 --symbol=SPY --database-url=other.db").ended(1);
    assert!(ran.err.contains("other.db is not a barkeep database") && ran.err.contains("watchlist"), "{}", ran.err);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn keys_come_from_a_named_profile_too() {
    let place = week();
    let vendor = Vendor::serve(&place.bucket());
    fs::create_dir(place.path("home/.aws")).unwrap();
    let keys = "[team]\naws_access_key_id = sandbox\naws_secret_access_key = sandbox-secret\n[idle]\nregion = x\n\
                [machine]\nrole_arn = arn:aws:iam::1:role/r\ncredential_source = Ec2InstanceMetadata\n";
    fs::write(place.path("home/.aws/credentials"), keys).unwrap();
    let with = |profile: &str| {
        let mut command = place.customer(&vendor.url(), LOAD);
        command.env_remove("MASSIVE_S3_ACCESS_KEY_ID").env_remove("MASSIVE_S3_SECRET_ACCESS_KEY");
        harness::ran(command.env("AWS_PROFILE", profile))
    };
    assert_eq!(with("team").ended(0).days(), days(&[("loaded", 5)]));
    for profile in ["idle", "machine", "nobody"] {
        let refused = with(profile).ended(1).err;
        assert!(refused.contains(profile) && refused.contains("MASSIVE_S3_ACCESS_KEY_ID"), "{refused}");
    }
}

#[test]
fn files_of_a_new_kind_in_the_bucket_are_no_days() {
    let place = week();
    let folder = place.bucket().join("us_stocks_sip/minute_aggs_v1/2026/10");
    for name in ["README.txt", "2026-10-02.csv.gz.tmp", "2026-13-45.csv.gz"] {
        fs::write(folder.join(name), "x").unwrap();
    }
    let vendor = Vendor::serve(&place.bucket());
    assert_eq!(place.against(&vendor, LOAD).ended(0).days(), days(&[("loaded", 5)]));
}
