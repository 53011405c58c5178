//! The real program with `DATABASE_URL=postgres://…`.
#![cfg(feature = "sandbox")]

mod harness;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use barkeep::model::Dataset;
use harness::database::Pooled;
use harness::{Dump, Place, Ran, Schema, finished, make, ran};

/// A command of a place's user whose bars are kept at an address.
fn typed(place: &Place, url: &str, line: &str) -> Ran {
    ran(&mut command(place, url, line))
}

fn command(place: &Place, url: &str, line: &str) -> std::process::Command {
    let bucket = place.bucket().display().to_string();
    let words: Vec<String> = line.split_whitespace().map(|word| word.replace("BUCKET", &bucket)).collect();
    let mut command = place.command(&words);
    command.env("DATABASE_URL", url);
    command
}

const ALL: &str = "s3 --days=10 --all --source=BUCKET";

/// A place with eight sessions of stocks.
fn place() -> Place {
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Stocks], "2026-09-22", "2026-10-02");
    place
}

#[test]
fn both_databases_hold_the_same_bars_ledger_and_coverage() {
    let Some(schema) = Schema::new() else { return };
    let place = place();
    for line in
        ["s3 --days=10 --symbols=SPY,QQQ --source=BUCKET", ALL, "s3 --days=10 --symbol=SPY --force --source=BUCKET"]
    {
        place.type_line(line).ended(0);
        typed(&place, &schema.url(), line).ended(0);
        Dump::of_schema(&schema).assert_same(&place.dump());
    }
    for line in ["bars SPY --timeframe=5m --csv", "status --symbol=SPY", "watchlist list --json"] {
        let (sqlite, postgres) = (place.type_line(line).ended(0), typed(&place, &schema.url(), line).ended(0));
        assert_eq!(postgres.out, sqlite.out, "{line}");
    }
}

#[test]
fn a_second_run_finds_nothing_to_do() {
    let Some(schema) = Schema::new() else { return };
    let place = place();
    typed(&place, &schema.url(), ALL).ended(0);
    let before = Dump::of_schema(&schema);
    let again = typed(&place, &schema.url(), &format!("{ALL} --json")).ended(0);
    assert_eq!(again.days(), harness::days(&[("unchanged", 8)]));
    Dump::of_schema(&schema).assert_same(&before);
}

#[test]
fn looking_at_an_empty_database_makes_no_tables() {
    let Some(schema) = Schema::new() else { return };
    let place = place();
    let status = typed(&place, &schema.url(), "status").ended(0);
    assert!(status.out.contains("nothing is loaded"), "{status:?}");
    typed(&place, &schema.url(), &format!("{ALL} --dry-run")).ended(0);
    assert!(schema.query("SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()").is_empty());
}

#[test]
fn months_get_their_partitions_back_to_the_first_files_and_some_ahead() {
    let Some(schema) = Schema::new() else { return };
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Stocks], "2003-09-10", "2003-10-31");
    typed(&place, &schema.url(), "s3 --from=2003-09-10 --to=2003-10-31 --symbol=SPY --source=BUCKET").ended(0);
    let partitions = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'historical_bars'::regclass";
    let names = schema.query(partitions);
    for month in ["2003_09", "2003_10", "2003_11"] {
        assert!(names.contains(&format!("historical_bars_{month}")), "{names:?}");
    }
    // October ends in November, by the clock of UTC.
    let in_november = "SELECT DISTINCT session_date::text FROM historical_bars_2003_11";
    assert_eq!(schema.query(in_november), ["2003-10-31"]);
    let ahead = "SELECT to_char(now() + interval '3 months', 'YYYY_MM')";
    assert!(names.contains(&format!("historical_bars_{}", schema.query(ahead)[0])), "{names:?}");
}

#[test]
fn a_series_is_read_by_the_primary_key() {
    let Some(schema) = Schema::new() else { return };
    typed(&place(), &schema.url(), ALL).ended(0);
    schema.execute("ANALYZE");
    for table in ["historical_bars", "historical_bars_adjusted"] {
        let plan = schema.query(&format!(
            "EXPLAIN SELECT timestamp, close FROM {table} WHERE symbol = 'SPY' AND timeframe = '15m' \
             AND timestamp BETWEEN 1790000000000 AND 1790700000000 ORDER BY timestamp"
        ));
        let plan = plan.join("\n");
        assert!(plan.contains("historical_bars_2026_09_pkey") && !plan.contains("Seq Scan on historical"), "{plan}");
        assert!(!plan.contains("2026_10"), "other months are not looked at: {plan}");
    }
}

