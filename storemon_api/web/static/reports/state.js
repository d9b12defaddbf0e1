// What the reader has chosen on the page of reports, and the reports that were read.

import { addressedChoices } from "../lib/address.js";
import { ask } from "../lib/api.js";
import { byId, h } from "../lib/elements.js";

// `totals` is the report whose totals are shown, by `split`. Totals and downloads are limited to
// `group` or `region`.
const choices = addressedChoices({ offset: 0, totals: "", split: "group", group: "", region: "" });
export const { choose, whenChanged } = choices;
export const state = Object.assign(choices.state, { selected: [], reports: new Map() });

// The group or region as parameters of the API.
export function scope() {
  if (state.group) return { group: state.group };
  return state.region ? { region: state.region } : {};
}

export const isAdvanced = () => byId("advanced").open;

export function addressOf(reportId, kind) {
  const query = new URLSearchParams(scope()).toString();
  return `/reports/${reportId}.${kind}${query && `?${query}`}`;
}

export async function downloadCsv(reportId) {
  const answer = await ask(addressOf(reportId, "csv"));
  const disposition = answer.headers.get("Content-Disposition") || "";
  const name = /filename="([^"]+)"/.exec(disposition)?.[1] || `${reportId}.csv`;
  const link = h("a", { href: URL.createObjectURL(await answer.blob()), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

export const POLICIES = { nearest: "nearest check", previous: "previous check" };
export const NO_ROWS = "No data for that time";
