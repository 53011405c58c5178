//! What `scripts/` installs to keep the table filled: commands that this program has, at times that mean what they say.

use std::path::{Path, PathBuf};
use std::process::Command;

use barkeep::cli::Args;
use clap::Parser;

const PROGRAM: &str = "/usr/local/bin/backfill";

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

fn units() -> Vec<(String, String)> {
    let files = std::fs::read_dir(scripts().join("systemd")).unwrap().map(|file| file.unwrap().path());
    let unit = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        ["service", "timer"].contains(&kind(&name)).then(|| (name, std::fs::read_to_string(path).unwrap()))
    };
    files.filter_map(unit).collect()
}

/// What a unit's name ends with.
fn kind(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}

/// The values of a name in a unit.
fn values<'a>(unit: &'a str, name: &str) -> Vec<&'a str> {
    unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect()
}

/// What clap makes of a line that is typed or run.
#[track_caller]
fn parse(line: &str) -> Args {
    Args::try_parse_from(line.split_whitespace()).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
fn services_run_commands_that_there_are_and_may_do_little_else() {
    let services: Vec<_> = units().into_iter().filter(|(name, _)| kind(name) == "service").collect();
    assert_eq!(services.len(), 2);
    for (name, unit) in services {
        let [run] = values(&unit, "ExecStart")[..] else { panic!("{name} runs one program") };
        let line = run.strip_prefix(PROGRAM).unwrap_or_else(|| panic!("{name} runs {run}"));
        let args = parse(&format!("backfill{line}"));
        assert!(args.command.is_some() && args.global.log.is_some(), "{name}: {run}");
        for (name, value) in [
            ("User", "barkeep"),
            ("NoNewPrivileges", "yes"),
            ("CapabilityBoundingSet", ""),
            ("ProtectSystem", "strict"),
            ("ProtectHome", "yes"),
            ("PrivateTmp", "yes"),
            ("PrivateDevices", "yes"),
            ("MemoryDenyWriteExecute", "yes"),
            ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
            ("StateDirectory", "barkeep"),
            ("EnvironmentFile", "/etc/barkeep/env"),
            // A stop is no failure, and missing days are.
            ("SuccessExitStatus", "143"),
        ] {
            assert_eq!(values(&unit, name), [value], "{name}");
        }
    }
}

#[test]
fn times_are_those_of_the_exchange() {
    let units = units();
    let timers: Vec<_> = units.iter().filter(|(name, _)| kind(name) == "timer").collect();
    assert_eq!(timers.len(), 1);
    for (name, timer) in timers {
        let times = values(timer, "OnCalendar");
        assert!(!times.is_empty() && times.iter().all(|time| time.ends_with(" America/New_York")), "{name}: {times:?}");
        let [starts] = values(timer, "Unit")[..] else { panic!("{name} starts one unit") };
        assert!(units.iter().any(|(name, _)| name == starts), "{name} starts {starts}");
    }
}

#[test]
fn cron_runs_commands_that_there_are() {
    let crontab = std::fs::read_to_string(scripts().join("cron/barkeep.cron")).unwrap();
    assert!(crontab.contains("\nCRON_TZ=America/New_York\n"));
    let is_setting =
        |line: &&str| line.starts_with('#') || line.is_empty() || line.split(' ').next().unwrap().contains('=');
    let jobs: Vec<&str> = crontab.lines().filter(|line| !is_setting(line)).collect();
    assert_eq!(jobs.len(), 2);
    for job in jobs {
        let fields: Vec<&str> = job.split_whitespace().take(5).collect();
        let is_time = |field: &&str| field.chars().all(|c| c.is_ascii_digit() || "*-,/".contains(c));
        assert!(fields.iter().all(is_time), "five fields of time: {job}");
        // A percent sign would end the line.
        let (_, command) = job.split_once("exec ").filter(|_| !job.contains('%')).unwrap_or_else(|| panic!("{job}"));
        assert!(parse(command).command.is_some(), "{command}");
    }
}

#[test]
fn systemd_understands_the_units() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("SKIPPED: systemd-analyze is not installed, nothing was said about the units");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify");
    for (name, unit) in units() {
        let path = folder.path().join(name);
        // It wants to see the program.
        std::fs::write(&path, unit.replace(PROGRAM, env!("CARGO_BIN_EXE_backfill"))).unwrap();
        verify.arg(path);
    }
    let verified = verify.output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(verified.status.success() && !said.contains("barkeep"), "{said}");
}

#[test]
fn the_installer_says_what_it_would_do() {
    let script = scripts().join("install-service");
    let dry = Command::new(&script).args(["--dry-run", "--bin=/bin/true"]).output().unwrap();
    let said = String::from_utf8(dry.stdout).unwrap();
    assert!(dry.status.success(), "{said}");
    for (name, _) in units() {
        assert!(said.contains(&format!("/etc/systemd/system/{name}")), "{name}: {said}");
    }
    assert!(said.contains(PROGRAM) && said.contains("systemctl daemon-reload"), "{said}");
    if Path::new("/run/systemd/system").exists() {
        return;
    }
    let refused = Command::new(&script).arg("--bin=/bin/true").output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(1) && said.contains("systemd does not run"), "{said}");
}
