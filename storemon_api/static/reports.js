// The page of reports: making one, and those that were made.
import { ask, count, dated, fillTable, get, h, live, pager, root, showAsOf, showProblem } from "./lib.js";

const state = { offset: 0, chosen: [] };
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
  document.getElementById("compare").replaceChildren(state.chosen.length === 2 ? h("button", { class: "small", type: "button", onclick: () => guard(showDifference) }, "Show the difference") : h("span", { class: "note" }, "tick two to compare them"));
}

async function showDifference() {
  const [to, from] = state.chosen;
  const answer = await get(`/reports/${to}/diff`, { against: from });
  document.getElementById("difference").hidden = false;
  document.getElementById("difference-body").replaceChildren(h("pre", { class: "raw" }, JSON.stringify(answer, null, 2)));
}

async function guard(work) { try { await work(); showProblem(null); } catch (error) { showProblem(error); } }

document.getElementById("make").addEventListener("submit", makeReport);
live(async () => {
  const [now] = await Promise.all([get("/fleet/now"), showReports()]);
  showAsOf(now.as_of);
  document.body.dataset.ready = "true";
});