#[test]
fn two_processes_behind_a_transaction_pooler_share_a_load() {
    let Some(pooled) = Pooled::new() else { return };
    let place = place();
    place.type_line(ALL).ended(0);
    let start = || {
        let mut command = command(&place, &pooled.url(), ALL);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let both = [start(), start(), start()];
    for child in both {
        finished(child).ended(0);
    }
    // Times apart, whoever loaded a day has written the same.
    let (pooled_dump, dump) = (Dump::of_schema(&pooled.direct()), place.dump());
    pooled_dump.assert_same(&dump);
    let shown = typed(&place, &pooled.url(), "bars SPY --timeframe=1h --csv").ended(0);
    assert_eq!(shown.out, place.type_line("bars SPY --timeframe=1h --csv").out);
}

#[test]
fn the_connection_is_encrypted_and_the_certificate_checked_where_that_is_asked() {
    let Some(schema) = Schema::new() else { return };
    let Ok(certificate) = std::env::var("TEST_DATABASE_CERTIFICATE") else {
        eprintln!("SKIPPED: TEST_DATABASE_CERTIFICATE is not set, encryption was not tested; ./scripts/test sets it");
        return;
    };
    let place = place();
    let with = |parameters: &str| format!("{}&{parameters}", schema.url());
    typed(&place, &with(&format!("sslmode=verify-full&sslrootcert={certificate}")), ALL).ended(0);
    typed(&place, &with("sslmode=disable"), "status --symbol=SPY").ended(0);
    let refused = typed(&place, &with("sslmode=verify-full"), "status --symbol=SPY").ended(1);
    assert!(refused.err.contains("cannot connect to the database 127.0.0.1:"), "{refused:?}");
    assert!(refused.err.to_lowercase().contains("certificate"), "{refused:?}");
}

#[test]
fn a_user_with_rights_to_read_can_look_and_is_told_what_it_lacks_to_load() {
    let Some(schema) = Schema::new() else { return };
    let place = place();
    typed(&place, &schema.url(), "s3 --days=1 --symbol=SPY --source=BUCKET").ended(0);
    let role = schema.query("SELECT current_schema()::text")[0].clone();
    schema.execute(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'reader'; GRANT USAGE ON SCHEMA {role} TO {role}; \
         GRANT SELECT ON ALL TABLES IN SCHEMA {role} TO {role}"
    ));
    let mut url = url::Url::parse(&schema.url()).unwrap();
    url.set_username(&role).unwrap();
    url.set_password(Some("reader")).unwrap();
    typed(&place, url.as_str(), "bars SPY --timeframe=5m").ended(0);
    typed(&place, url.as_str(), "status").ended(0);
    let refused = typed(&place, url.as_str(), ALL).ended(1);
    assert!(refused.err.contains("does not allow this user to"), "{refused:?}");
    schema.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn what_is_wrong_with_an_address_or_a_database_is_said_without_its_password() {
    let Some(schema) = Schema::new() else { return };
    let place = place();
    let changed = |change: fn(&mut url::Url)| {
        let mut url = url::Url::parse(&schema.url()).unwrap();
        change(&mut url);
        String::from(url)
    };
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let rows = [
        (changed(|url| url.set_password(Some("hunter2")).unwrap()), "password authentication failed"),
        (changed(|url| url.set_path("no_such_database")), "database \"no_such_database\" does not exist"),
        (format!("postgres://u:hunter2@127.0.0.1:{nobody}/bars"), "Connection refused"),
        (format!("{}&sslmode=perhaps", schema.url()), "unknown value \"perhaps\" for `ssl_mode`"),
        (format!("{}&tcp_user_timeout=soon", schema.url()), "tcp_user_timeout=soon is not a number"),
    ];
    for (url, part) in rows {
        let refused = typed(&place, &url, ALL);
        assert!(matches!(refused.code, 1 | 2) && refused.err.contains(part), "{part}: {refused:?}");
        assert!(!refused.err.contains("hunter2"), "{refused:?}");
        if let Some(password) = url::Url::parse(&url).unwrap().password() {
            assert!(!refused.err.contains(password), "{refused:?}");
        }
    }
}

#[test]
fn another_programs_tables_are_left_alone() {
    let Some(schema) = Schema::new() else { return };
    schema.execute("CREATE TABLE watchlist (id INTEGER); INSERT INTO watchlist VALUES (7)");
    let refused = typed(&place(), &schema.url(), ALL).ended(1);
    assert!(refused.err.contains("relation \"watchlist\" already exists"), "{refused:?}");
    assert!(refused.err.contains("not a barkeep database"), "{refused:?}");
    assert_eq!(schema.query("SELECT id::text FROM watchlist"), ["7"]);
    let tables = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()";
    assert_eq!(schema.query(tables), ["watchlist"], "nothing is left of the attempt");
}

#[test]
fn tables_of_a_newer_version_are_left_alone() {
    let Some(schema) = Schema::new() else { return };
    let place = place();
    typed(&place, &schema.url(), "watchlist add SPY").ended(0);
    schema.execute("INSERT INTO barkeep_migrations (version, name, checksum) VALUES (99, 'later', '')");
    let refused = typed(&place, &schema.url(), "watchlist list").ended(1);
    assert!(refused.err.contains("made by a newer version"), "{refused:?}");
}

#[test]
fn a_server_that_is_too_old_is_refused_by_its_version() {
    // Says yes to everybody, names its version, and is ready.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        let mut startup = [0; 512];
        let _ = client.read(&mut startup).unwrap();
        let mut answer = b"R\0\0\0\x08\0\0\0\0".to_vec();
        let version = b"server_version\0" as &[u8];
        let value = b"12.22\0" as &[u8];
        answer.push(b'S');
        answer.extend(u32::try_from(4 + version.len() + value.len()).unwrap().to_be_bytes());
        answer.extend(version);
        answer.extend(value);
        answer.extend(b"Z\0\0\0\x05I");
        client.write_all(&answer).unwrap();
        let _ = client.read(&mut startup);
    });
    let url = format!("postgres://u@127.0.0.1:{port}/bars?sslmode=disable");
    let refused = typed(&place(), &url, "status").ended(1);
    assert!(refused.err.contains("runs PostgreSQL 12: 13 or newer is needed"), "{refused:?}");
}

