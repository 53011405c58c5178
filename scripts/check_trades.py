"""Holds this program's trades against those of other engines, trade by trade; see scripts/check-trades.

The same signals (`symbol,timestamp,side,stop,target,max_bars`) go to `backtest --signals` and to each peer, over the bars that
`historical_bars` holds. Rules that are common to all, and the setting that makes them so:

* entry at the next bar's open; the entry bar can end the trade; one position at a time, signals meanwhile are lost;
* stop and target are prices; equality touches; a stop that the open gapped over fills at the open, a target too;
* both touched in one bar: the stop counts first (only bars of the signals' timeframe are loaded, so nothing finer decides);
* positions end at the session's close (without a bar there: at the next open), or at the close of the bar that `max_bars` names;
* no costs.

What the peers have no rule for is taken from their signals beforehand: entries without a bar (B-11) and entries whose open lies
beyond a level already (B-12). That this program trades neither is seen by its trades being no more than theirs.

A difference is explained by one of the rules in `RULES`, or it fails the check.
"""

import argparse
import csv
import gzip
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta, timezone
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo

from trade_peers import PEERS, Series, Signal, Trade

NOW = "2026-11-30T12:00:00Z"
NEW_YORK = ZoneInfo("America/New_York")
SLOT_MS = {"1m": 60_000, "5m": 300_000, "15m": 900_000}
HOLIDAYS = {date(2026, 11, 26)}
# Sessions that end at 13:00, of the synthetic and of the real data.
EARLY = {date(2026, 11, 27), date(2015, 12, 24)}
FIRST, LAST = date(2026, 10, 1), date(2026, 11, 27)
SYNTHETIC = 24

RULES = {
    "open first": "the bar opened beyond the target and touched the stop later: the open comes first, so ours is the target at the"
    " open; this peer looks at the stop first, whatever the open was",
}


def expect(true, what):
    if not true:
        sys.exit(f"check-trades: {what}")


# ---- bars ---------------------------------------------------------------------------------------------------------------


def sessions():
    day = FIRST
    while day <= LAST:
        if day.weekday() < 5 and day not in HOLIDAYS:
            yield day, 210 if day in EARLY else 390
        day += timedelta(days=1)


def make_days(folder):
    """Day files of synthetic stocks: quarters of an hour that gap, are wide, and sometimes lack."""
    folder.mkdir(parents=True)
    prices = {f"TEST{number:02}": 40.0 + 3 * number for number in range(SYNTHETIC)}
    for day, minutes in sessions():
        opening = datetime(day.year, day.month, day.day, 9, 30, tzinfo=NEW_YORK)
        with gzip.open(folder / f"{day}.csv.gz", "wt", newline="", compresslevel=1) as file:
            out = csv.writer(file)
            out.writerow("ticker,volume,open,close,high,low,window_start,transactions".split(","))
            for ticker, price in prices.items():
                chance = random.Random(f"{ticker} {day}")
                for start in range(0, minutes, 15):
                    if chance.random() < 0.35:
                        price += price * 0.004 * chance.choice([-1, 1]) * chance.uniform(0.3, 1.3)
                    width = price * 0.004 * chance.choice([0.1, 0.3, 1.0, 2.0])
                    path = [price, price + chance.uniform(0, width), price - chance.uniform(0, width)]
                    if chance.random() < 0.5:
                        path[1:] = path[:0:-1]
                    path.append(chance.uniform(path[1], path[2]))
                    price = path[-1] * chance.uniform(0.9997, 1.0003)
                    if chance.random() < 0.02:
                        continue
                    for minute, traded in zip(sorted(chance.sample(range(15), 4)), path):
                        traded = round(traded, 2)
                        moment = (opening + timedelta(minutes=start + minute)).astimezone(timezone.utc)
                        out.writerow([ticker, 100, *[traded] * 4, int(moment.timestamp()) * 10**9, 1])
                prices[ticker] = price


