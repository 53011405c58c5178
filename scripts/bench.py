"""Measures `backfill` beside DuckDB, Polars and gzip. Run by scripts/bench, which builds and installs what it needs.

Jobs:
  days=N     N full-market stock days (10,000 symbols, 1.7 million minutes, 23 MB packed each) from .csv.gz to bars of
             5m, 15m, 1h, 4h and day with sessions, VWAP and minute counts: by `backfill` into SQLite, by DuckDB into a
             DuckDB file, by Polars into Parquet. What each has made is compared: bars, sums of volume, close and VWAP.
             From 11 days on only `backfill` runs: what counts there is that memory stays flat.
  watchlist  20 symbols of one such day, all timeframes, by `backfill`; beside it `gzip -dc FILE > /dev/null`.
  again      `backfill s3` a second time over 90 loaded days of a default market behind the S3 sandbox: wall.

How:
  Each measurement is a process of its own, from start to exit, interpreter and imports included; wall by the clock,
  CPU (user + system) and peak memory from the kernel's account of the child. Tools take turns, and who begins changes
  from round to round; dirty pages are written out (sync) between measurements. Files are read once before the first
  round: the page cache is warm. Numbers are medians, with smallest and largest in brackets.
  Peers get what they like best: all files in one query, typed columns, each length rolled up from the next shorter one,
  default threads, a constant UTC offset (no time zone arithmetic per row), no checks of rows, files or duplicates.
  `backfill` commits each day with synchronous=FULL: it is on disk when the day is reported. DuckDB syncs its file at
  the end; Polars does not sync.
"""

import argparse
import datetime
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path("var/bench")
VENDOR = HERE / "vendor"
OUT = HERE / "out"
VENV = HERE / "venv/bin/python"

# The last day of the benchmark's market. Back to March all days have the same UTC offset and nobody closes early.
LAST = datetime.date(2026, 10, 16)
HOLIDAYS = {datetime.date(2026, m, d) for m, d in [(9, 7), (7, 3), (6, 19), (5, 25), (4, 3)]}
MOST_DAYS = 120
NEW_YORK_MINUTES = -240
PEER_DAYS = 10

TIMEFRAMES = ["5m", "15m", "1h", "4h", "day"]
SYMBOLS = "SPY QQQ IWM DIA AAPL MSFT NVDA TSLA AMZN META GOOGL AMD JPM XOM BAC F T PFE INTC BRK.B".split()

# What is aimed at: job, measure, of which peer, at most this ratio.
TARGETS = {
    ("days=1", "wall", "duckdb"): 0.6,
    ("days=10", "wall", "duckdb"): 0.5,
    ("days=10", "cpu", "duckdb"): 0.5,
    ("days=10", "memory", "duckdb"): 1 / 3,
    ("days=1", "wall", "polars"): 0.5,
    ("days=1", "cpu", "polars"): 0.5,
    ("days=10", "wall", "polars"): 0.5,
    ("days=10", "cpu", "polars"): 0.5,
    ("watchlist", "cpu", "gzip"): 0.7,
}
MOST_MEMORY_MIB = 300


# ---- the peers' programs: run as `bench.py --peer NAME OUTPUT FILE…` in their own process -----------------------------


