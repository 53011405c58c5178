//! What entries at random moments would have brought: the yardstick of a detector.

use std::collections::BTreeMap;

use super::super::{CostSettings, EngineSettings, ExitReason, FillMode, Signal, SymbolData, Trade, TradeRules};
use super::Engine;
use super::entry::{Entry, Levels};

/// The trades to compare with, and how often.
#[derive(Debug, Clone, Copy)]
pub struct RandomControl<'a> {
    /// The signals that the trades were made of, ascending by bar.
    pub signals: &'a [Signal],
    /// Trades of one detector on one symbol.
    pub trades: &'a [Trade],
    /// ATR by signal bar, in the shares of its session; NaN where it is not known.
    pub atr: &'a [f64],
    /// What the draws depend on, beside symbol and detector.
    pub seed: u64,
    /// How many times all trades are drawn.
    pub draws: u32,
}

/// By draw: the sum of R of as many entries at random bars, each on the clock slot and the side of one of the trades and with
/// its exits.
///
/// A bar is drawn from those of tradable sessions that could have been entered. Stop and target keep their distances in ATR at
/// the bar before the entry; in percent of the entry where the trade's signal had no ATR. Gates do not apply, so that every
/// trade has a match. Trades open at the end of the data are left out, as they are of statistics; the same of a drawn one is
/// counted as it is marked.
///
/// A draw depends on seed, symbol, detector, trade and draw, and on nothing that was drawn before.
pub fn random_control(
    data: &SymbolData,
    control: &RandomControl,
    rules: &TradeRules,
    settings: &EngineSettings,
    costs: &CostSettings,
) -> Vec<f64> {
    let engine = Engine::new(data, rules, settings, costs);
    let mut sums = vec![0.0; control.draws as usize];
    let Some(first) = control.trades.first() else { return sums };
    let name = format!("{}\0{}", data.instrument.symbol.as_str(), first.detector);
    let start = twox_hash::XxHash3_128::oneshot_with_seed(control.seed, name.as_bytes()) as u64;
    let slots = engine.slots(control.atr);
    // By bar of the slot: the R that was found for the trade before.
    let mut known = Vec::new();
    for (place, trade) in control.trades.iter().enumerate() {
        if trade.reason == ExitReason::DataEnd {
            continue;
        }
        let Some(template) = Template::of(trade, control, &engine) else { continue };
        let candidates = slots.get(&template.slot).map_or(&[][..], |slot| slot.of(template.in_atr));
        if candidates.is_empty() {
            continue;
        }
        known.clear();
        known.resize(candidates.len(), None);
        for (draw, sum) in sums.iter_mut().enumerate() {
            let hash = mix(start ^ mix((place as u64) << 32 | draw as u64));
            let at = ((u128::from(hash) * candidates.len() as u128) >> 64) as usize;
            // Most runs have fewer sessions than draws.
            *sum += *known[at].get_or_insert_with(|| engine.drawn(&template, candidates[at], control.atr));
        }
    }
    sums
}

/// What a drawn entry takes from a trade.
#[derive(Debug)]
struct Template {
    /// Minutes from the regular open to the entry bar's start.
    slot: i64,
    /// Whether distances are in ATR at the signal, or else in shares of the entry price.
    in_atr: bool,
    stop: f64,
    target: f64,
    /// The trade's own.
    entry: Entry,
    named: Option<f64>,
}

/// Bars of a clock slot that can be entered: all, and those with an ATR before them.
#[derive(Debug, Default)]
struct Slot {
    all: Vec<u32>,
    with_atr: Vec<u32>,
}

impl Slot {
    fn of(&self, in_atr: bool) -> &[u32] {
        if in_atr { &self.with_atr } else { &self.all }
    }
}

impl Template {
    fn of(trade: &Trade, control: &RandomControl, engine: &Engine) -> Option<Self> {
        let from = control.signals.partition_point(|signal| signal.bar < trade.signal_bar);
        let signal = control.signals[from..]
            .iter()
            .take_while(|signal| signal.bar == trade.signal_bar)
            .find(|signal| signal.side == trade.side)?;
        let entry = engine.enter(signal).ok()?;
        let atr = control.atr[signal.bar];
        let in_atr = atr > 0.0;
        let unit = if in_atr { atr } else { entry.price.abs() };
        Some(Self {
            slot: engine.slot_of(entry.bar),
            in_atr,
            stop: entry.levels.risk / unit,
            target: (entry.levels.target - entry.price).abs() / unit,
            entry,
            named: signal.quantity,
        })
    }
}

impl Engine<'_> {
    fn slot_of(&self, bar: usize) -> i64 {
        (self.bars.start_ms[bar] - self.data.sessions.get(self.bars.session[bar]).open_ms) / 60_000
    }

    /// The bars that can be entered, by the clock slot of their start.
    fn slots(&self, atr: &[f64]) -> BTreeMap<i64, Slot> {
        let bars = self.bars;
        let mut slots = BTreeMap::<_, Slot>::new();
        let mut before = None;
        for bar in (0..bars.len()).filter(|bar| self.in_scope(bars, *bar)) {
            let session = bars.session[bar];
            let signal = before.replace(bar).filter(|before| bars.session[*before] == session);
            let Some(signal) = signal else { continue };
            if !self.data.tradable[session as usize] || bars.start_ms[bar] >= self.flat_ms(session) {
                continue;
            }
            let slot = slots.entry(self.slot_of(bar)).or_default();
            slot.all.push(bar as u32);
            if atr[signal] > 0.0 {
                slot.with_atr.push(bar as u32);
            }
        }
        slots
    }

    /// R of a template's entry at another bar.
    fn drawn(&self, template: &Template, bar: u32, atr: &[f64]) -> f64 {
        let bar = bar as usize;
        // The slots hold no bar without one before it that exists.
        let signal = (0..bar).rev().find(|before| self.in_scope(self.bars, *before)).unwrap_or(bar);
        let known = Some(atr[signal]).filter(|atr| *atr > 0.0);
        let price = match self.settings.fill_mode {
            FillMode::NextOpen => self.bars.open[bar],
            FillMode::SameClose => self.bars.close[signal],
        };
        let unit = known.filter(|_| template.in_atr).unwrap_or(price.abs());
        let (stop, target) = (template.stop * unit, template.target * unit);
        let sign = template.entry.side.sign();
        let quantity = self.quantity(template.named, price);
        if stop <= 0.0 || quantity <= 0.0 {
            return 0.0;
        }
        let levels = Levels { stop: price - sign * stop, target: price + sign * target, risk: stop };
        let entry = Entry { bar, price, levels, atr: known, quantity, ..template.entry };
        let exit = self.walk(&entry, self.settings.target_fill, None);
        self.settle(&entry, &exit, exit.price, exit.order()).net / (quantity * stop)
    }
}

/// Spreads the bits of a number over all 64 (the finaliser of splitmix64; Steele, Lea, Flood 2014).
const fn mix(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
