//! A study as a run could have found it: random walks, random signals, a stop at one ATR and a target at two. Seeded.

use std::collections::BTreeMap;
use std::sync::Arc;

use barkeep::backtest::report::{DataGap, DataSection, ReusedTicker, SessionState, Splits, SymbolSessions, WarmUpNote};
use barkeep::backtest::signals_file::{Unmatched, UnmatchedReason};
use barkeep::backtest::{
    Bars, Counters, DetectorConfig, DetectorResult, EngineSettings, EquityPoint, ExitDecision, ExitReason, Input,
    Instrument, Mark, Outcome, Portfolio, PortfolioRejected, PortfolioSettings, PortfolioTrade, Regime, RunConfig,
    SessionEquity, Sessions, Side, Status, Study, SymbolData, SymbolStatus, Trade,
};
use barkeep::model::{Bar, Dataset, Prices, Session, Symbol, Timeframe, VwapMethod};
use fastrand::Rng;
use jiff::civil::{Date, date};

/// A ticker that wants to be a script.
pub const HOSTILE: &str = "\"><script>alert(1)</script>";
const FROM: Date = date(2026, 8, 3);
const TO: Date = date(2026, 11, 27);
const DETECTORS: [(&str, Option<Side>, f64); 6] = [
    ("breakout_bullish", Some(Side::Long), 0.022),
    ("breakout_bearish", Some(Side::Short), 0.014),
    ("mean_reversion_long", Some(Side::Long), 0.03),
    ("mean_reversion_short", Some(Side::Short), 0.02),
    ("opening_drive_bullish", Some(Side::Long), 0.0014),
    ("gamma_squeeze_bullish", None, 0.0),
];
const SYMBOLS: [(&str, f64); 6] =
    [("AAPL", 231.0), ("I:SPX", 6312.0), ("NVDA", 178.0), ("QQQ", 561.0), ("SPY", 630.0), (HOSTILE, 18.4)];

pub struct Sample {
    pub config: RunConfig,
    pub study: Study,
    pub portfolio: Portfolio,
    pub sessions: Arc<Sessions>,
    pub data: DataSection,
    pub markets: Vec<Market>,
}

/// A symbol's bars, as the program knows them and as plain prices.
pub struct Market {
    pub data: SymbolData,
    candles: Vec<Candle>,
}

struct Candle {
    start: i64,
    session: u32,
    prices: Prices,
    volume: Option<f64>,
}

const BAR: i64 = 900_000;

pub fn sample() -> Sample {
    let sessions = Arc::new(Sessions::of(Dataset::Stocks, FROM..=TO));
    let mut rng = Rng::with_seed(6);
    let markets: Vec<_> = SYMBOLS.iter().map(|(ticker, price)| walk(&mut rng, &sessions, ticker, *price)).collect();
    let results: Vec<_> =
        DETECTORS.iter().map(|(id, side, rate)| detector(&mut rng, &markets, id, *side, *rate)).collect();
    let bars = markets.iter().map(|market| market.candles.len() as u64).sum();
    let study = Study { results, snapshot: 0x0123_4567_89ab_cdef_0011_2233_4455_6677, symbols: 6, bars };
    let portfolio = portfolio(&study, &sessions);
    Sample { config: config(), study, portfolio, data: data_section(&sessions), sessions, markets }
}

fn config() -> RunConfig {
    let parameters = |id: &str| {
        BTreeMap::from([
            ("min_score".to_owned(), 60.0.into()),
            ("rvol_min".to_owned(), if id.starts_with("breakout") { 1.5 } else { 1.2 }.into()),
            ("score_profile".to_owned(), "standard".into()),
        ])
    };
    RunConfig {
        detectors: DETECTORS
            .iter()
            .map(|(id, ..)| DetectorConfig { detector: (*id).to_owned(), parameters: parameters(id) })
            .collect(),
        signals: None,
        symbols: SYMBOLS.iter().map(|(ticker, _)| (*ticker).to_owned()).collect(),
        universe: "--symbols".to_owned(),
        timeframe: Timeframe::M15,
        from: FROM,
        to: TO,
        engine: EngineSettings::default(),
        costs: Default::default(),
        portfolio: Some(PortfolioSettings::default()),
        min_bars: 50,
        ignore_asset_class: true,
        etfs: Vec::new(),
        oi_proxy_volume: false,
        seed: 42,
        random_draws: 200,
    }
}

