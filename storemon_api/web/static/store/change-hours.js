// Entering the weekly opening hours of a store, and taking back those that were entered before.

import { byId, deedButton, h, refill } from "../lib/elements.js";
import { WEEKDAYS, instantOf } from "../lib/times.js";
import { canChange, forgetPreview, send } from "../lib/change.js";
import { openChange } from "./preview.js";
import { partsByDay, weekLines } from "./hours-text.js";
import { page, pathOfView } from "./state.js";

// "09:00", as a field of a time takes it; midnight at the end of a day is "00:00".
function clockText(minutes) {
  const [hour, minute] = [Math.floor(minutes / 60) % 24, minutes % 60];
  return [hour, minute].map((part) => String(part).padStart(2, "0")).join(":");
}

const time = (name, value) =>
  h("input", { type: "time", class: name, "aria-label": name, value, required: true });

function interval(from, to) {
  const row = h("div", { class: "interval" });
  const remove = () => {
    row.closest(".weekday").querySelector(".add").focus();
    forgetPreview();
    row.remove();
  };
  row.append(
    time("from", from),
    " – ",
    time("to", to),
    h("button", { type: "button", class: "small", "aria-label": "Remove", onclick: remove }, "×"),
  );
  return row;
}

// A list of hours that can be changed; `day` is the number of the weekday, where it has one.
export function hoursFields(name, day, parts) {
  const rows = h(
    "div",
    {},
    parts.map(({ from, to }) => interval(clockText(from), clockText(to))),
  );
  const add = () => {
    const row = interval("09:00", "17:00");
    rows.append(row);
    row.querySelector("input").focus();
    forgetPreview();
  };
  const button = h("button", { type: "button", class: "small add", onclick: add }, "Add hours");
  return h("fieldset", { class: "weekday", "data-day": day }, h("legend", {}, name), rows, button);
}

// From when the hours hold. `began` is the start of those on file, as the API takes it.
function validity(began) {
  const choice = (value, ...label) =>
    h(
      "label",
      { class: "choice" },
      h("input", { type: "radio", name: "since", value, checked: value === "now" }),
      label,
    );
  return h(
    "fieldset",
    { class: "since" },
    h("legend", {}, "They hold"),
    choice("now", "from now on"),
    choice("day", "from this day on ", h("input", { type: "date", name: "day" })),
    choice("began", began === "always" ? "always: they were wrong before" : "as long as those now"),
  );
}

export const readIntervals = (rows) =>
  [...rows].map((row) => ({
    start_time_local: row.querySelector(".from").value,
    end_time_local: row.querySelector(".to").value,
  }));

function readHours(form, began) {
  const since = form.elements.since.value;
  const day = form.elements.day.value;
  if (since === "day" && !day) throw new Error("Choose the day from which these hours hold.");
  const rows = [...form.querySelectorAll(".interval")];
  const hours = readIntervals(rows).map((times, place) => ({
    day_of_week: Number(rows[place].closest(".weekday").dataset.day),
    ...times,
  }));
  if (!hours.length) {
    throw new Error("Add hours for one day at least. To close the store, add a closure.");
  }
  const from = { now: "", began, day: day && instantOf(`${day}T00:00:00`, page.store.timezone) };
  return { hours, valid_from: from[since] };
}

// Gives all days the hours of the first one.
function copyToAll() {
  const [first, ...others] = byId("change-fields").querySelectorAll(".weekday > div");
  for (const box of others) {
    const rows = [...first.children].map((row) =>
      interval(row.querySelector(".from").value, row.querySelector(".to").value),
    );
    refill(box, rows);
  }
  forgetPreview();
}

const validFrom = ({ valid_from: at }) => (at === null ? "always" : at);

// The version that is in force at the newest poll.
function current(versions) {
  const started = versions.filter(({ valid_from: at }) => at === null || at <= page.store.as_of);
  const latest = (one) => one.valid_from ?? "";
  return started.reduce((best, one) => (best && latest(best) >= latest(one) ? best : one), null);
}

function editHours(versions, done) {
  const parts = page.store.has_hours ? partsByDay(page.store.hours) : [];
  const inForce = current(versions);
  const began = inForce ? validFrom(inForce) : "always";
  const form = () => byId("change").querySelector("form");
  openChange({
    title: "Opening hours",
    fields: [
      WEEKDAYS.map((name, day) =>
        hoursFields(
          name,
          day,
          parts.filter((part) => part.day === day),
        ),
      ),
      h(
        "button",
        { type: "button", class: "small", onclick: copyToAll },
        `${WEEKDAYS[0]}'s hours on every day`,
      ),
      h("p", { class: "note" }, "An end at or before the start is on the next day."),
      validity(began),
    ],
    read: () => ({ hours: readHours(form(), began) }),
    save: ({ hours }) => send("PUT", pathOfView("/hours"), hours),
    done,
  });
}

function takeBack({ load_id: load }, done) {
  openChange({
    title: "Take these opening hours back",
    read: () => ({ withdrawn_load: load }),
    save: () => send("DELETE", pathOfView("/hours", { load_id: load })),
    word: "Take back",
    done,
  });
}

function versionLine(version, done) {
  const { clock } = page;
  const since = version.valid_from ? `from ${clock.at(version.valid_from)} on` : "always";
  const origin = version.is_pushed ? "entered" : "from a file,";
  const deed = `DELETE ${pathOfView("/hours", { load_id: version.load_id })}`;
  const back = deedButton(deed, "Take back", () => takeBack(version, done));
  return h(
    "li",
    {},
    h("strong", {}, since),
    h("span", { class: "sub" }, ` · ${origin} ${clock.at(version.loaded_at)} `),
    canChange && version.is_pushed ? back : null,
    h("dl", { class: "week" }, weekLines(version.hours)),
  );
}

export function offerHours(versions, done) {
  refill(
    byId("hours-versions"),
    versions.length
      ? h(
          "ul",
          { class: "plain versions" },
          versions.map((one) => versionLine(one, done)),
        )
      : null,
  );
  byId("hours-history").hidden = versions.length < 2 && !versions.some((one) => one.is_pushed);
  if (!canChange) return;
  const edit = () => editHours(versions, done);
  const change = deedButton(`PUT ${pathOfView("/hours")}`, "Change opening hours", edit);
  refill(byId("hours-acts"), change);
}
