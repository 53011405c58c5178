//! What is to be told: how things are, compared with what was told last.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::model::Problem;
use crate::store::Condition;

/// Trouble that lasts is told again after so long.
pub const REMINDED_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How a source of trouble is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// Its name: `nightly`, `nightly --all stocks`, `watchlist`.
    pub source: String,
    /// What is wrong with it; none when all is well.
    pub problem: Option<Problem>,
    /// How it is in one line without a full stop, for when it is well again.
    pub summary: String,
}

/// What happened, as far as people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Trouble begins, or becomes another.
    Failure,
    /// It lasts.
    Reminder,
    /// It is over.
    Recovery,
    /// Nothing; somebody wants to see a message.
    Test,
}

impl Event {
    /// Its word, in the database and in payloads.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Reminder => "reminder",
            Self::Recovery => "recovery",
            Self::Test => "test",
        }
    }
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What happened.
    pub event: Event,
    /// Since when there is, or was, trouble.
    pub trouble_since: Timestamp,
    /// What will have been told.
    pub after: Condition,
}

/// Whether there is something to tell: trouble that begins, becomes another, has lasted for [`REMINDED_AFTER`] since it was last
/// told, or is over. Nothing is told of a source that is well from the start.
pub fn decide(last: Option<&Condition>, now: &Situation, at: Timestamp) -> Option<Decision> {
    let troubled = last.filter(|last| last.problem.is_some());
    let Some(problem) = &now.problem else {
        let since = troubled?.since;
        let after = Condition { problem: None, since: at, told_at: at };
        return Some(Decision { event: Event::Recovery, trouble_since: since, after });
    };
    let digest = digest_of(problem);
    let event = match troubled {
        Some(last) if last.problem.as_ref() != Some(&digest) => Event::Failure,
        Some(last) if at.duration_since(last.told_at) < REMINDED_AFTER => return None,
        Some(_) => Event::Reminder,
        None => Event::Failure,
    };
    // Trouble that becomes another is still going on.
    let since = troubled.map_or(at, |last| last.since);
    Some(Decision { event, trouble_since: since, after: Condition { problem: Some(digest), since, told_at: at } })
}

/// A hash of what makes trouble the same trouble.
fn digest_of(problem: &Problem) -> String {
    digest(problem.essence.iter().map(String::as_str))
}

/// A short hash of words.
pub(super) fn digest<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for word in words {
        // Lengths, so that no two lists of words are the same bytes.
        hash.update((word.len() as u64).to_le_bytes());
        hash.update(word);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn situation(essence: &[&str]) -> Situation {
        let essence: Vec<String> = essence.iter().map(|&word| word.to_owned()).collect();
        let problem = Problem { essence, headline: "h".to_owned(), details: Vec::new() };
        Situation {
            source: "nightly".to_owned(),
            problem: Some(problem).filter(|problem| !problem.essence.is_empty()),
            summary: "s".to_owned(),
        }
    }

    /// What is told night after night, and since when trouble is said to be.
    fn story(nights: &[(&str, &[&str])]) -> Vec<(String, Option<(Event, Timestamp)>)> {
        let mut last: Option<Condition> = None;
        let mut told = Vec::new();
        for (night, essence) in nights {
            let decision = decide(last.as_ref(), &situation(essence), at(night));
            told.push(((*night).to_owned(), decision.as_ref().map(|told| (told.event, told.trouble_since))));
            last = decision.map(|decision| decision.after).or(last);
        }
        told
    }

    #[test]
    fn what_changes_is_told_and_nothing_else() {
        let nights: [(&str, &[&str]); 12] = [
            ("2026-10-01T15:30:00Z", &[]),
            ("2026-10-02T15:30:00Z", &["api", "down"]),
            ("2026-10-03T15:30:00Z", &["api", "down"]),
            ("2026-10-04T15:30:00Z", &["disk"]),
            ("2026-10-11T15:29:59Z", &["disk"]),
            ("2026-10-11T15:30:00Z", &["disk"]),
            ("2026-10-12T15:30:00Z", &["disk"]),
            ("2026-10-18T15:30:00Z", &["disk"]),
            ("2026-10-19T15:30:00Z", &[]),
            ("2026-10-20T15:30:00Z", &[]),
            ("2026-11-20T15:30:00Z", &[]),
            ("2026-11-21T15:30:00Z", &["disk"]),
        ];
        let told = story(&nights);
        let since = at("2026-10-02T15:30:00Z");
        let expected = [
            (1, Event::Failure, since),
            (3, Event::Failure, since),
            (5, Event::Reminder, since),
            (7, Event::Reminder, since),
            (8, Event::Recovery, since),
            (11, Event::Failure, at("2026-11-21T15:30:00Z")),
        ];
        for (index, (night, told)) in told.into_iter().enumerate() {
            let expected = expected.iter().find(|(at, ..)| *at == index).map(|(_, event, since)| (*event, *since));
            assert_eq!(told, expected, "{night}");
        }
    }

    #[test]
    fn a_source_that_fails_from_the_start_is_told() {
        assert_eq!(story(&[("2026-10-01T15:30:00Z", &["x"])])[0].1, Some((Event::Failure, at("2026-10-01T15:30:00Z"))));
    }

    #[test]
    fn trouble_is_told_by_its_words() {
        let digest = |essence: &[&str]| digest_of(&situation(essence).problem.unwrap());
        assert_eq!(digest(&["a", "b"]), digest(&["a", "b"]));
        for other in [&["ab"][..], &["a", "b", ""], &["b", "a"], &["a"]] {
            assert_ne!(digest(&["a", "b"]), digest(other), "{other:?}");
        }
        let louder = Problem { headline: "other".to_owned(), ..situation(&["a"]).problem.unwrap() };
        assert_eq!(digest_of(&louder), digest(&["a"]), "whatever is said of it");
    }
}
