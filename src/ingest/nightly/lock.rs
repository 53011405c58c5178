//! The lock that keeps nightly runs from overlapping: a note that its holder renews.
//!
//! Whoever finds the note watches it. If it changes, its holder is alive; if it does not for long enough, its holder is dead,
//! whatever clocks say. Time here is always real: a simulation's processes die at real times.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::store::{Notes, StoreError};

/// How often a note is renewed, and looked at by who waits, within the time after which its holder counts as dead.
const RENEWALS: u32 = 5;
const LOOKS: u32 = 20;

/// The lock of a run.
#[derive(Debug)]
pub struct Lock {
    lost: CancellationToken,
    release: CancellationToken,
    keeper: JoinHandle<()>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    owner: String,
    /// Grows, so that two renewals are never the same text.
    renewals: u64,
}

/// Takes the lock of a name; `None` if another run that is alive holds it. A holder that has not renewed it for `patience` is dead.
/// `waiting` hears once that there is one to be watched.
pub async fn take_lock<N: Notes + 'static>(
    mut notes: N,
    name: &str,
    owner: &str,
    patience: Duration,
    waiting: impl FnOnce(),
) -> Result<Option<Lock>, StoreError> {
    let mut found = look(&mut notes, name, owner, None).await?;
    if let Some(before) = found.clone() {
        waiting();
        let since = Instant::now();
        while found.is_some() {
            sleep(patience / LOOKS).await;
            let dead = (since.elapsed() >= patience).then_some(before.as_str());
            found = look(&mut notes, name, owner, dead).await?;
            if found.as_ref().is_some_and(|now| *now != before) {
                return Ok(None);
            }
        }
    }
    let (lost, release) = (CancellationToken::new(), CancellationToken::new());
    let keeper = tokio::spawn(keep(
        notes,
        (name.to_owned(), owner.to_owned()),
        patience / RENEWALS,
        lost.clone(),
        release.clone(),
    ));
    Ok(Some(Lock { lost, release, keeper }))
}

impl Lock {
    /// Cancelled when another run has taken the lock over: this one was asleep for too long.
    pub const fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Lets go of it.
    pub async fn release(self) {
        self.release.cancel();
        // A keeper that has panicked has let go, too: nobody renews.
        let _ = self.keeper.await;
    }
}

/// Takes a note that nobody has, or that says this; else tells what it says.
async fn look(
    notes: &mut impl Notes,
    name: &str,
    owner: &str,
    dead: Option<&str>,
) -> Result<Option<String>, StoreError> {
    let take = |found: Option<&str>| match found {
        Some(text) if dead != Some(text) => (Some(text.to_owned()), Some(text.to_owned())),
        _ => (Some(text(owner, 0)), None),
    };
    notes.change_note(name, take).await
}

fn text(owner: &str, renewals: u64) -> String {
    serde_json::to_string(&Holder { owner: owner.to_owned(), renewals })
        .expect("Invariant: a text and a number can be written as JSON")
}

async fn keep(
    mut notes: impl Notes,
    (name, owner): (String, String),
    every: Duration,
    lost: CancellationToken,
    release: CancellationToken,
) {
    let mut renewals = 0;
    let is_ours = |found: Option<&str>| {
        // The notes are disposable: one that is gone is written again.
        found.is_none_or(|text| serde_json::from_str::<Holder>(text).is_ok_and(|holder| holder.owner == owner))
    };
    while !release.is_cancelled() {
        tokio::select! {
            () = release.cancelled() => break,
            () = sleep(every) => {}
        }
        renewals += 1;
        let renew = |found: Option<&str>| {
            let is_ours = is_ours(found);
            (if is_ours { Some(text(&owner, renewals)) } else { found.map(str::to_owned) }, is_ours)
        };
        // A database that does not answer now is asked again; until it does nobody else can take the lock either.
        if let Ok(false) = notes.change_note(&name, renew).await {
            lost.cancel();
            return;
        }
    }
    let remove = |found: Option<&str>| (found.filter(|text| !is_ours(Some(text))).map(str::to_owned), ());
    // A note that could not be removed is taken over in time.
    let _ = notes.change_note(&name, remove).await;
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Fake(Arc<Mutex<Option<String>>>);

    impl Notes for Fake {
        async fn change_note<T: Send>(
            &mut self,
            _: &str,
            change: impl FnOnce(Option<&str>) -> (Option<String>, T) + Send,
        ) -> Result<T, StoreError> {
            let mut note = self.0.lock().unwrap();
            let (text, made) = change(note.as_deref());
            *note = text;
            Ok(made)
        }
    }

    const PATIENCE: Duration = Duration::from_millis(400);

    async fn take(notes: &Fake, owner: &str) -> Option<Lock> {
        take_lock(notes.clone(), "nightly", owner, PATIENCE, || ()).await.unwrap()
    }

    #[tokio::test]
    async fn one_run_holds_it_at_a_time() {
        let notes = Fake::default();
        let one = take(&notes, "one").await.unwrap();
        let began = Instant::now();
        assert!(take(&notes, "two").await.is_none());
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        one.release().await;
        assert_eq!(*notes.0.lock().unwrap(), None);
        assert!(take(&notes, "two").await.is_some());
    }

    #[tokio::test]
    async fn what_a_dead_run_holds_is_taken_over() {
        let notes = Fake::default();
        *notes.0.lock().unwrap() = Some(text("dead", 7));
        let began = Instant::now();
        let lock = take(&notes, "two").await.unwrap();
        assert!(began.elapsed() >= PATIENCE, "{:?}", began.elapsed());
        sleep(PATIENCE).await;
        assert!(notes.0.lock().unwrap().as_ref().unwrap().contains("two") && !lock.lost().is_cancelled());
        // Not even JSON, and nobody's.
        *notes.0.lock().unwrap() = Some("odd".to_owned());
        lock.lost().cancelled().await;
        lock.release().await;
        assert_eq!(notes.0.lock().unwrap().as_deref(), Some("odd"), "it is another's");
        assert!(take(&notes, "three").await.is_some());
    }

    #[tokio::test]
    async fn a_run_that_was_taken_over_notices() {
        let notes = Fake::default();
        let one = take(&notes, "one").await.unwrap();
        *notes.0.lock().unwrap() = Some(text("two", 0));
        one.lost().cancelled().await;
        let lock = {
            let notes = notes.clone();
            tokio::spawn(async move { take(&notes, "three").await })
        };
        sleep(PATIENCE / 2).await;
        *notes.0.lock().unwrap() = None;
        assert!(lock.await.unwrap().is_some(), "a note that is gone is nobody's");
    }

    #[tokio::test]
    async fn a_note_that_is_lost_is_written_again() {
        let notes = Fake::default();
        let lock = take(&notes, "one").await.unwrap();
        *notes.0.lock().unwrap() = None;
        sleep(PATIENCE).await;
        assert!(notes.0.lock().unwrap().is_some() && !lock.lost().is_cancelled());
    }
}
