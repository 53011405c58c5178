//! How far an export is.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::plain::eta;
use super::{PLAIN_EVERY, per_second};
use crate::cli::format::count;
use crate::cli::log::{Log, stderr};
use crate::export::Progress;

/// Tells how far an export is: a bar on a terminal, a line every few seconds elsewhere, nothing when quiet.
#[derive(Debug)]
pub struct ExportProgress {
    started: Instant,
    teller: Teller,
}

#[derive(Debug)]
enum Teller {
    Nobody,
    Bar(ProgressBar),
    Lines { said: Instant },
}

impl ExportProgress {
    /// With `--json` a program reads along, and lines are plain even on a terminal.
    pub fn new(quiet: bool, json: bool, stderr_is_terminal: bool, color: bool) -> Self {
        let started = Instant::now();
        let teller = if quiet {
            Teller::Nobody
        } else if stderr_is_terminal && !json && Log::current().is_none() {
            let (bar, prefix) = if color { ("{bar:28.cyan/blue}", "{prefix:.bold}") } else { ("{bar:28}", "{prefix}") };
            let style = ProgressStyle::with_template(&format!("{prefix} [{bar}] {{msg}}"))
                .expect("Invariant: the template is written correctly")
                .progress_chars("=> ");
            let bar = ProgressBar::new(0).with_prefix("export").with_style(style);
            bar.enable_steady_tick(Duration::from_millis(250));
            Teller::Bar(bar)
        } else {
            Teller::Lines { said: started }
        };
        Self { started, teller }
    }

    /// Takes note of how far it is.
    pub fn tell(&mut self, now: Progress) {
        match &mut self.teller {
            Teller::Bar(bar) => {
                bar.set_length(now.months);
                bar.set_position(now.months_done);
                bar.set_message(line(now, self.started.elapsed()));
            }
            Teller::Lines { said } if said.elapsed() >= PLAIN_EVERY => {
                *said = Instant::now();
                // A log that went away is no reason to stop.
                let _ = writeln!(stderr(), "export {}", line(now, self.started.elapsed()));
            }
            Teller::Nobody | Teller::Lines { .. } => {}
        }
    }
}

impl Drop for ExportProgress {
    fn drop(&mut self) {
        if let Teller::Bar(bar) = &self.teller {
            bar.finish_and_clear();
        }
    }
}

fn line(now: Progress, elapsed: Duration) -> String {
    format!(
        "{} of {} months, {} bars at {} bars/s{}",
        count(now.months_done),
        count(now.months),
        count(now.bars),
        count(per_second(now.bars, elapsed) as u64),
        eta(now.months_done, now.months, elapsed),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_amounts_the_rate_and_the_time_left() {
        let now = Progress { months: 6, months_done: 2, bars: 3_000_000 };
        assert_eq!(line(now, Duration::from_secs(10)), "2 of 6 months, 3,000,000 bars at 300,000 bars/s, ETA 20s");
        assert_eq!(line(Progress::default(), Duration::ZERO), "0 of 0 months, 0 bars at 0 bars/s");
    }

    #[test]
    fn who_reads_decides_how_it_is_told() {
        let teller = |quiet, json, terminal| {
            let mut progress = ExportProgress::new(quiet, json, terminal, false);
            progress.tell(Progress { months: 3, months_done: 1, bars: 5 });
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
