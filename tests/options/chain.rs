//! Chains made of contracts at known volatilities, against plain reckoning; and the edges of detectors 6.

use barkeep::backtest::Input;
use barkeep::backtest::options::{
    Chain, ChainAt, ChainHistory, ChainSettings, Contract, ContractsAt, FlipBefore, OptionPrice, Right, Terms,
    WeightSource,
};
use jiff::civil::{Date, date};
use proptest::prelude::*;

const SESSION: Date = date(2026, 11, 30);
const AT_MS: i64 = 1_796_061_600_000;
const SPOT: f64 = 1000.0;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 1440 * MINUTE_MS;

/// A smile: higher away from the price.
fn smile(strike: f64) -> f64 {
    0.6 + 2.0 * (strike / SPOT - 1.0).powi(2)
}

fn priced(right: Right, strike: f64, minutes: i64, volatility: f64) -> OptionPrice {
    let years = minutes.max(5) as f64 / 525_600.0;
    let terms = Terms { right, spot: SPOT, strike, years, rate: 0.04, dividend_yield: 0.0 };
    OptionPrice { price: terms.price(volatility), end_ms: AT_MS, underlying: Some(SPOT) }
}

fn contract(right: Right, strike: f64, minutes: i64, weight: f64) -> Contract {
    let days = i32::try_from(minutes / 1440).unwrap();
    Contract {
        right,
        strike,
        expiry: SESSION.checked_add(jiff::Span::new().days(days)).unwrap(),
        last_trading_ms: AT_MS + minutes * MINUTE_MS,
        settles_at_open: false,
        price: Some(priced(right, strike, minutes, smile(strike))),
        open_interest: Some(weight),
        volume: weight / 10.0,
    }
}

/// Strikes from 900 to 1100, calls and puts, today and in a week; call weight above the price, put weight below.
fn contracts() -> Vec<Contract> {
    let mut contracts = Vec::new();
    for minutes in [120, 7 * 1440 + 120] {
        for step in -20..=20 {
            let strike = SPOT + 5.0 * f64::from(step);
            let weight = |at: f64| 100.0 + 5000.0 * (-((strike - at) / 20.0).powi(2)).exp();
            contracts.push(contract(Right::Call, strike, minutes, weight(1030.0)));
            contracts.push(contract(Right::Put, strike, minutes, weight(970.0)));
        }
    }
    contracts
}

fn at(contracts: &[Contract]) -> ContractsAt<'_> {
    ContractsAt { at_ms: AT_MS, session: SESSION, spot: Ok(SPOT), contracts }
}

fn chain(contracts: &[Contract]) -> Chain {
    Chain::new(&at(contracts), &ChainSettings::default()).unwrap()
}

