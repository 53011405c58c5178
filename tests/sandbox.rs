//! The sandbox as its clients see it: through the SDK the product uses, and as a process.
#![cfg(feature = "sandbox")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation, retry::RetryConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use barkeep::model::Dataset;
use barkeep::sandbox::{
    Aggregates, Dates, Defects, FileId, Generation, Market, MarketSize, Plan, ServeOptions, Server, generate,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const KEY: &str = "us_stocks_sip/minute_aggs_v1/2026/10/2026-10-01.csv.gz";
const BUCKET: &str = "flatfiles";

fn generation(datasets: &[Dataset], from: &str, to: &str) -> Generation {
    Generation {
        market: Market { size: MarketSize::Tiny, seed: 1, splits: false },
        datasets: datasets.to_vec(),
        dates: Dates::Range(from.parse().unwrap()..=to.parse().unwrap()),
        now: "2026-10-05T12:00:00Z".parse().unwrap(),
        defects: Defects::default(),
    }
}

/// A directory with the stocks of three days.
fn three_days() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    generate(directory.path(), &generation(&[Dataset::Stocks], "2026-09-30", "2026-10-02")).unwrap();
    directory
}

fn client_with(url: &str, access_key: &str, secret_key: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(url)
        .force_path_style(true)
        .credentials_provider(Credentials::new(access_key, secret_key, None, None, "test"))
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .retry_config(RetryConfig::disabled())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

fn client(server: &Server) -> Client {
    client_with(&server.url(), "sandbox", "sandbox-secret")
}

async fn serve(directory: &Path, change: impl FnOnce(&mut ServeOptions)) -> (Server, Client) {
    let mut options = ServeOptions::new(directory);
    change(&mut options);
    let server = Server::start(options).await.unwrap();
    let client = client(&server);
    (server, client)
}

/// Status and XML code of a refusal.
fn refusal<E: ProvideErrorMetadata, T: std::fmt::Debug>(answer: Result<T, SdkError<E>>) -> (u16, String) {
    match answer {
        Err(SdkError::ServiceError(error)) => {
            (error.raw().status().as_u16(), error.err().code().unwrap_or_default().to_owned())
        }
        Err(other) => panic!("no answer from the service: {other}"),
        Ok(answer) => panic!("not refused: {answer:?}"),
    }
}

async fn get(client: &Client, range: Option<&str>) -> Result<Vec<u8>, String> {
    let answer = client.get_object().bucket(BUCKET).key(KEY).set_range(range.map(str::to_owned)).send().await;
    let body = answer.map_err(|error| format!("{error:?}"))?.body;
    body.collect().await.map(aws_sdk_s3::primitives::AggregatedBytes::to_vec).map_err(|error| format!("{error:?}"))
}

#[tokio::test]
async fn listings_are_paged_filtered_and_continued() {
    let directory = tempfile::tempdir().unwrap();
    let settings = generation(&[Dataset::Stocks, Dataset::Crypto], "2026-09-28", "2026-10-02");
    generate(directory.path(), &settings).unwrap();
    let (server, client) = serve(directory.path(), |_| {}).await;

    let mut pages = client.list_objects_v2().bucket(BUCKET).max_keys(3).into_paginator().send();
    let (mut keys, mut count) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        count += 1;
        assert_eq!(page.key_count(), Some(page.contents().len() as i32));
        for object in page.contents() {
            let path = directory.path().join(object.key().unwrap());
            assert_eq!(object.size(), Some(path.metadata().unwrap().len() as i64));
            assert!(object.e_tag().unwrap().starts_with('"') && object.last_modified().is_some());
            keys.push(object.key().unwrap().to_owned());
        }
    }
    let mut expected: Vec<_> = settings.files().into_iter().map(FileId::key).collect();
    expected.sort();
    assert_eq!((keys, count), (expected, 7), "20 keys, 3 to a page");

    let year = client.list_objects_v2().bucket(BUCKET).prefix("us_stocks_sip/minute_aggs_v1/2026/");
    let rest = year.start_after("us_stocks_sip/minute_aggs_v1/2026/10/2026-10-01").send().await.unwrap();
    let rest: Vec<_> = rest.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(rest, [KEY, "us_stocks_sip/minute_aggs_v1/2026/10/2026-10-02.csv.gz"]);

    let roots = client.list_objects_v2().bucket(BUCKET).delimiter("/").send().await.unwrap();
    let roots: Vec<_> = roots.common_prefixes().iter().filter_map(|group| group.prefix()).collect();
    assert_eq!(roots, ["global_crypto/", "us_stocks_sip/"]);
    assert_eq!(server.stop().await.list, 9);
}

