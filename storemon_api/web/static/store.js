// The page of one store.
import { DAY, HOUR, badge, bounds, chart, clock, count, dated, exact, fillTable, get, h, hatching, hours, live, pager, percent, refill, s, segmented, showAsOf, showProblem, span, us } from "./lib.js";

const storeId = document.body.dataset.store;
const base = `/stores/${encodeURIComponent(storeId)}`;
const WINDOWS = { hour: "Last hour", day: "Last 24 hours", week: "Last 7 days" };
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const KINDS = { up: "up", down: "down", unknown: "unknown", closed: "closed", closure: "planned closure" };
const state = { days: 7, window: "day", incidentsOffset: 0 };
let store = null, closures = [];

function showTitle() {
  const incident = store.open_incident;
  document.title = `${store.name || store.store_id} · storemon`;
  refill(document.getElementById("title"),
    h("h1", {}, store.name || store.store_id), badge(store.standing),
    store.standing === "down" && incident ? h("span", {}, incident.last_active_poll ? `since about ${clock(incident.start, store.timezone)} local, ` : `since before ${clock(incident.first_inactive_poll, store.timezone)} local, `, h("strong", {}, `${span(incident.lost_us)} of business time lost`)) : null,
    h("p", { class: "note" }, [store.name && store.store_id, store.group, store.region, store.has_timezone ? store.timezone : `${store.timezone} (none loaded)`, store.has_hours ? null : "no hours loaded: always open", store.last_poll_at ? `last poll ${clock(store.last_poll_at, store.timezone, true)} local` : "never polled", `${count(store.polls)} polls`].filter(Boolean).join(" · ")));
}

function showFigures() {
  const box = document.getElementById("figures");
  document.getElementById("figures-note").textContent = store.figures ? "the bar: dark is surely up, pale possibly, the mark is the estimate" : "";
  if (!store.figures) { box.replaceChildren(h("p", { class: "empty" }, "Silent: no poll in 192 hours, so there is no figure.")); return; }
  box.replaceChildren(...Object.entries(WINDOWS).map(([window, word]) => {
    const figures = store.figures[window];
    const share = (amount) => percent(figures.business_us ? Math.floor((1e4 * amount) / figures.business_us) / 100 : null);
    return h("article", { class: "figure" }, h("div", { class: "note" }, word), h("div", { class: "percent" }, percent(figures.uptime_percent)), bounds(figures),
      h("dl", {}, ...[["up", hours(figures.uptime_us)], ["down", hours(figures.downtime_us)], ["business time", hours(figures.business_us)], ["surely between", figures.business_us ? `${share(figures.lowest_uptime_us)} and ${share(figures.highest_uptime_us)}` : "n/a"], ["observed", percent(figures.observed_percent)]].flatMap(([term, value]) => [h("dt", {}, term), h("dd", {}, value)])),
      h("button", { type: "button", class: "link why", onclick: () => { state.window = window; guard(showLedger); const why = document.getElementById("why"); why.focus({ preventScroll: true }); why.scrollIntoView({ block: "start" }); } }, "Why this number?", h("span", { class: "sr-only" }, ` ${word}`)));
  }));
}

// A poll: a line, with a filled head below it where the store was inactive.
function tick(x, y, isActive, tip = null) {
  return s("g", { class: isActive ? "tick-up" : "tick-down", "data-tip": tip }, s("rect", { x: x - 2, y, width: 4, height: 10, fill: "transparent" }), s("line", { x1: x, x2: x, y1: y, y2: y + (isActive ? 8 : 6) }), isActive ? null : s("path", { d: `M${x - 2.6} ${y + 5}h5.2l-2.6 5z` }));
}

function legend() {
  const swatch = (kind, hatched) => s("svg", { viewBox: "0 0 24 12", "aria-hidden": "true" }, hatching("h-legend"), s("rect", { class: `f-${kind}`, width: 24, height: 12 }), hatched ? s("rect", { fill: "url(#h-legend)", width: 24, height: 12 }) : null);
  document.getElementById("legend").replaceChildren(
    ...[["up", false, "up"], ["up", true, "up, uncertain"], ["down", false, "down"], ["down", true, "down, uncertain"], ["unknown", false, "unknown"], ["closed", false, "closed"], ["closure", false, "planned closure"]].map(([kind, hatched, word]) => h("span", {}, swatch(kind, hatched), word)),
    h("span", {}, s("svg", { viewBox: "0 0 24 12", "aria-hidden": "true" }, tick(6, 1, true)), "poll: active"),
    h("span", {}, s("svg", { viewBox: "0 0 24 12", "aria-hidden": "true" }, tick(6, 1, false)), "poll: inactive"));
}