/// Net gamma exposure by the definition, with the volatilities the prices were made of.
fn plain_gex(contracts: &[Contract], spot: f64) -> f64 {
    let of = |contract: &Contract| {
        let minutes = ((contract.last_trading_ms - AT_MS) / MINUTE_MS).max(5);
        let years = minutes as f64 / 525_600.0;
        let sigma = smile(contract.strike);
        let d1 = ((spot / contract.strike).ln() + (0.04 + sigma * sigma / 2.0) * years) / (sigma * years.sqrt());
        let density = (-d1 * d1 / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let gamma = density / (spot * sigma * years.sqrt());
        let sign = if contract.right == Right::Call { 1.0 } else { -1.0 };
        sign * gamma * contract.open_interest.unwrap() * 100.0 * spot * spot * 0.01
    };
    contracts.iter().map(of).sum()
}

#[test]
fn volatilities_come_back_and_gamma_exposure_is_their_sum() {
    let contracts = contracts();
    let chain = chain(&contracts);
    assert_eq!(chain.members.len(), contracts.len());
    // Far from the price two hours before expiry a price is too small to tell: those strikes take no part.
    let known: Vec<_> = chain.members.iter().filter(|member| member.volatility.is_some()).collect();
    assert!(known.len() > contracts.len() / 2);
    for member in &known {
        assert!((member.volatility.unwrap() - smile(member.contract.strike)).abs() < 1e-5, "{member:?}");
    }
    let told: Vec<_> = known.iter().map(|member| member.contract).collect();
    for spot in [SPOT, 970.0, 1030.0] {
        let expected = plain_gex(&told, spot);
        let found = chain.net_gex_at(spot);
        assert!((found / expected - 1.0).abs() < 1e-6, "{spot}: {found} {expected}");
    }
    assert!(chain.net_gex_at(1030.0) > 0.0 && chain.net_gex_at(970.0) < 0.0);
    for right in [Right::Call, Right::Put] {
        let at_strike = |strike: f64| {
            let of = told.iter().filter(|of| of.right == right && of.strike == strike).copied().collect::<Vec<_>>();
            plain_gex(&of, SPOT).abs()
        };
        let strikes = (-20..=20).map(|step| SPOT + 5.0 * f64::from(step));
        let wall = strikes.max_by(|one, other| at_strike(*one).total_cmp(&at_strike(*other)));
        assert_eq!(chain.wall(right), wall, "{right:?}");
        assert_ne!(wall, Some(SPOT));
    }
}

#[test]
fn the_flip_level_is_the_zero_nearest_to_the_price() {
    let contracts = contracts();
    let told = chain(&contracts);
    let level = told.flip_level().unwrap();
    let told = told.members.iter().filter(|member| member.volatility.is_some());
    let told: Vec<_> = told.map(|member| member.contract).collect();
    // Halving finds the zero that lies between the two weights.
    let (mut low, mut high) = (970.0, 1030.0);
    while high - low > 1e-9 {
        let middle = 0.5 * (low + high);
        if plain_gex(&told, middle) < 0.0 { low = middle } else { high = middle }
    }
    assert!((level - low).abs() < 0.25, "straight between points 2.5 apart: {level} {low}");
    let calls: Vec<_> = contracts.iter().filter(|of| of.right == Right::Call).copied().collect();
    assert_eq!(chain(&calls).flip_level(), None, "calls alone have no zero");
    let empty: Vec<_> = contracts.iter().map(|of| Contract { open_interest: Some(0.0), ..*of }).collect();
    assert_eq!(chain(&empty).flip_level(), None, "nor has a chain without weight");
    assert_eq!(chain(&empty).wall(Right::Call), None);
}

#[test]
fn the_nearest_of_several_zeros_counts() {
    // Puts around the price between calls: zeros on both sides, the upper one nearer.
    let minutes = 7 * 1440;
    let of = |right, strike| Contract {
        price: Some(priced(right, strike, minutes, 0.2)),
        ..contract(right, strike, minutes, 5000.0)
    };
    let contracts = [of(Right::Call, 940.0), of(Right::Put, 995.0), of(Right::Call, 1040.0)];
    let chain = chain(&contracts);
    let zeros: Vec<_> = (900..1100)
        .filter(|spot| chain.net_gex_at(f64::from(*spot)) * chain.net_gex_at(f64::from(*spot) + 1.0) < 0.0)
        .collect();
    assert_eq!(zeros.len(), 2, "{zeros:?}");
    let level = chain.flip_level().unwrap();
    assert!((level - f64::from(zeros[1])).abs() < 2.0, "{level} {zeros:?}");
}

#[test]
fn dealers_are_long_calls_and_short_puts() {
    let one = |right| chain(&[contract(right, SPOT, 1440, 10.0)]).dealer_delta();
    let (call, put) = (one(Right::Call), one(Right::Put));
    assert!(call > 500.0 && call < 520.0, "half of 10 · 100 shares, and the interest: {call}");
    assert!((call + put - 1000.0).abs() < 1e-6, "a short put is long, too: {put}");
}

#[test]
fn the_side_out_of_the_money_gives_its_volatility_to_both() {
    let with = |call: Option<f64>, put: Option<f64>, strike: f64| {
        let of = |right, volatility: Option<f64>| Contract {
            price: volatility.map(|volatility| priced(right, strike, 7 * 1440, volatility)),
            ..contract(right, strike, 7 * 1440, 1.0)
        };
        let chain = chain(&[of(Right::Put, put), of(Right::Call, call)]);
        let volatilities: Vec<_> = chain.members.iter().map(|member| member.volatility).collect();
        assert_eq!(volatilities[0], volatilities[1]);
        volatilities[0].map(|volatility| (volatility * 1e6).round() / 1e6)
    };
    assert_eq!(with(Some(0.3), Some(0.2), 1010.0), Some(0.3), "the call above the price");
    assert_eq!(with(Some(0.3), Some(0.2), 990.0), Some(0.2), "the put below it");
    assert_eq!(with(Some(0.3), Some(0.2), 1000.0), Some(0.3), "the call at it");
    assert_eq!(with(Some(0.3), None, 990.0), Some(0.3), "the other where it is missing");
    assert_eq!(with(None, None, 990.0), None);
}

#[test]
fn prices_that_tell_nothing_are_counted() {
    let strike = 1010.0;
    let base = contract(Right::Call, strike, 7 * 1440, 1.0);
    let price = base.price.unwrap();
    let with = |price: Option<OptionPrice>| chain(&[Contract { price, ..base }]).unpriced;
    assert_eq!(with(Some(price)), Default::default());
    assert_eq!(with(None).no_price, 1);
    let aged = |minutes: i64| with(Some(OptionPrice { end_ms: AT_MS - minutes * MINUTE_MS, ..price }));
    assert_eq!((aged(15).stale, aged(16).stale), (0, 1));
    assert_eq!(with(Some(OptionPrice { underlying: None, ..price })).no_underlying, 1);
    assert_eq!(with(Some(OptionPrice { underlying: Some(1050.0), ..price })).intrinsic, 1);
    assert_eq!(with(Some(OptionPrice { price: 0.0, ..price })).intrinsic, 1);
    assert_eq!(with(Some(OptionPrice { price: 900.0, ..price })).range, 1);
}

#[test]
fn a_price_is_read_with_the_underlying_and_the_time_of_its_own_minute() {
    let (strike, minutes, age) = (1010.0, 7 * 1440, 10);
    let years = (minutes + age) as f64 / 525_600.0;
    let then = Terms { right: Right::Call, spot: 990.0, strike, years, rate: 0.04, dividend_yield: 0.0 };
    let price = OptionPrice { price: then.price(0.25), end_ms: AT_MS - age * MINUTE_MS, underlying: Some(990.0) };
    let chain = chain(&[Contract { price: Some(price), ..contract(Right::Call, strike, minutes, 1.0) }]);
    assert!((chain.members[0].volatility.unwrap() - 0.25).abs() < 1e-9);
}

#[test]
fn contracts_out_of_scope_take_no_part() {
    let members = |contract: Contract| chain(&[contract, contracts()[0]]).members.len() - 1;
    assert_eq!(members(contract(Right::Call, 1200.0, 1440, 1.0)), 1, "20 % away");
    assert_eq!(members(contract(Right::Call, 1200.01, 1440, 1.0)), 0);
    assert_eq!(members(contract(Right::Put, 800.0, 1440, 1.0)), 1);
    assert_eq!(members(contract(Right::Put, 799.99, 1440, 1.0)), 0);
    assert_eq!(members(contract(Right::Call, 1000.0, 30 * 1440, 1.0)), 1, "30 days");
    assert_eq!(members(contract(Right::Call, 1000.0, 31 * 1440, 1.0)), 0);
    assert_eq!(members(contract(Right::Call, 1000.0, 0, 1.0)), 0, "it trades no more");
    assert_eq!(members(contract(Right::Call, 1000.0, 1, 1.0)), 1);
}

#[test]
fn a_chain_needs_strikes_and_weight_with_a_volatility() {
    // Five strikes on each side within 5 %: those at the price and above count as above.
    let usable = |below: i32, above: i32, far: f64| {
        let mut contracts = Vec::new();
        for step in (1..=below).map(|step| -step).chain(0..above) {
            contracts.push(contract(Right::Put, SPOT + 10.0 * f64::from(step), 7 * 1440, 6.0));
        }
        // Weight without a price.
        contracts.push(Contract { price: None, ..contract(Right::Put, 1100.0, 7 * 1440, far) });
        chain(&contracts).is_covered()
    };
    assert!(usable(5, 5, 0.0));
    assert!(!usable(4, 6, 0.0) && !usable(6, 4, 0.0));
    assert!(!usable(4, 5, 0.0), "strikes farther than 5 % would not help");
    assert!(usable(5, 5, 40.0), "60 of 100 weight");
    assert!(!usable(5, 5, 40.1));
    let mut far = contracts();
    far.retain(|of| (of.strike - SPOT).abs() > 50.0);
    assert!(!chain(&far).is_covered());
}

#[test]
fn what_a_chain_lacks_is_said() {
    let contracts = contracts();
    let settings = ChainSettings::default();
    let view = |at: &ContractsAt<'_>, settings: &ChainSettings| {
        ChainAt::new(at, settings, &ChainHistory::default(), None).view.map(|view| (view.gamma.err(), view.flip.err()))
    };
    assert_eq!(view(&at(&contracts), &settings), Ok((None, Some(Input::WarmUp))), "no bar before");
    assert_eq!(view(&at(&[]), &settings), Err(Input::OptionMinutes));
    let priceless = ContractsAt { spot: Err(Input::UnderlyingPrice), ..at(&contracts) };
    assert_eq!(view(&priceless, &settings), Err(Input::UnderlyingPrice));
    let without: Vec<_> = contracts.iter().map(|of| Contract { open_interest: None, ..*of }).collect();
    assert_eq!(view(&at(&without), &settings), Err(Input::OpenInterest));
    let by_volume = ChainSettings { weight: WeightSource::Volume, ..settings };
    assert_eq!(view(&at(&without), &by_volume), Ok((None, Some(Input::WarmUp))));
    let unpriced: Vec<_> = contracts.iter().map(|of| Contract { price: None, ..*of }).collect();
    let coverage = Some(Input::ChainCoverage);
    assert_eq!(view(&at(&unpriced), &settings), Ok((coverage, coverage)));
}

