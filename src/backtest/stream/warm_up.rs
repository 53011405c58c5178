//! How much history features need before the first bar that is traded on.

use crate::backtest::indicators::{ADX_BARS, ATR_MEAN_BARS, WILDER_BARS, ema_bars};
use crate::backtest::{FeatureSettings, SessionClock};
use crate::model::Timeframe;

impl FeatureSettings {
    /// Signal bars of regular hours before the first one on which every feature is known (B-08).
    pub fn warm_up_bars(&self) -> u32 {
        let levels = self.donchian_bars.max(2 * self.pivot_side + 1 + self.div_max_bars) as u32;
        let regime = ADX_BARS.max(WILDER_BARS + ATR_MEAN_BARS as u32);
        ema_bars(200).max(regime).max(levels)
    }

    /// The same in sessions of 390 minutes, with those that volumes are compared with and those that hourly means take.
    pub fn warm_up_sessions(&self, timeframe: Timeframe) -> u32 {
        let sessions = |timeframe: Timeframe, bars: u32| {
            let minutes = timeframe.minutes().map_or(SessionClock::FULL_MINUTES as u32, u32::from);
            bars.div_ceil((SessionClock::FULL_MINUTES as u32).div_ceil(minutes))
        };
        let hours = sessions(Timeframe::H1, ema_bars(50));
        sessions(timeframe, self.warm_up_bars()).max(hours).max(self.rvol_sessions as u32 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_memory_decides() {
        let settings = FeatureSettings::default();
        assert_eq!(settings.warm_up_bars(), 1000, "EMA 200");
        let of = |timeframe| settings.warm_up_sessions(timeframe);
        assert_eq!(of(Timeframe::M15), 39, "1000 of 26 a session");
        assert_eq!(of(Timeframe::M5), 36, "250 hours of 7 a session");
        assert_eq!(of(Timeframe::H1), 143);
        let long = FeatureSettings { rvol_sessions: 60, donchian_bars: 2000, ..settings };
        assert_eq!((long.warm_up_sessions(Timeframe::M5), long.warm_up_bars()), (61, 2000));
    }
}