// Local microseconds of the day that an instant falls on, and that day.
function localOf(timeline) {
  const offsets = timeline.offsets.map((one) => [us(one.start), one.offset_seconds * 1e6]);
  return (at) => {
    let offset = offsets[0][1];
    for (const [start, value] of offsets) if (at >= start) offset = value;
    const local = at + offset;
    return { day: Math.floor(local / DAY), time: local - Math.floor(local / DAY) * DAY };
  };
}

// The wall clock of an instant, as `start_local` of a closure is written.
function wall(iso) {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: store.timezone, dateStyle: "short", timeStyle: "medium" }).format(new Date(iso)).replace(" ", "T");
}

function kindOf(segment) {
  if (segment.kind === "closure") {
    const at = wall(segment.start);
    const own = closures.find((one) => one.start_local <= at && (!one.end_local || at < one.end_local));
    return own?.reason ? `${KINDS.closure}: ${own.reason}` : KINDS.closure;
  }
  return KINDS[segment.kind] + (["up", "down"].includes(segment.kind) && !segment.is_certain ? ", uncertain" : "");
}

async function showTimeline() {
  segmented(document.getElementById("spans"), [[3, "3 days"], [7, "7 days"], [14, "14 days"], [31, "31 days"]], state.days, (days) => { state.days = days; guard(showTimeline); });
  const to = us(store.as_of);
  const timeline = await get(`${base}/timeline`, { from: new Date((to - state.days * DAY) / 1000).toISOString() });
  const place = localOf(timeline);
  const row = 27, bar = 14;
  const first = place(us(timeline.start)).day, last = place(us(timeline.end) - 1).day;
  const y = (day) => (last - day) * row + 20;
  chart(document.getElementById("timeline"), (whole) => {
    const isNarrow = whole < 560, left = isNarrow ? 52 : 82, width = whole - left - (isNarrow ? 14 : 22);
    const x = (time) => left + (time / DAY) * width;
    const parts = [];
    for (let hour = 0; hour <= 24; hour += isNarrow ? 6 : 3) parts.push(s("line", { class: "grid", x1: x(hour * HOUR), x2: x(hour * HOUR), y1: 14, y2: (last - first + 1) * row + 14 }), s("text", { x: x(hour * HOUR), y: 10, "text-anchor": "middle" }, isNarrow ? String(hour) : `${String(hour).padStart(2, "0")}:00`));
    for (let day = first; day <= last; day += 1) {
      const date = new Date((day * DAY) / 1000);
      parts.push(s("text", { x: left - 8, y: y(day) + 11, "text-anchor": "end" }, `${WEEKDAYS[(date.getUTCDay() + 6) % 7]} ${date.getUTCDate()}${isNarrow ? "" : ` ${date.toLocaleString("en", { month: "short", timeZone: "UTC" })}`}`));
    }
    for (const segment of timeline.segments) {
      const tip = `${kindOf(segment)}\n${clock(segment.start, store.timezone, true)} to\n${clock(segment.end, store.timezone, true)} local\n${span(us(segment.end) - us(segment.start))}`;
      let isTold = false;
      for (let at = us(segment.start), end = us(segment.end); at < end;) {
        const { day, time } = place(at);
        let until = Math.min(end, at + DAY - time);
        // A change of the clock ends a piece, so that each lies where the wall clock shows it.
        for (const one of timeline.offsets) if (us(one.start) > at && us(one.start) < until) until = us(one.start);
        const box = { x: x(time), y: y(day), width: Math.max(.4, x(time + until - at) - x(time)), height: bar };
        const shape = [s("rect", { class: `f-${segment.kind}`, ...box })];
        if (["up", "down"].includes(segment.kind) && !segment.is_certain) shape.push(s("rect", { fill: "url(#h-line)", ...box }));
        // Down is lower than up, and a closure is struck through: neither is told by its colour alone.
        if (segment.kind === "down") shape[0].setAttribute("height", bar + 3);
        if (segment.kind === "closure") shape.push(s("line", { class: "struck", x1: box.x, x2: box.x + box.width, y1: box.y + bar / 2, y2: box.y + bar / 2 }));
        parts.push(s("g", { "data-tip": tip, "data-again": isTold }, shape));
        isTold = true;
        at = until;
      }
    }
    for (const poll of timeline.polls) {
      const { day, time } = place(us(poll.at));
      parts.push(tick(x(time), y(day) + bar - 5, poll.is_active, `poll ${poll.is_active ? "active" : "inactive"}\n${clock(poll.at, store.timezone, true)} local`));
    }
    const tall = (last - first + 1) * row + 22;
    return s("svg", { viewBox: `0 0 ${whole} ${tall}`, width: whole, height: tall, role: "img", tabindex: 0, "data-walk": true, "aria-label": `Timeline of ${last - first + 1} days in local time; the arrow keys walk through it, and the table below holds the same` }, hatching("h-line"), parts);
  });
  fillTable(document.getElementById("segments"), [
    { head: "from (local)", cell: (one) => clock(one.start, store.timezone, true) }, { head: "to", cell: (one) => clock(one.end, store.timezone, true) },
    { head: "what", cell: kindOf }, { head: "length", class: "number", cell: (one) => span(us(one.end) - us(one.start)) },
  ], timeline.segments.slice().reverse());
}