fn walk(rng: &mut Rng, sessions: &Arc<Sessions>, ticker: &str, mut price: f64) -> Market {
    let symbol = Symbol::from_ticker(ticker).unwrap();
    let mut bars = Bars::with_capacity(sessions.len() * 26);
    let mut candles = Vec::new();
    let has_volume = !ticker.starts_with("I:");
    for (place, clock) in sessions.iter().enumerate() {
        price *= 1.0 + 0.012 * normal(rng);
        let slots = i64::from(clock.minutes()) / 15;
        for slot in 0..slots {
            let at = slot as f64 / slots as f64;
            let busy = 0.6 + 2.4 * (at - 0.5).powi(2) * 4.0;
            let open = cents(price);
            let path: Vec<f64> = (0..5)
                .map(|_| {
                    price *= 1.0 + 0.0009 * busy.sqrt() * normal(rng);
                    cents(price)
                })
                .collect();
            let high = path.iter().copied().fold(open, f64::max);
            let low = path.iter().copied().fold(open, f64::min);
            let volume = (2e5 * busy * (1.0 + rng.f64())).round();
            let start = clock.open_ms + slot * BAR;
            let bar = Bar {
                timeframe: Timeframe::M15,
                timestamp_ms: start,
                end_timestamp_ms: start + BAR,
                prices: Prices::checked(open, high, low, path[4]).unwrap(),
                volume: has_volume.then_some(volume),
                vwap: has_volume.then_some(f64::midpoint(high, low)),
                vwap_method: has_volume.then_some(VwapMethod::Estimate),
                trades: None,
                session: Session::Regular,
                minutes: 15,
            };
            bars.push(place as u32, &bar);
            candles.push(Candle { start, session: place as u32, prices: bar.prices, volume: bar.volume });
        }
    }
    let data = SymbolData {
        instrument: Instrument::of(&symbol, &[]),
        sessions: Arc::clone(sessions),
        timeframe: Timeframe::M15,
        series: vec![(Timeframe::M15, bars)],
        official: Vec::new(),
        splits: Vec::new(),
        covered: vec![true; sessions.len()],
        tradable: vec![true; sessions.len()],
        proxy: None,
        vix: None,
    };
    Market { data, candles }
}

/// About normal: the sum of twelve uniform numbers.
fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}

fn cents(price: f64) -> f64 {
    (price * 100.0).round() / 100.0
}

fn detector(rng: &mut Rng, markets: &[Market], id: &'static str, side: Option<Side>, rate: f64) -> DetectorResult {
    let (mut trades, mut counters, mut symbols) = (Vec::new(), Counters::default(), Vec::new());
    for market in markets {
        let bars = market.candles.len() as u64;
        let missing = if side.is_some() { (Input::WarmUp, 40) } else { (Input::OpenInterest, bars) };
        let status = if side.is_some() { Status::Partial } else { Status::NotEvaluable(Input::OpenInterest) };
        let symbol = market.data.instrument.symbol.as_str().into();
        symbols.push(SymbolStatus { symbol, status, bars, missing: BTreeMap::from([missing]) });
        counters.bars_total += bars;
        counters.bars_evaluable += bars - missing.1;
        *counters.not_evaluable.entry(missing.0).or_default() += missing.1;
        if let Some(side) = side {
            symbol_trades(rng, market, id, side, rate, &mut trades, &mut counters);
        }
    }
    trades.sort_by(|a: &Trade, b| {
        (a.signal_ms, &a.symbol).cmp(&(b.signal_ms, &b.symbol)).then(b.score.total_cmp(&a.score))
    });
    let sum: f64 = trades.iter().map(|trade| trade.r_multiple).sum();
    let spread = (trades.len() as f64).sqrt() * 1.2;
    let random_r =
        if trades.is_empty() { Vec::new() } else { (0..200).map(|_| sum * 0.1 + spread * normal(rng)).collect() };
    DetectorResult { detector: id, trades, counters, symbols, random_r }
}

