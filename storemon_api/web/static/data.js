// The page about the data itself: whether the figures can be trusted.

import { HOUR, age, count, counted, duration } from "./lib/amounts.js";
import { get, root, withParameters } from "./lib/api.js";
import { byId, h } from "./lib/elements.js";
import { live, showAsOf } from "./lib/live.js";
import { badge, storeLink } from "./lib/stores.js";
import { downloads, fillTable } from "./lib/tables.js";
import { us, utc } from "./lib/times.js";

const SOURCES = {
  store_status: "Store checks",
  business_hours: "Opening hours",
  store_timezones: "Time zones",
  closures: "Planned closures",
  store_details: "Store names and groups",
};
const LATE_US = 2 * HOUR;
const REFRESH_SECONDS = 15;

const sourceName = (source) => SOURCES[source] ?? source;

function tile(word, number, more, isGood) {
  return h(
    "div",
    { class: `standing ${isGood ? "up" : "silent"}` },
    h("span", { class: "word" }, word),
    h("span", { class: "count" }, number),
    h("span", { class: "more" }, more),
  );
}

function updateTile(updatedAt) {
  if (!updatedAt) return tile("Last update", "never", "no update has succeeded yet", false);
  const passed = Math.max(0, Date.now() * 1000 - us(updatedAt));
  return tile("Last update", `${age(passed)} ago`, utc.at(updatedAt), passed < LATE_US);
}

function showSummary(health) {
  const rejected = health.rejected.reduce((sum, kind) => sum + kind.rows, 0);
  const wrong = health.contradictions_total;
  const silent = health.silent.total;
  const fix = rejected
    ? "could not be read; correct them and send them again"
    : "all rows were read";
  byId("summary").replaceChildren(
    updateTile(health.refreshed_at),
    tile("Rejected rows", count(rejected), fix, !rejected),
    tile("Stores without data", count(silent), `of ${counted(health.stores, "store")}`, !silent),
    tile(
      "Opening hours that look wrong",
      count(wrong),
      wrong === 1 ? "store whose checks disagree" : "stores whose checks disagree",
      !wrong,
    ),
  );
}

function showSources(health) {
  const address = health.dagster_url;
  const link = address ? ["Runs, logs and checks: ", h("a", { href: address }, "Dagster")] : [];
  // Only administrators may open Dagster.
  byId("dagster")?.replaceChildren(...link);
  // A key of some stores gets no numbers: loads hold rows of other stores as well.
  const number = (head, name) => ({
    head,
    class: "number",
    cell: (one) => (one[name] === null ? "" : count(one[name])),
  });
  fillTable(
    byId("sources"),
    [
      { head: "Source", class: "id", label: "", cell: (one) => sourceName(one.source) },
      {
        head: "Checked",
        cell: (one) => (one.last_looked_at ? utc.at(one.last_looked_at) : "sent to the API"),
      },
      { head: "Updated", cell: (one) => utc.at(one.last_loaded_at) },
      { head: "File", cell: (one) => one.last_file || "sent to the API" },
      number("Rows in it", "last_rows_read"),
      number("Rejected", "last_rows_rejected"),
      number("Loads so far", "loads"),
      number("Rows so far", "rows_loaded"),
      number("Replaced", "rows_replaced"),
    ],
    health.sources,
    "No data yet",
  );
  tableFiles("sources", "sources");
}

function showUnread(health) {
  const { unread_files: files, unread_files_total: total } = health;
  byId("unread-note").textContent =
    total > files.length ? `showing the first ${count(files.length)} of ${count(total)}` : "";
  fillTable(
    byId("unread"),
    [
      { head: "File", class: "id", label: "", cell: (one) => one.file },
      {
        head: "Status",
        label: "",
        cell: (one) =>
          badge(one.is_refused ? "down" : "closed", one.is_refused ? "refused" : "ignored"),
      },
      { head: "Reason", label: "", cell: (one) => one.reason },
      { head: "Since", label: "since", cell: (one) => utc.at(one.since) },
    ],
    files,
    "None: all files were read",
  );
  tableFiles("unread", "unread_files");
}

const pathOfTable = (table) => (form) => withParameters("/data-health", { table, ...form });
const tableFiles = (id, table) => downloads(byId(`${id}-files`), pathOfTable(table));

function filesBox(pathOf) {
  const box = h("p", { class: "files" });
  downloads(box, pathOf);
  return box;
}