def peer_duckdb(output, files):
    """One scan folds the minutes into 5m bars; each longer bar is made of the next shorter ones.

    Slower here: five roll-ups of a table of raw minutes, five CTEs over one scan, GROUPING SETS.
    """
    import duckdb

    con = duckdb.connect(output)
    con.execute("SET preserve_insertion_order = false")
    listed = ", ".join(f"'{file}'" for file in files)

    def fold(source, where, m):
        return f"""SELECT symbol, day, {m} AS m, session, arg_min(open, t) AS open, max(high) AS high, min(low) AS low,
            arg_max(close, t) AS close, sum(volume) AS volume, sum(pv) AS pv, sum(trades) AS trades,
            sum(minutes) AS minutes, min(t) AS t FROM {source} {where} GROUP BY ALL"""

    con.execute(f"""CREATE TEMP TABLE b5m AS
        WITH raw AS (
            SELECT ticker AS symbol, volume, open, high, low, close, transactions AS trades,
                   window_start // 60000000000 + ({NEW_YORK_MINUTES}) AS t
            FROM read_csv([{listed}], header = true, delim = ',', quote = '', escape = '', compression = 'gzip',
                          auto_detect = false, columns = {{
                'ticker': 'VARCHAR', 'volume': 'DOUBLE', 'open': 'DOUBLE', 'close': 'DOUBLE', 'high': 'DOUBLE',
                'low': 'DOUBLE', 'window_start': 'BIGINT', 'transactions': 'BIGINT'}})
        )
        SELECT symbol, (t // 5)::INTEGER AS five, arg_min(open, t) AS open, max(high) AS high, min(low) AS low,
            arg_max(close, t) AS close, sum(volume) AS volume, sum((high + low) / 2 * volume) AS pv,
            sum(trades)::BIGINT AS trades, count(*)::INTEGER AS minutes
        FROM raw GROUP BY symbol, five""")
    con.execute("""CREATE TEMP VIEW f5m AS
        SELECT symbol, five // 288 AS day, five % 288 * 5 AS m,
               (CASE WHEN five % 288 < 114 THEN 0 WHEN five % 288 < 192 THEN 1 ELSE 2 END)::TINYINT AS session,
               open, high, low, close, volume, pv, trades, minutes, five * 5 AS t
        FROM b5m""")
    con.execute("CREATE TEMP TABLE f15m AS " + fold("f5m", "", "m - m % 15"))
    hour = "CASE WHEN session = 1 THEN 570 + (m - 570) // {0} * {0} ELSE m - m % {0} END"
    con.execute("CREATE TEMP TABLE f1h AS " + fold("f15m", "", hour.format(60)))
    con.execute("CREATE TEMP TABLE f4h AS " + fold("f1h", "", hour.format(240)))
    con.execute("CREATE TEMP TABLE fday AS " + fold("f4h", "WHERE session = 1", f"({NEW_YORK_MINUTES}) * 0"))
    parts = " UNION ALL ".join(
        f"""SELECT symbol, '{timeframe}' AS timeframe, (day * 1440 + m - ({NEW_YORK_MINUTES}))::BIGINT * 60000
            AS timestamp, open, high, low, close, volume, CASE WHEN volume > 0 THEN pv / volume END AS vwap,
            trades::BIGINT AS trades, CASE session WHEN 0 THEN 'pre' WHEN 1 THEN 'regular' ELSE 'post' END AS session,
            minutes::INTEGER AS minutes FROM f{timeframe}"""
        for timeframe in TIMEFRAMES
    )
    con.execute(f"CREATE TABLE bars AS {parts}")
    con.close()