def read_bars(database, timeframe):
    rows = sqlite3.connect(database).execute(
        "SELECT symbol, timestamp, end_timestamp, session_date, open, high, low, close FROM historical_bars"
        " WHERE timeframe = ? AND session = 'regular' ORDER BY symbol, timestamp",
        [timeframe],
    )
    table = defaultdict(list)
    for symbol, start, end, session, *prices in rows:
        day = date.fromisoformat(session)
        close = datetime(day.year, day.month, day.day, 13 if day in EARLY else 16, tzinfo=NEW_YORK)
        table[symbol].append((start, end, session, int(close.timestamp()) * 1000, *prices))
    return {symbol: Series(symbol, *map(list, zip(*bars))) for symbol, bars in table.items()}


# ---- signals ------------------------------------------------------------------------------------------------------------


def random_signals(series, time_stops):
    """A quarter of the bars, either side. Levels are on the cent, as prices are, so that equality happens."""
    chance = random.Random(f"signals {series.symbol} {time_stops}")
    width = sum(high - low for high, low in zip(series.high, series.low)) / len(series)
    for bar in range(len(series) - 1):
        if chance.random() > 0.25:
            continue
        side, entry = chance.choice([1, -1]), series.open[bar + 1]
        stop = round(entry - side * max(0.01, chance.uniform(0.1, 1.5) * width), 2)
        target = round(entry + side * max(0.01, chance.uniform(0.1, 2.0) * width), 2)
        # Some levels are those of a bar, and the entry's open may lie beyond them.
        if chance.random() < 0.2:
            stop = series.low[bar] if side > 0 else series.high[bar]
        if chance.random() < 0.2:
            target = series.high[bar] if side > 0 else series.low[bar]
        max_bars = chance.randint(1, 20) if time_stops and chance.random() < 0.7 else None
        # The wrong way round they are no signal, and refused.
        if side * (target - stop) > 0:
            yield Signal(bar, side, stop, target if chance.random() < 0.95 else None, max_bars)


def breakout_signals(series, time_stops):
    """Closes beyond the highs or lows of twenty bars before, as a trader would send them."""
    for bar in range(20, len(series) - 1):
        highs, lows = series.high[bar - 20 : bar], series.low[bar - 20 : bar]
        close = series.close[bar]
        side = 1 if close > max(highs) else -1 if close < min(lows) else 0
        if side:
            distance = max(0.02, round(sum(h - l for h, l in zip(highs, lows)) / 20, 2))
            target = round(close + side * 1.5 * distance, 2)
            yield Signal(bar, side, round(close - side * distance, 2), target, 20 if time_stops else None)


def edge_signals(series, time_stops):
    """Levels are prices of the bar after the entry's, which only hindsight knows: made for bars that gap over a target and turn
    to the stop, that touch both, or that reach a level to the cent."""
    chance = random.Random(f"edges {series.symbol} {time_stops}")
    for bar in range(0, len(series) - 2, chance.randint(2, 4)):
        if series.last_of_session(bar) or series.last_of_session(bar + 1):
            continue
        side = chance.choice([1, -1])
        far, near = (series.high, series.low) if side > 0 else (series.low, series.high)
        cent = 0.01 * side
        target = chance.choice([series.open[bar + 2], far[bar + 2], far[bar + 2] + cent])
        stop = chance.choice([series.open[bar + 2], near[bar + 2], near[bar + 2] - cent])
        # Neither may end the trade in the entry's bar.
        target = max(target, far[bar + 1] + cent) if side > 0 else min(target, far[bar + 1] + cent)
        stop = min(stop, near[bar + 1] - cent) if side > 0 else max(stop, near[bar + 1] - cent)
        yield Signal(bar, side, round(stop, 2), round(target, 2), chance.randint(2, 4) if time_stops else None)


def tradable(series, signal, slot_ms):
    """B-11 and B-12: whether there is a bar to enter at, and its open lies between the levels."""
    entry_bar = signal.bar + 1
    if series.last_of_session(signal.bar) or series.start[entry_bar] - series.end[signal.bar] > slot_ms:
        return False
    entry = series.open[entry_bar]
    beyond = signal.side * (entry - signal.stop) <= 0
    return not beyond and (signal.target is None or signal.side * (signal.target - entry) > 0)


# ---- ours ---------------------------------------------------------------------------------------------------------------