async function showIncidents() {
  const page = await get(`${base}/incidents`, { limit: 15, offset: state.incidentsOffset });
  const numbers = page.summary;
  document.getElementById("incident-numbers").replaceChildren(...[["incidents", count(numbers.count)], ["open", count(numbers.open)], ["business time lost", span(numbers.lost_us)], ["longest", span(numbers.longest_us)], ["mean to recovery (MTTR)", numbers.mean_to_recovery_us === null ? "n/a" : span(numbers.mean_to_recovery_us)]].map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))));
  const until = (from, to) => { const [a, b] = [clock(from, store.timezone), clock(to, store.timezone)]; return `${a} and ${a.slice(0, -5) === b.slice(0, -5) ? b.slice(-5) : b}`; };
  const bracket = (from, to, none) => (from && to ? until(from, to) : from ? `after ${clock(from, store.timezone)}` : to ? `before ${clock(to, store.timezone)}` : none);
  fillTable(document.getElementById("incidents"), [
    { head: "began between", cell: (one) => bracket(one.last_active_poll, one.first_inactive_poll) },
    { head: "ended between", cell: (one) => one.ending === "ended" ? bracket(one.last_inactive_poll, one.next_active_poll) : one.ending === "open" ? badge("down", "still down") : `lost sight of after ${clock(one.last_inactive_poll, store.timezone)}` },
    { head: "polls", class: "number", cell: (one) => count(one.polls) },
    { head: "lost", class: "number", cell: (one) => span(one.lost_us) },
  ], page.incidents, "No incident.");
  pager(document.getElementById("incidents-pager"), page, page.incidents.length, (offset) => { state.incidentsOffset = offset; guard(showIncidents); });
}

async function showDays() {
  const page = await get(`${base}/uptime`, { by: "day", limit: 100 });
  const days = page.periods;
  document.getElementById("days-note").textContent = days.length ? `${percent(page.sum.uptime_percent)} up since ${page.periods[0].begin_local.slice(0, 10)}` : "";
  const box = document.getElementById("days");
  if (!days.length) { box.replaceChildren(h("p", { class: "empty" }, "No days yet.")); return; }
  chart(box, (whole) => {
    const height = 90, left = 34, width = whole - left - 4, step = width / Math.max(days.length, 30), y = (hour) => height - (hour / 25) * height;
    const parts = [0, 12, 24].map((hour) => [s("line", { class: "grid", x1: left, x2: left + width, y1: y(hour), y2: y(hour) }), s("text", { x: left - 5, y: y(hour) + 4, "text-anchor": "end" }, `${hour} h`)]);
    days.forEach((day, number) => {
      let below = height;
      const tip = `${day.begin_local.slice(0, 10)}\n${day.business_us ? `${percent(day.uptime_percent)} up of ${span(day.business_us)} business time` : "no business time"}\ndown ${span(day.downtime_us)}${day.unknown_us ? `, unknown ${span(day.unknown_us)}` : ""}\nuncertain ${span(day.uncertain_us)}\n${day.incidents} incident${day.incidents === 1 ? "" : "s"}`;
      const stack = [["up", day.uptime_us], ["down", day.downtime_us], ["unknown", day.unknown_us]].map(([kind, amount]) => {
        const tall = (amount / (25 * HOUR)) * height;
        below -= tall;
        return s("rect", { class: `f-${kind}`, x: left + number * step + .5, y: below, width: Math.max(1, step - 1.5), height: tall });
      });
      parts.push(s("g", { "data-tip": tip }, s("rect", { x: left + number * step, y: 0, width: step, height, fill: "transparent" }), stack));
    });
    parts.push(s("text", { x: left, y: height + 14 }, days[0].begin_local.slice(0, 10)));
    if (days.length > 1) parts.push(s("text", { x: left + days.length * step, y: height + 14, "text-anchor": days.length * step > 140 ? "end" : "start" }, days.at(-1).begin_local.slice(5, 10)));
    return s("svg", { viewBox: `0 -6 ${whole} ${height + 24}`, width: whole, height: height + 24, role: "img", tabindex: 0, "data-walk": true, "aria-label": "Business hours of each local day, down above up; the arrow keys walk through the days" }, parts);
  });
}

