//! Columns, quotes, line ends, tickers, numbers.

use barkeep::aggregate::DayGrid;
use barkeep::ingest::decode::{DecodeError, Grouping, decode_day, decode_minutes};
use barkeep::model::{Dataset, Timeframe, TimeframeSet};
use jiff::civil::date;

use super::common::{HEADER, INDEX_HEADER, csv, gzip, row, stamp};
use super::{DAY, decode, everything, only, stocks};

fn at(hour: u16, minute: u16) -> i64 {
    stamp(Dataset::Stocks, DAY, hour, minute)
}

#[test]
fn every_dataset_has_its_layout() {
    for (dataset, ticker) in [
        (Dataset::Stocks, "AAPL"),
        (Dataset::Options, "O:SPY251219C00600000"),
        (Dataset::Forex, "C:EURUSD"),
        (Dataset::Crypto, "X:BTCUSD"),
    ] {
        let packed = gzip(csv(HEADER, [row(ticker, stamp(dataset, DAY, 10, 0), 5_000, "12", 3)]));
        let (read, minutes) = decode(dataset, DAY, &packed, &everything(), Grouping::Together).unwrap();
        let minute = minutes[ticker][0];
        assert_eq!((read.rows, read.rejects.total(), minute.minute), (1, 0, 600), "{dataset}");
        assert_eq!((minute.volume, minute.trades), (12.0, 3));
        let prices = minute.prices;
        assert_eq!([prices.open, prices.close, prices.high, prices.low], [50.01, 50.02, 50.03, 50.0]);
    }
}

#[test]
fn indices_have_six_columns_and_may_be_negative() {
    let line = format!("I:TICK,-5.5,0,12.25,-100.5,{}", at(10, 0));
    let packed = gzip(csv(INDEX_HEADER, [line.as_str()]));
    let (_, minutes) = decode(Dataset::Indices, DAY, &packed, &everything(), Grouping::Together).unwrap();
    let minute = minutes["I:TICK"][0];
    assert_eq!((minute.volume, minute.trades, minute.vwap), (0.0, 0, None));
    let prices = minute.prices;
    assert_eq!([prices.open, prices.close, prices.high, prices.low], [-5.5, 0.0, 12.25, -100.5]);
    assert!(matches!(stocks(&packed), Err(DecodeError::Header(_))), "stocks need volume");
}

#[test]
fn columns_are_found_by_name_wherever_they_stand() {
    let header = "vwap,low,window_start,transactions,ticker,open,otc,high,close,volume";
    let packed = gzip(format!("{header}\n9.9,1,{},7,A,2,x,4,3,5\n", at(10, 0)));
    let minute = stocks(&packed).unwrap().1["A"][0];
    assert_eq!((minute.prices.open, minute.prices.high, minute.prices.low, minute.prices.close), (2.0, 4.0, 1.0, 3.0));
    assert_eq!((minute.volume, minute.trades, minute.vwap), (5.0, 7, None), "an unknown column is no VWAP");
}

#[test]
fn quotes_line_ends_and_a_byte_order_mark_change_nothing() {
    let rows = [row("A", at(10, 0), 100, "1", 1), row("B.WS", at(10, 1), 200, "2", 2)];
    let plain = stocks(&gzip(csv(HEADER, &rows))).unwrap();
    let quote = |line: &str| line.split(',').map(|field| format!("\"{field}\"")).collect::<Vec<_>>().join(",");
    let quoted = csv(&quote(HEADER), rows.iter().map(|line| quote(line)));
    let mixed = csv(HEADER, [rows[0].clone(), quote(&rows[1])]);
    let text = csv(HEADER, &rows);
    for (what, text) in [
        ("quoted", quoted.clone()),
        ("mixed", mixed),
        ("carriage returns", text.replace('\n', "\r\n")),
        ("quoted with carriage returns", quoted.replace('\n', "\r\n")),
        ("byte order mark", format!("\u{feff}{text}")),
        ("byte order mark and quotes", format!("\u{feff}{quoted}")),
        ("no line end at the end", text.trim_end().to_owned()),
        ("empty lines", text.replace('\n', "\n\n")),
    ] {
        let (read, minutes) = stocks(&gzip(&text)).unwrap();
        assert_eq!(minutes, plain.1, "{what}");
        assert_eq!((read.rows, read.rejects.total(), &read.census), (2, 0, &plain.0.census), "{what}");
    }
}

