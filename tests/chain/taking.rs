//! Taking snapshots.

use barkeep::model::Dataset;
use barkeep::sandbox::{Market, MarketSize, Plan};
use jiff::Timestamp;

use super::*;
use crate::harness::finished;

/// What the sandbox means, in the form of [`values`].
fn meant(underlying: &str, session: &str, now: &str) -> Vec<String> {
    let market = Market { size: MarketSize::Tiny, seed: 1, splits: false };
    let chain = market.chain(underlying, now.parse().unwrap()).unwrap();
    let of_session = |stamp: i64| {
        let at = Timestamp::from_nanosecond(stamp.into()).unwrap();
        barkeep::model::Market::NewYork.date_of(at).to_string() == session
    };
    let number = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |number| format!("{number:.9}"));
    let row = |contract| {
        let told = chain.told(contract);
        let volume = told.day.filter(|day| of_session(day.2)).map(|day| day.1 as f64);
        let greeks = told.greeks.map_or([None; 4], |greeks| greeks.map(Some));
        let numbers = [[told.implied_volatility].as_slice(), &greeks, &[volume]].concat();
        let open = told.open_interest.map_or_else(|| "-".to_owned(), |open| open.to_string());
        let numbers: Vec<_> = numbers.into_iter().map(number).collect();
        format!("{session}|{underlying}|{}|{open}|{}|snapshot", contract.ticker, numbers.join("|"))
    };
    chain.contracts.iter().map(row).collect()
}

