//! Reproducible chance: one stream of random numbers per purpose, found by hashing what it is for.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};

/// Hash of a text, the same on every machine and in every release (FNV-1a).
pub(super) fn hash_text(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Hash of several numbers; the order counts (SplitMix64 over each).
pub(super) fn hash_numbers(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0x9e37_79b9_7f4a_7c15, |hash, number| {
        let mut z = (hash ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// A number in -1..1 that belongs to a hash.
pub(super) fn signed_unit(hash: u64) -> f64 {
    (hash >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// A stream of random numbers.
pub(super) struct Chance(Pcg64Mcg);

impl Chance {
    /// The stream that belongs to these numbers.
    pub(super) fn of(purpose: &[u64]) -> Self {
        Self(Pcg64Mcg::seed_from_u64(hash_numbers(purpose)))
    }

    /// Any 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Any 32 bits: to be held against a threshold of [`threshold`].
    #[inline]
    pub(super) fn draw(&mut self) -> u32 {
        (self.0.next_u64() >> 32) as u32
    }

    /// 0..1, without 1.
    #[inline]
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// 0..bound, without the bound; 0 for a bound of 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// True this often.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Exponentially distributed with mean 1; at most about 37.
    pub(super) fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// About normally distributed with mean 0 and deviation 1, never beyond 3.5: the sum of four uniform numbers.
    #[inline]
    pub(super) fn normal(&mut self) -> f64 {
        let bits = self.bits();
        let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
        (sum as f64 / 65_536.0 - 2.0) * 1.732_050_8
    }
}

/// What a [`Chance::draw`] stays below with this probability.
pub(super) fn threshold(probability: f64) -> u32 {
    (probability.clamp(0.0, 1.0) * f64::from(u32::MAX)) as u32
}
