// The page of all stores at the newest poll.
import { DAY, badge, bounds, changeOf, chart, clock, count, fillTable, get, h, live, pager, percent, refill, s, segmented, showAsOf, showProblem, span, storeLink, us, zoneName } from "./lib.js";

const WORDS = { down: "open, down", up: "open, up", closed: "closed", silent: "silent" };
const WINDOWS = { hour: "Last hour", day: "Last 24 hours", week: "Last 7 days" };
const LIMIT = innerWidth < 640 ? 15 : 50;
const address = new URLSearchParams(location.search);
const state = {
  standing: address.getAll("standing"), q: address.get("q") || "", group: address.get("group") || "", region: address.get("region") || "",
  timezone: address.get("timezone") || "", sort: address.get("sort") || "", order: address.get("order") || "", offset: Number(address.get("offset") || 0), split: "",
};
if (!address.has("standing") && !address.toString()) state.standing = ["down"];
// All stores in numbers, and those that group, region and time zone leave.
let now = null, chosen = null;
const filters = () => ({ group: state.group, region: state.region, timezone: state.timezone });

function remember() {
  const query = new URLSearchParams();
  for (const one of state.standing) query.append("standing", one);
  for (const name of ["q", "group", "region", "timezone", "sort", "order"]) if (state[name]) query.set(name, state[name]);
  if (state.offset) query.set("offset", state.offset);
  history.replaceState(null, "", query.toString() ? `?${query}` : "?standing=");
}

function showStandings() {
  const more = {
    down: chosen.open_incidents ? `${span(chosen.lost_us)} of business time lost so far` : "nothing lost",
    up: chosen.standing.up + chosen.standing.down ? `${percent(Math.floor((1e4 * chosen.standing.up) / (chosen.standing.up + chosen.standing.down)) / 100)} of the open ones` : "no store is open",
    closed: "outside of business time", silent: "no poll in 192 hours",
  };
  const names = [state.group && `group ${state.group}`, state.region && `region ${state.region}`, state.timezone && `time zone ${state.timezone}`].filter(Boolean);
  const scope = document.getElementById("scope");
  scope.hidden = !names.length;
  scope.replaceChildren("Everything on this page is of ", h("strong", {}, names.join(", ")), `: ${count(chosen.stores)} of ${count(now.stores)} stores. `,
    h("button", { type: "button", class: "small", onclick: () => { Object.assign(state, { group: "", region: "", timezone: "" }); change(); } }, "Show all"));
  refill(document.getElementById("standings"), ...Object.keys(WORDS).map((standing) => h("button", {
    type: "button", class: `standing ${standing}`, "aria-pressed": String(state.standing.includes(standing)),
    onclick: () => {
      state.standing = state.standing.includes(standing) ? state.standing.filter((one) => one !== standing) : [...state.standing, standing];
      change();
    },
  }, badge(standing, WORDS[standing]), h("span", { class: "count" }, count(chosen.standing[standing])), h("span", { class: "more" }, more[standing]))));
}

