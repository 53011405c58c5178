"use strict";
// The page, from top to bottom.

const section = (id, title, ...content) => el("section", { id, class: "card", "aria-label": title }, el("h2", null, title), content);

const LABELS = {
  "no costs": "Trading cost nothing in this run: every figure is better than it could be.",
  "look-ahead fill": "Signals were filled at the close that they were known at: looks ahead, for comparison only.",
  "oi_proxy=volume": "The day's volume stood in for open interest.",
  "synthetic_underlying": "Positions in cash indices are simulated in points; nobody can hold them.",
  "asset class ignored": "Detectors ran on classes of instruments that they are not made for.",
  "compat score": "A detector scored in the manner kept for comparison.",
  "small sample": "At least one detector has fewer than 30 trades.",
  "in-sample": "Several configurations were tried on these data: the best of them looks better than it is.",
  "database not used": "The database could not be used: all bars come from the REST API, mostly without those before the period.",
  "splits not loaded": "Without the table of splits, a split looks like a move of the price.",
  "mixed vwap": "Some VWAPs of sessions are made of exact and of estimated ones.",
  "data gaps": "Symbols lack sessions, or parts of them. The data section names them.",
  "signals not traded": "Rows of the file of signals could not be traded. The data section names them.",
  "universe incomplete": "Months of the universe lack sessions that they are ranked by; those without any were left out. The data section names them.",
};

function topPart(data) {
  const { report } = data, { config } = report;
  const symbols = report.symbols === 1 ? "1 symbol" : `${count(report.symbols)} symbols`;
  const theme = el("button", { type: "button", class: "theme", onclick: switchTheme });
  document.documentElement.addEventListener("themechange", () => { theme.textContent = isDark() ? "Light" : "Dark"; });
  return [
    el("header", { class: "top" },
      el("div", null,
        el("h1", null, config.signals ? "Backtest of signals" : "Backtest"),
        el("div", { class: "soft" }, `${config.from} to ${config.to} · ${symbols} · ${config.timeframe} bars · ${config.engine.session === "all" ? "all hours" : "regular hours"}`),
        el("div", { class: "soft" }, "Run ", el("code", null, report.runId), ` · made ${moment(Date.parse(report.timestamp))} New York`)),
      theme),
    report.labels.length ? el("ul", { class: "chips", "aria-label": "Labels" }, report.labels.map((label) => el("li", { class: "chip warn", title: LABELS[label] }, label))) : "",
    report.labels.length ? el("details", { class: "labels" }, el("summary", null, "What the labels mean"), facts(report.labels.map((label) => [label, LABELS[label]]))) : "",
    el("p", { class: "notice" }, report.statement),
  ];
}

function figures(report) {
  const { summary, portfolio } = report;
  const exits = report.results.reduce((sum, row) => sum + row.totalTrades, 0);
  const assumed = report.results.reduce((sum, row) => sum + row.assumedExits, 0);
  const figure = (name, value, under, tint) => el("div", { class: "figure" }, el("dt", null, name), el("dd", { class: tint }, value, el("span", { class: "under" }, under)));
  const undefinedOnes = (number) => (number ? `, undefined for ${count(number)}` : "");
  return el("dl", { class: "figures" },
    figure("Trades", count(summary.totalTrades), `of ${count(summary.totalDetectors)} detectors`),
    figure("Win rate", percent(summary.overallWinRate), "of all trades"),
    figure("Mean expectancy", inR(summary.avgExpectancy), `over detectors${undefinedOnes(summary.undefinedExpectancies)}`, tone(summary.avgExpectancy)),
    figure("Mean profit factor", fixed(summary.avgProfitFactor), `over detectors${undefinedOnes(summary.undefinedProfitFactors)}`),
    figure("Assumed exits", percent(exits ? assumed / exits : null), "that no bar decided"),
    portfolio ? [
      figure("Portfolio", percent(portfolio.totalReturn), `${count(portfolio.startingCapital)} to ${count(portfolio.finalEquity)}`, tone(portfolio.totalReturn)),
      figure("Largest fall", `${fixed(portfolio.maxDrawdownPercent, 1)} %`, `over ${count(portfolio.maxDrawdownSessions)} sessions`),
      figure("Sharpe", fixed(portfolio.sharpe), "a year, after costs"),
    ] : null);
}

