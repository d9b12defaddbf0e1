// The page of alerts: what is wrong, since when, what it has cost, and who was notified.

import { canAct, openActions } from "./alerts/act.js";
import { addressedChoices } from "./lib/address.js";
import { age, count, counted, duration } from "./lib/amounts.js";
import { get, withParameters } from "./lib/api.js";
import { byId, deedButton, h, refill, segmented } from "./lib/elements.js";
import { guard, live, showAsOf } from "./lib/live.js";
import { showApart } from "./lib/never-online.js";
import { newestOnly } from "./lib/newest.js";
import { badge, storeLink } from "./lib/stores.js";
import { downloads, fillTable, pager } from "./lib/tables.js";
import { clockIn, us, utc } from "./lib/times.js";

// Tiles of rare kinds are left out while no such alert is open.
const KINDS = {
  down: { word: "Store offline", more: "during opening hours", tone: "down" },
  silent: { word: "No data from store", more: "during opening hours", tone: "silent" },
  platform: {
    word: "Widespread outage",
    more: "many stores of a time zone or group",
    tone: "down",
  },
  source: { word: "Data feed late", more: "nothing new received", tone: "silent" },
  burn: {
    word: "Time offline used fast",
    more: "faster than the objective allows",
    tone: "down",
    isRare: true,
  },
  exhausted: {
    word: "Time offline used up",
    more: "offline longer than allowed",
    tone: "down",
    isRare: true,
  },
  data: { word: "Data not read", more: "refused files, rejected opening hours", tone: "silent" },
};
const STATES = [
  ["open", "Open"],
  ["closed", "Closed"],
  ["", "All"],
];
// How an alert ended, by what the API calls it.
const ENDINGS = {
  "up again": "back online",
  "taken back": "was not offline after all",
  "no longer polled": "no data since",
  "polled again": "data received again",
  "polls arrive again": "data received again",
  "refreshed again": "data received again",
  "most are up again": "most back online",
  corrected: "corrected",
  "slower again": "no longer used fast",
  "within its objective again": "within its objective again",
};
const ZONE_PREFIX = "timezone:";
const LIMIT = 50;
const REFRESH_SECONDS = 15;

// What was done about alerts, as parameters of the API.
const HANDLED = {
  "": ["all alerts", {}],
  new: ["not acknowledged", { acknowledged: false }],
  acknowledged: ["acknowledged", { acknowledged: true }],
  silenced: ["silenced", { silenced: true }],
};
const SORTINGS = {
  "": ["open, newest first", {}],
  oldest: ["longest first", { sort: "since" }],
  lost: ["most hours lost", { sort: "lost", order: "desc" }],
  what: ["by name", { sort: "what" }],
  kind: ["by type", { sort: "kind" }],
};
const TYPING_MS = 200;

const choices = addressedChoices(
  { state: "open", kind: "", store_id: "", q: "", handled: "", never: "", sort: "", offset: 0 },
  { allowed: { handled: Object.keys(HANDLED), never: ["", "true"], sort: Object.keys(SORTINGS) } },
);
const { state, whenChanged } = choices;
whenChanged(() => guard(show));

const choose = (values, options) => choices.choose({ offset: 0, ...values }, options);

const form = byId("filters");
let typing = null;
form.addEventListener("submit", (event) => event.preventDefault());
form.elements.q.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    typing = null;
    choose({ q: form.elements.q.value }, { isTyping: state.q !== "" });
  }, TYPING_MS);
});
for (const [name, options] of Object.entries({ handled: HANDLED, sort: SORTINGS })) {
  const field = form.elements[name];
  const option = ([value, [word]]) => h("option", { value }, word);
  field.replaceChildren(...Object.entries(options).map(option));
  field.addEventListener("change", () => choose({ [name]: field.value }));
}

function showFilters() {
  if (typing === null) form.elements.q.value = state.q;
  form.elements.handled.value = state.handled;
  form.elements.sort.value = state.sort;
}

