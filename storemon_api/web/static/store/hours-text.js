// Weekly opening hours by weekday, and in words.

import { h } from "../lib/elements.js";
import { WEEKDAYS, timeOfDay } from "../lib/times.js";

const MINUTES_OF_DAY = 24 * 60;

export function minutesOf(clock) {
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

// `day` is the weekday's number, `from` and `to` are minutes after its midnight.
export const partsByDay = (hours) => hours.flatMap(byDay);

function written({ from, to }) {
  if (to - from === MINUTES_OF_DAY) return "open 24 hours";
  return `${timeOfDay(from)} – ${timeOfDay(to % MINUTES_OF_DAY)}`;
}

// Terms and texts of a list, one for each weekday.
export function weekLines(hours) {
  const parts = partsByDay(hours);
  return WEEKDAYS.map((name, number) => {
    const own = parts.filter(({ day }) => day === number).map(written);
    return [h("dt", {}, name), h("dd", {}, own.join(", ") || "closed")];
  });
}
