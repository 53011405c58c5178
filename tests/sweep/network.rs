//! A database server that is lost: by its network, or because it is restarted or has no room.

use std::process::Command;

use barkeep::sandbox::{Proxy, ProxyScript};
use tokio::runtime::Runtime;

use super::harness::{Ran, Schema, Vendor, ran};
use super::user::{Files, From, Store, User};
use super::{Scenario, Tally, Turn};

/// What becomes of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It goes on with a new connection.
    Outlived,
    /// It does, or, before it has begun to load, says what to do.
    OutlivedOrTold,
}
use Then::{Outlived, OutlivedOrTold};

/// What happens on the way to the server. `AT` stands for a number of bytes, `NTH` for which of the transactions.
const CASES: [(&str, &str, Then); 13] = [
    ("cut while connecting", "up connection=1 cut", OutlivedOrTold),
    ("cut while the server says who it is", "down connection=1 after=20 cut", OutlivedOrTold),
    ("cut while a connection beside is made", "up connection=2 after=10 cut", Outlived),
    ("cut at the beginning of a transaction", "up text=BEGIN nth=NTH cut", Outlived),
    ("cut before a commit", "up text=COMMIT nth=NTH cut", Outlived),
    ("the answer to a commit is lost", "up text=COMMIT nth=NTH leave-server:1000", Outlived),
    ("a commit is never answered", "up text=COMMIT nth=NTH leave-client", Outlived),
    ("cut in the middle of COPY", "up text=COPY after=AT cut", Outlived),
    ("stall in the middle of COPY", "up text=COPY after=AT stall:4000", Outlived),
    ("half-open in the middle of COPY, the server not told", "up text=COPY after=AT leave-server:1000", Outlived),
    ("half-open in the middle of COPY, the client not told", "up text=COPY after=AT leave-client", Outlived),
    ("refused after a cut in the middle of COPY", "up text=COPY after=AT refuse:300", Outlived),
    ("refused for long after a cut in the middle of COPY", "up text=COPY after=AT refuse:6000", OutlivedOrTold),
];

/// How long a server may be silent, in milliseconds.
const PATIENCE_MS: u64 = 2000;

pub fn scenarios() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for (name, script, then) in CASES {
        scenarios.push(Scenario::of(&[Store::Postgres], format!("network: {name}"), move |turn, rng, tally| {
            // A COPY of a day has some sixty kilobytes; the connection that writes has some twenty transactions.
            let (at, nth) = if turn.round == 0 { (20_000, 8) } else { (rng.u64(1..50_000), rng.u64(1..20)) };
            disturbed(&script.replace("AT", &at.to_string()).replace("NTH", &nth.to_string()), then, turn, tally);
        }));
    }
    scenarios.push(Scenario::of(
        &[Store::Postgres],
        "network: a short stall in the middle of COPY",
        |turn, rng, tally| {
            let at = rng.u64(1..50_000);
            outlived(&format!("up text=COPY after={at} stall:700"), turn, tally);
        },
    ));
    scenarios
}

/// A proxy before a schema's server.
pub struct Network {
    runtime: Runtime,
    proxy: Option<Proxy>,
}

impl Network {
    pub fn before(schema: &Schema, script: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let script: ProxyScript = script.parse().unwrap();
        let proxy =
            runtime.block_on(Proxy::start("127.0.0.1:0".parse().unwrap(), schema.server_address(), script)).unwrap();
        Self { runtime, proxy: Some(proxy) }
    }

    pub fn struck(&self) -> u64 {
        self.proxy.as_ref().unwrap().struck().iter().sum()
    }

    /// Makes a command go through the proxy, in plain text so that scripts can read it, and wait so long for answers.
    pub fn lead<'a>(&self, schema: &Schema, patience_ms: u64, command: &'a mut Command) -> &'a mut Command {
        let mut url = url::Url::parse(&schema.url_through(self.proxy.as_ref().unwrap().address())).unwrap();
        url.query_pairs_mut()
            .append_pair("sslmode", "disable")
            .append_pair("tcp_user_timeout", &patience_ms.to_string());
        command.env("DATABASE_URL", url.as_str())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _guard = self.runtime.enter();
        drop(self.proxy.take());
    }
}

/// A load that ended because the server was lost says so and what to do.
#[track_caller]
pub fn assert_says_lost(ended: &Ran) {
    let what_to_do = ["running the command again goes on from there", "check that the server runs"];
    let says_what_to_do = what_to_do.iter().any(|part| ended.err.contains(part));
    assert!(ended.code == 1 && ended.err.contains("the database 127.0.0.1:") && says_what_to_do, "{ended:?}");
}

/// Loads a week through a network that breaks, then again without it, while the server may not have noticed yet.
fn disturbed(script: &str, then: Then, turn: &Turn<'_>, tally: &mut Tally) {
    let (bench, user, files) = (turn.bench, User::new(turn.store), Files::Week);
    let calm = bench.calm(turn.store, files, From::Folder);
    let folder = bench.folder(files);
    let vendor = Vendor::serve(&folder);
    let schema = user.schema.as_ref().unwrap();
    let network = Network::before(schema, script);
    let ended = ran(network.lead(schema, PATIENCE_MS, &mut user.load(&vendor, &folder, files, From::Folder)));
    assert!(turn.round > 0 || network.struck() > 0, "nothing struck: {script}");
    if ended.code == 0 || then == Outlived || network.struck() == 0 {
        ended.ended(0);
        tally.wrong.add(&user.expect(&calm.dump));
    } else {
        assert_says_lost(&ended);
        tally.wrong.add(&user.judge(&[&calm.dump]));
    }
    drop(network);
    tally.wrong.add(&user.finish(bench, files, From::Folder));
}

/// Loads a week through a network that is only slow.
fn outlived(script: &str, turn: &Turn<'_>, tally: &mut Tally) {
    let (bench, user, files) = (turn.bench, User::new(turn.store), Files::Week);
    let folder = bench.folder(files);
    let vendor = Vendor::serve(&folder);
    let schema = user.schema.as_ref().unwrap();
    let network = Network::before(schema, script);
    ran(network.lead(schema, PATIENCE_MS, &mut user.load(&vendor, &folder, files, From::Folder))).ended(0);
    assert_eq!(network.struck(), 1);
    tally.wrong.add(&user.expect(&bench.calm(turn.store, files, From::Folder).dump));
}
