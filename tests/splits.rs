//! `backfill splits` and adjusted bars, through the real binary against a vendor on loopback.
#![cfg(feature = "sandbox")]

mod harness;

use std::fs;
use std::sync::{Arc, LazyLock};

use barkeep::ingest::SilentReporter;
use barkeep::ingest::rest::{ApiKey, Quota, RestClient, RestOptions};
use barkeep::model::Dataset;
use barkeep::net::RateRule;
use harness::{Place, Schema, Vendor, generation, ran};
use serde_json::Value;

const KEY: &str = "sandbox-api-key";
const DATES: (&str, &str) = ("2026-09-28", "2026-10-02");

/// A vendor whose stocks split on October 1st and 2nd, and will on the 5th, which is today.
fn vendor_with(place: &Place, faults: &str) -> Vendor {
    Vendor::serve_with(&place.bucket(), |options| {
        options.rest.market.splits = true;
        options.faults = faults.parse().unwrap();
    })
}

fn vendor(place: &Place) -> Vendor {
    vendor_with(place, "")
}

/// Loads the bars of these days.
fn load_bars(place: &Place) {
    let mut generation = generation(&[Dataset::Stocks], DATES.0, DATES.1);
    generation.market.splits = true;
    barkeep::sandbox::generate(&place.bucket(), &generation).unwrap();
    let (from, to) = DATES;
    let line = format!("s3 --source=BUCKET --all --from={from} --to={to} --timeframes=1m,1h,day --quiet");
    place.type_line(&line).ended(0);
}

/// A place with the bars of these days.
fn place() -> Place {
    static DATABASE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let place = Place::new();
        load_bars(&place);
        fs::read(place.database()).unwrap()
    });
    with_database(&DATABASE)
}

/// The same with the splits loaded.
fn place_with_splits() -> Place {
    static DATABASE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let place = place();
        place.against(&vendor(&place), "splits --quiet").ended(0);
        fs::read(place.database()).unwrap()
    });
    with_database(&DATABASE)
}

fn with_database(bytes: &[u8]) -> Place {
    let place = Place::new();
    fs::create_dir_all(place.database().parent().unwrap()).unwrap();
    fs::write(place.database(), bytes).unwrap();
    fs::create_dir_all(place.bucket()).unwrap();
    place
}

/// Requests for splits that came to the vendor.
fn asked(vendor: &Vendor) -> u64 {
    vendor.rest_counts().requests.get("splits").copied().unwrap_or(0)
}

fn overrides(place: &Place, lines: &str) {
    fs::write(place.path("work/o.csv"), format!("ticker,execution_date,action,split_from,split_to\n{lines}")).unwrap();
}

