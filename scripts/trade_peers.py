"""The independent engines of scripts/check-trades: each trades the same signals over the same bars, by its own rules.

What a bar hides is given to all of them alike, as rows of data and never as a change of their code:

* A bar is followed by a row that is its close (open = high = low = close). What is to end at a bar's close (time stop, end of
  the session) is a market order at the end of the bar, and all three fill that at the next row's open: the close.
* In the layout `open` a bar is preceded by a row that is its open, so that whatever happens at the open comes first.

A row without a range cannot touch a level its bar has not touched, so the rows change nothing else.
"""

import os
import warnings
from dataclasses import dataclass

import numpy

# No progress bars; read when backtesting.py is loaded.
os.environ["TQDM_DISABLE"] = "1"


@dataclass(frozen=True)
class Signal:
    """Known at the end of a bar."""

    bar: int
    side: int  # 1 long, -1 short
    stop: float  # prices
    target: float | None
    max_bars: int | None


@dataclass(frozen=True)
class Trade:
    entry_bar: int
    side: int
    entry: float
    exit_bar: int
    exit: float
    why: str | None  # level (stop or target), clock (time stop, end of the session); None where an engine does not say


@dataclass
class Series:
    """One symbol's bars."""

    symbol: str
    start: list
    end: list
    session: list
    close_ms: list  # when the bar's session ends
    open: list
    high: list
    low: list
    close: list

    def __len__(self):
        return len(self.start)

    def last_of_session(self, bar):
        return bar + 1 == len(self) or self.session[bar + 1] != self.session[bar]

    def at_the_close(self, bar):
        """Whether it ends with its session. Where the last slot has no bar, positions are closed at the next open there is."""
        return self.end[bar] == self.close_ms[bar]


def limit_of(signal):
    """The target; where there is none, a price that never comes."""
    return signal.target if signal.target is not None else (1e12 if signal.side > 0 else 1e-9)


def rows(series, with_open):
    """Rows of prices, and of each row: its bar and what it is ('open', 'bar', 'close')."""
    prices, places = [], []
    for bar in range(len(series)):
        o, h, l, c = series.open[bar], series.high[bar], series.low[bar], series.close[bar]
        if with_open:
            prices.append((o, o, o, o))
            places.append((bar, "open"))
        prices += [(o, h, l, c), (c, c, c, c)]
        places += [(bar, "bar"), (bar, "close")]
    return numpy.array(prices), places


def frame(prices, names):
    import pandas

    # A row a minute; the engines look at the order alone.
    index = pandas.date_range("2000-01-01", periods=len(prices), freq="min")
    return pandas.DataFrame(prices, columns=names, index=index)


class BacktestingPy:
    name, version_of, layouts, time_stops = "backtesting.py", "backtesting", ("close", "open"), True

    def trades(self, series, signals, layout):
        from backtesting import Backtest, Strategy
        from backtesting.backtesting import Order

        prices, places = rows(series, layout == "open")
        by_bar = {signal.bar: signal for signal in signals}

        class Given(Strategy):
            def init(self):
                self.max_bars = None

            def next(self):
                bar, what = places[len(self.data) - 1]
                if what == "bar" and self.trades:
                    held = bar - places[self.trades[0].entry_bar][0] + 1
                    if held == self.max_bars or series.at_the_close(bar):
                        self.trades[0].close()
                elif what == "close" and self.trades and series.last_of_session(bar):
                    self.trades[0].close()
                elif what == "close" and not self.trades and bar in by_bar:
                    signal = by_bar[bar]
                    self.max_bars = signal.max_bars
                    # `buy` and `sell` hold the levels against the last close; it is the next open they belong to.
                    order = Order(self._broker, signal.side, None, None, signal.stop, limit_of(signal))
                    self._broker.orders.append(order)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data = frame(prices, ["Open", "High", "Low", "Close"])
            stats = Backtest(data, Given, cash=1e9, trade_on_close=False, finalize_trades=False).run()
        for row in stats["_trades"].itertuples():
            (entry_bar, _), (exit_bar, what) = places[row.EntryBar], places[row.ExitBar]
            side = 1 if row.Size > 0 else -1
            late = series.session[exit_bar] != series.session[entry_bar]
            why = "clock" if what == "close" or late else "level"
            yield Trade(entry_bar, side, row.EntryPrice, exit_bar, row.ExitPrice, why)


