use super::*;
use crate::config::{Directories, Flags, SettingsFile, Variables};

const FILE: &str = "/etc/c.toml";

fn inputs() -> Inputs {
    Inputs {
        flags: Flags::default(),
        environment: Variables::default(),
        dotenv: Variables::default(),
        dotenv_file: None,
        file: None,
        overrides_beside: None,
        directories: Some(Directories {
            home: "/home/u".into(),
            config: "/home/u/.config".into(),
            data: "/home/u/.local/share".into(),
            cache: "/home/u/.cache".into(),
        }),
        cores: 4,
        clock: "2024-07-12T15:00:00Z".parse().unwrap(),
    }
}

fn file(text: &str) -> Option<SettingsFile> {
    Some(SettingsFile::parse(Path::new(FILE), text).unwrap())
}

fn in_file(key: &'static str) -> Origin {
    Origin::File { path: FILE.into(), key }
}

#[test]
fn defaults_are_enough() {
    let settings = Settings::resolve(&inputs()).unwrap();
    assert_eq!(settings.database.value.to_string(), "sqlite:/home/u/.local/share/barkeep/barkeep.db");
    assert_eq!(settings.cache_dir, Sourced::new("/home/u/.cache/barkeep".into(), Origin::Default));
    assert_eq!(settings.s3.endpoint.value, "https://files.massive.com");
    assert_eq!(settings.s3.bucket.value, "flatfiles");
    assert_eq!(settings.s3.credentials, None);
    assert_eq!((settings.api.url.value.as_str(), settings.api.key), ("https://api.massive.com", None));
    assert_eq!(settings.api.rate, Sourced::new("auto".into(), Origin::Default));
    assert_eq!((settings.downloads.value, settings.decoders.value), (12, 4));
    assert_eq!((settings.cache_keep.value.as_str(), settings.source), ("24h", None));
    assert_eq!(settings.now.value, inputs().clock);
}

#[test]
fn flags_come_before_environment_before_dotenv_before_file() {
    let mut inputs = inputs();
    let database = |inputs: &Inputs| {
        let database = Settings::resolve(inputs).unwrap().database;
        (database.value.to_string(), database.origin)
    };
    inputs.file = file("database_url = 'sqlite:file.db'");
    assert_eq!(database(&inputs), ("sqlite:file.db".into(), in_file("database_url")));
    inputs.dotenv = Variables::of([(env::DATABASE_URL, "sqlite:dotenv.db")]);
    assert_eq!(database(&inputs), ("sqlite:dotenv.db".into(), Origin::DotEnv("DATABASE_URL")));
    inputs.environment = Variables::of([(env::DATABASE_URL, "sqlite:env.db")]);
    assert_eq!(database(&inputs), ("sqlite:env.db".into(), Origin::Environment("DATABASE_URL")));
    inputs.flags.database_url = Some(Secret::new("sqlite:flag.db"));
    assert_eq!(database(&inputs), ("sqlite:flag.db".into(), Origin::Flag("--database-url")));
}

#[test]
fn a_tilde_is_the_home_directory() {
    let mut inputs = inputs();
    inputs.file = file("database_url = 'sqlite:~/bars.db'\ncache_dir = '~/c'\nsource = '~other/m'");
    let settings = Settings::resolve(&inputs).unwrap();
    assert_eq!(settings.database.value.to_string(), "sqlite:/home/u/bars.db");
    assert_eq!(settings.cache_dir.value, Path::new("/home/u/c"));
    assert_eq!(settings.source.unwrap().value, Path::new("~other/m"));
}

