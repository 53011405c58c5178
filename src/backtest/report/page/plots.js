"use strict";
// Small plots, drawn as SVG.

const PLOT = { width: 400, height: 200, left: 44, right: 6, top: 12, bottom: 28 };

/// Round numbers that span an interval, about as many as asked for.
function ticks(low, high, wanted = 5) {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / wanted));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((step) => span / step <= wanted + 0.5);
  const marks = [];
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + step * 1e-9; at += step) marks.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return marks;
}

const scale = (from, to, start, end) => (value) => start + ((value - from) / (to - from || 1)) * (end - start);

function frame(low, high, label, format) {
  const { width, height, left, right, top, bottom } = PLOT;
  const y = scale(low, high, height - bottom, top);
  const grid = ticks(low, high, 4).map((at) => [
    svg("line", { class: at === 0 ? "zero" : "axis", x1: left, x2: width - right, y1: y(at), y2: y(at) }),
    svg("text", { x: left - 6, y: y(at) + 4, "text-anchor": "end" }, format(at)),
  ]);
  const node = svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, grid);
  return { node, y, x: (from, to) => scale(from, to, left, width - right) };
}
const below = (x, text, anchor = "middle") => svg("text", { x, y: PLOT.height - 10, "text-anchor": anchor }, text);

/// Bars of one value each: { label, value, title, tone }. `every`: which labels are written.
function bars(items, { label, format, every = 1 }) {
  const values = items.map((item) => item.value ?? 0);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)], air = 0.06 * (high - low || 1);
  const { node, y, x } = frame(low && low - air, high + air, label, format);
  const across = x(0, items.length), slot = across(1) - across(0);
  items.forEach((item, place) => {
    const left = across(place), value = item.value ?? 0;
    const [top, bottom] = [y(Math.max(value, 0)), y(Math.min(value, 0))];
    node.append(
      svg("rect", { class: item.tone, x: left + slot * 0.1, width: slot * 0.8, y: top, height: value ? Math.max(bottom - top, 1) : 0, rx: 1.5 }, svg("title", null, item.title)),
      place % every === 0 ? below(left + slot / 2, item.label) : "");
  });
  return node;
}

/// A line through points { x, y }, with a mark where it crosses zero: { at, text }.
function line(points, { label, format, mark }) {
  const values = points.map((point) => point.y);
  const { node, y, x } = frame(Math.min(0, ...values), Math.max(0, ...values), label, format);
  const last = points[points.length - 1].x, across = x(points[0].x, last);
  node.append(svg("polyline", { class: "line", points: points.map((point) => `${across(point.x).toFixed(1)},${y(point.y).toFixed(1)}`).join(" ") }));
  for (const at of ticks(points[0].x, last, 5)) node.append(below(across(at), String(at)));
  if (mark && mark.at >= points[0].x && mark.at <= last) {
    const at = across(mark.at), end = at > PLOT.width / 2;
    node.append(svg("line", { class: "mark", x1: at, x2: at, y1: PLOT.top, y2: PLOT.height - PLOT.bottom }),
      svg("text", { class: "marked", x: at + (end ? -6 : 6), y: PLOT.top + 10, "text-anchor": end ? "end" : "start" }, mark.text));
  }
  return node;
}

/// Value, interval and bounds on a scale that all rows of a table share.
function whisker({ value, low, high, from, to }, reach, label) {
  const x = scale(-reach, reach, 4, 108), within = (at) => x(Math.max(-reach, Math.min(reach, at)));
  return svg("svg", { class: "whisker", viewBox: "0 0 112 20", role: "img", "aria-label": label },
    svg("title", null, label),
    svg("line", { class: "zero", x1: x(0), x2: x(0), y1: 0, y2: 20 }),
    known(from) && known(to) ? svg("line", { class: "bounds", x1: within(from), x2: within(to), y1: 10, y2: 10 }) : "",
    known(low) && known(high) ? svg("line", { class: "interval", x1: within(low), x2: within(high), y1: 10, y2: 10 }) : "",
    svg("circle", { cx: within(value), cy: 10, r: 4 }));
}
