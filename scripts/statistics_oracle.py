"""Writes tests/data/statistics.json: samples, and what numpy, scipy and statsmodels say of them; `cargo test --test
statistics` holds the product's statistics against it. To make it again (the same bytes come out):

    python3 -m venv target/oracle
    target/oracle/bin/pip install numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0
    target/oracle/bin/python scripts/statistics_oracle.py

Nothing here shares code or formulas with the product where a package has the statistic: Wilson's interval, the clustered
standard error and the false discovery rate come from statsmodels; the analysis of variance, ranks, moments, roots and the
normal distribution from scipy; quantiles and running maxima from numpy. The bootstrap is done the slow way, row by row, with
other random numbers and more of them, so that it agrees within its own noise only.
"""

import json
import math
from pathlib import Path

import numpy
import statsmodels.api
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

Z = 1.959964
OUT = Path(__file__).parent.parent / "tests/data/statistics.json"


def trades(random, sessions, most_per_session, shared):
    """Trades whose R has a part that all of a session share."""
    rows = []
    for session in range(sessions):
        common = random.normal(0.1, shared)
        for _ in range(random.integers(1, most_per_session + 1)):
            entry = round(random.uniform(5, 400), 2)
            side = 1 if random.random() < 0.6 else -1
            stop = round(entry * (1 - side * random.uniform(0.002, 0.02)), 2)
            quantity = float(random.integers(1, 500))
            risk = abs(entry - stop) * quantity
            gross = risk * float(numpy.clip(common + random.normal(0, 1), -1.2, 3))
            costs = quantity * entry * random.uniform(0.5e-4, 4e-4)
            rows.append(
                {
                    "session": session,
                    "side": side,
                    "entry": entry,
                    "stop": stop,
                    "quantity": quantity,
                    "gross": round(gross, 4),
                    "costs": round(costs, 4),
                    "mae": -round(abs(random.normal(0.5, 0.3)), 4),
                    "mfe": round(abs(random.normal(0.8, 0.5)), 4),
                    "score": float(random.integers(60, 80)) if random.random() < 0.5 else round(random.uniform(60, 95), 3),
                    "bars": int(random.integers(1, 27)),
                }
            )
    return rows


def spread(values):
    if len(values) == 0:
        return None
    low, p25, median, p75, high = numpy.percentile(values, [0, 25, 50, 75, 100])
    return {"min": low, "p25": p25, "median": median, "p75": p75, "max": high, "mean": numpy.mean(values)}


def excursion(values, pnl):
    return {"all": spread(values), "winners": spread(values[pnl > 0]), "losers": spread(values[pnl < 0])}


def bootstrap(random, r, session):
    by_session = [r[session == one] for one in numpy.unique(session)]
    means = [
        numpy.concatenate([by_session[one] for one in random.integers(0, len(by_session), len(by_session))]).mean()
        for _ in range(40_000)
    ]
    return {"low": numpy.percentile(means, 2.5), "high": numpy.percentile(means, 97.5)}


def effective(r, session):
    groups = [r[session == one] for one in numpy.unique(session)]
    sizes = numpy.array([len(group) for group in groups])
    weighted = (sizes**2).sum() / len(r)
    correlation = None
    if len(r) > len(groups):
        f = stats.f_oneway(*groups).statistic
        size = (len(r) - weighted) / (len(groups) - 1)
        correlation = max((f - 1) / (f + size - 1), 0.0)
    effect = 1 + (weighted - 1) * (correlation or 0.0)
    return {"sessions": len(groups), "correlation": correlation, "designEffect": effect, "bets": len(r) / effect}


def calibration(score, r):
    decile = numpy.floor(10 * (stats.rankdata(score) - 0.5) / len(score)).astype(int) + 1
    return [
        {
            "decile": int(one),
            "scoreLow": score[decile == one].min(),
            "scoreHigh": score[decile == one].max(),
            "trades": int((decile == one).sum()),
            "meanR": r[decile == one].mean(),
        }
        for one in numpy.unique(decile)
    ]


def frontier(column):
    risk = abs(column["entry"] - column["stop"]) * column["quantity"]
    exit_price = column["entry"] + column["side"] * column["gross"] / column["quantity"]
    value = column["quantity"] * (column["entry"] + exit_price)

    def expectancy(bps):
        return float(((column["gross"] - value * bps / 10_000) / risk).mean())

    costs = {
        "total": column["costs"].sum(),
        "shareOfGross": column["costs"].sum() / column["gross"].sum() if column["gross"].sum() > 0 else None,
        "bpsPerSide": 10_000 * column["costs"].sum() / value.sum(),
        "r": (column["costs"] / risk).mean(),
        "grossExpectancy": expectancy(0),
        "breakEvenBps": optimize.brentq(expectancy, 0, 10_000, xtol=1e-12) if expectancy(0) > 0 else None,
    }
    return costs, [expectancy(bps) for bps in range(21)]