#[test]
fn every_flag_and_key_reaches_its_setting() {
    let mut inputs = inputs();
    inputs.file = file(
        "source = 'm'\ncache_dir = 'c'\ncache_keep = '1h'\ndownloads = 1\ndecoders = 2\n\
         s3.endpoint = 'http://h:1/'\ns3.bucket = 'b'\napi.url = 'http://h:2/'\nrate = '5/min'",
    );
    let settings = Settings::resolve(&inputs).unwrap();
    assert_eq!(settings.source, Some(Sourced::new("m".into(), in_file("source"))));
    assert_eq!(settings.cache_dir, Sourced::new("c".into(), in_file("cache_dir")));
    assert_eq!(settings.cache_keep, Sourced::new("1h".into(), in_file("cache_keep")));
    assert_eq!(settings.downloads, Sourced::new(1, in_file("downloads")));
    assert_eq!(settings.decoders, Sourced::new(2, in_file("decoders")));
    assert_eq!(settings.s3.endpoint, Sourced::new("http://h:1".into(), in_file("s3.endpoint")));
    assert_eq!(settings.s3.bucket, Sourced::new("b".into(), in_file("s3.bucket")));
    assert_eq!(settings.api.url, Sourced::new("http://h:2".into(), in_file("api.url")));
    assert_eq!(settings.api.rate, Sourced::new("5/min".into(), in_file("rate")));
    inputs.flags = Flags {
        source: Some("fm".into()),
        cache_dir: Some("fc".into()),
        cache_keep: Some("2h".into()),
        downloads: Some(5),
        decoders: Some(6),
        rate: Some("100/s".into()),
        ..Flags::default()
    };
    let settings = Settings::resolve(&inputs).unwrap();
    assert_eq!(settings.source, Some(Sourced::new("fm".into(), Origin::Flag("--source"))));
    assert_eq!(settings.cache_dir, Sourced::new("fc".into(), Origin::Flag("--cache-dir")));
    assert_eq!(settings.cache_keep, Sourced::new("2h".into(), Origin::Flag("--cache-keep")));
    assert_eq!((settings.downloads.value, settings.decoders.value), (5, 6));
    assert_eq!(settings.api.rate, Sourced::new("100/s".into(), Origin::Flag("--rate")));
}

