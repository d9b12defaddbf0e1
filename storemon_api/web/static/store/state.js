// The store that the page is about, and how its times are written.

import { addressedChoices } from "../lib/address.js";
import { get } from "../lib/api.js";
import { getStore, pathOf } from "../lib/store-addresses.js";
import { WINDOWS } from "../lib/stores.js";
import { clockIn } from "../lib/times.js";

// Encoded, because HTML changes some line breaks.
const storeId = decodeURIComponent(document.body.dataset.store);

// The JSON of a view of the store, such as "/timeline".
export const getView = (view, parameters) => getStore(storeId, view, parameters);

export const pathOfView = (view, parameters) => pathOf(storeId, view, parameters);

// How many days the timeline can show.
export const SPANS = [3, 7, 14, 31];

// The periods of an objective, on the store's calendar.
export const PERIODS = { month: "This month", week: "This week" };

// `window` is the one that is explained, `days` the length of the timeline, `outages` the number of
// outages before the first that is listed. `objective` is a percentage of a `period`, or empty.
const choices = addressedChoices(
  { window: "day", days: 7, outages: 0, objective: "", period: "month" },
  { allowed: { window: Object.keys(WINDOWS), days: SPANS, period: Object.keys(PERIODS) } },
);
export const { choose, whenChanged } = choices;

// `clock` writes instants in the store's zone.
export const page = Object.assign(choices.state, {
  store: null,
  closures: [],
  corrections: [],
  clock: null,
});

export async function readStore() {
  const [store, { closures }, { corrections }] = await Promise.all([
    getStore(storeId),
    get("/closures", { store_id: storeId }),
    get("/corrections", { store_id: storeId, limit: 1000 }),
  ]);
  Object.assign(page, { store, closures, corrections, clock: clockIn(store.timezone) });
}

// What the time of a correction counts as.
export const COUNTS_AS = { taken_out: "taken out", up: "online", down: "offline" };

export const KINDS = {
  up: "online",
  down: "offline",
  unknown: "no data",
  closed: "closed",
  closure: "planned closure",
};

// What a stretch of time counts as; what is estimated between checks is only probable.
export function kindName({ kind, is_certain: isCertain }) {
  const isProbable = ["up", "down"].includes(kind) && !isCertain;
  return isProbable ? `probably ${KINDS[kind]}` : KINDS[kind];
}