fn symbol_trades(
    rng: &mut Rng,
    market: &Market,
    id: &'static str,
    side: Side,
    rate: f64,
    trades: &mut Vec<Trade>,
    counters: &mut Counters,
) {
    let candles = &market.candles;
    let mut bar = 40;
    while bar + 1 < candles.len() {
        bar += 1;
        if rng.f64() > rate {
            continue;
        }
        counters.signals += 1;
        if candles.get(bar + 1).is_none_or(|next| next.session != candles[bar].session) {
            counters.unfilled.session_end += 1;
            continue;
        }
        if rng.f64() < 0.3 {
            counters.rejected.score += 1;
            continue;
        }
        counters.accepted += 1;
        let trade = trade(rng, market, id, side, bar);
        counters.ambiguous += u64::from(trade.decision == ExitDecision::Assumed);
        counters.gap_exits += u64::from(trade.gap_exit);
        bar += trade.bars_held as usize;
        trades.push(trade);
    }
}

fn trade(rng: &mut Rng, market: &Market, id: &'static str, side: Side, signal: usize) -> Trade {
    let candles = &market.candles;
    let ranges = candles[signal - 13..=signal].iter().map(|candle| candle.prices.high - candle.prices.low);
    let atr = ranges.sum::<f64>().max(0.28) / 14.0;
    let entry = &candles[signal + 1];
    let sign = side.sign();
    let (raw_entry, session) = (entry.prices.open, entry.session);
    let (stop, target) = (cents(raw_entry - sign * 1.8 * atr), cents(raw_entry + sign * 2.9 * atr));
    let (mut mae, mut mfe, mut held, mut marks) = (0.0_f64, 0.0_f64, 0, Vec::new());
    let mut end = None;
    for candle in candles[signal + 1..].iter().take_while(|candle| candle.session == session).take(12) {
        let Prices { open, high, low, close } = candle.prices;
        held += 1;
        let (worst, best) = if sign > 0.0 { (low, high) } else { (high, low) };
        mae = mae.min(sign * (worst - raw_entry));
        mfe = mfe.max(sign * (best - raw_entry));
        let (stopped, reached) = (sign * (worst - stop) <= 0.0, sign * (best - target) >= 0.0);
        if stopped || reached {
            let gap = held > 1 && (sign * (open - stop) <= 0.0 || sign * (open - target) >= 0.0);
            let decision =
                if stopped && (reached || rng.f64() < 0.12) { ExitDecision::Assumed } else { ExitDecision::Certain };
            let (reason, level) = if stopped { (ExitReason::StopHit, stop) } else { (ExitReason::TargetHit, target) };
            end = Some((
                reason,
                decision,
                gap,
                if gap { open } else { level },
                candle.start + if gap { 0 } else { BAR / 3 },
            ));
            break;
        }
        marks.push(Mark { end_ms: candle.start + BAR, close });
    }
    let last = &candles[signal + held as usize];
    let reason = if held == 12 { ExitReason::MaxHold } else { ExitReason::Eod };
    let (reason, decision, gap_exit, raw_exit, exit_ms) =
        end.unwrap_or((reason, ExitDecision::Certain, false, last.prices.close, last.start + BAR));
    let quantity = (1000.0 / (raw_entry - stop).abs()).floor().max(1.0);
    let half_cost = 0.00015 * raw_entry + 0.005;
    let risk = (raw_entry - stop).abs() * quantity;
    let gross_pnl = sign * (raw_exit - raw_entry) * quantity;
    let costs = 2.0 * half_cost * quantity;
    let pnl = gross_pnl - costs;
    let assumed = decision == ExitDecision::Assumed;
    let best_pnl = sign * (target - raw_entry) * quantity - costs;
    Trade {
        symbol: market.data.instrument.symbol.as_str().into(),
        detector: id,
        side,
        signal_bar: signal,
        signal_ms: candles[signal].start + BAR,
        entry_ms: entry.start,
        exit_ms,
        session,
        exit_session: session,
        raw_entry,
        entry_price: raw_entry + sign * half_cost,
        stop_price: stop,
        target_price: (id != "mean_reversion_short").then_some(target),
        raw_exit,
        exit_price: raw_exit - sign * half_cost,
        reason,
        decision,
        gap_exit,
        quantity,
        gross_pnl,
        costs,
        pnl,
        pnl_pct: 100.0 * pnl / (raw_entry * quantity),
        r_multiple: pnl / risk,
        bars_held: held,
        mae_r: mae * quantity / risk,
        mfe_r: mfe * quantity / risk,
        score: (60.0 + 40.0 * rng.f64()).round(),
        atr: Some(atr),
        regime: Some([Regime::TrendingUp, Regime::TrendingDown, Regime::Ranging, Regime::Volatile][rng.usize(..4)]),
        vix: None,
        best: assumed.then(|| Box::new(Outcome { raw_exit: target, r_multiple: best_pnl / risk, pnl: best_pnl })),
        worst: None,
        marks: marks.into(),
        entry_volume: entry.volume,
        flags: Vec::new(),
    }
}