#[test]
fn the_vendors_key_comes_before_aws_keys_before_a_profile() {
    let mut inputs = inputs();
    let mut pairs = vec![(env::AWS_PROFILE, "massive"), (env::AWS_CONFIG_FILE, "/aws/config")];
    let mut with = |more: &[(&'static str, &'static str)]| {
        pairs.extend_from_slice(more);
        inputs.environment = Variables::of(pairs.iter().copied());
        Settings::resolve(&inputs).unwrap().s3.credentials
    };
    let Some(Credentials::Profile(profile)) = with(&[]) else { panic!("a profile") };
    assert_eq!((profile.name.value.as_str(), profile.credentials_file), ("massive", None));
    assert_eq!(profile.config_file.map(|file| file.value), Some("/aws/config".into()));
    let aws = [(env::AWS_ACCESS_KEY_ID, "A"), (env::AWS_SECRET_ACCESS_KEY, "sa"), (env::AWS_SESSION_TOKEN, "token")];
    let Some(Credentials::Key(key)) = with(&aws) else { panic!("a key") };
    assert_eq!((key.id.value.as_str(), key.secret.value.expose()), ("A", "sa"));
    assert_eq!(key.session_token.unwrap().value.expose(), "token");
    let own = [(env::MASSIVE_S3_ACCESS_KEY_ID, "M"), (env::MASSIVE_S3_SECRET_ACCESS_KEY, "sm")];
    let Some(Credentials::Key(key)) = with(&own) else { panic!("a key") };
    assert_eq!((key.id.value.as_str(), key.secret.value.expose(), key.session_token), ("M", "sm", None));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    type Change = fn(&mut Inputs);
    let cases: &[(Change, &str)] = &[
        (
            |i| i.flags.database_url = Some(Secret::new("postgres://u:hunter2@h:port/d")),
            "flag --database-url: this is not the address of a PostgreSQL database (invalid port number): it looks like \
             postgres://user:password@host:5432/database; characters such as @ : / in a password are written %40 %3A %2F",
        ),
        (
            |i| i.dotenv = Variables::of([(env::DATABASE_URL, "mysql://u:hunter2@h/d")]),
            ".env DATABASE_URL: `mysql` databases are not supported: bars are kept in a SQLite file (sqlite:PATH) or in \
             PostgreSQL (postgres://…)",
        ),
        (
            |i| i.environment = Variables::of([(env::MASSIVE_S3_ENDPOINT, "files.massive.com")]),
            "environment MASSIVE_S3_ENDPOINT: the S3 endpoint is not an http or https address (the vendor's is \
             https://files.massive.com)",
        ),
        (
            |i| i.environment = Variables::of([(env::MASSIVE_S3_ENDPOINT, "https://u:hunter2@h")]),
            "environment MASSIVE_S3_ENDPOINT: the S3 endpoint has a user name or password in it: keys belong into \
             MASSIVE_S3_ACCESS_KEY_ID and MASSIVE_S3_SECRET_ACCESS_KEY (the vendor's is https://files.massive.com)",
        ),
        (
            |i| i.environment = Variables::of([(env::MASSIVE_S3_ENDPOINT, "https://h/?key=hunter2")]),
            "environment MASSIVE_S3_ENDPOINT: the S3 endpoint has a `?` or `#` part, which it cannot have (the \
             vendor's is https://files.massive.com)",
        ),
        (
            |i| i.environment = Variables::of([(env::MASSIVE_API_URL, "https://h/?apiKey=hunter2")]),
            "environment MASSIVE_API_URL: the REST API's address has a `?` or `#` part, which it cannot have (the vendor's \
             is https://api.massive.com)",
        ),
        (
            |i| i.file = file("s3.bucket = 'flatfiles/us'"),
            "s3.bucket in /etc/c.toml: `flatfiles/us` is not the name of a bucket (the vendor's is flatfiles)",
        ),
        (
            |i| i.environment = Variables::of([(env::MASSIVE_S3_SECRET_ACCESS_KEY, "hunter2")]),
            "MASSIVE_S3_SECRET_ACCESS_KEY is set (environment MASSIVE_S3_SECRET_ACCESS_KEY) but \
             MASSIVE_S3_ACCESS_KEY_ID is not: set both or neither",
        ),
        (
            |i| i.dotenv = Variables::of([(env::AWS_ACCESS_KEY_ID, "A")]),
            "AWS_ACCESS_KEY_ID is set (.env AWS_ACCESS_KEY_ID) but AWS_SECRET_ACCESS_KEY is not: set both or neither",
        ),
        (|i| i.flags.downloads = Some(0), "flag --downloads: 0 is not between 1 and 256"),
        (|i| i.file = file("decoders = 1000"), "decoders in /etc/c.toml: 1000 is not between 1 and 256"),
        (
            |i| i.flags.cache_keep = Some(" ".into()),
            "flag --cache-keep: is empty: name a time such as 24h, a size such as 20GB, or forever",
        ),
        (
            |i| i.flags.source = Some("".into()),
            "flag --source: is empty: name the folder that mirrors the bucket, or leave it out",
        ),
        (
            |i| i.directories = None,
            "there is no home directory (HOME is not set) to keep the database in: name a place with \
             --database-url=sqlite:PATH or DATABASE_URL",
        ),
    ];
    for (change, message) in cases {
        let mut inputs = inputs();
        change(&mut inputs);
        let error = Settings::resolve(&inputs).unwrap_err();
        assert_eq!(error.to_string(), *message);
        assert!(!format!("{error:?} {inputs:?}").contains("hunter2"));
    }
}

