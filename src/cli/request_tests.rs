use clap::Parser;
use jiff::civil::date;

use super::*;
use crate::cli::args::{Args, Command};

/// A Friday, 11:00 in New York.
const NOW: &str = "2024-07-12T15:00:00Z";

fn command(line: &str) -> Command {
    Args::try_parse_from(format!("backfill {line}").split_whitespace()).unwrap().command.unwrap()
}

fn request(flags: &str) -> Result<Request, String> {
    let Command::S3(args) = command(&format!("s3 {flags}")) else { panic!("s3") };
    Request::new(&args.selection, &args.files, NOW.parse().unwrap()).map_err(|error| error.to_string())
}

fn symbols(names: &[&str]) -> Vec<Symbol> {
    names.iter().map(|name| Symbol::from_ticker(name).unwrap()).collect()
}

fn selected(flags: &str, watchlist: &[&str]) -> Result<(String, bool), String> {
    let (selections, note) = request(flags)?.selections(&symbols(watchlist)).map_err(|error| error.to_string())?;
    let lines: Vec<_> = selections
        .into_iter()
        .map(|Selection { dataset, wanted, dates }| {
            let wanted = match wanted {
                Wanted::All => "all".to_owned(),
                Wanted::Symbols(symbols) => symbols.iter().map(Symbol::as_str).collect::<Vec<_>>().join(" "),
            };
            format!("{dataset} {}..{}: {wanted}", dates.start(), dates.end())
        })
        .collect();
    Ok((lines.join("; "), note.is_some()))
}

#[test]
fn each_dataset_gets_its_symbols_and_dates() {
    for (flags, watchlist, expected) in [
        ("--days=1 --all", &[][..], ("stocks 2024-07-11..2024-07-11: all", false)),
        ("--days=1 --all --dataset=crypto", &["A"], ("crypto 2024-07-11..2024-07-11: all", false)),
        (
            "--from=2024-07-11 --symbol=SPX --symbols=MSFT,AAPL,MSFT,X:BTC-USD",
            &["A"],
            (
                "stocks 2024-07-11..2024-07-11: AAPL MSFT; indices 2024-07-11..2024-07-11: I:SPX; \
                 crypto 2024-07-11..2024-07-11: X:BTCUSD",
                false,
            ),
        ),
        ("--days=1", &["B", "A"], ("stocks 2024-07-11..2024-07-11: A B", false)),
        ("--days=1 --dataset=indices", &["A", "I:SPX"], ("indices 2024-07-11..2024-07-11: I:SPX", false)),
        ("--days=1", &[], ("stocks 2024-07-11..2024-07-11: DIA IWM QQQ SPY", true)),
        ("--days=1 --dataset=stocks", &[], ("stocks 2024-07-11..2024-07-11: DIA IWM QQQ SPY", true)),
    ] {
        let (lines, note) = expected;
        assert_eq!(selected(flags, watchlist), Ok((lines.to_owned(), note)), "{flags}");
    }
}

#[test]
fn the_first_line_names_the_starter_set_and_how_to_name_others() {
    let (_, note) = request("").unwrap().selections(&[]).unwrap();
    assert_eq!(
        note.unwrap(),
        "No symbol named and the watchlist is empty: taking SPY QQQ IWM DIA. Name others with --symbol=S or \
         --symbols=a,b,c, keep them with `backfill watchlist add S`, or take every symbol with --all."
    );
}

#[test]
fn timeframes_depend_on_how_much_is_asked_for() {
    for (flags, expected) in [
        ("", "1m,5m,15m,1h,4h,day"),
        ("--symbol=A", "1m,5m,15m,1h,4h,day"),
        ("--all", "5m,15m,1h,4h,day"),
        ("--all --timeframes=day,1m", "1m,day"),
    ] {
        assert_eq!(request(flags).unwrap().timeframes.to_string(), expected, "{flags}");
    }
}

#[test]
fn dates_without_a_symbol_are_judged_when_the_watchlist_is_known() {
    let saturday_in_london = "2024-07-13T01:00:00Z".parse().unwrap();
    let Command::S3(args) = command("s3 --from=2024-07-13") else { panic!("s3") };
    let request = Request::new(&args.selection, &args.files, saturday_in_london).unwrap();
    assert!(request.selections(&symbols(&["X:BTCUSD"])).is_ok());
    assert!(request.selections(&symbols(&["AAPL"])).is_err());
}

