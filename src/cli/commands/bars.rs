//! `backfill bars`.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::json;

use super::api::history;
use super::{Context, adjust_error, store_error, warn};
use crate::cli::format::{counted, price, printable};
use crate::cli::{Align, BarsArgs, BarsFormat, BarsRequest, Body, CliError, Exit, Fetch, Table, print_json, reporter};
use crate::history::{self, Origin, Part};
use crate::model::{VwapMethod, midnight};
use crate::store::{AdjustError, Adjustments, AnyStore, BarReader, StoredBar};

/// A bar as other programs read it: the columns of `historical_bars`.
#[derive(Serialize)]
struct BarRow<'a> {
    symbol: &'a str,
    timeframe: &'static str,
    timestamp: i64,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: Option<f64>,
    vwap: Option<f64>,
    trades: Option<u64>,
    session: &'static str,
    vwap_method: Option<&'static str>,
    session_date: Date,
    end_timestamp: i64,
    minutes: u16,
}

/// Shows bars.
pub(super) async fn run(args: &BarsArgs, context: &Context) -> Result<Exit, CliError> {
    let request = BarsRequest::new(args, context.json, context.settings.now.value)?;
    let as_of = args.adjust.date(context.settings.now.value);
    let Found { mut bars, parts, store } = match &request.fetch {
        None => stored(&request, context).await?,
        Some(fetch) => fetched(&request, fetch, context).await?,
    };
    let has_gaps = parts.iter().flatten().any(|part| part.origin == Origin::Missing);
    if !context.quiet {
        for part in parts.iter().flatten() {
            warn(&part_line(part));
        }
    }
    if let Some(mut store) = store {
        if let Some(as_of) = as_of.filter(|_| !bars.is_empty()) {
            let of_symbol = std::slice::from_ref(&request.symbol);
            let adjustments = Adjustments::read(&mut store, Some(of_symbol), as_of).await.map_err(adjust_error)?;
            adjustments.adjust(request.symbol.as_str(), &mut bars);
        }
        store.close().await.map_err(store_error)?;
    } else if as_of.is_some() && !bars.is_empty() {
        return Err(adjust_error(AdjustError::NotLoaded(Vec::new())));
    }
    if bars.is_empty() {
        let are = if request.fetch.is_some() { "to be had" } else { "loaded" };
        let error = anyhow::anyhow!("no {} bars of {} are {are} for these dates", request.timeframe, request.symbol);
        return Err(CliError::failed(error).with_hint(format!(
            "`backfill status --symbol={0}` shows what is loaded, `backfill hybrid --symbol={0}` loads it",
            request.symbol
        )));
    }
    if let Some(limit) = request.limit {
        let surplus = bars.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        bars.drain(..surplus);
    }
    let exit = if has_gaps { Exit::Gaps } else { Exit::Done };
    let out = &mut io::stdout().lock();
    let rows: Vec<BarRow<'_>> = bars.iter().map(|stored| row(request.symbol.as_str(), stored)).collect();
    let mark = as_of.map(|as_of| format!("adjusted for splits as of {as_of}"));
    match request.format {
        BarsFormat::Table => {
            print_table(out, &rows)?;
            if let Some(mark) = mark {
                writeln!(out, "{mark}")?;
            }
        }
        BarsFormat::Csv => {
            print_csv(out, &rows)?;
            // Not among the rows, which programs read.
            if let Some(mark) = mark.filter(|_| !context.quiet) {
                warn(&mark);
            }
        }
        BarsFormat::Json => {
            let settings = json!({
                "symbol": request.symbol.as_str(),
                "timeframe": request.timeframe.as_str(),
                "from": request.from,
                "to": request.to,
                "adjusted_as_of": as_of,
            });
            let totals = json!({ "bars": rows.len(), "parts": parts });
            print_json(out, "bars", &settings, Body::Rows(&rows), &totals, exit)?;
        }
    }
    Ok(exit)
}

