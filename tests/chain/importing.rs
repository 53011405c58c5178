//! A user's own open interest.

use std::io::Write;
use std::process::Stdio;

use super::*;
use crate::harness::finished;

const HEADER: &str = "date,contract,open_interest\n";

fn import(place: &Place, text: &str) -> Ran {
    fs::write(place.path("work/oi.csv"), text).unwrap();
    place.run(&["chain", "import", "oi.csv", "--json"])
}

fn totals(ran: &Ran) -> [u64; 6] {
    let totals = &ran.json()["totals"];
    ["rows", "repeated", "added", "changed", "unchanged", "kept"].map(|name| totals[name].as_u64().unwrap())
}

/// `session underlying contract open_interest known_at source`.
fn imported(place: &Place) -> Vec<String> {
    let sql = "SELECT CAST(session_date AS TEXT) || ' ' || underlying || ' ' || contract || ' ' || open_interest || ' '
                   || known_at || ' ' || source
               FROM option_chain_daily WHERE source = 'import' ORDER BY underlying, session_date, contract";
    rows(place, sql)
}

#[test]
fn a_file_is_stored_beside_the_snapshots() {
    for place in places() {
        let vendor = vendor_at(&place, FRIDAY_EVENING, |_| {});
        type_at(&place, &vendor, FRIDAY_EVENING, "chain SPY --quiet").ended(0);
        let taken = rows(&place, "SELECT MIN(contract) FROM option_chain_daily").remove(0);
        let snapshots = values(&place);
        let lines = format!(
            "2026-09-30,SPY261016C00600000,5\n2026-10-02,SPY301018C00600000,7\n2026-10-01,O:SPXW261016P06000000,9\n\
             2026-10-02,{taken},1\n2026-09-30,SPY261016C00600000,5\n"
        );
        let first = import(&place, &format!("{HEADER}{lines}")).ended(0);
        assert_eq!(totals(&first), [4, 1, 3, 0, 0, 1]);
        // 09:30 in New York of October 2nd (Friday), 1st and 5th (Monday).
        let expected = [
            "2026-10-01 I:SPX O:SPXW261016P06000000 9 1790947800000 import",
            "2026-09-30 SPY O:SPY261016C00600000 5 1790861400000 import",
            "2026-10-02 SPY O:SPY301018C00600000 7 1791207000000 import",
        ];
        assert_eq!(imported(&place), expected);
        assert_eq!(totals(&import(&place, &format!("{HEADER}{lines}")).ended(0)), [4, 1, 0, 0, 3, 1]);
        let changed = import(&place, "open_interest,contract,date\n6,SPY261016C00600000,2026-09-30\n").ended(0);
        assert_eq!(totals(&changed), [1, 0, 0, 1, 0, 0]);
        let of_vendor: Vec<_> = values(&place).into_iter().filter(|row| row.ends_with("|snapshot")).collect();
        assert_eq!(of_vendor, snapshots);
        let shown = place.run(&["chain", "show"]).ended(0).out;
        assert!(shown.contains("I:SPX") && shown.contains("2026-10-02 loaded"), "{shown}");
    }
}

#[test]
fn a_bad_line_keeps_the_whole_file_out() {
    for place in places() {
        let bad =
            import(&place, &format!("{HEADER}2026-10-01,SPY261016C00600000,5\n2026-10-03,SPY,5\n2026-10-01,SPY,x\n"));
        let bad = bad.ended(1);
        for words in
            ["oi.csv, line 3: 2026-10-03 is not a session", "oi.csv, line 4: `SPY` is not the ticker", "2 of its lines"]
        {
            assert!(bad.err.contains(words), "{words}: {}", bad.err);
        }
        let contradiction = "2026-10-01,SPY261016C00600000,5\n2026-10-01,O:SPY261016C00600000,6\n";
        let bad = import(&place, &format!("{HEADER}{contradiction}")).ended(1);
        assert!(bad.err.contains("line 3: it contradicts line 2"), "{}", bad.err);
        let bad = import(&place, "date,contract,oi\n").ended(1);
        assert!(bad.err.contains("open_interest is missing"), "{}", bad.err);
        assert!(place.schema().is_some() || !place.database().exists(), "nothing was made");
        let missing = place.run(&["chain", "import", "nowhere.csv"]).ended(1);
        assert!(missing.err.contains("cannot read nowhere.csv"), "{}", missing.err);
    }
}

#[test]
fn a_long_file_can_be_piped_in() {
    for place in places() {
        let mut text = HEADER.to_owned();
        for strike in 1..=20_000 {
            text.push_str(&format!("2026-10-01,QQQ261016C{strike:08},{strike}\n"));
        }
        let mut command = place.command(&["chain", "import", "-", "--json"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let done = finished(child).ended(0);
        assert_eq!(totals(&done), [20_000, 0, 20_000, 0, 0, 0]);
        assert_eq!(stored(&place), ["2026-10-01 QQQ 20000"]);
    }
}