/// Every fourth trade, a share of the account each: enough for a curve.
fn portfolio(study: &Study, sessions: &Sessions) -> Portfolio {
    let mut candidates: Vec<_> = study
        .results
        .iter()
        .enumerate()
        .flat_map(|(detector, result)| (0..result.trades.len()).map(move |trade| (detector, trade)))
        .collect();
    candidates.sort_by_key(|(detector, trade)| study.results[*detector].trades[*trade].exit_ms);
    let mut taken = Portfolio { exposure: 0.41, turnover: 38.2, ..Portfolio::default() };
    let mut equity = 100_000.0;
    let mut left = candidates.into_iter().peekable();
    for clock in sessions.iter() {
        taken.equity.push(EquityPoint { timestamp: clock.open_ms, equity });
        while let Some((detector, trade)) =
            left.next_if(|(detector, trade)| study.results[*detector].trades[*trade].exit_ms <= clock.close_ms)
        {
            let of = &study.results[detector].trades[trade];
            if trade % 3 == 1 {
                taken.rejected.max_open += 1;
                continue;
            }
            let pnl = 0.004 * equity * of.r_multiple;
            equity += pnl;
            taken.equity.push(EquityPoint { timestamp: of.exit_ms, equity });
            taken.trades.push(PortfolioTrade { detector, trade, quantity: of.quantity, pnl });
        }
        taken.equity.push(EquityPoint { timestamp: clock.close_ms, equity });
        taken.sessions.push(SessionEquity { date: clock.date, equity });
    }
    taken.rejected = PortfolioRejected { volume: 4, ..taken.rejected };
    taken
}

fn data_section(sessions: &Sessions) -> DataSection {
    let all = sessions.len() as u64;
    let symbol = |symbol: &str, states: &[(SessionState, u64)]| {
        let other: u64 = states.iter().map(|(_, sessions)| sessions).sum();
        let complete = (SessionState::Complete, all - other);
        SymbolSessions { symbol: symbol.into(), sessions: states.iter().copied().chain([complete]).collect() }
    };
    let gap = |symbol: &str, from, to, sessions, state, reason: Option<&str>| DataGap {
        symbol: symbol.into(),
        from,
        to,
        sessions,
        state,
        reason: reason.map(str::to_owned),
    };
    DataSection {
        symbols: vec![
            symbol("AAPL", &[]),
            symbol("I:SPX", &[(SessionState::NotEntitled, 3)]),
            symbol("NVDA", &[(SessionState::Partial, 1), (SessionState::Missing, 2)]),
            symbol("QQQ", &[]),
            symbol("SPY", &[(SessionState::NotPublished, 1)]),
            symbol(HOSTILE, &[(SessionState::VerifiedEmpty, 2)]),
        ],
        gaps: vec![
            gap("I:SPX", date(2026, 8, 3), date(2026, 8, 5), 3, SessionState::NotEntitled, None),
            gap(
                "NVDA",
                date(2026, 9, 14),
                date(2026, 9, 15),
                2,
                SessionState::Missing,
                Some("not among the files of these days"),
            ),
            gap(
                "NVDA",
                date(2026, 11, 27),
                date(2026, 11, 27),
                1,
                SessionState::Partial,
                Some("</script> after 3 tries: 503"),
            ),
        ],
        sources: BTreeMap::from([("flat files".to_owned(), 480), ("rest".to_owned(), 12)]),
        vwap_methods: BTreeMap::from([("estimate", 12_380), ("vendor", 312)]),
        splits: Splits::Loaded(1),
        warm_up: vec![WarmUpNote { symbol: "NVDA".into(), note: "11 of 15 sessions before 2026-08-03".to_owned() }],
        reused: vec![ReusedTicker { symbol: HOSTILE.into(), since: date(2026, 8, 5), sessions: 12 }],
        unmatched_signals: [(2, UnmatchedReason::NotABarEnd), (1400, UnmatchedReason::BelowZero("stop"))]
            .map(|(line, reason)| Unmatched { line, symbol: Symbol::from_ticker("AAPL").unwrap(), reason })
            .into(),
        ..DataSection::empty("sqlite")
    }
}
