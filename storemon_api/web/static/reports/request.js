// Requesting a report, with its progress up to the download or to what went wrong.

import { count, counted } from "../lib/amounts.js";
import { ask, get } from "../lib/api.js";
import { byId, h } from "../lib/elements.js";
import { guard } from "../lib/live.js";
import { badge } from "../lib/stores.js";
import { utc } from "../lib/times.js";
import { NO_ROWS, downloadCsv } from "./state.js";

const POLL_MS = 400;
// A report takes seconds. What takes longer than this is left to the list below.
const PATIENCE_MS = 10 * 60_000;
// As much as the server allows, for clocks that differ.
const FUTURE_MS = 5 * 60_000;

const progress = byId("progress");

function show(...children) {
  progress.hidden = false;
  progress.replaceChildren(...children);
}

const showError = (text) => show(badge("down", "Failed"), h("span", {}, text));

function showComplete(report, seconds) {
  if (report.stores === 0) {
    const text = `Nothing was received in the 8 days up to ${utc.at(report.as_of)}`;
    show(badge("silent", NO_ROWS), h("span", {}, text));
    return;
  }
  const without = report.silent_stores ? `, ${count(report.silent_stores)} without data` : "";
  const stores = counted(report.stores, "store");
  const marked = report.stores_with_rejected_hours;
  const rejected = marked ? `, ${count(marked)} with rejected opening hours` : "";
  const text = `${stores} up to ${utc.at(report.as_of)}${without}${rejected}; ${seconds}`;
  const onclick = () => guard(() => downloadCsv(report.report_id));
  show(
    badge("up", "Complete"),
    h("span", {}, text),
    h("button", { class: "primary", type: "button", id: "download", onclick }, "Download CSV"),
  );
}

async function follow(id) {
  const began = performance.now();
  const seconds = () => `${Math.round((performance.now() - began) / 1000)} s`;
  const words = h("span", {}, "Running…");
  show(h("progress", { "aria-label": "Making the report" }), words);
  while (performance.now() - began < PATIENCE_MS) {
    const report = await get(`/get_report/${id}`);
    if (report.status === "Complete") return showComplete(report, seconds());
    if (report.status === "Failed") return showError(report.error);
    words.textContent = `Running, ${seconds()}`;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return showError("Still running after 10 minutes. The list below shows it when it is complete.");
}

// Settles always: what goes wrong is shown where the progress was.
export async function requestReport(event) {
  event.preventDefault();
  const form = event.target;
  const given = form.elements.as_of.value;
  if (given && Date.parse(`${given}Z`) > Date.now() + FUTURE_MS) {
    showError("Pick a time that is not in the future.");
    return;
  }
  const button = form.querySelector("button");
  button.disabled = true;
  show(h("progress", { "aria-label": "Making the report" }), h("span", {}, "Requesting…"));
  try {
    const answer = await ask("/trigger_report", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({
        ...(given && { as_of: `${given}Z` }),
        policy: form.elements.policy.value,
      }),
    });
    await follow((await answer.json()).report_id);
  } catch (error) {
    showError(error.status === undefined ? "The server cannot be reached." : error.message);
  } finally {
    button.disabled = false;
  }
}
