// The page of reports: making one, and those that were made.
import { ask, count, dated, fillTable, get, h, live, pager, percent, root, segmented, showAsOf, showProblem, span, storeLink } from "./lib.js";

const WINDOWS = { hour: "hour", day: "24 hours", week: "7 days" };
const state = { offset: 0, chosen: [], reports: new Map(), whose: {}, totalsOf: null, split: "group", stores: new Map() };
const progress = document.getElementById("progress");

function addressOf(reportId, kind) {
  const query = new URLSearchParams(state.whose).toString();
  return `/reports/${reportId}.${kind}${query && `?${query}`}`;
}

async function download(reportId) {
  const answer = await ask(addressOf(reportId, "csv"));
  const name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") || "")?.[1] || `${reportId}.csv`;
  const link = h("a", { href: URL.createObjectURL(await answer.blob()), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

async function makeReport(event) {
  event.preventDefault();
  const form = event.target, button = form.querySelector("button");
  const asOf = form.elements.as_of.value && `${form.elements.as_of.value}Z`;
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
        progress.replaceChildren(h("strong", { class: "badge down" }, "Failed"), h("span", {}, report.error ?? ""));
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
    { head: h("span", { class: "sr-only" }, "compare"), label: "compare", cell: (one) => one.status === "Complete" ? h("input", { type: "checkbox", "aria-label": `Compare the report of ${moment(one.requested_at)}`, checked: state.chosen.includes(one.report_id), disabled: !isComparable(one), onchange: (event) => choose(one.report_id, event.target.checked) }) : "" },
    { head: "asked for (UTC)", cell: (one) => moment(one.requested_at) },
    { head: "as of (UTC)", cell: (one) => (one.as_of ? dated(one.as_of) : "newest poll") },
    { head: "between polls", cell: (one) => `${one.policy} poll` },
    { head: "status", cell: (one) => (one.status === "Failed" ? [h("span", { class: "badge down" }, "Failed"), h("div", { class: "sub" }, one.error)] : one.status) },
    { head: "stores", class: "number", cell: (one) => (one.stores === null ? "" : count(one.stores)) },
    { head: "silent", class: "number", cell: (one) => (one.silent_stores === null ? "" : count(one.silent_stores)) },
    { head: "took", class: "number", cell: (one) => (one.seconds === null ? "" : `${one.seconds.toFixed(1)} s`) },
    { head: "totals", cell: (one) => one.status === "Complete" ? h("button", { type: "button", class: "link", "aria-label": `Totals of the report of ${moment(one.requested_at)}`, onclick: () => { state.totalsOf = one.report_id; guard(async () => { await showTotals(); reveal("totals"); }); } }, "show") : "" },
    { head: "download", class: "downloads", cell: (one) => one.status === "Complete" ? ["csv", "xlsx", "parquet", "json"].map((kind) => [h("a", { href: root + addressOf(one.report_id, kind), download: true, onclick: kind === "csv" ? (event) => { event.preventDefault(); guard(() => download(one.report_id)); } : null }, kind.toUpperCase()), " "]).flat() : "" },
  ], page.reports, "No report was asked for yet.");
  pager(document.getElementById("pager"), page, page.reports.length, (offset) => { state.offset = offset; guard(showReports); });
  showCompare();
  clearTimeout(waiting);
  if (page.reports.some((one) => one.status === "Running")) waiting = setTimeout(() => guard(showReports), 2000);
}
let waiting;

function moment(iso) { return `${dated(iso)}:${iso.slice(17, 19)}`; }

function reveal(id) {
  const box = document.getElementById(id);
  box.focus({ preventScroll: true });
  box.scrollIntoView({ block: "nearest" });
}

function isComparable(one) {
  const other = state.chosen.map((id) => state.reports.get(id)).find((chosen) => chosen.report_id !== one.report_id);
  return !other || state.chosen.includes(one.report_id) || (state.chosen.length < 2 && other.as_of === one.as_of && other.policy === one.policy);
}

function choose(id, isChosen) {
  state.chosen = isChosen ? [...state.chosen, id].slice(-2) : state.chosen.filter((one) => one !== id);
  guard(showReports);
}

function showCompare() {
  document.getElementById("compare").replaceChildren(state.chosen.length === 2 ? h("button", { class: "small", type: "button", onclick: () => guard(async () => { await showDifference(); reveal("difference"); }) }, "Show the difference") : h("span", { class: "note" }, state.chosen.length ? "tick a second report on the same instant" : "tick two reports on the same instant to compare them"));
}

// Groups and regions of now, for totals and downloads.
function showWhose(now) {
  const field = document.getElementById("whose"), known = field.value;
  const options = (word, kind, totals) => { const named = totals.filter((total) => total.name !== null); return named.length ? h("optgroup", { label: word }, ...named.map((total) => h("option", { value: JSON.stringify({ [kind]: total.name }) }, total.name))) : null; };
  field.replaceChildren(...[h("option", { value: "{}" }, "all stores"), options("Groups", "group", now.groups), options("Regions", "region", now.regions)].filter(Boolean));
  if (known) field.value = known;
  document.getElementById("whose-label").hidden = field.options.length < 2;
}

async function showTotals() {
  const one = state.reports.get(state.totalsOf);
  segmented(document.getElementById("totals-splits"), [["", "all together"], ["group", "group"], ["region", "region"]], state.split, (split) => { state.split = split; guard(showTotals); });
  const answer = await get(`/reports/${state.totalsOf}/totals`, { split: state.split, ...state.whose });
  const whose = Object.values(state.whose)[0];
  document.getElementById("totals-note").textContent = `As of ${dated(answer.as_of)} UTC, ${answer.policy} poll, asked for ${moment(one.requested_at)}${whose ? `, ${whose} only` : ""}. Time is summed over the stores of the report, then divided.`;
  const figure = (window) => (total) => { const of = total.windows[window]; return [percent(of.uptime_percent), h("div", { class: "sub" }, `down ${span(of.downtime_us)} of ${span(of.business_us)}`)]; };
  fillTable(document.getElementById("totals-table"), [
    { head: state.split || "stores", class: "id", label: "", cell: (total) => total.name ?? (state.split ? `without ${state.split}` : whose || "all") },
    { head: "stores in the report", class: "number", cell: (total) => count(total.stores) },
    ...Object.entries(WINDOWS).map(([window, word]) => ({ head: `up, ${word}`, class: "number", cell: figure(window) })),
  ], answer.totals, "No store of the report belongs here.");
  document.getElementById("totals").hidden = false;
}

const FIGURES = { uptime_last_hour_minutes: "up, hour (min)", uptime_last_day_hours: "up, day (h)", uptime_last_week_hours: "up, week (h)", downtime_last_hour_minutes: "down, hour (min)", downtime_last_day_hours: "down, day (h)", downtime_last_week_hours: "down, week (h)" };

// The later request against the earlier one, whichever was ticked first.
async function showDifference() {
  const [first, second] = state.chosen.map((id) => state.reports.get(id));
  const [from, to] = first.requested_at < second.requested_at ? [first, second] : [second, first];
  const box = document.getElementById("difference");
  const answer = await get(`/reports/${to.report_id}/diff`, { against: from.report_id });
  const names = await namesOf(answer.stores.map((one) => one.store_id));
  const table = h("table", { class: "cards" }, h("thead", {}, h("tr")), h("tbody"));
  const signed = (value) => (value === undefined || value === 0 ? "" : `${value > 0 ? "+" : "−"}${Math.abs(value).toFixed(4)}`);
  fillTable(table, [
    { head: "store", class: "id", label: "", cell: (one) => storeLink(one.store_id, names.get(one.store_id)) },
    { head: "change", cell: (one) => one.change },
    ...Object.entries(FIGURES).map(([name, word]) => ({ head: word, class: "number", cell: (one) => signed(one.difference?.[name]) })),
  ], answer.stores, "No store's figures differ.");
  document.getElementById("difference-body").replaceChildren(
    h("p", {}, `As of ${dated(answer.as_of)} UTC: ${count(answer.stores_changed)} store${answer.stores_changed === 1 ? "" : "s"} changed, ${count(answer.stores_appeared)} appeared, ${count(answer.stores_vanished)} vanished.`),
    h("p", { class: "note" }, answer.inputs.length ? `Loaded in between: ${answer.inputs.map((load) => `${load.file_path || load.source}${load.rows_loaded === undefined ? "" : ` (${count(load.rows_loaded)} new, ${count(load.rows_replaced)} replaced)`}`).join(", ")}` : "Nothing was loaded in between."),
    h("div", { class: "scroll" }, table), answer.next_after ? h("p", { class: "note" }, `The first ${count(answer.stores.length)} of them.`) : "");
  box.hidden = false;
}

// What a few stores are called; numbers tell little.
async function namesOf(ids) {
  const found = await Promise.all(ids.slice(0, 25).map((id) => state.stores.has(id) ? null : get(`/stores/${encodeURIComponent(id)}`).catch(() => null)));
  for (const store of found) if (store) state.stores.set(store.store_id, store.name);
  return state.stores;
}

async function guard(work) { try { await work(); showProblem(null); } catch (error) { showProblem(error); } }

document.getElementById("make").addEventListener("submit", makeReport);
document.getElementById("whose").addEventListener("change", (event) => {
  state.whose = JSON.parse(event.target.value);
  guard(async () => { await showReports(); if (state.totalsOf) await showTotals(); });
});
live(async () => {
  const [now] = await Promise.all([get("/fleet/now"), showReports()]);
  showAsOf(now.as_of);
  showWhose(now);
  document.body.dataset.ready = "true";
});
