// The corrections of a store: their list, entering one, and taking one back.

import { byId, deedButton, h, refill } from "../lib/elements.js";
import { instantOf, wallClock } from "../lib/times.js";
import { send } from "../lib/change.js";
import { openChange } from "./preview.js";
import { COUNTS_AS, page } from "./state.js";

// A page of a key that may not correct anything has no place for the button.
const canCorrect = byId("corrections-acts") !== null;

const WORDS = {
  up: "online",
  down: "offline",
  taken_out: "not at all, as if the store had been closed",
};

// What is not changed in a field keeps its exact instant, also where clocks go back.
function timeField(label, name, exact) {
  const value = exact ? wallClock(exact, page.store.timezone) : null;
  const field = h("input", {
    ...{ type: "datetime-local", name, step: "any", required: true },
    ...{ value, "data-exact": exact, "data-shown": value },
  });
  return h("label", {}, label, " ", field);
}

function readTime({ value, dataset }, message) {
  if (!value) throw new Error(message);
  if (dataset.exact && value === dataset.shown) return dataset.exact;
  return instantOf(value.length === 16 ? `${value}:00` : value, page.store.timezone);
}

function fields({ start, end }) {
  const kind = ([value, word]) =>
    h(
      "label",
      { class: "choice" },
      h("input", { type: "radio", name: "kind", value, checked: value === "up" }),
      word,
    );
  return [
    timeField("From", "from", start),
    timeField("Until", "until", end),
    h("p", { class: "note" }, `Local time of the store, ${page.store.timezone}.`),
    h(
      "fieldset",
      { class: "since" },
      h("legend", {}, "Count this time as"),
      Object.entries(WORDS).map(kind),
    ),
    h(
      "label",
      {},
      "Reason ",
      h("input", { type: "text", name: "reason", maxlength: 2000, required: true }),
    ),
    h("p", { class: "note" }, "The checks stay as they are. Your name is kept with the reason."),
  ];
}

function readCorrection({ from, until, kind }) {
  return {
    from_utc: readTime(from, "Choose when the time begins."),
    to_utc: readTime(until, "Choose when the time ends."),
    kind: kind.value,
  };
}

function enter(time, done) {
  const { elements } = byId("change").querySelector("form");
  openChange({
    title: "Correct a time",
    fields: fields(time),
    read: () => ({ correction: readCorrection(elements) }),
    save: ({ correction }) =>
      send("POST", "/corrections", {
        store_id: page.store.store_id,
        reason: elements.reason.value,
        ...correction,
      }),
    done,
  });
}

function takeBack({ correction_id: id }, done) {
  openChange({
    title: "Take this correction back",
    read: () => ({ cancelled_correction: id }),
    save: () => send("DELETE", `/corrections/${id}`),
    word: "Take back",
    done,
  });
}

const ENTER = "POST /corrections";

// What the row of an outage offers; null where nothing can be corrected.
export const correctButton = ({ start, end }, done) =>
  canCorrect
    ? h(
        "div",
        {},
        deedButton(ENTER, "This was not so", () => enter({ start, end }, done), { class: "link" }),
      )
    : null;

export function showCorrections(done) {
  const { corrections, clock } = page;
  const line = (one) => {
    const what = `${clock.exactRange(one.from_utc, one.to_utc)}: ${COUNTS_AS[one.kind]}`;
    const by = one.author ? `, entered by ${one.author}` : "";
    const deed = `DELETE /corrections/${one.correction_id}`;
    const back = canCorrect ? deedButton(deed, "Take back", () => takeBack(one, done)) : null;
    return h("li", {}, what, h("span", { class: "sub" }, ` · ${one.reason}${by} `), back);
  };
  const list = h("ul", { class: "plain" }, corrections.map(line));
  refill(byId("corrections"), ...(corrections.length ? [h("h3", {}, "Corrections"), list] : []));
  if (!canCorrect) return;
  const add = deedButton(ENTER, "Correct a time", () => enter({}, done));
  refill(byId("corrections-acts"), add);
}
