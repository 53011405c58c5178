//! What `--help` says below the flags. Lines of examples fit 80 columns; paragraphs are one line each, which clap wraps.

/// Of `backfill`.
pub(super) const TOP: &str = "\
Start here:
  backfill doctor                         what your keys and settings can do
  backfill s3 --days=90                   the last 90 days of the watchlist
  backfill s3 --days=365 --symbol=AAPL    a year of one symbol
  backfill hybrid --symbol=AAPL           files and requests, and today so far
  backfill nightly                        every night, from cron
  backfill bars AAPL                      look at what was loaded
  backfill status                         what is loaded, for which days
  backfill verify                         whether what is loaded is right

Settings come from flags, then the environment, then .env in the working directory, then barkeep/config.toml (in the \
working directory, else in ~/.config), then defaults. Keys of the vendor's S3 service are read from \
MASSIVE_S3_ACCESS_KEY_ID and MASSIVE_S3_SECRET_ACCESS_KEY, the key of its REST API from MASSIVE_API_KEY, in the environment or .env.

Results go to stdout, everything else to stderr. Exit codes:
  0         all done
  1         failed
  2         wrong usage
  3         finished, but something is missing or wrong (it is listed)
  130, 143  interrupted; run the same command again to go on";

/// Of `s3`.
pub(super) const S3: &str = "\
Examples:
  backfill s3 --days=90                       the watchlist
  backfill s3 --symbol=AAPL --symbol=SPX      a stock and an index
  backfill s3 --symbols=@my.txt --from=2024-01-01
  backfill s3 --all --from=2024-07-01 --to=2024-07-31
  backfill s3 --all --dataset=crypto --timeframes=1h,day --dry-run
  backfill s3 --source=/mnt/mirror --days=10  from a folder, not the bucket

With no symbol named, the watchlist is loaded, or SPY QQQ IWM DIA when it is empty. SPX NDX VIX RUT DJI mean the indices \
(I:SPX …); a stock of such a name is stock:DJI. A list file has one symbol per line, or several with commas; `#` starts a \
comment.";

/// Of `rest`.
pub(super) const REST: &str = "\
Examples:
  backfill rest --days=5 --symbol=AAPL        five days, and today so far
  backfill rest --symbols=SPY,QQQ --days=90 --rate=100/s
  backfill rest --symbol=SPX --from=2024-07-01 --to=2024-07-31 --rate=5/min
  backfill rest --days=90 --dry-run           requests and time it would take

The key is read from MASSIVE_API_KEY. A request brings up to 31 days of one symbol. The free plan allows 5 requests a \
minute; processes that share a database share the quota. Of a session that is not over, the bars that are known by now \
are loaded, and fetched again until it is.";

/// Of `hybrid`.
pub(super) const HYBRID: &str = "\
Examples:
  backfill hybrid --days=90                   the watchlist, and today so far
  backfill hybrid --symbols=SPY,QQQ --days=30 --dry-run
  backfill hybrid --days=30 --exact-vwap      the vendor's exact VWAPs

The plan shows how long files and how long requests would take. Files win for many symbols, requests for few. Days that \
the files lack (not published yet, missing, damaged, outside your plan) and symbols they lack come from the REST API. \
A file that is published after its day was fetched takes the place of what was fetched.";

/// Of `nightly`.
pub(super) const NIGHTLY: &str = "\
Examples:
  backfill nightly                         the watchlist
  backfill nightly --all                   all stocks, and what is watched
  backfill nightly --all --dataset=crypto
  backfill nightly --wait-until=off        now, and what is late another time
  backfill nightly --recheck               all that is stored, not once a week
  30 21 * * 1-5 backfill nightly --quiet   in a crontab (New York time)

Run it every evening, in the morning, or both. It looks at the last --lookback sessions and at all since it was last complete, waits \
for the newest file until --wait-until, and then asks the REST API for what is missing of the watchlist; the file takes the place of \
that when it comes. A second run at the same time does nothing. An empty watchlist stands for SPY QQQ IWM DIA.

Ends with 0 if everything that is due is there, with 3 if something is missing (it is listed), with 1 if nothing could be done.";

