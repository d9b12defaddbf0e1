// What a change of a store's hours, closures or corrections does to past figures.

import { count, counted, duration, percent } from "../lib/amounts.js";
import * as dialog from "../lib/change.js";
import { h } from "../lib/elements.js";
import { WINDOWS } from "../lib/stores.js";
import { localDay } from "../lib/times.js";
import { pathOfView } from "./state.js";

const amounts = ({ uptime_percent: share, downtime_us: down, business_us: hours }) => [
  h("td", { class: "number" }, percent(share)),
  h("td", { class: "number" }, duration(down)),
  h("td", { class: "number" }, duration(hours)),
];

function line(name, { before, after }) {
  const head = h("th", { scope: "row" }, name);
  if (JSON.stringify(before) === JSON.stringify(after)) {
    return h("tr", {}, head, h("td", {}, "no change"), amounts(before));
  }
  return [
    h("tr", {}, head, h("td", {}, "now"), amounts(before)),
    h("tr", { class: "changed" }, h("td", {}), h("td", {}, "then"), amounts(after)),
  ];
}

function table(caption, lines) {
  const hidden = (word) => h("span", { class: "sr-only" }, word);
  const heads = [hidden("Time"), hidden("Now or then"), "Online", "Offline", "Opening hours"].map(
    (word, place) => h("th", { scope: "col", class: place > 1 ? "number" : null }, word),
  );
  return h(
    "div",
    { class: "scroll" },
    h(
      "table",
      { class: "preview" },
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, heads)),
      h("tbody", {}, lines),
    ),
  );
}

function previewed({ figures, days, days_changed: changed }) {
  const windows = Object.entries(figures ?? {}).map(([window, both]) =>
    line(WINDOWS[window], both),
  );
  const byDay = days.map((day) => line(localDay(day.begin_local), day)).reverse();
  const shown = days.length < changed ? `, the last ${count(days.length)} of them` : "";
  return [
    windows.length ? table("Newest figures", windows) : null,
    changed
      ? h(
          "details",
          {},
          h("summary", {}, `${counted(changed, "day")} with other figures${shown}`),
          table("By day", byDay),
        )
      : h("p", { class: "note" }, "No past day changes."),
  ];
}

async function preview(body) {
  return previewed(await dialog.askPreview(pathOfView("/preview"), body));
}

// Opens the dialog; `read` gives the body of the preview.
export const openChange = (change) => dialog.openChange({ ...change, preview });