function equitySection({ report, equityBySession }) {
  const { portfolio, config, equity } = report;
  if (!portfolio) return section("equity", "Equity", el("p", { class: "note" }, "The run left the portfolio out."));
  const box = el("div", { class: "chart equity", role: "img", "aria-label": "Equity, and its fall from its highest" }), settings = config.portfolio;
  const cells = Object.fromEntries(portfolio.monthlyReturns.map((month) => [month.month, { value: month.return, text: signed(100 * month.return, 1), title: `${month.month}: ${signed(100 * month.return)} %` }]));
  const { rejected } = portfolio;
  const node = section("equity", "Equity and drawdown",
    el("p", { class: "note" }, `One account that takes the study's trades as they come: ${count(settings.starting_capital)} at the start, ${fixed(settings.risk_pct)} % at risk a trade, at most ${count(settings.max_open)} positions and ${fixed(settings.max_gross_pct, 0)} % of equity. Marked to the market at the end of each ${equityBySession ? "session" : "bar"}; below it, the fall from its highest in percent.`),
    equity.length > 1 ? box : el("p", { class: "note" }, "There is no equity to draw."),
    facts([
      ["Trades taken", count(portfolio.trades)],
      ["Turned away", `${count(rejected.maxOpen)} by positions, ${count(rejected.maxGross)} by value, ${count(rejected.volume)} by volume, ${count(rejected.size)} by size`],
      ["Return a year", percent(portfolio.annualisedReturn)],
      ["Sharpe, Sortino, Calmar", [portfolio.sharpe, portfolio.sortino, portfolio.calmar].map((value) => fixed(value)).join(", ")],
      ["Chance that Sharpe is above 0", percent(portfolio.probabilisticSharpe)],
      ["The same, of the best of all trials", known(portfolio.deflatedSharpe) ? `${percent(portfolio.deflatedSharpe)} (${count(portfolio.trials)} trials)` : NONE],
      ["Exposure", `${percent(portfolio.exposure)} of session bars`],
      ["Turnover", `${fixed(portfolio.turnover, 1)} × mean equity`],
    ]),
    el("h3", null, "Return by month, %"), calendar("Portfolio's return by month, percent", cells));
  return { node, draw: () => equity.length > 1 && equityChart(box, equity) };
}

function dataSection({ report, command }) {
  const { data, config, counters } = report;
  const states = ["complete", "partial", "missing", "verified_empty", "not_published", "not_entitled"];
  const sum = (state) => data.symbols.reduce((total, { sessions }) => total + (sessions[state] ?? 0), 0);
  const share = (counts) => {
    const all = Object.values(counts).reduce((a, b) => a + b, 0);
    return Object.entries(counts).map(([name, number]) => `${name} ${percent(number / all)} (${count(number)})`).join(", ") || NONE;
  };
  const splits = data.splits === "not_loaded" ? "splits not loaded" : `${count(data.splits.loaded)} in the sessions of the run`;
  const incomplete = data.symbols.filter(({ sessions }) => states.slice(1).some((state) => sessions[state]));
  const state = (state) => ({ label: words(state), kind: "num", get: (row) => row.sessions[state] ?? 0, show: (row) => count(row.sessions[state] ?? 0) });
  return section("data", "Data",
    facts([
      ["Store", data.store],
      ["Symbols, chosen by", `${count(report.symbols)}, ${config.universe}`],
      ["Signal bars", count(report.bars)],
      ["Sessions, by what brought them", share(data.sources)],
      ["Sessions of all symbols", states.filter(sum).map((state) => `${count(sum(state))} ${words(state)}`).join(", ") || NONE],
      ["Bars by VWAP", share(data.vwapMethods)],
      data.mixedVwapSessions > 0 && ["Sessions with mixed VWAP", count(data.mixedVwapSessions)],
      ["Splits", splits],
      ["Duplicates that differed", count(counters.conflicting_duplicates)],
      ["Snapshot of the data", el("code", null, report.dataSnapshot)],
      ["Hash of the configuration", el("code", null, report.configHash)],
      ["Seed", el("code", null, String(report.seed))],
      ["Configurations tried", count(report.configurations)],
    ]),
    data.gaps.length ? [el("h3", null, "Gaps"), table([
      { label: "Symbol", header: true, get: (gap) => gap.symbol },
      { label: "From", get: (gap) => gap.from }, { label: "To", get: (gap) => gap.to },
      { label: "Sessions", kind: "num", get: (gap) => gap.sessions, show: (gap) => count(gap.sessions) },
      { label: "State", get: (gap) => gap.state, show: (gap) => words(gap.state) },
      { label: "Why", kind: "wrap", get: (gap) => gap.reason },
    ], data.gaps, { caption: "Gaps", page: 20 })] : el("p", { class: "note" }, "No gaps."),
    incomplete.length ? [el("h3", null, "Symbols with other than complete sessions"), table([{ label: "Symbol", header: true, get: (row) => row.symbol }, ...states.map(state)], incomplete, { caption: "Sessions by state", page: 20 })] : "",
    data.warmUp.length ? [el("h3", null, "Warm-up"), table([
      { label: "Symbol", header: true, get: (row) => row.symbol }, { label: "What there was", kind: "wrap", get: (row) => row.note },
    ], data.warmUp, { caption: "Warm-up", page: 20 })] : "",
    data.reused.length ? [el("h3", null, "Tickers that were another company's"), table([
      { label: "Symbol", header: true, get: (row) => row.symbol }, { label: "Its own since", get: (row) => row.since },
      { label: "Sessions left out before", kind: "num", get: (row) => row.sessions, show: (row) => count(row.sessions) },
    ], data.reused, { caption: "Tickers that were another company's", page: 20 })] : "",
    data.unmatchedSignals.length ? [el("h3", null, "Signals not traded"), table([
      { label: "Line", kind: "num", get: (row) => row.line, show: (row) => count(row.line) }, { label: "Symbol", header: true, get: (row) => row.symbol },
      { label: "Why", kind: "wrap", get: (row) => row.reason },
    ], data.unmatchedSignals, { caption: "Signals not traded", page: 20 })] : "",
    data.unranked.length ? [el("h3", null, "Months whose ranking lacks sessions"), table([
      { label: "Month", header: true, get: (row) => row.month },
      { label: "Sessions before it", kind: "num", get: (row) => row.of, show: (row) => count(row.of) },
      { label: "Of these stored", kind: "num", get: (row) => row.sessions, show: (row) => count(row.sessions) },
    ], data.unranked, { caption: "Months whose ranking lacks sessions", page: 20 })] : "",
    el("details", null, el("summary", null, "Configuration"), el("pre", { tabindex: 0 }, JSON.stringify(config, null, 2))),
    el("details", null, el("summary", null, "Command"), el("pre", { tabindex: 0 }, command)));
}