#[tokio::test]
async fn ranges_are_parts_of_the_version_asked_for() {
    let directory = three_days();
    let (_server, client) = serve(directory.path(), |_| {}).await;
    let bytes = std::fs::read(directory.path().join(KEY)).unwrap();
    assert_eq!(get(&client, None).await.unwrap(), bytes);

    let head = client.head_object().bucket(BUCKET).key(KEY).send().await.unwrap();
    let etag = head.e_tag().unwrap().to_owned();
    assert_eq!(head.content_length(), Some(bytes.len() as i64));
    let part = |range: &str| client.get_object().bucket(BUCKET).key(KEY).range(range);
    let answer = part("bytes=100-299").if_match(&etag).send().await.unwrap();
    assert_eq!(answer.content_range(), Some(format!("bytes 100-299/{}", bytes.len()).as_str()));
    assert_eq!(answer.e_tag(), Some(etag.as_str()));
    assert_eq!(answer.body.collect().await.unwrap().to_vec(), &bytes[100..300]);
    assert_eq!(get(&client, Some("bytes=-10")).await.unwrap(), &bytes[bytes.len() - 10..]);
    assert_eq!(refusal(part("bytes=99999999-").send().await), (416, "InvalidRange".to_owned()));

    let mut replaced = generation(&[Dataset::Stocks], "2026-10-01", "2026-10-01");
    replaced.defects.replaced.insert("2026-10-01".parse().unwrap());
    generate(directory.path(), &replaced).unwrap();
    let stale = part("bytes=100-299").if_match(&etag).send().await;
    assert_eq!(refusal(stale), (412, "PreconditionFailed".to_owned()));
    assert_ne!(client.head_object().bucket(BUCKET).key(KEY).send().await.unwrap().e_tag(), Some(etag.as_str()));
}

#[tokio::test]
async fn what_is_not_there_or_not_paid_for_is_refused() {
    let directory = three_days();
    let late: FileId = "2026-10-02".parse().unwrap();
    let (_server, client) = serve(directory.path(), |options| {
        options.plan = Plan { datasets: vec![Dataset::Stocks], from: Some("2026-10-01".parse().unwrap()) };
        options.hidden.insert(late);
    })
    .await;
    let get = |key: &str| client.get_object().bucket(BUCKET).key(key).send();
    let head = |key: &str| client.head_object().bucket(BUCKET).key(key).send();
    let old = KEY.replace("10/2026-10-01", "09/2026-09-30");

    let listed = client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    let listed: Vec<_> = listed.contents().iter().filter_map(|object| object.key()).collect();
    assert!(listed.contains(&old.as_str()) && !listed.contains(&late.key().as_str()), "{listed:?}");
    assert_eq!(refusal(get(&late.key()).await), (404, "NoSuchKey".to_owned()));
    assert_eq!(refusal(head(&late.key()).await).0, 404);
    assert_eq!(refusal(get(&old).await), (403, "NOT_AUTHORIZED".to_owned()));
    assert_eq!(refusal(head(&old).await), (403, String::new()), "no body, no code");
    let index = FileId { dataset: Dataset::Indices, kind: Aggregates::Day, date: late.date };
    assert_eq!(refusal(get(&index.key()).await), (403, "NOT_AUTHORIZED".to_owned()));
    assert_eq!(refusal(client.get_object().bucket("other").key(KEY).send().await), (404, "NoSuchBucket".to_owned()));
}

#[tokio::test]
async fn signatures_are_checked() {
    let directory = three_days();
    let (server, _) = serve(directory.path(), |_| {}).await;
    let list = async |access_key: &str, secret_key: &str| {
        refusal(client_with(&server.url(), access_key, secret_key).list_objects_v2().bucket(BUCKET).send().await)
    };
    assert_eq!(list("stranger", "sandbox-secret").await, (403, "InvalidAccessKeyId".to_owned()));
    assert_eq!(list("sandbox", "guess").await, (403, "SignatureDoesNotMatch".to_owned()));

    // A client whose clock stopped years ago; the date is judged before the signature.
    let request = "GET /flatfiles?list-type=2 HTTP/1.1\r\nhost: vendor\r\nconnection: close\r\n\
         x-amz-date: 20200101T000000Z\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential=sandbox/20200101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, \
         Signature=0000000000000000000000000000000000000000000000000000000000000000\r\n\r\n";
    let mut connection = TcpStream::connect(server.address()).await.unwrap();
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("<Code>RequestTimeTooSkewed</Code>"), "{answer}");
}

#[tokio::test]
async fn faults_strike_in_turn_and_end() {
    let directory = three_days();
    let bytes = std::fs::read(directory.path().join(KEY)).unwrap();
    let faults = "GET ranged whole\nGET slow-down:1\nGET internal-error\nGET reset:5000\nGET stall:4096";
    let (server, client) = serve(directory.path(), |options| options.faults = faults.parse().unwrap()).await;

    let object = || client.get_object().bucket(BUCKET).key(KEY);
    let slow_down = object().send().await;
    let wait = slow_down.as_ref().unwrap_err().raw_response().unwrap().headers().get("retry-after").map(str::to_owned);
    assert_eq!((refusal(slow_down), wait.as_deref()), ((503, "SlowDown".to_owned()), Some("1")));
    assert_eq!(refusal(object().send().await), (500, "InternalError".to_owned()));

    let mut body = object().send().await.unwrap().body;
    let mut received = Vec::new();
    let broken = loop {
        match body.next().await {
            Some(Ok(piece)) => received.extend(piece),
            Some(Err(error)) => break format!("{error:?}"),
            None => panic!("the body ended as if it were whole"),
        }
    };
    assert_eq!(received, &bytes[..5000]);
    assert!(broken.contains("ConnectionReset"), "{broken}");

    let hangs = tokio::time::timeout(Duration::from_millis(300), get(&client, None)).await;
    assert!(hangs.is_err(), "{:?}", hangs.map(|bytes| bytes.map(|bytes| bytes.len())));
    assert_eq!(get(&client, Some("bytes=0-9")).await.unwrap(), bytes, "the range was overlooked");
    assert_eq!(get(&client, Some("bytes=0-9")).await.unwrap(), &bytes[..10]);
    assert_eq!(server.struck(), [1; 5]);
    assert_eq!(server.stop().await.get, 6);
}

