"""Measures `backfill` into PostgreSQL, and reads from both databases. Run by `scripts/bench --postgres`.

Jobs, over full-market stock days (10,000 symbols, 1.7 million minutes, 23 MB packed each), all symbols, 5m to day:
  copy       One day into an empty month: `backfill` from the packed file, decoding and roll-up included; beside it psql's
             `\\copy` of the same finished rows, as CSV in the order of the key, into the same table with the same key.
             Whole processes; the server has had a checkpoint before each.
  share      --share-days days (default 30) by one process, and by two at once over the same range: wall of the last to end.
             On PostgreSQL and on SQLite. The tables must be the same.
  query      90 days of 15m bars of one symbol, as another program asks for them, in the databases of `share`: --queries
             symbols (default 300) one after the other, once to warm and once to measure. On PostgreSQL as psql's \\timing has
             it, on SQLite as Python's sqlite3 has it (rows fetched).

The server is one of its own (scripts/postgres) with fsync on, in var/bench; it is removed at the end.
"""

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench import HERE, OUT, VENDOR, Bench, clean_env, machine, print_table, remove, say, timed

COPY_RATIO = 1.1
MOST_CLIENT_MIB = 400
QUERY_MS = 10
COLUMNS = "symbol, timeframe, timestamp, open, high, low, close, volume, vwap, trades, session, vwap_method, session_date, end_timestamp, minutes"
SETTINGS = ["fsync=on", "full_page_writes=on", "shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=30min"]


class Server:
    """A PostgreSQL of this benchmark's own."""

    def __init__(self):
        self.folder = (HERE / "postgres").absolute()
        if self.folder.exists():
            subprocess.run(["scripts/postgres", "stop", self.folder, "immediate"], capture_output=True)
            shutil.rmtree(self.folder)
        made = subprocess.run(["scripts/postgres", "start", self.folder, *SETTINGS], check=True, stdout=subprocess.PIPE, text=True)
        self.url = made.stdout.strip()

    def stop(self):
        subprocess.run(["scripts/postgres", "stop", self.folder], check=True)
        shutil.rmtree(self.folder)

    def psql(self, database, *commands):
        arguments = [part for command in commands for part in ("-c", command)]
        made = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", self.at(database), *arguments], check=True,
                              stdout=subprocess.PIPE, text=True)  # fmt: skip
        return made.stdout.strip()

    def at(self, database):
        return self.url.rsplit("/", 1)[0] + "/" + database


def arguments(bench, url, days):
    return [bench.bin / "backfill", "s3", f"--source={VENDOR}", "--all", "--no-official-day", f"--from={days[0]}",
            f"--to={days[-1]}", f"--database-url={url}", "--quiet"]  # fmt: skip


def copy(bench, server, runs):
    days = bench.sessions(1)
    bench.market(days)
    say("==> copy")
    server.psql("postgres", "CREATE DATABASE copied")
    url, finished = server.at("copied"), OUT / "finished.csv"
    subprocess.run(arguments(bench, url, days), check=True, env=clean_env())
    rows = int(server.psql("copied", "SELECT count(*) FROM historical_bars"))
    server.psql("copied", f"\\copy (SELECT {COLUMNS} FROM historical_bars ORDER BY symbol, timeframe, timestamp) TO '{finished}' CSV")
    tools = {
        "ours": arguments(bench, url, days),
        "psql": ["psql", "-qX", "-v", "ON_ERROR_STOP=1", url, "-c", f"\\copy historical_bars ({COLUMNS}) FROM '{finished}' CSV"],
    }
    measured = {tool: [] for tool in tools}
    for number in range(runs):
        for tool in sorted(tools, reverse=number % 2 == 1):
            server.psql("copied", "TRUNCATE historical_bars, ingest_ledger, coverage", "CHECKPOINT")
            measured[tool].append(timed(tools[tool], clean_env()))
            say(f"    copy {tool} {number + 1}/{runs}: wall {measured[tool][-1]['wall']:.2f}, memory {measured[tool][-1]['memory']:.0f}")
            if int(server.psql("copied", "SELECT count(*) FROM historical_bars")) != rows:
                sys.exit(f"copy: {tool} did not write {rows} bars")
    server.psql("postgres", "DROP DATABASE copied")
    finished.unlink()
    each = [a["wall"] / b["wall"] for a, b in zip(measured["ours"], measured["psql"])]
    return {"rows": rows, "runs": measured, "ratio": statistics.median(each), "min": min(each), "max": max(each),
            "peak_mib": max(run["memory"] for run in measured["ours"])}  # fmt: skip


