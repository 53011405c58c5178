"use strict";
// Elements, numbers and tables. Text from outside only ever becomes text nodes and attributes, never markup.

const SVG = "http://www.w3.org/2000/svg";

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
const el = (tag, attributes, ...children) => build(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => build(document.createElementNS(SVG, tag), attributes, children);

// Numbers. What is undefined is a dash, never a zero.
const NONE = "–";
const known = (value) => value !== null && value !== undefined;
const fixed = (value, digits = 2) => {
  if (!known(value)) return NONE;
  const text = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return (value < 0 && /[1-9]/.test(text) ? "−" : "") + text;
};
const signed = (value, digits = 2) => {
  const text = fixed(value, digits);
  return known(value) && value > 0 && /[1-9]/.test(text) ? "+" + text : text;
};
const count = (value) => fixed(value, 0);
const percent = (fraction, digits = 1) => (known(fraction) ? fixed(100 * fraction, digits) + " %" : NONE);
const inR = (value, digits = 2) => (known(value) ? signed(value, digits) + " R" : NONE);
const price = (value, most = 4) => {
  if (!known(value)) return NONE;
  const digits = Math.abs(value) >= 1 ? 2 : 4;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: Math.max(digits, most) });
};
const range = (low, high, format) => (known(low) && known(high) ? `${format(low)} to ${format(high)}` : NONE);
const tone = (value) => (known(value) && value > 0 ? "gain" : known(value) && value < 0 ? "loss" : null);
const words = (text) => String(text).replaceAll("_", " ");

// Times in New York. The Swedish locale writes dates as year-month-day.
const NEW_YORK = "America/New_York";
const clock = (options) => new Intl.DateTimeFormat("sv-SE", { timeZone: NEW_YORK, ...options });
const DATE = { year: "numeric", month: "2-digit", day: "2-digit" };
const TIME = { hour: "2-digit", minute: "2-digit" };
const dateFormat = clock(DATE), timeFormat = clock(TIME), momentFormat = clock({ ...DATE, ...TIME });
const moment = (ms) => momentFormat.format(ms);

/// A figure with a range under it.
const above = (figure, under) => (under === NONE ? figure : [figure, el("span", { class: "under" }, under)]);

/// A table whose columns sort. Columns: { label, get(row), show?(row), kind?: "num" | "wrap", title?, header? }.
/// Options: caption, rows per page, what a click on a row does, the column sorted by at first.
function table(columns, rows, { caption, page = 0, open, sort = null, descending = true, plain = false } = {}) {
  let shown = rows, from = 0, by = sort, falling = descending;
  const body = el("tbody"), heads = columns.map((column, place) => head(column, place));
  const pages = page ? el("div", { class: "bar" }) : null;

  function head(column, place) {
    const label = plain ? column.label : el("button", { type: "button", onclick: () => {
      falling = by === place ? !falling : column.kind === "num";
      by = place;
      from = 0;
      draw();
    } }, column.label);
    return el("th", { scope: "col", class: column.kind === "num" ? "num" : null, title: column.title }, label);
  }
  function cell(column, row) {
    const content = (column.show ?? column.get)(row);
    return el(column.header ? "th" : "td", { scope: column.header ? "row" : null, class: column.kind }, content ?? NONE);
  }
  function draw() {
    if (by !== null) {
      const { get } = columns[by], way = falling ? -1 : 1;
      shown = [...shown].sort((a, b) => {
        const [x, y] = [get(a), get(b)];
        if (!known(x) || !known(y)) return known(y) - known(x);
        return (typeof x === "number" ? x - y : String(x).localeCompare(String(y), "en")) * way;
      });
    }
    heads.forEach((th, place) => {
      if (place === by) th.setAttribute("aria-sort", falling ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
    const visible = page ? shown.slice(from, from + page) : shown;
    body.replaceChildren(...visible.map((row) => el("tr", open && { class: "open", onclick: () => open(row, shown) },
      columns.map((column) => cell(column, row)))));
    if (!pages) return;
    const step = (label, to, off) => el("button", { type: "button", disabled: off, onclick: () => { from = to; draw(); } }, label);
    pages.hidden = shown.length <= page;
    pages.replaceChildren(
      step("Previous", from - page, from === 0), step("Next", from + page, from + page >= shown.length),
      el("span", { class: "soft" }, `${count(Math.min(from + 1, shown.length))} to ${count(Math.min(from + page, shown.length))} of ${count(shown.length)}`));
  }
  draw();
  const scroll = el("div", { class: "scroll pinned", tabindex: 0, role: "region", "aria-label": caption },
    el("table", null, el("caption", { class: "hidden" }, caption), el("thead", null, el("tr", null, heads)), body));
  const node = el("div", null, scroll, pages);
  node.show = (rows) => { shown = rows; from = 0; draw(); };
  return node;
}
