// How a store and its state are shown on every page.

import { root } from "./api.js";
import { h, s } from "./elements.js";
import { pageOf } from "./store-addresses.js";

export const STATES = {
  down: "Offline now",
  up: "Online now",
  closed: "Closed now",
  silent: "No data",
};

export const WINDOWS = { hour: "Last hour", day: "Last 24 hours", week: "Last 7 days" };

const SHAPES = {
  up: "M6 1 11 10H1Z",
  down: "M6 11 1 2h10Z",
  closed: "M2 5h8v2.4H2Z",
  silent: "M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1Zm0 2a3 3 0 1 1 0 6 3 3 0 0 1 0-6Z",
};

// A word with a shape in front of it: no state is told by its colour alone.
export function badge(state, word) {
  const shape = s("path", { d: SHAPES[state] });
  const icon = s("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, shape);
  return h("span", { class: `badge ${state}` }, icon, word);
}

export const stateBadge = (state) => badge(state, STATES[state]);

export function storeLink(storeId, name) {
  return h("a", { href: pageOf(storeId), title: name ? storeId : null }, name || storeId);
}

// Why a store's likely ranges may be wrong.
export const FLAGS = {
  switched_off: "the status often changes around opening and closing",
  missed_when_down: "checks are missing more often while the store is offline",
  few_polls: "the store was checked too seldom to know its own habits",
  short_outages: "most outages were shorter than the time between two checks",
};

// The reasons as a sentence.
export function doubtsOf(flags) {
  const reasons = flags.map((flag) => FLAGS[flag] ?? flag).join("; ");
  return `The likely ranges may be wrong: ${reasons}.`;
}

// A link that says nothing on paper.
const toolLink = (path, word) => h("a", { class: "tools", href: root + path }, word);

// A link to the comparison of this week with last, of a store, a group or a region.
export function compareLink(scope) {
  const parameters = new URLSearchParams(Object.entries(scope).filter(([, value]) => value));
  return toolLink(`/pages/compare?${parameters}`, "Compare with last week");
}

// A link to the statement of the last month, of a store, a group or a region.
export function statementLink(scope) {
  const parameters = new URLSearchParams(Object.entries(scope).filter(([, value]) => value));
  return toolLink(`/pages/statement?${parameters}`, "Statement of last month");
}

// What an event says of an outage, as in "platform: tablet offline".
export function reasonText({ source, reason }) {
  return [source, reason].filter(Boolean).join(": ") || "event";
}
