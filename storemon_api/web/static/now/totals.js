// The page's side: best and worst stores, uptime by day, totals of groups, regions and zones.

import {
  DAY,
  count,
  counted,
  duration,
  likelyRange,
  percent,
  salesLost,
  salesRange,
} from "../lib/amounts.js";
import { get, withParameters } from "../lib/api.js";
import { chart, frame } from "../lib/charts.js";
import { byId, h, refill, s, segmented } from "../lib/elements.js";
import { newestOnly } from "../lib/newest.js";
import { doubtsOf, storeLink } from "../lib/stores.js";
import { downloads, fillTable } from "../lib/tables.js";
import { localDate, localDay, us, zoneCity } from "../lib/times.js";
import { shortChange } from "./overview.js";
import { choose, filters, fleet, state } from "./state.js";

// Fewer opening hours say little about a store.
const LEAST_HOURS = 10;
const RANKED = 10;
const WORST = {
  hours: ["by hours", { sort: "downtime_week", order: "desc" }],
  share: ["by share", { sort: "uptime_week", order: "asc" }],
};

// Worst and best stores. Those that were never online would fill the whole list: they are counted.
export const showRankings = newestOnly(async (newest) => {
  const live = { never_online: false, min_open_hours: LEAST_HOURS, limit: RANKED };
  const [, byWorst] = WORST[state.worst];
  const byBest = { sort: "uptime_week", order: "desc" };
  const [worst, best, never] = await newest(
    Promise.all([
      get("/stores", { ...byWorst, ...live, ...filters() }),
      get("/stores", { ...byBest, ...live, ...filters() }),
      get("/stores", { never_online: true, limit: 1, ...filters() }),
    ]),
  );
  const tip = ({ downtime_us: down, business_us: open }) =>
    `offline ${duration(down)} of ${duration(open)} open`;
  segmented(
    byId("worst-by"),
    Object.entries(WORST).map(([name, [word]]) => [name, word]),
    state.worst,
    (name) => choose({ worst: name, offset: state.offset }),
  );
  fillRanking(
    "worst",
    worst.stores.filter((store) => store.figures.week.downtime_us > 0),
    ({ figures: { week } }) => [
      h("span", { "data-tip": tip(week) }, duration(week.downtime_us), " "),
      h("span", { class: "sub" }, `of ${duration(week.business_us)}, `),
      h("span", { class: "sub" }, `${percent(week.uptime_percent)} online`),
    ],
    "No store was offline",
  );
  fillRanking(
    "best",
    best.stores,
    ({ figures: { week } }) => [
      h("span", { "data-tip": tip(week) }, percent(week.uptime_percent)),
      h("span", { class: "sub" }, ` of ${duration(week.business_us)}`),
    ],
    "No figures yet",
  );
  const list = (values, word) =>
    h("button", { type: "button", class: "link", onclick: () => choose(values) }, word);
  const every = { standing: [], q: "" };
  refill(
    byId("worst-note"),
    h(
      "span",
      { class: "tools" },
      list({ ...every, never: "", ...byWorst }, "All stores in this order"),
      never.total ? " · " : null,
    ),
    never.total
      ? list({ ...every, never: "true", sort: "lost", order: "desc" }, neverOnline(never.total))
      : null,
  );
  await showSalesRanking(newest);
});

const neverOnline = (stores) => `${counted(stores, "store")} never online in these 7 days`;

// Only where expected sales are known.
async function showSalesRanking(newest) {
  const hasSales = fleet.chosen.windows.week?.sales.length > 0;
  byId("sales-panel").hidden = !hasSales;
  if (!hasSales) return;
  const order = { sort: "sales_lost_week", order: "desc", never_online: false };
  const chosen = { ...order, limit: 5, ...filters() };
  const page = await newest(get("/stores", chosen));
  const stores = page.stores.filter((store) => store.sales?.week.lost > 0);
  const written = ({ sales: { week } }) => [
    h("span", { "data-tip": salesRange(week) }, salesLost([week]), " "),
    h("span", { class: "sub" }, `${percent(week.uptime_percent)} online by demand`),
  ];
  fillRanking("sales", stores, written, "No store lost sales");
}

function fillRanking(id, stores, written, none) {
  const line = (store) =>
    h("li", {}, storeLink(store.store_id, store.name), h("span", {}, written(store)));
  const lines = stores.length ? stores.map(line) : [h("li", { class: "empty" }, none)];
  byId(id).replaceChildren(...lines);
}

export const showDays = newestOnly(async (newest) => {
  const asOf = fleet.all.as_of;
  const from = asOf && new Date((us(asOf) - 90 * DAY) / 1000).toISOString().slice(0, 10);
  const { group, region } = state;
  const chosen = { by: "day", from, group, region };
  const page = await newest(get("/fleet/uptime", { ...chosen, limit: 92 }));
  const days = page.periods.filter((day) => day.uptime_percent !== null).reverse();
  byId("days-note").textContent = state.timezone ? "all time zones" : "store's local time";
  downloads(byId("days-files"), (form) => withParameters("/fleet/uptime", { ...chosen, ...form }));
  if (days.length) chart(byId("days"), (whole) => drawDays(days, whole));
  else byId("days").replaceChildren(h("p", { class: "empty" }, "No days yet"));
});