/// Every value of a place in the same form, by a file, which rounds nothing.
fn exact(place: &Place) -> Vec<String> {
    let folder = place.path("exact");
    place.type_line(&format!("export --chain --format=csv --output={} --quiet", folder.display())).ended(0);
    let mut files = walk(&folder.join("option_chain"));
    files.sort();
    let text = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect::<Vec<_>>();
    let line = |line: &str| {
        let fields: Vec<_> = line.split(',').collect();
        let number = |field: &&str| field.parse::<f64>().map_or("-".to_owned(), |number| format!("{number:.9}"));
        let open = if fields[3].is_empty() { "-" } else { fields[3] };
        let numbers: Vec<_> = fields[4..10].iter().map(number).collect();
        format!("{}|{}|{}|{open}|{}|{}", fields[0], fields[1], fields[2], numbers.join("|"), fields[11])
    };
    text.iter().flat_map(|text| text.lines().skip(1)).map(line).collect()
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_chain_is_taken_whole_and_once_a_session() {
    for place in places() {
        let vendor = vendor_at(&place, FRIDAY_EVENING, |_| {});
        let first = type_at(&place, &vendor, FRIDAY_EVENING, "chain SPY SPX --json").ended(0);
        assert_eq!(told(&first), [format!("I:SPX loaded {SPX}"), format!("SPY loaded {SPY}")]);
        let settings = &first.json()["settings"];
        assert_eq!((&settings["session_date"], &settings["is_provisional"]), (&"2026-10-02".into(), &false.into()));
        // 250 at a time, each page once.
        assert_eq!(asked(&vendor), 4);
        assert!(vendor.rest_counts().pages.values().all(|times| *times == 1));
        let mut expected = meant("I:SPX", "2026-10-02", FRIDAY_EVENING);
        expected.extend(meant("SPY", "2026-10-02", FRIDAY_EVENING));
        assert_eq!(exact(&place), expected);
        let lacks = |place_of: usize| expected.iter().filter(|row| row.split('|').nth(place_of) == Some("-")).count();
        assert!((3..10).all(|place_of| lacks(place_of) > 0), "something is missing of every kind");
        let known: Vec<i64> = rows(&place, "SELECT CAST(known_at AS TEXT) FROM option_chain_daily")
            .iter()
            .map(|ms| ms.parse().unwrap())
            .collect();
        let now = FRIDAY_EVENING.parse::<Timestamp>().unwrap().as_millisecond();
        assert!(known.iter().all(|ms| (now..now + 60_000).contains(ms)), "known when it came");

        let again = type_at(&place, &vendor, FRIDAY_EVENING, "chain SPY SPX").ended(0);
        assert!(again.out.contains("SPY         unchanged"), "{}", again.out);
        assert_eq!(asked(&vendor), 4, "nothing is asked for twice");
        let forced = type_at(&place, &vendor, FRIDAY_EVENING, "chain SPY --force --json").ended(0);
        assert_eq!((told(&forced), asked(&vendor)), (vec![format!("SPY loaded {SPY}")], 5));
        assert_eq!(stored(&place), [format!("2026-10-02 I:SPX {SPX}"), format!("2026-10-02 SPY {SPY}")]);
    }
}

#[test]
fn a_session_under_way_is_taken_again_when_it_is_over() {
    for place in places() {
        let vendor = vendor_at(&place, MONDAY_NOON, |_| {});
        let noon = type_at(&place, &vendor, MONDAY_NOON, "chain SPY --json").ended(0);
        assert_eq!(told(&noon), [format!("SPY provisional {SPY}")]);
        let at_noon = values(&place);
        let again = type_at(&place, &vendor, MONDAY_NOON, "chain SPY --json").ended(0);
        assert_eq!((told(&again), asked(&vendor)), (vec!["SPY unchanged 0".to_owned()], 1));
        drop(vendor);
        let vendor = vendor_at(&place, MONDAY_EVENING, |_| {});
        let evening = type_at(&place, &vendor, MONDAY_EVENING, "chain SPY --json").ended(0);
        assert_eq!(told(&evening), [format!("SPY loaded {SPY}")]);
        let in_the_evening = values(&place);
        assert!(in_the_evening != at_noon && in_the_evening.len() == at_noon.len(), "volumes went on");
        drop(vendor);
        // Until the market opens, it is Monday's.
        let vendor = vendor_at(&place, TUESDAY_EARLY, |_| {});
        let early = type_at(&place, &vendor, TUESDAY_EARLY, "chain SPY --json").ended(0);
        assert_eq!((told(&early), asked(&vendor)), (vec!["SPY unchanged 0".to_owned()], 0));
        assert_eq!(ledger(&place), [format!("2026-10-05 SPY loaded {SPY}")]);
    }
}

#[test]
fn the_watchlist_is_taken_with_spx_and_ndx() {
    for place in places() {
        place.run(&["watchlist", "add", "AAPL", "ZVZZT", "X:BTCUSD", "--quiet"]).ended(0);
        let vendor = vendor_at(&place, FRIDAY_EVENING, |_| {});
        let plan = type_at(&place, &vendor, FRIDAY_EVENING, "chain --dry-run").ended(0);
        assert!(plan.out.contains("4 underlyings to ask for, of session 2026-10-02"), "{}", plan.out);
        assert_eq!((asked(&vendor), ledger(&place).len()), (0, 0));
        let taken = type_at(&place, &vendor, FRIDAY_EVENING, "chain --json").ended(0);
        assert_eq!(told(&taken), ["AAPL loaded 126", "I:NDX loaded 648", "I:SPX loaded 648", "ZVZZT empty 0"]);
        let before = asked(&vendor);
        let again = type_at(&place, &vendor, FRIDAY_EVENING, "chain --json").ended(0);
        let expected = ["AAPL unchanged 0", "I:NDX unchanged 0", "I:SPX unchanged 0", "ZVZZT empty 0"];
        assert_eq!((told(&again), asked(&vendor)), (expected.map(str::to_owned).into(), before));
        // Contracts with the root of changed terms are on the same stock.
        assert_eq!(
            rows(&place, "SELECT DISTINCT underlying FROM option_chain_daily WHERE contract LIKE 'O:AAPL1%'"),
            ["AAPL"]
        );
        let shown = place.run(&["chain", "show", "AAPL", "--json"]).ended(0).json();
        assert_eq!(shown["rows"].as_array().unwrap().len(), 1);
        assert_eq!((&shown["rows"][0]["sessions"], &shown["rows"][0]["rows"]), (&1.into(), &126.into()));
    }
}

/// What the service does wrong, the exit code, and what becomes of SPX, which has three pages.
const FAULTS: &[(&str, i32, &str, &str)] = &[
    ("REST key=*SPX* nth=2 status:404", 3, "damaged", "does not know the next page"),
    ("REST key=*SPX* nth=2 foreign-next", 3, "failed", "rest.invalid"),
    ("REST key=*SPX* nth=2 repeat-page", 3, "damaged", "no end"),
    ("REST key=*SPX* nth=2 status:403", 3, "not_entitled", "does not include"),
    ("REST key=*SPX* nth=2 bad-rows:100", 3, "damaged", "rows are bad"),
    ("REST key=*SPX* nth=3 empty", 0, "loaded", ""),
    ("REST key=*SPX* status:429", 0, "loaded", ""),
    ("REST key=*SPX* nth=2 status:500", 0, "loaded", ""),
    ("REST key=*SPX* nth=2 status:504:html", 0, "loaded", ""),
    ("REST key=*SPX* nth=2 truncate:1000", 0, "loaded", ""),
    ("REST key=*SPX* empty-page", 0, "loaded", ""),
    ("REST key=*SPX* empty", 0, "loaded", ""),
    ("REST key=*SPX* null", 0, "loaded", ""),
    ("REST key=*SPX* times=all duplicate-rows", 0, "loaded", ""),
    ("REST key=*SPX* times=all delayed", 0, "loaded", ""),
    ("REST key=*SPX* times=all bad-rows:2", 0, "loaded", ""),
    ("REST key=*SPX* times=all page-size:77", 0, "loaded", ""),
];

#[test]
fn what_breaks_off_stores_nothing() {
    for place_of in [|| Some(Place::new()), || Schema::new().map(Place::on)] {
        std::thread::scope(|scope| {
            for (script, code, outcome, words) in FAULTS {
                scope.spawn(move || {
                    let Some(place) = place_of() else { return };
                    if place.schema().is_some() && *outcome == "loaded" {
                        // What the client bears is the same to every database.
                        return;
                    }
                    fs::create_dir_all(place.bucket()).unwrap();
                    let vendor = vendor_under(&place, FRIDAY_EVENING, script);
                    let line = "chain SPX SPY --rate=100/s --json";
                    let ran = type_at(&place, &vendor, FRIDAY_EVENING, line).ended(*code);
                    let rows = &ran.json()["rows"];
                    assert_eq!(
                        (&rows[0]["underlying"], &rows[0]["outcome"]),
                        (&"I:SPX".into(), &(*outcome).into()),
                        "{script}"
                    );
                    assert!(rows[0]["detail"].as_str().unwrap_or_default().contains(words), "{script}: {rows}");
                    let spy = format!("2026-10-02 SPY {SPY}");
                    if *outcome == "loaded" {
                        assert_eq!(stored(&place), [format!("2026-10-02 I:SPX {SPX}"), spy], "{script}");
                    } else {
                        assert_eq!(stored(&place), [spy], "{script}");
                        let remembered = ledger(&place);
                        assert_eq!(remembered[0], format!("2026-10-02 I:SPX {outcome} 0"), "{script}");
                        // The next one mends it, unless it is remembered as a refusal.
                        drop(vendor);
                        let vendor = vendor_at(&place, FRIDAY_EVENING, |_| {});
                        let again = type_at(&place, &vendor, FRIDAY_EVENING, &format!("{line} --quiet"));
                        let expected = if *outcome == "not_entitled" { 1 } else { 2 };
                        assert_eq!(stored(&place).len(), expected, "{script}: {again:?}");
                    }
                });
            }
        });
    }
}

#[test]
fn a_snapshot_that_fails_leaves_the_one_before_it() {
    for place in places() {
        let vendor = vendor_at(&place, MONDAY_NOON, |_| {});
        type_at(&place, &vendor, MONDAY_NOON, "chain SPX --quiet").ended(0);
        let before = values(&place);
        drop(vendor);
        for (faults, outcome) in [("REST nth=3 status:404", "damaged"), ("REST times=all empty", "failed")] {
            let vendor = vendor_under(&place, MONDAY_EVENING, faults);
            let failed = type_at(&place, &vendor, MONDAY_EVENING, "chain SPX --json").ended(1);
            assert_eq!(told(&failed), [format!("I:SPX {outcome} 0")], "{faults}");
            assert_eq!(
                (values(&place), ledger(&place)),
                (before.clone(), vec![format!("2026-10-05 I:SPX provisional {SPX}")])
            );
        }
    }
}

#[test]
fn a_plan_without_options_is_asked_once_a_day_and_market() {
    for place in places() {
        let no_options = |options: &mut ServeOptions| {
            options.rest.plan = Some(Plan { datasets: vec![Dataset::Stocks, Dataset::Indices], from: None });
        };
        let vendor = vendor_at(&place, FRIDAY_EVENING, no_options);
        let line = "chain AAPL SPY SPX NDX --json";
        let refused = type_at(&place, &vendor, FRIDAY_EVENING, line).ended(1);
        let expected = ["AAPL", "I:NDX", "I:SPX", "SPY"].map(|name| format!("{name} not_entitled 0"));
        assert_eq!((told(&refused), asked(&vendor)), (expected.clone().into(), 2), "one of each market");
        let again = type_at(&place, &vendor, "2026-10-03T20:59:00Z", line).ended(1);
        assert_eq!((told(&again), asked(&vendor)), (expected.into(), 2));
        let detail = again.json()["rows"][0]["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("refused 2026-10-03 01:00 UTC; --force asks again"), "{detail}");
        drop(vendor);
        let vendor = vendor_at(&place, FRIDAY_EVENING, |_| {});
        type_at(&place, &vendor, FRIDAY_EVENING, "chain SPX --force --quiet").ended(0);
        type_at(&place, &vendor, "2026-10-03T21:01:00Z", line).ended(0);
        assert_eq!(stored(&place).len(), 4);
    }
}

#[test]
fn what_has_no_options_is_asked_once_a_week() {
    for place in places() {
        let vendor = vendor_at(&place, FRIDAY_EVENING, |_| {});
        let named = type_at(&place, &vendor, FRIDAY_EVENING, "chain ZVZZT SPY --json").ended(3);
        assert_eq!(told(&named), [format!("SPY loaded {SPY}"), "ZVZZT empty 0".to_owned()]);
        assert_eq!(asked(&vendor), 3, "one answer that there is nothing is not believed");
        let quiet = type_at(&place, &vendor, FRIDAY_EVENING, "chain ZVZZT --quiet").ended(1);
        assert!(quiet.out.is_empty() && quiet.err.contains("ZVZZT: empty: the vendor lists no options"), "{quiet:?}");
        type_at(&place, &vendor, "2026-10-10T00:59:00Z", "chain ZVZZT --quiet").ended(1);
        assert_eq!(asked(&vendor), 3);
        type_at(&place, &vendor, "2026-10-10T01:01:00Z", "chain ZVZZT --quiet").ended(1);
        assert_eq!(asked(&vendor), 5);
        type_at(&place, &vendor, FRIDAY_EVENING, "chain ZVZZT --force --quiet").ended(1);
        assert_eq!(asked(&vendor), 7);
        drop(vendor);
        let vendor = vendor_under(&place, FRIDAY_EVENING, "REST times=all status:404");
        let unknown = type_at(&place, &vendor, FRIDAY_EVENING, "chain AAPL --json").ended(1);
        assert_eq!((told(&unknown), asked(&vendor)), (vec!["AAPL empty 0".to_owned()], 1));
    }
}

#[test]
fn a_kill_leaves_a_whole_chain_or_none() {
    for place in places() {
        let noon = vendor_at(&place, MONDAY_NOON, |_| {});
        type_at(&place, &noon, MONDAY_NOON, "chain SPX SPY --quiet").ended(0);
        let before = values(&place);
        let evening = vendor_at(&place, MONDAY_EVENING, |_| {});
        for (point, nth, chains_done) in
            [("chain-fetched", 1, 0), ("chain-written", 1, 0), ("chain-written", 2, 1), ("chain-committed", 1, 1)]
        {
            let mut command = place.customer(&evening.url(), "chain SPX SPY --force --quiet");
            command.env("BARKEEP_NOW", MONDAY_EVENING).env("BARKEEP_CRASH_AT", format!("{point}:{nth}"));
            let killed = finished(command.stdout(std::process::Stdio::null()).spawn().unwrap());
            assert_eq!(killed.code, -1, "{point}: {killed:?}");
            let (now, ledger) = (values(&place), ledger(&place));
            assert_eq!(now.len() as u64, SPX + SPY, "{point}");
            let final_ones = ledger.iter().filter(|row| row.contains(" loaded ")).count();
            assert!(final_ones >= chains_done, "{point}: {ledger:?}");
            if final_ones == 0 {
                assert_eq!(now, before, "{point}");
            }
        }
        type_at(&place, &evening, MONDAY_EVENING, "chain SPX SPY --quiet").ended(0);
        let mut expected = meant("I:SPX", "2026-10-05", MONDAY_EVENING);
        expected.extend(meant("SPY", "2026-10-05", MONDAY_EVENING));
        assert_eq!(exact(&place), expected);
    }
}

#[test]
fn a_run_that_is_stopped_ends_between_two_pages() {
    for place in places() {
        let vendor = vendor_under(&place, FRIDAY_EVENING, "REST key=*SPX* nth=2 stall:1000");
        let mut command = place.customer(&vendor.url(), "chain AAPL SPX SPY --json");
        command.env("BARKEEP_NOW", FRIDAY_EVENING).stdout(std::process::Stdio::piped());
        let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
        crate::harness::wait_until("the second page", || vendor.struck() == [1]);
        crate::harness::signal(&child, "TERM");
        let stopped = finished(child).ended(143);
        assert_eq!(told(&stopped), ["AAPL loaded 126"]);
        assert_eq!(stored(&place), ["2026-10-02 AAPL 126"]);
    }
}

#[test]
fn keys_and_names_are_checked_before_anything_is_made() {
    let place = Place::new();
    fs::create_dir_all(place.bucket()).unwrap();
    let vendor = vendor_at(&place, FRIDAY_EVENING, |_| {});
    let wrong = type_at(&place, &vendor, FRIDAY_EVENING, "chain X:BTCUSD").ended(2);
    assert!(wrong.err.contains("options are on stocks and indices"), "{}", wrong.err);
    let mut keyless = place.customer(&vendor.url(), "chain SPY");
    let keyless = ran(keyless.env_remove("MASSIVE_API_KEY")).ended(1);
    assert!(keyless.err.contains("MASSIVE_API_KEY") && !place.database().exists(), "{}", keyless.err);
    let mut wrong_key = place.customer(&vendor.url(), "chain SPY AAPL");
    let refused = ran(wrong_key.env("MASSIVE_API_KEY", "nobody")).ended(1);
    assert!(refused.err.contains("does not accept the API key") && !refused.err.contains("nobody"), "{}", refused.err);
    assert_eq!((asked(&vendor), ledger(&place).len()), (1, 0), "all others would hear the same");
}
