//! Each planted damage is found and named, and a repair leaves the database as it was before.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::harness::{Dump, Place, Schema, query};
use super::plantings::{Damage, PLANTINGS, postgres, sqlite};
use super::{copy_of, execute, load, words};

/// Cases that run at the same time.
const AT_ONCE: usize = 3;

#[test]
fn damage_is_found_named_and_repaired() {
    each_is_repaired(Place::new());
}

#[test]
fn damage_of_postgres_is_found_named_and_repaired() {
    let Some(schema) = Schema::new() else { return };
    each_is_repaired(Place::on(schema));
}

fn each_is_repaired(place: Place) {
    load(&place, "2026-09-29", "2026-10-01");
    place.type_line("verify").ended(0);
    let before = tables(&place);
    each(PLANTINGS, |damage| check(damage, &place, &before).map_err(|why| format!("{}: {why}", damage.name)));
}

/// Tries each case, some at a time, and tells all that are wrong.
pub fn each<T: Sync>(cases: &[T], check: impl Fn(&T) -> Result<(), String> + Sync) {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = check(case) {
                        wrong.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(damage: &Damage, whole: &Place, before: &(Dump, Vec<String>)) -> Result<(), String> {
    let is = |right: bool, why: String| if right { Ok(()) } else { Err(why) };
    let Some(sql) = whole.schema().map_or(Some(damage.sqlite), |_| damage.postgres.ok()) else { return Ok(()) };
    let place = copy_of(whole);
    let also = if let Some(schema) = place.schema() {
        schema.execute(&postgres(sql));
        damage.postgres_finds
    } else {
        execute(&place.database(), &sqlite(sql));
        damage.sqlite_finds
    };
    is(tables(&place) != *before, "nothing was damaged".to_owned())?;
    let repaired = place.type_line("verify --repair --source=BUCKET --json");
    let found: Vec<String> = words(&repaired).into_iter().collect();
    let mut expected: Vec<&str> = damage.finds.iter().chain(also).copied().collect();
    expected.sort_unstable();
    is(found == expected, format!("found {found:?}: {repaired:?}"))?;
    is(repaired.code == 0, format!("not repaired: {repaired:?}"))?;
    let rows = repaired.json()["rows"].as_array().unwrap().clone();
    is(rows.iter().all(|row| row["repaired"] == true), format!("not said to be repaired: {rows:?}"))?;
    let (after, before) = (place.dump(), &before.0);
    let differs = after.bars.iter().zip(&before.bars).find(|(a, b)| a != b);
    is(differs.is_none() && after.bars.len() == before.bars.len(), format!("other bars: {differs:?}"))?;
    is(after.ledger == before.ledger, format!("another ledger: {:?}", after.ledger))?;
    is(after.coverage == before.coverage, format!("other coverage: {:?}", after.coverage))?;
    let again = place.type_line("verify --json");
    is(again.code == 0 && words(&again).is_empty(), format!("then: {again:?}"))
}

/// What readers see, the books, and the names of days, which no reader sees while they have no bars.
fn tables(place: &Place) -> (Dump, Vec<String>) {
    let days = "SELECT dataset || session_date FROM days ORDER BY 1";
    (place.dump(), if place.schema().is_none() { query(&place.database(), days) } else { Vec::new() })
}