#[tokio::test]
async fn slow_objects_take_their_time() {
    let directory = three_days();
    let size = directory.path().join(KEY).metadata().unwrap().len();
    let (_server, client) =
        serve(directory.path(), |options| options.faults = format!("GET times=all slow:{}", size * 2).parse().unwrap())
            .await;
    let start = Instant::now();
    assert_eq!(get(&client, None).await.unwrap().len() as u64, size);
    assert!(start.elapsed() > Duration::from_millis(450), "{:?}", start.elapsed());
}

#[tokio::test]
async fn damaged_files_are_damaged_and_cut_ones_are_whole_gzip() {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = generation(&[Dataset::Stocks], "2026-09-29", "2026-10-02");
    let id = |text: &str| text.parse::<FileId>().unwrap();
    settings.defects = Defects {
        truncated: [id("2026-09-29")].into(),
        corrupt: [id("2026-09-30")].into(),
        row_cut: [(id("2026-10-01"), 0.25)].into(),
        ..Defects::default()
    };
    generate(directory.path(), &settings).unwrap();
    let unpack = |file: &str| {
        let packed = std::fs::read(directory.path().join(id(file).key())).unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut text).map(|_| text)
    };
    assert!(unpack("2026-09-29").is_err());
    assert!(unpack("2026-09-30").is_err());
    let (cut, whole) = (unpack("2026-10-01").unwrap(), unpack("2026-10-02").unwrap());
    assert!(cut.ends_with('\n') && cut.len() * 3 < whole.len());
}

#[tokio::test]
async fn only_loopback_is_served() {
    let directory = tempfile::tempdir().unwrap();
    let mut options = ServeOptions::new(directory.path());
    options.listen = "0.0.0.0:0".parse().unwrap();
    assert!(Server::start(options).await.unwrap_err().to_string().contains("not a loopback address"));
}

#[tokio::test]
async fn the_program_says_where_it_listens_and_stops_when_told() {
    let directory = tempfile::tempdir().unwrap();
    let url_file = directory.path().join("url");
    let faults = directory.path().join("faults");
    std::fs::write(&faults, "GET key=*2026-10-01* nth=2 slow-down:7\n").unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_vendor-sandbox"))
        .arg("serve")
        .arg(format!("--data-dir={}", directory.path().join("bucket").display()))
        .arg(format!("--port-file={}", url_file.display()))
        .arg(format!("--faults={}", faults.display()))
        .args(["--market=tiny", "--days=1", "--log-requests"])
        .env("BARKEEP_NOW", "2026-10-02T12:00:00Z")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    while !url_file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(std::fs::read_to_string(url_file).unwrap(), url);
    let client = client_with(&url, "sandbox", "sandbox-secret");
    assert!(!get(&client, None).await.unwrap().is_empty());
    assert!(get(&client, None).await.unwrap_err().contains("SlowDown"));

    let id = program.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(program.wait().unwrap().success());
    let mut log = String::new();
    program.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains(&format!("GET {KEY} - 200")), "{log}");
    assert!(log.contains(&format!("GET {KEY} - 503 Strike")) && log.contains("1 faults struck"), "{log}");
    assert!(log.contains("served 0 LIST, 2 GET, 0 HEAD, "), "{log}");
}

#[tokio::test]
async fn the_proxy_passes_on_and_cuts_as_told() {
    let directory = three_days();
    let (server, _) = serve(directory.path(), |_| {}).await;
    let script = directory.path().join("script");
    std::fs::write(&script, "down connection=2 after=5000 cut\n").unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_vendor-sandbox"))
        .args(["proxy", &format!("--to={}", server.address()), &format!("--script={}", script.display())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = format!("http://{}", line.trim().strip_prefix("listening on ").unwrap());
    let connect = || client_with(&url, "sandbox", "sandbox-secret");
    assert!(!get(&connect(), None).await.unwrap().is_empty());
    assert!(get(&connect(), None).await.unwrap_err().contains("ConnectionReset"));
    assert!(!get(&connect(), None).await.unwrap().is_empty());
    assert!(Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap().success());
    let mut log = String::new();
    program.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(program.wait().unwrap().success() && log.contains("1 faults struck"), "{log}");
}