/// Of `bars`.
pub(super) const BARS: &str = "\
Examples:
  backfill bars AAPL
  backfill bars AAPL --timeframe=5m --from=2024-07-11 --to=2024-07-11
  backfill bars AAPL --adjusted --as-of=2020-08-31     in shares of that date
  backfill bars X:BTCUSD --timeframe=1h --limit=100 --csv > btc.csv
  backfill bars MSFT --timeframe=15m --from=2024-07-01 --fetch";

/// Of `export`.
pub(super) const EXPORT: &str = "\
Examples:
  backfill export --output=out                everything, as Parquet
  backfill export --output=out --symbols=SPY,AAPL --timeframes=1h,day
  backfill export --output=july --from=2024-07-01 --to=2024-07-31
  backfill export --output=csv --format=csv --symbol=X:BTCUSD --days=30
  backfill export --output=adjusted --adjusted      prices in today's shares
  backfill export --output=oi --chain --symbols=SPY,SPX    option chains

Point readers at the folder bars in it, as in read_parquet('DIR/bars/**/*.parquet') of DuckDB or scan_parquet('DIR/bars') \
of Polars. The files are bars/timeframe=1h/month=2026-10/stocks.parquet and so on, by months of trading dates; \
_manifest.json lists them with their rows and hashes. Option chains lie in option_chain/month=2026-10/SPY.parquet and so on, by \
underlying and month of sessions.";

/// Of `splits`.
pub(super) const SPLITS: &str = "\
Examples:
  backfill splits                          load or refresh the whole list
  backfill splits --symbols=AAPL,NVDA      of some symbols only
  backfill splits --dry-run                what would be stored
  backfill splits --list --symbol=AAPL     what is stored, used or not
  backfill splits --overrides=splits.csv   with your own word on some
  backfill bars AAPL --adjusted            bars adjusted by them

The list is checked: duplicates count once, pairs that undo each other cancel, of several ratios for a date one is chosen, and \
what the stored day bars contradict is not used. Each is listed with its reason. A file of overrides decides otherwise, with a \
header and a line per decision:

  ticker,execution_date,action,split_from,split_to
  AAPL,2020-08-31,use,1,4     use 4 for 1, whatever the vendor lists
  XYZ,2024-05-01,use          use what is listed, though it looks wrong
  XYZ,2024-06-03,ignore       use nothing for this date
  META,2022-06-09,reused      another company from this date on

The API key is read from MASSIVE_API_KEY, in the environment or .env.";

/// Of `chain`.
pub(super) const CHAIN: &str = "\
Examples:
  backfill chain                           the watchlist's, and SPX and NDX
  backfill chain SPY AAPL SPX              of these only
  backfill chain --dry-run                 who would be asked for
  backfill chain show                      what is stored
  backfill chain import oi.csv             open interest of your own
  backfill export --chain --output=out     as Parquet files

Run it once a session after the close (20:00 New York), or before the next regular open (09:30). The column known_at says when a row \
was known: for a snapshot when it had come, for an import the regular open of the next session. Open interest is the vendor's figure, \
the count at the end of the last trading day before it was taken. The API key is read from MASSIVE_API_KEY; the plan must include options.";

/// Of `status`.
pub(super) const STATUS: &str = "\
Examples:
  backfill status                         everything
  backfill status --symbol=AAPL --json    one symbol, for a program
  backfill status --restatements          what the vendor replaced, and when
  backfill status --restatements --from=2024-07-01 --to=2024-07-31 --json
  backfill status --health                whether the table is kept filled
  backfill status --health --quiet        only what is wrong, for monitoring

--health reads no bars, writes nothing, and ends with 0 when all goes on, with 3 when anything is STALE, and with 1 when the \
database cannot be read. STALE is: a session that no nightly run has found complete two hours after its file was due (13:00 New \
York of the next day), or none that ended with 0 for --max-age; one of the latest 10 sessions missing for a symbol on the \
watchlist, or, with an empty watchlist, of a market that is loaded whole; a request that waits for more than 15 minutes while \
nobody works on any; a message to you that could not be sent for an hour; less than 500 MB free on a disk. Requests and messages \
that were given up, a run that failed, was killed or left gaps, and less than 5 GB free are warnings. Where nightly has never run, \
only the other checks count.";

/// Of `verify`.
pub(super) const VERIFY: &str = "\
Examples:
  backfill verify                                   everything that is loaded
  backfill verify --symbols=SPY,AAPL --days=30
  backfill verify --against=source --sample=20      compare 20 days with files
  backfill verify --repair                          load again what is wrong

