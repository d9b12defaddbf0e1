// The store's outages: in numbers, and each with when it started and ended.

import { count, counted, duration, percent, salesLost, salesRange } from "../lib/amounts.js";
import { root } from "../lib/api.js";
import { byId, h } from "../lib/elements.js";
import { newestOnly } from "../lib/newest.js";
import { badge, reasonText } from "../lib/stores.js";
import { downloads, fillTable, pager } from "../lib/tables.js";
import { correctButton } from "./change-corrections.js";
import { choose, getView, page, pathOfView } from "./state.js";

const LIMIT = 15;

// Between the two checks, or the exact instant where an event says it and there are none.
function started({ last_active_poll: from, first_inactive_poll: to, start }) {
  if (from && to) return page.clock.range(from, to);
  return to ? `before ${page.clock.at(to)}` : page.clock.at(start);
}

function ended({ ending, last_inactive_poll: from, next_active_poll: to, end, reasons: parts }) {
  if (ending === "open") return badge("down", "still offline");
  if (ending === "ended") return from && to ? page.clock.range(from, to) : page.clock.at(end);
  return `no data since ${page.clock.at(from ?? parts.at(-1)?.end ?? end)}`;
}

// What events say of an outage, each with the time that it covers.
function reasons(outage) {
  return outage.reasons.map((one) =>
    h("div", { "data-tip": page.clock.exactRange(one.start, one.end) }, reasonText(one)),
  );
}

const PLACES = {
  group: ["other store", "in group"],
  region: ["other store", "in region"],
  timezone: ["other store", "in time zone"],
  channel: ["other storefront", "on"],
};

// "31 of 40 other stores in region West were offline too; usually 2".
function peersText(peers) {
  const usual = Math.round(peers.usually_down);
  const [one, place] = PLACES[peers.kind];
  const number = `${count(peers.down)} of ${counted(peers.stores, one)} ${place} ${peers.name}`;
  const verb = peers.stores === 1 ? "was" : "were";
  return `${number} ${verb} offline too; usually ${usual ? count(usual) : "none"}`;
}

// Whether other stores went offline together with this one, with the numbers of the set that says
// most.
function others(outage) {
  if (!outage.mark) return "";
  const hasOthers = outage.peers.filter((peers) => peers.stores);
  const widespread = hasOthers.filter((peers) => peers.widespread_outage_until);
  const [most] = (widespread.length ? widespread : hasOthers).sort(
    (a, b) => b.down / b.stores - a.down / a.stores,
  );
  const isPart = outage.with_others_us > 0 && outage.with_others_us < outage.lost_us;
  const time = duration(outage.with_others_us);
  const alone = isPart ? `This store alone, except for ${time}` : "This store alone";
  const together = isPart ? `With others for ${time}` : "With others";
  return [
    outage.mark === "alone" ? alone : together,
    most ? h("div", { class: "sub" }, peersText(most)) : null,
  ];
}

// The polls, hours and closures behind an outage, as one signed file.
function evidence({ start }) {
  const address = pathOfView("/dispute-pack", { start });
  return h("a", { href: root + address, download: true, title: "Signed evidence" }, "Pack");
}

function withOthers(numbers) {
  if (!numbers.compared_us) return [];
  const lost = `with others, of ${duration(numbers.compared_us)} in 4 weeks`;
  return [[lost, duration(numbers.with_others_us)]];
}

// `done` is called after a correction.
export const showOutages = newestOnly(async (newest, done) => {
  const answer = await newest(getView("/incidents", { limit: LIMIT, offset: page.outages }));
  const numbers = answer.summary;
  const mean = numbers.mean_to_recovery_us;
  const terms = [
    ["outages", count(numbers.count)],
    ["ongoing", count(numbers.open)],
    ["open hours lost", duration(numbers.lost_us)],
    ...(numbers.sales_lost.length ? [["sales lost", salesLost(numbers.sales_lost)]] : []),
    ["longest", duration(numbers.longest_us)],
    ["average outage", mean === null ? percent(null) : duration(mean)],
    ...withOthers(numbers),
    ...numbers.reasons.map((one) => [`lost: ${reasonText(one)}`, duration(one.lost_us)]),
  ];
  byId("incident-numbers").replaceChildren(
    ...terms.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
  );
  const sales = {
    head: "Sales lost",
    class: "number",
    cell: (one) =>
      one.sales && h("span", { "data-tip": salesRange(one.sales) }, salesLost([one.sales])),
  };
  fillTable(
    byId("incidents"),
    [
      { head: "Started", class: "when", cell: started },
      { head: "Ended", class: "when", cell: ended },
      { head: "Offline checks", class: "number", cell: (one) => count(one.polls) },
      { head: "Open hours lost", class: "number", cell: (one) => duration(one.lost_us) },
      ...(numbers.sales_lost.length ? [sales] : []),
      ...(numbers.reasons.length ? [{ head: "Reason", class: "wide", cell: reasons }] : []),
      { head: "Other stores", class: "wide", cell: others },
      {
        head: "Evidence",
        class: "evidence",
        cell: (one) => [evidence(one), correctButton(one, done)],
      },
    ],
    answer.incidents,
    "No outages",
  );
  const go = (outages) => choose({ outages });
  pager(byId("incidents-pager"), answer, answer.incidents.length, "outage", go);
  downloads(byId("incidents-files"), (form) => pathOfView("/incidents", form));
});
