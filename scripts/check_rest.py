"""Pulls from the sandbox's REST API with the vendor's client and compares with its files; see scripts/check-rest."""

import argparse
import csv
import gzip
import io
import json
import math
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

from massive import RESTClient

NOW = "2026-10-05T16:00:00Z"
KEY = "sandbox-api-key"
FROM, TO = "2026-09-28", "2026-10-02"
LATE = "2026-10-02"
REPLACED = "2026-09-30"
# As the API spells them, with the dataset's folder and the files' spelling.
SYMBOLS = {
    "SPY": ("us_stocks_sip", "SPY"),
    "NA": ("us_stocks_sip", "NA"),
    "BACpA": ("us_stocks_sip", "BACpA"),
    "QUADS": ("us_stocks_sip", "QUADS"),
    "DIVVY": ("us_stocks_sip", "DIVVY"),
    "I:SPX": ("us_indices", "I:SPX"),
    "X:BTCUSD": ("global_crypto", "X:BTC-USD"),
}
MARKET = ["--market=tiny", "--splits", "--dataset=stocks,indices,crypto", f"--from={FROM}", f"--to={TO}", f"--replace={REPLACED}"]
# With an index, a stock with contracts of changed terms, and one whose root is not its ticker.
UNDERLYINGS = ["I:SPX", "AAPL", "BRK.B"]
# Small, so that there are many pages.
PAGE = 700
FIELDS = ["open", "high", "low", "close", "volume", "transactions"]
ENVIRONMENT = {**os.environ, "BARKEEP_NOW": NOW}


def expect(true, what):
    if not true:
        sys.exit(f"check-rest: {what}")


def run(bin_dir, program, *words, **settings):
    environment = {**ENVIRONMENT, **settings}
    return subprocess.run([bin_dir / program, *words], env=environment, check=True, stdout=subprocess.PIPE).stdout


def serve(bin_dir, work):
    """The vendor, and its address. One file is late; REST has its data nevertheless."""
    vendor = subprocess.Popen(
        [bin_dir / "vendor-sandbox", "serve", f"--data-dir={work / 'bucket'}", f"--late={LATE}", f"--port-file={work / 'url'}", *MARKET],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
    )
    for _ in range(600):
        if (work / "url").exists():
            return vendor, (work / "url").read_text()
        expect(vendor.poll() is None, "the sandbox did not start")
        time.sleep(0.1)
    vendor.terminate()
    sys.exit("check-rest: the sandbox did not start within a minute")


