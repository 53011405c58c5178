use proptest::prelude::*;

use super::*;

fn fixed(text: &str) -> RateRule {
    RateRule::Fixed(text.parse().unwrap())
}

/// Looks into the log with some hands and takes what it gives.
fn visit(log: &mut QuotaLog, hands: &mut Hands, rule: RateRule, now: i64, wanted: u32) -> Visited {
    let said = hands.visit(wanted);
    let visited = log.visit(rule, now, &said);
    hands.visited(&said, visited);
    visited
}

/// Sends and has answered as many requests as there are slots for.
fn send_all(log: &mut QuotaLog, hands: &mut Hands, rule: RateRule, now: i64) -> u32 {
    let mut sent = 0;
    loop {
        visit(log, hands, rule, now, 10);
        let before = sent;
        while hands.take(now) {
            hands.answered(now);
            sent += 1;
        }
        if sent == before {
            return sent;
        }
    }
}

const START: i64 = 1_790_000_000_000;

#[test]
fn five_go_out_now_and_five_a_window_later() {
    let (mut log, mut hands) = (QuotaLog::default(), Hands::new(1));
    let rule = fixed("5/min");
    assert_eq!(send_all(&mut log, &mut hands, rule, START), 5);
    let next = visit(&mut log, &mut hands, rule, START + 10, 1).next_at;
    assert_eq!(next, START + 1 + 60_300, "the window, and half a hundredth of it");
    assert_eq!(send_all(&mut log, &mut hands, rule, next - 1), 0);
    assert_eq!(send_all(&mut log, &mut hands, rule, next), 5);
}

#[test]
fn a_dead_process_gives_its_slots_back_after_a_window_and_some_seconds() {
    let (mut log, rule) = (QuotaLog::default(), fixed("5/min"));
    let (mut dies, mut lives) = (Hands::new(1), Hands::new(2));
    visit(&mut log, &mut dies, rule, START, 3);
    assert!(dies.take(START));
    assert_eq!(send_all(&mut log, &mut lives, rule, START), 2);
    assert_eq!(send_all(&mut log, &mut lives, rule, START + 65_299), 2, "its own two");
    assert_eq!(send_all(&mut log, &mut lives, rule, START + 65_300), 3);
}

#[test]
fn unused_slots_go_back_and_old_ones_are_not_used() {
    let (mut log, rule) = (QuotaLog::default(), fixed("100/s"));
    let (mut idle, mut busy) = (Hands::new(1), Hands::new(2));
    visit(&mut log, &mut idle, rule, START, 60);
    visit(&mut log, &mut busy, rule, START, 60);
    assert_eq!((idle.free, busy.free), (60, 40));
    assert!(!idle.take(START + 3_001), "somebody else may have them");
    visit(&mut log, &mut idle, rule, START + 500, 0);
    assert!(idle.are_empty());
    visit(&mut log, &mut busy, rule, START + 500, 100);
    assert_eq!(busy.free, 100);
}

#[test]
fn the_first_refusal_lowers_the_rate_for_a_week_and_others_sent_before_it_do_not_count() {
    let mut log = QuotaLog::default();
    let moderate = log.rate(RateRule::Auto, START);
    assert_eq!(moderate, Rate::MODERATE);
    let refuse = |log: &mut QuotaLog, now, rate, seconds: Option<u64>| {
        log.refuse(RateRule::Auto, now, rate, seconds.map(Duration::from_secs))
    };
    assert_eq!(refuse(&mut log, START, moderate, Some(7)), Refused::Lowered);
    assert_eq!(refuse(&mut log, START + 5, moderate, Some(7)), Refused::WasFaster);
    assert_eq!((log.rate(RateRule::Auto, START + 9), log.learned_at(START + 9)), (Rate::SLOW, Some(START)));
    assert_eq!(log.rate(fixed("100/s"), START), "100/s".parse().unwrap(), "who says a rate is obeyed");
    let mut hands = Hands::new(1);
    assert_eq!(visit(&mut log, &mut hands, RateRule::Auto, START + 9, 1).next_at, START + 60_300, "all are spent");
    assert_eq!(send_all(&mut log, &mut hands, RateRule::Auto, START + 60_299), 0);
    assert_eq!(send_all(&mut log, &mut hands, RateRule::Auto, START + 60_300), 5);
    let later = START + 61_000;
    assert_eq!(refuse(&mut log, later, Rate::SLOW, Some(90)), Refused::Stands);
    assert_eq!(visit(&mut log, &mut hands, RateRule::Auto, later, 1).next_at, later + 90_000);
    assert_eq!(log.learned_at(later), Some(later), "it is still so");
    let week = 7 * 24 * 3_600_000;
    let mut read = QuotaLog::parse(Some(&log.to_text()));
    assert_eq!(read, log);
    assert_eq!(read.rate(RateRule::Auto, later + week - 1), Rate::SLOW);
    assert_eq!(read.rate(RateRule::Auto, later + week), Rate::MODERATE);
    assert_eq!(send_all(&mut read, &mut hands, RateRule::Auto, later + week), 10);
}

