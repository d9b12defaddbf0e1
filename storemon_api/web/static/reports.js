// The page of reports: requesting one, and the list of those that exist.

import { get } from "./lib/api.js";
import { byId, h, reveal } from "./lib/elements.js";
import { guard, live, showAsOf } from "./lib/live.js";
import { showDifference } from "./reports/difference.js";
import { showReports } from "./reports/list.js";
import { requestReport } from "./reports/request.js";
import { choose, scope, state, whenChanged } from "./reports/state.js";
import { showTotals } from "./reports/totals.js";

const actions = {
  showTotals: (reportId) => {
    if (state.totals === reportId) reveal("totals");
    else choose({ totals: reportId });
  },
  showDifference: () =>
    guard(async () => {
      await showDifference();
      reveal("difference");
    }),
};
const list = () => showReports(actions);
const show = () => Promise.all([list(), showTotals()]);
whenChanged(async (changed) => {
  showChosenScope();
  await guard(show);
  if (changed.includes("totals") && state.totals) reveal("totals");
});

function options(label, kind, totals) {
  const named = totals.map((total) => total.name).filter((name) => name !== null);
  if (!named.length) return [];
  const option = (name) => h("option", { value: JSON.stringify({ [kind]: name }) }, name);
  return [h("optgroup", { label }, named.map(option))];
}

function showChosenScope() {
  byId("whose").value = JSON.stringify(scope());
}

// Groups and regions of now, for totals and downloads.
function showScopes(now) {
  const field = byId("whose");
  field.replaceChildren(
    h("option", { value: "{}" }, "all stores"),
    ...options("Groups", "group", now.groups),
    ...options("Regions", "region", now.regions),
  );
  showChosenScope();
  byId("whose-label").hidden = field.options.length < 2;
}

// A key that may not request reports gets no form.
byId("make")?.addEventListener("submit", async (event) => {
  await requestReport(event);
  await guard(list);
});
byId("advanced").addEventListener("toggle", () => guard(list));
byId("whose").addEventListener("change", (event) => {
  choose({ group: "", region: "", ...JSON.parse(event.target.value) });
});

live(async () => {
  const [now] = await Promise.all([get("/fleet/now"), show()]);
  showAsOf(now.as_of);
  showScopes(now);
  document.body.dataset.ready = "true";
});
