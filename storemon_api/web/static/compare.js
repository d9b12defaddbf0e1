// The page that compares two periods of a store, a group, a region or all stores.

import { showReasons } from "./compare/reasons.js";
import { addressedChoices } from "./lib/address.js";
import { count, duration, likelyRange, money, percent, salesLost } from "./lib/amounts.js";
import { get, withParameters } from "./lib/api.js";
import { byId, h, refill, segmented } from "./lib/elements.js";
import { guard, live, showAsOf } from "./lib/live.js";
import { newestOnly } from "./lib/newest.js";
import { storeLink } from "./lib/stores.js";
import { downloads, fillTable } from "./lib/tables.js";
import { dayAfter, dayBefore, daysBetween, localDay } from "./lib/times.js";

const PRESETS = {
  "this-week": "This week",
  "last-week": "Last week",
  "this-month": "This month",
  "last-month": "Last month",
  custom: "Other days",
};
const SPLITS = { group: "Group", region: "Region" };
// The API computes the sales of at most as many days.
const MOST_DAYS_OF_SALES = 100;
const TRENDS = {
  better: "Better, by more than the likely ranges allow.",
  worse: "Worse, by more than the likely ranges allow.",
  "cannot be told": "No clear difference: the likely ranges overlap, or there is none.",
};

// The dates are first and last days, as they are in the fields.
const NONE = { store: "", group: "", region: "", from: "", to: "", before: "", until: "" };
const { state, choose, whenChanged } = addressedChoices(
  { period: "this-week", split: "group", ...NONE },
  { allowed: { period: Object.keys(PRESETS), split: Object.keys(SPLITS) } },
);

const isCustom = () => state.period === "custom";
const isComplete = () => ["from", "to", "before", "until"].every((name) => state[name]);

function parameters(more = {}) {
  const { store, group, region } = state;
  const dates = isCustom()
    ? {
        from: state.from,
        to: dayAfter(state.to),
        earlier_from: state.before,
        earlier_to: dayAfter(state.until),
      }
    : { period: state.period };
  return { store_id: store.trim(), group, region, ...dates, ...more };
}

// Sales are asked for where a store has expected sales, and the periods are not too long.
function withSales(fleet) {
  const periods = [
    [state.from, state.to],
    [state.before, state.until],
  ];
  const isShort = ([first, last]) => daysBetween(first, last) < MOST_DAYS_OF_SALES;
  const isWanted = fleet.sales_lost.length && (!isCustom() || periods.every(isShort));
  return isWanted ? { sales: true } : {};
}

const days = ({ start, end }) => {
  const last = dayBefore(end);
  const first = localDay(`${start}T00:00:00`);
  return last === start ? first : `${first} – ${localDay(`${last}T00:00:00`)}`;
};

const signed = (value, write) =>
  `${value > 0 ? "+" : value < 0 ? "−" : "±"}${write(Math.abs(value))}`;
const points = (value) => (value === null ? "–" : signed(value, (size) => `${size} points`));

function rangeOfDifference({ lowest_points: lowest, highest_points: highest }) {
  if (lowest === null) return "no likely range";
  return `likely ${points(lowest)} to ${points(highest)}`;
}

// Hours and outages of a period without data for part of it say nothing beside those of another.
const isPartlyKnown = ({ later, earlier }) => later.unknown_us > 0 || earlier.unknown_us > 0;

// Two lines for each currency.
function linesOfSales({ later, earlier }) {
  const currencies = new Set([...later.sales, ...earlier.sales].map((one) => one.currency));
  return [...currencies].toSorted().flatMap((currency) => {
    const both = [later, earlier].map((one) => one.sales.find((own) => own.currency === currency));
    const [now, before] = both;
    const lost = both.map((own) => (own ? money(own.lost, currency) : "–"));
    const change = now && before;
    const write = (value) => money(value, currency);
    return [
      ["Sales lost", ...lost, change ? signed(now.lost - before.lost, write) : "–"],
      ["Online by demand", ...both.map((own) => percent(own?.uptime_percent)), ""],
    ];
  });
}

// One line for each amount: later, earlier, difference.
function lines(comparison) {
  const { later, earlier, difference } = comparison;
  const both = (write) => [write(later), write(earlier)];
  const change = (value, write) => (isPartlyKnown(comparison) ? "–" : signed(value, write));
  return [
    ["Online", ...both((one) => percent(one.uptime_percent)), points(difference.points)],
    ["Likely range", ...both((one) => likelyRange(one) ?? "–"), rangeOfDifference(difference)],
    [
      "Offline",
      ...both((one) => duration(one.downtime_us)),
      change(difference.downtime_us, duration),
    ],
    ["Outages", ...both((one) => count(one.incidents)), change(difference.incidents, count)],
    ...linesOfSales(comparison),
    ["Opening hours", ...both((one) => duration(one.business_us)), ""],
    ["No data", ...both((one) => duration(one.unknown_us)), ""],
    ["Stores", ...both((one) => count(one.stores)), ""],
  ];
}

