"use strict";
// Statistics of detectors: all in one table, and one at a time.

const FLAGS = {
  no_trades: "no trades", small_sample: "fewer than 30 trades", no_wins: "no trade won", no_losses: "no trade lost",
  one_session: "trades of one session only", no_spread: "no spread", no_gross_gain: "no gain before costs",
};
/// A figure, or a dash that says why there is none.
const figureOr = (text, flags) => text !== NONE ? text : el("span", { title: flags.map((flag) => FLAGS[flag] ?? words(flag)).join(", ") }, NONE);
const small = (isSmall) => (isSmall ? el("span", { class: "small-sample", title: "Fewer than 30 trades" }, " small sample") : "");
const expectancyRange = (row) => range(row.expectancyInterval?.low, row.expectancyInterval?.high, (value) => signed(value, 3));

function detectorsSection(report, choose) {
  // Detectors that no bar could be evaluated for have no figures: they are listed below, by why.
  const evaluated = (row) => row.counters.bars_evaluable || row.totalTrades;
  const rows = report.results.filter(evaluated), others = {};
  for (const row of report.results) if (!evaluated(row)) (others[row.status] ??= []).push(row.detector);
  const large = rows.filter((row) => row.totalTrades && !row.smallSample);
  const ends = (large.length ? large : rows).flatMap((row) => [row.expectancyInterval?.low, row.expectancyInterval?.high, row.expectancy]).filter(known).map(Math.abs);
  const reach = Math.min(Math.max(...ends, 0.1), 2);
  const bounds = ({ bounds: { stopFirst, targetFirst } }, name, format) => {
    const [low, high] = [stopFirst[name], targetFirst[name]];
    return low === high ? "" : range(low, high, format);
  };
  const columns = [
    { label: "Detector", header: true, get: (row) => row.detector, show: (row) => row.totalTrades ? above(el("button", { type: "button", class: "link", onclick: () => choose(row.detector) }, row.detector), row.status) : above(row.detector, row.status) },
    { label: "Trades", kind: "num", get: (row) => row.totalTrades, show: (row) => above(count(row.totalTrades), small(row.smallSample && row.totalTrades > 0)) },
    { label: "Win rate", kind: "num", get: (row) => row.winRate, title: "Under it its Wilson 95 % interval", show: (row) => above(figureOr(percent(row.winRate), row.flags), range(row.winRateInterval?.low, row.winRateInterval?.high, percent)) },
    { label: "Expectancy", kind: "num", get: (row) => row.expectancy, title: "Mean R after costs; under it its 95 % interval, a bootstrap over sessions", show: (row) => above(known(row.expectancy) ? inRTone(row.expectancy, 3) : figureOr(NONE, row.flags), expectancyRange(row)) },
    { label: "Around zero", get: (row) => row.expectancyInterval?.low, title: "Sorts by the lower end of the interval", show: (row) => known(row.expectancy) ? whisker({
      value: row.expectancy, low: row.expectancyInterval?.low, high: row.expectancyInterval?.high,
      from: row.bounds.stopFirst.expectancy, to: row.bounds.targetFirst.expectancy,
    }, reach, `Expectancy ${inR(row.expectancy, 3)}, interval ${expectancyRange(row)}`) : "" },
    { label: "Assumed exits", kind: "num", get: (row) => row.assumedShare, title: "Share of exits that no bar decided; under it expectancy if the stop had come first in all of them and targets had to be traded through, to expectancy if the target had", show: (row) => above(percent(row.assumedShare), bounds(row, "expectancy", (value) => signed(value, 3))) },
    { label: "Profit factor", kind: "num", get: (row) => row.profitFactor, title: "Under it from stop first to target first", show: (row) => above(figureOr(fixed(row.profitFactor), row.flags), bounds(row, "profitFactor", fixed)) },
    { label: "Avg win, loss %", kind: "num", get: (row) => row.avgWin, show: (row) => above(figureOr(signed(row.avgWin), row.flags), figureOr(signed(row.avgLoss), row.flags)) },
    { label: "Random control", kind: "num", get: (row) => row.randomControl?.percentile, title: "Share of draws with entries at random bars that did worse; under it the chance to do as well with random entries, adjusted for the number of detectors (Benjamini–Hochberg)", show: (row) => row.randomControl ? above(`above ${percent(row.randomControl.percentile, 0)}`, `p ${fixed(row.randomControl.adjustedPValue, 3)}`) : NONE },
    { label: "Break-even", kind: "num", get: (row) => row.costs?.breakEvenBps, show: (row) => known(row.costs?.breakEvenBps) ? fixed(row.costs.breakEvenBps, 1) + " bps" : figureOr(NONE, row.flags), title: "Cost per side at which expectancy is zero" },
  ];
  return section("detectors", "Detectors",
    el("p", { class: "note" }, "Each symbol and detector alone, after costs. The plot shows expectancy (dot), its 95 % interval (line), and from stop first to target first (band) around zero."),
    rows.length ? table(columns, rows, { caption: "Detectors" }) : "",
    Object.keys(others).length ? [el("h3", null, "Not evaluated"), Object.entries(others).map(([status, names]) => el("p", { class: "note" }, el("strong", null, status), ": ", names.join(", ")))] : "");
}

