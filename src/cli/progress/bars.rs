//! How far something is that goes through bars step by step.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::plain::eta;
use super::{PLAIN_EVERY, per_second};
use crate::cli::format::count;
use crate::cli::log::{Log, stderr};

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps {
    /// Steps in all.
    pub of: u64,
    /// Steps that are done.
    pub done: u64,
    /// Bars that were gone through.
    pub bars: u64,
}

/// Tells how far it is: a bar on a terminal, a line every few seconds elsewhere, nothing when quiet.
#[derive(Debug)]
pub struct BarsProgress {
    what: &'static str,
    unit: &'static str,
    started: Instant,
    teller: Teller,
}

#[derive(Debug)]
enum Teller {
    Nobody,
    Bar(ProgressBar),
    Lines { said: Instant },
}

impl BarsProgress {
    /// Of something that is called `what` and has steps of a kind, such as the `months` of an `export`. With `--json` a program
    /// reads along, and lines are plain even on a terminal.
    pub fn new(
        (what, unit): (&'static str, &'static str),
        quiet: bool,
        json: bool,
        stderr_is_terminal: bool,
        color: bool,
    ) -> Self {
        let started = Instant::now();
        let teller = if quiet {
            Teller::Nobody
        } else if stderr_is_terminal && !json && Log::current().is_none() {
            let (bar, prefix) = if color { ("{bar:28.cyan/blue}", "{prefix:.bold}") } else { ("{bar:28}", "{prefix}") };
            let style = ProgressStyle::with_template(&format!("{prefix} [{bar}] {{msg}}"))
                .expect("Invariant: the template is written correctly")
                .progress_chars("=> ");
            let bar = ProgressBar::new(0).with_prefix(what).with_style(style);
            bar.enable_steady_tick(Duration::from_millis(250));
            Teller::Bar(bar)
        } else {
            Teller::Lines { said: started }
        };
        Self { what, unit, started, teller }
    }

    /// Takes note of how far it is.
    pub fn tell(&mut self, now: Steps) {
        match &mut self.teller {
            Teller::Bar(bar) => {
                bar.set_length(now.of);
                bar.set_position(now.done);
                bar.set_message(line(now, self.unit, self.started.elapsed()));
            }
            Teller::Lines { said } if said.elapsed() >= PLAIN_EVERY => {
                *said = Instant::now();
                // A log that went away is no reason to stop.
                let _ = writeln!(stderr(), "{} {}", self.what, line(now, self.unit, self.started.elapsed()));
            }
            Teller::Nobody | Teller::Lines { .. } => {}
        }
    }
}

impl Drop for BarsProgress {
    fn drop(&mut self) {
        if let Teller::Bar(bar) = &self.teller {
            bar.finish_and_clear();
        }
    }
}

fn line(now: Steps, unit: &str, elapsed: Duration) -> String {
    format!(
        "{} of {} {unit}, {} bars at {} bars/s{}",
        count(now.done),
        count(now.of),
        count(now.bars),
        count(per_second(now.bars, elapsed) as u64),
        eta(now.done, now.of, elapsed),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_amounts_the_rate_and_the_time_left() {
        let now = Steps { of: 6, done: 2, bars: 3_000_000 };
        assert_eq!(
            line(now, "months", Duration::from_secs(10)),
            "2 of 6 months, 3,000,000 bars at 300,000 bars/s, ETA 20s"
        );
        assert_eq!(line(Steps::default(), "months", Duration::ZERO), "0 of 0 months, 0 bars at 0 bars/s");
    }

    #[test]
    fn who_reads_decides_how_it_is_told() {
        let teller = |quiet, json, terminal| {
            let mut progress = BarsProgress::new(("export", "months"), quiet, json, terminal, false);
            progress.tell(Steps { of: 3, done: 1, bars: 5 });
            match &progress.teller {
                Teller::Nobody => "nobody".to_owned(),
                Teller::Bar(bar) => format!("bar {} of {:?}", bar.position(), bar.length()),
                Teller::Lines { .. } => "lines".to_owned(),
            }
        };
        assert_eq!(teller(true, false, true), "nobody");
        assert_eq!(teller(false, false, true), "bar 1 of Some(3)");
        assert_eq!([teller(false, true, true), teller(false, false, false)], ["lines", "lines"]);
    }
}
