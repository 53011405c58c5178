//! Where an instrument's price stands at the close of a date, without walking there from the beginning.

use jiff::civil::Date;

use super::rng::{hash_numbers, signed_unit};
use super::universe::Instrument;
use crate::model::{Dataset, Expectation};

/// The trading date before this one.
pub(super) fn previous_trading_date(dataset: Dataset, date: Date) -> Date {
    let mut day = date;
    for _ in 0..10 {
        day = day.yesterday().unwrap_or(day);
        if dataset.expectation(day) != Expectation::Closed {
            break;
        }
    }
    day
}

/// Close of a date, in the instrument's currency, never below a small share of its base.
///
/// Waves of random height, each twice as long and √2 times as high as the one before, add up to something that changes
/// from day to day like a random walk and yet can be read off at any date: files of different dates fit together and
/// need nothing of each other.
pub(super) fn level(instrument: &Instrument, seed: u64, date: Date) -> f64 {
    let day = date.duration_since(Date::constant(2000, 1, 1)).as_hours() / 24;
    let mut sum = 0.0;
    for octave in 0..10_u32 {
        let period = 1_i64 << octave;
        let (knot, offset) = (day.div_euclid(period), day.rem_euclid(period));
        let height = |knot: i64| signed_unit(hash_numbers(&[seed, instrument.key, u64::from(octave), knot as u64]));
        let along = offset as f64 / period as f64;
        sum += (period as f64).sqrt() * (height(knot) * (1.0 - along) + height(knot + 1) * along);
    }
    if instrument.base == 0.0 {
        return instrument.daily_change * sum / 10.0;
    }
    instrument.base * (0.6 * instrument.daily_change * sum).clamp(-1.2, 1.2).exp()
}
