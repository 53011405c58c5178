use super::super::engine::fixture::{Market, flat};
use super::super::{SessionScope, StopRule, TargetRule};
use super::*;
use crate::model::Timeframe;

const PRICES: SignalOptions = SignalOptions { levels: LevelUnit::Price, default_stop_atr: None };

fn bad(text: &str, options: &SignalOptions) -> Vec<String> {
    match parse(text.as_bytes(), options) {
        Err(SignalsError::Rows { first, .. }) => first.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

fn refused(text: &str) -> String {
    parse(text.as_bytes(), &PRICES).unwrap_err().to_string()
}

#[test]
fn columns_are_bound_by_name_and_rows_come_in_order() {
    let text = "\u{feff}side,symbol,stop,timestamp\r\nSell,SPY,101,2026-11-30T10:15:00-05:00\r\n\r\nlong,BRK.B,1,1796051700000\n";
    let rows = parse(text.as_bytes(), &PRICES).unwrap();
    let found: Vec<_> = rows.iter().map(|row| (row.symbol.as_str(), row.line, row.side, row.end_ms)).collect();
    assert_eq!(found, [("BRK.B", 4, Side::Long, 1796051700000), ("SPY", 2, Side::Short, 1796051700000)]);
    assert_eq!((rows[1].stop, rows[1].target, rows[1].max_bars, rows[1].size), (Some(101.0), None, None, None));
}

#[test]
fn headers_that_would_be_guessed_are_refused() {
    assert!(refused("").contains("no column `symbol`"));
    assert!(refused("symbol,side\nSPY,long\n").contains("no column `timestamp`"));
    assert!(refused("symbol,timestamp,side,stoploss\n").contains("`stoploss` that is unknown"));
    assert!(refused("symbol,timestamp,side,side\n").contains("`side` that is unknown or there twice"));
    assert!(refused("symbol,timestamp,side,stop\n").contains("no signal in it"));
}

#[test]
fn bad_rows_are_named_by_line_and_column() {
    let header = "symbol,timestamp,side,stop,target,max_bars,size\n";
    let good = "1796051700000,long,99,,,\n";
    let rows = [
        "SPY,1796051700000,long,99,101,,",
        "SPY,1796051700000,buy,99,101,,",
        "S PY,1796051700001,long,99,101,,",
        "SPY,1796051700,long,99,101,,",
        "SPY,2026-11-30T10:15:00,long,99,101,,",
        "SPY,1796051700002,up,99,101,,",
        "SPY,1796051700003,long,-1,101,,",
        "SPY,1796051700004,long,,101,,",
        "SPY,1796051700005,short,99,101,,",
        "SPY,1796051700006,long,99,101,0,",
        "SPY,1796051700007,long,99,101,,1e999",
        "SPY,1796051700008,long",
    ];
    let text = format!("{header}{}\n", rows.join("\n"));
    let told = bad(&text, &PRICES);
    let beginnings = [
        "line 3, timestamp: line 2 has the same",
        "line 4, symbol: `S PY` is not a ticker",
        "line 5, timestamp: 1796051700 milliseconds since 1970 lie before 1990",
        "line 6, timestamp: `2026-11-30T10:15:00` is no instant",
        "line 7, side: `up` is no side",
        "line 8, stop: `-1` is no number above zero",
        "line 9, stop: there is no stop",
        "line 10, target: a SHORT has its stop 99 and its target 101 the wrong way round",
        "line 11, max_bars: `0` is no whole number",
        "line 12, size: `1e999` is no number",
    ];
    assert_eq!(told.len(), BAD_ROWS);
    for (told, beginning) in told.iter().zip(beginnings) {
        assert!(told.starts_with(beginning), "{told}");
    }
    let error = parse(text.as_bytes(), &PRICES).unwrap_err().to_string();
    assert!(error.starts_with("11 rows are no signals\n  line 3") && error.ends_with("and 1 more"), "{error}");
    let not_text = [header.as_bytes(), b"SP\xffY,", good.as_bytes()].concat();
    let error = parse(&not_text, &PRICES).unwrap_err().to_string();
    assert_eq!(error, "a row is no signal\n  line 2, symbol: it is not UTF-8: save the file as UTF-8");
}

/// A long with its stop 150 % away was traded with a stop below zero.
#[test]
fn percent_that_leave_no_price_are_refused() {
    let percent = SignalOptions { levels: LevelUnit::Percent, default_stop_atr: None };
    let text = "symbol,timestamp,side,stop,target\n\
                SPY,1796051700000,long,99.9,150\n\
                SPY,1796051700001,short,150,99.9\n\
                SPY,1796051700002,long,100,\n\
                SPY,1796051700003,short,5,150\n";
    let told = bad(text, &percent);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("line 4, stop: a LONG with its stop 100 % below the entry"), "{}", told[0]);
    assert!(told[1].starts_with("line 5, target: a SHORT with its target 150 % below the entry"), "{}", told[1]);
    let distances = SignalOptions { levels: LevelUnit::Distance, ..percent };
    assert!(parse(text.as_bytes(), &distances).is_ok(), "what price they are distances from, the file does not say");
}

#[test]
fn rows_are_placed_on_the_bar_that_ends_at_their_timestamp() {
    let mut market = Market::new(Timeframe::M15);
    market.bars(0, -15, &[flat(100.0), flat(100.0), flat(200.0), flat(200.0)]).bars(1, 0, &[flat(200.0)]);
    market.data.tradable[1] = false;
    let row = |minute: i64, session: u32| SignalRow {
        line: 2,
        symbol: market.data.instrument.symbol.clone(),
        end_ms: market.at(session, minute),
        side: Side::Long,
        stop: Some(2.0),
        target: Some(3.0),
        max_bars: Some(4),
        size: Some(7.0),
    };
    let empty = market.at(2, 30);
    let facts = BarFacts { atr: &[f64::NAN, f64::NAN, 0.5, f64::NAN, 1.0], regime: &[None; 5], atr_is_needed: false };
    let placed = |row: &SignalRow, levels, scope| {
        let options = SignalOptions { levels, default_stop_atr: Some(1.0) };
        let matched = signals(&market.data, std::slice::from_ref(row), &options, scope, &facts);
        match (matched.signals.first(), matched.unmatched.first()) {
            (Some(signal), None) => Ok((signal.bar, signal.plan.stop, signal.plan.target)),
            (None, Some(unmatched)) => Err(unmatched.reason),
            other => panic!("{other:?}"),
        }
    };
    let regular = SessionScope::Regular;
    let both = |distance: f64, target: f64| (StopRule::Distance(distance), TargetRule::Distance(target));
    for (levels, (stop, target)) in [
        (
            LevelUnit::Price,
            (
                StopRule::Level { level: 2.0, min: 0.0, max: f64::INFINITY },
                TargetRule::Level { level: 3.0, cap: f64::INFINITY },
            ),
        ),
        (LevelUnit::Distance, both(2.0, 3.0)),
        (LevelUnit::Percent, both(4.0, 6.0)),
        (LevelUnit::Atr, both(1.0, 1.5)),
    ] {
        assert_eq!(placed(&row(30, 0), levels, regular), Ok((2, stop, target)), "{levels}");
    }
    let bare = SignalRow { stop: None, target: None, ..row(30, 0) };
    assert_eq!(placed(&bare, LevelUnit::Price, regular), Ok((2, StopRule::Distance(0.5), TargetRule::None)));
    assert_eq!(placed(&row(31, 0), LevelUnit::Price, regular), Err(UnmatchedReason::NotABarEnd));
    assert_eq!(placed(&row(45, 0), LevelUnit::Atr, regular), Err(UnmatchedReason::NoAtr));
    assert_eq!(placed(&row(15, 1), LevelUnit::Price, regular), Err(UnmatchedReason::OutsidePeriod));
    assert_eq!(placed(&row(0, 0), LevelUnit::Price, regular), Err(UnmatchedReason::OutsideHours));
    assert!(placed(&row(0, 0), LevelUnit::Price, SessionScope::All).is_ok());
    let at = |end_ms: i64| placed(&SignalRow { end_ms, ..row(0, 0) }, LevelUnit::Price, regular);
    assert_eq!(at(empty), Err(UnmatchedReason::NoBars), "a session without bars");
    assert_eq!(at(market.at(0, 600)), Err(UnmatchedReason::OutsideHours), "bars of these are not read");
    let day = 24 * 60;
    assert_eq!(at(market.at(0, -3 * day)), Err(UnmatchedReason::OutsidePeriod), "before all sessions of the run");
    assert_eq!(at(market.at(0, 30 * day)), Err(UnmatchedReason::OutsidePeriod), "after them");
    assert_eq!(at(market.at(0, 3 * day)), Err(UnmatchedReason::NotABarEnd), "Thanksgiving is no session");
    assert_eq!(at(i64::MIN + 1), Err(UnmatchedReason::OutsidePeriod));
    // Levels that would lie at or below zero.
    let long = |stop: f64, levels| placed(&SignalRow { stop: Some(stop), ..row(30, 0) }, levels, regular).map(|_| ());
    assert_eq!(long(199.9, LevelUnit::Distance), Ok(()));
    assert_eq!(long(200.0, LevelUnit::Distance), Err(UnmatchedReason::BelowZero("stop")));
    assert_eq!(long(400.0, LevelUnit::Atr), Err(UnmatchedReason::BelowZero("stop")));
    let short = |stop: f64, target: f64| {
        let row = SignalRow { side: Side::Short, stop: Some(stop), target: Some(target), ..row(30, 0) };
        placed(&row, LevelUnit::Distance, regular).map(|_| ())
    };
    assert_eq!(short(400.0, 199.9), Ok(()), "above the entry there is room");
    assert_eq!(short(1.0, 200.0), Err(UnmatchedReason::BelowZero("target")));
}
