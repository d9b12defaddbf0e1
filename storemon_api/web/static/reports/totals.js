// A report's totals: of all stores together, of each group, or of each region.

import { count, duration, likelyRange, percent } from "../lib/amounts.js";
import { get, withParameters } from "../lib/api.js";
import { byId, h, segmented } from "../lib/elements.js";
import { newestOnly } from "../lib/newest.js";
import { WINDOWS, doubtsOf } from "../lib/stores.js";
import { downloads, fillTable } from "../lib/tables.js";
import { utc } from "../lib/times.js";
import { POLICIES, choose, isAdvanced, scope, state } from "./state.js";

const SPLITS = [
  ["", "all together"],
  ["group", "group"],
  ["region", "region"],
];

// Shows the totals that the reader has chosen, or none.
export const showTotals = newestOnly(async (newest) => {
  const { totals: reportId, split } = state;
  byId("totals").hidden = !reportId;
  if (!reportId) return;
  segmented(byId("totals-splits"), SPLITS, split, (value) => choose({ split: value }));
  const [report, answer] = await newest(
    Promise.all([
      state.reports.get(reportId) ?? get(`/get_report/${reportId}`),
      get(`/reports/${reportId}/totals`, { split, ...scope() }),
    ]),
  );
  const [only] = Object.values(scope());
  const facts = [
    `Up to ${utc.at(answer.as_of)}`,
    `requested ${utc.exactly(report.requested_at)}`,
    only && `${only} only`,
    isAdvanced() && POLICIES[answer.policy],
  ];
  const how = "Opening hours of the stores are added up before the percentage is taken.";
  byId("totals-note").textContent = `${facts.filter(Boolean).join(", ")}. ${how}`;
  const figure = (window) => (total) => {
    const figures = total.windows[window];
    const { uptime_percent: online, downtime_us: down, business_us: open } = figures;
    const more = `offline ${duration(down)} of ${duration(open)} open`;
    const range = likelyRange(figures);
    return [percent(online), range && `, ${range}`, h("div", { class: "sub" }, more)];
  };
  const name = ({ name: known, likely_flags: flags }) => [
    known ?? (split ? `no ${split}` : only || "all"),
    flags.length ? h("div", { class: "sub" }, doubtsOf(flags)) : null,
  ];
  fillTable(
    byId("totals-table"),
    [
      {
        head: { group: "Group", region: "Region" }[split] ?? "",
        class: "id",
        label: "",
        cell: name,
      },
      { head: "Stores in the report", class: "number", cell: (total) => count(total.stores) },
      ...Object.entries(WINDOWS).map(([window, word]) => ({
        head: `Online, ${word.toLowerCase()}`,
        class: "number",
        cell: figure(window),
      })),
    ],
    answer.totals,
    "No store of the report belongs here",
  );
  downloads(byId("totals-table-files"), (form) =>
    withParameters(`/reports/${reportId}/totals`, { split, ...scope(), ...form }),
  );
});
