// The store's weekly opening hours and planned closures on file, and their changes.

import { withParameters } from "../lib/api.js";
import { byId, h, refill } from "../lib/elements.js";
import { closureTime } from "../lib/closure-fields.js";
import { downloads } from "../lib/tables.js";
import { nearDate } from "../lib/times.js";
import { canChange } from "../lib/change.js";
import { cancelButton, offerClosures } from "./change-closures.js";
import { offerHours } from "./change-hours.js";
import { showSpecialHours } from "./change-special-hours.js";
import { showChanges } from "./changes.js";
import { weekLines } from "./hours-text.js";
import { getView, page, pathOfView } from "./state.js";

export function showHours() {
  const { store } = page;
  if (!store.has_hours) {
    const why = store.hours_rejected
      ? "All opening hours were rejected"
      : "No opening hours on file";
    const text = `${why}; counted as open 24/7`;
    byId("hours").replaceChildren(h("p", { class: "empty" }, text));
    return;
  }
  byId("hours").replaceChildren(h("dl", { class: "week" }, weekLines(store.hours)));
}

export function showClosures(done) {
  // A closure of all stores is taken back by those who see all stores.
  const box = byId("closures");
  const canCancel = (one) => canChange && (one.store_id !== "*" || "all" in box.dataset);
  const line = (one) => {
    const more = [
      one.reason,
      one.store_id === "*" && "all stores",
      one.author && `entered by ${one.author}`,
    ].filter(Boolean);
    const sub = more.map((text) => ` · ${text}`).join("");
    const cancel = canCancel(one) ? cancelButton(one, done) : null;
    return h("li", {}, closureTime(one), h("span", { class: "sub" }, `${sub} `), cancel);
  };
  const { closures } = page;
  refill(
    box,
    h("h3", {}, "Planned closures"),
    closures.length
      ? h("ul", { class: "plain" }, closures.map(line))
      : h("p", { class: "empty" }, "None planned"),
  );
}

// The lists of the panel as files. Only those who may change something see who did.
function showFiles(from) {
  const id = page.store.store_id;
  const view = (name, own) => (form) => pathOfView(name, { ...own, ...form });
  const list = (path) => (form) => withParameters(path, { store_id: id, ...form });
  const files = [
    ["Hours now", view("", { table: "hours" })],
    ["All hours on file", view("/hours")],
    ["Special hours", view("/special-hours", { from })],
    ["Closures", list("/closures")],
    ["Corrections", list("/corrections")],
    ...(canChange ? [["Changes", view("/changes")]] : []),
  ];
  const line = ([word, pathOf]) => {
    const box = h("p", { class: "files" });
    downloads(box, pathOf, word);
    return box;
  };
  refill(byId("schedule-files"), files.map(line));
}

// Days before the newest poll whose special hours are shown, as many as in the list of days.
const DAYS_OF_DATES = 90;

// What can be changed; `done` is called after a change.
export async function showScheduleChanges(done) {
  const from = nearDate(page.store.as_of.slice(0, 10), -DAYS_OF_DATES);
  const [{ versions }, { special_hours: dates }, log] = await Promise.all([
    getView("/hours"),
    getView("/special-hours", { from }),
    canChange ? getView("/changes") : null,
  ]);
  offerHours(versions, done);
  showSpecialHours(dates, done);
  showFiles(from);
  if (!canChange) return;
  offerClosures(done);
  showChanges(log.changes);
}
