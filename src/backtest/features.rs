//! What is known at the end of a signal bar: the inputs of detectors.

use serde::Serialize;

use super::Side;
use super::options::ChainView;

/// Why a value is not there. A bar that lacks a required input is not evaluable, which is something else than no signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Input {
    /// Not enough bars before.
    #[serde(rename = "warm-up")]
    WarmUp,
    /// Finer bars are not stored.
    #[serde(rename = "minutes")]
    Minutes,
    /// No volume to compare or to weigh with.
    #[serde(rename = "volume")]
    Volume,
    /// The same of the symbol whose volume stands in for an index's.
    #[serde(rename = "proxy volume")]
    ProxyVolume,
    /// The close of the session before.
    #[serde(rename = "previous close")]
    PreviousClose,
    /// Bars of option contracts.
    #[serde(rename = "option minutes")]
    OptionMinutes,
    /// The underlying's price at the same minute.
    #[serde(rename = "underlying price")]
    UnderlyingPrice,
    /// Open interest of contracts.
    #[serde(rename = "open interest")]
    OpenInterest,
    /// Enough contracts with an implied volatility.
    #[serde(rename = "chain coverage")]
    ChainCoverage,
    /// Bid and ask.
    #[serde(rename = "quotes")]
    Quotes,
    /// The level of VIX.
    #[serde(rename = "vix")]
    Vix,
}

impl Input {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::WarmUp,
        Self::Minutes,
        Self::Volume,
        Self::ProxyVolume,
        Self::PreviousClose,
        Self::OptionMinutes,
        Self::UnderlyingPrice,
        Self::OpenInterest,
        Self::ChainCoverage,
        Self::Quotes,
        Self::Vix,
    ];

    /// The word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WarmUp => "warm-up",
            Self::Minutes => "minutes",
            Self::Volume => "volume",
            Self::ProxyVolume => "proxy volume",
            Self::PreviousClose => "previous close",
            Self::OptionMinutes => "option minutes",
            Self::UnderlyingPrice => "underlying price",
            Self::OpenInterest => "open interest",
            Self::ChainCoverage => "chain coverage",
            Self::Quotes => "quotes",
            Self::Vix => "vix",
        }
    }
}

/// A value, or why it is not there. Zero is a value.
pub type Known<T = f64> = Result<T, Input>;

/// What kind of market it is, by trend and range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// ADX above 25 and DI+ above DI-.
    TrendingUp,
    /// ADX above 25 and DI- above DI+.
    TrendingDown,
    /// ATR above twice its mean.
    Volatile,
    /// ADX below 20 and wide bars.
    Choppy,
    /// None of these.
    Ranging,
}

impl Regime {
    /// The word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TrendingUp => "trending_up",
            Self::TrendingDown => "trending_down",
            Self::Volatile => "volatile",
            Self::Choppy => "choppy",
            Self::Ranging => "ranging",
        }
    }

    /// Whether it is the trend of a side.
    pub const fn is_trend_of(self, side: Side) -> bool {
        matches!((self, side), (Self::TrendingUp, Side::Long) | (Self::TrendingDown, Side::Short))
    }
}

/// High, low, open and close of the first minutes of a session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OpeningRange {
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
}

/// Flow of option trades over the last hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flow {
    /// 0 to 100.
    pub score: f64,
    /// Trades with an intersweep condition.
    pub sweeps: u32,
    /// Trades above the block size.
    pub blocks: u32,
    /// Share of bought premium by tick rule, 0 to 1: at least 0.6 is bullish, at most 0.4 bearish.
    pub buy_share: f64,
}

