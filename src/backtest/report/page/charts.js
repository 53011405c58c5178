"use strict";
// Charts over time, by the vendored library. It counts in UTC seconds; axis and crosshair show New York.

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const axisDate = new Intl.DateTimeFormat("en-US", { timeZone: NEW_YORK, day: "numeric", month: "short" });
const axisMonth = new Intl.DateTimeFormat("en-US", { timeZone: NEW_YORK, month: "short", year: "numeric" });
const themed = new Set();

const look = () => ({
  layout: { background: { color: color("--card") }, textColor: color("--soft"), panes: { separatorColor: color("--line") } },
  grid: { vertLines: { color: color("--line") }, horzLines: { color: color("--line") } },
  rightPriceScale: { borderColor: color("--line") },
  timeScale: { borderColor: color("--line") },
});

/// A chart in a box; `paint` gives its series their colours, now and after every change of the theme.
function chartIn(box, paint) {
  const chart = LightweightCharts.createChart(box, {
    autoSize: true,
    ...look(),
    localization: { timeFormatter: (time) => moment(time * 1000) },
    crosshair: { mode: LightweightCharts.CrosshairMode.Normal },
    handleScroll: { vertTouchDrag: false },
    handleScale: { mouseWheel: false },
  });
  chart.timeScale().applyOptions({
    timeVisible: true,
    tickMarkFormatter: (time, kind) => (kind >= 3 ? timeFormat : kind === 2 ? axisDate : axisMonth).format(time * 1000),
  });
  const entry = { paint: () => { chart.applyOptions(look()); paint(); }, chart };
  themed.add(entry);
  return { chart, remove: () => { themed.delete(entry); chart.remove(); } };
}

const line2 = { lineWidth: 2, priceLineVisible: false };

/// Equity above, drawdown below.
function equityChart(box, points) {
  const times = points.filter((point, place) => place + 1 === points.length || secondOf(point) < secondOf(points[place + 1]));
  let peak = -Infinity;
  const falls = times.map((point) => {
    peak = Math.max(peak, point.equity);
    return { time: secondOf(point), value: (100 * (point.equity - peak)) / peak };
  });
  let equity, drawdown;
  const { chart } = chartIn(box, paint);
  equity = chart.addSeries(LightweightCharts.AreaSeries, { ...line2, title: "", priceFormat: { type: "custom", minMove: 0.01, formatter: (value) => fixed(value, 0) } });
  drawdown = chart.addSeries(LightweightCharts.AreaSeries, { ...line2, lineWidth: 1, invertFilledArea: true, priceFormat: { type: "custom", minMove: 0.01, formatter: (value) => fixed(value, 1) + " %" } }, 1);
  equity.setData(times.map((point) => ({ time: secondOf(point), value: point.equity })));
  drawdown.setData(falls);
  chart.panes()[0].setStretchFactor(3);
  chart.panes()[1].setStretchFactor(1);
  function paint() {
    equity.applyOptions({ lineColor: color("--accent"), topColor: color("--accent") + "40", bottomColor: color("--accent") + "05" });
    drawdown.applyOptions({ lineColor: color("--loss-fill"), topColor: color("--loss-fill") + "10", bottomColor: color("--loss-fill") + "50" });
  }
  paint();
  chart.timeScale().fitContent();
  return chart;
}
const secondOf = (point) => Math.floor(point.timestamp / 1000);