#[cfg(feature = "sandbox")]
#[test]
fn the_clock_can_be_set_in_sandbox_builds() {
    let mut inputs = inputs();
    inputs.environment = Variables::of([(env::BARKEEP_NOW, "2024-01-02T03:04:05Z")]);
    let now = Settings::resolve(&inputs).unwrap().now;
    assert_eq!(now, Sourced::new("2024-01-02T03:04:05Z".parse().unwrap(), Origin::Environment("BARKEEP_NOW")));
    inputs.environment = Variables::of([(env::BARKEEP_NOW, "yesterday")]);
    assert_eq!(
        Settings::resolve(&inputs).unwrap_err().to_string(),
        "environment BARKEEP_NOW: `yesterday` is not a time: write it like 2024-07-12T15:00:00Z"
    );
}

#[cfg(feature = "sandbox")]
#[test]
fn the_lease_of_claims_can_be_set_in_sandbox_builds() {
    let mut inputs = inputs();
    assert_eq!(Settings::resolve(&inputs).unwrap().lease.value, Duration::from_mins(1));
    inputs.environment = Variables::of([(env::BARKEEP_LEASE_SECONDS, "0.5")]);
    assert_eq!(Settings::resolve(&inputs).unwrap().lease.value, Duration::from_millis(500));
    inputs.environment = Variables::of([(env::BARKEEP_LEASE_SECONDS, "0")]);
    let error = Settings::resolve(&inputs).unwrap_err().to_string();
    assert_eq!(error, "environment BARKEEP_LEASE_SECONDS: `0` is not a number of seconds above 0");
}

#[test]
fn colour_is_left_out_on_request_of_the_environment() {
    let mut inputs = inputs();
    inputs.dotenv = Variables::of([(env::NO_COLOR, "1")]);
    assert!(Settings::resolve(&inputs).unwrap().color.value);
    inputs.environment = Variables::of([(env::NO_COLOR, "1")]);
    let color = Settings::resolve(&inputs).unwrap().color;
    assert_eq!(color, Sourced::new(false, Origin::Environment("NO_COLOR")));
}

#[test]
fn no_secret_is_shown() {
    let mut inputs = inputs();
    inputs.environment = Variables::of([
        (env::AWS_ACCESS_KEY_ID, "AKID"),
        (env::AWS_SECRET_ACCESS_KEY, "hunter2"),
        (env::AWS_SESSION_TOKEN, "hunter2-token"),
        (env::MASSIVE_API_KEY, "hunter2-api"),
    ]);
    let settings = Settings::resolve(&inputs).unwrap();
    let rows = settings.rows();
    let row = |name| rows.iter().find(|row| row.name == name).unwrap();
    assert_eq!(row("s3 access key id").value, "AKID");
    assert_eq!(row("s3 secret access key").value, "set, not shown");
    assert_eq!(
        (row("api key").value.as_str(), row("api key").origin.as_str()),
        ("set, not shown", "environment MASSIVE_API_KEY")
    );
    assert_eq!(row("s3 session token").origin, "environment AWS_SESSION_TOKEN");
    assert!(!format!("{settings:?} {settings:#?} {rows:?} {inputs:?}").contains("hunter2"));
}

#[test]
fn split_overrides_are_those_named_or_those_beside_the_settings() {
    let mut inputs = inputs();
    let overrides = |inputs: &Inputs| Settings::resolve(inputs).unwrap().split_overrides;
    assert_eq!(overrides(&inputs), None);
    inputs.overrides_beside = Some("/etc/splits.csv".into());
    assert_eq!(overrides(&inputs), Some(Sourced::new("/etc/splits.csv".into(), Origin::Default)));
    inputs.file = file("[splits]\noverrides = '~/s.csv'");
    assert_eq!(overrides(&inputs), Some(Sourced::new("/home/u/s.csv".into(), in_file("splits.overrides"))));
    inputs.flags.split_overrides = Some("f.csv".into());
    assert_eq!(overrides(&inputs), Some(Sourced::new("f.csv".into(), Origin::Flag("--overrides"))));
    inputs.flags.split_overrides = Some("".into());
    assert!(Settings::resolve(&inputs).unwrap_err().to_string().contains("--overrides: is empty"));
}