function dayTip(day) {
  const range = tipOf(day);
  return [
    localDay(day.begin_local),
    `${percent(day.uptime_percent)} online, ${duration(day.downtime_us)} offline`,
    range,
    range && day.likely_flags.length ? doubtsOf(day.likely_flags) : null,
    `${counted(day.stores, "store")}, ${counted(day.incidents, "outage")}`,
  ]
    .filter(Boolean)
    .join("\n");
}

function drawDays(days, whole) {
  const left = 40;
  const width = whole - left - 4;
  const height = 76;
  const least = Math.min(...days.map((day) => day.uptime_percent));
  const lowest = Math.max(0, Math.floor(least / 10) * 10 - 10);
  const step = width / Math.max(days.length, 14);
  const y = (value) => height - ((value - lowest) / (100 - lowest)) * height;
  const grid = [lowest, 100].map((value) => [
    s("line", { class: "grid", x1: 0, x2: width, y1: y(value), y2: y(value) }),
    s("text", { x: -5, y: y(value) + 4, "text-anchor": "end" }, `${value} %`),
  ]);
  const bars = days.map((day, number) =>
    s("rect", {
      class: "f-up",
      x: number * step + 0.5,
      y: y(day.uptime_percent),
      width: Math.max(1, step - 1.5),
      height: Math.max(0.5, height - y(day.uptime_percent)),
      "data-tip": dayTip(day),
    }),
  );
  const end = days.length * step;
  const anchor = end > 100 ? "end" : "start";
  const dates = [s("text", { x: 0, y: height + 14 }, localDate(days[0].begin_local))];
  if (days.length > 1) {
    const last = localDate(days.at(-1).begin_local);
    dates.push(s("text", { x: end, y: height + 14, "text-anchor": anchor }, last));
  }
  const label = `Uptime by day, ${counted(days.length, "day")}`;
  return frame({ x: -left, y: -8, width: whole, height: height + 26, label }, grid, bars, dates);
}

const SPLITS = [
  ["groups", "group", "group"],
  ["regions", "region", "region"],
  ["timezones", "timezone", "time zone"],
];

function tipOf(figures) {
  const range = likelyRange(figures);
  return range && `${range} %`;
}

const lostCell = (sales) =>
  h("div", { class: "sub", "data-tip": salesRange(sales) }, `${salesLost([sales])} lost`);

// Worst first; those without a figure last.
export function showGroups() {
  const splits = SPLITS.filter(([name]) => fleet.all[name].length);
  const isKnown = splits.some(([name]) => name === state.split);
  const split = isKnown ? state.split : (splits[0]?.[0] ?? "timezones");
  const [, filter, word] = SPLITS.find(([name]) => name === split);
  segmented(
    byId("splits"),
    splits.map(([name, , title]) => [name, title]),
    split,
    (other) => choose({ split: other, offset: state.offset }),
  );
  const uptime = (total) => total.windows.week.uptime_percent ?? 101;
  const cell = (window) => (total) => [
    h(
      "span",
      { "data-tip": tipOf(total.windows[window]) },
      percent(total.windows[window].uptime_percent),
    ),
    h("div", { class: "sub" }, shortChange(total.windows[window], window)),
    ...total.windows[window].sales.map(lostCell),
  ];
  const sorted = [...fleet.all[split]].sort(
    (a, b) => (a.name === null) - (b.name === null) || uptime(a) - uptime(b),
  );
  fillTable(
    byId("groups"),
    [
      {
        head: h("span", { class: "sr-only" }, word),
        class: "id",
        label: "",
        cell: (total) => nameCell(total, filter, word),
      },
      { head: "Offline", class: "number", cell: offlineCell },
      { head: "24 hours", class: "number", cell: cell("day") },
      { head: "7 days", class: "number", cell: cell("week") },
    ],
    sorted,
  );
  downloads(byId("groups-files"), (form) =>
    withParameters("/fleet/now", { table: split, ...form }),
  );
}

// In one column with all its stores, so that names keep some width.
const offlineCell = ({ standing, stores }) => [
  count(standing.down),
  h("div", { class: "sub" }, `of ${count(stores)}`),
];

function nameCell({ name }, filter, word) {
  if (name === null) return h("span", { class: "sub" }, `no ${word}`);
  const isZone = filter === "timezone";
  const isChosen = state[filter] === name;
  return h(
    "button",
    {
      type: "button",
      class: "link",
      "data-tip": isZone || name.length > 24 ? name : null,
      "aria-pressed": String(isChosen),
      onclick: () => choose({ [filter]: isChosen ? "" : name }),
    },
    isZone ? zoneCity(name) : name,
  );
}
