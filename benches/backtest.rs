//! What a backtest costs without a database: 500 symbols × 90 sessions of 15m bars, from memory.
//!
//!     cargo bench --bench backtest -- engine                     the engine with ready signals
//!     cargo bench --bench backtest -- detectors --threads=2      12 detectors, indicators, and the engine
//!     cargo bench --bench backtest -- detectors --draws=200      and entries at random bars to compare with
//!     cargo bench --bench backtest -- bars FILE                  the bars, for other programs
//!
//! Wall and CPU seconds are those of the job alone, over all its rounds; the peak of memory is the whole process's, its bars
//! included. `scripts/bench --backtest` puts both beside another engine on the same bars.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use barkeep::backtest::detectors;
use barkeep::backtest::run::{Setup, Source, study_symbol};
use barkeep::backtest::{
    Bars, CostSettings, Counters, EngineSettings, ExitPlan, Instrument, Sessions, Side, Signal, StopRule, SymbolData,
    TargetRule, TradeRules, engine,
};
use barkeep::model::{Bar, Dataset, Prices, Session, Symbol, Timeframe, VwapMethod};
use jiff::civil::date;
use rustix::time::{ClockId, clock_gettime};

const SYMBOLS: usize = 500;
const SESSIONS: usize = 90;
const BARS_A_SESSION: usize = 26;
const BARS: usize = SESSIONS * BARS_A_SESSION;
const BAR_MS: i64 = 15 * 60_000;

/// Detectors that need no option chain.
const OF_PRICES: [&str; 12] = [
    "breakout_bullish",
    "breakout_bearish",
    "mean_reversion_long",
    "mean_reversion_short",
    "trend_continuation_long",
    "trend_continuation_short",
    "power_hour_reversal_bullish",
    "power_hour_reversal_bearish",
    "index_mean_reversion_long",
    "index_mean_reversion_short",
    "opening_drive_bullish",
    "opening_drive_bearish",
];

/// Ninety sessions without an early close.
fn sessions() -> Arc<Sessions> {
    let sessions = Sessions::of(Dataset::Stocks, date(2026, 2, 2)..=date(2026, 6, 10));
    assert_eq!(sessions.len(), SESSIONS);
    assert!(sessions.iter().all(|session| !session.closes_early()));
    Arc::new(sessions)
}

/// Open, high, low, close and volume.
type Row = [f64; 5];

/// A random walk on the cent, with gaps overnight and more volume at the ends of a session.
fn rows(number: usize) -> Vec<Row> {
    let mut random = fastrand::Rng::with_seed(number as u64);
    let mut uniform = move || random.f64();
    let cents = |price: f64| (price * 100.0).round() / 100.0;
    let mut price = 20.0 + 180.0 * uniform();
    let mut drift = 0.0;
    let mut rows = Vec::with_capacity(BARS);
    for bar in 0..BARS {
        let slot = bar % BARS_A_SESSION;
        if slot == 0 {
            price *= 1.0 + 0.02 * (uniform() - 0.5);
        }
        drift = 0.9 * drift + 0.001 * (uniform() - 0.5);
        let open = cents(price);
        let close = cents(price * (1.0 + drift + 0.006 * (uniform() - 0.5)));
        let high = cents(open.max(close) * (1.0 + 0.002 * uniform()));
        let low = cents(open.min(close) * (1.0 - 0.002 * uniform()));
        let at_the_ends = (slot as f64 / BARS_A_SESSION as f64 - 0.5).powi(2);
        let volume = (1000.0 * (1.0 + 8.0 * at_the_ends) * (0.3 + 2.0 * uniform() * uniform())).round();
        rows.push([open, high, low, close, volume]);
        price = close;
    }
    rows
}

fn symbol(number: usize, rows: &[Row], sessions: &Arc<Sessions>) -> SymbolData {
    let mut bars = Bars::with_capacity(BARS);
    for (bar, [open, high, low, close, volume]) in rows.iter().copied().enumerate() {
        let place = (bar / BARS_A_SESSION) as u32;
        let session = sessions.get(place);
        let start = session.open_ms + (bar % BARS_A_SESSION) as i64 * BAR_MS;
        let bar = Bar {
            timeframe: Timeframe::M15,
            timestamp_ms: start,
            end_timestamp_ms: start + BAR_MS,
            session: Session::Regular,
            prices: Prices { open, high, low, close },
            volume: Some(volume),
            vwap: Some(f64::midpoint(high, low)),
            vwap_method: Some(VwapMethod::Estimate),
            trades: Some(100),
            minutes: 15,
        };
        bars.push(place, &bar);
    }
    let ticker = Symbol::from_ticker(&format!("TEST{number}")).expect("a ticker");
    SymbolData {
        instrument: Instrument::of(&ticker, &[]),
        sessions: sessions.clone(),
        timeframe: Timeframe::M15,
        series: vec![(Timeframe::M15, bars)],
        official: Vec::new(),
        splits: Vec::new(),
        covered: vec![true; SESSIONS],
        tradable: vec![true; SESSIONS],
        proxy: None,
        vix: None,
    }
}