/// The room between entry and stop, and entry and target, while the trade was open.
class Zones {
  constructor(trade, from, to) {
    Object.assign(this, { trade, from, to });
  }
  attached({ chart, series }) {
    Object.assign(this, { chart, series });
  }
  autoscaleInfo() {
    const levels = [this.trade.stopPrice, this.trade.targetPrice, this.trade.entryPrice, this.trade.exitPrice].filter(known);
    return { priceRange: { minValue: Math.min(...levels), maxValue: Math.max(...levels) } };
  }
  paneViews() {
    return [{ zOrder: () => "bottom", renderer: () => ({ draw: (target) => target.useMediaCoordinateSpace((scope) => this.draw(scope.context)) }) }];
  }
  draw(context) {
    const scale = this.chart.timeScale(), half = scale.options().barSpacing / 2;
    const [left, right] = [scale.timeToCoordinate(this.from) - half, scale.timeToCoordinate(this.to) + half];
    const entry = this.series.priceToCoordinate(this.trade.rawEntry);
    for (const [level, name] of [[this.trade.targetPrice, "--gain-fill"], [this.trade.stopPrice, "--loss-fill"]]) {
      if (!known(level)) continue;
      const y = this.series.priceToCoordinate(level);
      context.fillStyle = color(name) + "2e";
      context.fillRect(left, Math.min(y, entry), right - left, Math.abs(y - entry));
      context.fillStyle = color(name);
      context.fillRect(left, y - 0.75, right - left, 1.5);
    }
    context.fillStyle = color("--soft");
    context.fillRect(left, entry - 0.5, right - left, 1);
  }
}

/// Exits by the clock are dated at the end of their bar.
const BY_CLOCK = ["MAX_HOLD", "EOD", "DATA_END"];

/// Candles around a trade with its entry, exit, stop and target. `bars`: [start in seconds, open, high, low, close, volume].
function tradeChart(box, trade, bars) {
  const startOf = (ms) => {
    const held = bars.filter((bar) => bar[0] * 1000 <= ms);
    return (held[held.length - 1] ?? bars[0])[0];
  };
  const late = trade.flags.includes("late_flat");
  const entered = startOf(trade.timestamp);
  const left = startOf(trade.exitTimestamp - (BY_CLOCK.includes(trade.exitReason) && !late ? 1 : 0));
  let candles, volume, markers;
  const { chart, remove } = chartIn(box, paint);
  const digits = Math.abs(trade.entryPrice) >= 1 ? 2 : 4;
  volume = chart.addSeries(LightweightCharts.HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, priceLineVisible: false, lastValueVisible: false });
  chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
  candles = chart.addSeries(LightweightCharts.CandlestickSeries, { borderVisible: false, priceLineVisible: false, lastValueVisible: false, priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits } });
  chart.priceScale("right").applyOptions({ scaleMargins: { top: 0.12, bottom: 0.2 } });
  candles.setData(bars.map(([time, open, high, low, close]) => ({ time, open, high, low, close })));
  candles.attachPrimitive(new Zones(trade, entered, Math.max(entered, left)));
  markers = LightweightCharts.createSeriesMarkers(candles, []);
  const lines = [["stopPrice", "Stop", "--loss-fill"], ["targetPrice", "Target", "--gain-fill"], ["rawEntry", "Entry", "--soft"]]
    .filter(([name]) => known(trade[name]))
    .map(([name, title, tint]) => [candles.createPriceLine({ price: trade[name], title: "", axisLabelVisible: true, lineVisible: false, color: color(tint) }), tint]);
  function paint() {
    const [up, down] = [color("--gain-fill"), color("--loss-fill")];
    candles.applyOptions({ upColor: up, wickUpColor: up, downColor: down, wickDownColor: down });
    volume.setData(bars.filter((bar) => known(bar[5])).map(([time, open, , , close, value]) => ({ time, value, color: (close < open ? down : up) + "55" })));
    const long = trade.direction === "LONG", ink = color("--ink");
    const enter = { time: entered, position: long ? "belowBar" : "aboveBar", shape: long ? "arrowUp" : "arrowDown", color: color("--accent"), text: "Entry" };
    const exit = { time: left, position: long ? "aboveBar" : "belowBar", shape: "circle", size: 0.8, color: ink, text: "Exit" };
    markers.setMarkers([enter, exit].sort((a, b) => a.time - b.time));
    for (const [line, tint] of lines) line.applyOptions({ color: color(tint) });
  }
  paint();
  chart.timeScale().fitContent();
  return remove;
}