class Backtrader:
    # Levels of a bracket are armed one row after the entry: the entry needs a row of its own.
    name, version_of, layouts, time_stops = "backtrader", "backtrader", ("open",), True

    def trades(self, series, signals, layout):
        import backtrader

        prices, places = rows(series, layout == "open")
        by_bar = {signal.bar: signal for signal in signals}
        done = []

        class Given(backtrader.Strategy):
            def __init__(self):
                self.signal = self.entered = self.bracket = None

            def notify_order(self, order):
                if order.status != order.Completed:
                    return
                at = len(self.data) - 1
                if self.entered is None:
                    self.entered = (places[at][0], order.executed.price)
                    return
                bar, what = places[at]
                entry_bar, entry = self.entered
                late = series.session[bar] != series.session[entry_bar]
                why = "clock" if what == "close" or late else "level"
                done.append(Trade(entry_bar, self.signal.side, entry, bar, order.executed.price, why))
                self.entered = self.signal = None

            def next(self):
                bar, what = places[len(self.data) - 1]
                if what == "bar" and self.entered:
                    held = bar - self.entered[0] + 1
                    if held == self.signal.max_bars or series.at_the_close(bar):
                        self.leave()
                elif what == "close" and self.entered and series.last_of_session(bar):
                    self.leave()
                elif what == "close" and self.signal is None and bar in by_bar:
                    self.signal = by_bar[bar]
                    place = self.buy_bracket if self.signal.side > 0 else self.sell_bracket
                    market, limit = backtrader.Order.Market, limit_of(self.signal)
                    self.bracket = place(exectype=market, stopprice=self.signal.stop, limitprice=limit, size=1)

            def leave(self):
                for order in self.bracket[1:]:
                    self.cancel(order)
                self.close()

        engine = backtrader.Cerebro(stdstats=False)
        engine.broker.setcash(1e9)
        data = frame(prices, ["open", "high", "low", "close"])
        engine.adddata(backtrader.feeds.PandasData(dataname=data, volume=None, openinterest=None))
        engine.addstrategy(Given)
        engine.run()
        return done


class VectorBt:
    # Exits are an array, so that an exit so many bars after an entry cannot be said.
    layouts, time_stops = ("close", "open"), False
    version_of = "vectorbt"

    def __init__(self, engine):
        self.engine = engine
        self.name = f"vectorbt ({engine})"

    def trades(self, series, signals, layout):
        import vectorbt

        prices, places = rows(series, layout == "open")
        count = len(prices)
        entries, shorts, exits = (numpy.zeros(count, bool) for _ in range(3))
        order_price = prices[:, 3].copy()
        stop_share, target_share = numpy.full(count, numpy.nan), numpy.full(count, numpy.nan)
        # A row has one order, at a price that can be that of the next open; levels count from the next row on. So orders at an
        # open stand in the row before it, and never in that of an exit.
        row_of = {place: row for row, place in enumerate(places)}
        before_open = lambda bar: row_of[(bar, "open") if layout == "open" else (bar - 1, "close")]
        for signal in signals:
            row = before_open(signal.bar + 1)
            entry = order_price[row] = series.open[signal.bar + 1]
            (entries if signal.side > 0 else shorts)[row] = True
            stop_share[row] = share(entry, signal.stop)
            if signal.target is not None:
                target_share[row] = share(entry, signal.target)
        for bar in range(len(series)):
            if series.at_the_close(bar):
                exits[row_of[bar, "bar"]] = True
                order_price[row_of[bar, "bar"]] = series.close[bar]
            elif series.last_of_session(bar) and bar + 1 < len(series):
                exits[before_open(bar + 1)] = True
                order_price[before_open(bar + 1)] = series.open[bar + 1]
        portfolio = vectorbt.Portfolio.from_signals(
            close=prices[:, 3],
            open=prices[:, 0],
            high=prices[:, 1],
            low=prices[:, 2],
            entries=entries,
            exits=exits,
            short_entries=shorts,
            short_exits=exits,
            price=order_price,
            size=1.0,
            sl_stop=stop_share,
            tp_stop=target_share,
            stop_entry_price="FillPrice",
            stop_exit_price="StopLimit",
            upon_opposite_entry="Ignore",
            init_cash=1e9,
            engine=self.engine,
        )
        bar_of = lambda row: places[row][0] + (layout == "close" and places[row][1] == "close")
        for record in portfolio.positions.values:
            if record["status"] == vectorbt.portfolio.enums.TradeStatus.Closed:
                side = 1 if record["direction"] == 0 else -1
                entry, exit = (bar_of(record[f"{end}_idx"]) for end in ["entry", "exit"])
                yield Trade(entry, side, record["entry_price"], exit, record["exit_price"], None)


def share(entry, level):
    """The share of the entry price that vectorbt makes a level of: that level, or where no share gives it, the next nearer
    price there is, which no price of the data's grid tells from it."""
    steps = round(abs(level - entry) / entry * 2**53)
    for step in range(steps, steps - 8, -1):
        value = step / 2**53
        made = entry * (1 + value) if level > entry else entry * (1 - value)
        if abs(made - entry) <= abs(level - entry):
            return value
    raise AssertionError(f"vectorbt cannot be told of a level of {level} from {entry}")


PEERS = [BacktestingPy(), Backtrader(), VectorBt("rust"), VectorBt("numba")]
