//! What a user can get wrong: what is said, how it ends, and that nothing is left half written.

use std::fs;

use crate::harness::{Dump, ran};
use crate::{World, names};

/// A line, how it ends, and what it says.
const LINES: &[(&str, i32, &str)] = &[
    ("--detector=breakout_bulish", 2, "did you mean `breakout_bullish`?"),
    ("--detector=", 2, "there is no detector ``"),
    ("--set=breakout_bullish.rvol=2", 2, "breakout_bullish has no parameter `rvol`"),
    ("--set=breakout_bullish.rvol_min=-5", 2, "out of range"),
    ("--set=breakout_bullish.rvol_min=two", 2, "is not a value for this number"),
    ("--set=breakout_bullish.donchian_bars=20.5", 2, "is not a value for this integer"),
    ("--set=rvol_min=2", 2, "DETECTOR.PARAM=VALUE"),
    ("--set=all.rvol_min=2", 2, "`all` is a group, and parameters are set for one detector at a time"),
    ("--params=group.toml", 2, "`equity` is a group"),
    ("--set=breakout_bullish.rvol_min", 2, "DETECTOR.PARAM=VALUE"),
    ("--detector=breakout_bearish --set=breakout_bullish.rvol_min=2", 2, "not among the detectors of this run"),
    ("--set=breakout_bullish.w_volume_intensity=0.9", 2, "must sum to 1"),
    (
        "--set=breakout_bullish.rth_only=false",
        2,
        "breakout_bullish.rth_only = false changes nothing without --session=all",
    ),
    (
        "--params=night.toml",
        2,
        "trend_continuation_long.hold_overnight = true changes nothing without --hold-overnight",
    ),
    ("--hold-overnight", 2, "no detector of this run holds positions over the close"),
    ("--symbol=SPY --etf=AAPL", 2, "AAPL is not among the symbols of this run"),
    ("audit --set=breakout_bullish.rth_only=false", 2, "changes nothing without --session=all"),
    ("audit --min-bars=100", 2, "--min-bars"),
    ("--params=none.toml", 2, "cannot read the file"),
    ("--params=bad.toml", 2, "it is not TOML"),
    ("--params=other.toml", 2, "there is no detector `breakout`"),
    ("--from=2026-09-30 --to=2026-09-01", 2, "exchange them"),
    ("--to=2026-09-01", 2, "--from"),
    ("--from=2027-01-04", 2, "lies in the future"),
    ("--from=2026-09-26 --to=2026-09-27", 2, "no session"),
    ("--from=yesterday", 2, "not a date"),
    ("--days=0", 2, "nothing to load in 0 days"),
    ("--days=5 --from=2026-09-01", 2, "cannot be used with"),
    ("--symbol=F:ESZ6", 2, "futures are not supported"),
    ("--symbols=@none.txt", 2, "cannot read the list of symbols"),
    ("--symbols=SPY,X:BTCUSD", 2, "different trading days"),
    ("--all --symbol=SPY", 2, "cannot be used with"),
    ("--universe=best", 2, "such as top:500"),
    ("--universe=top:0", 2, "such as top:500"),
    ("--timeframe=2m", 2, "invalid value"),
    ("--costs=zero --slippage-bps=1", 2, "exclude each other"),
    ("--half-spread-bps=-1", 2, "--half-spread-bps"),
    ("--commission-bps=1 --commission-min=1", 2, "cannot be used with"),
    ("--lot=0", 2, "--lot=0"),
    ("--no-portfolio --risk-pct=2", 2, "cannot be used with"),
    ("--risk-pct=0", 2, "--risk-pct=0"),
    ("--oi-proxy=volume", 2, "option bars are not loaded"),
    ("--signals=none.csv", 2, "cannot read the file"),
    ("--signals=rows.csv", 2, "line 2, side: `up` is no side"),
    ("--signals=rows.csv --detector=all", 2, "cannot be used with"),
    ("--signal-levels=percent", 2, "--signals"),
    ("--signals=far.csv --signal-levels=percent", 2, "line 2, stop: a LONG with its stop 150 % below the entry"),
    ("--borrow-bps-per-day=500", 2, "--borrow-bps-per-day changes nothing without --hold-overnight"),
    ("--signals=rows.csv --signal-levels=pips", 2, "invalid value"),
    ("--no-fallback --recheck", 2, "cannot be used with"),
    ("--threads=0", 2, "invalid value"),
    ("--unknown", 2, "unexpected argument"),
    ("--symbol=SPY detectors", 2, "flags of a run"),
    ("detectors nothing", 2, "there is no detector `nothing`"),
    ("compare nothing neither", 2, "there is no run `nothing`"),
    ("compare rows.csv rows.csv", 1, "is not the JSON of a run"),
    ("explain equity SPY 2026-10-01T10:15", 2, "is a group"),
    ("explain breakout_bullish SPY yesterday", 2, "is no time"),
    ("explain breakout_bullish SPY 2026-10-01T10:16", 1, "the nearest end at"),
    ("explain breakout_bullish SPX 2026-10-01T10:15", 2, "--ignore-asset-class runs it all the same"),
    ("explain breakout_bullish SPY 2027-11-20T10:15", 2, "2027-11-20T10:15 lies in the future: it is 2026-10-05"),
    (
        "explain breakout_bullish SPY 2026-09-26T10:15",
        2,
        "2026-09-26T10:15: there is no session of stocks on 2026-09-26",
    ),
    ("explain breakout_bullish SPY 2001-01-02T10:15", 2, "2001-01-02T10:15 is outside the trading calendar"),
    ("--output=rows.csv", 1, "cannot create the output directory"),
    ("--database-url=mysql://host/bars", 2, "mysql"),
    ("--no-fallback --database-url=sqlite:rows.csv", 1, "is not a barkeep database"),
    ("--no-fallback --database-url=sqlite:none.db", 1, "there is no database"),
];

