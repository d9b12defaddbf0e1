// The list of stores: filtered, searched, sorted, in pages.

import {
  age,
  counted,
  duration,
  likelyRange,
  percent,
  salesLost,
  salesRange,
} from "../lib/amounts.js";
import { get, withParameters } from "../lib/api.js";
import { byId, h } from "../lib/elements.js";
import { isOldData } from "../lib/live.js";
import { showApart } from "../lib/never-online.js";
import { newestOnly } from "../lib/newest.js";
import { stateBadge, storeLink } from "../lib/stores.js";
import { downloads, fillTable, pager } from "../lib/tables.js";
import { clockIn, us, zoneCity } from "../lib/times.js";
import { chooseBox } from "./chosen.js";
import { FILTERS, choose, filters, state } from "./state.js";

const LIMIT = innerWidth < 640 ? 15 : 50;
const DESCENDING_FIRST = new Set(["lost", "last_poll", "since", "sales_lost_week"]);

const isOnlyOffline = () => state.standing.length === 1 && state.standing[0] === "down";

function sorting() {
  if (state.sort) return { sort: state.sort, order: state.order || "asc" };
  if (isOnlyOffline()) return { sort: "since", order: "desc" };
  return { sort: "standing", order: "asc" };
}

// The head of a column, and whether the list is sorted by it.
function sortable(word, own) {
  const { sort, order } = sorting();
  const isSorted = own === sort;
  const next = isSorted
    ? { asc: "desc", desc: "asc" }[order]
    : DESCENDING_FIRST.has(own)
      ? "desc"
      : "asc";
  const arrow = { asc: " ↑", desc: " ↓" }[order];
  const onclick = () => choose({ sort: own, order: next });
  return {
    sorted: isSorted ? { asc: "ascending", desc: "descending" }[order] : null,
    head: h("button", { type: "button", onclick }, word, isSorted ? arrow : ""),
  };
}

function nameCell(store) {
  const more = [store.name && store.store_id, store.group].filter(Boolean).join(" · ");
  return [
    storeLink(store.store_id, store.name),
    more ? h("div", { class: "sub" }, more) : null,
    store.channels_down.length
      ? h("div", { class: "sub" }, `offline: ${store.channels_down.join(", ")}`)
      : null,
    store.hours_rejected ? h("div", { class: "sub" }, "opening hours rejected; open 24/7") : null,
  ];
}

function offlineSince(store, asOf) {
  if (!store.down_since) return "";
  const clock = clockIn(store.timezone);
  const lasted = `for ${age(us(asOf) - us(store.down_since))}`;
  if (store.first_inactive_poll_at === null) {
    return [clock.at(store.down_since), h("div", { class: "sub" }, lasted)];
  }
  if (store.last_active_poll_at === null) {
    const first = `before ${clock.at(store.first_inactive_poll_at)}`;
    return [first, h("div", { class: "sub" }, "never seen online")];
  }
  const tip =
    `estimated: between the last online check, ${clock.exactly(store.last_active_poll_at)},\n` +
    `and the first offline check, ${clock.exactly(store.first_inactive_poll_at)}`;
  return [
    h("span", { "data-tip": tip }, clock.at(store.down_since)),
    h("div", { class: "sub" }, lasted),
  ];
}

const uptimeCell = (window) => (store) => {
  const figures = store.figures?.[window];
  if (!figures) return percent(null);
  const range = likelyRange(figures);
  const tip = [
    range && `${range} %`,
    `online ${duration(figures.uptime_us)} of ${duration(figures.business_us)} open`,
    `${percent(figures.observed_percent)} covered by checks`,
  ];
  return h("span", { "data-tip": tip.filter(Boolean).join("\n") }, percent(figures.uptime_percent));
};

function salesCell(store) {
  const sales = store.sales?.week;
  if (!sales) return "";
  const tip = [salesRange(sales), `${percent(sales.uptime_percent)} online by demand`];
  return h("span", { "data-tip": tip.filter(Boolean).join("\n") }, salesLost([sales]));
}