#[test]
fn volume_can_stand_in_for_open_interest() {
    let contracts = contracts();
    let by_volume = ChainSettings { weight: WeightSource::Volume, ..ChainSettings::default() };
    let chain_by_volume = Chain::new(&at(&contracts), &by_volume).unwrap();
    assert!(
        (chain_by_volume.net_gex() * 10.0 / chain(&contracts).net_gex() - 1.0).abs() < 1e-9,
        "a tenth of the weight"
    );
}

#[test]
fn a_view_is_put_together() {
    let contracts = contracts();
    let chain = chain(&contracts);
    let now = ChainAt::new(&at(&contracts), &ChainSettings::default(), &ChainHistory::default(), None);
    let level = chain.flip_level();
    assert_eq!(now.flip, Some(FlipBefore { level: Ok(level), close: SPOT }));
    let history = ChainHistory {
        negative_gex: vec![-chain.net_gex(); 20],
        flip_gex: vec![0.0; 20],
        dealer_delta: vec![f64::MAX; 19],
        volume: vec![now.volume / 2.0; 10],
    };
    let before = FlipBefore { level: Ok(Some(996.0)), close: 995.0 };
    let view = ChainAt::new(&at(&contracts), &ChainSettings::default(), &history, Some(before)).view.unwrap();
    let gamma = view.gamma.unwrap();
    assert_eq!((gamma.net_gex, gamma.dealer_delta), (chain.net_gex(), chain.dealer_delta()));
    assert_eq!((gamma.negative_gex_rank.percentile, gamma.negative_gex_rank.is_short), (50.0, false));
    assert!(gamma.dealer_delta_rank.is_short, "19 sessions are too few");
    let flip = view.flip.unwrap().unwrap();
    assert_eq!((flip.level, flip.previous_close, flip.gex_rank.percentile), (996.0, 995.0, 100.0));
    let at_995 = chain.gex_by_strike(|_| true).into_iter().find(|(strike, _)| *strike == 995.0).unwrap().1;
    assert_eq!(flip.gex, at_995, "the strike nearest to the level");
    assert_eq!((view.minutes_to_expiry, view.expires_today), (120.0, true));
    assert_eq!(view.volume_ratio, Ok(2.0));
    assert!((view.call_volume_share.unwrap() - 0.5).abs() < 1e-9);
    let short = ChainHistory { volume: vec![1.0; 9], ..history };
    let view = ChainAt::new(&at(&contracts), &ChainSettings::default(), &short, Some(before)).view.unwrap();
    assert_eq!(view.volume_ratio, Err(Input::WarmUp), "nine sessions are too few");
    let none = FlipBefore { level: Ok(None), close: 995.0 };
    let view = ChainAt::new(&at(&contracts), &ChainSettings::default(), &short, Some(none)).view.unwrap();
    assert_eq!(view.flip, Ok(None), "no zero at the bar before");
}