/// A carriage return inside a line with quotes used to end the record, and what followed was dropped without a word.
#[test]
fn nothing_hides_behind_a_carriage_return() {
    let hidden = format!("\"A\",{}\r{}", &row("A", at(10, 0), 100, "1", 1)[2..], row("B", at(10, 1), 100, "1", 1));
    let rows: Vec<String> = (0..100).map(|n| row("C", at(11, n % 60), 100, "1", u64::from(n) + 1)).collect();
    let packed = gzip(csv(HEADER, rows.iter().chain([&hidden])));
    let (read, minutes) = stocks(&packed).unwrap();
    assert_eq!(read.rejects.total(), 1, "the line is rejected, not read in half");
    assert!(!minutes.contains_key("A"));
    let old_mac = gzip(csv(HEADER, [row("A", at(10, 0), 100, "1", 1)]).replace('\n', "\r"));
    assert!(matches!(stocks(&old_mac), Err(DecodeError::Header(_))), "rows must not vanish in the header's line");
}

#[test]
fn volumes_are_fractions_and_prices_exact() {
    let line = format!("A,17798.430378,4514.870000000001,4514.87,5000.123456789012,0.0001,{},3", at(10, 0));
    let minute = stocks(&gzip(csv(HEADER, [line.as_str()]))).unwrap().1["A"][0];
    assert_eq!(minute.volume.to_bits(), 17798.430378_f64.to_bits());
    assert_eq!(minute.prices.open.to_bits(), 4514.870000000001_f64.to_bits());
    assert_eq!(minute.prices.high.to_bits(), 5000.123456789012_f64.to_bits());
    assert_eq!(minute.prices.low.to_bits(), 0.0001_f64.to_bits());
}

#[test]
fn names_that_look_like_values_are_names() {
    let names = ["NA", "NAN", "TRUE", "INF", "NULL", "null", "BCpC", "BCPC", "ALpA", "ALPA", "BRK.B", "NE.WS.A", "1E5"];
    let rows = names.iter().zip(100..).map(|(name, cents)| row(name, at(10, 0), cents, "1", 1));
    let (read, minutes) = stocks(&gzip(csv(HEADER, rows))).unwrap();
    assert_eq!((read.rejects.total(), read.census.symbols), (0, names.len() as u64));
    for (name, cents) in names.iter().zip(100_u32..) {
        assert_eq!(minutes[*name][0].prices.low, f64::from(cents) / 100.0, "{name}");
    }
    let (_, one) = decode(
        Dataset::Stocks,
        DAY,
        &gzip(csv(HEADER, [row("BCPC", at(10, 0), 1, "1", 1)])),
        &only(&["BCpC"]),
        Grouping::Together,
    )
    .unwrap();
    assert!(one.is_empty(), "case tells tickers apart");
}

#[test]
fn pairs_lose_their_hyphen_and_merged_spellings_are_reported() {
    let at = |minute| stamp(Dataset::Crypto, DAY, 0, minute);
    let rows =
        [row("X:BTC-USD", at(0), 100, "1", 1), row("X:BTCUSD", at(1), 200, "1", 1), row("X:ETH-USD", at(0), 3, "1", 1)];
    let packed = gzip(csv(HEADER, rows));
    let together = decode(Dataset::Crypto, DAY, &packed, &everything(), Grouping::Together);
    assert!(matches!(together, Err(DecodeError::Scattered)));
    let (read, minutes) = decode(Dataset::Crypto, DAY, &packed, &everything(), Grouping::Any).unwrap();
    assert_eq!(minutes["X:BTCUSD"].len(), 2);
    assert_eq!(minutes.keys().collect::<Vec<_>>(), ["X:BTCUSD", "X:ETHUSD"]);
    assert_eq!(read.merged_spellings, ["X:BTC-USD and X:BTCUSD"]);
    assert_eq!(read.census.symbols, 2);
}

#[test]
fn wanted_symbols_have_the_same_minutes_as_in_a_load_of_all() {
    let rows: Vec<String> = ["A", "B", "C"]
        .iter()
        .flat_map(|ticker| (0..50).map(|n| row(ticker, at(10, n % 40), 100 + u32::from(n), "1", 1)))
        .collect();
    let packed = gzip(csv(HEADER, rows));
    for grouping in [Grouping::Together, Grouping::Any] {
        let (all, every) = decode(Dataset::Stocks, DAY, &packed, &everything(), grouping).unwrap();
        let (some, wanted) = decode(Dataset::Stocks, DAY, &packed, &only(&["B", "ABSENT"]), grouping).unwrap();
        assert_eq!(wanted.keys().collect::<Vec<_>>(), ["B"]);
        assert_eq!(wanted["B"], every["B"]);
        assert_eq!((some.rows, &some.census), (all.rows, &all.census));
        assert!(some.census.has("B") && !some.census.has("ABSENT"));
    }
}

