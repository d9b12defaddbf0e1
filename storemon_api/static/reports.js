// The page of reports: making one, and those that were made.
import { ask, count, dated, fillTable, get, h, live, pager, root, showAsOf, showProblem, storeLink } from "./lib.js";

const state = { offset: 0, chosen: [], reports: new Map() };
const progress = document.getElementById("progress");

async function download(reportId) {
  const answer = await ask(`/reports/${reportId}.csv`);
  const name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") || "")?.[1] || `${reportId}.csv`;
  const link = h("a", { href: URL.createObjectURL(await answer.blob()), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

async function makeReport(event) {
  event.preventDefault();
  const form = event.target, button = form.querySelector("button");
  const asOf = form.elements.as_of.value.trim();
  button.disabled = true;
  const began = performance.now();
  const seconds = () => `${Math.round((performance.now() - began) / 1000)} s`;
  progress.hidden = false;
  progress.replaceChildren(h("progress", { "aria-label": "The report is being made" }), h("span", {}, "asking"));
  try {
    const body = JSON.stringify({ ...(asOf && { as_of: asOf }), policy: form.elements.policy.value });
    const { report_id: id } = await (await ask("/trigger_report", { method: "POST", headers: { "Content-Type": "application/json" }, body })).json();
    for (;;) {
      const report = await get(`/get_report/${id}`);
      if (report.status === "Running") {
        progress.lastChild.textContent = `running, ${seconds()}`;
        await new Promise((resolve) => setTimeout(resolve, 400));
        continue;
      }
      if (report.status === "Complete") {
        progress.replaceChildren(h("strong", {}, "Complete"), h("span", {}, `${count(report.stores)} stores as of ${dated(report.as_of)} UTC, ${count(report.silent_stores)} silent; ${seconds()}`), h("button", { class: "primary", type: "button", id: "download", onclick: () => guard(() => download(id)) }, "Download CSV"));
      } else {
        progress.replaceChildren(h("strong", { class: "badge down" }, "Failed"), h("span", {}, report.error));
      }
      break;
    }
    showProblem(null);
  } catch (error) { progress.hidden = true; showProblem(error); }
  button.disabled = false;
  await guard(showReports);
}

async function showReports() {
  const page = await get("/reports", { limit: 25, offset: state.offset });
  for (const one of page.reports) state.reports.set(one.report_id, one);
  fillTable(document.getElementById("reports"), [
    { head: h("span", { class: "sr-only" }, "compare"), cell: (one) => one.status === "Complete" ? h("input", { type: "checkbox", "aria-label": `Compare the report of ${dated(one.requested_at)}`, checked: state.chosen.includes(one.report_id), onchange: (event) => choose(one.report_id, event.target.checked) }) : "" },
    { head: "asked for (UTC)", cell: (one) => dated(one.requested_at) },
    { head: "as of (UTC)", cell: (one) => (one.as_of ? dated(one.as_of) : "newest poll") },
    { head: "policy", cell: (one) => one.policy },
    { head: "status", cell: (one) => (one.status === "Failed" ? [h("span", { class: "badge down" }, "Failed"), h("div", { class: "sub" }, one.error)] : one.status) },
    { head: "stores", class: "number", cell: (one) => (one.stores === null ? "" : count(one.stores)) },
    { head: "silent", class: "number", cell: (one) => (one.silent_stores === null ? "" : count(one.silent_stores)) },
    { head: "took", class: "number", cell: (one) => (one.seconds === null ? "" : `${one.seconds.toFixed(1)} s`) },
    { head: "download", cell: (one) => one.status === "Complete" ? ["csv", "xlsx", "parquet", "json"].map((kind) => [h("a", { href: `${root}/reports/${one.report_id}.${kind}`, download: true, onclick: kind === "csv" ? (event) => { event.preventDefault(); guard(() => download(one.report_id)); } : null }, kind.toUpperCase()), " "]).flat() : "" },
  ], page.reports, "No report was asked for yet.");
  pager(document.getElementById("pager"), page, page.reports.length, (offset) => { state.offset = offset; guard(showReports); });
  showCompare();
}

function choose(id, isChosen) {
  state.chosen = isChosen ? [...state.chosen, id].slice(-2) : state.chosen.filter((one) => one !== id);
  guard(showReports);
}

function showCompare() {
  document.getElementById("compare").replaceChildren(state.chosen.length === 2 ? h("button", { class: "small", type: "button", onclick: () => guard(showDifference) }, "Show the difference") : h("span", { class: "note" }, "tick two of one as_of and policy to compare them"));
}

const FIGURES = { uptime_last_hour_minutes: "up, hour (min)", uptime_last_day_hours: "up, day (h)", uptime_last_week_hours: "up, week (h)", downtime_last_hour_minutes: "down, hour (min)", downtime_last_day_hours: "down, day (h)", downtime_last_week_hours: "down, week (h)" };

// The later request against the earlier one, whichever was ticked first.
async function showDifference() {
  const [first, second] = state.chosen.map((id) => state.reports.get(id));
  const [from, to] = first.requested_at < second.requested_at ? [first, second] : [second, first];
  const box = document.getElementById("difference");
  const answer = await get(`/reports/${to.report_id}/diff`, { against: from.report_id });
  const table = h("table", {}, h("thead", {}, h("tr")), h("tbody"));
  const signed = (value) => (value === undefined || value === 0 ? "" : `${value > 0 ? "+" : "−"}${Math.abs(value).toFixed(4)}`);
  fillTable(table, [
    { head: "store", class: "id", cell: (one) => storeLink(one.store_id) },
    { head: "", cell: (one) => (one.change === "changed" ? "" : one.change) },
    ...Object.entries(FIGURES).map(([name, word]) => ({ head: word, class: "number", cell: (one) => signed(one.difference?.[name]) })),
  ], answer.stores, "No store's figures differ.");
  document.getElementById("difference-body").replaceChildren(
    h("p", {}, `As of ${dated(answer.as_of)} UTC: ${count(answer.stores_changed)} stores changed, ${count(answer.stores_appeared)} appeared, ${count(answer.stores_vanished)} vanished.`),
    h("p", { class: "note" }, answer.inputs.length ? `Loaded in between: ${answer.inputs.map((load) => `${load.file_path || load.source}${load.rows_loaded === undefined ? "" : ` (${count(load.rows_loaded)} new, ${count(load.rows_replaced)} replaced)`}`).join(", ")}` : "Nothing was loaded in between."),
    h("div", { class: "scroll" }, table), answer.next_after ? h("p", { class: "note" }, `The first ${count(answer.stores.length)} of them.`) : "");
  box.hidden = false;
  box.scrollIntoView({ block: "nearest" });
}

async function guard(work) { try { await work(); showProblem(null); } catch (error) { showProblem(error); } }

document.getElementById("make").addEventListener("submit", makeReport);
live(async () => {
  const [now] = await Promise.all([get("/fleet/now"), showReports()]);
  showAsOf(now.as_of);
  document.body.dataset.ready = "true";
});
