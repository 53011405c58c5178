//! Places where a test can kill the process: `crash_point!("…")` stands at every moment where a kill could
//! leave something half done. Without the feature `sandbox` it is nothing.

/// A place where the process dies when `BARKEEP_CRASH_AT` names it.
#[cfg(feature = "sandbox")]
macro_rules! crash_point {
    ($name:literal) => {{
        const _: () = assert!($crate::crash::is_listed($name), "not among `crash::POINTS`");
        $crate::crash::reach($name);
    }};
}

/// A place where the process dies in builds for tests; here it is nothing.
#[cfg(not(feature = "sandbox"))]
macro_rules! crash_point {
    ($name:literal) => {};
}

#[cfg(feature = "sandbox")]
pub use points::{POINTS, is_listed, reach};

#[cfg(feature = "sandbox")]
mod points {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    /// All places, in the order of a run.
    pub const POINTS: [&str; 33] = [
        "migration-begun",
        "migrations-run",
        "migrated",
        "listed",
        "planned",
        "day-claimed",
        "object-fetched",
        "object-cached",
        "sameness-unrecorded",
        "sameness-recorded",
        "day-begun",
        "day-replaced",
        "bars-written",
        "day-decoded",
        "restatements-written",
        "coverage-written",
        "ledger-written",
        "day-committed",
        "day-reported",
        "day-released",
        "attempt-unrecorded",
        "attempt-recorded",
        "rate-unrecorded",
        "rate-recorded",
        "rest-day-written",
        "rest-committed",
        "chain-fetched",
        "chain-written",
        "chain-committed",
        "notify-told",
        "notify-claimed",
        "notify-answered",
        "notify-ended",
    ];

    /// Whether a name is one of [`POINTS`].
    pub const fn is_listed(name: &str) -> bool {
        let mut at = 0;
        while at < POINTS.len() {
            if is_same(POINTS[at].as_bytes(), name.as_bytes()) {
                return true;
            }
            at += 1;
        }
        false
    }

    const fn is_same(a: &[u8], b: &[u8]) -> bool {
        let mut at = 0;
        while at < a.len() && at < b.len() && a[at] == b[at] {
            at += 1;
        }
        at == a.len() && at == b.len()
    }

    /// The place named by `BARKEEP_CRASH_AT=NAME[:N]`, and how many times it is still passed unharmed.
    static FATAL: OnceLock<Option<(String, AtomicU32)>> = OnceLock::new();

    /// Dies here, without a farewell, if this is the N-th passage of the place that is named.
    pub fn reach(name: &str) {
        let fatal = FATAL.get_or_init(|| {
            let text = std::env::var("BARKEEP_CRASH_AT").ok()?;
            let (name, nth) = text.split_once(':').unwrap_or((&text, "1"));
            let nth = nth.parse().expect("BARKEEP_CRASH_AT is NAME or NAME:N");
            assert!(is_listed(name), "BARKEEP_CRASH_AT={text}: there is no such place");
            Some((name.to_owned(), AtomicU32::new(nth)))
        });
        if let Some((fatal, left)) = fatal
            && fatal == name
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            kill_process(getpid(), Signal::KILL).expect("Invariant: a process may kill itself");
            // Until the signal is there.
            loop {
                std::thread::park();
            }
        }
    }
}
