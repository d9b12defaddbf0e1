// The page's upper part: stores by state, and the share of opening hours online.

import {
  HOUR,
  ceilPercent,
  count,
  counted,
  duration,
  floorPercent,
  likelyRange,
  percent,
} from "../lib/amounts.js";
import { uptimeBar } from "../lib/charts.js";
import { byId, fold, h, refill } from "../lib/elements.js";
import {
  STATES,
  WINDOWS,
  compareLink,
  doubtsOf,
  stateBadge,
  statementLink,
} from "../lib/stores.js";
import { FILTERS, choose, fleet, state } from "./state.js";

const BEFORE = { hour: "hour", day: "24 hours", week: "week" };
const EARLIER = { hour: "hour", day: "day", week: "week" };

export function showScope() {
  const names = FILTERS.map((name) => state[name]).filter(Boolean);
  const scope = byId("scope");
  scope.hidden = !names.length;
  const showAll = () => choose({ group: "", region: "", timezone: "" });
  scope.replaceChildren(
    "Showing ",
    h("strong", {}, names.join(", ")),
    ` only: ${count(fleet.chosen.stores)} of ${counted(fleet.all.stores, "store")} `,
    h("button", { type: "button", class: "small", onclick: showAll }, "Show all"),
    // A statement has no filter by time zone.
    ...(state.timezone ? [] : links()),
  );
}

function links() {
  const scope = { group: state.group, region: state.region };
  return [h("span", { class: "tools" }, " ", statementLink(scope), " · ", compareLink(scope))];
}

function lostSoFar({ open_incidents: outages, lost_us: lost, standing }) {
  if (!outages) return "nothing lost";
  const amount = lost < HOUR ? duration(lost) : counted(Math.floor(lost / HOUR), "opening hour");
  const paused = outages - standing.down;
  const also = paused ? `, ${paused} of them at stores closed now` : "";
  return `${amount} lost in ${counted(outages, "current outage")}${also}`;
}

function onlineShare({ up, down }) {
  if (!(up + down)) return "no store should be open";
  return `${floorPercent(up, up + down)} of stores that should be open`;
}

export function showStates() {
  const { chosen } = fleet;
  const more = {
    down: lostSoFar(chosen),
    up: onlineShare(chosen.standing),
    closed: "outside opening hours",
    silent: "nothing received for 8 days",
  };
  const toggled = (one) =>
    state.standing.includes(one)
      ? state.standing.filter((other) => other !== one)
      : [...state.standing, one];
  const tile = (one) =>
    h(
      "button",
      {
        type: "button",
        class: `standing ${one}`,
        "aria-pressed": String(state.standing.includes(one)),
        onclick: () => choose({ standing: toggled(one) }),
      },
      stateBadge(one),
      h("span", { class: "count" }, count(chosen.standing[one])),
      h("span", { class: "more" }, more[one]),
    );
  refill(byId("standings"), Object.keys(STATES).map(tile));
}

// How much better or worse than in the window before, in percentage points.
export function changeOf(figures, window) {
  const { previous_percent: previous, uptime_percent: now } = figures;
  if (previous === null || now === null) {
    return h("span", { class: "change same" }, `no earlier ${EARLIER[window]} to compare with yet`);
  }
  const points = now - previous;
  if (points === 0) return h("span", { class: "change same" }, "no change");
  const [tone, word] = points < 0 ? ["worse", "▼ down"] : ["better", "▲ up"];
  const size = Math.abs(points).toFixed(2);
  const from = `${percent(previous)} the ${BEFORE[window]} before`;
  return h("span", { class: `change ${tone}` }, `${word} ${size} points from ${from}`);
}

// The same for a cell of a table: nothing where there is nothing to compare with.
export function shortChange(figures, window) {
  const { previous_percent: previous, uptime_percent: now } = figures;
  if (previous === null || now === null) return null;
  const points = now - previous;
  if (points === 0) return h("span", { class: "change same" }, "no change");
  const [tone, sign] = points < 0 ? ["worse", "▼"] : ["better", "▲"];
  const tip = `${percent(previous)} the ${BEFORE[window]} before`;
  const size = Math.abs(points).toFixed(2);
  return h("span", { class: `change ${tone}`, "data-tip": tip }, `${sign} ${size}`);
}

function reliability(figures) {
  const whole = figures.business_us;
  if (!whole) return "no store was open";
  const low = floorPercent(figures.lowest_uptime_us, whole);
  const high = ceilPercent(figures.highest_uptime_us, whole);
  const covered = floorPercent(figures.observed_us, whole);
  return `between ${low} and ${high}; our checks cover ${covered} of the time`;
}

export function showShares() {
  const article = ([window, figures]) => {
    const range = likelyRange(figures);
    return h(
      "article",
      { class: "share" },
      h("h2", {}, WINDOWS[window]),
      h(
        "div",
        {},
        h("span", { class: "percent" }, percent(figures.uptime_percent)),
        " online",
        range && h("span", { class: "likely" }, `, ${range}`),
      ),
      changeOf(figures, window),
      uptimeBar(figures),
      fold(
        `checks-${window}`,
        "What the checks show",
        h("p", { class: "note" }, reliability(figures)),
      ),
    );
  };
  const { windows, likely_flags: flags } = fleet.chosen;
  const doubts = flags.length ? h("p", { class: "note doubts" }, doubtsOf(flags)) : null;
  refill(byId("shares"), Object.entries(windows).map(article), doubts);
}
