// The store's weekly opening hours and planned closures, as they are on file.

import { byId, h } from "../lib/elements.js";
import { WEEKDAYS, localTime, timeOfDay } from "../lib/times.js";
import { page } from "./state.js";

const MINUTES_OF_DAY = 24 * 60;

function minutesOf(clock) {
  const [hours, minutes] = clock.split(":").map(Number);
  return hours * 60 + minutes;
}

// The parts of an interval by weekday. It may end after midnight, and even days later.
function byDay({ day_of_week: day, start, end }) {
  const from = minutesOf(start);
  const to = minutesOf(end);
  if (to - from < MINUTES_OF_DAY) return [{ day, from, to }];
  const parts = [];
  for (let later = 0; later * MINUTES_OF_DAY < to; later += 1) {
    const midnight = later * MINUTES_OF_DAY;
    parts.push({
      day: (day + later) % 7,
      from: Math.max(from - midnight, 0),
      to: Math.min(to - midnight, MINUTES_OF_DAY),
    });
  }
  return parts;
}

function written({ from, to }) {
  if (to - from === MINUTES_OF_DAY) return "open 24 hours";
  return `${timeOfDay(from)} – ${timeOfDay(to % MINUTES_OF_DAY)}`;
}

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
  const parts = store.hours.flatMap(byDay);
  const line = (name, number) => {
    const own = parts.filter(({ day }) => day === number).map(written);
    return [h("dt", {}, name), h("dd", {}, own.join(", ") || "closed")];
  };
  byId("hours").replaceChildren(h("dl", { class: "week" }, WEEKDAYS.map(line)));
}

export function showClosures() {
  const line = (one) => {
    const start = localTime(one.start_local);
    const time = one.end_local
      ? `${start} – ${localTime(one.end_local)}`
      : `${start} until further notice`;
    const more = [one.reason, one.store_id === "*" && "all stores"].filter(Boolean);
    const sub = more.map((text) => ` · ${text}`).join("");
    return h("li", {}, time, h("span", { class: "sub" }, sub));
  };
  const { closures } = page;
  const list = closures.length
    ? h("ul", { class: "plain" }, closures.map(line))
    : h("p", { class: "empty" }, "None planned");
  byId("closures").replaceChildren(h("h3", {}, "Planned closures"), list);
}
