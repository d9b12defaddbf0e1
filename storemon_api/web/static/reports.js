// The page of reports: requesting one, and the list of those that exist.

import { get } from "./lib/api.js";
import { byId, h, reveal } from "./lib/elements.js";
import { guard, live, showAsOf } from "./lib/live.js";
import { showDifference } from "./reports/difference.js";
import { showReports } from "./reports/list.js";
import { requestReport } from "./reports/request.js";
import { state } from "./reports/state.js";
import { hasTotals, showTotals } from "./reports/totals.js";

const actions = {
  showTotals: (reportId) =>
    guard(async () => {
      await showTotals(reportId);
      reveal("totals");
    }),
  showDifference: () =>
    guard(async () => {
      await showDifference();
      reveal("difference");
    }),
};
const list = () => showReports(actions);

function options(label, kind, totals) {
  const named = totals.map((total) => total.name).filter((name) => name !== null);
  if (!named.length) return [];
  const option = (name) => h("option", { value: JSON.stringify({ [kind]: name }) }, name);
  return [h("optgroup", { label }, named.map(option))];
}

// Groups and regions of now, for totals and downloads.
function showScopes(now) {
  const field = byId("whose");
  const known = field.value;
  field.replaceChildren(
    h("option", { value: "{}" }, "all stores"),
    ...options("Groups", "group", now.groups),
    ...options("Regions", "region", now.regions),
  );
  if (known) field.value = known;
  byId("whose-label").hidden = field.options.length < 2;
}

byId("make").addEventListener("submit", async (event) => {
  await requestReport(event);
  await guard(list);
});
byId("advanced").addEventListener("toggle", () => guard(list));
byId("whose").addEventListener("change", (event) => {
  state.scope = JSON.parse(event.target.value);
  guard(async () => {
    await list();
    if (hasTotals()) await showTotals();
  });
});

live(async () => {
  const [now] = await Promise.all([get("/fleet/now"), list()]);
  showAsOf(now.as_of);
  showScopes(now);
  document.body.dataset.ready = "true";
});