async function showHeat() {
  const from = new Date((us(store.as_of) - 28 * DAY) / 1000).toISOString();
  const page = await get(`${base}/uptime`, { by: "hour", limit: 1000, from });
  const cells = Array.from({ length: 7 }, () => Array.from({ length: 24 }, () => ({ known: 0, down: 0 })));
  for (const hour of page.periods) {
    const date = new Date(`${hour.begin_local}Z`);
    const cell = cells[(date.getUTCDay() + 6) % 7][date.getUTCHours()];
    cell.known += hour.uptime_us + hour.downtime_us;
    cell.down += hour.downtime_us;
  }
  const share = (cell) => (cell.known ? cell.down / cell.known : null);
  const named = cells.flatMap((row, day) => row.map((cell, hour) => ({ ...cell, share: share(cell), name: `${WEEKDAYS[day]} ${String(hour).padStart(2, "0")}:00` })));
  const worst = named.filter((cell) => cell.share).sort((a, b) => b.share - a.share || b.down - a.down).slice(0, 3);
  document.getElementById("heat-note").textContent = worst.length ? `Most often down: ${worst.map((cell) => `${cell.name} (${Math.floor((100 * cell.down) / cell.known)} %)`).join(", ")}.` : "Not down in any hour of the week.";
  chart(document.getElementById("heat"), (whole) => {
    const left = 34, size = (whole - left - 2) / 24, tall = 17, parts = [];
    for (let hour = 0; hour < 24; hour += whole < 420 ? 6 : 3) parts.push(s("text", { x: left + hour * size, y: 10 }, String(hour).padStart(2, "0")));
    cells.forEach((row, day) => {
      parts.push(s("text", { x: left - 6, y: 27 + day * tall, "text-anchor": "end" }, WEEKDAYS[day]));
      row.forEach((cell, hour) => {
        const part = share(cell);
        const tip = `${WEEKDAYS[day]} ${String(hour).padStart(2, "0")}:00\n${part === null ? "no business time" : `${(Math.floor((1000 * cell.down) / cell.known) / 10).toFixed(1)} % down of ${span(cell.known)}`}`;
        const box = { x: left + hour * size, y: 15 + day * tall, width: size - 1, height: tall - 1 };
        parts.push(s("g", { "data-tip": tip }, heatCell(box, part)));
      });
    });
    return s("svg", { viewBox: `0 0 ${whole} ${18 + 7 * tall}`, width: whole, height: 18 + 7 * tall, role: "img", tabindex: 0, "data-walk": true, "aria-label": "Share of business time down by weekday and local hour; the fuller a cell, the more; the arrow keys walk through the hours" }, parts);
  });
}

// A cell fills from below by how much of its time the store was down: seen without colours as well.
function heatCell(box, part) {
  if (part === null) return s("rect", { class: "f-closed", opacity: .5, ...box });
  const full = part ? Math.max(2, box.height * part) : 0;
  return [s("rect", { class: "f-up", opacity: .3, ...box }), full ? s("rect", { class: "f-down", ...box, y: box.y + box.height - full, height: full }) : null];
}

function heatLegend() {
  document.getElementById("heat-legend").replaceChildren(...[[null, "closed"], [0, "never down"], [.5, "half of the time"], [1, "always down"]].map(([part, word]) => h("span", {}, s("svg", { viewBox: "0 0 24 12", "aria-hidden": "true" }, heatCell({ x: 2, y: 0, width: 18, height: 12 }, part)), word)));
}

