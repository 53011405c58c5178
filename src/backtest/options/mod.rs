//! What an option chain says at the end of a bar.

/// What detectors ask of an option chain, computed from its contracts at the end of a bar. Weights are open interest, or
/// the day's volume where the run says so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChainView {
    /// Net gamma exposure: dollars per move of 1 %; calls count up, puts down.
    pub net_gex: f64,
    /// Percentile rank of minus net gamma exposure among the same slot of sessions before, 0 to 100.
    pub negative_gex_rank: f64,
    /// Strike with the largest gamma exposure of calls.
    pub call_wall: Option<f64>,
    /// Strike with the largest gamma exposure of puts.
    pub put_wall: Option<f64>,
    /// Price at which net gamma exposure would be zero, computed at the end of the bar before.
    pub flip_level: Option<f64>,
    /// Close of the bar before: what the flip level is compared with.
    pub previous_close: Option<f64>,
    /// Gamma exposure of the strike nearest to the flip level.
    pub flip_gex: Option<f64>,
    /// Percentile rank of its size, 0 to 100.
    pub flip_gex_rank: f64,
    /// Net delta of dealers, in contracts' underlying units.
    pub dealer_delta: f64,
    /// Percentile rank of its size, 0 to 100.
    pub dealer_delta_rank: f64,
    /// Calls' share of the day's option volume so far, 0 to 1.
    pub call_volume_share: Option<f64>,
    /// The day's option volume so far over its mean at the same slot of 14 sessions.
    pub volume_ratio: Option<f64>,
    /// Minutes from the end of the bar to the nearest expiry's last trading instant.
    pub minutes_to_expiry: f64,
    /// Whether a contract expires in this session.
    pub expires_today: bool,
    /// Strike at which holders of the nearest expiry would get least.
    pub max_pain: Option<f64>,
    /// Weight at that strike.
    pub max_pain_weight: f64,
    /// Share of that strike in the weight of its expiry, 0 to 1.
    pub max_pain_share: f64,
    /// Net gamma exposure at that strike, if it is known.
    pub max_pain_gex: Option<f64>,
}