#[test]
fn a_refusal_at_a_rate_somebody_has_set_makes_everybody_pause() {
    for (seconds, pause_ms) in [(None, 1_005), (Some(7), 7_000), (Some(1_000_000), 300_000)] {
        let (mut log, mut hands, rule) = (QuotaLog::default(), Hands::new(1), fixed("100/s"));
        let rate = log.rate(rule, START);
        assert_eq!(log.refuse(rule, START, rate, seconds.map(Duration::from_secs)), Refused::Stands);
        assert_eq!(log.rate(rule, START), rate);
        assert_eq!(visit(&mut log, &mut hands, rule, START, 1).next_at, START + pause_ms, "{seconds:?}");
    }
}

#[test]
fn times_of_a_clock_that_is_wrong_do_not_stop_everything() {
    let text = r#"{"spent":[9e18],"held":[]}"#;
    assert_eq!(QuotaLog::parse(Some(text)), QuotaLog::default(), "no log");
    let text = r#"{"spent":[9000000000000000000, -5],"held":[{"by":1,"slots":4294967295,"until":9000000000000000000}],
        "blocked_until":9000000000000000000,"learned":{"rate":"5/min","at":9000000000000000000}}"#;
    let mut log = QuotaLog::parse(Some(text));
    let mut hands = Hands::new(2);
    assert_eq!(visit(&mut log, &mut hands, RateRule::Auto, START, 1).next_at, START + 300_000);
    assert!(log.seconds_for(RateRule::Auto, START, 1) <= 300.0);
    assert_eq!(send_all(&mut log, &mut hands, RateRule::Auto, START + 300_000), 5);
}

#[test]
fn how_long_requests_take_is_told_before_they_are_made() {
    let mut log = QuotaLog::default();
    let seconds = |log: &QuotaLog, rule, requests| log.seconds_for(rule, START, requests);
    for (rate, requests, expected) in [
        ("5/min", 0, 0.0),
        ("5/min", 5, 0.0),
        ("5/min", 6, 60.3),
        ("5/min", 20, 180.9),
        ("100/s", 10, 0.0),
        ("100/s", 11, 0.01),
        ("100/s", 1_010, 10.05),
    ] {
        assert_eq!(seconds(&log, fixed(rate), requests), expected, "{requests} at {rate}");
    }
    let rule = fixed("5/min");
    let mut hands = Hands::new(1);
    visit(&mut log, &mut hands, rule, START - 20_000, 5);
    for _ in 0..2 {
        assert!(hands.take(START - 20_000));
        hands.answered(START - 20_001);
    }
    visit(&mut log, &mut hands, rule, START - 20_000, 2);
    // Two are spent, two in hand as if used now, one is free.
    let found: Vec<_> = (1..=6).map(|requests| seconds(&log, rule, requests)).collect();
    assert_eq!(found, [0.0, 40.3, 40.3, 60.3, 60.3, 60.3]);
}

/// What a server saw of a request: it came at some moment between the two.
#[derive(Debug, Clone, Copy)]
struct Seen {
    sent: i64,
    answered: i64,
}

/// The most requests that can have fallen into one window, wherever between sending and answer each of them came.
fn most_in_a_window(seen: &[Seen], window: i64) -> usize {
    // The window that ends with the latest sent of them.
    let in_window =
        |last: &Seen| seen.iter().filter(|one| one.sent <= last.sent && one.answered > last.sent - window).count();
    seen.iter().map(in_window).max().unwrap_or_default()
}