function showHours() {
  const box = document.getElementById("hours");
  if (!store.has_hours) { box.replaceChildren(h("p", { class: "empty" }, "No hours were loaded: the store counts as always open.")); return; }
  box.replaceChildren(h("dl", { class: "week" }, ...WEEKDAYS.flatMap((day, number) => {
    const own = store.hours.filter((one) => one.day_of_week === number).map((one) => {
      const [hour, ...rest] = one.end.split(":");
      const later = Math.floor(Number(hour) / 24);
      const end = later && one.end !== "24:00:00" ? `${[String(Number(hour) % 24).padStart(2, "0"), ...rest].join(":").slice(0, 5)} on ${WEEKDAYS[(number + later) % 7]}` : one.end.slice(0, 5);
      return `${one.start.slice(0, 5)} to ${end}`;
    });
    return [h("dt", {}, day), h("dd", {}, own.join(", ") || "closed")];
  })));
}

function showClosures() {
  const box = document.getElementById("closures");
  const local = (text) => dated(`${text}Z`);
  box.replaceChildren(h("h3", {}, "Planned closures"), closures.length ? h("ul", { class: "plain" }, ...closures.map((one) => h("li", {}, one.end_local ? `${local(one.start_local)} to ${local(one.end_local)}` : `from ${local(one.start_local)} until further notice`, h("span", { class: "sub" }, [one.reason, one.store_id === "*" && "every store"].filter(Boolean).map((text) => ` · ${text}`).join(""))))) : h("p", { class: "empty" }, "None."));
}

async function showLedger() {
  segmented(document.getElementById("windows"), Object.entries(WINDOWS), state.window, (window) => { state.window = window; guard(showLedger); });
  const ledger = await get(`${base}/explain`, { window: state.window });
  document.getElementById("ledger-note").textContent = `The last ${state.window} before ${dated(ledger.as_of)} UTC in intervals, on the store's clock (${store.timezone}). What is counted adds up to the report's figure${ledger.business_us ? `: ${exact(ledger.uptime_us)} of ${exact(ledger.business_us)} are ${percent(Math.floor((1e4 * ledger.uptime_us) / ledger.business_us) / 100)}` : ""}.`;
  const table = document.getElementById("ledger");
  fillTable(table, [
    { head: "from", cell: (one) => clock(one.start, store.timezone, true) }, { head: "to", cell: (one) => clock(one.end, store.timezone, true) },
    { head: "counts as", cell: (one) => ["up", "down", "closed"].includes(one.kind) ? badge(one.kind, KINDS[one.kind] + (one.kind === "closed" || one.is_certain ? "" : ", uncertain")) : KINDS[one.kind] },
    { head: "because", class: "wide", cell: (one) => [one.reason, one.run_polls && one.kind !== "closed" ? h("span", { class: "sub" }, ` (${count(one.run_polls)} poll${one.run_polls > 1 ? "s" : ""}, ${clock(one.run_first_poll, store.timezone)} to ${clock(one.run_last_poll, store.timezone)})`) : null] },
    { head: "up", class: "number", cell: (one) => (one.kind === "up" ? exact(one.counted_us) : "") },
    { head: "down", class: "number", cell: (one) => (one.kind === "down" ? exact(one.counted_us) : "") },
  ], ledger.entries, "No figure: no poll in the 192 hours before.");
  table.tFoot.replaceChildren(ledger.entries.length ? h("tr", {}, h("td", { colspan: 4 }, `Sum of ${exact(ledger.business_us)} business time`), h("td", { class: "number", id: "ledger-up", "data-label": "up" }, exact(ledger.uptime_us)), h("td", { class: "number", id: "ledger-down", "data-label": "down" }, exact(ledger.downtime_us))) : "");
}

async function guard(work) { try { await work(); showProblem(null); } catch (error) { showProblem(error); } }

async function update() {
  [store, closures] = await Promise.all([get(base), get("/closures", { store_id: storeId }).then((answer) => answer.closures)]);
  showAsOf(store.as_of);
  showTitle();
  showFigures();
  showHours();
  showClosures();
  legend();
  heatLegend();
  await Promise.all([showTimeline(), showIncidents(), showDays(), showHeat(), showLedger()]);
  document.body.dataset.ready = store.as_of;
}
live(update);
