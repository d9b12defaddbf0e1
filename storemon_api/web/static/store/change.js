// The dialog of a change to hours, closures or corrections: its fields, what it changes in past
// figures, saving.

import { count, counted, duration, percent } from "../lib/amounts.js";
import { ask } from "../lib/api.js";
import { byId, h, refill } from "../lib/elements.js";
import { newestOnly } from "../lib/newest.js";
import { WINDOWS } from "../lib/stores.js";
import { localDay } from "../lib/times.js";
import { pathOfView } from "./state.js";

// A page of a key that may not change anything has no dialog.
const dialog = byId("change");

export const canChange = dialog !== null;

export const send = (method, path, body) =>
  ask(path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });

// What is open: `read` gives the body of the preview, `save` makes the change of such a body.
let open = null;

function showProblem(text) {
  const box = byId("change-problem");
  box.hidden = !text;
  box.textContent = text;
}

async function attempt(work) {
  try {
    showProblem("");
    await work();
  } catch (error) {
    showProblem(error.message);
  }
}

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

// A preview of other values than those in the fields would mislead.
export const forgetPreview = () => refill(byId("change-preview"));

const showPreview = newestOnly(async (newest) => {
  const answer = await newest(send("POST", pathOfView("/preview"), open.read()));
  const box = byId("change-preview");
  refill(box, previewed(await newest(answer.json())));
  box.scrollIntoView({ block: "nearest" });
});

// `fields` are shown above the preview. Without fields the preview is shown at once.
export function openChange({ title, fields = null, read, save, word = "Save", done }) {
  open = { read, save, done };
  byId("change-title").textContent = title;
  byId("change-save").textContent = word;
  byId("change-show").hidden = fields === null;
  refill(byId("change-fields"), fields);
  refill(byId("change-preview"));
  showProblem("");
  dialog.showModal();
  if (fields === null) attempt(showPreview);
}

if (canChange) {
  byId("change-show").addEventListener("click", () => attempt(showPreview));
  byId("change-close").addEventListener("click", () => dialog.close());
  byId("change-fields").addEventListener("input", forgetPreview);
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const button = byId("change-save");
    button.disabled = true;
    attempt(async () => {
      await open.save(open.read());
      dialog.close();
      await open.done();
    }).finally(() => {
      button.disabled = false;
    });
  });
}
