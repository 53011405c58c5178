//! The data vendor on loopback, with synthetic markets.

use std::fmt::Display;
use std::fs;
use std::io::Write;

use anyhow::{Context, Result, ensure};
use barkeep::sandbox::cli::{Cli, Command, GenerateArgs, ProxyArgs, ServeArgs};
use barkeep::sandbox::{Proxy, Server, generate};
use clap::Parser;
use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Generate(args) => make(&args),
        Command::Serve(args) => {
            make(&args.generate)?;
            runtime()?.block_on(serve(&args))
        }
        Command::Proxy(args) => runtime()?.block_on(pass_on(&args)),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Runtime::new().context("cannot start the runtime")
}

/// The instant that counts as now, if `--now` or `BARKEEP_NOW` names one.
fn fixed_now(args: &GenerateArgs) -> Result<Option<Timestamp>> {
    match (args.now(), std::env::var("BARKEEP_NOW")) {
        (Some(now), _) => Ok(Some(now)),
        (None, Ok(text)) => text
            .parse()
            .map(Some)
            .with_context(|| format!("BARKEEP_NOW={text} is not an instant like 2026-10-02T12:00:00Z")),
        (None, Err(_)) => Ok(None),
    }
}

fn make(args: &GenerateArgs) -> Result<()> {
    let generation = args.generation(fixed_now(args)?.unwrap_or_else(Timestamp::now));
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

/// Resolves when the program is told to stop. Made before anyone is told an address, so that no signal is missed.
fn told_to_stop() -> Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn say_address(address: impl Display) -> Result<()> {
    let mut output = std::io::stdout();
    writeln!(output, "listening on {address}").and_then(|()| output.flush()).context("standard output")
}

async fn pass_on(args: &ProxyArgs) -> Result<()> {
    let stop = told_to_stop()?;
    let proxy = Proxy::start(args.listen, args.to, args.script()?).await?;
    say_address(proxy.address())?;
    stop.await;
    eprintln!("{} faults struck", proxy.struck().iter().sum::<u64>());
    Ok(())
}

async fn serve(args: &ServeArgs) -> Result<()> {
    let stop = told_to_stop()?;
    let server = Server::start(args.options(fixed_now(&args.generate)?)?).await?;
    say_address(server.url())?;
    if let Some(path) = &args.port_file {
        // Whoever waits for the file must never read half of it.
        let unfinished = path.with_extension("tmp");
        fs::write(&unfinished, server.url())
            .and_then(|()| fs::rename(&unfinished, path))
            .with_context(|| format!("{}", path.display()))?;
    }
    stop.await;
    let struck: u64 = server.struck().iter().sum();
    if struck > 0 {
        eprintln!("{struck} faults struck");
    }
    let rest = server.rest_counts();
    let counts = server.stop().await;
    eprintln!("served {counts}");
    if rest.total() > 0 {
        eprintln!("served {rest}");
    }
    Ok(())
}
