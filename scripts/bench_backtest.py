"""Measures `backtest`. Run by `scripts/bench --backtest`.

Jobs, over 500 symbols × 90 sessions of 15m bars (1.17 million) that are in memory:
  engine     Breakouts of 20 bars, made beforehand, become trades with stop and target: by this program's engine, on one thread
             and on two; by vectorbt's `Portfolio.from_signals`, with its Rust and with its Numba engine, compiled before. All get
             the same bars and the same signals, end positions with the session, and hand out one record a trade. vectorbt has one
             order a bar, so a signal at the end of the bar a position was left in is lost to it.
  detectors  The 12 detectors that need no option chain, on every symbol, with all indicators and the engine.

The same bars from a database, whole process, reports included (--skip-stored leaves both out):
  stored     The 12 detectors over the same 500 symbols from SQLite.
  market     --market-days (62) days of a full market of 10,000 symbols from SQLite.

Each measurement is a process of its own, and they take turns. Jobs in memory are done once to warm up and then five times; their
wall and CPU are those of one time, without making or reading bars; their peak of memory is the process's, bars included.
"""

import argparse
import array
import csv
import datetime
import gzip
import io
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from bench import HERE, OUT, VENDOR, Bench, clean_env, machine, print_table, remove, say, timed

VENV = HERE / "venv-backtest/bin/python"
BARS, SYMBOLS, SESSIONS, SLOTS = OUT / "bars.f64", 500, 90, 26
FIRST, LAST = datetime.date(2026, 2, 2), datetime.date(2026, 6, 10)
CLOSED = {datetime.date(2026, 2, 16), datetime.date(2026, 4, 3), datetime.date(2026, 5, 25)}
PRICE_DETECTORS = [
    f"{name}_{side}"
    for name, sides in [
        ("breakout", ("bullish", "bearish")), ("mean_reversion", ("long", "short")), ("trend_continuation", ("long", "short")),
        ("power_hour_reversal", ("bullish", "bearish")), ("index_mean_reversion", ("long", "short")),
        ("opening_drive", ("bullish", "bearish")),
    ]
    for side in sides
]  # fmt: skip
# What is aimed at.
ENGINE_CPU_RATIO, DETECTORS_CPU, MEMORY_MIB, TWO_THREADS = 0.25, 1.5, 300, 1.8
MARKET_WALL, MARKET_MIB = 60, 1024


def peer(engine):
    """vectorbt in a process of its own: run as `bench_backtest.py --peer ENGINE`."""
    import resource
    import time

    import numpy
    import vectorbt

    bars = numpy.fromfile(BARS).reshape(SYMBOLS, -1, 5)
    opens, highs, lows, closes = (numpy.ascontiguousarray(bars[:, :, column].T) for column in range(4))
    del bars
    windows = numpy.lib.stride_tricks.sliding_window_view
    above, below = numpy.zeros(closes.shape, bool), numpy.zeros(closes.shape, bool)
    above[20:] = closes[20:] > windows(highs, 20, axis=0)[:-1].max(axis=-1)
    below[20:] = closes[20:] < windows(lows, 20, axis=0)[:-1].min(axis=-1)
    last = numpy.zeros((len(closes), 1), bool)
    last[SLOTS - 1 :: SLOTS] = True
    exits = numpy.ascontiguousarray(numpy.broadcast_to(last, closes.shape))
    # Entries stand in the row of their signal, at the price of the next open; positions end at the session's last close.
    price = numpy.where(last, closes, numpy.vstack([opens[1:], closes[-1:]]))
    given = dict(
        close=closes, open=opens, high=highs, low=lows, entries=above, short_entries=below, exits=exits, short_exits=exits,
        price=price, size=1.0, sl_stop=0.01, tp_stop=0.015, stop_entry_price="FillPrice", stop_exit_price="StopLimit",
        upon_opposite_entry="Ignore", init_cash=1e9, attach_call_seq=False, engine=engine,
    )  # fmt: skip
    trades = lambda: len(vectorbt.Portfolio.from_signals(**given).positions.values)
    count, rounds = trades(), 5
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(rounds):
        assert trades() == count
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    print(json.dumps({"bars": closes.size, "trades": count, "wall": wall / rounds, "cpu": cpu / rounds, "memory": peak}))