Ends with 0 if nothing is wrong (or all of it was repaired), with 3 if something is. Without --against nothing is fetched. A \
day whose file the source no longer has is left as it is.";

/// Of `doctor`.
pub(super) const DOCTOR: &str = "\
Examples:
  backfill doctor
  backfill doctor --json                  for a program
  backfill doctor --quiet                 only what fails, for scripts

Ends with 0 if everything that is set up works, with 3 if something does not. \"not set up\" is no failure, unless neither \
files nor the REST API can be used. No database is made or changed. Some tens of small requests are made, of the REST API at most \
12, and at 5 a minute at most 5.";

/// Of `notify`.
pub(super) const NOTIFY: &str = "\
Examples:
  backfill notify                         channels, and what waits or failed
  backfill notify --test                  does it reach you?
  backfill notify --send --json           send what waits now

Channels are set up in the environment or .env, any or all of them:
  webhook   BARKEEP_WEBHOOK_URL; to have messages signed, BARKEEP_WEBHOOK_SECRET
  e-mail    BARKEEP_SMTP_URL, BARKEEP_EMAIL_FROM, BARKEEP_EMAIL_TO
  Telegram  BARKEEP_TELEGRAM_TOKEN, BARKEEP_TELEGRAM_CHAT

A mail server is named as smtps://user:password@host or smtp+starttls://user:password@host, recipients with commas between. A signature \
is X-Barkeep-Signature: sha256= and the HMAC of the body in hexadecimal digits.

A failure of a command that runs by itself is told when it begins or becomes another, every seven days while it lasts, and when it \
is over. A message that is not taken is tried again, in the end every hour, for a week; so is one that is refused with 401, 403 or \
404, or whose login is refused, as somebody may put that right. Other refusals give it up. A message that a crash cut off is sent \
again: with the same Idempotency-Key or Message-ID; to Telegram with a line that says so. --test ends with 1 if a channel failed, with 2 if none is set up.";

/// Of `completions`.
pub(super) const COMPLETIONS: &str = "\
Examples:
  source <(backfill completions bash)                      in ~/.bashrc
  backfill completions zsh > ~/.zfunc/_backfill
  backfill completions fish > ~/.config/fish/completions/backfill.fish";

/// Of `watchlist`.
pub(super) const WATCHLIST: &str = "\
Examples:
  backfill watchlist add AAPL MSFT BRK.B
  backfill watchlist list
  backfill watchlist remove MSFT          its bars stay
  backfill watchlist run                  load what is added, as a service
  backfill watchlist queue                what is to be loaded, and was

Whatever puts a symbol on the list, be it another program by SQL, queues a request to load it: when the symbol is added or comes \
back, and when it is to have more days.";

/// Of `watchlist add`.
pub(super) const WATCHLIST_ADD: &str = "\
Example:
  backfill watchlist add AAPL MSFT I:SPX --days-to-backfill=365";

/// Of `watchlist queue`.
pub(super) const WATCHLIST_QUEUE: &str = "\
Examples:
  backfill watchlist queue
  backfill watchlist queue --symbol=AAPL --limit=5
  backfill watchlist queue --json         for a program

A request that failed says why; no_data and not_entitled are no fault of anybody's. One that is dead was tried in vain ten times.";

/// Of `watchlist retry`.
pub(super) const WATCHLIST_RETRY: &str = "\
Examples:
  backfill watchlist retry 17 23          numbers from watchlist queue
  backfill watchlist retry --dead         all that are dead";

/// Of `watchlist run`.
pub(super) const WATCHLIST_RUN: &str = "\
Examples:
  backfill watchlist run                      as a service, until stopped
  backfill watchlist run --once               what waits now, from cron
  backfill watchlist run --interval=10s --json

Whatever is put on the watchlist, by `backfill watchlist add` or by another program's SQL, is queued by the database and loaded \
here: from files, each read once for all who want it, and from the REST API what files lack. Requests lie in the table \
historical_ingestion_queue; its status, outcome and error_message say what became of each. What fails and may pass is tried \
again after 1, 2, 4 minutes and so on; a file that is late is looked for every hour, for three days. Requests that are given up, or \
put off for more than six hours, are told (see notify). Stopped by SIGTERM it gives back what it has not finished, and ends with 0.";

