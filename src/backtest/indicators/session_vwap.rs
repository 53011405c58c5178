//! VWAP of a session.

/// `Σ(VWAP of a bar · its volume) / Σ volume` over the bars of a session so far. Bars without volume or VWAP weigh nothing.
#[derive(Debug, Clone, Default)]
pub struct SessionVwap {
    weighted: f64,
    volume: f64,
    exact: bool,
    estimate: bool,
}

impl SessionVwap {
    /// The next bar, as stored: NaN is no value. `exact`: its VWAP is made of the vendor's only.
    pub fn add(&mut self, vwap: f64, volume: f64, exact: bool) {
        if volume > 0.0 && !vwap.is_nan() {
            self.weighted += vwap * volume;
            self.volume += volume;
            self.exact |= exact;
            self.estimate |= !exact;
        }
    }

    /// In price; `None` while there is no volume.
    pub fn value(&self) -> Option<f64> {
        (self.volume > 0.0).then(|| self.weighted / self.volume)
    }

    /// Whether all of it is exact (`true`) or estimated (`false`); `None` for both or nothing (B-57).
    pub const fn exact(&self) -> Option<bool> {
        match (self.exact, self.estimate) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_weigh_what_was_traded_in_them() {
        let mut vwap = SessionVwap::default();
        vwap.add(f64::NAN, 0.0, false);
        assert_eq!((vwap.value(), vwap.exact()), (None, None));
        vwap.add(10.0, 300.0, true);
        vwap.add(f64::NAN, 50.0, false);
        assert_eq!((vwap.value(), vwap.exact()), (Some(10.0), Some(true)));
        vwap.add(20.0, 100.0, false);
        // B-57
        assert_eq!((vwap.value(), vwap.exact()), (Some(12.5), None));
    }
}