def detector(random, sessions, most_per_session, shared):
    rows = trades(random, sessions, most_per_session, shared)
    column = {name: numpy.array([row[name] for row in rows], dtype=float) for name in rows[0]}
    risk = abs(column["entry"] - column["stop"]) * column["quantity"]
    pnl = column["gross"] - column["costs"]
    r, percent = pnl / risk, 100 * pnl / (column["entry"] * column["quantity"])
    won, lost = pnl > 0, pnl < 0
    low, high = proportion_confint(won.sum(), len(rows), alpha=2 * stats.norm.sf(Z), method="wilson")
    fit = statsmodels.api.OLS(r, numpy.ones(len(r))).fit(cov_type="cluster", cov_kwds={"groups": column["session"]})
    sums = numpy.concatenate([[0.0], numpy.cumsum(r)])
    account = numpy.concatenate([[1.0], numpy.cumprod(1 + 0.01 * r)])
    costs, points = frontier(column)
    return {
        "trades": rows,
        "expected": {
            "totalTrades": len(rows),
            "winners": int(won.sum()),
            "losers": int(lost.sum()),
            "winRate": won.mean(),
            "winRateInterval": {"low": low, "high": high},
            "totalPnl": pnl.sum(),
            "totalPnlPercent": percent.sum(),
            "avgWin": percent[won].mean(),
            "avgLoss": percent[lost].mean(),
            "largestWin": percent[won].max(),
            "largestLoss": percent[lost].min(),
            "profitFactor": pnl[won].sum() / -pnl[lost].sum(),
            "expectancy": r.mean(),
            "avgRMultiple": r.mean(),
            "avgBarsHeld": column["bars"].mean(),
            "avgWinBars": column["bars"][won].mean(),
            "avgLossBars": column["bars"][lost].mean(),
            "clusteredT": {"t": fit.tvalues[0], "standardError": fit.bse[0], "degreesOfFreedom": sessions - 1},
            "effectiveBets": effective(r, column["session"]),
            "drawdown": {
                "r": (numpy.maximum.accumulate(sums) - sums).max(),
                "percent": 100 * (1 - account / numpy.maximum.accumulate(account)).max(),
            },
            "costs": costs,
            "mae": excursion(column["mae"], pnl),
            "mfe": excursion(column["mfe"], pnl),
            "calibration": calibration(column["score"], r),
        },
        "frontier": points,
        "bootstrap": bootstrap(random, r, column["session"]),
    }


def portfolio(random, sessions, periods, trials, drift):
    returns = random.normal(drift, 0.012, sessions) + random.exponential(0.002, sessions) - 0.002
    returns[random.random(sessions) < 0.1] = 0.0
    equity = 100_000 * numpy.cumprod(1 + returns)
    # What comes of rounding to a cent is part of the sample.
    equity = numpy.round(equity, 2)
    with_start = numpy.concatenate([[100_000.0], equity])
    returns = numpy.diff(with_start) / with_start[:-1]
    per_session = returns.mean() / returns.std(ddof=1)
    drawdown = (1 - with_start / numpy.maximum.accumulate(with_start)).max()
    annualised = (equity[-1] / 100_000) ** (periods / sessions) - 1
    skewness, kurtosis = stats.skew(returns), stats.kurtosis(returns, fisher=False)
    gamma = numpy.euler_gamma
    best = None
    if trials > 1:
        best = (1 - gamma) * stats.norm.ppf(1 - 1 / trials) + gamma * stats.norm.ppf(1 - 1 / (trials * math.e))
        best /= math.sqrt(sessions - 1)

    def probabilistic(benchmark):
        spread = math.sqrt(1 - skewness * per_session + (kurtosis - 1) / 4 * per_session**2)
        return stats.norm.cdf((per_session - benchmark) * math.sqrt(sessions - 1) / spread)

    return {
        "periods": periods,
        "equity": list(equity),
        "expected": {
            "sessions": sessions,
            "trials": trials,
            "finalEquity": equity[-1],
            "totalReturn": equity[-1] / 100_000 - 1,
            "annualisedReturn": annualised,
            "maxDrawdownPercent": 100 * drawdown,
            "sharpe": per_session * math.sqrt(periods),
            "sortino": returns.mean() / math.sqrt((numpy.minimum(returns, 0) ** 2).mean()) * math.sqrt(periods),
            "calmar": annualised / drawdown,
            "skewness": skewness,
            "kurtosis": kurtosis,
            "probabilisticSharpe": probabilistic(0),
            "expectedBestSharpe": best and best * math.sqrt(periods),
            "deflatedSharpe": best and probabilistic(best),
        },
    }


def adjusted(random):
    """Ranks among 200 draws, their p-values, and those adjusted for their number."""
    as_good = [int(rank) for rank in random.integers(0, 60, 12)] + [0, 0, 199, 200]
    p = [(1 + rank) / 201 for rank in as_good]
    return {"asGood": as_good, "pValue": p, "adjustedPValue": list(multipletests(p, method="fdr_bh")[1])}


def plain(value):
    """Without the packages' own types."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, numpy.generic):
        return value.item()
    return value


def main():
    random = numpy.random.default_rng(20261130)
    content = {
        "detectors": [
            detector(random, 25, 8, 0.6),
            detector(random, 12, 12, 0.0),
            detector(random, 40, 1, 0.3),
            detector(random, 2, 3, 0.5),
        ],
        "portfolios": [
            portfolio(random, 62, 252, 17, 0.001),
            portfolio(random, 45, 365, 1, -0.002),
            portfolio(random, 250, 252, 2, 0.0015),
        ],
        "falseDiscovery": adjusted(random),
    }
    OUT.parent.mkdir(exist_ok=True)
    # A line for each record.
    OUT.write_text(json.dumps(plain(content)).replace("}, {", "},\n{") + "\n")


if __name__ == "__main__":
    main()
