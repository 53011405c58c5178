//! Metrics of `watchlist run` and `nightly` through the real program, and what their logs say.

#![cfg(feature = "sandbox")]

mod harness;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use barkeep::model::Dataset;
use harness::{Place, Schema, Vendor, make, signal, wait_until};
use serde_json::Value;

/// A command that goes on, and the lines of its log.
struct Running {
    child: Child,
    lines: Receiver<Value>,
    address: String,
}

impl Running {
    fn start(place: &Place, vendor: &Vendor, typed: &str) -> Self {
        let typed = format!("{typed} --log=json --metrics-addr=127.0.0.1:0");
        let mut command = place.customer(&vendor.url(), &typed);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let err = BufReader::new(child.stderr.take().unwrap());
        let (to, lines) = channel();
        std::thread::spawn(move || {
            for line in err.lines() {
                let line = line.unwrap();
                let _ = to.send(serde_json::from_str(&line).expect(&line));
            }
        });
        let address = loop {
            let line: Value = lines.recv_timeout(Duration::from_secs(30)).unwrap();
            let message = line["message"].as_str().unwrap().to_owned();
            if let Some(address) = message.strip_prefix("metrics at http://") {
                break address.strip_suffix("/metrics").unwrap().to_owned();
            }
        };
        Self { child, lines, address }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    /// A metric, if it is there.
    fn metric(&self, name: &str) -> Option<f64> {
        let (_, text) = self.get("/metrics");
        let value = text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(' ')?.to_owned()));
        value.map(|value| value.parse().unwrap())
    }

    /// Stops it; says how it ended and the rest of its log.
    fn stop(mut self) -> (i32, Vec<Value>) {
        signal(&self.child, "TERM");
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        (code, self.lines.iter().collect())
    }
}

#[test]
fn a_processor_tells_what_it_does() {
    for place in std::iter::once(Place::new()).chain(Schema::new().map(Place::on)) {
        make(&place.bucket(), &[Dataset::Stocks], "2026-09-21", "2026-10-02");
        let vendor = Vendor::serve(&place.bucket());
        place.run(&["watchlist", "list"]).ended(0);
        let processor = Running::start(&place, &vendor, "watchlist run --interval=100ms");
        wait_until("a look at the database", || processor.metric("barkeep_database_up") == Some(1.0));
        assert_eq!(processor.get("/healthz"), (200, "ok\n".to_owned()), "nothing is watched");
        place.run(&["watchlist", "add", "SPY", "--days-to-backfill=5"]).ended(0);
        let ended = "barkeep_queue_requests_ended_total{outcome=\"loaded\"}";
        wait_until("the request", || processor.metric(ended) == Some(1.0));
        let metric = |name| processor.metric(name).unwrap_or_else(|| panic!("{name}"));
        assert!(metric("barkeep_days_total{dataset=\"stocks\",outcome=\"loaded\",source=\"files\"}") >= 3.0);
        assert!(metric("barkeep_bars_written_total{source=\"files\"}") > 0.0);
        assert!(metric("barkeep_fetched_bytes_total") > 0.0 && metric("barkeep_rows_decoded_total") > 0.0);
        assert!(metric("process_open_fds") > 3.0);
        let (code, lines) = processor.stop();
        assert_eq!(code, 0, "{lines:?}");
        let request = lines.iter().find(|line| line["event"] == "request").unwrap();
        assert_eq!((&request["symbol"], &request["outcome"]), (&"SPY".into(), &"loaded".into()), "{request}");
        assert!(lines.iter().any(|line| line["event"] == "day" && line["dataset"] == "stocks"), "{lines:?}");
        let end = lines.last().unwrap();
        assert_eq!((&end["event"], &end["exit_code"]), (&"end".into(), &0.into()), "{lines:?}");
        assert_eq!(end["command"], "watchlist run");
        assert!(lines.iter().all(|line| line["run"] == end["run"]), "{lines:?}");
    }
}

#[test]
fn a_nightly_run_is_remembered_by_the_name_in_its_log() {
    let place = Place::new();
    make(&place.bucket(), &[Dataset::Stocks], "2026-09-21", "2026-10-02");
    let vendor = Vendor::serve(&place.bucket());
    place.run(&["watchlist", "add", "SPY"]).ended(0);
    let ran = harness::ran(&mut place.customer(&vendor.url(), "nightly --wait-until=off --log=json"));
    let lines: Vec<Value> = ran.err.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().any(|line| line["event"] == "day" && line["outcome"] == "loaded"), "{ran:?}");
    let run = lines.last().unwrap()["run"].as_str().unwrap();
    let health = place.run(&["status", "--health", "--json"]).json();
    let nightly = &health["totals"]["facts"]["nightly"];
    assert_eq!((&nightly["last_run"], &nightly["complete_to"]), (&run.into(), &"2026-10-02".into()), "{ran:?}");
}

#[test]
fn an_address_that_cannot_be_is_told() {
    let place = Place::new();
    for wrong in ["9464", "localhost", "127.0.0.1:99999"] {
        place.run(&["watchlist", "run", &format!("--metrics-addr={wrong}")]).ended(2);
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let flag = format!("--metrics-addr={}", taken.local_addr().unwrap());
    for command in [&["watchlist", "run", &flag][..], &["nightly", &flag]] {
        let ran = place.run(command).ended(1);
        assert!(ran.err.contains("metrics cannot be served at") && ran.err.contains("another port"), "{}", ran.err);
    }
}