// How long ago is only true of data that is new.
function lastCheck(store, asOf) {
  if (!store.last_poll_at) return "never";
  const clock = clockIn(store.timezone);
  const ago = `${age(us(asOf) - us(store.last_poll_at))} ago`;
  const written = isOldData(asOf) ? clock.at(store.last_poll_at) : ago;
  return h("span", { "data-tip": clock.exactly(store.last_poll_at) }, written);
}

function columns(asOf, hasSales) {
  const sales = {
    ...sortable("Sales lost, 7 days", "sales_lost_week"),
    class: "number",
    label: "sales lost, 7 days",
    cell: salesCell,
  };
  return [
    {
      head: h("span", { class: "sr-only" }, "Choose"),
      class: "choose",
      label: "",
      cell: chooseBox,
    },
    { ...sortable("Store", "store_id"), class: "id", label: "", cell: nameCell },
    {
      ...sortable("Status", "standing"),
      class: "state",
      label: "",
      cell: (store) => stateBadge(store.standing),
    },
    {
      ...sortable("Offline since", "since"),
      class: "since",
      label: "offline since",
      cell: (store) => offlineSince(store, asOf),
    },
    {
      ...sortable("Open hours lost", "lost"),
      class: "number",
      label: "open hours lost",
      cell: (store) => (store.lost_us ? duration(store.lost_us) : ""),
    },
    ...[
      ["Last hour", "hour"],
      ["24 hours", "day"],
      ["7 days", "week"],
    ].map(([word, window]) => ({
      ...sortable(word, `uptime_${window}`),
      class: "number",
      label: word.toLowerCase(),
      cell: uptimeCell(window),
    })),
    ...(hasSales ? [sales] : []),
    {
      ...sortable("Last check", "last_poll"),
      class: "last-check",
      label: "last check",
      cell: (store) => lastCheck(store, asOf),
    },
  ];
}

const NO_FILTERS = { group: "", region: "", timezone: "" };
const NAMED = 5;

const isFiltered = () => FILTERS.some((name) => state[name]);

function emptyText(asOf, others) {
  if (asOf === null) return "No data yet";
  if (isOnlyOffline() && !state.q && !isFiltered()) return "All open stores are online";
  const button = (values, word) =>
    h("button", { type: "button", class: "link", onclick: () => choose(values) }, word);
  if (!others?.total) {
    return [
      "No stores match – ",
      button({ standing: [], q: "", never: "", ...NO_FILTERS }, "clear filters"),
    ];
  }
  const found = others.stores.map((store) =>
    h(
      "li",
      {},
      storeLink(store.store_id, store.name),
      " ",
      stateBadge(store.standing),
      h("span", { class: "sub" }, ` ${placeOf(store)}`),
    ),
  );
  return [
    `No match here, but ${counted(others.total, "store")} elsewhere – `,
    button({ standing: [], never: "", ...NO_FILTERS }, "search all stores"),
    h("ul", { class: "elsewhere" }, found),
  ];
}

const placeOf = (store) =>
  [store.name && store.store_id, store.group, zoneCity(store.timezone)].filter(Boolean).join(" · ");

// The stores that a search would find without tiles and filters, where it finds none with them.
async function foundElsewhere(page) {
  const isNarrowed = state.standing.length || state.never || isFiltered();
  if (page.total || !state.q || !isNarrowed) return null;
  return get("/stores", { q: state.q, limit: NAMED });
}

// What the list is limited to, beside the tiles and the filters.
function showNever() {
  showApart(byId("never"), { never: state.never, total: 0, choose });
}

export const showStores = newestOnly(async (newest) => {
  const { standing, q, never } = state;
  const chosen = { standing, q, never_online: never, ...filters(), ...sorting() };
  showNever();
  const page = await newest(get("/stores", { ...chosen, limit: LIMIT, offset: state.offset }));
  const others = await newest(foundElsewhere(page));
  const hasSales = page.stores.some((store) => store.sales);
  fillTable(
    byId("stores"),
    columns(page.as_of, hasSales),
    page.stores,
    emptyText(page.as_of, others),
  );
  const go = (offset) => choose({ offset });
  pager(byId("pager"), page, page.stores.length, "store", go);
  downloads(byId("stores-files"), (form) => withParameters("/stores", { ...chosen, ...form }));
});
