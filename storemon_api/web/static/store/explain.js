// Why a number is what it is: the intervals that sum to it.

import { counted, exactDuration, likelyRange, percent, share } from "../lib/amounts.js";
import { byId, h, segmented } from "../lib/elements.js";
import { newestOnly } from "../lib/newest.js";
import { FLAGS, WINDOWS, badge } from "../lib/stores.js";
import { downloads, fillTable } from "../lib/tables.js";
import { KINDS, choose, getView, kindName, page, pathOfView } from "./state.js";

const HAS_BADGE = new Set(["up", "down", "closed"]);

// Microseconds as hours, minutes and seconds with their fraction: "8:46:37.520780".
function toTheMicrosecond(amount) {
  const seconds = Math.floor(amount / 1e6);
  const two = (value) => String(value).padStart(2, "0");
  const clock = [Math.floor(seconds / 3600), two(Math.floor(seconds / 60) % 60), two(seconds % 60)];
  return `${clock.join(":")}.${String(amount % 1e6).padStart(6, "0")}`;
}

const amount = (us) => h("span", { "data-tip": toTheMicrosecond(us) }, exactDuration(us));

function countsAs(entry) {
  if (entry.storefronts > 1 && entry.kind !== "closed") {
    return `${entry.storefronts_up} of ${entry.storefronts} online`;
  }
  return HAS_BADGE.has(entry.kind) ? badge(entry.kind, kindName(entry)) : KINDS[entry.kind];
}

function because(entry) {
  if (!entry.run_polls || entry.kind === "closed") return entry.reason;
  const checks = counted(entry.run_polls, "check");
  const time = page.clock.range(entry.run_first_poll, entry.run_last_poll);
  return [entry.reason, h("span", { class: "sub" }, ` (${checks}, ${time})`)];
}

function note(ledger) {
  const window = WINDOWS[page.window].toLowerCase();
  const scope = `Opening hours of the ${window} up to ${page.clock.at(ledger.as_of)}.`;
  if (!ledger.business_us) return scope;
  const online = exactDuration(ledger.uptime_us);
  const open = exactDuration(ledger.business_us);
  const result = percent(share(ledger.uptime_us, ledger.business_us));
  return `${scope} ${online} online of ${open} open = ${result}`;
}

// How the likely range came about.
function rangeNote(ledger) {
  const range = likelyRange(ledger);
  if (range === null) return "";
  const sentences = [
    `${range[0].toUpperCase()}${range.slice(1)} %: nine of ten such ranges hold the true uptime.`,
    "Between two checks the status may have changed and changed back.",
    "The checks of the last four weeks tell how often that happens, and for how long,",
    "here and at all stores.",
    ...ledger.likely_flags.map((flag) => `This range may be wrong: ${FLAGS[flag] ?? flag}.`),
    `(Version ${ledger.status_model} of the status model.)`,
  ];
  return sentences.join(" ");
}

export const showExplanation = newestOnly(async (newest) => {
  segmented(byId("windows"), Object.entries(WINDOWS), page.window, (window) => choose({ window }));
  const ledger = await newest(getView("/explain", { window: page.window }));
  byId("ledger-note").textContent = note(ledger);
  byId("range-note").textContent = rangeNote(ledger);
  const table = byId("ledger");
  // Several storefronts count by the share of them that are up.
  const countedAs = (kind) => (one) => {
    if (one.storefronts > 1) {
      const up = (one.counted_us * one.storefronts_up) / one.storefronts;
      const own = kind === "up" ? up : one.counted_us - up;
      return own ? amount(Math.round(own)) : "";
    }
    return one.kind === kind ? amount(one.counted_us) : "";
  };
  fillTable(
    table,
    [
      { head: "When", label: "", cell: (one) => page.clock.exactRange(one.start, one.end) },
      { head: "Counts as", label: "", cell: countsAs },
      { head: "Why", label: "", class: "wide", cell: because },
      { head: "Online", class: "number", cell: countedAs("up") },
      { head: "Offline", class: "number", cell: countedAs("down") },
    ],
    ledger.entries,
    "No figure: nothing received in the 8 days before",
  );
  downloads(byId("ledger-files"), (form) =>
    pathOfView("/explain", { window: page.window, ...form }),
  );
  table.tFoot.replaceChildren(ledger.entries.length ? totals(ledger) : "");
});

function totals(ledger) {
  const cell = (id, label, us) => h("td", { class: "number", id, "data-label": label }, amount(us));
  return h(
    "tr",
    {},
    h("td", { colspan: 3 }, `Total of ${exactDuration(ledger.business_us)} open`),
    cell("ledger-up", "Online", ledger.uptime_us),
    cell("ledger-down", "Offline", ledger.downtime_us),
  );
}