/// Wherever a load is when the server ends its connection: opening, planning, sharing, loading, or afterwards.
#[test]
fn a_load_outlives_a_connection_that_the_server_ends() {
    let Some(schema) = Schema::new() else { return };
    let place = place();
    let (load, again) = ("s3 --days=2 --all --source=BUCKET", "s3 --days=2 --all --force --source=BUCKET");
    let unchanged = "s3 --days=2 --symbol=SPY --timeframes=15m --source=BUCKET";
    place.type_line(load).ended(0);
    let migrations = "SELECT pg_advisory_xact_lock(hashtextextended('barkeep migrations ' || current_schema(), 0))";
    let rows = [
        (load, migrations, false),
        (again, "LOCK TABLE barkeep_migrations", false),
        (again, "LOCK TABLE watchlist", false),
        (again, "LOCK TABLE ingest_ledger", false),
        (again, "LOCK TABLE load_rates", false),
        (again, "LOCK TABLE day_claims", false),
        (again, "LOCK TABLE ingest_ledger IN EXCLUSIVE MODE", true),
        (again, "LOCK TABLE load_rates IN EXCLUSIVE MODE", false),
        (unchanged, "LOCK TABLE historical_bars", false),
    ];
    for (line, lock, is_said) in rows {
        let ran = schema.ending_who_waits_for(lock, || typed(&place, &schema.url(), line)).ended(0);
        // Only a day that is begun again is worth a word.
        assert_eq!(ran.err.contains("trying again"), is_said, "{lock}: {ran:?}");
    }
    Dump::of_schema(&schema).assert_same(&place.dump());
}

#[test]
fn who_looks_or_keeps_a_list_outlives_a_connection_that_the_server_ends() {
    let Some(schema) = Schema::new() else { return };
    let place = place();
    typed(&place, &schema.url(), ALL).ended(0);
    let rows = [
        ("bars SPY --timeframe=1h", "LOCK TABLE historical_bars"),
        ("status --symbol=SPY", "LOCK TABLE historical_bars"),
        ("status --restatements", "LOCK TABLE restatements"),
        ("verify --symbol=SPY --days=5", "LOCK TABLE coverage"),
        ("watchlist add SPY QQQ", "LOCK TABLE watchlist IN EXCLUSIVE MODE"),
        ("watchlist remove QQQ", "LOCK TABLE watchlist IN EXCLUSIVE MODE"),
    ];
    for (line, lock) in rows {
        schema.ending_who_waits_for(lock, || typed(&place, &schema.url(), line)).ended(0);
    }
    assert_eq!(schema.query("SELECT symbol FROM watchlist"), ["SPY"]);
}

#[test]
fn a_load_outlives_connections_that_the_server_ends_at_any_moment() {
    let Some(schema) = Schema::new() else { return };
    let place = place();
    place.type_line(ALL).ended(0);
    let mut ended = 0;
    while ended == 0 {
        let mut command = command(&place, &schema.url(), &format!("{ALL} --force"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            // Of this load only: other tests have connections to the same server. The search path is what tells.
            let kill = "SELECT count(pg_terminate_backend(a.pid))::text FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                        JOIN pg_class c ON c.oid = l.relation AND c.relnamespace = current_schema()::regnamespace \
                        WHERE a.application_name = 'barkeep' AND a.pid <> pg_backend_pid()";
            ended += schema.query(kill)[0].parse::<u32>().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(150));
        }
        finished(child).ended(0);
    }
    Dump::of_schema(&schema).assert_same(&place.dump());
}