def peer_polars(output, files):
    """As in DuckDB: a lazy scan into 5m bars, on the streaming engine, then each length from the next shorter one."""
    import polars as pl

    t = (pl.col("window_start") // 60_000_000_000 + NEW_YORK_MINUTES).cast(pl.Int32)
    schema = {
        "ticker": pl.String, "volume": pl.Float64, "open": pl.Float64, "close": pl.Float64, "high": pl.Float64,
        "low": pl.Float64, "window_start": pl.Int64, "transactions": pl.Int64,
    }  # fmt: skip

    def fold(frame, m):
        # Rows of a symbol stand in order, and a group keeps the order of its rows.
        return frame.group_by("symbol", "day", "session", m.alias("m")).agg(
            pl.col("open").sort_by("t").first(), pl.col("high").max(), pl.col("low").min(),
            pl.col("close").sort_by("t").last(), pl.col("volume", "pv", "trades", "minutes").sum(), pl.col("t").min(),
        )  # fmt: skip

    rows = pl.concat([pl.scan_csv(file, schema=schema, quote_char=None) for file in files])
    five = (
        rows.group_by(pl.col("ticker").alias("symbol"), (t // 5).alias("five"))
        .agg(
            pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last(),
            pl.col("volume").sum(), ((pl.col("high") + pl.col("low")) / 2 * pl.col("volume")).sum().alias("pv"),
            pl.col("transactions").sum().alias("trades"), pl.len().cast(pl.Int32).alias("minutes"),
        )
        .collect(engine=os.environ.get("BENCH_POLARS_ENGINE", "streaming"))
    )  # fmt: skip
    m = pl.col("m")
    five = five.with_columns(
        day=pl.col("five") // 288, m=pl.col("five") % 288 * 5, t=pl.col("five") * 5
    ).with_columns(session=pl.when(m < 570).then(0).when(m < 960).then(1).otherwise(2).cast(pl.Int8)).drop("five")

    def anchored(length):
        regular = 570 + (m - 570) // length * length
        return pl.when(pl.col("session") == 1).then(regular).otherwise(m - m % length)

    frames = {"5m": five}
    frames["15m"] = fold(five, m - m % 15)
    frames["1h"] = fold(frames["15m"], anchored(60))
    frames["4h"] = fold(frames["1h"], anchored(240))
    frames["day"] = fold(frames["4h"].filter(pl.col("session") == 1), m * 0)
    columns = ["symbol", "day", "m", "open", "high", "low", "close", "volume", "pv", "trades", "session", "minutes"]
    parts = [
        frames[timeframe].select(columns).with_columns(timeframe=pl.lit(timeframe))
        for timeframe in TIMEFRAMES
    ]
    bars = pl.concat(parts).select(
        "symbol",
        "timeframe",
        ((pl.col("day").cast(pl.Int64) * 1440 + m - NEW_YORK_MINUTES) * 60_000).alias("timestamp"),
        "open", "high", "low", "close", "volume",
        pl.when(pl.col("volume") > 0).then(pl.col("pv") / pl.col("volume")).alias("vwap"),
        "trades",
        pl.col("session").replace_strict({0: "pre", 1: "regular", 2: "post"}, return_dtype=pl.String),
        "minutes",
    )  # fmt: skip
    bars.write_parquet(output)


PEERS = {"duckdb": peer_duckdb, "polars": peer_polars}


# ---- what each has made ------------------------------------------------------------------------------------------------

SUMS = "SELECT timeframe, count(*), sum(volume), sum(close), sum(vwap), sum(minutes) FROM {} GROUP BY 1"


def sums_of(tool, path):
    code = {
        "ours": f"import sqlite3; r = sqlite3.connect('{path}').execute(\"{SUMS.format('historical_bars')}\").fetchall()",
        "duckdb": f"import duckdb; r = duckdb.connect('{path}', read_only=True).execute(\"{SUMS.format('bars')}\")"
        ".fetchall()",
        "polars": f"import polars as pl; r = pl.read_parquet('{path}').group_by('timeframe').agg(pl.len(), pl.col("
        "'volume', 'close', 'vwap', 'minutes').sum()).rows()",
    }[tool]
    made = subprocess.run(
        [sys.executable if tool == "ours" else VENV, "-c", code + "; import json; print(json.dumps([[float(c) if i else c for i, c in enumerate(x)] for x in"
         " r]))"], check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return {row[0]: tuple(row[1:]) for row in json.loads(made)}


def compare(made):
    """Lines that say what agrees, and whether all does."""
    lines, good = [], True
    ours = made.get("ours")
    for tool, theirs in made.items():
        bars = sum(int(row[0]) for row in theirs.values())
        if tool == "ours" or ours is None:
            lines.append(f"{tool}: {bars:,} bars")
            continue
        worst = 0.0
        same = set(theirs) == set(ours)
        for timeframe in set(ours) & set(theirs):
            same = same and int(ours[timeframe][0]) == int(theirs[timeframe][0])
            for a, b in zip(ours[timeframe][1:], theirs[timeframe][1:]):
                worst = max(worst, abs(a - b) / max(abs(a), 1e-300))
        agrees = same and worst <= 1e-6
        good = good and agrees
        verdict = "agrees" if agrees else "DIFFERS"
        lines.append(
            f"{tool}: {bars:,} bars, {verdict} (counts of every timeframe {'equal' if same else 'NOT equal'}; sums of volume,"
            f" close, vwap and minutes within {worst:.1e})"
        )
    return lines, good


# ---- measuring ---------------------------------------------------------------------------------------------------------


def say(text):
    print(text, file=sys.stderr, flush=True)


def timed(command, env=None):
    """Runs a command to its end: wall and CPU seconds, peak memory in MiB.

    The kernel's account of a child's peak begins with what its parent had before the exec. So this program must stay
    small: files are read and sums are made by children too.
    """
    os.sync()
    began = time.perf_counter()
    with open(OUT / "last.log", "wb") as log:
        child = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=log, env=env)
        _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"failed ({child.returncode}): {' '.join(map(str, command))}\n{(OUT / 'last.log').read_text()}")
    peak = usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "memory": peak}


def remove(path):
    for file in path.parent.glob(path.name + "*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()


def size_of(path):
    return sum(file.stat().st_size for file in path.parent.glob(path.name + "*"))


def clean_env(**more):
    """Without the user's own settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MASSIVE_", "BARKEEP_", "AWS_", "DATABASE_URL"))}
    return {**kept, **more}


class Bench:
    def __init__(self, options):
        self.options = options
        self.bin = Path(options.bin_dir)
        self.results = {}
        self.checks = {}
        self.notes = []
        self.good = True

    def sessions(self, count):
        days, day = [], LAST
        while len(days) < count:
            if day.weekday() < 5 and day not in HOLIDAYS:
                days.append(day)
            day -= datetime.timedelta(days=1)
        return days[::-1]

    def market(self, days):
        say(f"==> {len(days)} full-market day{'s'[: len(days) > 1]} in {VENDOR} (those there are kept)")
        self.call("vendor-sandbox", "generate", f"--data-dir={VENDOR}", "--market=full", f"--from={days[0]}",
                  f"--to={days[-1]}")  # fmt: skip
        files = [VENDOR / f"us_stocks_sip/minute_aggs_v1/{day:%Y/%m/%Y-%m-%d}.csv.gz" for day in days]
        subprocess.run(["cat", *files], check=True, stdout=subprocess.DEVNULL)
        return files

    def call(self, program, *arguments, env=None):
        subprocess.run([self.bin / program, *arguments], check=True, stdout=subprocess.DEVNULL, env=env or clean_env())

    def rounds(self, job, tools):
        """Measures tools in turns; `tools` has for each a preparation, a command, an output and an environment."""
        runs = {tool: [] for tool in tools}
        names = list(tools)
        for number in range(self.options.runs):
            for tool in names[number % len(names) :] + names[: number % len(names)]:
                command, output, env = tools[tool]
                if output:
                    remove(output)
                measured = timed(command, env)
                if output:
                    measured["size"] = size_of(output) / 1e6
                runs[tool].append(measured)
                say(f"    {job} {tool} {number + 1}/{self.options.runs}: " + ", ".join(
                    f"{k} {v:.2f}" for k, v in measured.items()))  # fmt: skip
        self.results[job] = runs

    def full_days(self, count):
        days = self.sessions(count)
        files = self.market(days)
        job = f"days={count}"
        say(f"==> {job}")
        ours = OUT / f"ours-{count}.db"
        tools = {
            "ours": (
                [self.bin / "backfill", "s3", f"--source={VENDOR}", "--all", f"--timeframes={','.join(TIMEFRAMES)}",
                 "--no-official-day", f"--from={days[0]}", f"--to={days[-1]}", f"--database-url=sqlite:{ours}", "--quiet"],
                ours, clean_env(),
            )
        }  # fmt: skip
        endings = {"duckdb": "duckdb", "polars": "parquet"}
        for peer in self.options.peers:
            output = OUT / f"{peer}-{count}.{endings[peer]}"
            tools[peer] = ([VENV, __file__, "--peer", peer, output, *files], output, None)
        if count > PEER_DAYS:
            self.notes.append(f"{job}: only ours, for the memory")
            tools = {"ours": tools["ours"]}
        tools = {tool: run for tool, run in tools.items() if self.options.only in (None, tool)}
        if not tools:
            return
        self.rounds(job, tools)
        lines, good = compare({tool: sums_of(tool, run[1]) for tool, run in tools.items()})
        self.checks[job] = lines
        self.good = self.good and good
        for run in tools.values():
            remove(run[1])

    def watchlist(self):
        day = self.sessions(1)
        file = self.market(day)[0]
        say("==> watchlist")
        ours = OUT / "watchlist.db"
        tools = {
            "ours": (
                [self.bin / "backfill", "s3", f"--source={VENDOR}", f"--symbols={','.join(SYMBOLS)}", "--no-official-day",
                 f"--from={day[0]}", f"--to={day[0]}", f"--database-url=sqlite:{ours}", "--quiet"], ours, clean_env(),
            ),
            "gzip": (["gzip", "-dc", file], None, None),
        }  # fmt: skip
        tools = {tool: run for tool, run in tools.items() if self.options.only in (None, tool)}
        if tools:
            self.rounds("watchlist", tools)
        remove(ours)

    def again(self):
        say("==> again: 90 days of a default market through the S3 sandbox")
        port_file, database = HERE / "endpoint", HERE / "out/again.db"
        port_file.unlink(missing_ok=True)
        remove(database)
        server = subprocess.Popen(
            [self.bin / "vendor-sandbox", "serve", f"--data-dir={HERE / 'default'}", "--dataset=stocks", "--days=90",
             f"--port-file={port_file}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_env(),
        )  # fmt: skip
        try:
            while not (port_file.exists() and port_file.read_text().strip()):
                if server.poll() is not None:
                    sys.exit("the sandbox did not start")
                time.sleep(0.05)
            env = clean_env(
                MASSIVE_S3_ENDPOINT=port_file.read_text().strip(),
                MASSIVE_S3_ACCESS_KEY_ID="sandbox",
                MASSIVE_S3_SECRET_ACCESS_KEY="sandbox-secret",
                BARKEEP_CACHE_DIR=str(HERE / "cache"),
            )
            arguments = ["s3", "--days=90", f"--symbols={','.join(SYMBOLS)}", f"--database-url=sqlite:{database}", "--quiet"]
            self.call("backfill", *arguments, env=env)
            size = size_of(database) / 1e6
            self.rounds("again", {"ours": ([self.bin / "backfill", *arguments], None, env)})
            self.notes.append(f"again: the database of 20 symbols over 90 days, six timeframes and day_official: {size:.0f} MB")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
            remove(database)
            shutil.rmtree(HERE / "cache", ignore_errors=True)

    # ---- showing

    def rows(self):
        """One row per job and tool: medians with spread, ratios to ours, targets."""
        shown = []
        for job, runs in self.results.items():
            for tool, measured in runs.items():
                row = {"job": job, "tool": tool, "runs": len(measured)}
                for what in ("wall", "cpu", "memory", "size"):
                    values = [m[what] for m in measured if what in m]
                    if values:
                        row[what] = {"median": statistics.median(values), "min": min(values), "max": max(values)}
                shown.append(row)
        return shown

    def ratios(self):
        """Ours against each peer: the ratio of medians, with the spread of the rounds' own ratios."""
        shown = []
        for job, runs in self.results.items():
            for peer in runs:
                if peer == "ours" or "ours" not in runs:
                    continue
                for what in ("wall", "cpu", "memory"):
                    if peer == "gzip" and what == "memory":
                        continue
                    each = [a[what] / b[what] for a, b in zip(runs["ours"], runs[peer])]
                    medians = [statistics.median(m[what] for m in runs[tool]) for tool in ("ours", peer)]
                    target = TARGETS.get((job, what, peer))
                    ratio = medians[0] / medians[1]
                    shown.append({
                        "job": job, "measure": what, "of": peer, "ratio": ratio, "min": min(each), "max": max(each),
                        "target": target, "met": None if target is None else ratio <= target,
                    })  # fmt: skip
            if job.startswith("days=") and "ours" in runs:
                peak = max(m["memory"] for m in runs["ours"])
                shown.append({
                    "job": job, "measure": "peak MiB", "of": None, "ratio": peak, "min": min(m["memory"] for m in runs["ours"]),
                    "max": peak, "target": MOST_MEMORY_MIB, "met": peak <= MOST_MEMORY_MIB,
                })  # fmt: skip
        return shown

    def print_text(self, machine):
        print(f"{machine}; medians of {self.options.runs} [min–max]; page cache warm; ours synchronous=FULL\n")
        cell = lambda v, digits: f"{v['median']:.{digits}f} [{v['min']:.{digits}f}–{v['max']:.{digits}f}]" if v else ""
        table = [["job", "tool", "wall s", "CPU s", "peak MiB", "output MB"]]
        for row in self.rows():
            table.append([row["job"], row["tool"], cell(row["wall"], 2), cell(row["cpu"], 2), cell(row["memory"], 0),
                          f"{row['size']['median']:.0f}" if "size" in row else ""])  # fmt: skip
        print_table(table)
        table = [["job", "measure", "value", "min–max", "target", ""]]
        for r in self.ratios():
            name = f"{r['measure']} / {r['of']}" if r["of"] else r["measure"]
            digits = 2 if r["of"] else 0
            verdict = {None: "", True: "met", False: "NOT met"}[r["met"]]
            table.append([r["job"], name, f"{r['ratio']:.{digits}f}", f"{r['min']:.{digits}f}–{r['max']:.{digits}f}",
                          "" if r["target"] is None else f"≤ {r['target']:.{digits}f}", verdict])  # fmt: skip
        if len(table) > 1:
            print_table(table)
        for job, lines in self.checks.items():
            for line in lines:
                print(f"check {job} {line}")
        for note in self.notes:
            print(f"note {note}")


def print_table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print()


def machine():
    model = "unknown processor"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0] if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return f"{datetime.date.today()}: {os.cpu_count()} cores, {model}, {memory:.0f} GiB; load average at the start {load:.1f}"


def installed_peers():
    found, versions = [], []
    for peer in PEERS:
        made = subprocess.run([VENV, "-c", f"import {peer}; print({peer}.__version__)"], capture_output=True, text=True) \
            if VENV.exists() else None  # fmt: skip
        if made and made.returncode == 0:
            found.append(peer)
            versions.append(f"{peer} {made.stdout.strip()}")
    return found, versions


def main():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", default="1,10", help="numbers of full-market days, with commas between (default 1,10)")
    parser.add_argument("--runs", type=int, default=5, help="measurements of each tool (default 5)")
    parser.add_argument("--only", choices=["ours", "duckdb", "polars", "gzip"], help="measure one tool alone")
    parser.add_argument("--skip-small", action="store_true", help="full-market days only: no watchlist, no second run")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--bin-dir", default="target/release", help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        counts = [int(count) for count in options.days.split(",") if count]
    except ValueError:
        parser.error(f"--days={options.days}: numbers with commas between are wanted")
    if not all(1 <= count <= MOST_DAYS for count in counts) or options.runs < 1:
        parser.error(f"--days takes 1 to {MOST_DAYS}, --runs 1 or more")

    OUT.mkdir(parents=True, exist_ok=True)
    description = machine()
    options.peers, versions = ([], []) if options.only in ("ours", "gzip") else installed_peers()
    missing = set(PEERS) - set(options.peers) if options.only is None else {options.only} & set(PEERS) - set(options.peers)
    bench = Bench(options)
    if missing:
        say(f"WARNING: not installed and NOT measured: {', '.join(sorted(missing))}")
        bench.notes.append(f"NOT measured, as not installed: {', '.join(sorted(missing))}")
    if versions:
        bench.notes.append("peers: " + ", ".join(versions))
    for count in counts:
        bench.full_days(count)
    if not options.skip_small:
        if options.only in (None, "ours", "gzip"):
            bench.watchlist()
        if options.only in (None, "ours"):
            bench.again()
    if options.json:
        print(json.dumps({"machine": description, "results": bench.rows(), "ratios": bench.ratios(), "checks": bench.checks,
                          "notes": bench.notes}, indent=1))  # fmt: skip
    else:
        bench.print_text(description)
    sys.exit(0 if bench.good else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        PEERS[sys.argv[2]](sys.argv[3], sys.argv[4:])
    else:
        main()