function rejectedRows(kind) {
  const { source, reason } = kind;
  const title = `${sourceName(source)}: ${reason}, ${counted(kind.rows, "row")}`;
  const shown = kind.examples.length;
  const line = (row) => {
    const place = `${row.file || "sent to the API"}, line ${count(row.line)}  `;
    return h("div", {}, h("span", { class: "note" }, place), h("code", {}, row.text));
  };
  return h(
    "details",
    { class: "reason" },
    h("summary", {}, title),
    kind.rows > shown ? h("p", { class: "note" }, `Showing the first ${count(shown)}`) : null,
    kind.examples.map(line),
    filesBox((form) => withParameters("/rejected-rows", { source, reason, ...form })),
  );
}

function showRejected(health) {
  const kinds = health.rejected.map(rejectedRows);
  const none = h("p", { class: "empty" }, "No rejected rows");
  byId("rejected").replaceChildren(...(kinds.length ? kinds : [none]));
  downloads(byId("rejected-files"), (form) => withParameters("/rejected-rows", form));
}

function finding({ kind, hours }) {
  const length = duration(Math.abs(hours) * HOUR);
  const side = hours > 0 ? "early" : "late";
  return {
    shifted: `the whole week is ${length} too ${side}: probably a wrong time zone`,
    "opens later": `listed as open, but never online in the first ${length}`,
    "closes earlier": `listed as open, but never online in the last ${length}`,
    "opens earlier": `already online ${length} before the listed opening time`,
    "closes later": `still online ${length} after the listed closing time`,
  }[kind];
}

function showContradictions(health) {
  const { contradictions: found, contradictions_total: total } = health;
  const part = `; showing the first ${count(found.length)} of ${count(total)}`;
  byId("contradictions-note").textContent =
    `compared with the checks of the last 4 weeks${total > found.length ? part : ""}`;
  fillTable(
    byId("contradictions"),
    [
      { head: "Store", class: "id", label: "", cell: (one) => storeLink(one.store_id, one.name) },
      { head: "Time zone", label: "", cell: (one) => one.timezone },
      { head: "What looks wrong", label: "", cell: finding },
    ],
    found,
    "None: the checks agree with all opening hours",
  );
  tableFiles("contradictions", "contradictions");
}

// Only where there are any: without events there is nothing to contradict.
function showContradictingPolls(health) {
  const { contradicting_polls: polls, contradicting_polls_total: total } = health;
  byId("contradicting-polls-panel").hidden = !total;
  const part = total > polls.length ? `; showing the newest ${count(polls.length)}` : "";
  byId("contradicting-polls-note").textContent =
    `${counted(total, "check")} in the last 4 weeks; the event counts${part}`;
  fillTable(
    byId("contradicting-polls"),
    [
      { head: "Store", class: "id", label: "", cell: (one) => storeLink(one.store_id, one.name) },
      { head: "Checked", label: "at", cell: (one) => utc.at(one.polled_at) },
      { head: "Check", cell: (one) => (one.poll === "active" ? "online" : "offline") },
      { head: "Event", cell: (one) => (one.event === "up" ? "online" : "offline") },
    ],
    polls,
  );
  tableFiles("contradicting-polls", "contradicting_polls");
}

// A list of the API names only its first stores.
function missing(health, table, word, meaning, standing) {
  const list = health[table];
  const title = [`${counted(list.total, "store")} ${word} `, h("span", { class: "note" }, meaning)];
  if (!list.total) return h("div", { class: "reason none" }, title);
  const rest = list.total - list.store_ids.length;
  const all = standing && [": ", h("a", { href: `${root}/?standing=${standing}` }, "show all")];
  const links = list.store_ids.map((id, number) => h("li", {}, storeLink(id, list.names[number])));
  return h(
    "details",
    { class: "reason" },
    h("summary", {}, title),
    h("ul", { class: "chips" }, links),
    rest ? h("p", { class: "note" }, `and ${count(rest)} more`, all) : null,
    filesBox(pathOfTable(table)),
  );
}

function showMissing(health) {
  const always = "counted as open 24/7";
  byId("lacking").replaceChildren(
    missing(
      health,
      "silent",
      "without data",
      "nothing received for 8 days: not in reports",
      "silent",
    ),
    missing(health, "without_hours", "without opening hours", always),
    missing(health, "without_timezone", "without a time zone", "counted in America/Chicago"),
    missing(
      health,
      "only_rejected_hours",
      "with opening hours that were all rejected",
      `${always} until they are corrected`,
    ),
  );
}

let latest = null;

live(async () => {
  latest = await get("/data-health");
  showAsOf(latest.as_of);
  showSummary(latest);
  showSources(latest);
  showUnread(latest);
  showRejected(latest);
  showContradictions(latest);
  showContradictingPolls(latest);
  showMissing(latest);
  document.body.dataset.ready = "true";
});

// The last update gets older while nothing arrives.
setInterval(() => {
  if (latest) showSummary(latest);
}, REFRESH_SECONDS * 1000);
