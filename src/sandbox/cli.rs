//! The command line of `vendor-sandbox`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::{
    Action, Dates, Defects, FileId, Generation, Market, MarketSize, Plan, ProxyScript, Quota, RestOptions, RowCut,
    Rule, SandboxError, Script, ScriptError, ServeOptions, at, proxy, server,
};
use crate::model::Dataset;

/// The data vendor on your own machine, with made-up markets.
///
/// Makes day files in the vendor's formats and serves them by its S3 protocol, and the same markets by its REST API, so
/// that backfills can be tried and tested without an account. ALL DATA IS SYNTHETIC: the tickers are real names, the prices are random and mean nothing. The
/// same settings always give the same bytes.
#[derive(Debug, Parser)]
#[command(name = "vendor-sandbox", max_term_width = 100, after_help = EXAMPLE)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLE: &str = "\
Example session:
  # Terminal 1: 30 days of a small stock market, with one file that is late and one that is damaged
  vendor-sandbox serve --data-dir=/tmp/market --days=30 --listen=127.0.0.1:9000 \\
      --late=2026-10-01 --corrupt=2026-09-30
  # Terminal 2: any S3 client, with the keys `sandbox` and `sandbox-secret`
  AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox-secret AWS_REGION=us-east-1 \\
      aws --endpoint-url=http://127.0.0.1:9000 s3 ls --recursive s3://flatfiles/us_stocks_sip/
  # The same market by REST, and what the server has been asked
  curl -H 'Authorization: Bearer sandbox-api-key' \\
      'http://127.0.0.1:9000/v2/aggs/ticker/SPY/range/1/minute/2026-10-01/2026-10-01?adjusted=false&limit=50000'
  curl http://127.0.0.1:9000/sandbox/stats

FILE in the options about defects is a date (2026-10-01: the stocks' minute file) or dataset/kind/date
(options/day/2026-10-01). Several are separated by commas; the options can be repeated and combined.";

const REST: &str = "\
REST answers, for a key as `Authorization: Bearer KEY` or `?apiKey=KEY`:
  /v2/aggs/ticker/TICKER/range/N/minute/FROM/TO, and 1/day    all of history, files or not
  /stocks/v1/splits, /v3/reference/splits                     with --splits
  /v1/marketstatus/now, /v1/marketstatus/upcoming             from the calendar
and, for everybody, /sandbox/stats: requests by endpoint, refused ones, most requests within a second and a minute, and how \
often which page was served.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make synthetic day files in a directory that looks like the vendor's bucket
    #[command(after_help = EXAMPLE)]
    Generate(Box<GenerateArgs>),
    /// Make what is missing of the synthetic files, then serve the directory by S3, and the market by REST, until stopped
    #[command(after_help = format!("{EXAMPLE}\n\n{REST}\n\n{}", server::language()))]
    Serve(Box<ServeArgs>),
    /// Pass TCP connections on to another address, as badly as a script says
    #[command(after_help = proxy::LANGUAGE)]
    Proxy(ProxyArgs),
}

