// The store that the page is about, and how its times are written.

import { get } from "../lib/api.js";
import { clockIn } from "../lib/times.js";

const storeId = document.body.dataset.store;

export const base = `/stores/${encodeURIComponent(storeId)}`;

// `clock` writes instants in the store's zone.
export const page = { store: null, closures: [], clock: null, window: "day", days: 7, outages: 0 };

export async function readStore() {
  const [store, { closures }] = await Promise.all([
    get(base),
    get("/closures", { store_id: storeId }),
  ]);
  Object.assign(page, { store, closures, clock: clockIn(store.timezone) });
}

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
