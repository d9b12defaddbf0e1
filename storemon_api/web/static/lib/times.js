// Writing instants and local times in the browser's own manner. Every instant names its zone.

// Microseconds since 1970.
export const us = (iso) => Date.parse(iso) * 1000;

const formats = new Map();

function format(options) {
  const name = JSON.stringify(options);
  if (!formats.has(name)) formats.set(name, new Intl.DateTimeFormat([], options));
  return formats.get(name);
}

const MINUTES = { hour: "numeric", minute: "2-digit" };
const SECONDS = { ...MINUTES, second: "2-digit" };
const DAY_AND_YEAR = { year: "numeric", month: "short", day: "numeric" };
const WEEKDAY_AND_DAY = { weekday: "short", month: "short", day: "numeric" };

// How one zone writes instants: in this year with the weekday, else with the year.
export function clockIn(timeZone) {
  const yearOf = (time) => format({ year: "numeric", timeZone }).format(time);
  const day = (iso) =>
    yearOf(new Date(iso)) === yearOf(Date.now()) ? WEEKDAY_AND_DAY : DAY_AND_YEAR;
  const named = { timeZone, timeZoneName: "short" };
  return {
    at: (iso) => format({ ...day(iso), ...MINUTES, ...named }).format(new Date(iso)),
    exactly: (iso) => format({ ...day(iso), ...SECONDS, ...named }).format(new Date(iso)),
    range: (from, to) =>
      format({ ...day(from), ...MINUTES, ...named }).formatRange(new Date(from), new Date(to)),
    exactRange: (from, to) =>
      format({ ...day(from), ...SECONDS, ...named }).formatRange(new Date(from), new Date(to)),
  };
}

export const utc = clockIn("UTC");

// Local times without a zone, as the API writes the begin of a local day: read as if they were UTC.
const local = (options, text) =>
  format({ ...options, timeZone: "UTC" }).format(new Date(`${text.slice(0, 19)}Z`));
export const localDay = (text) => local({ weekday: "short", ...DAY_AND_YEAR }, text);
export const localDate = (text) => local({ month: "short", day: "numeric" }, text);
export const localTime = (text) => local({ ...DAY_AND_YEAR, ...MINUTES }, text);

// The time of day that is so many minutes after midnight: "9:00 AM".
export function timeOfDay(minutes) {
  return format({ ...MINUTES, timeZone: "UTC" }).format(new Date(minutes * 60_000));
}

// A full hour on an axis: "9 AM".
export function hourOfDay(hour) {
  return format({ hour: "numeric", timeZone: "UTC" }).format(new Date(hour * 3_600_000));
}

// Monday to Sunday. 1 January 2024 was a Monday.
export const WEEKDAYS = Array.from({ length: 7 }, (_, number) =>
  format({ weekday: "short", timeZone: "UTC" }).format(new Date(Date.UTC(2024, 0, number + 1))),
);

// The wall clock of an instant, as `start_local` of a closure is written.
export function wallClock(iso, timeZone) {
  const options = { timeZone, dateStyle: "short", timeStyle: "medium" };
  return new Intl.DateTimeFormat("sv-SE", options).format(new Date(iso)).replace(" ", "T");
}

export const zoneCity = (zone) => zone.split("/").pop().replaceAll("_", " ");
