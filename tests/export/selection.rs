//! Which bars are written.

use super::place;
use super::table::{assert_same, of_database, of_export};
use crate::harness::{Place, make};

#[test]
fn bars_are_selected_by_symbol_timeframe_market_and_trading_date() {
    let place = place();
    for (flags, condition) in [
        ("--symbol=NA --symbols=SPX,X:BTC-USD", "symbol IN ('NA', 'I:SPX', 'X:BTCUSD')"),
        ("--all --timeframes=1h,day_official", "timeframe IN ('1h', 'day_official')"),
        ("--dataset=crypto --timeframes=15m", "symbol LIKE 'X:%' AND timeframe = '15m'"),
        (
            "--timeframes=5m --from=2025-11-29 --to=2026-03-01",
            "timeframe = '5m' AND session_date BETWEEN '2025-11-29' AND '2026-03-01'",
        ),
        ("--timeframes=5m --to=2025-11-28", "timeframe = '5m' AND session_date = '2025-11-28'"),
        ("--symbol=SPY --from=2026-03-08", "symbol = 'SPY' AND session_date >= '2026-03-08'"),
        ("--timeframes=day --days=220", "timeframe = 'day' AND session_date >= '2026-02-25'"),
    ] {
        place.type_line(&format!("export --output=out --quiet {flags}")).ended(0);
        let (exported, stored) = (of_export(&place.path("work/out")), of_database(&place.database(), condition));
        assert!(!stored.is_empty(), "{condition}");
        assert_same(&exported, &stored);
    }
}

#[test]
fn named_symbols_without_bars_are_told() {
    let place = place();
    let ran = place.type_line("export --output=out --symbols=SPY,NOPE,I:NIX --timeframes=day").ended(3);
    assert!(ran.err.contains("no bars of: I:NIX NOPE\n"), "{}", ran.err);
    assert!(ran.out.contains("day            4"), "{}", ran.out);
    assert!(!ran.err.contains("everything"), "{}", ran.err);
    let json =
        place.type_line("export --output=out --symbols=SPY,NOPE --timeframes=day --json --quiet").ended(3).json();
    assert_eq!(json["totals"]["missing_symbols"], serde_json::json!(["NOPE"]));
    assert_eq!(json["settings"]["selection"]["symbols"]["stocks"], serde_json::json!(["NOPE", "SPY"]));
}

#[test]
fn what_is_not_there_makes_no_folder() {
    let place = Place::new();
    let hint = "hint: `backfill status` shows what is there";
    let empty = place.type_line("export --output=out").ended(1);
    assert!(empty.err.contains("nothing is stored of what was asked for") && empty.err.contains(hint), "{}", empty.err);
    assert!(!place.database().exists() && !place.path("work/out").exists());

    make(&place.bucket(), &[barkeep::model::Dataset::Stocks], "2026-10-02", "2026-10-02");
    place.type_line("s3 --source=BUCKET --days=1 --symbol=SPY --timeframes=day --quiet").ended(0);
    for flags in ["--symbol=AAPL", "--timeframes=1h", "--dataset=crypto", "--to=2026-10-01", "--from=2026-10-03"] {
        let ran = place.type_line(&format!("export --output=out {flags}")).ended(1);
        assert!(ran.err.contains("nothing is stored of what was asked for"), "{flags}: {}", ran.err);
        assert!(!place.path("work/out").exists(), "{flags}");
    }
    let all = place.type_line("export --output=out").ended(0);
    assert!(all.err.contains("exporting everything that is stored"), "{}", all.err);
    let named = place.type_line("export --output=out --all").ended(0);
    assert!(!named.err.contains("exporting everything"), "{}", named.err);
}

#[test]
fn what_makes_no_sense_is_wrong_usage() {
    let place = Place::new();
    for (flags, said) in [
        ("", "--output"),
        ("--output=o --format=orc", "parquet"),
        ("--output=o --timeframes=2m", "`2m` is not a timeframe"),
        ("--output=o --timeframes=", "--timeframes: the list is empty"),
        ("--output=o --from=2026-02-02 --to=2026-02-01", "exchange them"),
        ("--output=o --days=0", "--days=0"),
        ("--output=o --symbol=F:ES", "futures are not supported"),
        ("--output=o --symbol=SPY --dataset=crypto", "belongs to stocks"),
    ] {
        let ran = place.type_line(&format!("export {flags}")).ended(2);
        assert!(ran.err.contains(said), "{flags}: {}", ran.err);
    }
}
