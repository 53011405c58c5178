//! Days are claimed by one at a time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use barkeep::model::Dataset::{self, Crypto, Options, Stocks};
use barkeep::store::{Claiming, Claims};
use jiff::ToSpan;
use jiff::civil::Date;

use crate::Bench;
use crate::fixtures::*;

/// Longer than any of these tests takes.
const LONG: Duration = Duration::from_mins(10);

async fn claimant<B: Bench>(bench: &B, lease: Duration) -> <B::Store as Claiming>::Claims {
    bench.open().await.claimant(lease).await.unwrap()
}

pub async fn one_claimant_holds_a_day_until_it_is_released(bench: &impl Bench) {
    let (mut one, mut other) = (claimant(bench, LONG).await, claimant(bench, LONG).await);
    assert!(one.claim(Stocks, DAY).await.unwrap());
    assert!(!other.claim(Stocks, DAY).await.unwrap());
    assert!(one.claim(Stocks, DAY).await.unwrap(), "it holds the day already");
    other.release(Stocks, DAY).await.unwrap();
    assert!(!other.claim(Stocks, DAY).await.unwrap(), "it gave back what it does not hold");
    one.release(Stocks, DAY).await.unwrap();
    one.release(Stocks, DAY).await.unwrap();
    assert!(other.claim(Stocks, DAY).await.unwrap());
    one.renew().await.unwrap();
    assert!(!one.claim(Stocks, DAY).await.unwrap());
}

pub async fn a_dead_claimant_loses_its_day_when_its_lease_ends(bench: &impl Bench) {
    let lease = Duration::from_millis(500);
    let (mut dead, mut heir) = (claimant(bench, lease).await, claimant(bench, LONG).await);
    let since = Instant::now();
    assert!(dead.claim(Stocks, DAY).await.unwrap());
    while !heir.claim(Stocks, DAY).await.unwrap() {
        assert!(since.elapsed() < Duration::from_secs(30), "the lease does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(since.elapsed() >= lease, "it was taken after {:?}", since.elapsed());
    // It was not dead, only slow.
    dead.renew().await.unwrap();
    assert!(!dead.claim(Stocks, DAY).await.unwrap());
    dead.release(Stocks, DAY).await.unwrap();
    assert!(!claimant(bench, LONG).await.claim(Stocks, DAY).await.unwrap(), "the heir still holds it");
    assert!(heir.claim(Stocks, DAY).await.unwrap());
}

pub async fn a_lease_that_is_renewed_lasts(bench: &impl Bench) {
    let lease = Duration::from_secs(1);
    let (mut one, mut other) = (claimant(bench, lease).await, claimant(bench, LONG).await);
    let mut renewed = Instant::now();
    let since = renewed;
    for date in [DAY, NEXT] {
        assert!(one.claim(Stocks, date).await.unwrap());
    }
    while since.elapsed() < lease * 2 {
        for date in [DAY, NEXT] {
            let taken = other.claim(Stocks, date).await.unwrap();
            // On a machine so busy that the renewal comes late, nothing is shown.
            assert!(!taken || renewed.elapsed() >= lease, "{date} was taken within the lease");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        renewed = Instant::now();
        one.renew().await.unwrap();
    }
}

pub async fn days_and_datasets_are_claimed_apart(bench: &impl Bench) {
    let (mut one, mut other) = (claimant(bench, LONG).await, claimant(bench, LONG).await);
    assert!(one.claim(Stocks, DAY).await.unwrap());
    assert!(other.claim(Stocks, NEXT).await.unwrap());
    assert!(other.claim(Crypto, DAY).await.unwrap());
    assert!(!one.claim(Crypto, DAY).await.unwrap());
    one.release(Stocks, NEXT).await.unwrap();
    other.release(Stocks, DAY).await.unwrap();
    other.release(Options, DAY).await.unwrap();
    assert!(!one.claim(Stocks, NEXT).await.unwrap());
    assert!(!other.claim(Stocks, DAY).await.unwrap());
}

pub async fn eight_claimants_share_fifty_days_out<B: Bench>(bench: &B) {
    let days: Vec<Date> = DAY.series(1.day()).take(50).collect();
    let mut claiming = tokio::task::JoinSet::new();
    for n in 0..8 {
        // Opened one by one: a future of `claimant` may be bound to this task.
        let mut claims = claimant(bench, LONG).await;
        let mut days = days.clone();
        // Half of them from the end.
        if n % 2 == 1 {
            days.reverse();
        }
        claiming.spawn(async move {
            let mut held = Vec::new();
            for date in days {
                if claims.claim(Dataset::Stocks, date).await.unwrap() {
                    held.push(date);
                }
                claims.renew().await.unwrap();
            }
            held
        });
    }
    let held: Vec<Date> = claiming.join_all().await.into_iter().flatten().collect();
    assert_eq!(held.len(), days.len(), "a day is held once");
    assert_eq!(held.into_iter().collect::<BTreeSet<_>>(), days.into_iter().collect());
}