def in_memory(command):
    """What a job says of itself."""
    os.sync()
    made = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True, env=clean_env())
    return json.loads(made.stdout.splitlines()[-1])


def in_turns(tools, runs, measure):
    """Measurements by tool; who begins changes from round to round."""
    results, names = {tool: [] for tool in tools}, list(tools)
    for number in range(runs):
        for tool in names[number % len(names) :] + names[: number % len(names)]:
            results[tool].append(measure(tools[tool]))
            say(f"    {tool} {number + 1}/{runs}: {results[tool][-1]}")
    return results


def sessions():
    day = FIRST
    while day <= LAST:
        if day.weekday() < 5 and day not in CLOSED:
            yield day
        day += datetime.timedelta(days=1)


def write_days(folder):
    """The bars as day files: a bar as its prices, a minute each."""
    folder.mkdir(parents=True, exist_ok=True)
    bars = array.array("d", BARS.read_bytes())
    for number, day in enumerate(sessions()):
        path = folder / f"{day}.csv.gz"
        # Clocks change on March 8.
        opens = datetime.datetime(day.year, day.month, day.day, 14 if day < datetime.date(2026, 3, 8) else 13, 30, tzinfo=datetime.UTC)
        if path.exists():
            continue
        text = io.StringIO()
        out = csv.writer(text)
        out.writerow("ticker,volume,open,close,high,low,window_start,transactions".split(","))
        for symbol in range(SYMBOLS):
            for slot in range(SLOTS):
                at = ((symbol * SESSIONS + number) * SLOTS + slot) * 5
                o, h, l, c, volume = bars[at : at + 5]
                for minute, price in enumerate([o, h, l, c]):
                    start = int(opens.timestamp() + 60 * (15 * slot + minute)) * 10**9
                    out.writerow([f"TEST{symbol:03}", volume / 4, price, price, price, price, start, 25])
        path.write_bytes(gzip.compress(text.getvalue().encode(), 1))


def stored(bench, name, source, days, runs):
    """Loads days into SQLite, and measures a run of all detectors over them."""
    database = OUT / f"{name}.db"
    remove(database)
    say(f"==> {name}: loading")
    span = [f"--from={days[0]}", f"--to={days[-1]}"]
    url = f"--database-url=sqlite:{database}"
    bench.call("backfill", "s3", f"--source={source}", "--all", "--accept", "--timeframes=15m", "--no-official-day", *span, url,
               "--quiet")  # fmt: skip
    say(f"==> {name}: running")
    detectors = [f"--detector={detector}" for detector in PRICE_DETECTORS]
    tools = {}
    for threads in [1, 2]:
        results = OUT / f"results-{name}"
        tools[f"{name}, {threads} thread{'s'[: threads - 1]}"] = [
            bench.bin / "backtest", "--all", *detectors, "--ignore-asset-class", *span, "--no-fallback", f"--threads={threads}",
            f"--output={results}", url, "--quiet",
        ]  # fmt: skip
    measured = in_turns(tools, runs, lambda command: timed(command, clean_env()))
    remove(database)
    return measured


