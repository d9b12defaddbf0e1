// The hours of single dates of a store: their list, entering and changing them, taking them back.

import { byId, deedButton, h, refill } from "../lib/elements.js";
import { localDay } from "../lib/times.js";
import { canChange, send } from "../lib/change.js";
import { hoursFields, readIntervals } from "./change-hours.js";
import { minutesOf, partsByDay } from "./hours-text.js";
import { openChange } from "./preview.js";
import { page, pathOfView } from "./state.js";

const MINUTES_OF_DAY = 24 * 60;
const NAME = "Hours on this date";

const parts = (one) =>
  one.hours.map(({ start_time_local: start, end_time_local: end }) => ({
    from: minutesOf(start),
    to: minutesOf(end),
  }));

// The weekly hours that start on the weekday of a date.
function weeklyParts(date) {
  if (!date || !page.store.has_hours) return [];
  const weekday = (new Date(`${date}T00:00:00Z`).getUTCDay() + 6) % 7;
  return partsByDay(page.store.hours).filter(({ day }) => day === weekday);
}

function fields(one) {
  const box = h("div", {}, hoursFields(NAME, null, one ? parts(one) : []));
  const date = h("input", { type: "date", name: "date", required: true, value: one?.date });
  const entered = () => JSON.stringify(readIntervals(box.querySelectorAll(".interval")));
  // What a new date begins with; hours that were changed stay.
  let suggested = entered();
  const suggest = () => {
    if (one || entered() !== suggested) return;
    refill(box, hoursFields(NAME, null, weeklyParts(date.value)));
    suggested = entered();
  };
  date.addEventListener("input", suggest);
  return [
    h("label", {}, "Date ", date),
    box,
    h("p", { class: "note" }, "Without hours the store is closed on this date."),
    h("p", { class: "note" }, "An end at or before the start is on the next day."),
    h("p", { class: "note" }, "They count for the whole date, also where it is past."),
  ];
}

function read(form) {
  const date = form.elements.date.value;
  if (!date) throw new Error("Choose the date.");
  return { date, hours: readIntervals(form.querySelectorAll(".interval")), valid_from: "always" };
}

function enter(one, done) {
  const form = byId("change").querySelector("form");
  openChange({
    title: "Special hours",
    fields: fields(one),
    read: () => ({ special_hours: read(form) }),
    save: ({ special_hours: hours }) => send("PUT", pathOfView("/special-hours"), hours),
    done,
  });
  form.elements.date.readOnly = Boolean(one);
}

function takeBack({ date }, done) {
  openChange({
    title: "Take these special hours back",
    read: () => ({ withdrawn_date: date }),
    save: () => send("DELETE", pathOfView("/special-hours", { date })),
    word: "Take back",
    done,
  });
}

const enterButton = (word, one, done) =>
  deedButton(`PUT ${pathOfView("/special-hours")}`, word, () => enter(one, done));

function backButton(one, done) {
  const deed = `DELETE ${pathOfView("/special-hours", { date: one.date })}`;
  return deedButton(deed, "Take back", () => takeBack(one, done));
}

function line(one, done) {
  const span = ({ start_time_local: start, end_time_local: end }) =>
    `${start.slice(0, 5)} – ${end.slice(0, 5)}`;
  // Fields of two times of day cannot hold more than a day.
  const isShort = parts(one).every(({ from, to }) => to - from <= MINUTES_OF_DAY);
  return h(
    "li",
    {},
    `${localDay(`${one.date}T00:00:00`)}: ${one.hours.map(span).join(", ") || "closed"} `,
    canChange && isShort ? enterButton("Change", one, done) : null,
    canChange ? [" ", backButton(one, done)] : null,
  );
}

export function showSpecialHours(dates, done) {
  const list = () =>
    h(
      "ul",
      { class: "plain" },
      dates.map((one) => line(one, done)),
    );
  refill(byId("special-hours"), ...(dates.length ? [h("h3", {}, "Special hours"), list()] : []));
  if (!canChange) return;
  refill(byId("special-hours-acts"), enterButton("Add special hours", null, done));
}