/// Bars as they were traded, where each day came from if that was asked, and the database they are of.
struct Found {
    bars: Vec<StoredBar>,
    parts: Option<Vec<Part>>,
    store: Option<AnyStore>,
}

/// What is loaded.
async fn stored(request: &BarsRequest, context: &Context) -> Result<Found, CliError> {
    let Some(mut store) = context.existing_store().await? else {
        return Ok(Found { bars: Vec::new(), parts: None, store: None });
    };
    let market = request.symbol.dataset().market();
    let from = request.from.map_or(i64::MIN, |date| midnight(market, date).as_millisecond());
    let end = request.to.and_then(|date| date.tomorrow().ok());
    let to = end.map_or(i64::MAX, |date| midnight(market, date).as_millisecond() - 1);
    let bars = store.bars(request.symbol.as_str(), request.timeframe, from..=to).await.map_err(store_error)?;
    Ok(Found { bars, parts: None, store: Some(store) })
}

/// What is loaded, and what can be fetched of the rest.
async fn fetched(request: &BarsRequest, fetch: &Fetch, context: &Context) -> Result<Found, CliError> {
    let reporter = reporter(context.quiet, context.json, Context::has_terminal(), context.settings.color.value);
    let mut history = history(fetch.keeps, context, reporter).await?;
    let (symbol, dates, now) = (request.symbol.clone(), fetch.dates.clone(), context.settings.now.value);
    let answer = history.bars(&history::Request { symbol, timeframe: request.timeframe, dates, now }).await;
    Ok(Found { parts: Some(answer.parts()), bars: answer.bars, store: history.into_store() })
}

fn part_line(part: &Part) -> String {
    let dates = if part.days == 1 { part.from.to_string() } else { format!("{} to {}", part.from, part.to) };
    let detail = part.detail.as_deref().map(|detail| format!(": {}", printable(detail))).unwrap_or_default();
    format!("{dates} ({}) {}{detail}", counted(part.days, "day"), part.origin.as_str())
}

fn row<'a>(symbol: &'a str, StoredBar { bar, session_date }: &StoredBar) -> BarRow<'a> {
    BarRow {
        symbol,
        timeframe: bar.timeframe.as_str(),
        timestamp: bar.timestamp_ms,
        open: bar.prices.open,
        high: bar.prices.high,
        low: bar.prices.low,
        close: bar.prices.close,
        volume: bar.volume,
        vwap: bar.vwap,
        trades: bar.trades,
        session: bar.session.as_str(),
        vwap_method: bar.vwap_method.map(VwapMethod::as_str),
        session_date: *session_date,
        end_timestamp: bar.end_timestamp_ms,
        minutes: bar.minutes,
    }
}

fn print_csv(out: &mut impl Write, rows: &[BarRow<'_>]) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    for row in rows {
        csv.serialize(row).map_err(io::Error::other)?;
    }
    csv.flush()
}

fn print_table(out: &mut impl Write, rows: &[BarRow<'_>]) -> io::Result<()> {
    let mut table = Table::new([
        ("start (UTC)", Align::Left),
        ("date", Align::Left),
        ("session", Align::Left),
        ("open", Align::Right),
        ("high", Align::Right),
        ("low", Align::Right),
        ("close", Align::Right),
        ("volume", Align::Right),
        ("vwap", Align::Right),
        ("trades", Align::Right),
        ("minutes", Align::Right),
    ]);
    for row in rows {
        let start = Timestamp::from_millisecond(row.timestamp).map(|at| at.strftime("%Y-%m-%d %H:%M").to_string());
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        table.row([
            start.unwrap_or_else(|_| row.timestamp.to_string()),
            row.session_date.to_string(),
            row.session.to_owned(),
            price(row.open),
            price(row.high),
            price(row.low),
            price(row.close),
            or_dash(row.volume.map(|volume| format!("{volume:.0}"))),
            or_dash(row.vwap.map(|vwap| format!("{vwap:.4}"))),
            or_dash(row.trades.map(|trades| trades.to_string())),
            row.minutes.to_string(),
        ]);
    }
    write!(out, "{table}")
}