function showSummary(open) {
  const tile = ([kind, { word, more, tone }]) =>
    h(
      "button",
      {
        type: "button",
        class: `standing ${open[kind] ? tone : "up"}`,
        "aria-pressed": String(state.kind === kind),
        onclick: () => choose({ kind: state.kind === kind ? "" : kind }),
      },
      badge(open[kind] ? tone : "up", word),
      h("span", { class: "count" }, count(open[kind])),
      h("span", { class: "more" }, more),
    );
  // A key of some stores gets no counts: they are of all stores.
  // Few chains have objectives: without alerts of them, their tiles would be in the way.
  const kinds = Object.entries(KINDS).filter(
    ([kind, { isRare }]) => !isRare || open?.[kind] || state.kind === kind,
  );
  refill(byId("summary"), open ? kinds.map(tile) : []);
}

// The clock of the place that an alert is about: one outage has one time on all pages.
function clockOf(alert) {
  if (alert.timezone) return clockIn(alert.timezone);
  const isZone = alert.subject.startsWith(ZONE_PREFIX);
  return isZone ? clockIn(alert.subject.slice(ZONE_PREFIX.length)) : utc;
}

function deliveryState(one, clock) {
  if (one.state === "sent") return ["up", `sent ${clock.at(one.sent_at)}`];
  if (one.state === "failed") return ["down", `delivery failed ${one.tries}×, gave up`];
  if (one.is_held) return ["closed", "waiting for opening hours"];
  if (one.state === "sending") return ["closed", "being sent"];
  if (!one.tries) return ["closed", "waiting to be sent"];
  const next = `delivery failed ${one.tries}×, retrying ${clock.at(one.next_try_at)}`;
  return ["silent", next];
}

function delivery(one, clock) {
  const [tone, word] = deliveryState(one, clock);
  return h(
    "div",
    { class: "delivery" },
    badge(tone, one.change === "opened" ? "Alert" : "All clear"),
    h("span", { class: "sub" }, ` ${one.target}: ${word}`),
    one.error ? h("div", { class: "sub" }, one.error) : null,
  );
}

function subject(alert) {
  const id = alert.name ? h("div", { class: "sub" }, alert.store_id) : null;
  const what = alert.store_id ? [storeLink(alert.store_id, alert.name), id] : alert.what;
  if (alert.stores === null) return what;
  const all = counted(alert.stores, "store");
  if (alert.of_stores === null) return [what, h("div", { class: "sub" }, all)];
  const stores = `${count(alert.stores)} of ${counted(alert.of_stores, "open store")}`;
  return [what, h("div", { class: "sub" }, stores)];
}

function silence(alert) {
  if (!alert.silenced_until) return null;
  const until = clockOf(alert).at(alert.silenced_until);
  return h("div", {}, badge("closed", "silenced"), h("span", { class: "sub" }, ` until ${until}`));
}

const DONE = {
  acknowledge: "acknowledged",
  unacknowledge: "acknowledgement taken back",
  silence: "silenced",
  unsilence: "silence ended",
  note: "noted",
};

function actionLine(one, clock) {
  const by = one.by ? ` by ${one.by}` : "";
  const until = one.until ? ` until ${clock.at(one.until)}` : "";
  return h(
    "div",
    { class: "delivery" },
    one.note ? h("div", {}, one.note) : null,
    h("span", { class: "sub" }, `${DONE[one.action]}${until}${by}, ${clock.at(one.at)}`),
  );
}

function handling(alert) {
  const clock = clockOf(alert);
  const open = () => openActions(alert, alert.name ?? alert.what, () => guard(show));
  const deed = `POST /alerts/${alert.alert_id}/actions`;
  const label = `Acknowledge or silence ${alert.what}`;
  const button = deedButton(deed, "Acknowledge or silence", open, { "aria-label": label });
  return [
    alert.acknowledged_at ? badge("up", "acknowledged") : null,
    alert.actions.map((one) => actionLine(one, clock)),
    canAct ? button : null,
  ];
}