/// Which files to make.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Directory for the files; those there with the same settings are kept
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Markets to make: stocks options indices forex crypto
    #[arg(long, value_name = "DATASET,…", value_delimiter = ',', default_value = "stocks")]
    dataset: Vec<Dataset>,
    /// Calendar days up to the last finished session
    #[arg(long, value_name = "N", default_value_t = 30, conflicts_with_all = ["from", "to"])]
    days: u16,
    /// First date
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Last date, included [default: the last finished session]
    #[arg(long, value_name = "DATE", requires = "from")]
    to: Option<Date>,
    /// Number of instruments
    #[arg(long, value_enum, default_value = "default")]
    market: MarketSize,
    /// Another number, other prices
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Add stocks that split at the beginning of every month (QUADS SCORE TENTH CHAIN DIVVY TWICE FLIPS PHONY UNTLD), with
    /// prices that jump and a table of splits that is as wrong as the vendor's
    #[arg(long)]
    splits: bool,
    /// Instant that counts as now, like 2026-10-02T12:00:00Z [default: BARKEEP_NOW, or the clock]
    #[arg(long, value_name = "INSTANT")]
    now: Option<Timestamp>,
    /// Files the vendor is late with: not listed, not there; they come when this is run without the option
    #[arg(long, value_name = "FILE,…", value_delimiter = ',', help_heading = "Defects of files")]
    late: Vec<FileId>,
    /// Files the vendor does not have
    #[arg(long, value_name = "FILE,…", value_delimiter = ',', help_heading = "Defects of files")]
    missing: Vec<FileId>,
    /// Files the vendor published again: other rows, another ETag
    #[arg(long, value_name = "FILE,…", value_delimiter = ',', help_heading = "Defects of files")]
    replace: Vec<FileId>,
    /// Files whose gzip stream ends in its middle
    #[arg(long, value_name = "FILE,…", value_delimiter = ',', help_heading = "Defects of files")]
    truncate: Vec<FileId>,
    /// Files that are valid but lack their last rows; SHARE is what is there [default: 0.5]
    #[arg(long, value_name = "FILE[:SHARE],…", value_delimiter = ',', help_heading = "Defects of files")]
    row_cut: Vec<RowCut>,
    /// Files with wrong bytes in their middle
    #[arg(long, value_name = "FILE,…", value_delimiter = ',', help_heading = "Defects of files")]
    corrupt: Vec<FileId>,
    /// Files with bad stamps, repeated and conflicting rows, tickers that come back, minutes in disorder (under 1 %)
    #[arg(long, value_name = "FILE,…", value_delimiter = ',', help_heading = "Defects of files")]
    defect_rows: Vec<FileId>,
}

impl GenerateArgs {
    fn market(&self) -> Market {
        Market { size: self.market, seed: self.seed, splits: self.splits }
    }

    /// The instant that counts as now, if one is named.
    pub const fn now(&self) -> Option<Timestamp> {
        self.now
    }

    /// What to make at an instant.
    pub fn generation(&self, now: Timestamp) -> Generation {
        let dates = match (self.from, self.to) {
            (Some(from), Some(to)) => Dates::Range(from..=to),
            (Some(from), None) => Dates::Since(from),
            (None, _) => Dates::Last(self.days),
        };
        let set = |files: &[FileId]| files.iter().copied().collect();
        Generation {
            market: self.market(),
            datasets: self.dataset.clone(),
            dates,
            now,
            defects: Defects {
                absent: self.late.iter().chain(&self.missing).copied().collect(),
                replaced: set(&self.replace),
                truncated: set(&self.truncate),
                row_cut: self.row_cut.iter().map(|cut| (cut.file, cut.share)).collect(),
                corrupt: set(&self.corrupt),
                defect_rows: set(&self.defect_rows),
            },
        }
    }
}

