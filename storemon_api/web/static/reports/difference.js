// What differs between two reports of the same date, and what was loaded in between.

import { count, counted } from "../lib/amounts.js";
import { get, withParameters } from "../lib/api.js";
import { byId, h } from "../lib/elements.js";
import { newestOnly } from "../lib/newest.js";
import { getStore } from "../lib/store-addresses.js";
import { storeLink } from "../lib/stores.js";
import { downloads, fillTable } from "../lib/tables.js";
import { utc } from "../lib/times.js";
import { state } from "./state.js";

const FIGURES = {
  uptime_last_hour_minutes: "Online, hour (min)",
  uptime_last_day_hours: "Online, day (h)",
  uptime_last_week_hours: "Online, week (h)",
  downtime_last_hour_minutes: "Offline, hour (min)",
  downtime_last_day_hours: "Offline, day (h)",
  downtime_last_week_hours: "Offline, week (h)",
};
const CHANGES = { changed: "changed", appeared: "added", vanished: "removed" };
const NAMED = 25;

const names = new Map();

// What the first few stores are called: ids tell little.
async function readNames(ids) {
  const missing = ids.slice(0, NAMED).filter((id) => !names.has(id));
  const read = (id) => getStore(id).catch(() => null);
  for (const store of await Promise.all(missing.map(read))) {
    if (store) names.set(store.store_id, store.name);
  }
}

function signed(value) {
  if (!value) return "";
  return `${value > 0 ? "+" : "−"}${Math.abs(value).toFixed(4)}`;
}

function summary(answer) {
  const changes = [
    [answer.stores_changed, "changed"],
    [answer.stores_appeared, "added"],
    [answer.stores_vanished, "removed"],
  ]
    .filter(([number]) => number)
    .map(([number, word]) => `${counted(number, "store")} ${word}`);
  return `Up to ${utc.at(answer.as_of)}: ${changes.join(", ") || "no changes"}`;
}

function loaded(inputs) {
  if (!inputs.length) return "No data was loaded in between";
  const one = (load) => {
    const isCounted = load.rows_loaded !== undefined;
    const rows = isCounted
      ? ` (${count(load.rows_loaded)} new, ${count(load.rows_replaced)} replaced)`
      : "";
    return `${load.file_path || load.source}${rows}`;
  };
  return `Loaded in between: ${inputs.map(one).join(", ")}`;
}

// The later request against the earlier one, whichever was selected first.
export const showDifference = newestOnly(async (newest) => {
  const [from, to] = state.selected
    .map((id) => state.reports.get(id))
    .sort((a, b) => (a.requested_at < b.requested_at ? -1 : 1));
  const answer = await newest(get(`/reports/${to.report_id}/diff`, { against: from.report_id }));
  await newest(readNames(answer.stores.map((one) => one.store_id)));
  const table = h("table", { class: "cards" }, h("thead", {}, h("tr")), h("tbody"));
  const figure = ([name, word]) => ({
    head: word,
    class: "number",
    cell: (one) => signed(one.difference?.[name]),
  });
  fillTable(
    table,
    [
      {
        head: "Store",
        class: "id",
        label: "",
        cell: (one) => storeLink(one.store_id, names.get(one.store_id)),
      },
      { head: "Change", label: "", cell: (one) => CHANGES[one.change] ?? one.change },
      ...Object.entries(FIGURES).map(figure),
    ],
    answer.stores,
    "The figures of all stores are the same",
  );
  const files = h("p", { class: "files" });
  downloads(files, (form) =>
    withParameters(`/reports/${to.report_id}/diff`, { against: from.report_id, ...form }),
  );
  const more = `Showing the first ${count(answer.stores.length)}`;
  byId("difference-body").replaceChildren(
    h("p", {}, summary(answer)),
    h("p", { class: "note" }, loaded(answer.inputs)),
    h("div", { class: "scroll" }, table),
    files,
    answer.next_after ? h("p", { class: "note" }, more) : "",
  );
  byId("difference").hidden = false;
});