/// Closes beyond the highs or lows of twenty bars before; stop at 1 % and target at 1.5 %.
fn breakouts(rows: &[Row]) -> Vec<Signal> {
    let signal = |bar: usize| {
        let before = &rows[bar - 20..bar];
        let highest = before.iter().map(|row| row[1]).fold(f64::MIN, f64::max);
        let lowest = before.iter().map(|row| row[2]).fold(f64::MAX, f64::min);
        let close = rows[bar][3];
        let side = if close > highest {
            Side::Long
        } else if close < lowest {
            Side::Short
        } else {
            return None;
        };
        let plan = ExitPlan { stop: StopRule::Distance(0.01 * close), target: TargetRule::R(1.5), max_bars: None };
        let (score, atr, regime, vix, once, quantity) = (100.0, None, None, None, None, None);
        Some(Signal { bar, side, score, plan, atr, regime, vix, once, quantity })
    };
    (20..rows.len()).filter_map(signal).collect()
}

/// No gate but that of one position at a time.
fn ungated() -> TradeRules {
    TradeRules {
        min_score: 0.0,
        min_rr: 0.0,
        cooldown_minutes: 0,
        max_trades_per_session: u32::MAX,
        flat_before_close_minutes: 0,
        hold_overnight: false,
        breakeven_at_r: None,
        partial_at_r: None,
        trail_atr: None,
    }
}

/// Goes over all symbols on some threads; how many trades came of it.
fn over(threads: usize, each: impl Fn(usize) -> usize + Sync) -> usize {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut trades = 0;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= SYMBOLS {
                return trades;
            }
            trades += each(number);
        }
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        work() + others.into_iter().map(|other| other.join().expect("a thread ends")).sum::<usize>()
    })
}

fn trades(data: &SymbolData, signals: &[Signal], rules: &TradeRules) -> usize {
    let (settings, costs) = (EngineSettings::default(), CostSettings::default());
    black_box(engine::trade(data, "bench", signals, rules, &settings, &costs, &mut Counters::default())).len()
}

/// The run of a user on symbols whose class is ignored and whose volume is their own.
fn of_prices(draws: u32) -> Setup {
    let configured = |id| {
        let spec = detectors::find(id).expect("a detector");
        spec.configure(&BTreeMap::new()).expect("its defaults")
    };
    Setup {
        source: Source::Detectors(OF_PRICES.map(configured).into()),
        engine: EngineSettings::default(),
        costs: CostSettings::default(),
        min_bars: 50,
        ignore_asset_class: true,
        seed: 1,
        random_draws: draws,
    }
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The most memory this process had, MiB, where the system tells.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok().map(|kib: f64| kib / 1024.0)
}

/// Does a job several times, after once for warming up, and says in one line of JSON what a time of it took.
fn measure(job: &str, threads: usize, rounds: u32, work: impl Fn() -> usize) {
    let trades = work();
    let (cpu, began) = (cpu_seconds(), Instant::now());
    for _ in 0..rounds {
        assert_eq!(work(), trades);
    }
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let each = f64::from(rounds);
    let peak = peak_mib().map_or_else(|| "null".to_owned(), |peak| format!("{peak:.1}"));
    println!(
        r#"{{"job": "{job}", "threads": {threads}, "bars": {}, "trades": {trades}, "wall": {:.4}, "cpu": {:.4}, "memory": {peak}}}"#,
        SYMBOLS * BARS,
        wall / each,
        cpu / each,
    );
}

/// The bars as little-endian doubles: symbol by symbol, bar by bar, open, high, low, close, volume.
fn write_bars(file: &str) {
    let bytes: Vec<u8> = (0..SYMBOLS).flat_map(rows).flatten().flat_map(f64::to_le_bytes).collect();
    std::fs::write(file, bytes).expect("the file can be written");
}

fn main() {
    // Cargo adds a flag of its own.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let number = |flag: &str, default: usize| {
        let value = words.iter().find_map(|word| word.strip_prefix(flag));
        value.map_or(default, |value| value.parse().expect("a number"))
    };
    let (threads, rounds) = (number("--threads=", 1), number("--rounds=", 5) as u32);
    let sessions = sessions();
    match words.first().map(String::as_str) {
        Some("bars") => write_bars(words.get(1).expect("the name of a file")),
        Some("engine") => {
            let with_signals = |number| {
                let rows = rows(number);
                (symbol(number, &rows, &sessions), breakouts(&rows))
            };
            let symbols: Vec<_> = (0..SYMBOLS).map(with_signals).collect();
            let rules = ungated();
            let each = |number: usize| {
                let (data, signals) = &symbols[number];
                trades(data, signals, &rules)
            };
            measure("engine", threads, rounds, || over(threads, each));
        }
        Some("detectors") => {
            let symbols: Vec<_> = (0..SYMBOLS).map(|number| symbol(number, &rows(number), &sessions)).collect();
            let setup = of_prices(number("--draws=", 0) as u32);
            measure("detectors", threads, rounds, || {
                over(threads, |number| {
                    let found = black_box(study_symbol(&symbols[number], &setup)).study;
                    found.runs.iter().map(|run| run.trades.len()).sum()
                })
            });
        }
        None => eprintln!("SKIPPED: the backtest's jobs are measured one by one; scripts/bench --backtest does it"),
        Some(other) => panic!("{other} is no job: engine, detectors or bars FILE"),
    }
}