/// What to serve, and how badly.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Which files to make first.
    #[command(flatten)]
    pub generate: GenerateArgs,
    /// Loopback address to listen on; port 0 takes a free one, named in the first line of output
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// File that gets the URL once the server listens
    #[arg(long, value_name = "FILE")]
    pub port_file: Option<PathBuf>,
    /// Access key of the only customer
    #[arg(long, value_name = "KEY", default_value = "sandbox")]
    access_key: String,
    /// Secret of the only customer
    #[arg(long, value_name = "SECRET", default_value = "sandbox-secret")]
    secret_key: String,
    /// Name of the bucket
    #[arg(long, value_name = "NAME", default_value = "flatfiles")]
    bucket: String,
    /// Datasets of the customer's plan; others are listed and answered 403 [default: all]
    #[arg(long, value_name = "DATASET,…", value_delimiter = ',')]
    entitled: Vec<Dataset>,
    /// First date of the customer's plan; older files are listed and answered 403, as are REST requests for more
    #[arg(long, value_name = "DATE")]
    plan_from: Option<Date>,
    /// File with the instant that counts as now while serving: files dated later are not there yet, and REST answers as of then
    #[arg(long, value_name = "FILE")]
    clock: Option<PathBuf>,
    /// Write one line per request to standard error: method, key, range, status
    #[arg(long)]
    log_requests: bool,
    /// REST key of the only customer
    #[arg(long, value_name = "KEY", default_value = "sandbox-api-key", help_heading = "REST API")]
    api_key: String,
    /// Answer 429 to what is more than this in any window, refused requests counted: 5/min, 100/s [default: no limit]
    #[arg(long, value_name = "REQUESTS/UNIT", help_heading = "REST API")]
    quota: Option<Quota>,
    /// Say in Retry-After when to come again after 429
    #[arg(long, help_heading = "REST API")]
    retry_after: bool,
    /// Data end so long before now, and answers say DELAYED, as on the vendor's delayed plans: 15m
    #[arg(long, value_name = "TIME", help_heading = "REST API", value_parser = time_span)]
    rest_delay: Option<Duration>,
    /// Files whose data REST lacks; late and missing files do not lack there unless named here
    #[arg(long, value_name = "FILE,…", value_delimiter = ',', help_heading = "REST API")]
    rest_missing: Vec<FileId>,
    /// Dates that are announced as closed, though no calendar knows it
    #[arg(long, value_name = "DATE,…", value_delimiter = ',', help_heading = "REST API")]
    rest_announced: Vec<Date>,
    /// Datasets of the customer's REST plan [default: those of --entitled]
    #[arg(long, value_name = "DATASET,…", value_delimiter = ',', help_heading = "REST API")]
    rest_entitled: Vec<Dataset>,
    /// First date of the customer's REST plan [default: that of --plan-from]
    #[arg(long, value_name = "DATE", help_heading = "REST API")]
    rest_plan_from: Option<Date>,
    /// Script of faults, a rule per line; see below
    #[arg(long, value_name = "FILE", help_heading = "Faults of the service")]
    faults: Option<PathBuf>,
    /// Send every object at this many bytes per second: `GET times=all slow:BYTES`
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Faults of the service")]
    slow: Option<u64>,
    /// Answer the first N GETs with 503 SlowDown: `GET times=N slow-down:1`
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Faults of the service")]
    throttle: u64,
    /// Answer the first N GETs with 500 InternalError: `GET times=N internal-error`
    #[arg(long = "flaky-500", value_name = "N", default_value_t = 0, help_heading = "Faults of the service")]
    flaky_500: u64,
    /// Reset the connection of the first N GETs after so many bytes [default: N = 1]: `GET times=N reset:BYTES`
    #[arg(long, value_name = "BYTES[:N]", help_heading = "Faults of the service")]
    reset_after: Option<ResetAfter>,
    /// Let the first N GETs hang in their first bytes: `GET times=N stall:100`
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Faults of the service")]
    stall: u64,
    /// Answer the first N GETs of a range with the whole object and 200: `GET ranged times=N whole`
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Faults of the service")]
    wrong_range: u64,
}

impl ServeArgs {
    /// How to serve; `now` is the instant that counts as now, unless the clock does.
    pub fn options(&self, now: Option<Timestamp>) -> Result<ServeOptions, SandboxError> {
        let entitled = if self.entitled.is_empty() { Dataset::ALL.to_vec() } else { self.entitled.clone() };
        let plan = Plan { datasets: entitled, from: self.plan_from };
        let rest_entitled = if self.rest_entitled.is_empty() { &plan.datasets } else { &self.rest_entitled };
        let rest = RestOptions {
            market: self.generate.market(),
            api_key: self.api_key.clone(),
            plan: Some(Plan { datasets: rest_entitled.clone(), from: self.rest_plan_from.or(self.plan_from) }),
            quota: self.quota,
            retry_after: self.retry_after,
            delay: self.rest_delay.unwrap_or_default(),
            missing: self.rest_missing.iter().copied().collect(),
            announced: self.rest_announced.iter().copied().collect(),
            now,
        };
        let hidden = self.generate.late.iter().chain(&self.generate.missing).copied().collect();
        Ok(ServeOptions {
            listen: self.listen,
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
            bucket: self.bucket.clone(),
            plan,
            hidden,
            rest,
            faults: self.script()?,
            log_requests: self.log_requests,
            clock: self.clock.clone(),
            ..ServeOptions::new(&self.generate.data_dir)
        })
    }