/// `date to:from status flags` of a symbol's rows of October.
fn october(place: &Place, symbol: &str) -> Vec<String> {
    let rows = place.run(&["splits", "--list", "--json", "--symbol", symbol]).ended(0).json()["rows"].clone();
    let told = |row: &Value| {
        let status = if row["announced"] == true { "announced" } else { row["status"].as_str().unwrap() };
        let flags: Vec<_> = row["flags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let (date, flags) = (row["execution_date"].as_str().unwrap(), flags.join(","));
        format!("{date} {}:{} {status} {flags}", row["split_to"], row["split_from"]).trim_end().to_owned()
    };
    let rows = rows.as_array().unwrap().iter().map(told);
    rows.filter(|row| row.starts_with("2026-10") || row.starts_with("2026-11")).collect()
}

/// The close of a symbol's day bars.
fn closes(place: &Place, line: &str) -> Vec<f64> {
    let shown = place.type_line(&format!("bars {line} --json")).ended(0).json();
    shown["rows"].as_array().unwrap().iter().map(|row| row["close"].as_f64().unwrap()).collect()
}

#[test]
fn the_list_is_loaded_checked_and_shown() {
    let place = place();
    let vendor = vendor(&place);
    let loaded = place.against(&vendor, "splits --json").ended(0).json();
    assert_eq!(october(&place, "QUADS"), ["2026-10-01 4.0:1.0 used", "2026-11-02 1.0:4.0 announced"]);
    assert_eq!(october(&place, "TWICE")[0], "2026-10-01 3.0:1.0 used duplicate");
    // The prices say which of two that undo each other happened.
    assert_eq!(
        october(&place, "FLIPS")[..2],
        ["2026-10-01 5.0:1.0 used factor_differs", "2026-10-01 1.0:5.0 unused implausible"].map(str::to_owned)
    );
    assert_eq!(october(&place, "PHONY")[0], "2026-10-01 10.0:1.0 unused implausible");
    assert_eq!(october(&place, "DIVVY"), ["2026-10-01 1.05:1.0 used"]);
    let totals = &loaded["totals"];
    let number = |name: &str| totals[name].as_u64().unwrap_or_else(|| panic!("{name}: {totals}"));
    let duplicates = loaded["rows"].as_array().unwrap().iter().filter(|row| row["reason"] == "listed 2 times").count();
    assert!(duplicates > 200);
    assert_eq!((number("added"), number("splits")), (number("rows_read") - duplicates as u64, number("added")));
    assert!(number("announced") >= 8 && number("flagged") > 8 && number("rejected") == 0, "{totals}");
    assert_eq!(asked(&vendor), 1, "one page of 5,000 holds it");

    let again = place.against(&vendor, "splits").ended(0);
    let line = again.out.lines().last().unwrap();
    assert!(line.ends_with("; 0 new, 0 changed, 0 removed"), "{line}");
    let is_phony = |line: &str| line.starts_with("PHONY") && line.contains("10:1 would take the price from");
    assert!(again.out.lines().any(is_phony), "{}", again.out);
}

#[test]
fn without_prices_the_list_alone_decides() {
    let place = Place::new();
    fs::create_dir_all(place.bucket()).unwrap();
    let vendor = vendor(&place);
    place.against(&vendor, "splits --quiet").ended(0);
    assert_eq!(october(&place, "PHONY")[0], "2026-10-01 10.0:1.0 used");
    let pair = ["2026-10-01 5.0:1.0 unused opposite", "2026-10-01 1.0:5.0 unused opposite"];
    assert_eq!(october(&place, "FLIPS")[..2], pair.map(str::to_owned));
}

#[test]
fn some_symbols_are_loaded_alone() {
    let place = place();
    let vendor = vendor(&place);
    place.against(&vendor, "splits --symbols=QUADS,SPY --quiet").ended(0);
    assert_eq!(asked(&vendor), 2);
    assert_eq!(october(&place, "QUADS").len(), 2);
    let shown = place.type_line("splits --list").ended(0);
    assert!(shown.out.contains("QUADS") && !shown.out.contains("TWICE"), "{}", shown.out);
    assert_eq!(place.type_line("splits --list --symbol=SPY").ended(0).out, "no splits\n");
    assert!(place.type_line("splits --list --symbol=TWICE").ended(1).err.contains("splits not loaded"));
    place.type_line("bars QUADS --adjusted").ended(0);
    place.type_line("bars TWICE --adjusted").ended(1);
    // Many are taken out of the whole list.
    place.against(&vendor, "splits --symbols=QUADS,SCORE,TENTH,CHAIN,DIVVY,TWICE,FLIPS --quiet").ended(0);
    assert_eq!(asked(&vendor), 3);
    let shown = place.type_line("splits --list").ended(0);
    assert!(shown.out.contains("TWICE") && !shown.out.contains("PHONY"), "{}", shown.out);
}

#[test]
fn a_dry_run_stores_nothing() {
    let place = Place::new();
    fs::create_dir_all(place.bucket()).unwrap();
    let vendor = vendor(&place);
    let dry = place.against(&vendor, "splits --dry-run").ended(0);
    assert!(dry.out.trim_end().ends_with("; nothing was stored"), "{}", dry.out);
    assert!(!place.database().exists());
    assert!(place.type_line("splits --list").ended(1).err.contains("hint: load them with `backfill splits`"));
}

#[test]
fn overrides_decide_and_mistakes_in_them_are_named() {
    let place = place();
    let vendor = vendor(&place);
    overrides(
        &place,
        "UNTLD,2026-10-01,use,1,2\nPHONY,2026-10-01,use\nTENTH,2026-10-01,ignore\nQUADS,2026-09-30,reused\n",
    );
    place.against(&vendor, "splits --overrides=o.csv --quiet").ended(0);
    assert_eq!(october(&place, "UNTLD"), ["2026-10-01 2.0:1.0 used override"]);
    assert_eq!(october(&place, "PHONY")[0], "2026-10-01 10.0:1.0 used override");
    assert_eq!(october(&place, "TENTH")[0], "2026-10-01 1.0:10.0 unused override");
    // The bars of the 28th and 29th are another company's.
    let (raw, adjusted) = (closes(&place, "QUADS"), closes(&place, "QUADS --adjusted"));
    assert_eq!(adjusted[..2], raw[..2]);
    assert_eq!((adjusted[2], &adjusted[3..]), (raw[2] / 4.0, &raw[3..]));

    overrides(&place, "NONE,2026-10-01,use\n");
    let unmatched = place.against(&vendor, "splits --overrides=o.csv --quiet").ended(3);
    assert!(
        unmatched.err.contains("override of NONE on 2026-10-01, use: the vendor lists no split to use"),
        "{}",
        unmatched.err
    );
    overrides(&place, "NONE,2026-10-01,ignore\n");
    place.against(&vendor, "splits --overrides=o.csv --quiet").ended(0);

    overrides(&place, "QUADS,2026-10-01,use,1,4\nQUADS,2026-10-02,use,1\n");
    let before = asked(&vendor);
    let wrong = place.against(&vendor, "splits --overrides=o.csv").ended(2);
    assert!(wrong.err.contains("o.csv, line 3: 4 fields"), "{}", wrong.err);
    let missing = place.against(&vendor, "splits --overrides=none.csv").ended(2);
    assert!(missing.err.contains("cannot read the split overrides in none.csv"), "{}", missing.err);
    assert_eq!(asked(&vendor), before, "nothing was asked");

    // Beside the settings file they need not be named.
    fs::create_dir_all(place.path("home/config/barkeep")).unwrap();
    fs::copy(place.path("work/o.csv"), place.path("home/config/barkeep/splits.csv")).unwrap();
    place.against(&vendor, "splits").ended(2);
}

#[test]
fn a_list_that_breaks_off_leaves_what_was_loaded() {
    let place = place_with_splits();
    let before = place.type_line("splits --list").ended(0).out;
    for (faults, words) in [
        ("REST times=all page-size:999\nREST nth=2 status:403", "the vendor refuses it"),
        ("REST times=all empty", "the list is empty"),
    ] {
        let failed = place.against(&vendor_with(&place, faults), "splits").ended(1);
        assert!(failed.err.contains(words), "{}", failed.err);
        assert!(failed.err.contains("hint: the splits that were loaded before are as they were"), "{}", failed.err);
        assert_eq!(place.type_line("splits --list").ended(0).out, before);
    }
    let paged = place.against(&vendor_with(&place, "REST times=all page-size:999"), "splits").ended(0);
    assert!(paged.out.ends_with("; 0 new, 0 changed, 0 removed\n"), "{}", paged.out);
}

#[test]
fn a_missing_or_wrong_key_is_told_and_not_shown() {
    let place = Place::new();
    fs::create_dir_all(place.bucket()).unwrap();
    let vendor = vendor(&place);
    let missing = ran(place.customer(&vendor.url(), "splits").env_remove("MASSIVE_API_KEY")).ended(1);
    assert!(!place.database().exists());
    assert!(missing.err.contains("MASSIVE_API_KEY"), "{}", missing.err);
    let with_key = |key: &str| {
        let mut command = place.customer(&vendor.url(), "splits");
        ran(command.env("MASSIVE_API_KEY", key)).ended(1)
    };
    let wrong = with_key("hunter2hunter2");
    assert!(wrong.err.contains("does not accept the API key") && !wrong.err.contains("hunter2"), "{}", wrong.err);
    assert!(!with_key("hunter2 hunter2").err.contains("hunter2"));
    let rate = place.against(&vendor, "splits --rate=often").ended(2);
    assert!(rate.err.contains("--rate: `often` is not a rate"), "{}", rate.err);
}

#[test]
fn adjusting_without_splits_fails_and_says_what_to_do() {
    let place = place();
    let bars = place.type_line("bars QUADS --adjusted").ended(1);
    assert!(bars.err.starts_with("error: splits not loaded: bars cannot be adjusted of QUADS\n"), "{}", bars.err);
    assert!(bars.err.contains("hint: load them with `backfill splits --symbols=QUADS`"), "{}", bars.err);
    let export = place.type_line("export --output=out --adjusted").ended(1);
    assert!(
        export.err.contains("error: splits not loaded") && export.err.contains("`backfill splits`"),
        "{}",
        export.err
    );
    assert!(!place.path("work/out/bars").exists());
    place.type_line("bars QUADS --raw --quiet").ended(0);
    place.type_line("bars QUADS --adjusted --raw").ended(2);
    place.type_line("bars QUADS --as-of=2026-10-01").ended(2);
}

/// Minutes of a symbol as the vendor adjusts them: start, open, high, low, close, volume.
fn adjusted_by_vendor(vendor: &Vendor, symbol: &str) -> Vec<(i64, [f64; 5])> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = vendor.url();
    runtime.block_on(async {
        let quota = Quota::open(RateRule::Auto, None, Arc::new(SilentReporter)).await;
        let options = RestOptions { base_url: url, key: Some(ApiKey::new(KEY).unwrap()), ..RestOptions::default() };
        let client = RestClient::new(options, quota).unwrap();
        let (from, to) = DATES;
        let path = format!("/v2/aggs/ticker/{symbol}/range/1/minute/{from}/{to}");
        let mut pages = client.list::<Value>("minutes", &path, &[("adjusted", "true"), ("limit", "50000")]);
        let mut minutes = Vec::new();
        while let Some(rows) = pages.next().await.unwrap() {
            let number = |row: &Value, name: &str| row[name].as_f64().unwrap();
            minutes.extend(
                rows.iter()
                    .map(|row| (row["t"].as_i64().unwrap(), ["o", "h", "l", "c", "v"].map(|name| number(row, name)))),
            );
        }
        minutes
    })
}

