// The reasons of downtime in both periods of the page Compare.

import { duration } from "../lib/amounts.js";
import { get, withParameters } from "../lib/api.js";
import { byId } from "../lib/elements.js";
import { reasonText } from "../lib/stores.js";
import { downloads, fillTable } from "../lib/tables.js";

const LIMIT = 20;
// The API gives the reasons of at most as many days.
const MOST_DAYS = 366;
const DAY_MS = 86_400_000;

const isShort = ({ start, end }) => (Date.parse(end) - Date.parse(start)) / DAY_MS <= MOST_DAYS;

// One line for each reason, and one for downtime that no event and no correction explains.
function linesOf(comparison, later, earlier) {
  const lines = new Map();
  for (const [place, { reasons }] of [later, earlier].entries()) {
    for (const one of reasons) {
      const name = reasonText(one);
      if (!lines.has(name)) lines.set(name, [0, 0]);
      lines.get(name)[place] += one.lost_us;
    }
  }
  const rows = [...lines].map(([name, lost]) => ({ name, lost }));
  rows.sort((one, other) => other.lost[0] - one.lost[0] || other.lost[1] - one.lost[1]);
  const rest = [
    comparison.later.downtime_us - later.lost_us,
    comparison.earlier.downtime_us - earlier.lost_us,
  ];
  return [...rows, { name: "No reason known", lost: rest.map((lost) => Math.max(0, lost)) }];
}

// `scope` has the store, group or region. Without any reason there is no table.
export async function showReasons(newest, answer, scope) {
  const [comparison] = answer.comparisons;
  const asked = ({ start, end }) => ({ ...scope, from: start, to: end });
  const ask = (period) => newest(get("/fleet/reasons", { ...asked(period), limit: LIMIT }));
  byId("reasons-panel").hidden = true;
  if (!comparison || !isShort(answer.later) || !isShort(answer.earlier)) return;
  const later = await ask(answer.later);
  const earlier = await ask(answer.earlier);
  if (!later.total && !earlier.total) return;
  byId("reasons-panel").hidden = false;
  const number = (head, place) => ({
    head,
    class: "number",
    cell: ({ lost }) => duration(lost[place]),
  });
  const columns = [
    { head: "Reason", class: "id", label: "", cell: ({ name }) => name },
    number("Later", 0),
    number("Earlier", 1),
  ];
  fillTable(byId("reasons-compared"), columns, linesOf(comparison, later, earlier));
  const files = (id, period, word) =>
    downloads(
      byId(id),
      (form) => withParameters("/fleet/reasons", { ...asked(period), ...form }),
      word,
    );
  files("reasons-files", answer.later, "Later");
  files("reasons-earlier-files", answer.earlier, "Earlier");
}
