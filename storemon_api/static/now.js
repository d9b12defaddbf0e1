// The page of all stores at the newest poll.
import { badge, bounds, clock, count, fillTable, get, h, live, pager, percent, s, segmented, showAsOf, showProblem, span, storeLink, us, zoneName } from "./lib.js";

const WORDS = { down: "open, down", up: "open, up", closed: "closed", silent: "silent" };
const WINDOWS = { hour: "Last hour", day: "Last 24 hours", week: "Last 7 days" };
const LIMIT = 50;
const address = new URLSearchParams(location.search);
const state = {
  standing: address.getAll("standing"), q: address.get("q") || "", group: address.get("group") || "", region: address.get("region") || "",
  timezone: address.get("timezone") || "", sort: address.get("sort") || "", order: address.get("order") || "", offset: Number(address.get("offset") || 0), split: "timezones",
};
if (!address.has("standing") && !address.toString()) state.standing = ["down"];
let asOf = null, now = null;

function remember() {
  const query = new URLSearchParams();
  for (const one of state.standing) query.append("standing", one);
  for (const name of ["q", "group", "region", "timezone", "sort", "order"]) if (state[name]) query.set(name, state[name]);
  if (state.offset) query.set("offset", state.offset);
  history.replaceState(null, "", query.toString() ? `?${query}` : "?standing=");
}

function showStandings() {
  const more = {
    down: now.open_incidents ? `${span(now.lost_us)} of business time lost so far` : "nothing lost",
    up: now.stores ? `${percent(Math.floor((1e4 * now.standing.up) / Math.max(1, now.standing.up + now.standing.down)) / 100)} of the open ones` : "",
    closed: "outside of business time", silent: "no poll in 192 hours",
  };
  document.getElementById("standings").replaceChildren(...Object.keys(WORDS).map((standing) => h("button", {
    type: "button", class: `standing ${standing}`, "aria-pressed": String(state.standing.includes(standing)),
    onclick: () => {
      state.standing = state.standing.includes(standing) ? state.standing.filter((one) => one !== standing) : [...state.standing, standing];
      change();
    },
  }, badge(standing, WORDS[standing]), h("span", { class: "count" }, count(now.standing[standing])), h("span", { class: "more" }, more[standing]))));
}

function changeOf(figures) {
  if (figures.previous_percent === null || figures.uptime_percent === null) return h("span", { class: "change same" }, "no figure for the period before");
  const points = figures.uptime_percent - figures.previous_percent;
  const word = points < 0 ? "worse" : points > 0 ? "better" : "same";
  const sign = points < 0 ? "▼ −" : points > 0 ? "▲ +" : "= ";
  return h("span", { class: `change ${word}` }, `${sign}${Math.abs(points).toFixed(2)} points to the period before`);
}

function showShares() {
  document.getElementById("shares").replaceChildren(...Object.entries(now.windows).map(([window, figures]) => h("article", { class: "share" },
    h("h2", {}, WINDOWS[window]),
    h("div", {}, h("span", { class: "percent" }, percent(figures.uptime_percent)), " up  ", changeOf(figures)),
    bounds(figures),
    h("p", { class: "note" }, figures.business_us ? `surely ${percent((Math.floor((1e4 * figures.lowest_uptime_us) / figures.business_us)) / 100)}, at most ${percent((Math.floor((1e4 * figures.highest_uptime_us) / figures.business_us)) / 100)}; ${percent((Math.floor((1e4 * figures.observed_us) / figures.business_us)) / 100)} observed` : "no business time"))));
}

const SORTS = { Store: "store_id", Standing: "standing", "Down since": "since", "Business time lost": "lost", "Hour": "uptime_hour", "24 hours": "uptime_day", "7 days": "uptime_week", "Last poll": "last_poll" };
const DESCENDING_FIRST = new Set(["lost", "last_poll", "since"]);

function sorting() {
  if (state.sort) return { sort: state.sort, order: state.order || "asc" };
  if (state.standing.length === 1 && state.standing[0] === "down") return { sort: "since", order: "desc" };
  return { sort: "standing", order: "asc" };
}