    /// The faults of the flags, then those of the file.
    fn script(&self) -> Result<Script, SandboxError> {
        let mut rules = vec![Rule::gets(self.wrong_range, Action::Whole).of_ranges()];
        rules.extend(self.slow.map(|pace| Rule::all_gets(Action::Slow(pace))));
        rules.push(Rule::gets(self.throttle, Action::SlowDown(Some(1))));
        rules.push(Rule::gets(self.flaky_500, Action::InternalError));
        rules.extend(self.reset_after.as_ref().map(|reset| Rule::gets(reset.times, Action::Reset(reset.bytes))));
        rules.push(Rule::gets(self.stall, Action::Stall(STALLS_AFTER_BYTES)));
        if let Some(path) = &self.faults {
            rules.extend(read_script::<Script>(path)?.0);
        }
        Ok(Script(rules))
    }
}

fn read_script<S: FromStr<Err = ScriptError>>(path: &Path) -> Result<S, SandboxError> {
    let text = std::fs::read_to_string(path).map_err(at(path))?;
    text.parse().map_err(|error| SandboxError::Script { path: path.to_owned(), error })
}

/// What to pass on, and how badly.
#[derive(Debug, Args)]
pub struct ProxyArgs {
    /// Loopback address to listen on; port 0 takes a free one, named in the first line of output
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Address of the server
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub to: SocketAddr,
    /// Script of faults, a rule per line; see below
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
}

impl ProxyArgs {
    /// The faults of the file.
    pub fn script(&self) -> Result<ProxyScript, SandboxError> {
        self.script.as_deref().map_or_else(|| Ok(ProxyScript::default()), read_script)
    }
}

/// Where `--stall` stops: behind the first bytes of any object.
const STALLS_AFTER_BYTES: u64 = 100;

/// A time like `15m`.
fn time_span(text: &str) -> Result<Duration, String> {
    let span: SignedDuration = text.parse().map_err(|_| format!("`{text}` is not a time like 15m or 90s"))?;
    Duration::try_from(span).map_err(|_| format!("`{text}` is less than nothing"))
}

/// After how many bytes to reset, and how often: `100000:2`, or `100000` for once.
#[derive(Debug, Clone)]
struct ResetAfter {
    bytes: u64,
    times: u64,
}

impl FromStr for ResetAfter {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (bytes, times) = text.split_once(':').unwrap_or((text, "1"));
        Ok(Self { bytes: bytes.parse()?, times: times.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn generation(flags: &[&str]) -> Generation {
        let line = ["vendor-sandbox", "generate", "--data-dir=/tmp/x"].iter().chain(flags);
        match Cli::try_parse_from(line).unwrap().command {
            Command::Generate(args) => args.generation(args.now().unwrap_or(Timestamp::UNIX_EPOCH)),
            Command::Serve(_) | Command::Proxy(_) => unreachable!("the line says generate"),
        }
    }

    #[test]
    fn flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn stocks_of_thirty_days_are_made_unless_told() {
        let plain = generation(&[]);
        assert_eq!((plain.datasets, plain.dates), (vec![Dataset::Stocks], Dates::Last(30)));
        let named = generation(&["--dataset=indices,crypto", "--from=2026-10-01", "--now=2026-10-05T12:00:00Z"]);
        assert_eq!(named.datasets, [Dataset::Indices, Dataset::Crypto]);
        assert_eq!(named.dates, Dates::Since("2026-10-01".parse().unwrap()));
        assert_eq!(named.now.to_string(), "2026-10-05T12:00:00Z");
    }

    #[test]
    fn defects_combine() {
        let defects =
            generation(&["--late=2026-10-01,2026-10-02", "--late=crypto/day/2026-10-03", "--row-cut=2026-10-05:0.9"])
                .defects;
        assert_eq!((defects.absent.len(), defects.row_cut.len()), (3, 1));
    }

    #[test]
    fn contradictions_are_refused() {
        for flags in [["--days=3", "--from=2026-10-01"], ["--to=2026-10-01", "--seed=1"], ["--late=soon", "--seed=1"]] {
            let line = ["vendor-sandbox", "generate", "--data-dir=/tmp/x"].iter().chain(&flags);
            assert!(Cli::try_parse_from(line).is_err(), "{flags:?}");
        }
    }
}
