//! Volume against the same time of earlier sessions.

use crate::backtest::{Input, Known, SessionClock, SessionScope};
use crate::model::splits::Factor;
use crate::model::{Session, Timeframe};

/// Sessions before whose volumes tell how far a volume is out of the ordinary.
pub const VOLUME_Z_SESSIONS: usize = 20;

const MINUTE_MS: i64 = 60_000;

/// Numbers the slots of a trading day: those before the open, of the regular session, and after its close.
///
/// Slots are counted from the open, and after the close from the close. In the half of an early-closing session that is
/// nearer to its close, bars have the slot that is as far from the close of a full session.
#[derive(Debug, Clone, Copy)]
pub struct Slots {
    length_ms: i64,
    full_ms: i64,
    before: i64,
    regular: i64,
    after: i64,
}

impl Slots {
    /// Slots of a timeframe in sessions of so many minutes when they are full.
    pub fn new(timeframe: Timeframe, full_minutes: i32, scope: SessionScope) -> Self {
        // Midnight is 9.5 hours before the open, or one more or less when clocks change, and 11 after an early close.
        const OFF_HOURS_MS: i64 = 12 * 60 * MINUTE_MS;
        let off_hours_ms = if scope == SessionScope::All { OFF_HOURS_MS } else { 0 };
        let full_ms = i64::from(full_minutes) * MINUTE_MS;
        let length_ms = timeframe.minutes().map_or(full_ms, |minutes| i64::from(minutes) * MINUTE_MS);
        let slots = |stretch: i64| (stretch + length_ms - 1) / length_ms;
        Self { length_ms, full_ms, before: slots(off_hours_ms), regular: slots(full_ms), after: slots(off_hours_ms) }
    }

    /// Minutes of a full session.
    pub const fn full_minutes(&self) -> i32 {
        (self.full_ms / MINUTE_MS) as i32
    }

    /// How many there are.
    pub const fn count(&self) -> usize {
        (self.before + self.regular + self.after) as usize
    }

    /// The slot of a bar; bars outside regular hours have one only if the scope is all.
    pub fn of(&self, clock: &SessionClock, hours: Session, start_ms: i64, end_ms: i64) -> usize {
        let slot = match hours {
            Session::Pre => self.before + (start_ms - clock.open_ms).div_euclid(self.length_ms).clamp(-self.before, -1),
            Session::Regular => {
                let late = end_ms - clock.open_ms > clock.close_ms - end_ms;
                let moved = if late { (self.full_ms - (clock.close_ms - clock.open_ms)).max(0) } else { 0 };
                let slot = (start_ms + moved - clock.open_ms).div_euclid(self.length_ms);
                self.before + slot.clamp(0, self.regular - 1)
            }
            Session::Post => {
                let slot = (start_ms - clock.close_ms).div_euclid(self.length_ms);
                self.before + self.regular + slot.clamp(0, self.after - 1)
            }
        };
        slot as usize
    }
}

/// Mean and spread of one slot's volumes in the sessions before.
#[derive(Debug, Clone, Copy, Default)]
struct Before {
    /// Volumes known of the sessions that relative volume looks at, and their sum.
    count: f64,
    sum: f64,
    /// The same of those that z looks at, and the sum of squared distances from their mean.
    z_count: f64,
    z_sum: f64,
    z_squares: f64,
}

/// Volumes by slot of the sessions before, in the shares of the current one. What they come to is computed once a session,
/// for all slots together.
#[derive(Debug, Clone)]
pub struct SlotVolume {
    sessions: usize,
    min_sessions: f64,
    kept: usize,
    /// Sessions in a ring, each with its slots; NaN where a volume is not known.
    earlier: Vec<f64>,
    /// Which of them the next session replaces.
    next: usize,
    /// By slot: the current session; NaN without a bar.
    current: Vec<f64>,
    before: Vec<Before>,
}

impl SlotVolume {
    /// Compares with so many sessions before, of which some must be there.
    pub fn new(slots: usize, sessions: usize, min_sessions: usize) -> Self {
        let kept = sessions.max(VOLUME_Z_SESSIONS);
        Self {
            sessions,
            min_sessions: min_sessions.max(1) as f64,
            kept,
            earlier: vec![f64::NAN; slots * kept],
            next: 0,
            current: vec![f64::NAN; slots],
            before: vec![Before::default(); slots],
        }
    }

    /// A bar's volume in the current session.
    pub fn record(&mut self, slot: usize, volume: f64) {
        self.current[slot] = volume;
    }

    /// Makes the current session one of those before. In a covered session a slot without a bar had no trade: 0.
    pub fn close_session(&mut self, covered: bool) {
        let absent = if covered { 0.0 } else { f64::NAN };
        let slots = self.current.len();
        let row = &mut self.earlier[self.next * slots..][..slots];
        for (volume, earlier) in self.current.iter_mut().zip(row) {
            *earlier = if volume.is_nan() { absent } else { *volume };
            *volume = f64::NAN;
        }
        self.next = (self.next + 1) % self.kept;
    }

    /// Forgets the current session: an early close is compared with others, and never with it.
    pub fn drop_session(&mut self) {
        self.current.fill(f64::NAN);
    }

    /// Brings the sessions before into the shares after a split.
    pub fn rescale(&mut self, factor: Factor) {
        for volume in &mut self.earlier {
            *volume = factor.volume(*volume);
        }
    }

