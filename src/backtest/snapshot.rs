//! What names the data of a run: a hash of every bar, split and official price that was read (B-60).

use twox_hash::XxHash3_128;

use super::{Bars, SymbolData};

/// Bytes that are gathered before they are hashed; hashing a number at a time takes many times as long.
const GATHERED: usize = 64 * 1024;

/// A hash in the making.
#[derive(Default)]
pub(super) struct Snapshot {
    hash: XxHash3_128,
    gathered: Vec<u8>,
}

impl Snapshot {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHERED {
            self.hash.write(&self.gathered);
            self.gathered.clear();
        }
    }

    pub(super) fn finish(mut self) -> u128 {
        self.hash.write(&self.gathered);
        self.hash.finish_128()
    }

    /// How many follow, then each.
    fn list<'a, T: 'a, const N: usize>(
        &mut self,
        items: impl ExactSizeIterator<Item = &'a T>,
        bytes: impl Fn(&T) -> [u8; N],
    ) {
        self.add(&(items.len() as u64).to_le_bytes());
        for item in items {
            self.add(&bytes(item));
        }
    }

    fn bars(&mut self, bars: &Bars) {
        for column in [&bars.start_ms, &bars.end_ms] {
            self.list(column.iter(), |value| value.to_le_bytes());
        }
        for column in [&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume, &bars.vwap] {
            self.list(column.iter(), |value| value.to_bits().to_le_bytes());
        }
        self.list(bars.session.iter(), |session| session.to_le_bytes());
        self.list(bars.hours.iter(), |hours| [*hours as u8]);
        self.list(bars.exact_vwap.iter(), |exact| [u8::from(*exact)]);
    }

    fn symbol(&mut self, data: &SymbolData) {
        self.add(data.instrument.symbol.as_str().as_bytes());
        self.add(&[0, data.timeframe as u8]);
        self.list(data.sessions.iter(), |clock| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&clock.open_ms.to_le_bytes());
            bytes[8..].copy_from_slice(&clock.close_ms.to_le_bytes());
            bytes
        });
        for (timeframe, bars) in &data.series {
            self.add(&[*timeframe as u8]);
            self.bars(bars);
        }
        self.list(data.official.iter(), |day| {
            let mut bytes = [0; 20];
            bytes[..4].copy_from_slice(&day.session.to_le_bytes());
            bytes[4..12].copy_from_slice(&day.open.to_bits().to_le_bytes());
            bytes[12..].copy_from_slice(&day.close.to_bits().to_le_bytes());
            bytes
        });
        self.list(data.splits.iter(), |split| {
            let mut bytes = [0; 20];
            bytes[..4].copy_from_slice(&split.session.to_le_bytes());
            bytes[4..12].copy_from_slice(&split.factor.from().to_bits().to_le_bytes());
            bytes[12..].copy_from_slice(&split.factor.to().to_bits().to_le_bytes());
            bytes
        });
        self.list(data.covered.iter(), |covered| [u8::from(*covered)]);
        for beside in [&data.proxy, &data.vix] {
            self.add(&[u8::from(beside.is_some())]);
            if let Some(beside) = beside {
                self.symbol(beside);
            }
        }
    }
}

/// The hash of all that is known of a symbol, its proxy included.
pub(super) fn of(data: &SymbolData) -> u128 {
    let mut snapshot = Snapshot::default();
    snapshot.symbol(data);
    snapshot.finish()
}
