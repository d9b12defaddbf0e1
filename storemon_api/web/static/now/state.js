// What the reader has chosen on the page of all stores, and the answers for it.

import { addressedChoices } from "../lib/address.js";
import { get } from "../lib/api.js";

export const FILTERS = ["group", "region", "timezone"];

// Without any choice the page shows the stores that are offline.
if (!location.search) history.replaceState(null, "", "?standing=down");

const choices = addressedChoices(
  {
    standing: [],
    q: "",
    group: "",
    region: "",
    timezone: "",
    sort: "",
    order: "",
    offset: 0,
    split: "",
    worst: "hours",
    never: "",
    chosen: [],
    month: "",
  },
  { blank: "standing=", allowed: { worst: ["hours", "share"], never: ["", "true"] } },
);
export const { state, whenChanged } = choices;

// The answers for all stores, and for those that group, region and time zone leave.
export const fleet = { all: null, chosen: null };

export const filters = () => Object.fromEntries(FILTERS.map((name) => [name, state[name]]));

export async function readFleet(isNewer) {
  const isFiltered = FILTERS.some((name) => state[name]);
  const [all, chosen] = await Promise.all([
    fleet.all && !isNewer ? fleet.all : get("/fleet/now"),
    isFiltered ? get("/fleet/now", filters()) : null,
  ]);
  return { all, chosen: chosen ?? all };
}

// Another choice begins at the first page of the list, unless it is another page.
export function choose(values, options) {
  choices.choose({ offset: 0, ...values }, options);
}