/// Everything that is known at the end of one signal bar. Prices are in the shares of the bar's own session; for an index
/// everything that comes from its proxy is translated into index points by the ratio of the two closes.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Place of the bar in its series.
    pub bar: usize,
    /// Place of its session in the run's sessions.
    pub session: u32,
    /// When the bar is known, milliseconds since the Unix epoch.
    pub end_ms: i64,
    /// Prices of the bar.
    pub open: f64,
    /// Highest price of the bar.
    pub high: f64,
    /// Lowest price of the bar.
    pub low: f64,
    /// Last price of the bar: the price at the signal.
    pub close: f64,
    /// Minutes from the regular open to the end of the bar; `None` outside regular hours.
    pub minute: Option<i32>,
    /// The same counted back from the close, on the scale of a full session: 390 at the close of any session.
    pub late_minute: Option<i32>,
    /// Relative strength index, 0 to 100.
    pub rsi: Known,
    /// Average true range, in price.
    pub atr: Known,
    /// Average true range of 5m bars, in price.
    pub atr5: Known,
    /// Average directional index, 0 to 100.
    pub adx: Known,
    /// Positive directional indicator, 0 to 100.
    pub di_plus: Known,
    /// Negative directional indicator, 0 to 100.
    pub di_minus: Known,
    /// What kind of market it is.
    pub regime: Known<Regime>,
    /// Exponential mean of closes over 21 bars.
    pub ema21: Known,
    /// The same over 50.
    pub ema50: Known,
    /// The same over 200.
    pub ema200: Known,
    /// Volume against the mean of the same slot; the proxy's for an index.
    pub rvol: Known,
    /// Volume against the same slot in standard deviations.
    pub volume_z: Known,
    /// Session VWAP, in this symbol's price.
    pub vwap: Known,
    /// Distance from it in percent: the proxy's for an index.
    pub vwap_distance: Known,
    /// Whether the session VWAP was made of exact VWAPs (`true`), of estimates (`false`), or of both (`None`).
    pub vwap_exact: Option<bool>,
    /// Open of the session: the proxy's for an index.
    pub day_open: Known,
    /// Highest price of the session so far, its own.
    pub day_high: Known,
    /// Lowest price of the session so far, its own.
    pub day_low: Known,
    /// Move from the open of the session in percent; the proxy's for an index.
    pub day_move_pct: Known,
    /// Close of the session before: the proxy's for an index.
    pub previous_close: Known,
    /// Open against the previous close in percent; the proxy's for an index.
    pub gap_pct: Known,
    /// The opening range, once it is over; the proxy's for an index.
    pub opening_range: Known<OpeningRange>,
    /// Whether this is the first signal bar of the session that closes above the opening range.
    pub first_above_range: bool,
    /// The same below it.
    pub first_below_range: bool,
    /// Highest high of the bars before.
    pub donchian_high: Known,
    /// Lowest low of the bars before.
    pub donchian_low: Known,
    /// Last confirmed swing high.
    pub swing_high: Known,
    /// Last confirmed swing low.
    pub swing_low: Known,
    /// Whether the last two confirmed swing lows rise.
    pub higher_lows: bool,
    /// Whether the last two confirmed swing highs fall.
    pub lower_highs: bool,
    /// Price lower, RSI higher at the last two swing lows, lately.
    pub bull_divergence: bool,
    /// Price higher, RSI lower at the last two swing highs, lately.
    pub bear_divergence: bool,
    /// Body at most 0.3 ATR.
    pub patient: bool,
    /// Share of known timeframes whose RSI lies in 50 to 70, in percent; 50 where none is known.
    pub mtf_rsi_long: f64,
    /// The same in 30 to 50.
    pub mtf_rsi_short: f64,
    /// Share of known timeframes whose EMA21 lies above EMA50, in percent; 50 where none is known.
    pub mtf_ema_long: f64,
    /// The same below.
    pub mtf_ema_short: f64,
    /// Whether at least two timeframes are known and all of them are aligned by RSI upwards.
    pub mtf_flag_long: bool,
    /// The same downwards.
    pub mtf_flag_short: bool,
    /// The last complete 5m bar made a low under the range of the one before and closed back inside it.
    pub false_break_down: Known<bool>,
    /// It made a high over that range and closed back inside it.
    pub false_break_up: Known<bool>,
    /// Close `approach_minutes` ago, in the same session.
    pub approach_close: Known,
    /// Level of VIX at the end of the bar.
    pub vix: Known,
    /// Flow of option trades; `None` without such data.
    pub flow: Option<Flow>,
    /// What the option chain says.
    pub chain: Known<ChainView>,
}

impl Features {
    /// Nothing known yet: where a stream of features starts.
    pub fn unknown() -> Self {
        const NONE: Known = Err(Input::WarmUp);
        Self {
            bar: 0,
            session: 0,
            end_ms: 0,
            open: 0.0,
            high: 0.0,
            low: 0.0,
            close: 0.0,
            minute: None,
            late_minute: None,
            rsi: NONE,
            atr: NONE,
            atr5: NONE,
            adx: NONE,
            di_plus: NONE,
            di_minus: NONE,
            regime: Err(Input::WarmUp),
            ema21: NONE,
            ema50: NONE,
            ema200: NONE,
            rvol: NONE,
            volume_z: NONE,
            vwap: NONE,
            vwap_distance: NONE,
            vwap_exact: None,
            day_open: NONE,
            day_high: NONE,
            day_low: NONE,
            day_move_pct: NONE,
            previous_close: Err(Input::PreviousClose),
            gap_pct: Err(Input::PreviousClose),
            opening_range: Err(Input::Minutes),
            first_above_range: false,
            first_below_range: false,
            donchian_high: NONE,
            donchian_low: NONE,
            swing_high: NONE,
            swing_low: NONE,
            higher_lows: false,
            lower_highs: false,
            bull_divergence: false,
            bear_divergence: false,
            patient: false,
            mtf_rsi_long: 50.0,
            mtf_rsi_short: 50.0,
            mtf_ema_long: 50.0,
            mtf_ema_short: 50.0,
            mtf_flag_long: false,
            mtf_flag_short: false,
            false_break_down: Err(Input::Minutes),
            false_break_up: Err(Input::Minutes),
            approach_close: NONE,
            vix: Err(Input::Vix),
            flow: None,
            chain: Err(Input::OpenInterest),
        }
    }
}

/// Settings that values depend on. Detectors with equal settings share one stream of [`Features`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeatureSettings {
    /// Bars of the Donchian level, before the signal bar.
    pub donchian_bars: usize,
    /// Sessions whose same slot volume is compared with.
    pub rvol_sessions: usize,
    /// How many of them must be there.
    pub rvol_min_sessions: usize,
    /// Minutes of the opening range.
    pub opening_range_minutes: i32,
    /// Bars on each side of a swing.
    pub pivot_side: usize,
    /// Fewest bars between the swings of a divergence.
    pub div_min_bars: usize,
    /// Most bars between them.
    pub div_max_bars: usize,
    /// Minutes that `approach_close` looks back.
    pub approach_minutes: i32,
    /// Whether the true range of a session's first bar reaches back to the close before.
    pub tr_gaps: bool,
    /// Whether ATR is a simple mean instead of Wilder's.
    pub atr_simple: bool,
}

impl Default for FeatureSettings {
    fn default() -> Self {
        Self {
            donchian_bars: 20,
            rvol_sessions: 14,
            rvol_min_sessions: 10,
            opening_range_minutes: 5,
            pivot_side: 2,
            div_min_bars: 10,
            div_max_bars: 20,
            approach_minutes: 15,
            tr_gaps: false,
            atr_simple: false,
        }
    }
}