#[test]
fn adjusted_bars_are_those_the_vendor_adjusts() {
    let place = place_with_splits();
    let vendor = vendor(&place);
    for symbol in ["QUADS", "SCORE", "TENTH", "CHAIN", "DIVVY", "TWICE", "SPY"] {
        let shown = place.type_line(&format!("bars {symbol} --timeframe=1m --adjusted --json")).ended(0).json();
        assert_eq!(shown["settings"]["adjusted_as_of"], "2026-10-05");
        let rows = shown["rows"].as_array().unwrap();
        let theirs = adjusted_by_vendor(&vendor, symbol);
        assert!(rows.len() == theirs.len() && rows.len() > 1000, "{symbol}: {} and {}", rows.len(), theirs.len());
        let names = ["open", "high", "low", "close", "volume"];
        for (row, (start, values)) in rows.iter().zip(&theirs) {
            assert_eq!(row["timestamp"].as_i64(), Some(*start));
            for (name, theirs) in names.iter().zip(values) {
                let ours = row[name].as_f64().unwrap();
                // The vendor prints six decimals.
                assert!((ours - theirs).abs() <= 0.6e-6, "{symbol} {start} {name}: {ours}, not {theirs}");
            }
        }
        let (raw, adjusted) = (closes(&place, symbol), closes(&place, &format!("{symbol} --adjusted")));
        assert_eq!(raw == adjusted, symbol == "SPY");
    }
}