function showTotal(answer) {
  const [comparison] = answer.comparisons;
  const cell = (place) => (line) => line[place];
  const column = (head, label, place) => ({ head, label, class: "number", cell: cell(place) });
  const columns = [
    { head: h("span", { class: "sr-only" }, "Figure"), class: "id", label: "", cell: cell(0) },
    column(days(answer.later), "later", 1),
    column(days(answer.earlier), "earlier", 2),
    column("Difference", "difference", 3),
  ];
  const rows = comparison ? lines(comparison) : [];
  fillTable(byId("comparison"), columns, rows, "No data for these days");
  byId("compare-note").textContent =
    `${days(answer.later)}, compared with ${days(answer.earlier)}. ` +
    "Days are on each store's clock. An outage counts on each day on which it cost time.";
  const partly = comparison && isPartlyKnown(comparison) ? " Part of a period has no data." : "";
  byId("verdict").textContent = comparison ? TRENDS[comparison.difference.trend] + partly : "";
}

function showSplit({ comparisons }) {
  const name = ({ group }) =>
    group === null
      ? `no ${state.split}`
      : h(
          "button",
          { type: "button", class: "link", onclick: () => choose({ [state.split]: group }) },
          group,
        );
  const number = (head, cell) => ({ head, class: "number", cell });
  const change = (amount, write) => (one) =>
    isPartlyKnown(one) ? "–" : signed(one.difference[amount], write);
  const ranked = comparisons.toSorted(
    (a, b) => (a.difference.points ?? Infinity) - (b.difference.points ?? Infinity),
  );
  fillTable(
    byId("groups-compared"),
    [
      { head: SPLITS[state.split], class: "id", label: "", cell: name },
      number("Later", ({ later }) => percent(later.uptime_percent)),
      number("Earlier", ({ earlier }) => percent(earlier.uptime_percent)),
      number("Difference", ({ difference }) => points(difference.points)),
      {
        head: "Clear?",
        cell: ({ difference: { trend } }) =>
          trend in TRENDS ? trend.replace("cannot be told", "not clear") : "",
      },
      number("Offline", change("downtime_us", duration)),
      number("Outages", change("incidents", count)),
      ...(comparisons.some(({ later }) => later.sales.length)
        ? [number("Sales lost, later", ({ later }) => salesLost(later.sales) || "–")]
        : []),
    ],
    ranked,
  );
}

// The groups and regions to choose from.
function showChoices(fleet) {
  for (const [name, found, any] of [
    ["group", fleet.groups, "All groups"],
    ["region", fleet.regions, "All regions"],
  ]) {
    const select = byId("scope").elements[name];
    const names = found.map((one) => one.name).filter(Boolean);
    refill(
      select,
      h("option", { value: "" }, any),
      names.map((one) => h("option", { value: one }, one)),
    );
    select.value = state[name];
    select.closest("label").hidden = !names.length;
  }
  const store = byId("scope").elements.store;
  if (store !== document.activeElement) store.value = state.store;
  byId("split-panel").hidden = !fleet.groups.length || Boolean(state.store);
}

// The totals and their parts, `sales` says whether with sales; returns the totals.
async function showFigures(newest, sales) {
  const answer = await newest(get("/fleet/comparison", parameters(sales)));
  showAsOf(answer.as_of);
  showTotal(answer);
  if (state.store) byId("compare-note").prepend(storeLink(state.store.trim()), " – ");
  const split = byId("split-panel").hidden ? "" : state.split;
  if (split) {
    segmented(byId("splits"), Object.entries(SPLITS), split, (other) => choose({ split: other }));
    showSplit(await newest(get("/fleet/comparison", parameters({ split, ...sales }))));
  }
  const files = (id, own) =>
    downloads(byId(id), (form) =>
      withParameters("/fleet/comparison", parameters({ split: own, ...sales, ...form })),
    );
  files("comparison-files", "");
  files("groups-compared-files", state.split);
  return answer;
}

const show = newestOnly(async (newest) => {
  segmented(byId("presets"), Object.entries(PRESETS), state.period, (period) => choose({ period }));
  byId("custom").hidden = !isCustom();
  byId("sales-wait").hidden = true;
  for (const name of ["from", "to", "before", "until"]) {
    byId("custom").elements[name].value = state[name];
  }
  const fleet = await newest(get("/fleet/now"));
  showChoices(fleet);
  const isReady = !isCustom() || isComplete();
  if (!isReady) byId("compare-note").textContent = "Choose the four days.";
  if (isReady) {
    const answer = await showFigures(newest, {});
    document.body.dataset.ready = "true";
    const { store, group, region } = state;
    await showReasons(newest, answer, { store_id: store.trim(), group, region });
    // Those of a large chain take seconds, so they follow.
    const sales = withSales(fleet);
    byId("sales-wait").hidden = !sales.sales;
    if (sales.sales) await showFigures(newest, sales);
    byId("sales-wait").hidden = true;
  }
  document.body.dataset.ready = "true";
});

for (const form of [byId("scope"), byId("custom")]) {
  form.addEventListener("change", ({ target }) => choose({ [target.name]: target.value }));
  form.addEventListener("submit", (event) => event.preventDefault());
}
whenChanged(() => guard(show));
live(show);
