"use strict";
// The list of trades, and one trade in a dialog.

/// Whether a trade lies on the side of a filter.
const OUTCOMES = {
  all: () => true,
  gains: (trade) => trade.pnl > 0,
  losses: (trade) => trade.pnl < 0,
  assumed: (trade) => trade.ambiguous,
};

/// The word of an exit: `TARGET_HIT` is a target hit, `EOD` an abbreviation.
const exitWords = (reason) => (reason === "EOD" ? reason : words(reason).toLowerCase());
const sideChip = (trade) => el("span", { class: `chip ${trade.direction === "LONG" ? "gain" : "loss"}` }, trade.direction);
const inRTone = (value, digits) => el("span", { class: tone(value) }, inR(value, digits));

function tradesSection({ report, charts, allTrades }) {
  const trades = report.results.flatMap((result) => result.trades);
  const dialog = tradeDialog(charts);
  const columns = [
    { label: "Entry", header: true, get: (trade) => trade.timestamp, show: (trade) => el("button", { type: "button", class: "link" }, moment(trade.timestamp)) },
    { label: "Symbol", get: (trade) => trade.symbol },
    { label: "Side", get: (trade) => trade.direction, show: sideChip },
    { label: "R", kind: "num", get: (trade) => trade.rMultiple, show: (trade) => inRTone(trade.rMultiple), title: "Gain after costs over the initial stop distance" },
    { label: "P&L", kind: "num", get: (trade) => trade.pnl, show: (trade) => signed(trade.pnl) },
    { label: "P&L %", kind: "num", get: (trade) => trade.pnlPercent, show: (trade) => signed(trade.pnlPercent) },
    { label: "Detector", get: (trade) => trade.detector },
    { label: "Entry price", kind: "num", get: (trade) => trade.entryPrice, show: (trade) => price(trade.entryPrice, 2), title: "After costs" },
    { label: "Exit price", kind: "num", get: (trade) => trade.exitPrice, show: (trade) => price(trade.exitPrice, 2), title: "After costs" },
    { label: "Exit", get: (trade) => trade.exitReason, show: (trade) => exitWords(trade.exitReason) },
    { label: "Decided", get: (trade) => trade.exitDecision, title: "How it was decided that it ended there" },
    { label: "Bars", kind: "num", get: (trade) => trade.barsHeld, show: (trade) => count(trade.barsHeld) },
    { label: "Score", kind: "num", get: (trade) => trade.score, show: (trade) => fixed(trade.score, 1) },
  ];
  const list = table(columns, trades, {
    caption: "Trades", page: 50, sort: 0, descending: true,
    open: (trade, shown) => dialog.show(trade, shown),
  });
  const search = el("input", { type: "search", class: "grow", placeholder: "Symbol, date, exit or regime", "aria-label": "Search trades" });
  const option = (value, label) => el("option", { value }, label);
  const detector = el("select", null, option("", "All"), report.results.filter((result) => result.trades.length).map(({ detector }) => option(detector, detector)));
  const outcome = el("select", null, option("all", "All"), option("gains", "Gains"), option("losses", "Losses"), option("assumed", "Assumed exits"));
  const texts = new Map();
  const text = (trade) => {
    if (!texts.has(trade)) texts.set(trade, [trade.symbol, trade.detector, moment(trade.timestamp), words(trade.exitReason), trade.exitReason, words(trade.marketRegime ?? ""), trade.direction, ...trade.flags].join(" ").toLowerCase());
    return texts.get(trade);
  };
  const filter = () => {
    const sought = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    list.show(trades.filter((trade) => (!detector.value || trade.detector === detector.value)
      && OUTCOMES[outcome.value](trade) && sought.every((word) => text(trade).includes(word))));
  };
  search.addEventListener("input", filter);
  detector.addEventListener("change", filter);
  outcome.addEventListener("change", filter);
  const drawn = Object.keys(charts).length;
  return section("trades", "Trades",
    el("p", { class: "note" },
      "Each trade of each detector alone, in New York time, prices in the shares of its session. A row opens its chart.",
      drawn < allTrades ? ` The page holds the charts of ${count(drawn)} of ${count(allTrades)} trades, spread evenly over each detector's.` : "",
      trades.length < allTrades ? ` It lists the first ${count(trades.length)}; the JSON has all of them.` : ""),
    el("div", { class: "bar" }, search, el("label", null, "Detector", detector), el("label", null, "Outcome", outcome)),
    list, dialog);
}

