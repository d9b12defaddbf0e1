// What the reader has chosen on the page of reports, and the reports that were read.

import { ask } from "../lib/api.js";
import { byId, h } from "../lib/elements.js";

// `scope` is the group or region that totals and downloads are limited to.
export const state = { offset: 0, selected: [], reports: new Map(), scope: {} };

export const isAdvanced = () => byId("advanced").open;

export function addressOf(reportId, kind) {
  const query = new URLSearchParams(state.scope).toString();
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