#[test]
fn switches_are_taken_over() {
    let plain = request("").unwrap();
    assert_eq!((plain.force, plain.dry_run, plain.official_day, plain.accept), (false, false, true, Accept::None));
    let all = request("--force --dry-run --no-official-day --accept").unwrap();
    assert_eq!((all.force, all.dry_run, all.official_day, all.accept), (true, true, false, Accept::All));
    let dates = BTreeSet::from([date(2024, 7, 1), date(2024, 7, 2)]);
    assert_eq!(request("--accept=2024-07-02,2024-07-01").unwrap().accept, Accept::Dates(dates));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (flags, message) in [
        ("--days=0", "--days=0: there is nothing to load in 0 days; give 1 or more"),
        ("--from=2024-07-02 --to=2024-07-01", "--from=2024-07-02 lies after --to=2024-07-01: exchange them"),
        ("--from=2024-07-02 --to=2024-07-13", "--to=2024-07-13 lies in the future: for stocks it is 2024-07-12"),
        (
            "--symbol=A --symbol=I:SPX --from=2020-01-02",
            "--from=2020-01-02 lies before the vendor's first file of indices: give --from=2023-02-14 or later (load \
             datasets that begin earlier in a run of their own)",
        ),
        ("--symbol=F:ES", "--symbol: `F:ES`: futures are not supported"),
        ("--symbol=A --dataset=options", "--symbol: `A` belongs to stocks, not to options"),
        ("--symbols=,", "--symbols=,: there is no symbol in it; leave the flag out to load the watchlist"),
        ("--timeframes=5m,2m", "--timeframes: `2m` is not a timeframe (known: 1m 5m 15m 1h 4h day)"),
        (
            "--timeframes=day,day_official",
            "--timeframes: day_official is not made from minutes; it is the vendor's own day bar, loaded beside the \
             others unless --no-official-day is given: leave it out of the list",
        ),
        ("--timeframes=", "--timeframes: the list is empty; name some of 1m 5m 15m 1h 4h day, or leave the flag out"),
        (
            "--accept=2024-07-01,x",
            "--accept: `x` is not a date of the form YYYY-MM-DD, such as 2024-07-31 (several with commas; no value at \
             all accepts every date)",
        ),
    ] {
        assert_eq!(request(flags).unwrap_err(), message, "{flags}");
    }
    let nothing = "no symbol is named, and the watchlist has none of crypto: name some with --symbol=S or \
                   --symbols=a,b,c, put some on the list with `backfill watchlist add S`, or load everything with --all";
    assert_eq!(selected("--dataset=crypto", &["A"]), Err(nothing.to_owned()));
    assert_eq!(selected("--dataset=crypto", &[]), Err(nothing.to_owned()));
    assert!(selected("--dataset=stocks", &["X:BTCUSD"]).is_err(), "somebody who watches only crypto");
}

#[test]
fn watchlist_symbols_are_those_of_the_command_line() {
    let typed = |names: &[&str]| watchlist_symbols(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(typed(&["SPX", "A", "A"]).unwrap(), symbols(&["A", "I:SPX"]));
    assert_eq!(typed(&["F:ES"]).unwrap_err().to_string(), "watchlist: `F:ES`: futures are not supported");
}

#[test]
fn bars_and_status_name_what_they_show() {
    let bars = |line: &str, json| {
        let Command::Bars(args) = command(line) else { panic!("bars") };
        BarsRequest::new(&args, json, NOW.parse().unwrap()).map_err(|error| error.to_string())
    };
    let shown = bars("bars SPX --from=2024-07-01 --to=2024-07-01 --limit=3", true).unwrap();
    let day = Some(date(2024, 7, 1));
    let symbol = Symbol::from_ticker("I:SPX").unwrap();
    let expected = BarsRequest {
        symbol,
        timeframe: Timeframe::Day,
        from: day,
        to: day,
        limit: Some(3),
        format: BarsFormat::Json,
        fetch: None,
    };
    assert_eq!(shown, expected);
    assert_eq!(
        bars("bars A --from=2024-07-02 --to=2024-07-01", false).unwrap_err(),
        "--from=2024-07-02 lies after --to=2024-07-01: exchange them"
    );
    assert_eq!(bars("bars F:ES", false).unwrap_err(), "`F:ES`: futures are not supported");
    assert_eq!(bars("bars A", false).unwrap().format, BarsFormat::Table);
    assert_eq!(bars("bars A --csv", false).unwrap().format, BarsFormat::Csv);
    assert_eq!(bars("bars A --csv", true).unwrap_err(), "--csv and --json exclude each other: give one of them");

    let Command::Status(args) = command("status --symbol=B --symbol=A --dataset=stocks") else { panic!("status") };
    let status = StatusRequest::new(&args).unwrap();
    let expected = StatusRequest { symbols: symbols(&["A", "B"]), dataset: Some(Dataset::Stocks), restatements: None };
    assert_eq!(status, expected);
    let (from, to) = (Some(date(2024, 7, 2)), Some(date(2024, 7, 1)));
    let args = StatusArgs { restatements: true, from, ..StatusArgs::default() };
    assert_eq!(StatusRequest::new(&args).unwrap().restatements, Some(date(2024, 7, 2)..=Date::MAX));
    let error = StatusRequest::new(&StatusArgs { to, ..args }).unwrap_err();
    assert!(matches!(error, RequestError::Backwards { .. }), "{error}");
}