const facts = (pairs) => el("dl", { class: "facts" }, pairs.filter(Boolean).map(([name, value, tint]) =>
  el("div", null, el("dt", null, name), el("dd", { class: tint ?? null }, value))));

function tradeDialog(charts) {
  const dialog = el("dialog", { "aria-label": "Trade" });
  let remove = null, shown = [], at = 0;
  const clear = () => { remove?.(); remove = null; };
  const step = (by) => { if (shown[at + by]) { at += by; draw(); } };
  dialog.addEventListener("close", clear);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  function draw() {
    clear();
    const trade = shown[at], chart = charts[trade.tradeId];
    const box = chart ? el("div", { class: "chart candles", role: "img", "aria-label": `Candles of ${trade.symbol} around the trade` }) : el("p", { class: "note" }, "The page does not hold the bars of this trade.");
    const button = (label, attributes) => el("button", { type: "button", ...attributes }, label);
    dialog.replaceChildren(
      el("header", null,
        el("h2", null, trade.symbol), sideChip(trade), el("strong", { class: tone(trade.rMultiple) }, inR(trade.rMultiple)),
        el("span", { class: "soft" }, trade.detector, ` · ${count(at + 1)} of ${count(shown.length)}`),
        el("div", { class: "steps" },
          button("← Previous", { disabled: at === 0, onclick: () => step(-1) }),
          button("Next →", { disabled: at + 1 === shown.length, onclick: () => step(1) }),
          button("Close", { onclick: () => dialog.close(), autofocus: true }))),
      box,
      facts([
        ["Signal known at", moment(trade.signalTimestamp)],
        ["Entry", `${moment(trade.timestamp)} at ${price(trade.rawEntry)}`],
        ["Exit", `${moment(trade.exitTimestamp)} at ${price(trade.rawExit)}`],
        ["Why it ended", exitWords(trade.exitReason) + (trade.gapExit ? ", at an open beyond the level" : "")],
        ["How that was decided", trade.exitDecision],
        trade.stopFirstR !== trade.targetFirstR && ["Stop first to target first", range(trade.stopFirstR, trade.targetFirstR, inR)],
        ["Stop", price(trade.stopPrice), "loss"],
        ["Target", price(trade.targetPrice), "gain"],
        ["After costs", `${price(trade.entryPrice)} to ${price(trade.exitPrice)}`],
        ["Quantity", fixed(trade.quantity, Number.isInteger(trade.quantity) ? 0 : 4)],
        ["P&L after costs", `${signed(trade.pnl)} (${signed(trade.pnlPercent)} %)`, tone(trade.pnl)],
        ["Before costs, costs", `${signed(trade.grossPnl)}, ${fixed(trade.costs)}`],
        ["Worst and best on the way", `${inR(trade.maeR)}, ${inR(trade.mfeR)}`],
        ["Bars held", count(trade.barsHeld)],
        ["Score", fixed(trade.score, 1)],
        ["Regime at the signal", words(trade.marketRegime ?? NONE)],
        known(trade.vixLevel) && ["VIX at the signal", fixed(trade.vixLevel)],
        trade.flags.length && ["Flags", trade.flags.map(words).join(", ")],
        trade.oiProxy && ["Open interest", "volume in its place"],
      ]),
      chart?.inputs.length ? el("h3", null, "Inputs of its signal") : "",
      chart?.inputs.length ? facts(chart.inputs.map(({ name, value }) => [name, value])) : "");
    if (chart) remove = tradeChart(box, trade, chart.bars);
  }
  dialog.show = (trade, among) => {
    shown = among;
    at = among.indexOf(trade);
    dialog.showModal();
    draw();
    dialog.scrollTop = 0;
  };
  return dialog;
}