def verdict(value, target, most=True):
    met = value <= target if most else value >= target
    return ["≤" if most else "≥", f"{target:g}", "met" if met else "NOT met"]


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench --backtest", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backtest", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--runs", type=int, default=5, help="measurements of each (default 5)")
    parser.add_argument("--market-days", type=int, default=62, help="full-market days; 0 for none (default 62)")
    parser.add_argument("--skip-stored", action="store_true", help="from memory only")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--bin-dir", default="target/release", help=argparse.SUPPRESS)
    parser.add_argument("--kernels", default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    description = machine()
    in_memory_of = [options.kernels]
    subprocess.run([*in_memory_of, "bars", BARS], check=True)

    tools = {
        "engine": [*in_memory_of, "engine"],
        "engine, 2 threads": [*in_memory_of, "engine", "--threads=2"],
        "detectors": [*in_memory_of, "detectors"],
        "detectors, 2 threads": [*in_memory_of, "detectors", "--threads=2"],
    }
    versions = "NOT measured: vectorbt is not installed"
    if VENV.exists():
        code = "import vectorbt, vectorbt_rust; print(f'vectorbt {vectorbt.__version__}, vectorbt-rust {vectorbt_rust.__version__}')"
        versions = subprocess.run([VENV, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        tools |= {f"vectorbt ({engine})": [VENV, __file__, "--peer", engine] for engine in ["rust", "numba"]}
    say("==> from memory")
    measured = in_turns(tools, options.runs, in_memory)
    if not options.skip_stored:
        bench = Bench(options)
        days = list(sessions())
        assert len(days) == SESSIONS
        write_days(HERE / "backtest-days")
        measured |= stored(bench, "stored", HERE / "backtest-days", days, options.runs)
        if options.market_days:
            days = bench.sessions(options.market_days)
            bench.market(days)
            measured |= stored(bench, "market", VENDOR, days, max(1, options.runs // 2))

    medians = {
        tool: {what: statistics.median(m[what] for m in runs) for what in ("wall", "cpu", "memory")}
        for tool, runs in measured.items()
    }
    aims = targets(medians)
    if options.json:
        print(json.dumps({"machine": description, "peers": versions, "runs": measured, "aims": aims}, indent=1))
        return
    print(f"{description}; medians of {options.runs} [min–max]; {versions}\n")
    table = [["job", "wall s", "CPU s", "peak MiB", "trades"]]
    for tool, runs in measured.items():
        cell = lambda what, digits: f"{medians[tool][what]:.{digits}f} [{min(m[what] for m in runs):.{digits}f}–{max(m[what] for m in runs):.{digits}f}]"
        table.append([tool, cell("wall", 3), cell("cpu", 3), cell("memory", 0), f"{runs[0].get('trades', ''):,}" if "trades" in runs[0] else ""])
    print_table(table)
    print_table([["aim", "value", "", "", ""], *aims])


def targets(medians):
    """Lines of what is aimed at: name, value, bound, verdict."""
    lines = []
    one = lambda name, value, digits, *target, **how: lines.append([name, f"{value:.{digits}f}", *verdict(value, *target, **how)])
    ours, detectors = medians["engine"], medians["detectors"]
    for peer_name in ["vectorbt (rust)", "vectorbt (numba)"]:
        if peer_name in medians:
            one(f"engine: CPU / {peer_name}", ours["cpu"] / medians[peer_name]["cpu"], 3, ENGINE_CPU_RATIO)
            for what in ["wall", "memory"]:
                lines.append([f"engine: {what} / {peer_name}", f"{ours[what] / medians[peer_name][what]:.3f}", "", "", ""])
    one("detectors: CPU seconds", detectors["cpu"], 2, DETECTORS_CPU)
    one("detectors: peak MiB", detectors["memory"], 0, MEMORY_MIB)
    one("detectors: wall of one thread / of two", detectors["wall"] / medians["detectors, 2 threads"]["wall"], 2, TWO_THREADS, most=False)
    if "market, 2 threads" in medians:
        one("market: wall seconds", medians["market, 2 threads"]["wall"], 1, MARKET_WALL)
        one("market: peak MiB", medians["market, 2 threads"]["memory"], 0, MARKET_MIB)
    return lines


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        peer(sys.argv[2])
    else:
        main()
