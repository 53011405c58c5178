//! Ctrl-C and SIGTERM.

use std::io;
use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Exit;

/// Hears Ctrl-C and SIGTERM. The first asks the run to stop where nothing is lost, the second ends it at once.
#[derive(Debug, Clone, Default)]
pub struct Signals {
    first: Arc<OnceLock<Exit>>,
    stop: CancellationToken,
    end: CancellationToken,
}

impl Signals {
    /// Starts to listen; `say` gets a line for people each time. Must be called inside a tokio runtime.
    pub fn listen(say: impl Fn(&str) + Send + 'static) -> io::Result<Self> {
        let mut interrupts = signal(SignalKind::interrupt())?;
        let mut terminations = signal(SignalKind::terminate())?;
        let signals = Self::default();
        let heard = signals.clone();
        tokio::spawn(async move {
            loop {
                let exit = tokio::select! {
                    Some(()) = interrupts.recv() => Exit::Interrupted,
                    Some(()) = terminations.recv() => Exit::Terminated,
                    else => return,
                };
                heard.hear(exit, &say);
            }
        });
        Ok(signals)
    }

    /// Takes note of a signal. It is said first: what the run says then comes after.
    fn hear(&self, exit: Exit, say: impl FnOnce(&str)) {
        if self.first.set(exit).is_ok() {
            say("stopping: nothing half-done stays; once more to end at once");
            self.stop.cancel();
        } else {
            say("ending at once");
            self.end.cancel();
        }
    }

    /// Cancelled by the first signal: stop where nothing is lost.
    pub const fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// The exit code of the first signal, if there was one.
    pub fn exit(&self) -> Option<Exit> {
        self.first.get().copied()
    }

    /// Runs a command to its end, or to the second signal, whose exit is returned as the error. The caller then returns
    /// from `main` without waiting for threads that still work.
    pub fn run<T>(&self, command: impl Future<Output = T>) -> impl Future<Output = Result<T, Exit>> {
        // A command's future is large, and would be moved along with every one that holds it.
        let command = Box::pin(command);
        async {
            tokio::select! {
                result = command => Ok(result),
                () = self.end.cancelled() => Err(self.exit().unwrap_or(Exit::Interrupted)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::process::Command;
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn the_first_signal_stops_and_the_second_ends() {
        let signals = Signals::default();
        assert_eq!(signals.run(async { 7 }).await, Ok(7));
        signals.hear(Exit::Terminated, |said| assert!(said.starts_with("stopping")));
        assert!(signals.stop().is_cancelled());
        assert_eq!(signals.run(async { 7 }).await, Ok(7), "the run may still end in its own way");
        signals.hear(Exit::Interrupted, |said| assert_eq!(said, "ending at once"));
        assert_eq!(signals.run(pending::<()>()).await, Err(Exit::Terminated), "the first one is remembered");
    }

    #[tokio::test]
    async fn real_signals_are_heard() {
        let (say, said) = mpsc::channel();
        let signals = Signals::listen(move |line| say.send(line.to_owned()).unwrap()).unwrap();
        let kill = format!("kill -TERM {}", std::process::id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        signals.stop().cancelled().await;
        assert_eq!(signals.exit(), Some(Exit::Terminated));
        assert!(said.recv().unwrap().starts_with("stopping"));
    }
}
