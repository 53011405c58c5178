//! Faults by script: which requests are struck, and by what.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use super::rest::{self, RestFault};
use crate::sandbox::rules::{self, ScriptError, positive};

/// What a service does wrong, rule by rule.
///
/// The first rule that strikes a request takes it; rules of slowness and of ignored ranges come on top, and the rules
/// below them still count the request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script(pub Vec<Rule>);

/// Some requests and what happens to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    asked: Asked,
    /// Keys, prefixes of listings, or paths of REST requests, with `*` for any text; `None` for all.
    key: Option<String>,
    /// Only requests with a `Range`.
    ranged: bool,
    /// The first of the matching requests that is struck, counted from 1.
    first: u64,
    /// How many are struck from there on; `None` for all.
    times: Option<u64>,
    action: Action,
}

/// What a request asks for, as far as rules tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    List,
    Get,
    Rest,
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// 503 `SlowDown`, with so many seconds of `Retry-After`.
    SlowDown(Option<u64>),
    /// 500 `InternalError`.
    InternalError,
    /// 403 `RequestTimeTooSkewed`.
    ClockSkew,
    /// After so many bytes of the body the connection is reset.
    Reset(u64),
    /// After so many bytes of the body nothing more comes.
    Stall(u64),
    /// After so many bytes of the body the connection is closed, whatever `Content-Length` promised.
    Short(u64),
    /// The byte at this place of the object has another value; a negative place is counted from the end.
    Flip(i64),
    /// The range of the request is overlooked: 200 and the whole object.
    Whole,
    /// The answer carries another `ETag`, whatever `If-Match` said.
    OtherEtag,
    /// The object is gone from now on: 404, and not in listings.
    Vanish,
    /// The object is another one from now on: that of the same key in this directory.
    Republish(PathBuf),
    /// The listing comes in pages of so many keys, the last keys first.
    Reorder(usize),
    /// Bytes per second of the body.
    Slow(u64),
    /// So many seconds of `Retry-After`.
    RetryAfter(u64),
    /// Pages of at most so many rows.
    PageSize(usize),
    /// What is wrong with an answer of the REST endpoints.
    Rest(RestFault),
}

/// The language, as `--help` shows it.
pub(in crate::sandbox) fn language() -> String {
    format!("{LANGUAGE}\n{}", rest::LANGUAGE)
}

const LANGUAGE: &str = "\
A script of faults has a rule per line; `#` begins a comment:
  LIST|GET|REST [key=GLOB] [ranged] [nth=N] [times=N|all] ACTION
`key` takes `*` for any text (a LIST is matched by its prefix, a REST request by its path). `ranged` means GETs of a range. \
The N-th match is struck [default: the first], and so many in all from there on [default: 1]. The first rule that strikes a \
request takes it; `slow`, `whole`, `retry-after` and `page-size` come on top. Places and sizes are bytes.
For all requests:
  reset:AT             the connection is reset
  short:AT             the connection is closed before the promised end
  stall:AT             nothing more comes
  slow:BYTES           bytes per second
For LIST and GET:
  slow-down[:SECONDS]  503 SlowDown, with Retry-After
  internal-error       500
  clock-skew           403 RequestTimeTooSkewed
  flip:PLACE           (GET) a wrong byte of the object; PLACE -1 is the last
  whole                (GET) 200 and all of it instead of the range
  other-etag           (GET) an ETag that nobody asked for
  vanish               (GET) the key is gone from now on
  republish:DIR        (GET) from now on the key is served from DIR
  reorder:KEYS         (LIST) pages of KEYS keys, the last ones first";

impl Rule {
    /// Strikes the first GETs.
    pub fn gets(times: u64, action: Action) -> Self {
        Self { asked: Asked::Get, key: None, ranged: false, first: 1, times: Some(times), action }
    }

    /// Strikes all GETs.
    pub fn all_gets(action: Action) -> Self {
        Self { times: None, ..Self::gets(1, action) }
    }

    /// The same for GETs of a range only.
    #[must_use]
    pub fn of_ranges(self) -> Self {
        Self { ranged: true, ..self }
    }

    fn matches(&self, asked: Asked, key: &str, ranged: bool) -> bool {
        self.asked == asked
            && (ranged || !self.ranged)
            && self.key.as_deref().is_none_or(|glob| matches_glob(glob, key))
    }

