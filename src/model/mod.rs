//! What the field calls things: symbols, datasets, timeframes, bars, sessions, the trading calendar. Pure data, no I/O.

mod announced;
mod bar;
mod calendar;
mod clock;
mod dataset;
mod option;
mod outcome;
mod problem;
mod session_state;
pub mod splits;
mod symbol;
mod timeframe;

pub use announced::{AnnouncedKind, AnnouncedKindError, AnnouncedSession, heed_announced};
pub use bar::{Bar, BarError, Minute, Prices, Session, VwapMethod};
pub use calendar::{Calendar, CalendarError, SessionKind, xnys};
pub use clock::{
    Market, NEW_YORK, days_until, file_due_at, last_finished_session, midnight, options_session, regular_open,
    session_finished_at, session_under_way,
};
pub use dataset::{Dataset, DatasetError, Expectation, FileKind, FileKindError};
pub use option::{OptionRight, OptionTicker, OptionTickerError};
pub use outcome::{Outcome, OutcomeError};
pub use problem::Problem;
pub use session_state::SessionState;
pub use symbol::{Symbol, SymbolError};
pub use timeframe::{Timeframe, TimeframeError, TimeframeSet};