SUMS = "SELECT timeframe, count(*), sum(volume), sum(close), sum(minutes) FROM historical_bars GROUP BY 1 ORDER BY 1"


def share(bench, server, count):
    days = bench.sessions(count)
    bench.market(days)
    say(f"==> share: {count} days")
    result = {}
    for store in ("postgres", "sqlite"):
        walls, sums = {}, {}
        for processes in (1, 2):
            name = f"shared_{processes}"
            file = OUT / f"{name}.db"
            if store == "postgres":
                server.psql("postgres", f"CREATE DATABASE {name}", "CHECKPOINT")
                url = server.at(name)
            else:
                remove(file)
                url = f"sqlite:{file}"
            os.sync()
            began = time.perf_counter()
            children = [subprocess.Popen(list(map(str, arguments(bench, url, days))), env=clean_env()) for _ in range(processes)]
            if any([child.wait() != 0 for child in children]):
                sys.exit("share: a process failed")
            walls[processes] = time.perf_counter() - began
            say(f"    share {store} by {processes}: {walls[processes]:.1f} s")
            # In children, so that this process stays small.
            if store == "postgres":
                sums[processes] = server.psql(name, SUMS)
            else:
                code = f"import sqlite3; print(sqlite3.connect('{file}').execute(\"{SUMS}\").fetchall())"
                sums[processes] = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout
            if processes == 1:
                continue
            if store == "postgres":
                server.psql("postgres", "DROP DATABASE shared_1")
            else:
                remove(OUT / "shared_1.db")
        # The order in which floating-point numbers are added is the database's business.
        rounded = [re.sub(r"(\d+\.\d+(e[+-]?\d+)?)", lambda number: f"{float(number[0]):.9e}", text) for text in sums.values()]
        if rounded[0] != rounded[1]:
            sys.exit(f"share: the tables differ on {store}:\n{sums}")
        result[store] = walls
    return result


