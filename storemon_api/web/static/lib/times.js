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
const DAY = { year: "numeric", month: "short", day: "numeric" };

// How one zone writes instants: "Jan 25, 2023, 5:15 AM EST" in an American browser.
export function clockIn(timeZone) {
  const named = { ...DAY, timeZone, timeZoneName: "short" };
  const minutes = format({ ...named, ...MINUTES });
  const seconds = format({ ...named, ...SECONDS });
  return {
    at: (iso) => minutes.format(new Date(iso)),
    exactly: (iso) => seconds.format(new Date(iso)),
    range: (from, to) => minutes.formatRange(new Date(from), new Date(to)),
    exactRange: (from, to) => seconds.formatRange(new Date(from), new Date(to)),
  };
}

export const utc = clockIn("UTC");

// Local times without a zone, as the API writes the begin of a local day: read as if they were UTC.
const local = (options, text) =>
  format({ ...options, timeZone: "UTC" }).format(new Date(`${text.slice(0, 19)}Z`));
export const localDay = (text) => local({ weekday: "short", ...DAY }, text);
export const localDate = (text) => local({ month: "short", day: "numeric" }, text);
export const localTime = (text) => local({ ...DAY, ...MINUTES }, text);

// The time of day a number of minutes after midnight: "9:00 AM".
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

// The instant at which a zone's clock shows this local time, such as "2023-01-25T00:00:00".
export function instantOf(text, timeZone) {
  const wanted = Date.parse(`${text}Z`);
  const shown = (at) => Date.parse(`${wallClock(new Date(at), timeZone)}Z`);
  let at = wanted;
  // The second round is for an offset that changes between the first guess and the instant.
  for (let round = 0; round < 2; round += 1) at += wanted - shown(at);
  return new Date(at).toISOString();
}

export const nearDate = (date, days) =>
  new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);

// The date after this one, and the one before: "2023-03-01" is after "2023-02-28".
export const dayAfter = (date) => nearDate(date, 1);
export const dayBefore = (date) => nearDate(date, -1);

// How many days a date lies after another one.
export const daysBetween = (first, last) => (Date.parse(last) - Date.parse(first)) / 86_400_000;

export const zoneCity = (zone) => zone.split("/").pop().replaceAll("_", " ");
