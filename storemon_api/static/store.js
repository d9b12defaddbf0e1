// The page of one store.
import { DAY, HOUR, badge, bounds, clock, count, dated, exact, fillTable, get, h, hatching, hours, live, pager, percent, s, segmented, showAsOf, showProblem, span, us } from "./lib.js";

const storeId = document.body.dataset.store;
const base = `/stores/${encodeURIComponent(storeId)}`;
const WINDOWS = { hour: "Last hour", day: "Last 24 hours", week: "Last 7 days" };
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const KINDS = { up: "up", down: "down", unknown: "unknown", closed: "closed", closure: "planned closure" };
const state = { days: 7, window: "day", incidentsOffset: 0 };
let store = null;

function showTitle() {
  const incident = store.open_incident;
  document.title = `${store.name || store.store_id} · storemon`;
  document.getElementById("title").replaceChildren(
    h("h1", {}, store.name || store.store_id), badge(store.standing),
    store.standing === "down" && incident ? h("span", {}, `since ${clock(incident.start, store.timezone)} (estimated), ${span(incident.lost_us)} of business time lost`) : null,
    h("p", { class: "note" }, [store.name && store.store_id, store.group, store.region, store.has_timezone ? store.timezone : `${store.timezone} (none loaded)`, store.has_hours ? null : "no hours loaded: always open", store.last_poll_at ? `last poll ${clock(store.last_poll_at, store.timezone, true)} local` : "never polled", `${count(store.polls)} polls`].filter(Boolean).join(" · ")));
}

function showFigures() {
  const box = document.getElementById("figures");
  document.getElementById("figures-note").textContent = "the bar: surely up, possibly up, and the estimate";
  if (!store.figures) { box.replaceChildren(h("p", { class: "empty" }, "Silent: no poll in 192 hours, so there is no figure.")); return; }
  box.replaceChildren(...Object.entries(WINDOWS).map(([window, word]) => {
    const figures = store.figures[window];
    const share = (amount) => percent(figures.business_us ? Math.floor((1e4 * amount) / figures.business_us) / 100 : null);
    return h("article", { class: "figure" }, h("div", { class: "note" }, word), h("div", { class: "percent" }, percent(figures.uptime_percent)), bounds(figures),
      h("dl", {}, ...[["up", hours(figures.uptime_us)], ["down", hours(figures.downtime_us)], ["business time", hours(figures.business_us)], ["surely up, at most", `${share(figures.lowest_uptime_us)} to ${share(figures.highest_uptime_us)}`], ["observed", percent(figures.observed_percent)]].flatMap(([term, value]) => [h("dt", {}, term), h("dd", {}, value)])));
  }));
}