/// Sections on one detector, redrawn when another is chosen.
function closerSection(report) {
  const with_trades = report.results.filter((result) => result.totalTrades);
  if (!with_trades.length) return { node: section("closer", "One detector", el("p", { class: "note" }, "No detector has trades.")), choose: () => {} };
  const chooser = el("select", null, with_trades.map(({ detector }) => el("option", { value: detector }, detector)));
  const body = el("div");
  const draw = () => body.replaceChildren(...closer(with_trades.find(({ detector }) => detector === chooser.value)));
  const best = report.summary.bestDetector ?? with_trades.reduce((a, b) => (b.totalTrades > a.totalTrades ? b : a)).detector;
  chooser.addEventListener("change", draw);
  chooser.value = best;
  draw();
  const node = section("closer", "One detector", el("div", { class: "bar" }, el("label", null, "Detector", chooser)), body);
  const choose = (detector) => { chooser.value = detector; draw(); node.scrollIntoView({ behavior: "smooth" }); };
  return { node, choose };
}

function closer(row) {
  const edge = ({ low, high }) => (!known(low) ? `below ${fixed(high)}` : !known(high) ? `${fixed(low)} and above` : range(low, high, fixed));
  const histogram = bars(row.rHistogram.map((bin) => {
    const middle = known(bin.low) && known(bin.high) ? (bin.low + bin.high) / 2 : null;
    const label = middle === null ? "…" : Number.isInteger(middle) ? fixed(middle, 0) : "";
    const tint = known(bin.high) && bin.high <= 0 ? "loss" : known(bin.low) && bin.low >= 0 ? "gain" : "even";
    return { label, value: bin.trades, tone: tint, title: `${edge(bin)} R: ${count(bin.trades)} trades` };
  }), { label: "Trades by R", format: count });
  const calibration = row.calibration.length > 1 && bars(row.calibration.map((decile) => ({
    label: fixed(decile.scoreLow, 0), value: decile.meanR, tone: tone(decile.meanR) ?? "even",
    title: `Scores ${range(decile.scoreLow, decile.scoreHigh, (value) => fixed(value, 1))}: mean ${inR(decile.meanR)} of ${count(decile.trades)} trades`,
  })), { label: "Mean R by score", format: (value) => signed(value, 1) });
  const even = row.costs?.breakEvenBps;
  const frontier = row.costs && line(row.costs.frontier.map((point) => ({ x: point.bpsPerSide, y: point.expectancy })), {
    label: "Mean R by cost per side", format: (value) => signed(value, 2), mark: known(even) ? { at: even, text: `break-even ${fixed(even, 1)} bps` } : null,
  });
  const control = row.randomControl, t = row.clusteredT, bets = row.effectiveBets;
  const plot = (title, node, note) => el("figure", null, el("figcaption", null, title), node || el("p", { class: "note" }, "Not enough different scores."), el("p", { class: "note" }, note));
  const breakdowns = [["Symbol", "bySymbol"], ["Time of day", "byTimeOfDay"], ["Weekday", "byWeekday"], ["Regime", "byRegime"], ["Exit reason", "byExitReason"], ["Side", "bySide"]];
  return [
    facts([
      ["Trades", [count(row.totalTrades), small(row.smallSample)]],
      ["Winners, losers, even", `${count(row.winners)}, ${count(row.losers)}, ${count(row.breakeven)}`],
      ["Win rate", `${percent(row.winRate)} (${range(row.winRateInterval?.low, row.winRateInterval?.high, percent)})`],
      ["Expectancy", `${inR(row.expectancy, 3)} (${expectancyRange(row)})`],
      ["Profit factor", figureOr(fixed(row.profitFactor), row.flags)],
      ["P&L after costs", signed(row.totalPnl), tone(row.totalPnl)],
      ["Average win and loss", `${signed(row.avgWin)} %, ${signed(row.avgLoss)} %`],
      ["Largest win and loss", `${signed(row.largestWin)} %, ${signed(row.largestLoss)} %`],
      ["Bars held, winners, losers", [row.avgBarsHeld, row.avgWinBars, row.avgLossBars].map((value) => fixed(value, 1)).join(", ")],
      row.drawdown && ["Largest fall of the sum of R", `${fixed(row.drawdown.r, 1)} R over ${count(row.drawdown.sessions)} sessions`],
      ["t by session", t ? `${fixed(t.t)} (${count(t.degreesOfFreedom)} degrees of freedom)` : NONE],
      bets && ["Effective independent bets", `${fixed(bets.bets, 1)} in ${count(bets.sessions)} sessions`],
      control && ["Random entries", `mean ${inR(control.expectancy, 3)}; above ${percent(control.percentile, 0)} of ${count(control.draws)} draws`],
      control && ["p, adjusted", `${fixed(control.pValue, 3)}, ${fixed(control.adjustedPValue, 3)}`],
      row.costs && ["Costs", `${fixed(row.costs.bpsPerSide)} bps per side, ${fixed(row.costs.r, 3)} R a trade`],
      row.costs && ["Costs of gain before costs", percent(row.costs.shareOfGross)],
      row.mae.all && ["Median worst, best on the way", `${inR(row.mae.all.median)}, ${inR(row.mfe.all?.median)}`],
      row.openAtEnd > 0 && ["Open at the end of the data", `${count(row.openAtEnd)}, left out`],
    ]),
    el("div", { class: "grid plots" },
      plot("Distribution of R", histogram, "Trades by gain after costs over the initial stop distance, half an R wide."),
      plot("Score calibration", calibration, "Mean R by tenths of the scores; below a bar is its lowest score."),
      plot("Cost frontier", frontier, "Mean R if each side cost 0 to 20 bps instead. Exits stay where they are.")),
    el("div", { class: "grid" }, breakdowns.map(([title, name]) => groups(title, row[name]))),
    el("p", { class: "note" }, "Counts in ", el("span", { class: "small-sample" }, "this colour"), " are small samples: fewer than 30 trades."),
    months(row.byMonth),
  ];
}

