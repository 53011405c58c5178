//! Database servers of their own, which may be restarted and run out of room.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

use super::harness::{Schema, Vendor, finished, ran, wait_until};
use super::network::Network;
use super::user::{Files, From, Store, User};
use super::{Scenario, Tally, Turn};

/// Makes a server in the folder `$DIR`, in a file system of its own if `$KILOBYTES` says how large, and does what it is told.
const KEEPER: &str = r#"
    [ -z "$KILOBYTES" ] || mount -t tmpfs -o "size=${KILOBYTES}k" tmpfs "$DIR" || exit 1
    url="$(./scripts/postgres start "$DIR")" || exit 1
    echo "$url"
    while read -r order argument; do
        case "$order" in
        restart) ./scripts/postgres restart "$DIR" "$argument" ;;
        # Fills the disk but for so many kilobytes.
        fill) dd if=/dev/zero of="$DIR/filler" bs=4k 2>/dev/null; truncate -s "-${argument}k" "$DIR/filler" ;;
        clear) rm "$DIR/filler" ;;
        esac
        echo "done $?"
    done
    ./scripts/postgres stop "$DIR" immediate"#;

/// A running server and who keeps it.
struct Server {
    keeper: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    url: String,
    _dir: TempDir,
}

impl Server {
    /// Starts one, on a disk of so many kilobytes or on the disk of temporary files.
    fn start(kilobytes: Option<u64>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (program, arguments): (_, &[&str]) = match kilobytes {
            Some(_) => ("unshare", &["--mount", "sh", "-c", KEEPER]),
            None => ("sh", &["-c", KEEPER]),
        };
        let mut keeper = Command::new(program);
        keeper.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env("DIR", dir.path());
        keeper.env("KILOBYTES", kilobytes.map(|kilobytes| kilobytes.to_string()).unwrap_or_default());
        let mut keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (orders, answers) = (keeper.stdin.take(), BufReader::new(keeper.stdout.take().unwrap()));
        let mut server = Self { keeper, orders, answers, url: String::new(), _dir: dir };
        server.url = server.answer();
        assert!(server.url.starts_with("postgres://"), "the server does not start");
        server
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn tell(&mut self, order: &str) {
        writeln!(self.orders.as_ref().unwrap(), "{order}").unwrap();
        assert_eq!(self.answer(), "done 0", "{order}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The keeper stops the server when there are no more orders.
        drop(self.orders.take());
        let _ = self.keeper.wait();
    }
}

pub fn scenarios() -> Vec<Scenario> {
    let of = |name: &str, run| Scenario::of(&[Store::Postgres], name, run);
    let mut scenarios = vec![of("server: restarted in the middle of COPY", restarted as fn(&Turn<'_>, &mut _, &mut _))];
    if can_mount() {
        scenarios.push(of("server: its disk is full", disk_full));
    }
    scenarios
}

/// Whether a server's disk can be made. Its user must be known where it is mounted, so only the superuser can.
fn can_mount() -> bool {
    let tried = Command::new("unshare").args(["--mount", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]).output();
    let can = tried.is_ok_and(|output| output.status.success());
    if !can {
        println!("NOT RUN: full disks of database servers (only the superuser can mount one)");
    }
    can
}

/// The server goes away while it takes bars, in a hurry or not, and comes back.
fn restarted(turn: &Turn<'_>, rng: &mut fastrand::Rng, tally: &mut Tally) {
    let (bench, files) = (turn.bench, Files::Week);
    let calm = bench.calm(turn.store, files, From::Folder);
    let folder = bench.folder(files);
    let vendor = Vendor::serve(&folder);
    let mut server = Server::start(None);
    let user = User::at(Schema::in_server(server.url.clone()));
    let schema = user.schema.as_ref().unwrap();
    let network = Network::before(schema, &format!("up text=COPY after={} stall:4000", rng.u64(1..50_000)));
    let mut command = user.load(&vendor, &folder, files, From::Folder);
    network.lead(schema, 60_000, &mut command);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the middle of COPY", || network.struck() > 0);
    server.tell(if turn.round.is_multiple_of(2) { "restart immediate" } else { "restart fast" });
    finished(child).ended(0);
    tally.wrong.add(&user.expect(&calm.dump));
    tally.wrong.add(&user.finish(bench, files, From::Folder));
}

/// Kilobytes that a new server takes, its log included, and some more.
const SERVER_KILOBYTES: u64 = 160_000;

fn disk_full(turn: &Turn<'_>, rng: &mut fastrand::Rng, tally: &mut Tally) {
    let (bench, files) = (turn.bench, Files::Week);
    let calm = bench.calm(turn.store, files, From::Folder);
    let folder = bench.folder(files);
    let vendor = Vendor::serve(&folder);
    let mut server = Server::start(Some(SERVER_KILOBYTES));
    let user = User::at(Schema::in_server(server.url.clone()));
    // The tables alone take some half of a megabyte, a week some more.
    let kilobytes = if turn.round == 0 { 600 } else { rng.u64(1..800) };
    server.tell(&format!("fill {kilobytes}"));
    let ended = ran(&mut user.load(&vendor, &folder, files, From::Folder)).ended(1);
    let says = ["the disk of the database 127.0.0.1:", "is full", "run the command again; what was loaded is kept"];
    assert!(says.iter().all(|part| ended.err.contains(part)), "with {kilobytes} kB left: {ended:?}");
    tally.wrong.add(&user.judge(&[&calm.dump]));
    server.tell("clear");
    tally.wrong.add(&user.finish(bench, files, From::Folder));
}