function status(alert) {
  if (alert.state === "open") return [badge("down", "open"), silence(alert)];
  const time = clockOf(alert).at(alert.closed_at);
  const ending = ENDINGS[alert.ending] ?? alert.ending;
  return [badge("up", ending), h("div", { class: "sub" }, time)];
}

function since(alert) {
  const clock = clockOf(alert);
  const tip = `alert opened ${clock.at(alert.opened_at)}`;
  const length = alert.closed_at && `for ${age(us(alert.closed_at) - us(alert.since))}`;
  return [
    h("span", { "data-tip": tip }, clock.at(alert.since)),
    length ? h("div", { class: "sub" }, length) : null,
  ];
}

function notifications(alert) {
  if (alert.deliveries.length) {
    return alert.deliveries.map((one) => delivery(one, clockOf(alert)));
  }
  return alert.is_told ? "" : h("span", { class: "sub" }, "No notification sent");
}

function columns() {
  return [
    { head: "What", class: "id", label: "", cell: subject },
    { head: "Status", class: "state", label: "", cell: status },
    { head: "Type", label: "", cell: (alert) => KINDS[alert.kind].word },
    { head: "Since", class: "since", label: "since", cell: since },
    {
      head: "Open hours lost",
      class: "number",
      label: "open hours lost",
      cell: (alert) => (alert.store_id ? duration(alert.lost_us) : ""),
    },
    { head: "Notifications", label: "", cell: notifications },
    { head: "Handled", label: "", class: "handled", cell: handling },
  ];
}

function showScope() {
  const all = () => choose({ store_id: "" });
  byId("alerts-note").replaceChildren(
    ...(state.store_id
      ? [
          h("span", {}, "Showing ", storeLink(state.store_id), " only "),
          h("button", { class: "small", type: "button", onclick: all }, "Show all"),
        ]
      : []),
  );
}

function emptyText() {
  if (state.kind || state.store_id || state.q || state.handled) return "No alerts match";
  return { open: "Nothing is wrong now", closed: "No closed alerts" }[state.state] ?? "No alerts";
}

const show = newestOnly(async (newest) => {
  const { state: wanted, kind, store_id: storeId, q, never, offset } = state;
  const [, handled] = HANDLED[state.handled];
  const [, sorting] = SORTINGS[state.sort];
  // Whoever looks for a store finds it, whatever it is.
  const isSearch = Boolean(q || storeId);
  const all = { state: wanted, kind, store_id: storeId, q, ...handled, ...sorting };
  const chosen = { ...all, never_online: never || (isSearch ? "" : "false") };
  const [page, apart] = await newest(
    Promise.all([
      get("/alerts", { ...chosen, offset, limit: LIMIT }),
      isSearch ? { total: 0 } : get("/alerts", { ...all, never_online: true, limit: 1 }),
    ]),
  );
  showSummary(page.open);
  segmented(byId("states"), STATES, state.state, (one) => choose({ state: one }));
  showScope();
  showFilters();
  const words = (alerts) => `${counted(alerts, "alert")} of stores`;
  showApart(byId("never"), { never, total: apart.total, words, choose });
  fillTable(byId("alerts"), columns(), page.alerts, emptyText());
  pager(byId("pager"), page, page.alerts.length, "alert", (next) => choose({ offset: next }));
  downloads(byId("alerts-files"), (format) => withParameters("/alerts", { ...chosen, ...format }));
});

// Alerts follow the data by half a minute, and notifications the alerts: events are too early.
setInterval(() => {
  if (!document.hidden) guard(show);
}, REFRESH_SECONDS * 1000);

live(async () => {
  // A key of some stores may see their alerts, but not totals of all stores.
  const [now] = await Promise.all([get("/fleet/now").catch(() => null), show()]);
  if (now) showAsOf(now.as_of);
  document.body.dataset.ready = "true";
});