/// Of `backtest`.
pub(super) const BACKTEST: &str = "\
Examples:
  backtest                                all detectors, watchlist, 90 days
  backtest --detector=breakout_bullish --symbol=SPY
  backtest --detector=equity --symbols=@my.txt --from=2026-01-02
  backtest --universe=top:500 --timeframe=5m --output=results
  backtest --set=breakout_bullish.rvol_min=2 --detector=breakout_bullish
  backtest --signals=mine.csv --signal-levels=percent
  backtest --costs=zero --no-portfolio --no-fallback
  backtest detectors                      what there is to run
  backtest explain breakout_bullish SPY 2026-10-01T10:15

Bars are read from the database; sessions it lacks come from the REST API, if MASSIVE_API_KEY is set, and are stored. What still is \
missing is listed, and the run goes on with what there is (exit code 3). Sessions before the period warm indicators up where they \
are stored. Prices are as traded; indicators see them in the shares of each session, by the splits that `backfill splits` loads.

Reports go to backtest-results: one page for a browser, JSON and CSV. The same data, settings and seed make the same bytes, whatever \
the number of threads.

Exit codes are those of backfill: 0 all done, 1 failed, 2 wrong usage, 3 finished but sessions or signals are missing, 130 and 143 \
interrupted, with nothing written.";

/// Of `backtest detectors`.
pub(super) const BACKTEST_DETECTORS: &str = "\
Examples:
  backtest detectors
  backtest detectors breakout_bullish       its parameters
  backtest detectors index --list --json    for a program";

/// Of `backtest compare`.
pub(super) const BACKTEST_COMPARE: &str = "\
Examples:
  backtest compare 0123456789ab ba9876543210
  backtest compare old.json backtest-results/backtest-2026-11-30.json --json";

/// Of `backtest explain`.
pub(super) const BACKTEST_EXPLAIN: &str = "\
Examples:
  backtest explain breakout_bullish SPY 2026-10-01T10:15
  backtest explain opening_drive_bullish SPX 2026-10-01T13:45:00Z --json

The time is the end of the bar: that is when it is known. Only what is stored is looked at. Cooldown, trades of the session and open \
positions are those of a run that starts with the bar's session.";

/// Of `backtest audit`.
pub(super) const BACKTEST_AUDIT: &str = "\
Examples:
  backtest audit --symbols=SPY,AAPL
  backtest audit --detector=equity --days=30 --moments=20

At each moment what a detector knows and has signalled must be the same to the last bit when all later bars are removed, and when \
they are replaced by noise. Ends with 1 if it is not. Then the period is run with all, three, two and one quarter of the sessions \
before it, and with none. Only what is stored is looked at.";

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[&str] = &[
        TOP,
        S3,
        REST,
        HYBRID,
        NIGHTLY,
        BARS,
        EXPORT,
        SPLITS,
        CHAIN,
        NOTIFY,
        STATUS,
        VERIFY,
        DOCTOR,
        COMPLETIONS,
        WATCHLIST,
        WATCHLIST_ADD,
        WATCHLIST_QUEUE,
        WATCHLIST_RETRY,
        WATCHLIST_RUN,
        BACKTEST,
        BACKTEST_DETECTORS,
        BACKTEST_COMPARE,
        BACKTEST_EXPLAIN,
        BACKTEST_AUDIT,
    ];

    #[test]
    fn examples_fit_a_terminal() {
        for help in ALL {
            for line in help.lines().filter(|line| line.starts_with(' ')) {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
    }

    /// Examples in help are what people type first: each must be understood.
    #[test]
    fn examples_are_valid() {
        use clap::Parser;
        let is_typed = |line: &&str| ["backfill ", "backtest "].iter().any(|program| line.starts_with(program));
        let lines = ALL.iter().flat_map(|help| help.lines()).filter(|line| line.starts_with("  ")).map(str::trim);
        for line in lines.filter(is_typed) {
            // Two spaces begin the comment, `>` the shell's part.
            let typed = line.split("  ").next().unwrap_or_default().split('>').next().unwrap_or_default();
            let words = typed.split_whitespace();
            let parsed = if typed.starts_with("backtest") {
                crate::cli::BacktestArgs::try_parse_from(words).map(drop)
            } else {
                crate::cli::Args::try_parse_from(words).map(drop)
            };
            if let Err(error) = parsed {
                panic!("{line}: {error}");
            }
        }
    }
}