def query(server, count):
    say("==> query")
    picked = f"SELECT symbol FROM historical_bars WHERE timeframe = 'day' AND timestamp = (SELECT max(timestamp) FROM historical_bars WHERE timeframe = 'day') ORDER BY symbol"
    symbols = server.psql("shared_2", picked).split()
    random.Random(1).shuffle(symbols)
    symbols = symbols[:count]
    latest = int(server.psql("shared_2", "SELECT max(timestamp) FROM historical_bars"))
    since = latest - 90 * 86_400_000
    sql = "SELECT {} FROM historical_bars WHERE symbol = '{}' AND timeframe = '15m' AND timestamp BETWEEN {} AND {} ORDER BY timestamp"
    script = OUT / "queries.sql"
    queries = [sql.format(COLUMNS, symbol.replace("'", "''"), since, latest) + ";" for symbol in symbols]
    script.write_text("\\o /dev/null\n" + "\n".join(queries) + "\n\\o\n\\timing on\n\\o /dev/null\n" + "\n".join(queries) + "\n")
    server.psql("shared_2", "ANALYZE")
    made = subprocess.run(["psql", "-qX", server.at("shared_2"), "-f", script], check=True, stdout=subprocess.PIPE, text=True)
    times = {"postgres": [float(ms) for ms in re.findall(r"Time: ([\d.]+) ms", made.stdout)]}
    code = f"""
import json, sqlite3, time
c = sqlite3.connect({str(OUT / 'shared_2.db')!r})
q = "SELECT {COLUMNS} FROM historical_bars WHERE symbol = ? AND timeframe = '15m' AND timestamp BETWEEN ? AND ? ORDER BY timestamp"
times = []
for warm in (True, False):
    for symbol in {symbols!r}:
        began = time.perf_counter()
        rows = c.execute(q, (symbol, {since}, {latest})).fetchall()
        if not warm:
            times.append((time.perf_counter() - began) * 1000)
print(json.dumps([times, len(rows)]))"""
    made = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    times["sqlite"] = json.loads(made.stdout)[0]
    script.unlink()
    result = {}
    for store, taken in times.items():
        if len(taken) != len(symbols):
            sys.exit(f"query: {len(taken)} times of {len(symbols)} queries on {store}")
        taken.sort()
        result[store] = {"queries": len(taken), "median_ms": statistics.median(taken), "p99_ms": taken[int(len(taken) * 0.99)], "max_ms": taken[-1]}
    return result


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/bench --postgres", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--postgres", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--runs", type=int, default=5, help="measurements of each tool in `copy` (default 5)")
    parser.add_argument("--share-days", type=int, default=30, help="full-market days of `share` and `query` (default 30)")
    parser.add_argument("--queries", type=int, default=300, help="symbols asked for in `query` (default 300)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--bin-dir", default="target/release", help=argparse.SUPPRESS)
    options = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    description = machine()
    bench, server = Bench(options), Server()
    try:
        version = server.psql("postgres", "SHOW server_version")
        copied = copy(bench, server, options.runs)
        shared = share(bench, server, options.share_days)
        queried = query(server, options.queries)
    finally:
        server.stop()
        remove(OUT / "shared_1.db")
        remove(OUT / "shared_2.db")
    if options.json:
        print(json.dumps({"machine": description, "postgres": version, "copy": copied, "share": shared, "query": queried}, indent=1))
        return
    print(f"{description}; PostgreSQL {version}, fsync on\n")
    verdict = lambda good: "met" if good else "NOT met"
    rows = [["copy", "wall s", "CPU s", "peak MiB"]]
    for tool, runs in copied["runs"].items():
        cell = lambda what, digits: f"{statistics.median(r[what] for r in runs):.{digits}f} [{min(r[what] for r in runs):.{digits}f}–{max(r[what] for r in runs):.{digits}f}]"
        rows.append([tool, cell("wall", 2), cell("cpu", 2), cell("memory", 0)])
    print_table(rows)
    print(f"{copied['rows']:,} bars; wall / psql {copied['ratio']:.2f} [{copied['min']:.2f}–{copied['max']:.2f}], aim ≤ {COPY_RATIO}: "
          f"{verdict(copied['ratio'] <= COPY_RATIO)}; client's peak {copied['peak_mib']:.0f} MiB, aim ≤ {MOST_CLIENT_MIB}: "
          f"{verdict(copied['peak_mib'] <= MOST_CLIENT_MIB)}\n")  # fmt: skip
    rows = [[f"{options.share_days} days", "one process s", "two processes s", "two / one"]]
    rows += [[store, f"{w[1]:.1f}", f"{w[2]:.1f}", f"{w[2] / w[1]:.2f}"] for store, w in shared.items()]
    print_table(rows)
    rows = [["90 days of 15m", "queries", "median ms", "p99 ms", "max ms", f"aim < {QUERY_MS} ms"]]
    rows += [[store, str(q["queries"]), f"{q['median_ms']:.2f}", f"{q['p99_ms']:.2f}", f"{q['max_ms']:.2f}", verdict(q["p99_ms"] < QUERY_MS)]
             for store, q in queried.items()]  # fmt: skip
    print_table(rows)


if __name__ == "__main__":
    main()