#[test]
fn bars_are_marked_and_as_of_goes_back() {
    let place = place_with_splits();
    let raw = closes(&place, "CHAIN");
    let as_of = |date: &str| closes(&place, &format!("CHAIN --adjusted --as-of={date}"));
    assert_eq!(as_of("2026-09-30"), raw);
    // 2:1 on the 1st, 3:1 on the 2nd, 1:6 on the 5th.
    assert_eq!(as_of("2026-10-01"), [raw[0] / 2.0, raw[1] / 2.0, raw[2] / 2.0, raw[3], raw[4]]);
    assert_eq!(as_of("2026-10-02"), [raw[0] / 6.0, raw[1] / 6.0, raw[2] / 6.0, raw[3] / 3.0, raw[4]]);
    assert_eq!(closes(&place, "CHAIN --adjusted"), as_of("2026-10-05"));
    let table = place.type_line("bars CHAIN --adjusted --limit=1").ended(0);
    assert!(table.out.ends_with("\nadjusted for splits as of 2026-10-05\n"), "{}", table.out);
    let (csv, raw_csv) =
        (place.type_line("bars CHAIN --adjusted --csv").ended(0), place.type_line("bars CHAIN --csv").ended(0));
    assert_eq!(csv.out.lines().next(), raw_csv.out.lines().next());
    assert_eq!((csv.err.as_str(), raw_csv.err.as_str()), ("adjusted for splits as of 2026-10-05\n", ""));
}

