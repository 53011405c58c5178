//! What data a run used, where they came from, and what was missing.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Serialize;

use crate::backtest::signals_file::Unmatched;
use crate::model::VwapMethod;

pub use crate::model::SessionState;

/// Sessions of one symbol by their state; states without sessions are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SymbolSessions {
    /// The symbol's ticker.
    pub symbol: Box<str>,
    /// Sessions by state.
    pub sessions: BTreeMap<SessionState, u64>,
}

/// Sessions in a row that a symbol lacks for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataGap {
    /// The symbol's ticker.
    pub symbol: Box<str>,
    /// First trading date.
    pub from: Date,
    /// Last trading date.
    pub to: Date,
    /// Sessions from the one to the other.
    pub sessions: u64,
    /// What they are.
    pub state: SessionState,
    /// Why, in words, where more than the state is known.
    pub reason: Option<String>,
}

/// Whether prices of different sessions could be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Splits {
    /// The table of splits was there, with so many that fall into the run's sessions.
    Loaded(u64),
    /// It was not: a split looks like a move of the price.
    NotLoaded,
}

/// A symbol whose indicators start within the period, or another thing to know of its history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WarmUpNote {
    /// The symbol's ticker.
    pub symbol: Box<str>,
    /// What it lacks, in words: `12 of 15 sessions before 2026-09-01`.
    pub note: String,
}

/// A symbol whose ticker another company had before: that one's bars are not the symbol's, and are no part of the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReusedTicker {
    /// The symbol's ticker.
    pub symbol: Box<str>,
    /// The first date that is the symbol's own.
    pub since: Date,
    /// Sessions before, those that warm up included, whose stored bars were left out.
    pub sessions: u64,
}

/// A month of a universe of the largest stocks whose ranking lacks sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnrankedMonth {
    /// Which, as in `2026-10`.
    pub month: String,
    /// Sessions before it whose day bars are stored: it is ranked by these, and nothing is entered in it if there are none.
    pub sessions: u64,
    /// Sessions before it that it should be ranked by.
    pub of: u64,
}

/// What data a run used, where they came from, and what was missing. Lists are sorted by symbol, gaps then by date,
/// signals by line.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DataSection {
    /// Where bars were kept, without address or secrets: `sqlite`, `postgres`, `none`.
    pub store: String,
    /// Whether there is a database that could not be used, so that bars came from elsewhere.
    #[serde(skip)]
    pub store_unusable: bool,
    /// Sessions of each symbol by state.
    pub symbols: Vec<SymbolSessions>,
    /// Sessions that symbols lack, named.
    pub gaps: Vec<DataGap>,
    /// Sessions by what brought them: `flat files`, `rest`.
    pub sources: BTreeMap<String, u64>,
    /// Signal bars by how their VWAP was made; bars without VWAP are left out.
    pub vwap_methods: BTreeMap<&'static str, u64>,
    /// Sessions whose VWAP was made of exact and of estimated ones.
    pub mixed_vwap_sessions: u64,
    /// Rows that were fetched and disagreed: with another one of the same minute, or with a bar that a file had brought, which
    /// stayed.
    #[serde(skip)]
    pub conflicting_duplicates: u64,
    /// Whether splits were known.
    pub splits: Splits,
    /// Symbols whose history is too short for a full warm-up.
    pub warm_up: Vec<WarmUpNote>,
    /// Symbols of which bars were left out, as another company had the ticker.
    pub reused: Vec<ReusedTicker>,
    /// Rows of a file of signals that could not be traded, all of them.
    pub unmatched_signals: Vec<Unmatched>,
    /// Months of a universe of the largest stocks whose ranking lacks sessions, by date.
    pub unranked: Vec<UnrankedMonth>,
}

impl DataSection {
    /// Nothing known yet.
    pub fn empty(store: impl Into<String>) -> Self {
        Self {
            store: store.into(),
            store_unusable: false,
            symbols: Vec::new(),
            gaps: Vec::new(),
            sources: BTreeMap::new(),
            vwap_methods: BTreeMap::new(),
            mixed_vwap_sessions: 0,
            conflicting_duplicates: 0,
            splits: Splits::NotLoaded,
            warm_up: Vec::new(),
            reused: Vec::new(),
            unmatched_signals: Vec::new(),
            unranked: Vec::new(),
        }
    }

    /// Sessions of all symbols in a state.
    pub fn sessions_in(&self, state: SessionState) -> u64 {
        self.symbols.iter().filter_map(|symbol| symbol.sessions.get(&state)).sum()
    }

    /// Counts bars by how their VWAP was made.
    pub fn add_vwaps(&mut self, method: VwapMethod, bars: u64) {
        if bars > 0 {
            *self.vwap_methods.entry(method.as_str()).or_default() += bars;
        }
    }

    /// Whether some VWAPs of sessions are made of exact and of estimated ones.
    pub const fn has_mixed_vwap(&self) -> bool {
        self.mixed_vwap_sessions > 0
    }

    /// Whether a symbol lacks a session, or a part of one, that it should have.
    pub fn has_gaps(&self) -> bool {
        SessionState::ALL.into_iter().any(|state| state.is_gap() && self.sessions_in(state) > 0)
    }
}