function showShares() {
  document.getElementById("shares").replaceChildren(...Object.entries(chosen.windows).map(([window, figures]) => h("article", { class: "share" },
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

function downSince(store, at) {
  if (!store.down_since) return "";
  if (store.last_active_poll_at === null) return [`before ${clock(store.first_inactive_poll_at, store.timezone)}`, h("div", { class: "sub" }, "no active poll before that")];
  return [h("span", { "data-tip": `estimated: between the last active poll, ${clock(store.last_active_poll_at, store.timezone, true)},\nand the first inactive one, ${clock(store.first_inactive_poll_at, store.timezone, true)}` }, clock(store.down_since, store.timezone)), h("div", { class: "sub" }, `for ${span(us(at) - us(store.down_since))}`)];
}

let turn = 0;
async function showStores() {
  const own = ++turn;
  const page = await get("/stores", { standing: state.standing, q: state.q, ...filters(), ...sorting(), limit: LIMIT, offset: state.offset });
  // A later question has overtaken this one.
  if (own !== turn) return;
  const columns = [
    { ...sortable("Store"), class: "id", label: "", cell: (store) => [storeLink(store.store_id, store.name), store.name || store.group ? h("div", { class: "sub" }, [store.name && store.store_id, store.group].filter(Boolean).join(" · ")) : null] },
    { ...sortable("Standing"), class: "state", label: "", cell: (store) => badge(store.standing) },
    { ...sortable("Down since"), class: "since", label: "down since", cell: (store) => downSince(store, page.as_of) },
    { ...sortable("Business time lost"), class: "number", label: "lost", cell: (store) => (store.lost_us ? span(store.lost_us) : "") },
    { ...sortable("Hour"), class: "number", label: "hour", cell: shareCell("hour") },
    { ...sortable("24 hours"), class: "number", label: "24 h", cell: shareCell("day") },
    { ...sortable("7 days"), class: "number", label: "7 days", cell: shareCell("week") },
    { ...sortable("Last poll"), class: "number", label: "last poll", cell: (store) => (store.last_poll_at ? h("span", { "data-tip": `${clock(store.last_poll_at, store.timezone, true)} local` }, `${span(us(page.as_of) - us(store.last_poll_at))} before`) : "never") },
  ];
  const onlyDown = state.standing.length === 1 && state.standing[0] === "down" && !state.q;
  fillTable(document.getElementById("stores"), columns, page.stores, page.as_of === null ? "No poll has been loaded yet." : onlyDown ? "No open store is down." : "No store is like this.");
  pager(document.getElementById("pager"), page, page.stores.length, (offset) => { state.offset = offset; change(false); });
}

async function showRankings() {
  const [worst, best] = await Promise.all(["downtime_week", "uptime_week"].map((sort) => get("/stores", { sort, order: "desc", limit: 5, ...filters() })));
  const shown = (page) => page.stores.filter((store) => store.figures && store.figures.week.uptime_percent !== null);
  const fill = (id, stores, value, none) => document.getElementById(id).replaceChildren(...(stores.length ? stores.map((store) => h("li", {}, storeLink(store.store_id, store.name), value(store.figures.week))) : [h("li", { class: "empty" }, none)]));
  fill("worst", shown(worst).filter((store) => store.figures.week.downtime_us > 0), (week) => h("span", { "data-tip": `down ${span(week.downtime_us)} of ${span(week.business_us)} business time` }, span(week.downtime_us), h("span", { class: "sub" }, ` ${percent(week.uptime_percent)} up`)), "No store lost any time.");
  fill("best", shown(best), (week) => h("span", { "data-tip": `down ${span(week.downtime_us)} of ${span(week.business_us)} business time` }, percent(week.uptime_percent)), "No store has a figure.");
}

async function showDays() {
  const from = now.as_of && new Date((us(now.as_of) - 90 * DAY) / 1000).toISOString().slice(0, 10);
  const page = await get("/fleet/uptime", { by: "day", limit: 92, from, group: state.group, region: state.region });
  const days = page.periods.filter((day) => day.uptime_percent !== null).reverse();
  const box = document.getElementById("days");
  document.getElementById("days-note").textContent = state.timezone ? "of all time zones" : "each store by its own clock";
  if (!days.length) { box.replaceChildren(h("p", { class: "empty" }, "No days yet.")); return; }
  chart(box, (whole) => {
    const left = 40, width = whole - left - 4, height = 76, lowest = Math.max(0, Math.floor(Math.min(...days.map((day) => day.uptime_percent)) / 10) * 10 - 10);
    const step = width / Math.max(days.length, 14), y = (value) => height - ((value - lowest) / (100 - lowest)) * height;
    return s("svg", { viewBox: `${-left} -8 ${whole} ${height + 26}`, width: whole, height: height + 26, role: "img", tabindex: 0, "data-walk": true, "aria-label": `Share up by day, ${days.length} days; the arrow keys walk through them` },
      [lowest, 100].map((value) => [s("line", { class: "grid", x1: 0, x2: width, y1: y(value), y2: y(value) }), s("text", { x: -5, y: y(value) + 4, "text-anchor": "end" }, `${value} %`)]),
      days.map((day, number) => s("rect", { class: "f-up", x: number * step + .5, y: y(day.uptime_percent), width: Math.max(1, step - 1.5), height: Math.max(.5, height - y(day.uptime_percent)), "data-tip": `${day.begin_local.slice(0, 10)}\n${percent(day.uptime_percent)} up, ${span(day.downtime_us)} down\n${count(day.stores)} stores, ${count(day.incidents)} incident${day.incidents === 1 ? "" : "s"}` })),
      s("text", { x: 0, y: height + 14 }, days[0].begin_local.slice(5, 10)), days.length > 1 ? s("text", { x: days.length * step, y: height + 14, "text-anchor": days.length * step > 100 ? "end" : "start" }, days.at(-1).begin_local.slice(5, 10)) : null);
  });
}

// Worst first; those without a figure last.
function showGroups() {
  const splits = [["groups", "group"], ["regions", "region"], ["timezones", "time zone"]].filter(([name]) => now[name].length);
  if (!splits.some(([name]) => name === state.split)) state.split = splits.length ? splits[0][0] : "timezones";
  segmented(document.getElementById("splits"), splits, state.split, (split) => { state.split = split; showGroups(); });
  const filter = { groups: "group", regions: "region", timezones: "timezone" }[state.split];
  const isZone = state.split === "timezones";
  const share = (total) => total.windows.week.uptime_percent ?? 101;
  const cell = (window) => (total) => [percent(total.windows[window].uptime_percent), h("div", { class: "sub" }, changeOf(total.windows[window], true))];
  fillTable(document.getElementById("groups"), [
    { head: h("span", { class: "sr-only" }, filter === "timezone" ? "time zone" : filter), class: "id", label: "", cell: (total) => total.name === null ? h("span", { class: "sub" }, `without ${filter}`) : h("button", { type: "button", class: "link", "data-tip": isZone || total.name.length > 24 ? total.name : null, "aria-pressed": String(state[filter] === total.name), onclick: () => { state[filter] = state[filter] === total.name ? "" : total.name; change(); } }, isZone ? zoneName(total.name) : total.name) },
    { head: "stores", class: "number", cell: (total) => count(total.stores) },
    { head: "down", class: "number", cell: (total) => count(total.standing.down) },
    { head: "24 h", class: "number", cell: cell("day") },
    { head: "7 days", class: "number", cell: cell("week") },
  ], [...now[state.split]].sort((a, b) => (a.name === null) - (b.name === null) || share(a) - share(b)));
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

async function readNow(isNewer) {
  const isFiltered = state.group || state.region || state.timezone;
  const answers = await Promise.all([now && !isNewer ? now : get("/fleet/now"), isFiltered ? get("/fleet/now", filters()) : null]);
  now = answers[0];
  chosen = answers[1] ?? now;
}

async function change(isFresh = true) {
  if (isFresh) state.offset = 0;
  remember();
  const stores = showStores();
  try {
    await readNow(false);
    showNow();
    await Promise.all([stores, showRankings(), showDays()]);
    showProblem(null);
  } catch (error) { showProblem(error); }
}

function showNow() {
  showAsOf(now.as_of);
  showStandings();
  showShares();
  showGroups();
  showFilters();
}

async function update() {
  const stores = showStores();
  await readNow(true);
  showNow();
  await Promise.all([stores, showRankings(), showDays()]);
  document.body.dataset.ready = now.as_of || "empty";
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