#[test]
fn roots_settled_at_the_open_never_expire_today() {
    let settled: Vec<_> = contracts().into_iter().map(|of| Contract { settles_at_open: true, ..of }).collect();
    let view = ChainAt::new(&at(&settled), &ChainSettings::default(), &ChainHistory::default(), None).view.unwrap();
    assert!(!view.expires_today && view.pin.is_none());
    let mut both = settled;
    both.extend(contracts().iter().filter(|of| of.last_trading_ms > AT_MS + DAY_MS));
    let view = ChainAt::new(&at(&both), &ChainSettings::default(), &ChainHistory::default(), None).view.unwrap();
    let pin = view.pin.unwrap();
    assert_eq!((pin.minutes_to_expiry, pin.expires_today), (7.0 * 1440.0 + 120.0, false));
}

#[test]
fn a_pin_knows_its_weight_share_and_gamma() {
    let minutes = 20;
    let contracts = [
        contract(Right::Call, 1000.0, minutes, 600.0),
        contract(Right::Put, 1000.0, minutes, 300.0),
        contract(Right::Put, 990.0, minutes, 50.0),
        contract(Right::Call, 1010.0, minutes, 50.0),
        contract(Right::Call, 1000.0, 1440, 9000.0),
    ];
    let pin = chain(&contracts).pin(SESSION).unwrap();
    assert_eq!((pin.strike, pin.weight, pin.share), (1000.0, 900.0, 0.9), "the nearest expiry only");
    assert!(pin.gex.unwrap() > 0.0 && pin.expires_today);
    let unpriced = contracts.map(|of| Contract { price: None, ..of });
    assert_eq!(chain(&unpriced).pin(SESSION).unwrap().gex, None, "max pain needs no volatility");
    let weightless = contracts.map(|of| Contract { open_interest: Some(0.0), ..of });
    assert_eq!(chain(&weightless).pin(SESSION), None);
    // Without intrinsic value between two strikes all pain is alike: the one nearest to the price counts.
    let ties = [contract(Right::Put, 985.0, minutes, 1.0), contract(Right::Call, 1010.0, minutes, 1.0)];
    assert_eq!(chain(&ties).pin(SESSION).unwrap().strike, 1010.0);
}

