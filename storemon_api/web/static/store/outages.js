// The store's outages: in numbers, and each with when it started and ended.

import { count, duration, percent } from "../lib/amounts.js";
import { byId, h } from "../lib/elements.js";
import { badge } from "../lib/stores.js";
import { fillTable, pager } from "../lib/tables.js";
import { choose, getView, page } from "./state.js";

const LIMIT = 15;

// Between which two checks something happened; one of them may be missing.
function between(from, to) {
  if (from && to) return page.clock.range(from, to);
  return from ? `after ${page.clock.at(from)}` : `before ${page.clock.at(to)}`;
}

function ended(outage) {
  if (outage.ending === "open") return badge("down", "still offline");
  if (outage.ending === "ended") return between(outage.last_inactive_poll, outage.next_active_poll);
  return `no data since ${page.clock.at(outage.last_inactive_poll)}`;
}

export async function showOutages() {
  const answer = await getView("/incidents", { limit: LIMIT, offset: page.outages });
  const numbers = answer.summary;
  const mean = numbers.mean_to_recovery_us;
  const terms = [
    ["outages", count(numbers.count)],
    ["ongoing", count(numbers.open)],
    ["open hours lost", duration(numbers.lost_us)],
    ["longest", duration(numbers.longest_us)],
    ["average outage", mean === null ? percent(null) : duration(mean)],
  ];
  byId("incident-numbers").replaceChildren(
    ...terms.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
  );
  fillTable(
    byId("incidents"),
    [
      { head: "Started", cell: (one) => between(one.last_active_poll, one.first_inactive_poll) },
      { head: "Ended", cell: ended },
      { head: "Offline checks", class: "number", cell: (one) => count(one.polls) },
      { head: "Open hours lost", class: "number", cell: (one) => duration(one.lost_us) },
    ],
    answer.incidents,
    "No outages",
  );
  const go = (outages) => choose({ outages });
  pager(byId("incidents-pager"), answer, answer.incidents.length, "outage", go);
}