#[test]
fn a_symbol_is_handed_on_with_its_own_timeframes() {
    let rows = ["A", "B"].map(|ticker| row(ticker, at(10, 0), 100, "1", 1));
    let packed = gzip(csv(HEADER, rows));
    let mut wanted = only(&["A"]);
    wanted.others = TimeframeSet::of([Timeframe::H1, Timeframe::DayOfficial]);
    let mut seen = Vec::new();
    let grid = DayGrid::new(Dataset::Stocks, DAY);
    decode_minutes(
        &packed[..],
        Dataset::Stocks,
        &grid,
        &wanted,
        Grouping::Together,
        |_| (),
        |symbol| {
            seen.push((symbol.ticker.to_owned(), symbol.timeframes.to_string()));
            std::ops::ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!(seen, [("A".to_owned(), "1m,5m,15m,1h,4h,day".to_owned()), ("B".to_owned(), "1h".to_owned())]);
}

#[test]
fn a_receiver_that_wants_no_more_stops_the_reading() {
    let rows = ["A", "B"].map(|ticker| row(ticker, at(10, 0), 100, "1", 1));
    let packed = gzip(csv(HEADER, rows));
    let mut seen = 0;
    let grid = DayGrid::new(Dataset::Stocks, DAY);
    let stopped = decode_minutes(
        &packed[..],
        Dataset::Stocks,
        &grid,
        &everything(),
        Grouping::Together,
        |_| (),
        |_| {
            seen += 1;
            std::ops::ControlFlow::Break(())
        },
    );
    assert!(matches!(stopped, Err(DecodeError::Stopped)));
    assert_eq!(seen, 1);
}

#[test]
fn progress_adds_up_to_the_rows() {
    let rows: Vec<String> = (0..120_000).map(|_| row("A", at(10, 0), 100, "1", 1)).collect();
    let packed = gzip(csv(HEADER, rows));
    let (mut calls, mut heard) = (0, 0);
    let grid = DayGrid::new(Dataset::Stocks, DAY);
    let progress = |rows| {
        calls += 1;
        heard += rows;
    };
    let go_on = |_: barkeep::ingest::decode::SymbolMinutes<'_>| std::ops::ControlFlow::Continue(());
    decode_minutes(&packed[..], Dataset::Stocks, &grid, &everything(), Grouping::Together, progress, go_on).unwrap();
    assert_eq!((calls, heard), (3, 120_000));
}

#[test]
fn day_bars_are_keyed_by_the_files_date_and_their_stamps_only_noted() {
    let official = TimeframeSet::of([Timeframe::DayOfficial]);
    let wanted = barkeep::ingest::Wanted { others: official, ..Default::default() };
    let grid = DayGrid::new(Dataset::Stocks, DAY);
    let next_day = stamp(Dataset::Stocks, date(2026, 10, 5), 0, 0);
    let rows = [
        row("A", at(0, 0), 100, "10.5", 3),
        row("B", at(16, 0), 200, "0", 0),
        row("C", next_day, 300, "1", 1),
        row("D", 1, 300, "1", 1).replace(",1,1", ",-6795364578871345152,1"),
    ];
    let mut read = decode_day(&gzip(csv(HEADER, &rows))[..], Dataset::Stocks, &grid, &wanted).unwrap();
    assert_eq!((read.rows, read.rejects.total(), read.odd_stamps, read.symbol_count()), (4, 0, 2, 4));
    let bar = read.take("A").unwrap().bar(Dataset::Stocks, &grid);
    assert_eq!((bar.timeframe, bar.timestamp_ms), (Timeframe::DayOfficial, at(0, 0) / 1_000_000));
    assert_eq!((bar.volume, bar.trades, bar.vwap, bar.minutes), (Some(10.5), Some(3), None, 0));
    assert_eq!(bar.end_timestamp_ms, at(20, 0) / 1_000_000, "its volume includes the post-market");
    let rest: Vec<String> = read.take_rest().into_iter().map(|(ticker, _)| ticker).collect();
    assert_eq!(rest, ["B", "C", "D"]);
    assert!(read.take_rest().is_empty());
    read.untake();
    assert_eq!(read.take_rest().len(), 4);
}