function statusSection(report) {
  const inputs = (row) => Object.entries(row.notEvaluable).map(([input, bars]) => `${input} on ${count(bars)} of ${count(row.bars)} bars`).join("; ");
  const symbols = (row) => (row.symbols.length > 8 ? [...row.symbols.slice(0, 8), `and ${count(row.symbols.length - 8)} more`] : row.symbols).join(", ");
  const { not_evaluable, rejected, unfilled, data_gaps, conflicting_duplicates, ...plain } = report.counters;
  const flat = [
    ...Object.entries(plain),
    ...Object.entries(rejected).map(([gate, number]) => [`rejected: ${gate}`, number]),
    ...Object.entries(unfilled).map(([why, number]) => [`unfilled: ${why}`, number]),
    ...Object.entries(not_evaluable).map(([input, number]) => [`not evaluable: ${input}`, number]),
    ...Object.entries(data_gaps).map(([why, number]) => [`sessions ${why}`, number]),
  ];
  return section("status", "Status and counters",
    el("p", { class: "note" }, "Not evaluated and no trades are different things: a detector that lacks an input says which."),
    table([
      { label: "Detector", header: true, get: (row) => row.detector },
      { label: "Status", get: (row) => row.status },
      { label: "Symbols", kind: "num", get: (row) => row.symbols.length, show: (row) => count(row.symbols.length) },
      { label: "Which", kind: "wrap", get: symbols },
      { label: "Missing", kind: "wrap", get: (row) => inputs(row) || NONE },
    ], report.statuses, { caption: "Status by detector", page: 40 }),
    el("h3", null, "Counters of all detectors"),
    facts(flat.map(([name, number]) => [words(name), count(number)])));
}

const isDark = () => document.documentElement.dataset.theme === "dark";
function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.documentElement.dispatchEvent(new Event("themechange"));
  for (const { paint } of themed) paint();
}
const switchTheme = () => setTheme(!isDark());

function start() {
  const data = JSON.parse(document.getElementById("report-data").textContent), { report } = data;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const closerLook = closerSection(report), equity = equitySection(data);
  const sections = [
    equity.node ?? equity, detectorsSection(report, closerLook.choose), closerLook.node, tradesSection(data), statusSection(report), dataSection(data),
  ];
  const nav = el("nav", { "aria-label": "Sections" }, sections.map((node) => el("a", { href: `#${node.id}` }, node.getAttribute("aria-label"))));
  document.getElementById("report").append(...topPart(data), nav, el("main", null, figures(report), sections),
    el("footer", null, "Charts: TradingView Lightweight Charts™, Copyright © TradingView, Inc. ",
      el("a", { href: "https://www.tradingview.com/", rel: "noreferrer" }, "https://www.tradingview.com/"), ", Apache License 2.0. Times are New York's."));
  setTheme(system.matches);
  system.addEventListener("change", () => setTheme(system.matches));
  equity.draw?.();
}
start();
