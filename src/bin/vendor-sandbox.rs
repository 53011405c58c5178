//! The data vendor on loopback, with synthetic markets.

use std::fs;
use std::io::Write;

use anyhow::{Context, Result, ensure};
use barkeep::sandbox::cli::{Cli, Command, GenerateArgs, ServeArgs};
use barkeep::sandbox::{Server, generate};
use clap::Parser;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Generate(args) => make(&args),
        Command::Serve(args) => {
            make(&args.generate)?;
            tokio::runtime::Runtime::new().context("cannot start the runtime")?.block_on(serve(&args))
        }
    }
}

/// `BARKEEP_NOW`, or the clock.
fn now() -> Result<Timestamp> {
    match std::env::var("BARKEEP_NOW") {
        Ok(text) => {
            text.parse().with_context(|| format!("BARKEEP_NOW={text} is not an instant like 2026-10-02T12:00:00Z"))
        }
        Err(_) => Ok(Timestamp::now()),
    }
}

fn make(args: &GenerateArgs) -> Result<()> {
    let generation = args.generation(now()?);
    let files = generation.files();
    ensure!(!files.is_empty(), "the vendor has no file of these datasets on these dates");
    for file in generation.defects.files().iter().filter(|file| !files.contains(file)) {
        eprintln!("note: {file} is not among the files made here: what is wrong with its content does not show");
    }
    let directory = args.data_dir.display();
    eprintln!("{} synthetic files in {directory}", files.len());
    let made = generate(&args.data_dir, &generation)?;
    eprintln!(
        "{} made ({} rows, {} bytes), {} kept, {} absent as asked",
        made.made, made.rows, made.bytes, made.kept, made.absent
    );
    Ok(())
}

async fn serve(args: &ServeArgs) -> Result<()> {
    // Before anyone is told the address, so that no signal is missed.
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    let server = Server::start(args.options()?).await?;
    let mut output = std::io::stdout();
    writeln!(output, "listening on {}", server.url()).and_then(|()| output.flush()).context("standard output")?;
    if let Some(path) = &args.port_file {
        // Whoever waits for the file must never read half of it.
        let unfinished = path.with_extension("tmp");
        fs::write(&unfinished, server.url())
            .and_then(|()| fs::rename(&unfinished, path))
            .with_context(|| format!("{}", path.display()))?;
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    let struck: u64 = server.struck().iter().sum();
    if struck > 0 {
        eprintln!("{struck} faults struck");
    }
    let counts = server.stop().await;
    eprintln!("served {counts}");
    Ok(())
}
