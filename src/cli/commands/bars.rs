//! `backfill bars`.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::json;

use super::{Context, adjust_error, store_error, warn};
use crate::cli::format::price;
use crate::cli::{Align, BarsArgs, BarsFormat, BarsRequest, Body, CliError, Exit, Table, print_json};
use crate::model::{VwapMethod, midnight};
use crate::store::{Adjustments, BarReader, StoredBar};

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
    let request = BarsRequest::new(args, context.json)?;
    let as_of = args.adjust.date(context.settings.now.value);
    let nothing = || {
        let error = anyhow::anyhow!("no {} bars of {} are loaded for these dates", request.timeframe, request.symbol);
        CliError::failed(error).with_hint(format!(
            "`backfill status --symbol={0}` shows what is there, `backfill s3 --symbol={0}` loads it",
            request.symbol
        ))
    };
    let Some(mut store) = context.existing_store().await? else { return Err(nothing()) };
    let of_symbol = std::slice::from_ref(&request.symbol);
    let adjustments = match as_of {
        Some(as_of) => Some(Adjustments::read(&mut store, Some(of_symbol), as_of).await.map_err(adjust_error)?),
        None => None,
    };
    let market = request.symbol.dataset().market();
    let from = request.from.map_or(i64::MIN, |date| midnight(market, date).as_millisecond());
    let end = request.to.and_then(|date| date.tomorrow().ok());
    let to = end.map_or(i64::MAX, |date| midnight(market, date).as_millisecond() - 1);
    let mut bars = store.bars(request.symbol.as_str(), request.timeframe, from..=to).await.map_err(store_error)?;
    store.close().await.map_err(store_error)?;
    if bars.is_empty() {
        return Err(nothing());
    }
    if let Some(limit) = request.limit {
        let surplus = bars.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
        bars.drain(..surplus);
    }
    if let Some(adjustments) = &adjustments {
        adjustments.adjust(request.symbol.as_str(), &mut bars);
    }
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
            print_json(out, "bars", &settings, Body::Rows(&rows), &json!({ "bars": rows.len() }), Exit::Done)?;
        }
    }
    Ok(Exit::Done)
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
