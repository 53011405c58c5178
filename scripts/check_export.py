"""Exports synthetic bars and reads them with DuckDB, Polars and pandas; see scripts/check-export."""

import argparse
import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pandas
import polars

NOW = "2026-10-05T16:00:00Z"
KEY = "sandbox-api-key"
MARKETS = ["stocks", "crypto", "indices"]
# Over a month's end, with tickers that readers may take for something else.
DATES = ["--from=2026-09-28", "--to=2026-10-02"]
TIMEFRAMES = "5m,15m,1h,4h,day"
ODD_TICKERS = ["NA", "TRUE"]
COLUMNS = (
    "symbol timeframe timestamp open high low close volume vwap trades session vwap_method session_date end_timestamp minutes"
).split()


CHAIN_COLUMNS = (
    "session_date underlying contract open_interest implied_volatility delta gamma theta vega day_volume known_at source"
).split()
CHAINS = ["SPY", "I:SPX"]


def close(a, b):
    """Sums may differ in the order of adding."""
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-9)


def expect(true, what):
    if not true:
        sys.exit(f"check-export: {what}")


def make(bin_dir, work):
    """A database with synthetic bars, and exports of it in both forms."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    environment = {**os.environ, "BARKEEP_NOW": NOW, "DATABASE_URL": f"sqlite:{work / 'bars.db'}"}

    def run(program, *words):
        done = subprocess.run([bin_dir / program, *words], env=environment, check=True, stdout=subprocess.PIPE)
        return done.stdout

    datasets = [f"--dataset={market}" for market in MARKETS]
    run("vendor-sandbox", "generate", f"--data-dir={work / 'vendor'}", "--market=tiny", *datasets, *DATES)
    for dataset in datasets:
        source = f"--source={work / 'vendor'}"
        run("backfill", "s3", source, "--all", dataset, *DATES, f"--timeframes={TIMEFRAMES}", "--quiet")
    for form in ["parquet", "csv"]:
        run("backfill", "export", f"--format={form}", f"--output={work / form}", "--quiet")
    return lambda *words: json.loads(run("backfill", "bars", *words, "--json"))["rows"]


def make_chains(bin_dir, work):
    """Exports of option chains in both forms, taken from the sandbox."""
    environment = {**os.environ, "BARKEEP_NOW": NOW, "DATABASE_URL": f"sqlite:{work / 'bars.db'}", "MASSIVE_API_KEY": KEY}
    served = [f"--data-dir={work / 'vendor'}", f"--port-file={work / 'url'}", "--market=tiny", "--dataset=stocks", *DATES]
    vendor = subprocess.Popen([bin_dir / "vendor-sandbox", "serve", *served], env=environment, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if (work / "url").exists():
                break
            expect(vendor.poll() is None, "the sandbox did not start")
            time.sleep(0.1)
        environment["MASSIVE_API_URL"] = (work / "url").read_text()
        subprocess.run([bin_dir / "backfill", "chain", *CHAINS, "--quiet"], env=environment, check=True)
    finally:
        vendor.terminate()
        vendor.wait()
    (work / "oi.csv").write_text("date,contract,open_interest\n2026-09-30,SPY261016C00600000,5\n")
    subprocess.run([bin_dir / "backfill", "chain", "import", work / "oi.csv", "--quiet"], env=environment, check=True)
    for form in ["parquet", "csv"]:
        words = ["export", "--chain", f"--format={form}", f"--output={work / 'chain' / form}", "--quiet"]
        subprocess.run([bin_dir / "backfill", *words], env=environment, check=True)


def check_chains(work):
    """Every value of the table, by all readers; how many rows."""
    columns = ", ".join(CHAIN_COLUMNS)
    order = ["underlying", "session_date", "contract"]
    table = sqlite3.connect(work / "bars.db").execute(
        f"SELECT {columns} FROM option_chain_daily ORDER BY {', '.join(order)}"
    )
    expected = [dict(zip(CHAIN_COLUMNS, row, strict=True)) for row in table.fetchall()]
    folder = f"{work}/chain/parquet/option_chain"
    query = duckdb.sql(f"SELECT {columns} FROM '{folder}/**/*.parquet' ORDER BY {', '.join(order)}")
    same_bars("DuckDB (chains)", [dict(zip(CHAIN_COLUMNS, row, strict=True)) for row in query.fetchall()], expected)
    same_bars("Polars (chains)", polars.scan_parquet(folder).sort(order).collect().rows(named=True), expected)
    frame = pandas.read_parquet(folder).sort_values(order).astype(object)
    same_bars("pandas (chains)", frame.where(frame.notna(), None).to_dict("records"), expected)
    query = duckdb.sql(f"SELECT {columns} FROM '{work}/chain/csv/option_chain/**/*.csv' ORDER BY {', '.join(order)}")
    same_bars("DuckDB (chains, CSV)", [dict(zip(CHAIN_COLUMNS, row, strict=True)) for row in query.fetchall()], expected)
    manifest = json.loads((work / "chain/parquet/_manifest.json").read_text())
    expect(manifest["totals"]["rows"] == len(expected) > 700, f"the manifest counts {manifest['totals']}")
    return len(expected)


def series_of_table(work):
    rows = sqlite3.connect(work / "bars.db").execute(
        "SELECT symbol, timeframe, count(*), sum(close), sum(volume), min(timestamp), max(end_timestamp)"
        " FROM historical_bars GROUP BY 1, 2"
    )
    return {row[:2]: row[2:] for row in rows}


def series_by_duckdb(pattern):
    rows = duckdb.sql(
        "SELECT symbol, timeframe, count(*), sum(close), sum(volume), min(timestamp), max(end_timestamp)"
        f" FROM '{pattern}' GROUP BY ALL"
    )
    return {row[:2]: row[2:] for row in rows.fetchall()}


def series_by_polars(frame):
    volume = polars.when(polars.col("volume").count() > 0).then(polars.col("volume").sum())
    rows = frame.group_by("symbol", "timeframe").agg(
        polars.len(),
        polars.col("close").sum(),
        volume.alias("volume"),
        polars.col("timestamp").min(),
        polars.col("end_timestamp").max(),
    )
    return {row[:2]: row[2:] for row in rows.collect().rows()}


def series_by_pandas(frame):
    found = {}
    for key, bars in frame.groupby(["symbol", "timeframe"], observed=True):
        volume = bars["volume"].sum() if bars["volume"].count() else None
        found[key] = (len(bars), bars["close"].sum(), volume, bars["timestamp"].min(), bars["end_timestamp"].max())
    return found


def same_series(reader, found, expected):
    expect(found.keys() == expected.keys(), f"{reader} sees other series: {found.keys() ^ expected.keys()}")
    for key, (count, *sums) in expected.items():
        seen, *seen_sums = found[key]
        same = seen == count and all(close(a, b) for a, b in zip(seen_sums, sums, strict=True))
        expect(same, f"{reader} sees {key} as {found[key]}, the table has {expected[key]}")


def same_bars(reader, rows, expected):
    """Every value of a series, to the last bit."""
    expect(len(rows) == len(expected), f"{reader}: {len(rows)} bars, the table has {len(expected)}")
    for row, bar in zip(rows, expected, strict=True):
        seen = {name: str(value) if name == "session_date" else value for name, value in row.items() if name != "month"}
        expect(seen == bar, f"{reader} sees {seen}, the table has {bar}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin-dir", type=Path, required=True)
    parser.add_argument("--work-dir", type=Path, required=True)
    arguments = parser.parse_args()
    work = arguments.work_dir.resolve()
    bars_of = make(arguments.bin_dir.resolve(), work)

    expected = series_of_table(work)
    total = sum(count for count, *_ in expected.values())
    for ticker in ODD_TICKERS:
        expect((ticker, "day") in expected, f"the synthetic market has no {ticker}")
    manifest = json.loads((work / "parquet/_manifest.json").read_text())
    expect(manifest["totals"]["rows"] == total, f"the manifest counts {manifest['totals']}, the table has {total} bars")

    folder = f"{work}/parquet/bars"
    polars_frame = polars.scan_parquet(folder)
    pandas_frame = pandas.read_parquet(folder)
    same_series("DuckDB", series_by_duckdb(f"{folder}/**/*.parquet"), expected)
    same_series("Polars", series_by_polars(polars_frame), expected)
    same_series("pandas", series_by_pandas(pandas_frame), expected)
    for columns in [polars_frame.collect_schema().names(), list(pandas_frame.columns)]:
        expect(sorted(columns) == sorted([*COLUMNS, "month"]), f"columns are {columns}")

    for symbol, timeframe in [("NA", "15m"), ("I:SPX", "1h"), ("X:BTCUSD", "day")]:
        bars = bars_of(symbol, f"--timeframe={timeframe}")
        query = duckdb.sql(
            f"SELECT {', '.join(COLUMNS)} FROM '{folder}/**/*.parquet'"
            f" WHERE symbol = '{symbol}' AND timeframe = '{timeframe}' ORDER BY timestamp"
        )
        same_bars("DuckDB", [dict(zip(COLUMNS, row, strict=True)) for row in query.fetchall()], bars)
        picked = polars_frame.filter(polars.col("symbol") == symbol, polars.col("timeframe") == timeframe)
        same_bars("Polars", picked.sort("timestamp").collect().rows(named=True), bars)
        picked = pandas.read_parquet(folder, filters=[("symbol", "==", symbol), ("timeframe", "==", timeframe)])
        picked = picked.sort_values("timestamp").astype(object)
        same_bars("pandas", picked.where(picked.notna(), None).to_dict("records"), bars)

    # CSV has no types: a file of a market without volume does not tell that it would be a number.
    files = f"{work}/csv/bars/**/*.csv"
    same_series("DuckDB (CSV)", series_by_duckdb(files), expected)
    same_series("Polars (CSV)", series_by_polars(polars.scan_csv(files, schema_overrides={"volume": polars.Float64})), expected)
    numbers = {name: [""] for name in ["volume", "vwap", "trades"]}
    read = [
        pandas.read_csv(file, keep_default_na=False, na_values=numbers, dtype={"symbol": str})
        for file in (work / "csv/bars").rglob("*.csv")
    ]
    same_series("pandas (CSV)", series_by_pandas(pandas.concat(read)), expected)
    make_chains(arguments.bin_dir.resolve(), work)
    contracts = check_chains(work)
    print(f"check-export: DuckDB, Polars and pandas see {contracts} rows of option chains")
    print(f"check-export: DuckDB, Polars and pandas see the table's {total} bars of {len(expected)} series")


main()
