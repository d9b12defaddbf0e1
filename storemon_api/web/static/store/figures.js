// The store's name and state, and its uptime in the last hour, day and week.

import {
  boundsOf,
  counted,
  duration,
  likelyRange,
  percent,
  salesLost,
  salesRange,
} from "../lib/amounts.js";
import { swatch, uptimeBar } from "../lib/charts.js";
import { byId, fold, h, refill, reveal, s, shown } from "../lib/elements.js";
import { WINDOWS, compareLink, doubtsOf, stateBadge, statementLink } from "../lib/stores.js";
import { choose, page } from "./state.js";

export function showTitle() {
  const { store, clock } = page;
  document.title = `${shown(store.name || store.store_id)} · storemon`;
  refill(
    byId("title"),
    h("h1", {}, store.name || store.store_id),
    stateBadge(store.standing),
    outage(),
    h("p", { class: "note" }, facts(store, clock).filter(Boolean).join(" · ")),
    statementLink({ store_id: store.store_id }),
    compareLink({ store: store.store_id }),
  );
}

// Exact where an event says when the outage started.
function since(open, clock) {
  if (!open.first_inactive_poll) return `since ${clock.at(open.start)}, `;
  return open.last_active_poll
    ? `since about ${clock.at(open.start)}, `
    : `since before ${clock.at(open.first_inactive_poll)}, `;
}

function outage() {
  const { store, clock } = page;
  const open = store.open_incident;
  if (store.standing !== "down" || !open) return null;
  return h(
    "span",
    {},
    since(open, clock),
    h("strong", {}, `${duration(open.lost_us)} of opening hours lost`),
  );
}

function withoutHours(store) {
  const why = store.hours_rejected ? "all opening hours were rejected" : "no opening hours on file";
  return `${why}; counted as open 24/7`;
}

function facts(store, clock) {
  return [
    store.name && store.store_id,
    store.group,
    store.region,
    store.has_timezone ? store.timezone : `${store.timezone} (no time zone on file)`,
    store.has_hours ? null : withoutHours(store),
    store.last_poll_at ? `last check ${clock.exactly(store.last_poll_at)}` : "never checked",
    counted(store.polls, "check"),
  ];
}

export function showFigures() {
  const { store } = page;
  byId("figures-legend").hidden = !store.figures;
  if (!store.figures) {
    const text = "No data: nothing received for 8 days, so there are no figures";
    byId("figures").replaceChildren(h("p", { class: "empty" }, text));
    return;
  }
  const article = ([window, word]) => {
    const figures = store.figures[window];
    const range = likelyRange(figures);
    const why = () => {
      choose({ window });
      reveal("why", "start");
    };
    return h(
      "article",
      { class: "figure" },
      h("div", { class: "note" }, word),
      h(
        "div",
        {},
        h("span", { class: "percent" }, percent(figures.uptime_percent)),
        range && h("span", { class: "likely" }, `, ${range}`),
      ),
      uptimeBar(figures),
      list([...amounts(figures), ...amountsOfSales(store.sales?.[window])]),
      fold(`checks-${window}`, "What the checks show", list(checks(figures))),
      h(
        "button",
        { type: "button", class: "link why", onclick: why },
        "Why this number?",
        h("span", { class: "sr-only" }, ` ${word}`),
      ),
    );
  };
  refill(byId("figures"), Object.entries(WINDOWS).map(article), doubts(store));
}

function amounts(figures) {
  return [
    ["Online", duration(figures.uptime_us)],
    ["Offline", duration(figures.downtime_us)],
    ["Opening hours", duration(figures.business_us)],
  ];
}

function amountsOfSales(sales) {
  if (!sales) return [];
  return [
    ["Sales lost", h("span", { "data-tip": salesRange(sales) }, salesLost([sales]))],
    ["Online by demand", percent(sales.uptime_percent)],
  ];
}

function checks(figures) {
  return [
    ["Bounds", figures.business_us ? boundsOf(figures) : percent(null)],
    ["Covered by checks", percent(figures.observed_percent)],
  ];
}

const list = (rows) =>
  h("dl", {}, ...rows.map(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]));

function doubts({ likely_flags: flags }) {
  return flags.length ? h("p", { class: "note doubts" }, doubtsOf(flags)) : null;
}

export function showFiguresLegend() {
  const bar = (attributes) => s("rect", { y: 3, height: 6, ...attributes });
  const range = page.store.figures && likelyRange(page.store.figures.week);
  const open = range ? "likely range" : "possibly online";
  const marks = [
    [bar({ class: "f-up", width: 24 }), "online"],
    [bar({ class: "f-up", width: 24, opacity: 0.4 }), open],
    [bar({ class: "range", width: 24 }), "offline"],
    [s("rect", { class: "mark", x: 11, width: 2, height: 12 }), "our estimate"],
  ];
  byId("figures-legend").replaceChildren(
    ...marks.map(([mark, word]) => h("span", {}, swatch(mark), word)),
  );
}
