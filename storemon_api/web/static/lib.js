// What all pages share: asking the API, writing times and amounts, making elements.

export const root = document.body.dataset.root;
const MINUTE = 60e6, HOUR = 60 * MINUTE, DAY = 24 * HOUR;

// ---- asking ------------------------------------------------------------------------------------

export class ProblemError extends Error {
  constructor(status, detail) { super(detail); this.status = status; }
}

export async function ask(path, options = {}) {
  // Says that a page asks: the server then lets the browser use the key that its user gave it.
  const headers = { ...options.headers, "X-Requested-With": "storemon" };
  const answer = await fetch(root + path, { ...options, headers });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw new ProblemError(answer.status, problem.detail || `The server answered ${answer.status}.`);
}

export async function get(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== null && one !== undefined && one !== "") query.append(name, one);
  }
  const text = query.toString();
  return (await ask(text ? `${path}?${text}` : path, { headers: { Accept: "application/json" } })).json();
}

export function showProblem(error) {
  const box = document.getElementById("problem");
  box.hidden = !error;
  if (!error) return;
  box.replaceChildren(error.status === undefined ? "The server cannot be reached. " : `${error.message} `);
}

// Calls `update` now and whenever the server tells of newer data; the badge says whether it listens.
export async function live(update) {
  const run = async () => {
    try { await update(); showProblem(null); } catch (error) { showProblem(error); }
  };
  await run();
  let isFirst = true;
  for (;;) {
    try {
      const answer = await ask("/events");
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      setLive(true);
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const parts = (rest + value).split("\n\n");
        rest = parts.pop();
        for (const part of parts) {
          if (!part.startsWith("event: data")) continue;
          // The first event tells of the data that the page has just asked for.
          if (!isFirst) await run();
          isFirst = false;
        }
      }
    } catch { isFirst = false; }
    setLive(false);
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

let isLive = false;
function setLive(on) {
  isLive = on;
  const badge = document.querySelector(".live");
  if (!badge) return;
  badge.classList.toggle("on", on);
  badge.title = on ? "This page follows new data" : "Not connected; trying again";
  badge.textContent = on ? "live" : "not connected";
}

// ---- writing -----------------------------------------------------------------------------------

export const us = (iso) => Date.parse(iso) * 1000;

export function percent(value) { return value === null || value === undefined ? "n/a" : `${value.toFixed(2)} %`; }

export function count(value) { return value.toLocaleString("en"); }

// Whole minutes up to two hours, then hours and minutes, then days.
export function span(amount) {
  if (amount < MINUTE) return amount < 1e6 ? "0 s" : `${Math.floor(amount / 1e6)} s`;
  if (amount < 2 * HOUR) return `${Math.floor(amount / MINUTE)} min`;
  if (amount < 2 * DAY) {
    const minutes = Math.floor((amount % HOUR) / MINUTE);
    return `${Math.floor(amount / HOUR)} h${minutes ? ` ${minutes} min` : ""}`;
  }
  if (amount >= 100 * DAY) return `${count(Math.floor(amount / DAY))} days`;
  const hours = Math.floor((amount % DAY) / HOUR);
  return `${Math.floor(amount / DAY)} d${hours ? ` ${hours} h` : ""}`;
}

// To the second, for amounts that are to be added up.
export function exact(amount) {
  const seconds = amount / 1e6;
  const whole = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = (seconds % 60).toFixed(amount % 1e6 ? 6 : 0).padStart(amount % 1e6 ? 9 : 2, "0");
  return `${whole}:${String(minutes).padStart(2, "0")}:${rest}`;
}

export function hours(amount) { return `${(amount / HOUR).toFixed(2)} h`; }

const formats = new Map();
function formatter(zone, options) {
  const name = zone + JSON.stringify(options);
  if (!formats.has(name)) formats.set(name, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options }));
  return formats.get(name);
}

