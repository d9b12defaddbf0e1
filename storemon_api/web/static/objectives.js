// The page of objectives: which stores meet theirs, and how fast they use the time offline allowed.

import { addressedChoices } from "./lib/address.js";
import { count, counted, duration, percent } from "./lib/amounts.js";
import { get, root, withParameters } from "./lib/api.js";
import { byId, h, refill, segmented } from "./lib/elements.js";
import { guard, live, showAsOf } from "./lib/live.js";
import { showApart } from "./lib/never-online.js";
import { newestOnly } from "./lib/newest.js";
import { badge, storeLink } from "./lib/stores.js";
import { downloads, fillTable, pager } from "./lib/tables.js";
import { clockIn } from "./lib/times.js";
import { VERDICTS } from "./objectives/verdicts.js";
import { showVersions } from "./objectives/versions.js";

const PERIODS = { month: "This month", week: "This week" };
const LIMIT = innerWidth < 640 ? 15 : 50;
const ASCENDING_FIRST = new Set(["store_id", "verdict", "uptime", "left", "runs_out"]);

const choices = addressedChoices(
  {
    ...{ by: "month", verdict: "", spent: "", never: "" },
    ...{ sort: "burn_three_days", order: "desc", offset: 0 },
  },
  { allowed: { by: Object.keys(PERIODS), never: ["", "true"] } },
);
const { state, whenChanged } = choices;
const choose = (values) => choices.choose({ offset: 0, ...values });

function tile({ word, more, tone, stores, isChosen, onclick }) {
  const own = stores ? tone : "up";
  return h(
    "button",
    {
      type: "button",
      class: `standing ${own}`,
      "aria-pressed": String(isChosen),
      onclick,
    },
    badge(own, word),
    h("span", { class: "count" }, count(stores)),
    h("span", { class: "more" }, more),
  );
}

function showSummary({ verdicts, spent }) {
  const tiles = Object.entries(VERDICTS).map(([verdict, texts]) => {
    const isChosen = state.verdict === verdict;
    const onclick = () => choose({ verdict: isChosen ? "" : verdict });
    return tile({ ...texts, stores: verdicts[verdict], isChosen, onclick });
  });
  const isChosen = state.spent === "true";
  const overspent = tile({
    ...{ word: "Used up", more: "offline longer than allowed", tone: "down", stores: spent },
    ...{ isChosen, onclick: () => choose({ spent: isChosen ? "" : "true" }) },
  });
  refill(byId("summary"), [...tiles, overspent]);
}

// The head of a column, and whether the list is sorted by it.
function sortable(word, own) {
  const isSorted = own === state.sort;
  const first = ASCENDING_FIRST.has(own) ? "asc" : "desc";
  const next = isSorted ? { asc: "desc", desc: "asc" }[state.order] : first;
  const arrow = { asc: " ↑", desc: " ↓" }[state.order];
  const onclick = () => choose({ sort: own, order: next });
  return {
    sorted: isSorted ? { asc: "ascending", desc: "descending" }[state.order] : null,
    head: h("button", { type: "button", onclick }, word, isSorted ? arrow : ""),
  };
}

function storeCell(budget) {
  const more = [budget.name && budget.store_id, budget.group].filter(Boolean).join(" · ");
  const link = storeLink(budget.store_id, budget.name);
  return [link, more ? h("div", { class: "sub" }, more) : null];
}

const pace = ({ rate }) =>
  rate === null ? percent(null) : `${count(Math.round(rate * 10) / 10)} ×`;

const left = (budget) =>
  budget.is_spent ? `over by ${duration(-budget.left_us)}` : duration(budget.left_us);

function usedUp(budget) {
  if (budget.runs_out_at) return clockIn(budget.timezone).at(budget.runs_out_at);
  return h("span", { class: "sub" }, `not this ${budget.by}`);
}

const number = (word, own, label, cell) => ({
  ...sortable(word, own),
  class: "number",
  label,
  cell,
});

function columns() {
  return [
    { ...sortable("Store", "store_id"), class: "id", label: "", cell: storeCell },
    {
      ...sortable("So far", "verdict"),
      class: "state",
      label: "",
      cell: ({ verdict }) => badge(VERDICTS[verdict].tone, VERDICTS[verdict].word),
    },
    number("Objective", "objective", "objective", ({ objective }) => `${objective} %`),
    number("Online", "uptime", "online", (budget) => percent(budget.uptime_percent)),
    number("Used", "spent_share", "used", (budget) => [
      duration(budget.spent_us),
      h("div", { class: "sub" }, `of ${duration(budget.budget_us)}`),
    ]),
    number("Left", "left", "left", left),
    number("Pace, 24 hours", "burn_day", "pace, 24 hours", ({ burns }) => pace(burns[0])),
    number("Pace, 3 days", "burn_three_days", "pace, 3 days", ({ burns }) => pace(burns[1])),
    { ...sortable("Used up", "runs_out"), class: "since", label: "used up", cell: usedUp },
  ];
}

function emptyText() {
  if (state.verdict || state.spent) {
    const onclick = () => choose({ verdict: "", spent: "" });
    const clear = h("button", { type: "button", class: "link", onclick }, "show all");
    return ["No stores match – ", clear];
  }
  const how = h("a", { href: `${root}/manual/pages#objectives` }, "how to set one");
  return [`No objective for this ${state.by} – `, how];
}

const show = newestOnly(async (newest) => {
  const { by, verdict, spent, never, sort, order, offset } = state;
  const chosen = { by, verdict, spent, never_online: never || "false", sort, order };
  const [page, apart] = await newest(
    Promise.all([
      get("/fleet/budgets", { ...chosen, offset, limit: LIMIT }),
      get("/fleet/budgets", { ...chosen, never_online: true, limit: 1 }),
    ]),
  );
  showAsOf(page.as_of);
  showSummary(page);
  segmented(byId("periods"), Object.entries(PERIODS), by, (period) => choose({ by: period }));
  const words = (stores) => counted(stores, "store");
  showApart(byId("never"), { never, total: apart.total, words, choose });
  fillTable(byId("budgets"), columns(), page.budgets, emptyText());
  pager(byId("pager"), page, page.budgets.length, "store", (next) => choose({ offset: next }));
  downloads(byId("budgets-files"), (form) =>
    withParameters("/fleet/budgets", { ...chosen, ...form }),
  );
});
const showAll = async () => {
  await Promise.all([show(), showVersions(changed)]);
  document.body.dataset.ready = "true";
};
const changed = () => guard(showAll);

whenChanged(() => guard(show));
live(showAll);