def in_files(folder, prefix, ticker):
    """Minutes of a ticker by their start in milliseconds, from the day files."""
    minutes = {}
    for path in sorted((folder / prefix / "minute_aggs_v1").rglob("*.csv.gz")):
        with gzip.open(path, "rt", newline="") as file:
            for row in csv.DictReader(file):
                if row["ticker"] == ticker:
                    minutes[int(row["window_start"]) // 1_000_000] = [number(row.get(field)) for field in FIELDS]
    return minutes


def number(text):
    return None if text in (None, "") else float(text)


def check_minutes(client, files):
    """The minutes of all symbols as the client pulls them: complete, in order, and the files' own."""
    pulled = {}
    for symbol, (prefix, ticker) in SYMBOLS.items():
        rows = list(client.list_aggs(symbol, 1, "minute", FROM, TO, adjusted=False, sort="asc", limit=PAGE))
        starts = [row.timestamp for row in rows]
        expect(starts == sorted(set(starts)), f"{symbol}: minutes are repeated or out of order")
        found = {row.timestamp: [getattr(row, field) for field in FIELDS] for row in rows}
        expected = in_files(files, prefix, ticker)
        expect(len(expected) > 100, f"the files have only {len(expected)} minutes of {symbol}")
        expect(found.keys() == expected.keys(), f"{symbol}: {len(found)} minutes, the files have {len(expected)}")
        for start, minute in expected.items():
            expect(found[start] == minute, f"{symbol} at {start}: {found[start]}, the file has {minute}")
        has_vwap = symbol != "I:SPX"
        expect(all((row.vwap is not None) == has_vwap for row in rows), f"{symbol}: vwap where none is, or none where one is")
        pulled[symbol] = {row.timestamp: row for row in rows}
    return pulled


def check_pages(url, pulled):
    """No page was skipped, and none was asked for twice."""
    with urllib.request.urlopen(f"{url}/sandbox/stats") as answer:
        stats = json.load(answer)
    pages = {page: times for page, times in stats["pages"].items() if "/range/1/minute/" in page}
    expected = sum(math.ceil(len(rows) / PAGE) for rows in pulled.values())
    expect(len(pages) == expected and set(pages.values()) == {1}, f"{pages} instead of {expected} pages, each once")


def check_splits(client):
    """Both tables say the same, and adjusted prices follow from it by the vendor's rule."""
    splits = list(client.list_stocks_splits(limit=300, sort="execution_date.asc"))
    old = list(client.list_splits(limit=1000))

    def key(split):
        return (split.id, split.ticker, split.execution_date, split.split_from, split.split_to)

    expect(len(splits) > 1000, f"only {len(splits)} splits")
    expect(Counter(map(key, splits)) == Counter(map(key, old)), "the two tables of splits differ")
    for symbol in ["QUADS", "DIVVY"]:
        of_symbol = [split for split in splits if split.ticker == symbol]
        raw, adjusted = [
            list(client.list_aggs(symbol, 1, "day", FROM, TO, adjusted=adjusted)) for adjusted in [False, True]
        ]
        expect(len(raw) == len(adjusted) == 5, f"{symbol}: {len(raw)} days and {len(adjusted)} adjusted ones")
        for day, today in zip(raw, adjusted, strict=True):
            date = datetime.fromtimestamp(day.timestamp / 1000, ZoneInfo("America/New_York")).date().isoformat()
            later = [split for split in of_symbol if date < split.execution_date <= NOW[:10]]
            factor = later[0].historical_adjustment_factor if later else 1.0
            expect(math.isclose(day.close * factor, today.close, rel_tol=1e-5), f"{symbol} {date}: {day} {today} {factor}")
        expect(raw[0].close != adjusted[0].close and raw[-1].close == adjusted[-1].close, f"{symbol} did not split")
    return len(splits)


def check_markets(client):
    status = client.get_market_status()
    now = datetime.fromisoformat(status.server_time)
    expect(now == datetime.fromisoformat(NOW).astimezone(timezone.utc), f"the server's time is {status.server_time}")
    expect(status.market == status.exchanges.nyse == status.currencies.crypto == "open", f"the markets are {status}")
    holidays = [day for day in client.get_market_holidays() if day.exchange == "NYSE"]
    expect([day.date for day in holidays[:2]] == ["2026-11-26", "2026-11-27"], f"the next holidays are {holidays[:2]}")
    expect(holidays[1].status == "early-close" and holidays[1].close == "2026-11-27T18:00:00.000Z", f"{holidays[1]}")


def check_chains(client):
    """Option chains as the client pulls them, by contract; nobody gets an older one."""
    chains = {}
    for underlying in UNDERLYINGS:
        contracts = list(client.list_snapshot_options_chain(underlying, params={"limit": 250}))
        by_ticker = {contract.details.ticker: contract for contract in contracts}
        expect(len(contracts) == len(by_ticker) > 80, f"{underlying}: {len(contracts)} contracts, {len(by_ticker)} tickers")
        small = list(client.list_snapshot_options_chain(underlying, params={"limit": 50, "date": "2026-09-01"}))
        same = [(c.details.ticker, c.open_interest) for c in small] == [(c.details.ticker, c.open_interest) for c in contracts]
        expect(same, f"{underlying}: smaller pages, or a date, give another chain")
        chains[underlying] = by_ticker
    return chains


def check_own_chains(bin_dir, work, chains, url):
    """What this program stores of them; how many contracts that are."""
    settings = {"DATABASE_URL": f"sqlite:{work / 'chain.db'}", "MASSIVE_API_URL": url, "MASSIVE_API_KEY": KEY}
    run(bin_dir, "backfill", "chain", *UNDERLYINGS, "--rate=100/s", "--quiet", **settings)
    run(bin_dir, "backfill", "export", "--chain", "--format=csv", f"--output={work / 'chain'}", "--quiet", **settings)
    count = 0
    for path in sorted((work / "chain/option_chain").rglob("*.csv")):
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                contract = chains[row["underlying"]].pop(row["contract"])
                greeks = contract.greeks
                # Volume that was traded on another day is not the session's.
                stamp = getattr(contract.day, "last_updated", None)
                day = stamp and datetime.fromtimestamp(stamp / 1e9, ZoneInfo("America/New_York")).date().isoformat()
                expected = {
                    "open_interest": contract.open_interest,
                    "implied_volatility": contract.implied_volatility,
                    **{name: getattr(greeks, name, None) for name in ["delta", "gamma", "theta", "vega"]},
                    "day_volume": contract.day.volume if day == row["session_date"] else None,
                }
                for name, value in expected.items():
                    expect(number(row[name]) == value, f"{row['contract']}: {name} is {row[name]}, {value} was pulled")
                count += 1
    left = {underlying: len(contracts) for underlying, contracts in chains.items() if contracts}
    expect(not left, f"contracts that were pulled and are not stored: {left}")
    return count


def write_pulled(path, pulled):
    """What was pulled, in columns named like those of `backfill bars --csv`."""
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["symbol", "timestamp", "open", "high", "low", "close", "volume", "vwap", "trades"])
        for symbol, rows in pulled.items():
            for row in rows.values():
                prices = [row.open, row.high, row.low, row.close]
                out.writerow([symbol, row.timestamp, *prices, row.volume, row.vwap, row.transactions])