    fn strikes(&self, nth: u64) -> bool {
        nth >= self.first && self.times.is_none_or(|times| nth - self.first < times)
    }
}

/// Whether a text is a pattern with `*` for any text.
fn matches_glob(glob: &str, text: &str) -> bool {
    let Some((start, rest)) = glob.split_once('*') else { return glob == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    (0..=text.len()).any(|at| text.is_char_boundary(at) && matches_glob(rest, &text[at..]))
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        rules::parse(text).map(Self)
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let mut words = line.split_whitespace();
        let asked = match words.next() {
            Some("LIST") => Asked::List,
            Some("GET") => Asked::Get,
            Some("REST") => Asked::Rest,
            _ => return Err("a rule begins with LIST, GET or REST".to_owned()),
        };
        let mut rule = Self { asked, ..Self::gets(1, Action::InternalError) };
        let mut action = None;
        for word in words {
            match word.split_once('=') {
                _ if action.is_some() => return Err(format!("nothing may stand behind the action: `{word}`")),
                Some(("key", glob)) => rule.key = Some(glob.to_owned()),
                Some(("nth", n)) => rule.first = positive(n)?,
                Some(("times", "all")) => rule.times = None,
                Some(("times", n)) => rule.times = Some(positive(n)?),
                _ if word == "ranged" => rule.ranged = true,
                _ => action = Some(word.parse()?),
            }
        }
        rule.action = action.ok_or("what is to happen is not said")?;
        if rule.ranged && asked != Asked::Get {
            return Err("`ranged` is for GET".to_owned());
        }
        rule.action.check(asked)?;
        Ok(rule)
    }
}

impl Action {
    /// Refuses what does not happen to such requests.
    fn check(&self, asked: Asked) -> Result<(), String> {
        let (of, word): (&[Asked], _) = match self {
            Self::Reset(_) | Self::Stall(_) | Self::Short(_) | Self::Slow(_) => return Ok(()),
            Self::SlowDown(_) | Self::InternalError | Self::ClockSkew => (&[Asked::List, Asked::Get], "LIST and GET"),
            Self::Flip(_) | Self::Whole | Self::OtherEtag | Self::Vanish | Self::Republish(_) => (&[Asked::Get], "GET"),
            Self::Reorder(_) => (&[Asked::List], "LIST"),
            Self::RetryAfter(_) | Self::PageSize(_) | Self::Rest(_) => (&[Asked::Rest], "REST"),
        };
        if of.contains(&asked) { Ok(()) } else { Err(format!("that is for {word}")) }
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let (name, argument) = word.split_once(':').map_or((word, None), |(name, rest)| (name, Some(rest)));
        let number =
            || argument.and_then(|text| text.parse().ok()).ok_or(format!("`{name}` needs a number: `{name}:N`"));
        match (name, argument) {
            ("slow-down", None) => Ok(Self::SlowDown(None)),
            ("slow-down", Some(_)) => Ok(Self::SlowDown(Some(number()?))),
            ("internal-error", None) => Ok(Self::InternalError),
            ("clock-skew", None) => Ok(Self::ClockSkew),
            ("reset", _) => Ok(Self::Reset(number()?)),
            ("stall", _) => Ok(Self::Stall(number()?)),
            ("short", _) => Ok(Self::Short(number()?)),
            ("flip", Some(place)) => Ok(Self::Flip(place.parse().map_err(|_| format!("`{place}` is not a place"))?)),
            ("whole", None) => Ok(Self::Whole),
            ("other-etag", None) => Ok(Self::OtherEtag),
            ("vanish", None) => Ok(Self::Vanish),
            ("republish", Some(folder)) => Ok(Self::Republish(folder.into())),
            ("reorder", Some(keys)) => Ok(Self::Reorder(positive(keys)? as usize)),
            ("slow", Some(pace)) => Ok(Self::Slow(positive(pace)?)),
            ("retry-after", _) => Ok(Self::RetryAfter(number()?)),
            ("page-size", Some(rows)) => Ok(Self::PageSize(positive(rows)? as usize)),
            _ => word.parse().map(Self::Rest),
        }
    }
}

/// What happens to one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Strike {
    /// What took it.
    pub action: Option<Action>,
    /// Whether its range is overlooked.
    pub whole: bool,
    /// Bytes per second.
    pub pace: Option<u64>,
    /// Seconds of `Retry-After`.
    pub retry_after: Option<u64>,
    /// Rows of a page, at most.
    pub page_size: Option<usize>,
}