function sortable(word) {
  const { sort, order } = sorting();
  const own = SORTS[word];
  return {
    sorted: own === sort ? (order === "asc" ? "ascending" : "descending") : null,
    head: h("button", { type: "button", onclick: () => {
      state.order = own === sort ? (order === "asc" ? "desc" : "asc") : DESCENDING_FIRST.has(own) ? "desc" : "asc";
      state.sort = own;
      change();
    } }, word, own === sort ? (order === "asc" ? " ↑" : " ↓") : ""),
  };
}

function shareCell(window) {
  return (store) => store.figures ? h("span", { "data-tip": `up ${span(store.figures[window].uptime_us)} of ${span(store.figures[window].business_us)}\nobserved ${percent(store.figures[window].observed_percent)}` }, percent(store.figures[window].uptime_percent)) : "n/a";
}

async function showStores() {
  const page = await get("/stores", { standing: state.standing, q: state.q, group: state.group, region: state.region, timezone: state.timezone, ...sorting(), limit: LIMIT, offset: state.offset });
  const columns = [
    { ...sortable("Store"), class: "id", cell: (store) => [storeLink(store.store_id, store.name), store.name || store.group ? h("div", { class: "sub" }, [store.name && store.store_id, store.group].filter(Boolean).join(" · ")) : null] },
    { ...sortable("Standing"), class: "state", cell: (store) => badge(store.standing) },
    { ...sortable("Down since"), label: "down since", cell: (store) => !store.down_since ? "" : store.last_active_poll_at === null ? h("span", { class: "sub", "data-tip": "no active poll within 192 hours before" }, "before its first poll") : h("span", { "data-tip": `estimated; last seen active ${clock(store.last_active_poll_at, store.timezone, true)} local` }, clock(store.down_since, store.timezone), h("span", { class: "sub" }, ` ${span(us(page.as_of) - us(store.down_since))}`)) },
    { ...sortable("Business time lost"), class: "number", label: "lost", cell: (store) => (store.lost_us ? span(store.lost_us) : "") },
    { ...sortable("Hour"), class: "number", label: "hour", cell: shareCell("hour") },
    { ...sortable("24 hours"), class: "number", label: "24 h", cell: shareCell("day") },
    { ...sortable("7 days"), class: "number", label: "7 days", cell: shareCell("week") },
    { ...sortable("Last poll"), class: "number", label: "last poll", cell: (store) => (store.last_poll_at ? h("span", { "data-tip": `${clock(store.last_poll_at, store.timezone, true)} local` }, `${span(us(page.as_of) - us(store.last_poll_at))} before`) : "never") },
  ];
  const table = document.getElementById("stores");
  table.className = "cards";
  fillTable(table, columns, page.stores, state.standing.length === 1 && state.standing[0] === "down" ? "No open store is down." : "No store is like this.");
  pager(document.getElementById("pager"), page, page.stores.length, (offset) => { state.offset = offset; change(false); });
}

async function showRankings() {
  const [worst, best] = await Promise.all(["asc", "desc"].map((order) => get("/stores", { sort: "uptime_week", order, limit: 5, group: state.group, region: state.region, timezone: state.timezone })));
  for (const [id, page] of [["worst", worst], ["best", best]]) {
    const stores = page.stores.filter((store) => store.figures && store.figures.week.uptime_percent !== null);
    document.getElementById(id).replaceChildren(...stores.map((store) => h("li", {}, storeLink(store.store_id, store.name), h("span", { "data-tip": `down ${span(store.figures.week.downtime_us)} of ${span(store.figures.week.business_us)}` }, percent(store.figures.week.uptime_percent)))));
  }
}