    /// Starts a session: what the ones before come to, in the shares they are now in.
    pub fn open_session(&mut self) {
        self.before.fill(Before::default());
        let slots = self.before.len();
        // From the latest session back.
        let row = |age: usize| (self.next + self.kept - 1 - age) % self.kept * slots;
        for age in 0..self.kept {
            let (near, far) = (age < self.sessions, age < VOLUME_Z_SESSIONS);
            for (before, volume) in self.before.iter_mut().zip(&self.earlier[row(age)..]) {
                let (one, volume) = if volume.is_nan() { (0.0, 0.0) } else { (1.0, *volume) };
                if near {
                    before.count += one;
                    before.sum += volume;
                }
                if far {
                    before.z_count += one;
                    before.z_sum += volume;
                }
            }
        }
        for age in 0..VOLUME_Z_SESSIONS {
            for (before, volume) in self.before.iter_mut().zip(&self.earlier[row(age)..]) {
                let off = if volume.is_nan() { 0.0 } else { volume - before.z_sum / before.z_count };
                before.z_squares += off * off;
            }
        }
    }

    /// Relative volume: a volume over the mean of its slot in the sessions before. `warm-up` with too few of them, `volume`
    /// where the mean is 0.
    pub fn relative(&self, slot: usize, volume: f64) -> Known {
        let Before { count, sum, .. } = self.before[slot];
        if count < self.min_sessions {
            Err(Input::WarmUp)
        } else if sum == 0.0 {
            Err(Input::Volume)
        } else {
            Ok(volume / (sum / count))
        }
    }

    /// A volume's distance from the mean of its slot over 20 sessions before in standard deviations (n − 1). `warm-up` with too
    /// few of them, `volume` where all are the same.
    pub fn z(&self, slot: usize, volume: f64) -> Known {
        let Before { z_count, z_sum, z_squares, .. } = self.before[slot];
        let deviation = (z_squares / (z_count - 1.0)).sqrt();
        if z_count < self.min_sessions {
            Err(Input::WarmUp)
        } else if deviation > 0.0 {
            Ok((volume - z_sum / z_count) / deviation)
        } else {
            Err(Input::Volume)
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::backtest::Sessions;
    use crate::model::Dataset;

    #[test]
    fn a_volume_is_compared_with_its_slot() {
        let mut volumes = SlotVolume::new(2, 3, 2);
        let session = |volumes: &mut SlotVolume, first: Option<f64>, covered| {
            if let Some(volume) = first {
                volumes.record(0, volume);
            }
            volumes.record(1, 7.0);
            volumes.close_session(covered);
            volumes.open_session();
        };
        session(&mut volumes, Some(1000.0), true);
        assert_eq!(volumes.relative(0, 5.0), Err(Input::WarmUp), "one session of two");
        session(&mut volumes, Some(10.0), true);
        session(&mut volumes, None, true);
        session(&mut volumes, Some(20.0), true);
        assert_eq!(volumes.relative(0, 5.0), Ok(0.5), "(10 + 0 + 20) / 3, the fourth is too long ago");
        assert_eq!(volumes.relative(1, 7.0), Ok(1.0));
        session(&mut volumes, None, false);
        assert_eq!(volumes.relative(0, 5.0), Ok(0.5), "(0 + 20) / 2, a slot that is not covered is not known");
        session(&mut volumes, None, false);
        assert_eq!(volumes.relative(0, 5.0), Err(Input::WarmUp));
    }

    #[test]
    fn nothing_to_compare_with_is_no_number() {
        let mut volumes = SlotVolume::new(1, 14, 10);
        for _ in 0..12 {
            volumes.close_session(true);
        }
        volumes.open_session();
        assert_eq!((volumes.relative(0, 5.0), volumes.z(0, 5.0)), (Err(Input::Volume), Err(Input::Volume)));
        volumes.record(0, 13.0);
        volumes.close_session(true);
        volumes.open_session();
        assert_eq!(volumes.relative(0, 2.0), Ok(2.0), "13 in 13 sessions");
        // The mean is 1, the deviation √((12·1 + 144)/12) = √13.
        assert!((volumes.z(0, 2.0).unwrap() - 1.0 / 13.0_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn early_closes_have_the_slots_of_the_open_then_those_of_the_close() {
        let sessions = Sessions::of(Dataset::Stocks, date(2026, 11, 25)..=date(2026, 11, 27));
        let slots = Slots::new(Timeframe::M15, 390, SessionScope::All);
        let slot = |session: u32, hours, minute: i64| {
            let clock = sessions.get(session);
            let anchor = if hours == Session::Post { clock.close_ms } else { clock.open_ms };
            let start = anchor + minute * MINUTE_MS;
            slots.of(clock, hours, start, start + 15 * MINUTE_MS)
        };
        let regular = Session::Regular;
        assert_eq!(slot(0, regular, 375) - slot(0, regular, 0), 25);
        assert_eq!(slot(1, regular, 90), slot(0, regular, 90), "ends 105 minutes from both");
        assert_eq!(slot(1, regular, 105), slot(0, regular, 285));
        assert_eq!(slot(1, regular, 195), slot(0, regular, 375));
        assert_eq!(slot(1, Session::Post, 0), slot(0, Session::Post, 0));
        assert_eq!(slot(0, Session::Pre, -15) + 1, slot(0, regular, 0));
        assert!(slot(0, Session::Post, 465) < slots.count() && slot(0, Session::Pre, -570) > 0);
        let hours = Slots::new(Timeframe::H1, 390, SessionScope::Regular);
        let clock = sessions.get(1);
        let last = clock.close_ms - 30 * MINUTE_MS;
        let full = sessions.get(0).close_ms - 30 * MINUTE_MS;
        assert_eq!(
            hours.of(clock, regular, last, clock.close_ms),
            hours.of(sessions.get(0), regular, full, sessions.get(0).close_ms),
            "the short last hour"
        );
    }
}
