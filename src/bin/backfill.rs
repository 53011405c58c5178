use barkeep::ingest::source::{LocalSource, Source};
use barkeep::ingest::{Accept, Concurrency, Outcome, Request, SilentReporter, make_plan, run};
use barkeep::store::sqlite::SqliteStore;
use std::sync::Arc;
#[tokio::main]
async fn main() {
    let a: Vec<String> = std::env::args().collect();
    let source =
        Source::Local(LocalSource::open(std::path::Path::new(&a[1]), barkeep::model::Dataset::Stocks).unwrap());
    let mut store = SqliteStore::open(std::path::Path::new(&a[2])).await.unwrap();
    let symbols = a.get(3).map(|s| s.split(',').map(str::to_owned).collect());
    let tfs = if symbols.is_some() { "1m,5m,15m,1h,4h,day" } else { "5m,15m,1h,4h,day" };
    let request = Request {
        dataset: barkeep::model::Dataset::Stocks,
        range: "2003-09-10".parse().unwrap()..="2026-11-20".parse().unwrap(),
        symbols,
        timeframes: tfs.parse().unwrap(),
        official_day: true,
        force: false,
        accept: Accept::All,
        now: jiff::Timestamp::now(),
    };
    let plan = make_plan(&source, &mut store, request, &SilentReporter).await.unwrap();
    eprintln!("{} jobs", plan.jobs().count());
    let (report, error) = run(
        vec![plan],
        Arc::new(source),
        &mut store,
        Concurrency { downloads: 12, decoders: 2 },
        Arc::new(SilentReporter),
        Default::default(),
    )
    .await;
    for d in report.days.iter().filter(|d| !matches!(d.outcome, Outcome::Missing)) {
        eprintln!("{} {} {} bars {:?} {:?}", d.date, d.outcome, d.bars, d.detail, d.notes);
    }
    eprintln!("{:?} {error:?}", report.elapsed);
    store.close().await.unwrap();
}
