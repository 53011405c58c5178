//! Option chains as files.

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::RowAccessor;

use super::*;

/// Two sessions over a month's end, one of them imported.
fn fill(place: &Place) {
    let vendor = vendor_at(place, FRIDAY_EVENING, |_| {});
    type_at(place, &vendor, FRIDAY_EVENING, "chain SPY SPX --quiet").ended(0);
    let lines = "date,contract,open_interest\n2026-09-30,SPY261016C00600000,5\n2026-09-30,SPY261016P00600000,0\n";
    fs::write(place.path("work/oi.csv"), lines).unwrap();
    place.run(&["chain", "import", "oi.csv", "--quiet"]).ended(0);
}

#[test]
fn chains_are_written_by_underlying_and_month() {
    for place in places() {
        fill(&place);
        let done = place.run(&["export", "--chain", "--output=out", "--json"]).ended(0).json();
        let file = |row: &Value| (row["path"].as_str().unwrap().to_owned(), row["rows"].as_u64().unwrap());
        let files: Vec<_> = done["rows"].as_array().unwrap().iter().map(file).collect();
        let expected = [
            ("option_chain/month=2026-10/I%3ASPX.parquet", SPX),
            ("option_chain/month=2026-09/SPY.parquet", 2),
            ("option_chain/month=2026-10/SPY.parquet", SPY),
        ];
        assert_eq!(files, expected.map(|(path, rows)| (path.to_owned(), rows)));
        let text = fs::read_to_string(place.path("work/out/_manifest.json")).unwrap();
        let manifest: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(manifest["totals"]["rows"], SPX + SPY + 2);
        assert!(manifest["prices"].is_null() && manifest["files"] == done["rows"], "{manifest}");

        let open = |path: &str| fs::File::open(place.path("work/out").join(path)).unwrap();
        let mut found = Vec::new();
        for (path, _) in expected {
            let reader = SerializedFileReader::new(open(path)).unwrap();
            for row in reader.get_row_iter(None).unwrap() {
                let row = row.unwrap();
                let open = row.get_long(3).map_or("-".to_owned(), |open| open.to_string());
                found.push(format!("{}|{}|{open}", row.get_string(1).unwrap(), row.get_string(2).unwrap()));
            }
        }
        let shortened = |row: String| row.split('|').skip(1).take(3).collect::<Vec<_>>().join("|");
        assert_eq!(found, values(&place).into_iter().map(shortened).collect::<Vec<_>>());
    }
}

#[test]
fn an_export_holds_what_was_asked_for() {
    let place = Place::new();
    fs::create_dir_all(place.bucket()).unwrap();
    let nothing = place.run(&["export", "--chain", "--output=out"]).ended(1);
    assert!(nothing.err.contains("no option chain is stored"), "{}", nothing.err);
    fill(&place);
    let paths = |line: &str, code: i32| {
        let done = place.type_line(&format!("export --chain --output=out --json {line}")).ended(code).json();
        let path = |row: &Value| row["path"].as_str().unwrap().to_owned();
        done["rows"].as_array().unwrap().iter().map(path).collect::<Vec<_>>()
    };
    assert_eq!(paths("--symbol=SPY --to=2026-09-30 --format=csv", 0), ["option_chain/month=2026-09/SPY.csv"]);
    assert_eq!(paths("--symbols=SPX,QQQ --days=5", 3), ["option_chain/month=2026-10/I%3ASPX.parquet"]);
    assert!(!place.path("work/out/option_chain/month=2026-09").exists(), "the earlier export has gone");
    // What holds one kind of export is not taken for another.
    let bars = place.run(&["export", "--output=out"]).ended(1);
    assert!(bars.err.contains("an export of another kind"), "{}", bars.err);
    place.run(&["export", "--chain", "--adjusted", "--output=out"]).ended(2);
}
