//! Whether what is visible is what may be: whole days, each as an undisturbed load would have it.

use std::collections::{BTreeMap, BTreeSet};

use super::harness::Dump;

/// What must never be.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Wrong {
    /// Days that the ledger has and the table lacks, or that the finished table lacks.
    pub lost: u64,
    /// Rows with the key of another one, or above the number there is.
    pub doubled: u64,
    /// Visible days that are not whole.
    pub torn: u64,
}

impl Wrong {
    pub fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.torn += other.torn;
    }
}

/// All that a database says of a day.
#[derive(Debug, Default, PartialEq, Eq)]
struct Day<'a> {
    bars: Vec<&'a str>,
    ledger: Vec<&'a str>,
    coverage: Vec<&'a str>,
}

fn field(line: &str, at: usize) -> &str {
    line.split('|').nth(at).unwrap()
}

fn by_date(dump: &Dump) -> BTreeMap<&str, Day<'_>> {
    let mut days: BTreeMap<&str, Day<'_>> = BTreeMap::new();
    for bar in &dump.bars {
        days.entry(field(bar, 12)).or_default().bars.push(bar);
    }
    for line in &dump.versions {
        days.entry(field(line, 1)).or_default().ledger.push(line);
    }
    for line in &dump.coverage {
        days.entry(field(line, 1)).or_default().coverage.push(line);
    }
    days
}

/// Rows with the symbol, timeframe and timestamp of the row before.
fn doubled(bars: &[&str]) -> u64 {
    let key = |bar: &str| bar.splitn(4, '|').take(3).map(str::to_owned).collect::<Vec<_>>();
    bars.windows(2).filter(|two| key(two[0]) == key(two[1])).count() as u64
}

/// Holds what is visible against tables any of whose days may be there.
pub fn judge(found: &Dump, allowed: &[&Dump]) -> Wrong {
    let allowed: Vec<_> = allowed.iter().map(|dump| by_date(dump)).collect();
    let mut wrong = Wrong::default();
    for (date, day) in by_date(found) {
        let may_be = || allowed.iter().filter_map(|days| days.get(date));
        let most = may_be().map(|day| day.bars.len()).max().unwrap_or(0);
        let too_many = doubled(&day.bars).max(day.bars.len().saturating_sub(most) as u64);
        if day.bars.is_empty() && !day.ledger.is_empty() {
            wrong.lost += 1;
        } else if too_many > 0 {
            wrong.doubled += too_many;
        } else if !may_be().any(|whole| *whole == day) {
            wrong.torn += 1;
        }
    }
    wrong
}

/// Holds a finished table against the undisturbed one.
pub fn judge_finished(found: &Dump, calm: &Dump) -> Wrong {
    let mut wrong = judge(found, &[calm]);
    let there: BTreeSet<_> =
        by_date(found).into_iter().filter(|(_, day)| !day.bars.is_empty()).map(|(date, _)| date).collect();
    wrong.lost += by_date(calm).keys().filter(|date| !there.contains(*date)).count() as u64;
    wrong
}

/// The ledger's numbers of bars are those of the table.
#[track_caller]
pub fn assert_ledger_counts_the_table(dump: &Dump) {
    for (date, day) in by_date(dump) {
        let written = |line: &&str| line.rsplit('|').nth(1).unwrap().parse::<usize>().unwrap();
        assert_eq!(day.ledger.iter().map(written).sum::<usize>(), day.bars.len(), "bars of {date}");
    }
}

#[test]
fn lost_doubled_and_torn_days_are_told_apart() {
    let bar = |symbol: &str, date: &str| format!("{symbol}|5m|1|1|1|1|1|1|1|1|regular|estimate|{date}|2|5");
    let calm = Dump {
        bars: vec![bar("A", "d1"), bar("B", "d1"), bar("A", "d2")],
        versions: vec!["stocks|d1|minute|2|hash".to_owned(), "stocks|d2|minute|1|hash".to_owned()],
        ..Dump::default()
    };
    assert_eq!(judge_finished(&calm, &calm), Wrong::default());
    assert_ledger_counts_the_table(&calm);
    let changed = |change: fn(&mut Dump)| {
        let mut dump = calm.clone();
        change(&mut dump);
        judge(&dump, &[&calm])
    };
    let only = |lost, doubled, torn| Wrong { lost, doubled, torn };
    assert_eq!(changed(|dump| drop(dump.bars.pop())), only(1, 0, 0));
    assert_eq!(changed(|dump| drop(dump.bars.remove(0))), only(0, 0, 1));
    assert_eq!(changed(|dump| drop(dump.versions.pop())), only(0, 0, 1));
    assert_eq!(changed(|dump| dump.bars.insert(0, dump.bars[0].clone())), only(0, 1, 0));
    let nothing = Dump::default();
    assert_eq!((judge(&nothing, &[&calm]), judge_finished(&nothing, &calm)), (only(0, 0, 0), only(2, 0, 0)));
}