def our_trades(options, database, path, series, signals, timeframe):
    with path.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow("symbol,timestamp,side,stop,target,max_bars".split(","))
        for symbol, of_symbol in signals.items():
            for signal in of_symbol:
                known = series[symbol].end[signal.bar]
                side = "long" if signal.side > 0 else "short"
                out.writerow([symbol, known, side, signal.stop, signal.target, signal.max_bars])
    days = sorted({day for bars in series.values() for day in bars.session})
    symbols = ",".join(series)
    results = path.with_suffix("")
    program = [
        options.bin_dir / "backtest", f"--signals={path}", "--costs=zero", "--random-draws=0", f"--timeframe={timeframe}",
        f"--symbols={symbols}", f"--from={days[0]}", f"--to={days[-1]}", "--no-fallback", "--quiet",
        f"--output={results}", f"--database-url=sqlite:{database}",
    ]  # fmt: skip
    # 3: days without bars, which the real data has between its own.
    made = subprocess.run(program, env={**os.environ, "BARKEEP_NOW": NOW}, stdout=subprocess.DEVNULL)
    expect(made.returncode in (0, 3), f"backtest ended with {made.returncode}")
    (report,) = results.glob("backtest-????-??-??.json")
    (result,) = json.loads(report.read_text())["results"]
    by_instant = lambda instants: {instant: bar for bar, instant in enumerate(instants)}
    places = {symbol: (by_instant(bars.start), by_instant(bars.end)) for symbol, bars in series.items()}
    trades = defaultdict(list)
    for trade in result["trades"]:
        starts, ends = places[trade["symbol"]]
        by_clock = trade["exitReason"] in ("EOD", "MAX_HOLD")
        # Exits by the clock carry the bar's end, or the start of the one that opened next.
        left = trade["exitTimestamp"]
        exit_bar = ends.get(left, starts.get(left)) if by_clock else starts[left]
        side, why = 1 if trade["direction"] == "LONG" else -1, "clock" if by_clock else "level"
        made = Trade(starts[trade["timestamp"]], side, trade["entryPrice"], exit_bar, trade["exitPrice"], why)
        # Of what is open when the data ends nobody knows the end (B-22).
        if trade["exitReason"] != "DATA_END":
            trades[trade["symbol"]].append(made)
    return trades


# ---- comparing ----------------------------------------------------------------------------------------------------------


def same(ours, theirs):
    close = abs(ours.exit - theirs.exit) <= 1e-12 * ours.exit and abs(ours.entry - theirs.entry) <= 1e-12 * ours.entry
    return close and (ours.side, ours.exit_bar) == (theirs.side, theirs.exit_bar) and theirs.why in (ours.why, None)


def rule_of(series, signal, ours, theirs):
    """The rule that two different ends of the same entry follow from, if one does."""
    if (ours.side, ours.entry, ours.exit_bar) != (theirs.side, theirs.entry, theirs.exit_bar) or signal.target is None:
        return None
    opened = series.open[ours.exit_bar]
    beyond_target = ours.side * (opened - signal.target) >= 0
    touched = series.low[ours.exit_bar] <= signal.stop if ours.side > 0 else series.high[ours.exit_bar] >= signal.stop
    at_stop = abs(theirs.exit - signal.stop) <= 1e-12 * signal.stop
    return "open first" if beyond_target and touched and ours.exit == opened and at_stop else None


def compare(series, signals, ours, theirs):
    """Identical trades, differences by rule, and lines about what nothing explains."""
    count, unexplained = Counter(), []
    for symbol, bars in series.items():
        by_bar = {signal.bar: signal for signal in signals[symbol]}
        mine = {trade.entry_bar: trade for trade in ours.get(symbol, [])}
        others = {trade.entry_bar: trade for trade in theirs.get(symbol, [])}
        for entry_bar in sorted(mine.keys() | others.keys()):
            a, b = mine.get(entry_bar), others.get(entry_bar)
            if a and b and same(a, b):
                count["identical"] += 1
            elif a and b and (rule := rule_of(bars, by_bar[entry_bar - 1], a, b)):
                count[rule] += 1
            else:
                count["unexplained"] += 1
                unexplained.append(f"{symbol} {by_bar.get(entry_bar - 1)}: ours {a}, theirs {b}")
    return count, unexplained