proptest! {
    #[test]
    fn max_pain_is_the_strike_that_pays_least(
        weights in prop::collection::vec((0_u32..50, 0_u32..50), 2..30), shift in -10..10_i32,
    ) {
        let strike = |at: usize| SPOT + 5.0 * (f64::from(shift) + at as f64);
        let mut contracts = Vec::new();
        for (at, (call, put)) in weights.iter().enumerate() {
            contracts.push(contract(Right::Call, strike(at), 30, f64::from(*call)));
            contracts.push(contract(Right::Put, strike(at), 30, f64::from(*put)));
        }
        // Whole numbers: sums are exact in any order.
        let pain = |settled: f64| -> f64 {
            let of = |(at, (call, put)): (usize, &(u32, u32))| {
                let above = settled - strike(at);
                f64::from(*call) * above.max(0.0) + f64::from(*put) * (-above).max(0.0)
            };
            weights.iter().enumerate().map(of).sum()
        };
        let Some(pin) = chain(&contracts).pin(SESSION) else {
            prop_assert!(weights.iter().all(|(call, put)| call + put == 0));
            return Ok(());
        };
        for at in 0..weights.len() {
            let (here, there) = (pain(pin.strike), pain(strike(at)));
            prop_assert!(here < there || here == there && (pin.strike - SPOT).abs() <= (strike(at) - SPOT).abs());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_contracts_changes_nothing(order in Just((0..contracts().len()).collect::<Vec<_>>()).prop_shuffle()) {
        let sorted = contracts();
        let shuffled: Vec<_> = order.into_iter().map(|at| sorted[at]).collect();
        let view = |contracts: &[Contract]| {
            ChainAt::new(&at(contracts), &ChainSettings::default(), &ChainHistory::default(), None).view.unwrap()
        };
        prop_assert_eq!(view(&sorted), view(&shuffled));
    }
}
