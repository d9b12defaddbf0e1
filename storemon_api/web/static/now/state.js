// What the reader has chosen on the page of all stores. It is kept in the page's address.

import { get } from "../lib/api.js";

export const FILTERS = ["group", "region", "timezone"];

const address = new URLSearchParams(location.search);
const given = (name) => address.get(name) || "";

export const state = {
  standing: address.getAll("standing"),
  q: given("q"),
  group: given("group"),
  region: given("region"),
  timezone: given("timezone"),
  sort: given("sort"),
  order: given("order"),
  offset: Number(given("offset")),
  split: "",
};
if (!address.toString()) state.standing = ["down"];

// The answers for all stores, and for those that group, region and time zone leave.
export const fleet = { all: null, chosen: null };

export const filters = () => Object.fromEntries(FILTERS.map((name) => [name, state[name]]));

export async function readFleet(isNewer) {
  const isFiltered = FILTERS.some((name) => state[name]);
  const [all, chosen] = await Promise.all([
    fleet.all && !isNewer ? fleet.all : get("/fleet/now"),
    isFiltered ? get("/fleet/now", filters()) : null,
  ]);
  fleet.all = all;
  fleet.chosen = chosen ?? all;
}

export function remember() {
  const query = new URLSearchParams();
  for (const one of state.standing) query.append("standing", one);
  for (const name of ["q", ...FILTERS, "sort", "order"]) {
    if (state[name]) query.set(name, state[name]);
  }
  if (state.offset) query.set("offset", state.offset);
  history.replaceState(null, "", query.toString() ? `?${query}` : "?standing=");
}

let onChange = null;

// The page's script says what happens when something else is chosen.
export function whenChanged(work) {
  onChange = work;
}

export function choose(values) {
  Object.assign(state, { offset: 0 }, values);
  remember();
  onChange();
}
