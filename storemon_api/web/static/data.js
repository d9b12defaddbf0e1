// The page about the data itself: can the figures be believed.
import { count, dated, fillTable, get, h, live, root, showAsOf, span, storeLink, us } from "./lib.js";

const NAMES = { store_status: "polls", business_hours: "weekly hours", store_timezones: "time zones", closures: "closures", store_details: "names and groups" };

function finding(one) {
  const length = span(Math.abs(one.hours) * 3600e6);
  if (one.kind === "shifted") return `likely a wrong zone: the whole week lies ${length} ${one.hours > 0 ? "too early" : "too late"}`;
  if (one.kind === "opens later") return `listed as open, but never active in the first ${length}`;
  if (one.kind === "closes earlier") return `listed as open, but never active in the last ${length}`;
  if (one.kind === "opens earlier") return `active already ${length} before it is listed as open`;
  return `still active ${length} after it is listed as closed`;
}

function showSummary(health) {
  const rejected = health.rejected.reduce((sum, kind) => sum + kind.rows, 0);
  const tile = (word, number, more, tone) => h("div", { class: `standing ${tone}` }, h("span", { class: "word" }, word), h("span", { class: "count" }, number), h("span", { class: "more" }, more));
  document.getElementById("summary").replaceChildren(
    tile("last refresh", health.refreshed_at ? `${span(Math.max(0, Date.now() * 1000 - us(health.refreshed_at)))}` : "never", health.refreshed_at ? `ago, ${dated(health.refreshed_at)} UTC` : "no refresh has succeeded", health.refreshed_at && Date.now() * 1000 - us(health.refreshed_at) < 2 * 3600e6 ? "up" : "down"),
    tile("rejected rows", count(rejected), rejected ? "kept, waiting to be corrected" : "every row could be read", rejected ? "silent" : "up"),
    tile("silent stores", count(health.silent.total), `of ${count(health.stores)}`, health.silent.total ? "silent" : "up"),
    tile("contradicted hours", count(health.contradictions_total), health.contradictions_total === 1 ? "store whose polls say otherwise" : "stores whose polls say otherwise", health.contradictions_total ? "silent" : "up"));
}

function showSources(health) {
  document.getElementById("dagster").replaceChildren(...(health.dagster_url ? ["runs, logs and checks: ", h("a", { href: health.dagster_url }, "Dagster")] : []));
  // A key of some stores gets no numbers: loads hold rows of other stores as well.
  const numbers = (one) => (one === null ? "" : count(one));
  fillTable(document.getElementById("sources"), [
    { head: "source", class: "id", label: "", cell: (one) => NAMES[one.source] || one.source },
    { head: "last looked at (UTC)", cell: (one) => one.last_looked_at ? dated(one.last_looked_at) : "only pushed" },
    { head: "last change loaded (UTC)", cell: (one) => dated(one.last_loaded_at) },
    { head: "from", cell: (one) => one.last_file || "pushed" },
    { head: "rows read", class: "number", cell: (one) => numbers(one.last_rows_read) },
    { head: "of them rejected", class: "number", cell: (one) => numbers(one.last_rows_rejected) },
    { head: "loads", class: "number", cell: (one) => numbers(one.loads) },
    { head: "rows loaded in all", class: "number", cell: (one) => numbers(one.rows_loaded) },
    { head: "replaced", class: "number", cell: (one) => numbers(one.rows_replaced) },
  ], health.sources, "Nothing was loaded yet.");
}

function showRejected(health) {
  document.getElementById("rejected").replaceChildren(...(health.rejected.length ? health.rejected.map((kind) => h("details", { class: "reason" },
    h("summary", {}, `${NAMES[kind.source] || kind.source}: ${kind.reason}, ${count(kind.rows)} row${kind.rows > 1 ? "s" : ""}`),
    kind.rows > kind.examples.length ? h("p", { class: "note" }, `the first ${count(kind.examples.length)} of them`) : null, ...kind.examples.map((row) => h("div", {}, h("span", { class: "note" }, `${row.file || "pushed"}, line ${count(row.line)}  `), h("code", {}, row.text))))) : [h("p", { class: "empty" }, "None.")]));
}

function showLacking(health) {
  const lists = [
    ["silent", health.silent, "no poll in 192 hours: not in a report", "silent"], ["without hours", health.without_hours, "count as always open"], ["without a time zone", health.without_timezone, "count as America/Chicago"],
    ["without hours because every row of theirs was rejected", health.only_rejected_hours, "count as always open, and should not"],
  ];
  document.getElementById("lacking").replaceChildren(...lists.map(([word, list, meaning, standing]) => !list.total ? h("div", { class: "reason none" }, `0 ${word} `, h("span", { class: "note" }, meaning)) : h("details", { class: "reason" },
    h("summary", {}, `${count(list.total)} ${word} `, h("span", { class: "note" }, meaning)),
    h("ul", { class: "chips" }, ...list.store_ids.map((id, number) => h("li", {}, storeLink(id, list.names[number])))),
    list.total > list.store_ids.length ? h("p", { class: "note" }, `and ${count(list.total - list.store_ids.length)} more`, standing ? [": ", h("a", { href: `${root}/?standing=${standing}` }, "all of them")] : "") : null)));
}

let health = null;
// The age of the last refresh grows while nothing arrives.
setInterval(() => { if (health) showSummary(health); }, 15_000);

live(async () => {
  health = await get("/data-health");
  showAsOf(health.as_of);
  showSummary(health);
  showSources(health);
  showRejected(health);
  document.getElementById("contradictions-note").textContent = `polls of the last 4 weeks against the listed week${health.contradictions_total > health.contradictions.length ? `; the first ${count(health.contradictions.length)} of ${count(health.contradictions_total)}` : ""}`;
  fillTable(document.getElementById("contradictions"), [
    { head: "store", class: "id", label: "", cell: (one) => storeLink(one.store_id, one.name) }, { head: "listed zone", cell: (one) => one.timezone }, { head: "finding", cell: finding },
  ], health.contradictions, "None: no store's polls contradict its week.");
  showLacking(health);
  document.body.dataset.ready = "true";
});