def check_bars(name, text, pulled):
    """1m bars as `backfill bars --csv` prints them, against what was pulled of their dates; how many there are."""
    bars = list(csv.DictReader(io.StringIO(text)))
    expect(bars and all(bar["timeframe"] == "1m" for bar in bars), f"{name} has no 1m bars, or others")
    dates = {(bar["symbol"], bar["session_date"]) for bar in bars}

    def date_of(symbol, start):
        zone = timezone.utc if symbol.startswith(("X:", "C:")) else ZoneInfo("America/New_York")
        return datetime.fromtimestamp(start / 1000, zone).date().isoformat()

    expected = {
        (symbol, start): row
        for symbol, rows in pulled.items()
        for start, row in rows.items()
        if (symbol, date_of(symbol, start)) in dates
    }
    found = {(bar["symbol"], int(bar["timestamp"])): bar for bar in bars}
    expect(found.keys() == expected.keys(), f"{name}: {len(found)} bars, {len(expected)} were pulled of their dates")
    for key, bar in found.items():
        row = expected[key]
        columns = {"open": row.open, "high": row.high, "low": row.low, "close": row.close, "volume": row.volume, "trades": row.transactions}
        for column, value in columns.items():
            expect(number(bar[column]) == value, f"{name}: {column} of {key} is {bar[column]}, {value} was pulled")
        if bar["vwap_method"] == "vendor":
            expect(math.isclose(float(bar["vwap"]), row.vwap, rel_tol=1e-12), f"{name}: VWAP of {key}: {bar['vwap']} {row.vwap}")
    return len(bars)


def bars(bin_dir, work, source, *words, **settings):
    """The 1m bars this program loads, by symbol and source."""
    settings["DATABASE_URL"] = f"sqlite:{work / source}.db"
    which = [f"--symbols={','.join(SYMBOLS)}", f"--from={FROM}", f"--to={TO}", "--timeframes=1m", "--quiet"]
    run(bin_dir, "backfill", *words, *which, **settings)
    show = ["--timeframe=1m", "--csv"]
    return {f"{symbol} from {source}": run(bin_dir, "backfill", "bars", symbol, *show, **settings).decode() for symbol in SYMBOLS}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin-dir", type=Path, required=True)
    parser.add_argument("--work-dir", type=Path, required=True)
    parser.add_argument("--bars", type=Path, action="append", default=[], help="1m bars to compare, as CSV")
    arguments = parser.parse_args()
    bin_dir, work = arguments.bin_dir.resolve(), arguments.work_dir.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    # What the vendor means, the late file included.
    run(bin_dir, "vendor-sandbox", "generate", f"--data-dir={work / 'files'}", *MARKET)

    vendor, url = serve(bin_dir, work)
    try:
        client = RESTClient(api_key=KEY, base=url)
        pulled = check_minutes(client, work / "files")
        check_pages(url, pulled)
        splits = check_splits(client)
        check_markets(client)
        contracts = check_own_chains(bin_dir, work, check_chains(client), url)
        loaded = bars(bin_dir, work, "rest", "rest", "--rate=100/s", MASSIVE_API_URL=url, MASSIVE_API_KEY=KEY)
    finally:
        vendor.terminate()
        vendor.wait()
    write_pulled(work / "pulled.csv", pulled)

    loaded |= bars(bin_dir, work, "files", "s3", f"--source={work / 'files'}")
    loaded |= {path: path.read_text() for path in arguments.bars}
    agreeing = sum(check_bars(name, text, pulled) for name, text in loaded.items())
    minutes = sum(map(len, pulled.values()))
    print(
        f"check-rest: the vendor's client sees the files' {minutes} minutes of {len(pulled)} symbols and {splits} splits;"
        f" {agreeing} bars and {contracts} option contracts of this program agree; see {work / 'pulled.csv'}"
    )


main()
