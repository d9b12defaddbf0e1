// The list of reports, with their downloads and the selection of two to compare.

import { count } from "../lib/amounts.js";
import { get, root, withParameters } from "../lib/api.js";
import { byId, h } from "../lib/elements.js";
import { guard } from "../lib/live.js";
import { newestOnly } from "../lib/newest.js";
import { badge } from "../lib/stores.js";
import { downloads, fillTable, pager } from "../lib/tables.js";
import { utc } from "../lib/times.js";
import { NO_ROWS, POLICIES, addressOf, choose, downloadCsv, isAdvanced, state } from "./state.js";

const LIMIT = 25;
const WAIT_MS = 2000;
const FORMATS = ["csv", "xlsx", "parquet", "json"];

const hasRows = (report) => report.status === "Complete" && report.stores > 0;

function isComparable(report) {
  const other = state.selected
    .map((id) => state.reports.get(id))
    .find((one) => one.report_id !== report.report_id);
  if (!other || state.selected.includes(report.report_id)) return true;
  const isSame = other.as_of === report.as_of && other.policy === report.policy;
  return state.selected.length < 2 && isSame;
}

function checkbox(report, onSelect) {
  if (!hasRows(report)) return "";
  const id = report.report_id;
  return h("input", {
    type: "checkbox",
    "aria-label": `Compare the report requested ${utc.exactly(report.requested_at)}`,
    checked: state.selected.includes(id),
    disabled: !isComparable(report),
    onchange: ({ target }) => {
      state.selected = target.checked
        ? [...state.selected, id].slice(-2)
        : state.selected.filter((one) => one !== id);
      onSelect();
    },
  });
}

function status(report) {
  if (report.status === "Failed") {
    return [badge("down", "Failed"), h("div", { class: "sub" }, report.error)];
  }
  return report.status === "Complete" && !hasRows(report) ? NO_ROWS : report.status;
}

function totalsButton(report, showTotals) {
  if (!hasRows(report)) return "";
  const label = `Totals of the report requested ${utc.exactly(report.requested_at)}`;
  const onclick = () => showTotals(report.report_id);
  return h("button", { type: "button", class: "link", "aria-label": label, onclick }, "Totals");
}

function filesOf(report) {
  if (!hasRows(report)) return "";
  const byScript = (event) => {
    event.preventDefault();
    guard(() => downloadCsv(report.report_id));
  };
  return FORMATS.flatMap((kind) => [
    h(
      "a",
      {
        href: root + addressOf(report.report_id, kind),
        download: true,
        onclick: kind === "csv" ? byScript : null,
      },
      kind.toUpperCase(),
    ),
    " ",
  ]);
}

const optional = (value) => (value === null ? "" : count(value));
const seconds = (report) => (report.seconds === null ? "" : `${report.seconds.toFixed(1)} s`);

let waiting;

export const showReports = newestOnly(async (newest, actions) => {
  const page = await newest(get("/reports", { limit: LIMIT, offset: state.offset }));
  for (const one of page.reports) state.reports.set(one.report_id, one);
  const again = () => guard(() => showReports(actions));
  const advanced = [
    {
      head: h("span", { class: "sr-only" }, "Compare"),
      label: "compare",
      class: "tools",
      cell: (one) => checkbox(one, again),
    },
    { head: "Between checks", cell: (one) => POLICIES[one.policy] },
  ];
  fillTable(
    byId("reports"),
    [
      { head: "Requested", cell: (one) => utc.exactly(one.requested_at) },
      { head: "Up to", cell: (one) => (one.as_of ? utc.at(one.as_of) : "latest data") },
      { head: "Status", cell: status },
      { head: "Stores", class: "number", cell: (one) => optional(one.stores) },
      { head: "Without data", class: "number", cell: (one) => optional(one.silent_stores) },
      { head: "Time taken", class: "number", cell: seconds },
      ...(isAdvanced() ? advanced : []),
      {
        head: "Totals",
        label: "",
        class: "tools",
        cell: (one) => totalsButton(one, actions.showTotals),
      },
      { head: "Download", label: "", class: "downloads", cell: filesOf },
    ],
    page.reports,
    "No reports yet",
  );
  pager(byId("pager"), page, page.reports.length, "report", (offset) => choose({ offset }));
  downloads(byId("reports-files"), (form) => withParameters("/reports", form));
  showCompare(actions.showDifference);
  clearTimeout(waiting);
  if (page.reports.some((one) => one.status === "Running")) waiting = setTimeout(again, WAIT_MS);
});

function showCompare(compare) {
  const hint = state.selected.length
    ? "Select a second report of the same date"
    : "Select two reports of the same date to compare them";
  byId("compare").replaceChildren(
    state.selected.length === 2
      ? h("button", { class: "small", type: "button", onclick: compare }, "Compare")
      : h("span", { class: "note" }, hint),
  );
}
