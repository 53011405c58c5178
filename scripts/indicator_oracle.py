#!/usr/bin/env python3
"""Makes tests/data/indicators.csv: bars by a seeded generator, and what TA-Lib says of them.

    python3 -m venv VENV && VENV/bin/pip install TA-Lib==0.8.2 && VENV/bin/python scripts/indicator_oracle.py

TA-Lib is independent of this project. Its RSI, EMA and ATR are seeded as Wilder's are and agree from the first value on. Its
directional indicators start from sums over 13 movements where Wilder sums 14; the difference is forgotten at 13/14 a bar, so
they are compared where less than 1e-10 of it is left.
"""

import pathlib
import random

import numpy
import talib

BARS = 700
SEED = 20261130
COLUMNS = ["open", "high", "low", "close", "rsi14", "ema21", "ema50", "ema200", "atr14", "adx14", "di_plus", "di_minus",
           "donchian_high", "donchian_low"]


def bars():
    rng = random.Random(SEED)
    price, rows = 100.0, []
    for number in range(BARS):
        drift = 0.15 if number % 200 < 60 else -0.1 if number % 200 < 100 else 0.0
        open_ = round(price + rng.gauss(0, 0.2), 2)
        close = round(max(5.0, open_ + rng.gauss(drift, 0.6)), 2)
        if number % 37 < 3:
            close = open_  # bars without a change
        high = round(max(open_, close) + abs(rng.gauss(0, 0.3)), 2)
        low = round(min(open_, close) - abs(rng.gauss(0, 0.3)), 2)
        rows.append((open_, high, low, close))
        price = close
    return rows


def atr(high, low, close):
    # TA-Lib leaves out the first bar, which has no close before it; Wilder's true range of it is its own range. So it gets a
    # bar before that adds nothing.
    padded = [numpy.concatenate([close[:1], values]) for values in (high, low, close)]
    return talib.ATR(*padded, 14)[1:]


def main():
    rows = bars()
    _, high, low, close = (numpy.array(column) for column in zip(*rows))
    columns = [
        talib.RSI(close, 14),
        talib.EMA(close, 21),
        talib.EMA(close, 50),
        talib.EMA(close, 200),
        atr(high, low, close),
        talib.ADX(high, low, close, 14),
        talib.PLUS_DI(high, low, close, 14),
        talib.MINUS_DI(high, low, close, 14),
        talib.MAX(high, 20),
        talib.MIN(low, 20),
    ]
    path = pathlib.Path(__file__).parent.parent / "tests" / "data" / "indicators.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        file.write(f"# TA-Lib {talib.__version__} (PyPI), by scripts/indicator_oracle.py with seed {SEED}\n")
        file.write(",".join(COLUMNS) + "\n")
        for number, row in enumerate(rows):
            values = ["" if numpy.isnan(column[number]) else repr(float(column[number])) for column in columns]
            file.write(",".join([*map(str, row), *values]) + "\n")


if __name__ == "__main__":
    main()
