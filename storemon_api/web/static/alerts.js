// The page of alerts: what is wrong, since when, what it has cost, and who was told.
import { badge, clock, count, dated, fillTable, get, h, live, pager, segmented, showAsOf, showProblem, span, storeLink, us } from "./lib.js";

const KINDS = {
  down: ["stores down", "in business time", "down"], silent: ["stores silent", "no poll in business time", "silent"],
  platform: ["many stores down", "of a time zone or group, at once", "down"], source: ["sources late", "not refreshed, or no new polls", "silent"],
};
const WORDS = { down: "down", silent: "silent", platform: "many down", source: "source" };
const LIMIT = 50, LOOK_SECONDS = 15;
const address = new URLSearchParams(location.search);
const state = { state: address.get("state") ?? "open", kind: address.get("kind") || "", store_id: address.get("store_id") || "", offset: 0 };

function remember() {
  const query = new URLSearchParams();
  if (state.state !== "open") query.set("state", state.state);
  for (const name of ["kind", "store_id"]) if (state[name]) query.set(name, state[name]);
  history.replaceState(null, "", query.toString() ? `?${query}` : location.pathname);
}

function showSummary(page) {
  document.getElementById("summary").replaceChildren(...(page.open ? Object.entries(KINDS).map(([kind, [word, more, tone]]) => h("button", {
    type: "button", class: `standing ${page.open[kind] ? tone : "up"}`, "aria-pressed": String(state.kind === kind),
    onclick: () => change({ kind: state.kind === kind ? "" : kind }),
  }, badge(page.open[kind] ? tone : "up", word), h("span", { class: "count" }, count(page.open[kind])), h("span", { class: "more" }, more))) : []));
}

// The label of an address, and what became of the message to it.
function delivery(one) {
  const [tone, word] = one.state === "sent" ? ["up", `sent ${clock(one.sent_at)} UTC`]
    : one.state === "failed" ? ["down", `failed after ${one.tries} tries`]
      : one.is_held ? ["closed", "waits for business time"]
        : one.state === "sending" ? ["closed", "being sent"]
          : one.tries ? ["silent", `not taken yet, ${one.tries} tries; next ${clock(one.next_try_at)} UTC`] : ["closed", "waits to be sent"];
  return h("div", { class: "delivery" }, badge(tone, one.change), h("span", { class: "sub" }, ` ${one.target}: ${word}`), one.error ? h("div", { class: "sub" }, one.error) : "");
}

function what(alert) {
  const cell = alert.store_id ? [storeLink(alert.store_id, alert.name), alert.name ? h("div", { class: "sub" }, alert.store_id) : ""] : [alert.what];
  return alert.stores === null ? cell : [...cell, h("div", { class: "sub" }, `${count(alert.stores)} of ${count(alert.of_stores)} open stores`)];
}

function ended(alert) {
  if (alert.state === "open") return badge("down", "open");
  return [badge("up", alert.ending), h("div", { class: "sub" }, `${dated(alert.closed_at)} UTC`)];
}

async function show() {
  const page = await get("/alerts", { state: state.state, kind: state.kind, store_id: state.store_id, offset: state.offset, limit: LIMIT });
  showSummary(page);
  segmented(document.getElementById("states"), [["open", "Open"], ["closed", "Closed"], ["", "All"]], state.state, (chosen) => change({ state: chosen }));
  document.getElementById("alerts-note").replaceChildren(state.store_id ? h("span", {}, "about ", storeLink(state.store_id), " ", h("button", { class: "small", type: "button", onclick: () => change({ store_id: "" }) }, "all stores")) : "times are UTC; a store that was never seen up counts from its first poll");
  const table = document.getElementById("alerts");
  table.className = "cards";
  fillTable(table, [
    { head: "What", class: "id", label: "", cell: what },
    { head: "State", class: "state", label: "", cell: ended },
    { head: "Kind", label: "kind", cell: (alert) => WORDS[alert.kind] },
    { head: "Since", label: "since", cell: (alert) => h("span", { "data-tip": `alert opened at ${dated(alert.opened_at)} UTC` }, dated(alert.since), alert.closed_at ? h("span", { class: "sub" }, ` for ${span(us(alert.closed_at) - us(alert.since))}`) : "") },
    { head: "Business time lost", class: "number", label: "lost", cell: (alert) => (alert.store_id ? span(alert.lost_us) : "") },
    { head: "Messages", label: "", cell: (alert) => (alert.deliveries.length ? alert.deliveries.map(delivery) : h("span", { class: "sub" }, alert.is_told ? "" : "recorded, nobody told")) },
  ], page.alerts, state.state === "open" ? "Nothing is wrong now." : "None.");
  pager(document.getElementById("pager"), page, page.alerts.length, (offset) => { state.offset = offset; refresh(); });
}

async function refresh() { try { await show(); showProblem(null); } catch (error) { showProblem(error); } }

function change(chosen) {
  Object.assign(state, chosen, { offset: 0 });
  remember();
  refresh();
}

// Alerts follow the data by half a minute, and messages the alerts: news of the data come too early.
setInterval(() => { if (!document.hidden) refresh(); }, LOOK_SECONDS * 1000);
live(async () => {
  // A key of some stores may see their alerts, and not what is told of all stores.
  const [now] = await Promise.all([get("/fleet/now").catch(() => null), show()]);
  if (now) showAsOf(now.as_of);
  document.body.dataset.ready = "true";
});
