// Who changed the store's hours, zone, closures and corrections.

import { byId, h, refill } from "../lib/elements.js";
import { page } from "./state.js";

const ACTIONS = {
  "hours.put": "opening hours entered",
  "hours.undo": "opening hours taken back",
  "special-hours.put": "special hours entered",
  "special-hours.cancel": "special hours taken back",
  "timezone.put": "time zone entered",
  "closure.add": "closure added",
  "closure.cancel": "closure cancelled",
  "correction.add": "correction entered",
  "correction.cancel": "correction taken back",
};

function author({ by, client }) {
  if (by) return by;
  return client ? `without a key, from ${client}` : "without a key";
}

export function showChanges(changes) {
  const line = (one) =>
    h(
      "li",
      {},
      `${page.clock.at(one.at)}: ${ACTIONS[one.action] ?? one.action}`,
      h("span", { class: "sub" }, ` · ${author(one)}`),
    );
  refill(
    byId("changes"),
    changes.length
      ? h("ul", { class: "plain" }, changes.map(line))
      : h("p", { class: "empty" }, "Nothing was changed on this page or by the API."),
  );
}