/// A script and how far it has come.
#[derive(Debug)]
pub(super) struct Running {
    rules: Vec<(Rule, Count)>,
}

#[derive(Debug, Default)]
struct Count {
    matched: AtomicU64,
    struck: AtomicU64,
}

impl Running {
    pub(super) fn new(script: Script) -> Self {
        Self { rules: script.0.into_iter().map(|rule| (rule, Count::default())).collect() }
    }

    /// What strikes the next request.
    pub(super) fn strike(&self, asked: Asked, key: &str, ranged: bool) -> Strike {
        let mut strike = Strike::default();
        for (rule, count) in self.rules.iter().filter(|(rule, _)| rule.matches(asked, key, ranged)) {
            let nth = count.matched.fetch_add(1, Ordering::Relaxed) + 1;
            if !rule.strikes(nth) {
                continue;
            }
            count.struck.fetch_add(1, Ordering::Relaxed);
            match &rule.action {
                Action::Whole => strike.whole = true,
                Action::Slow(pace) => strike.pace = Some(*pace),
                Action::RetryAfter(seconds) => strike.retry_after = Some(*seconds),
                Action::PageSize(rows) => strike.page_size = Some(*rows),
                action => {
                    strike.action = Some(action.clone());
                    break;
                }
            }
        }
        strike
    }

    /// How often each rule has struck.
    pub(super) fn struck(&self) -> Vec<u64> {
        self.rules.iter().map(|(_, count)| count.struck.load(Ordering::Relaxed)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(text: &str) -> Running {
        Running::new(text.parse().unwrap())
    }

    fn actions(running: &Running, key: &str, times: usize) -> Vec<Option<Action>> {
        (0..times).map(|_| running.strike(Asked::Get, key, false).action).collect()
    }

    #[test]
    fn one_rule_takes_a_request_and_ends() {
        let running = running("GET slow-down:1\nGET internal-error # twice\nGET times=2 reset:9\n\nGET nth=2 stall:1");
        let expected = [
            Some(Action::SlowDown(Some(1))),
            Some(Action::InternalError),
            Some(Action::Reset(9)),
            Some(Action::Reset(9)),
            None,
            Some(Action::Stall(1)),
            None,
        ];
        assert_eq!(actions(&running, "k", 7), expected);
        assert_eq!(running.strike(Asked::List, "k", false), Strike::default());
        assert_eq!(running.struck(), [1, 1, 2, 1]);
    }

    #[test]
    fn slowness_and_ignored_ranges_come_on_top() {
        let running = running("GET times=all slow:5\nGET ranged whole\nGET key=*b times=all reset:1");
        let first = Strike { pace: Some(5), ..Strike::default() };
        assert_eq!(running.strike(Asked::Get, "a", false), first);
        let both = Strike { action: Some(Action::Reset(1)), whole: true, ..first.clone() };
        assert_eq!(running.strike(Asked::Get, "ab", true), both);
        assert_eq!(running.strike(Asked::Get, "ab", true), Strike { whole: false, ..both });
    }

    #[test]
    fn globs_are_whole_texts() {
        for (glob, text, matches) in [
            ("*", "", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("*2026-10-01*", "x/2026-10-01.csv.gz", true),
            ("us*/day*/*", "us_stocks_sip/day_aggs_v1/2026", true),
            ("*b*b", "ab", false),
            ("*é", "aéé", true),
        ] {
            assert_eq!(matches_glob(glob, text), matches, "{glob} {text}");
        }
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, part) in [
            ("PUT reset:1", "LIST, GET or REST"),
            ("GET status:503", "for REST"),
            ("REST vanish", "for GET"),
            ("REST ranged html", "for GET"),
            ("REST status:418", "none of the statuses"),
            ("REST bad-rows", "`bad-rows` is no fault"),
            ("GET", "not said"),
            ("GET reset", "`reset:N`"),
            ("GET nth=0 reset:1", "positive"),
            ("GET reset:1 nth=2", "behind the action"),
            ("GET reorder:2", "for LIST"),
            ("LIST vanish", "for GET"),
            ("LIST ranged reset:1", "for GET"),
            ("GET explode", "`explode` is no fault"),
        ] {
            let error = format!("# first\n{text}").parse::<Script>().unwrap_err().to_string();
            assert!(error.contains("line 2") && error.contains(part), "{error}");
        }
    }
}