def load(options, source, database, timeframe):
    words = [f"--source={source}", "--all", "--accept", f"--timeframes={timeframe}", "--no-official-day", "--quiet"]
    span = ["--from=2003-09-10", f"--to={LAST}"]
    program = [options.bin_dir / "backfill", "s3", *words, *span, f"--database-url=sqlite:{database}"]
    subprocess.run(program, env={**os.environ, "BARKEEP_NOW": NOW}, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def real_data(options):
    """Folders of real day files, if they are on this machine: they are not ours to pass on."""
    root = Path(os.environ.get("BARKEEP_REAL_DATA") or "../shared/data/real")
    for name, timeframes in [("polygon-spy", ["15m", "5m"]), ("lean", ["5m"])]:
        if (root / name / "minute").is_dir():
            for timeframe in timeframes:
                yield f"{name} {timeframe}", root / name / "minute", timeframe
        else:
            print(f"check-trades: NO REAL DATA at {root / name} (set BARKEEP_REAL_DATA to its folder)", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin-dir", type=Path, required=True)
    parser.add_argument("--work-dir", type=Path, required=True)
    options = parser.parse_args()
    work = options.work_dir.resolve()
    shutil.rmtree(work, ignore_errors=True)
    make_days(work / "days")

    markets = [("synthetic 15m", work / "days", "15m"), *real_data(options)]
    rows, bad, made = [], [], 0
    for market, source, timeframe in markets:
        database = work / f"{market.replace(' ', '-')}.db"
        load(options, source, database, timeframe)
        series = read_bars(database, timeframe)
        expect(series, f"nothing was loaded from {source}")
        for kind, make in [("random", random_signals), ("breakout", breakout_signals), ("edges", edge_signals)]:
            for time_stops in [True, False]:
                sent = {symbol: list(make(bars, time_stops)) for symbol, bars in series.items()}
                kept = {
                    symbol: [signal for signal in sent[symbol] if tradable(bars, signal, SLOT_MS[timeframe])]
                    for symbol, bars in series.items()
                }
                name = f"{market} {kind}{' max_bars' if time_stops else ''}"
                ours = our_trades(options, database, work / f"{name.replace(' ', '-')}.csv", series, sent, timeframe)
                made += sum(map(len, ours.values()))
                for peer in PEERS:
                    if peer.time_stops != time_stops:
                        continue
                    for layout in peer.layouts:
                        began = time.perf_counter()
                        theirs = {s: list(peer.trades(bars, kept[s], layout)) for s, bars in series.items()}
                        count, unexplained = compare(series, kept, ours, theirs)
                        rows.append((peer, layout, name, count))
                        bad += [f"{peer.name} ({layout}), {name}: {line}" for line in unexplained]
                        print(f"{time.perf_counter() - began:7.1f} s  {peer.name} {layout} {name}: {dict(count)}", file=sys.stderr)
    report(rows, bad, made)


def report(rows, bad, made):
    print("layout `close`: bars followed by their close; `open`: preceded by their open, too (see trade_peers.py)\n")
    table = [["peer", "version", "layout", "bars and signals", "trades", "identical", *RULES, "unexplained"]]
    for peer, layout, name, count in rows:
        version = metadata.version(peer.version_of)
        if peer.name == "vectorbt (rust)":
            version += f", vectorbt-rust {metadata.version('vectorbt-rust')}"
        cells = [count["identical"], *(count[rule] for rule in RULES), count["unexplained"]]
        table.append([peer.name, version, layout, name, f"{count.total():,}", *(f"{cell:,}" for cell in cells)])
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print()
    for rule, words in RULES.items():
        print(f"{rule}: {words}")
    total = sum(count.total() for *_, count in rows)
    identical = sum(count["identical"] for *_, count in rows)
    engines = len({peer.version_of for peer, *_ in rows})
    print(f"\ncheck-trades: {made:,} trades, compared {total:,} times with those of {engines} engines, {identical:,} times identical")
    for line in bad[:20]:
        print(f"UNEXPLAINED {line}", file=sys.stderr)
    expect(not bad, f"{len(bad)} differences that no rule explains")
    expect(made >= 10_000, f"only {made} trades were compared")


main()