#[test]
fn what_is_wrong_is_said_and_nothing_is_written() {
    let world = World::filled();
    fs::write(world.path("bad.toml"), "[breakout_bullish\n").unwrap();
    fs::write(world.path("night.toml"), "[trend_continuation_long]\nhold_overnight = true\n").unwrap();
    fs::write(world.path("group.toml"), "[equity]\nrvol_min = 2\n").unwrap();
    fs::write(world.path("other.toml"), "[breakout]\nrvol_min = 2\n").unwrap();
    fs::write(world.path("rows.csv"), "symbol,timestamp,side,stop\nSPY,2026-10-01T10:15:00-04:00,up,1\n").unwrap();
    fs::write(world.path("far.csv"), "symbol,timestamp,side,stop\nSPY,2026-10-01T10:15:00-04:00,long,150\n").unwrap();
    let (before, files) = (Dump::of(&world.place.database()), names(&world.path("")));
    let mut wrong = Vec::new();
    for (line, code, says) in LINES {
        let ran = world.run(line);
        if ran.code != *code || !ran.err.contains(says) || !ran.out.is_empty() {
            wrong.push(format!("{line}\n  ended {} saying {}\n  not {code} saying {says}", ran.code, ran.err));
        }
        if names(&world.path("")) != files {
            wrong.push(format!("{line}\n  left {:?}", names(&world.path(""))));
            let _ = fs::remove_dir_all(world.path("backtest-results"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Dump::of(&world.place.database()).assert_same(&before);
}

/// Nothing is advised that would not help: a flag that the command lacks, or one without effect.
#[test]
fn advice_can_be_followed() {
    let world = World::filled();
    for line in ["explain breakout_bullish SPY 2026-10-01T10:15", "audit --symbol=SPY"] {
        let ran = world.run(&format!("{line} --database-url=sqlite:none.db")).ended(1);
        assert!(ran.err.contains("there is no database") && !ran.err.contains("--no-fallback"), "{}", ran.err);
    }
    let ran = world.run("explain breakout_bullish VIX 2026-10-01T10:15").ended(2);
    assert!(ran.err.contains("not_tradable") && !ran.err.contains("--ignore-asset-class"), "{}", ran.err);
}

/// A folder that is there stays; what is in it, too.
#[test]
fn results_that_are_there_stay() {
    let world = World::filled();
    fs::create_dir(world.path("backtest-results")).unwrap();
    fs::write(world.path("backtest-results/mine.txt"), "mine").unwrap();
    world.run("--no-fallback --database-url=sqlite:none.db").ended(1);
    assert_eq!(names(&world.path("backtest-results")), ["mine.txt"]);
}

/// No key, however it is typed, is in what is printed or written.
#[test]
fn an_address_with_a_password_is_not_shown() {
    let world = World::filled();
    let database = world.place.database();
    let mut command = world.command("--days=10 --symbol=SPY --detector=equity --no-fallback");
    command.arg(format!("--database-url=sqlite:{}", database.display()));
    let ran = ran(&mut command).ended(0);
    let page = names(&world.path("backtest-results")).into_iter().find(|name| name.contains(".html")).unwrap();
    let page = fs::read_to_string(world.path("backtest-results").join(page)).unwrap();
    assert!(!page.contains(&database.display().to_string()), "{}", ran.err);
    assert!(page.contains("--database-url=…"));
}