#[derive(Debug)]
struct Process {
    hands: Hands,
    in_flight: Vec<Seen>,
    next_look: i64,
    next_renewal: i64,
}

/// Processes that share a quota: each sends whenever it may, is answered after some time, and sometimes dies.
fn simulate(rule: RateRule, processes: usize, slowest_ms: i64, deaths: bool, seed: u64) -> Vec<Seen> {
    let mut dice = fastrand::Rng::with_seed(seed);
    let mut log = QuotaLog::default();
    let rate = log.rate(rule, START);
    let mut next_id = 0;
    let mut begin = |now: i64| {
        next_id += 1;
        Process { hands: Hands::new(next_id), in_flight: Vec::new(), next_look: now, next_renewal: now }
    };
    let mut running: Vec<_> = (0..processes).map(|_| begin(START)).collect();
    let mut seen = Vec::new();
    let step = rate.window().as_millis() as i64 / 200;
    let mut now = START;
    while now < START + 6 * rate.window().as_millis() as i64 {
        now += dice.i64(1..=step);
        for process in &mut running {
            if deaths && dice.u32(0..1000) == 0 {
                // What it has sent arrives yet, as long as it was on its way.
                seen.extend(
                    process.in_flight.iter().map(|one| Seen { answered: one.answered.min(now + 2_000), ..*one }),
                );
                *process = begin(now);
            }
            let (done, open): (Vec<Seen>, _) = process.in_flight.iter().partition(|one| one.answered <= now);
            process.in_flight = open;
            for one in done {
                if dice.u32(0..50) == 0 {
                    process.hands.lost(now);
                    seen.push(Seen { answered: now + 2_000, ..one });
                } else {
                    process.hands.answered(now);
                    seen.push(Seen { answered: now, ..one });
                }
            }
            if now >= process.next_renewal {
                visit(&mut log, &mut process.hands, rule, now, 0);
                process.next_renewal = now + 1_000;
            }
            while process.hands.take(now) {
                if dice.u32(0..10) == 0 {
                    process.hands.untake();
                    break;
                }
                process.in_flight.push(Seen { sent: now, answered: now + dice.i64(1..=slowest_ms) });
            }
            if now >= process.next_look && dice.bool() {
                let visited = visit(&mut log, &mut process.hands, rule, now, rate.block());
                process.next_look = if visited.granted == 0 { visited.next_at } else { now };
                log = QuotaLog::parse(Some(&log.to_text()));
            }
        }
    }
    seen.extend(running.iter().flat_map(|process| process.in_flight.iter().copied()));
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_window_ever_sees_more_than_the_rate(
        rate in proptest::sample::select(vec!["1/s", "3/s", "20/s", "5/min", "7/min", "60/min"]),
        processes in 1_usize..5,
        slowest_ms in proptest::sample::select(vec![1_i64, 30, 400, 4_000, 20_000]),
        deaths: bool,
        seed: u64,
    ) {
        let rate: Rate = rate.parse().unwrap();
        let seen = simulate(RateRule::Fixed(rate), processes, slowest_ms, deaths, seed);
        let window = rate.window().as_millis() as i64;
        let most = most_in_a_window(&seen, window);
        prop_assert!(most <= rate.requests() as usize, "{most} in a window of {rate}");
        if !deaths && slowest_ms <= 30 {
            // Six windows: a quota that lets nothing through would hold as well.
            prop_assert!(seen.len() >= 4 * rate.requests() as usize, "only {}", seen.len());
        }
    }

    #[test]
    fn any_text_is_a_log_or_none(text in "\\PC{0,60}", now in START..START + 1000) {
        let mut log = QuotaLog::parse(Some(&text));
        log.visit(RateRule::Auto, now, &Hands::new(1).visit(1));
    }
}

#[test]
fn the_measure_of_the_simulation_sees_too_many() {
    let at = |sent, answered| Seen { sent, answered };
    assert_eq!(most_in_a_window(&[at(0, 10), at(1000, 1010)], 1000), 2, "they may come 990 apart");
    assert_eq!(most_in_a_window(&[at(0, 10), at(1010, 1020)], 1000), 1);
}