function legend() {
  const swatch = (kind, hatched) => s("svg", { viewBox: "0 0 24 12", "aria-hidden": "true" }, hatching("h-legend"), s("rect", { class: `f-${kind}`, width: 24, height: 12 }), hatched ? s("rect", { fill: "url(#h-legend)", width: 24, height: 12 }) : null);
  document.getElementById("legend").replaceChildren(
    ...[["up", false, "up"], ["up", true, "up, uncertain"], ["down", false, "down"], ["down", true, "down, uncertain"], ["unknown", false, "unknown"], ["closed", false, "closed"], ["closure", false, "planned closure"]].map(([kind, hatched, word]) => h("span", {}, swatch(kind, hatched), word)),
    h("span", {}, s("svg", { viewBox: "0 0 24 12", "aria-hidden": "true" }, s("line", { class: "tick-up", x1: 6, x2: 6, y1: 1, y2: 11 }), s("line", { class: "tick-down", x1: 16, x2: 16, y1: 4, y2: 12 })), "poll active, inactive"));
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

async function showTimeline() {
  segmented(document.getElementById("spans"), [[3, "3 days"], [7, "7 days"], [14, "14 days"], [31, "31 days"]], state.days, (days) => { state.days = days; guard(showTimeline); });
  const to = us(store.as_of);
  const timeline = await get(`${base}/timeline`, { from: new Date((to - state.days * DAY) / 1000).toISOString() });
  const place = localOf(timeline);
  const width = 960, left = 74, row = 26, bar = 15;
  const first = place(us(timeline.start)).day, last = place(us(timeline.end) - 1).day;
  const y = (day) => (last - day) * row + 20;
  const x = (time) => left + (time / DAY) * width;
  const parts = [];
  for (let hour = 0; hour <= 24; hour += 3) parts.push(s("line", { class: "grid", x1: x(hour * HOUR), x2: x(hour * HOUR), y1: 14, y2: (last - first + 1) * row + 14 }), s("text", { x: x(hour * HOUR), y: 10, "text-anchor": "middle" }, `${String(hour).padStart(2, "0")}:00`));
  for (let day = first; day <= last; day += 1) {
    const date = new Date((day * DAY) / 1000);
    parts.push(s("text", { x: left - 8, y: y(day) + 11, "text-anchor": "end" }, `${WEEKDAYS[(date.getUTCDay() + 6) % 7]} ${date.getUTCDate()} ${date.toLocaleString("en", { month: "short", timeZone: "UTC" })}`));
  }
  for (const segment of timeline.segments) {
    const tip = `${KINDS[segment.kind]}${["up", "down"].includes(segment.kind) && !segment.is_certain ? ", uncertain" : ""}\n${clock(segment.start, store.timezone, true)} to\n${clock(segment.end, store.timezone, true)} local\n${span(us(segment.end) - us(segment.start))}`;
    for (let at = us(segment.start), end = us(segment.end); at < end;) {
      const { day, time } = place(at);
      let until = Math.min(end, at + DAY - time);
      // A change of the clock ends a piece, so that each lies where the wall clock shows it.
      for (const one of timeline.offsets) if (us(one.start) > at && us(one.start) < until) until = us(one.start);
      const box = { x: x(time), y: y(day), width: Math.max(.4, x(time + until - at) - x(time)), height: bar };
      parts.push(s("rect", { class: `f-${segment.kind}`, ...box, "data-tip": tip }));
      if (["up", "down"].includes(segment.kind) && !segment.is_certain) parts.push(s("rect", { fill: "url(#h-line)", ...box, "data-tip": tip }));
      at = until;
    }
  }
  for (const poll of timeline.polls) {
    const { day, time } = place(us(poll.at));
    parts.push(s("line", { class: poll.is_active ? "tick-up" : "tick-down", x1: x(time), x2: x(time), y1: y(day) + (poll.is_active ? bar - 4 : bar - 8), y2: y(day) + bar + 4, "data-tip": `poll ${poll.is_active ? "active" : "inactive"}\n${clock(poll.at, store.timezone, true)} local` }));
  }
  document.getElementById("timeline").replaceChildren(s("svg", { viewBox: `0 0 ${left + width + 24} ${(last - first + 1) * row + 22}`, role: "img", "aria-label": `Timeline of ${last - first + 1} days in local time; the table below holds the same` }, hatching("h-line"), parts));
  fillTable(document.getElementById("segments"), [
    { head: "from (local)", cell: (one) => clock(one.start, store.timezone, true) }, { head: "to", cell: (one) => clock(one.end, store.timezone, true) },
    { head: "", cell: (one) => KINDS[one.kind] + (one.is_certain || !["up", "down"].includes(one.kind) ? "" : ", uncertain") }, { head: "length", class: "number", cell: (one) => span(us(one.end) - us(one.start)) },
  ], timeline.segments.slice().reverse());
}

async function showIncidents() {
  const page = await get(`${base}/incidents`, { limit: 15, offset: state.incidentsOffset });
  const numbers = page.summary;
  document.getElementById("incident-numbers").replaceChildren(...[["count", count(numbers.count)], ["open", count(numbers.open)], ["business time lost", span(numbers.lost_us)], ["longest", span(numbers.longest_us)], ["mean to recovery (MTTR)", numbers.mean_to_recovery_us === null ? "n/a" : span(numbers.mean_to_recovery_us)]].map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))));
  const until = (from, to) => { const [a, b] = [clock(from, store.timezone), clock(to, store.timezone)]; return `${a} to ${a.slice(0, -5) === b.slice(0, -5) ? b.slice(-5) : b}`; };
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
  const width = 540, height = 90, left = 30, step = width / Math.max(days.length, 30);
  const parts = [0, 12, 24].map((hour) => [s("line", { class: "grid", x1: left, x2: left + width, y1: height - (hour / 25) * height, y2: height - (hour / 25) * height }), s("text", { x: left - 5, y: height - (hour / 25) * height + 4, "text-anchor": "end" }, `${hour} h`)]);
  days.forEach((day, number) => {
    let below = height;
    const tip = `${day.begin_local.slice(0, 10)}\n${percent(day.uptime_percent)} up\ndown ${span(day.downtime_us)}${day.unknown_us ? `, unknown ${span(day.unknown_us)}` : ""}\nuncertain ${span(day.uncertain_us)}\n${day.incidents} incidents`;
    const stack = [["up", day.uptime_us], ["down", day.downtime_us], ["unknown", day.unknown_us]].map(([kind, amount]) => {
      const tall = (amount / (25 * HOUR)) * height;
      below -= tall;
      return s("rect", { class: `f-${kind}`, x: left + number * step + .5, y: below, width: Math.max(1, step - 1.5), height: tall });
    });
    parts.push(s("g", { tabindex: 0, "data-tip": tip, role: "img", "aria-label": tip.replaceAll("\n", ", ") }, s("rect", { x: left + number * step, y: 0, width: step, height, fill: "transparent" }), stack));
  });
  if (days.length) parts.push(s("text", { x: left, y: height + 14 }, days[0].begin_local.slice(0, 10)), s("text", { x: left + days.length * step, y: height + 14, "text-anchor": days.length * step > 140 ? "end" : "start" }, days.length > 1 ? days.at(-1).begin_local.slice(5, 10) : ""));
  document.getElementById("days").replaceChildren(days.length ? s("svg", { viewBox: `0 -6 ${left + width + 6} ${height + 24}`, role: "group", "aria-label": "Business hours of each local day, up and down" }, parts) : h("p", { class: "empty" }, "No days yet."));
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
  const left = 34, size = 21, tall = 16, parts = [];
  for (let hour = 0; hour < 24; hour += 3) parts.push(s("text", { x: left + hour * size, y: 10 }, String(hour).padStart(2, "0")));
  cells.forEach((hoursOfDay, day) => {
    parts.push(s("text", { x: left - 6, y: 26 + day * tall, "text-anchor": "end" }, WEEKDAYS[day]));
    hoursOfDay.forEach((cell, hour) => {
      const share = cell.known ? cell.down / cell.known : null;
      const tip = `${WEEKDAYS[day]} ${String(hour).padStart(2, "0")}:00\n${share === null ? "no business time" : `${(100 * share).toFixed(1)} % down of ${span(cell.known)}`}`;
      const box = { x: left + hour * size, y: 15 + day * tall, width: size - 1, height: tall - 1 };
      parts.push(s("rect", { class: share === null ? "f-closed" : "f-up", opacity: share === null ? .45 : .35, ...box, "data-tip": tip }));
      if (share) parts.push(s("rect", { class: "f-down", opacity: Math.max(.25, share), ...box, "data-tip": tip }), share > .5 ? s("rect", { class: "mark", x: box.x + 8, y: box.y + 6, width: 4, height: 3, "pointer-events": "none" }) : null);
    });
  });
  document.getElementById("heat").replaceChildren(s("svg", { viewBox: `0 0 ${left + 24 * size + 2} ${18 + 7 * tall}`, role: "img", "aria-label": "Share of business time down by weekday and local hour; a dot marks more than half" }, parts.filter(Boolean)));
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
  })), h("p", { class: "note" }, "touching intervals are one"));
}