export function clock(iso, zone = "UTC", seconds = false) {
  return formatter(zone, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", ...(seconds && { second: "2-digit" }) }).format(new Date(iso)).replace(",", "");
}

export function dated(iso, zone = "UTC") {
  return formatter(zone, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" }).format(new Date(iso)).replace(",", "");
}

export function showAsOf(asOf) {
  const box = document.getElementById("as-of");
  if (!asOf) { box.replaceChildren("No poll has been loaded yet."); return; }
  const age = Date.now() * 1000 - us(asOf);
  const live = box.querySelector(".live") || h("span", { class: "live" });
  box.replaceChildren(live, " newest poll ", h("strong", {}, `${dated(asOf)} UTC`), age > 2 * HOUR ? `, ${span(age)} ago` : "");
  setLive(isLive);
}

// How much better or worse than the period before, in percentage points; null where one is missing.
export function changeOf(figures, isShort = false) {
  if (figures.previous_percent === null || figures.uptime_percent === null) return isShort ? null : h("span", { class: "change same" }, "no figure for the period before");
  const points = figures.uptime_percent - figures.previous_percent;
  const word = points < 0 ? "worse" : points > 0 ? "better" : "same";
  const sign = points < 0 ? "▼ −" : points > 0 ? "▲ +" : "= ";
  return h("span", { class: `change ${word}`, "data-tip": isShort ? `${percent(figures.previous_percent)} in the period before` : null }, `${sign}${Math.abs(points).toFixed(2)}`, isShort ? "" : ` points to ${percent(figures.previous_percent)} in the period before`);
}

// ---- making ------------------------------------------------------------------------------------

function make(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}
export const h = (tag, attributes = {}, ...children) => make(document.createElement(tag), attributes, children);
export const s = (tag, attributes = {}, ...children) => make(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

const SHAPES = {
  up: "M6 1 11 10H1Z", down: "M6 11 1 2h10Z", closed: "M2 5h8v2.4H2Z", silent: "M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1Zm0 2a3 3 0 1 1 0 6 3 3 0 0 1 0-6Z",
};
export function badge(standing, word = standing) {
  return h("span", { class: `badge ${standing}` }, s("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, s("path", { d: SHAPES[standing] })), word);
}

export function zoneName(zone) { return zone.split("/").pop().replaceAll("_", " "); }

export function storeLink(storeId, name) {
  return h("a", { href: `${root}/store/${encodeURIComponent(storeId)}`, title: name ? storeId : null }, name || storeId);
}

// Puts other children into a box; who was on one of its controls by keyboard stays there.
const CONTROLS = "a, button, input, select, summary";
export function refill(box, ...children) {
  const at = box.contains(document.activeElement) ? [...box.querySelectorAll(CONTROLS)].indexOf(document.activeElement) : -1;
  box.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  if (at >= 0) box.querySelectorAll(CONTROLS)[at]?.focus({ preventScroll: true });
}

// On a phone each row is a card, and each cell has its column's name beside it.
export function fillTable(table, columns, rows, empty = "None.") {
  const label = (column) => column.label ?? (typeof column.head === "string" && column.head ? column.head : null);
  refill(table.tHead.rows[0], ...columns.map((column) => h("th", { class: column.class, scope: "col", "aria-sort": column.sorted || null }, column.head)));
  refill(table.tBodies[0], ...(rows.length ? rows.map((row) => h("tr", {}, columns.map((column) => h("td", { class: column.class, "data-label": label(column) }, column.cell(row))))) : [h("tr", {}, h("td", { colspan: columns.length, class: "empty" }, empty))]));
}

export function segmented(box, choices, chosen, choose) {
  refill(box, ...choices.map(([value, word]) => h("button", { type: "button", "aria-pressed": String(value === chosen), onclick: () => choose(value) }, word)));
}

export function pager(box, page, shown, go) {
  if (page.total <= page.limit) { box.replaceChildren(page.total ? `${count(page.total)} in all` : ""); return; }
  refill(box,
    h("button", { class: "small", type: "button", disabled: page.offset === 0, onclick: () => go(Math.max(0, page.offset - page.limit)) }, "Previous"),
    h("span", {}, `${count(page.offset + 1)} to ${count(page.offset + shown)} of ${count(page.total)}`),
    h("button", { class: "small", type: "button", disabled: page.next === null, onclick: () => go(page.offset + page.limit) }, "Next"),
  );
}

// A tooltip for everything that has `data-tip`, by pointer and by focus.
const tip = document.getElementById("tip");
function showTip(target, x, y) {
  tip.textContent = target.dataset.tip;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - box.width - 4))}px`;
  tip.style.top = `${y + 16 + box.height > innerHeight ? y - box.height - 8 : y + 16}px`;
}
document.addEventListener("pointermove", (event) => {
  const target = event.target.closest?.("[data-tip]");
  if (target) showTip(target, event.clientX, event.clientY); else tip.hidden = true;
});
document.addEventListener("pointerdown", (event) => {
  const target = event.target.closest?.("[data-tip]");
  if (target && event.pointerType !== "mouse") showTip(target, event.clientX, event.clientY);
});
function showTipAt(target) {
  const box = target.getBoundingClientRect();
  showTip(target, box.left, box.bottom - 12);
}
document.addEventListener("focusin", (event) => {
  const target = event.target.closest?.("[data-tip]");
  if (target) showTipAt(target); else tip.hidden = true;
});

// A chart is one stop of the Tab key; the arrow keys walk through its marks.
const said = h("div", { class: "sr-only", role: "status", "aria-live": "polite" });
document.body.append(said);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { tip.hidden = true; return; }
  const chart = document.activeElement;
  if (!chart.matches("svg[data-walk]")) return;
  const marks = [...chart.querySelectorAll("[data-tip]:not([data-again])")];
  const now = marks.indexOf(chart.querySelector(".at"));
  const next = { ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now < 0 ? marks.length - 1 : now - 1, ArrowUp: now - 1, Home: 0, End: marks.length - 1 }[event.key];
  if (next === undefined || !marks[next]) return;
  event.preventDefault();
  marks[now]?.classList.remove("at");
  marks[next].classList.add("at");
  showTipAt(marks[next]);
  said.textContent = marks[next].dataset.tip.replaceAll("\n", ", ");
});

// Draws a chart as wide as its box, so that its letters keep their size; again when that changes.
const drawings = new WeakMap();
const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) if (drawings.get(target).width !== target.clientWidth) paint(target);
});
function paint(box) {
  const drawing = drawings.get(box);
  drawing.width = box.clientWidth;
  box.replaceChildren(drawing.draw(Math.max(drawing.width, 240)));
}
export function chart(box, draw) {
  drawings.set(box, { draw, width: 0 });
  paint(box);
  resized.observe(box);
}

// What can be scrolled sideways can be reached by keyboard; what cannot is no stop of the Tab key.
const overflowing = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const box = target.matches(".scroll") ? target : target.parentElement;
    const title = box.closest("section")?.querySelector("h2");
    const isWide = box.scrollWidth > box.clientWidth;
    for (const [name, value] of [["tabindex", "0"], ["role", "group"], ["aria-label", title?.textContent]]) if (isWide && value) box.setAttribute(name, value); else box.removeAttribute(name);
  }
});
for (const box of document.querySelectorAll(".scroll")) {
  overflowing.observe(box);
  if (box.firstElementChild) overflowing.observe(box.firstElementChild);
}

// The hatching of what is uncertain; each chart has its own copy.
export function hatching(id) {
  return s("defs", {}, s("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, s("line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: 6 })));
}

// Where the truth lies: the range between the bounds, and the estimate.
export function bounds(figures) {
  const whole = figures.business_us || 1;
  const at = (value) => (100 * value) / whole;
  const low = at(figures.lowest_uptime_us), high = at(figures.highest_uptime_us);
  return s("svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none", role: "img", style: null, width: "100%", height: "8", "aria-label": `between ${low.toFixed(1)} and ${high.toFixed(1)} percent` },
    s("rect", { class: "range", x: 0, y: 1.5, width: 100, height: 3 }),
    s("rect", { class: "f-up", x: 0, y: 1.5, width: low, height: 3 }),
    s("rect", { class: "f-up", x: low, y: 1.5, width: Math.max(high - low, .2), height: 3, opacity: .4 }),
    s("rect", { class: "mark", x: Math.min(at(figures.uptime_us), 99.5), y: 0, width: .6, height: 6 }));
}
export { MINUTE, HOUR, DAY };
