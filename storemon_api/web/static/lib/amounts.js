// Writing numbers, percentages and lengths of time. Amounts of time are microseconds.

export const MINUTE = 60e6;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

// From this many hours on minutes are noise.
const WHOLE_HOURS = 100;

const whole = new Intl.NumberFormat();
const twoDecimals = new Intl.NumberFormat([], {
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
});

const oneDecimal = new Intl.NumberFormat([], {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

export const NO_FIGURE = "–";

export const count = (value) => whole.format(value);

// "1 store", "1,312 stores".
export function counted(value, one, many = `${one}s`) {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function percent(value) {
  return value === null || value === undefined ? NO_FIGURE : `${twoDecimals.format(value)} %`;
}

// A share in per cent, rounded down: 99.996 % is not 100 %.
export function share(part, of) {
  return of ? Math.floor((1e4 * part) / of) / 100 : null;
}

export const floorPercent = (part, of) => `${count(Math.floor((100 * part) / of))} %`;
export const ceilPercent = (part, of) => `${count(Math.ceil((100 * part) / of))} %`;

// Between which whole percents the uptime lies by the checks alone.
export function boundsOf(figures) {
  const low = floorPercent(figures.lowest_uptime_us, figures.business_us);
  const high = ceilPercent(figures.highest_uptime_us, figures.business_us);
  return low === high ? low : `${low} to ${high}`;
}

const tenth = (value) => (value === 1000 ? count(100) : oneDecimal.format(value / 10));

// The range that holds the true uptime nine times in ten, rounded outward: "likely 94.9 to 96.6".
// Null where there is none.
export function likelyRange(figures) {
  const { likely_lowest_uptime_us: lowest, likely_highest_uptime_us: highest } = figures;
  const open = figures.business_us - (figures.unknown_us ?? 0);
  if (lowest === null || lowest === undefined || !open) return null;
  const low = tenth(Math.floor((1000 * lowest) / open));
  const high = tenth(Math.ceil((1000 * highest) / open));
  return low === high ? `likely ${low}` : `likely ${low} to ${high}`;
}

// A length of time, rounded down: "45 s", "32 min", "4 h 32 min", "1,312 h".
export function duration(amount) {
  if (amount < MINUTE) return `${Math.floor(amount / 1e6)} s`;
  const hours = Math.floor(amount / HOUR);
  const minutes = hours < WHOLE_HOURS ? Math.floor((amount % HOUR) / MINUTE) : 0;
  return [hours && `${count(hours)} h`, minutes && `${minutes} min`].filter(Boolean).join(" ");
}

// The same to the second, for amounts that a reader may add up: "8 h 46 min 37 s".
export function exactDuration(amount) {
  const seconds = Math.floor(amount / 1e6);
  const parts = [
    [Math.floor(seconds / 3600), "h"],
    [Math.floor((seconds % 3600) / 60), "min"],
    [seconds % 60, "s"],
  ];
  const written = parts
    .filter(([value]) => value)
    .map(([value, unit]) => `${count(value)} ${unit}`);
  return written.join(" ") || "0 s";
}

// An amount of money in the form of its currency: "$1,312.40".
export const money = (value, currency) =>
  new Intl.NumberFormat([], { style: "currency", currency }).format(value);

// Sales lost in each currency: "$1,312.40 + €20.00".
export const salesLost = (sales) => sales.map((one) => money(one.lost, one.currency)).join(" + ");

// "range $20.00 to $80.00"; null where it is unknown.
export function salesRange({ currency, lowest, highest }) {
  if (lowest === null || highest === null) return null;
  return `range ${money(lowest, currency)} to ${money(highest, currency)}`;
}

// How old something is. Days of 24 hours and years of 365 days: no opening hours are counted here.
export function age(amount) {
  const days = Math.floor(amount / DAY);
  if (days >= 730) return `${Math.floor(days / 365)} years`;
  return days >= 2 ? `${count(days)} days` : duration(amount);
}
