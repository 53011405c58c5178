//! `backfill status`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::civil::Date;
use serde::Serialize;
use serde_json::json;

use super::{Context, health, restatements, store_error};
use crate::cli::format::count;
use crate::cli::{Align, Body, CliError, Exit, StatusArgs, StatusRequest, Table, print_json};
use crate::model::{Dataset, Expectation, Timeframe, file_due_at};
use crate::store::{BarReader, DayState, Ledger, SeriesStatus};

#[derive(Serialize)]
struct Row {
    symbol: String,
    dataset: Dataset,
    timeframe: Timeframe,
    bars: u64,
    first: Date,
    last: Date,
    /// Due trading days from the first bar on that are not loaded.
    missing_days: u64,
    missing: Vec<Date>,
}

/// Days listed under the table; `--json` has all.
const DAYS_LISTED: usize = 10;

/// Shows what is loaded.
pub(super) async fn run(args: &StatusArgs, context: &Context) -> Result<Exit, CliError> {
    if args.health.health {
        return health::show(args.health.max_age, context).await;
    }
    let request = StatusRequest::new(args)?;
    if let Some(dates) = request.restatements {
        return restatements::show(dates, request.dataset, context).await;
    }
    let mut rows = Vec::new();
    if let Some(mut store) = context.existing_store().await? {
        let named = Some(request.symbols.as_slice()).filter(|symbols| !symbols.is_empty());
        let mut series = store.series(named).await.map_err(store_error)?;
        series.retain(|series| request.dataset.is_none_or(|dataset| dataset == series.dataset));
        let mut states: BTreeMap<Dataset, BTreeMap<Date, DayState>> = BTreeMap::new();
        for series in series {
            if let std::collections::btree_map::Entry::Vacant(free) = states.entry(series.dataset) {
                let all = series.dataset.first_date()..=Date::MAX;
                free.insert(store.day_states(series.dataset, all).await.map_err(store_error)?);
            }
            rows.push(row(series, &states, context.settings.now.value));
        }
        store.close().await.map_err(store_error)?;
    }
    let out = &mut io::stdout().lock();
    if context.json {
        let bars: u64 = rows.iter().map(|row| row.bars).sum();
        let totals = json!({ "series": rows.len(), "bars": bars });
        let settings = json!({ "database_url": context.settings.database.value.to_string() });
        print_json(out, "status", &settings, Body::Rows(&rows), &totals, Exit::Done)?;
    } else if rows.is_empty() {
        writeln!(out, "nothing is loaded: `backfill s3 --days=90 --symbols=SPY,QQQ` loads something")?;
    } else {
        print(out, &rows)?;
    }
    Ok(Exit::Done)
}

fn row(series: SeriesStatus, states: &BTreeMap<Dataset, BTreeMap<Date, DayState>>, now: jiff::Timestamp) -> Row {
    let dataset = series.dataset;
    let (first, last) = (dataset.market().date_of(series.first), dataset.market().date_of(series.last));
    let none = BTreeMap::new();
    let states = states.get(&dataset).unwrap_or(&none);
    let is_loaded =
        |date: &Date| states.get(date).is_some_and(|state| state.covered(&series.symbol).contains(series.timeframe));
    let missing: Vec<Date> = first
        .series(jiff::Span::new().days(1))
        .take_while(|date| file_due_at(*date) <= now)
        .filter(|date| dataset.expectation(*date) == Expectation::Due && !is_loaded(date))
        .collect();
    Row {
        dataset,
        timeframe: series.timeframe,
        bars: series.bars,
        first,
        last,
        missing_days: missing.len() as u64,
        missing,
        symbol: series.symbol,
    }
}

fn print(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    let mut table = Table::new([
        ("symbol", Align::Left),
        ("timeframe", Align::Left),
        ("bars", Align::Right),
        ("first", Align::Left),
        ("last", Align::Left),
        ("days missing", Align::Right),
    ]);
    for row in rows {
        table.row([
            row.symbol.clone(),
            row.timeframe.to_string(),
            count(row.bars),
            row.first.to_string(),
            row.last.to_string(),
            count(row.missing_days),
        ]);
    }
    write!(out, "{table}")?;
    let mut gaps: BTreeMap<&[Date], Vec<String>> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.missing.is_empty()) {
        gaps.entry(&row.missing).or_default().push(format!("{} {}", row.symbol, row.timeframe));
    }
    for (days, series) in gaps {
        let listed: Vec<_> = days.iter().take(DAYS_LISTED).map(Date::to_string).collect();
        let more =
            if days.len() > DAYS_LISTED { format!(" and {} more", days.len() - DAYS_LISTED) } else { String::new() };
        let others = if series.len() > 1 { format!(" and {} more series", series.len() - 1) } else { String::new() };
        writeln!(out, "missing for {}{others}: {}{more}", series[0], listed.join(" "))?;
    }
    Ok(())
}