async function showDays() {
  const page = await get("/fleet/uptime", { by: "day", limit: 90, group: state.group, region: state.region });
  const days = page.periods.filter((day) => day.uptime_percent !== null).reverse();
  const box = document.getElementById("days");
  if (!days.length) { box.replaceChildren(h("p", { class: "empty" }, "No days yet.")); return; }
  const width = 320, height = 76, lowest = Math.max(0, Math.floor(Math.min(...days.map((day) => day.uptime_percent)) / 10) * 10 - 10);
  const step = width / Math.max(days.length, 14), y = (value) => height - ((value - lowest) / (100 - lowest)) * height;
  box.replaceChildren(s("svg", { viewBox: `-40 -8 ${width + 46} ${height + 26}`, width: "100%", role: "img", "aria-label": `Share up by day, ${days.length} days` },
    [lowest, 100].map((value) => [s("line", { class: "grid", x1: 0, x2: width, y1: y(value), y2: y(value) }), s("text", { x: -5, y: y(value) + 4, "text-anchor": "end" }, `${value} %`)]),
    days.map((day, number) => s("rect", { class: "f-up", x: number * step + .5, y: y(day.uptime_percent), width: Math.max(1, step - 1.5), height: Math.max(.5, height - y(day.uptime_percent)), tabindex: 0, "data-tip": `${day.begin_local.slice(0, 10)}\n${percent(day.uptime_percent)} up, ${span(day.downtime_us)} down\n${count(day.stores)} stores, ${count(day.incidents)} incidents` })),
    s("text", { x: 0, y: height + 14 }, days[0].begin_local.slice(5, 10)), s("text", { x: (days.length - .5) * step, y: height + 14, "text-anchor": days.length > 3 ? "end" : "start" }, days.at(-1).begin_local.slice(5, 10))));
}

function showGroups() {
  const splits = [["groups", "group"], ["regions", "region"], ["timezones", "time zone"]].filter(([name]) => now[name].length);
  if (!splits.some(([name]) => name === state.split)) state.split = splits.length ? splits[0][0] : "timezones";
  segmented(document.getElementById("splits"), splits, state.split, (split) => { state.split = split; showGroups(); });
  const filter = { groups: "group", regions: "region", timezones: "timezone" }[state.split];
  fillTable(document.getElementById("groups"), [
    { head: "", class: "id", cell: (total) => total.name === null ? "none" : h("a", { href: "#", onclick: (event) => { event.preventDefault(); state[filter] = state[filter] === total.name ? "" : total.name; change(); }, "data-tip": state.split === "timezones" ? total.name : null, "aria-pressed": String(state[filter] === total.name) }, state.split === "timezones" ? zoneName(total.name) : total.name) },
    { head: "stores", class: "number", cell: (total) => count(total.stores) },
    { head: "down", class: "number", cell: (total) => count(total.standing.down) },
    { head: "7 days", class: "number", cell: (total) => percent(total.windows.week.uptime_percent) },
  ], now[state.split]);
}

function showFilters() {
  const form = document.getElementById("filters");
  for (const [name, totals, all] of [["group", now.groups, "all groups"], ["region", now.regions, "all regions"], ["timezone", now.timezones, "all time zones"]]) {
    const field = form.elements[name];
    field.parentElement.hidden = totals.length === 0;
    field.replaceChildren(h("option", { value: "" }, all), ...totals.filter((total) => total.name !== null).map((total) => h("option", { value: total.name, selected: total.name === state[name] }, total.name)));
  }
  if (document.activeElement !== form.elements.q) form.elements.q.value = state.q;
}

async function change(isFresh = true) {
  if (isFresh) state.offset = 0;
  remember();
  showStandings();
  showFilters();
  try { await Promise.all([showStores(), showRankings(), showDays()]); showProblem(null); } catch (error) { showProblem(error); }
}

async function update() {
  const stores = showStores();
  now = await get("/fleet/now");
  asOf = now.as_of;
  showAsOf(asOf);
  showStandings();
  showShares();
  showGroups();
  showFilters();
  await Promise.all([stores, showRankings(), showDays()]);
  document.body.dataset.ready = asOf || "empty";
}

const form = document.getElementById("filters");
let typing;
form.elements.q.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => { state.q = form.elements.q.value; change(); }, 200);
});
for (const name of ["group", "region", "timezone"]) form.elements[name].addEventListener("change", () => { state[name] = form.elements[name].value; change(); });
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) { event.preventDefault(); form.elements.q.focus(); }
});
form.elements.q.value = state.q;
live(update);