async function showLedger() {
  segmented(document.getElementById("windows"), Object.entries(WINDOWS), state.window, (window) => { state.window = window; guard(showLedger); });
  const ledger = await get(`${base}/explain`, { window: state.window });
  document.getElementById("ledger-note").textContent = `The last ${state.window} before ${dated(ledger.as_of)} UTC in intervals, on the store's clock (${store.timezone}); what is counted adds up to the report's figure.`;
  const table = document.getElementById("ledger");
  fillTable(table, [
    { head: "from", cell: (one) => clock(one.start, store.timezone, true) }, { head: "to", cell: (one) => clock(one.end, store.timezone, true) },
    { head: "", cell: (one) => h("span", { class: `badge ${one.kind}` }, KINDS[one.kind] + (one.kind === "closed" || one.is_certain ? "" : ", uncertain")) },
    { head: "because", cell: (one) => [one.reason, one.run_polls && one.kind !== "closed" ? h("span", { class: "sub" }, ` (${count(one.run_polls)} poll${one.run_polls > 1 ? "s" : ""}, ${clock(one.run_first_poll, store.timezone)} to ${clock(one.run_last_poll, store.timezone)})`) : null] },
    { head: "up", class: "number", cell: (one) => (one.kind === "up" ? exact(one.counted_us) : "") },
    { head: "down", class: "number", cell: (one) => (one.kind === "down" ? exact(one.counted_us) : "") },
  ], ledger.entries, "No figure: no poll in the 192 hours before.");
  table.tFoot.replaceChildren(ledger.entries.length ? h("tr", {}, h("td", { colspan: 4 }, `Sum of ${exact(ledger.business_us)} business time`), h("td", { class: "number", id: "ledger-up" }, exact(ledger.uptime_us)), h("td", { class: "number" }, exact(ledger.downtime_us))) : "");
}

async function guard(work) { try { await work(); showProblem(null); } catch (error) { showProblem(error); } }

async function update() {
  store = await get(base);
  showAsOf(store.as_of);
  showTitle();
  showFigures();
  showHours();
  legend();
  await Promise.all([showTimeline(), showIncidents(), showDays(), showHeat(), showLedger()]);
  document.body.dataset.ready = store.as_of;
}
live(update);
