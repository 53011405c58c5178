//! The queue among other programs that use the same database.

use std::time::{Duration, Instant};

use barkeep::sandbox::{Proxy, ProxyScript};
use barkeep::store::{ClaimedRequest, Held, Queue, QueueWatch, QueueWatching, RequestEnd, RequestOutcome};
use jiff::civil::date;
use sqlx::{Connection, Executor};

use crate::database::{Pooled, Schema};
use crate::open;

const LONG: Duration = Duration::from_mins(10);
const SOON: Duration = Duration::from_secs(20);

const QUEUE: &str =
    "SELECT symbol || ' ' || status || ' ' || days_to_backfill FROM historical_ingestion_queue ORDER BY id";

fn names(claimed: &[ClaimedRequest]) -> Vec<&str> {
    claimed.iter().map(|one| one.request.symbol.as_str()).collect()
}

fn held(claimed: &[ClaimedRequest]) -> Vec<Held> {
    claimed.iter().map(|one| one.held).collect()
}

/// A network before the server, which can be cut.
async fn proxy(schema: &Schema) -> Proxy {
    let listen = "127.0.0.1:0".parse().unwrap();
    Proxy::start(listen, schema.server_address(), ProxyScript::default()).await.unwrap()
}

/// A request that is added while another processor is in the middle of claiming its symbol.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_claims_waits_for_who_is_claiming() {
    let Some(schema) = Schema::new() else { return };
    let (mut one, mut other) = (open(&schema.url()).await, open(&schema.url()).await);
    schema.execute("INSERT INTO historical_ingestion_queue (symbol) VALUES ('A')");
    schema.execute(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$;
         CREATE TRIGGER slowly BEFORE UPDATE ON historical_ingestion_queue FOR EACH ROW EXECUTE FUNCTION slowly()",
    );
    let claiming = tokio::spawn(async move { one.claim_requests("one", LONG, 9).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(150)).await;
    schema.execute("INSERT INTO historical_ingestion_queue (symbol, days_to_backfill) VALUES ('A', 5), ('B', 5)");
    assert_eq!(names(&other.claim_requests("other", LONG, 9).await.unwrap()), ["B"]);
    assert_eq!(names(&claiming.await.unwrap()), ["A"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_another_program_has_locked_are_in_nobodys_way() {
    let Some(schema) = Schema::new() else { return };
    let mut queue = open(&schema.url()).await;
    schema.execute("INSERT INTO historical_ingestion_queue (symbol, priority) VALUES ('A', 9), ('B', 8), ('C', 7)");
    let mut program = schema.connect().await;
    program.execute("BEGIN; UPDATE historical_ingestion_queue SET priority = 99 WHERE symbol = 'A'").await.unwrap();
    let claimed = queue.claim_requests("p", LONG, 1).await.unwrap();
    assert_eq!(names(&claimed), ["B"]);
    program.execute("UPDATE historical_ingestion_queue SET priority = 99 WHERE symbol = 'B'").await.unwrap();
    let still = queue.renew_requests(&held(&claimed), LONG).await.unwrap();
    assert_eq!(still, held(&claimed), "it holds, though its lease could not be prolonged");
    // Its lease is over, but it cannot be taken: nor can what else there is of its symbol.
    schema.execute(
        "INSERT INTO historical_ingestion_queue (symbol, status, days_to_backfill) VALUES ('C', 'processing', 6);
         INSERT INTO historical_ingestion_queue (symbol, days_to_backfill, priority) VALUES ('C', 5, 9)",
    );
    program.execute("UPDATE historical_ingestion_queue SET priority = 1 WHERE status = 'processing'").await.unwrap();
    assert_eq!(queue.rescue_requests("other").await.unwrap(), 0);
    assert_eq!(queue.claim_requests("other", LONG, 9).await.unwrap(), []);
    program.execute("ROLLBACK").await.unwrap();
    assert_eq!(queue.rescue_requests("other").await.unwrap(), 1);
    assert_eq!(names(&queue.claim_requests("other", LONG, 9).await.unwrap()), ["A", "C", "C", "C"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dates_that_no_calendar_has_do_not_keep_others_from_being_claimed() {
    let Some(schema) = Schema::new() else { return };
    let mut queue = open(&schema.url()).await;
    schema.execute(
        "INSERT INTO historical_ingestion_queue (symbol, from_date, to_date) VALUES
             ('1', '-infinity', 'infinity'), ('2', '4713-01-01 BC', '5874897-12-31'), ('3', 'infinity', '-infinity'),
             ('4', '2026-10-01', DEFAULT)",
    );
    let claimed = queue.claim_requests("p", LONG, 9).await.unwrap();
    let dates: Vec<_> = claimed.iter().map(|one| (one.request.from, one.request.to)).collect();
    let turned = (Some(date(9999, 12, 31)), Some(date(1, 1, 1)));
    assert_eq!(dates, [(None, None), (None, None), turned, (Some(date(2026, 10, 1)), None)]);
    assert_eq!(queue.requests(None, 0).await.unwrap().len(), 4);
}

/// The watchlist belongs to one role, programs that fill it to another, which may do nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_with_no_right_but_to_the_watchlist_fills_the_queue() {
    let Some(schema) = Schema::new() else { return };
    open(&schema.url()).await.close().await.unwrap();
    let name = schema.query("SELECT current_schema()::text").remove(0);
    let role = format!("{name}_app");
    schema.execute(&format!(
        "CREATE ROLE {role}; GRANT USAGE ON SCHEMA {name} TO {role}; GRANT SELECT, INSERT, UPDATE ON watchlist TO {role}"
    ));
    let mut program = schema.connect().await;
    let act = format!("SET ROLE {role}; SET search_path = pg_temp");
    program.execute(sqlx::AssertSqlSafe(act)).await.unwrap();
    let statements = [
        format!("INSERT INTO {name}.watchlist (symbol) VALUES ('AAPL')"),
        format!(
            "INSERT INTO {name}.watchlist (symbol, days_to_backfill) VALUES ('AAPL', 365)
             ON CONFLICT (symbol) DO UPDATE SET days_to_backfill = excluded.days_to_backfill"
        ),
        format!("UPDATE {name}.watchlist SET priority = 4"),
    ];
    for statement in statements {
        program.execute(sqlx::AssertSqlSafe(statement)).await.unwrap();
    }
    let mut copy = program.copy_in_raw(&format!("COPY {name}.watchlist (symbol) FROM STDIN")).await.unwrap();
    copy.send(&b"MSFT\nX:BTCUSD\n"[..]).await.unwrap();
    copy.finish().await.unwrap();
    let denied = format!("SELECT 1 FROM {name}.historical_ingestion_queue");
    assert!(program.execute(sqlx::AssertSqlSafe(denied)).await.is_err());
    // With the function on a table of its own it could write as the owner, wherever it likes.
    let own = format!(
        "CREATE TEMP TABLE own (symbol TEXT, active BOOLEAN, days_to_backfill INT, priority INT);
         CREATE TRIGGER t AFTER INSERT ON own FOR EACH ROW EXECUTE FUNCTION {name}.barkeep_queue_watched()"
    );
    let refused = program.execute(sqlx::AssertSqlSafe(own)).await.unwrap_err();
    assert!(refused.to_string().contains("permission denied for function"), "{refused}");
    program.close().await.unwrap();
    let queued = schema.query(QUEUE);
    assert_eq!(queued, ["AAPL pending 90", "AAPL pending 365", "MSFT pending 90", "X:BTCUSD pending 90"]);
    schema.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_hears_of_its_own_schema_only_and_listens_again_when_it_was_cut_off() {
    let (Some(schema), Some(other)) = (Schema::new(), Schema::new()) else { return };
    open(&other.url()).await.close().await.unwrap();
    let proxy = proxy(&schema).await;
    let store = open(&schema.url_through(proxy.address())).await;
    let mut watch = store.queue_watch();
    watch.wait(SOON).await;
    let since = Instant::now();
    other.execute("INSERT INTO watchlist (symbol) VALUES ('A')");
    let wait = Duration::from_millis(300);
    watch.wait(wait).await;
    assert!(since.elapsed() >= wait, "another schema's request has woken it");
    proxy.cut();
    schema.execute("INSERT INTO watchlist (symbol) VALUES ('A')");
    watch.wait(LONG).await;
    // It has not heard of that, but of what comes now.
    watch.wait(wait).await;
    schema.execute("INSERT INTO watchlist (symbol) VALUES ('B')");
    watch.wait(LONG).await;
    assert!(since.elapsed() < SOON, "{:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_waits_when_there_is_no_server() {
    let Some(schema) = Schema::new() else { return };
    let proxy = proxy(&schema).await;
    let store = open(&schema.url_through(proxy.address())).await;
    let mut watch = store.queue_watch();
    watch.wait(SOON).await;
    proxy.refuse(LONG);
    proxy.cut();
    let since = Instant::now();
    watch.wait(Duration::from_millis(700)).await;
    assert!((700..5000).contains(&since.elapsed().as_millis()), "{:?}", since.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_claimed_and_ended_behind_a_transaction_pooler() {
    let Some(pooled) = Pooled::new() else { return };
    let (mut one, mut other) = (open(&pooled.url()).await, open(&pooled.url()).await);
    let mut watch = one.queue_watch();
    for n in 0..3 {
        pooled.direct().execute(&format!("INSERT INTO watchlist (symbol) VALUES ('A{n}'), ('B{n}')"));
        watch.wait(Duration::from_millis(100)).await;
        let claimed = one.claim_requests("one", LONG, 1).await.unwrap();
        assert_eq!(one.renew_requests(&held(&claimed), LONG).await.unwrap(), held(&claimed));
        let rest = other.claim_requests("other", LONG, 1).await.unwrap();
        assert_eq!((claimed.len(), rest.len()), (1, 1));
        let loaded = RequestEnd::Ended { outcome: RequestOutcome::Loaded, message: None };
        one.end_requests(&[(claimed[0].held, loaded.clone())]).await.unwrap();
        other.end_requests(&[(rest[0].held, loaded)]).await.unwrap();
    }
    assert_eq!(one.queue_depth().await.unwrap(), Default::default());
    assert_eq!(one.requests(None, 99).await.unwrap().len(), 6);
}
