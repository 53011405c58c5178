use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Args, clap::Error> {
    Args::try_parse_from(line.split_whitespace())
}

fn ingest(line: &str) -> IngestArgs {
    match parse(line).unwrap().command {
        Some(Command::S3(ingest)) => ingest,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_definition_is_sound() {
    Args::command().debug_assert();
}

#[test]
fn accept_stands_alone_or_with_dates() {
    assert_eq!(ingest("backfill s3").files.accept, None);
    assert_eq!(ingest("backfill s3 --accept").files.accept.as_deref(), Some("all"));
    let dates = "2024-07-01,2024-07-02";
    assert_eq!(ingest(&format!("backfill s3 --accept={dates}")).files.accept.as_deref(), Some(dates));
}

#[test]
fn settings_flags_are_handed_on() {
    let line = "backfill s3 --source=m --cache-dir=c --cache-keep=1h --downloads=1 --decoders=2 --config=f --quiet \
                --database-url=a.db";
    let flags = parse(line).unwrap().flags();
    let expected = Flags {
        database_url: Some(Secret::new("a.db")),
        config: Some("f".into()),
        source: Some("m".into()),
        cache_dir: Some("c".into()),
        cache_keep: Some("1h".into()),
        downloads: Some(1),
        decoders: Some(2),
        rate: None,
        split_overrides: None,
    };
    assert_eq!(flags, expected);
    let flags = parse("backfill splits --overrides=o --rate=5/min").unwrap().flags();
    assert_eq!((flags.split_overrides, flags.rate.as_deref()), (Some("o".into()), Some("5/min")));
}

#[test]
fn flags_that_exclude_each_other_are_refused() {
    for line in [
        "backfill s3 --days=3 --from=2024-01-01",
        "backfill s3 --days=3 --to=2024-01-01",
        "backfill s3 --to=2024-01-01",
        "backfill s3 --all --symbol=A",
        "backfill s3 --all --symbols=A",
        "backfill s3 --dataset=futures",
        "backfill s3 --from=20240101",
        "backfill s3 --days=-1",
        "backfill bars",
        "backfill bars A --timeframe=2m",
        "backfill bars A --limit=0",
        "backfill export",
        "backfill export --output=d --format=orc",
        "backfill export --output=d --all --symbol=A",
        "backfill export --output=d --days=3 --to=2024-01-01",
        "backfill status --from=2024-01-01",
        "backfill status --to=2024-01-01",
        "backfill status --restatements --symbol=A",
        "backfill watchlist",
        "backfill watchlist add",
        "backfill watchlist add A --days-to-backfill=0",
        "backfill watchlist queue --limit=0",
        "backfill watchlist retry",
        "backfill watchlist retry 7 --dead",
        "backfill watchlist retry AAPL",
        "backfill completions tcsh",
        "backfill",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn the_rest_is_read_as_it_is_typed() {
    assert!(parse("backfill --show-settings").unwrap().command.is_none());
    let Some(Command::Bars(bars)) = parse("backfill bars X --timeframe=day_official --limit=5").unwrap().command else {
        panic!("bars")
    };
    assert_eq!((bars.timeframe, bars.limit), (Timeframe::DayOfficial, Some(5)));
    let Some(Command::Watchlist(watchlist)) = parse("backfill watchlist add A B --priority=-1").unwrap().command else {
        panic!("watchlist")
    };
    let added = WatchlistAddArgs { symbols: vec!["A".into(), "B".into()], days_to_backfill: 90, priority: -1 };
    assert_eq!(watchlist.command, WatchlistCommand::Add(added));
    assert_eq!(ingest("backfill s3 --dataset=crypto --all").selection.dataset, Some(Dataset::Crypto));
}