#[test]
fn exports_say_which_prices_they_hold() {
    let place = place_with_splits();
    let export = |flags: &str| {
        place.type_line(&format!("export --output=out --format=csv --timeframes=day --symbol=QUADS {flags}")).ended(0);
        let manifest: Value =
            serde_json::from_str(&fs::read_to_string(place.path("work/out/_manifest.json")).unwrap()).unwrap();
        let folder = place.path("work/out/bars/timeframe=day");
        let mut files: Vec<_> =
            fs::read_dir(folder).unwrap().map(|month| month.unwrap().path().join("stocks.csv")).collect();
        files.sort();
        let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        let closes: Vec<f64> = text
            .lines()
            .filter(|line| line.starts_with("QUADS"))
            .map(|line| line.split(',').nth(6).unwrap().parse().unwrap())
            .collect();
        (manifest["prices"].as_str().unwrap().to_owned(), manifest["adjusted_as_of"].clone(), closes)
    };
    let raw = closes(&place, "QUADS");
    assert_eq!(export(""), ("raw".to_owned(), Value::Null, raw.clone()));
    let adjusted = closes(&place, "QUADS --adjusted");
    assert_eq!(export("--adjusted"), ("adjusted".to_owned(), "2026-10-05".into(), adjusted.clone()));
    assert_ne!(adjusted, raw);
    assert_eq!(export("--adjusted --as-of=2026-09-30"), ("adjusted".to_owned(), "2026-09-30".into(), raw));
    // Crypto has no splits to load.
    place.type_line("export --output=out --dataset=crypto --adjusted").ended(1);
}

#[test]
fn both_databases_hold_the_same_splits_and_adjust_alike() {
    let Some(schema) = Schema::new() else { return };
    let (postgres, sqlite) = (Place::on(schema), place_with_splits());
    load_bars(&postgres);
    postgres.against(&vendor(&postgres), "splits --quiet").ended(0);
    for line in
        ["splits --list", "bars QUADS --timeframe=1h --adjusted", "bars CHAIN --adjusted --as-of=2026-10-01 --csv"]
    {
        assert_eq!(postgres.type_line(line).ended(0).out, sqlite.type_line(line).ended(0).out, "{line}");
    }
}