function groups(title, byWords) {
  const rows = Object.entries(byWords).map(([name, group], place) => ({ name, place, ...group }));
  const columns = [
    { label: title, header: true, get: (row) => row.place, show: (row) => words(row.name) },
    { label: "Trades", kind: "num", get: (row) => row.totalTrades, show: (row) => el("span", { class: row.smallSample ? "small-sample" : null, title: row.smallSample ? "Small sample: fewer than 30 trades" : null }, count(row.totalTrades)) },
    { label: "Win rate", kind: "num", get: (row) => row.winRate, show: (row) => percent(row.winRate) },
    { label: "95 % interval", kind: "num", get: (row) => row.winRateInterval.low, show: (row) => el("span", { class: "range" }, range(row.winRateInterval.low, row.winRateInterval.high, (value) => fixed(100 * value, 0))) },
    { label: "Expectancy", kind: "num", get: (row) => row.expectancy, show: (row) => inRTone(row.expectancy) },
    { label: "PF", kind: "num", get: (row) => row.profitFactor, show: (row) => fixed(row.profitFactor), title: "Profit factor" },
  ];
  return el("div", null, el("h3", null, `By ${title.toLowerCase()}`), table(columns, rows, { caption: `By ${title.toLowerCase()}`, page: 20 }));
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A year a row, a month a column; `cells`: by month `2026-11` its { value, text, title }.
function calendar(caption, cells) {
  const strongest = Math.max(...Object.values(cells).map(({ value }) => Math.abs(value)), 1e-9);
  const named = Object.keys(cells).sort(), years = [...new Set(named.map((month) => month.slice(0, 4)))];
  // Of a single year only the months that it has.
  const place = (month) => Number(month.slice(5)) - 1;
  const [from, to] = years.length === 1 ? [place(named[0]), place(named[named.length - 1])] : [0, 11];
  const shown = MONTHS.map((name, at) => ({ name, number: String(at + 1).padStart(2, "0") })).slice(from, to + 1);
  const cell = (entry) => {
    if (!entry) return el("td", { class: "soft" }, "");
    const tint = entry.value >= 0 ? "--gain-fill" : "--loss-fill", share = Math.round(8 + 37 * Math.abs(entry.value) / strongest);
    return el("td", { title: entry.title, style: `background: color-mix(in srgb, var(${tint}) ${share}%, transparent)` }, entry.text);
  };
  return el("div", { class: "scroll pinned", tabindex: 0, role: "region", "aria-label": caption },
    el("table", { class: "heat" }, el("caption", { class: "hidden" }, caption),
      el("thead", null, el("tr", null, el("th", { scope: "col" }, "Year"), shown.map(({ name }) => el("th", { scope: "col", class: "num" }, name)))),
      el("tbody", null, years.map((year) => el("tr", null, el("th", { scope: "row" }, year),
        shown.map(({ number }) => cell(cells[`${year}-${number}`])))))));
}

function months(byMonth) {
  const cells = Object.fromEntries(Object.entries(byMonth).map(([month, group]) => {
    const sum = group.expectancy * group.totalTrades;
    return [month, { value: sum, text: signed(sum, 1), title: `${signed(sum)} R of ${count(group.totalTrades)} trades, win rate ${percent(group.winRate)}` }];
  }));
  return el("div", null, el("h3", null, "Sum of R by month of entry"), calendar("Sum of R by month of entry", cells));
}
