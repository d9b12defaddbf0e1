// The store's storefronts: their state and their uptime beside that of the store.

import { NO_FIGURE, percent } from "../lib/amounts.js";
import { byId } from "../lib/elements.js";
import { WINDOWS, stateBadge } from "../lib/stores.js";
import { downloads, fillTable } from "../lib/tables.js";
import { page, pathOfView } from "./state.js";

const RULES = {
  any_up: "The store is online while one of its storefronts is.",
  all_up: "The store is online while all of its storefronts are.",
  share: "The store's uptime is the mean of its storefronts'; it is offline while none is online.",
};

export function showChannels() {
  const { store, clock } = page;
  byId("channels").hidden = !store.channels.length;
  if (!store.channels.length) return;
  byId("channels-note").textContent = RULES[store.channel_rule];
  const windows = Object.entries(WINDOWS).map(([window, word]) => ({
    head: word,
    class: "number",
    cell: (one) => (one.figures ? percent(one.figures[window].uptime_percent) : NO_FIGURE),
  }));
  fillTable(
    byId("storefronts"),
    [
      { head: "Channel", cell: (one) => one.channel || "The store itself" },
      { head: "ID there", cell: (one) => one.channel_store_id },
      { head: "Now", cell: (one) => stateBadge(one.standing) },
      {
        head: "Last check",
        cell: (one) => (one.last_poll_at ? clock.exactly(one.last_poll_at) : "never"),
      },
      ...windows,
    ],
    store.channels,
  );
  downloads(byId("storefronts-files"), (form) => pathOfView("", { table: "channels", ...form }));
}
