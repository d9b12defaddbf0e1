// The last 90 days: opening hours of each local day, by what the store was.

import { HOUR, counted, duration, likelyRange, percent } from "../lib/amounts.js";
import { chart, frame } from "../lib/charts.js";
import { byId, h, s } from "../lib/elements.js";
import { downloads } from "../lib/tables.js";
import { localDate, localDay } from "../lib/times.js";
import { getView, pathOfView } from "./state.js";

const HEIGHT = 90;
const LEFT = 34;
// A day has up to 25 hours when the clock is set back.
const LONGEST = 25;

export async function showDays() {
  const page = await getView("/uptime", { by: "day", limit: 100 });
  const days = page.periods;
  downloads(byId("days-files"), (form) => pathOfView("/uptime", { by: "day", ...form }));
  const box = byId("days");
  if (!days.length) {
    byId("days-note").textContent = "";
    box.replaceChildren(h("p", { class: "empty" }, "No days yet"));
    return;
  }
  const since = localDay(days[0].begin_local);
  const online = page.sum.uptime_percent;
  const share = [percent(online), likelyRange(page.sum)].filter(Boolean).join(", ");
  byId("days-note").textContent = online === null ? "no data" : `${share} online since ${since}`;
  chart(box, (whole) => draw(days, whole));
}

function tipOf(day) {
  const open = `${percent(day.uptime_percent)} online of ${duration(day.business_us)} open`;
  const likely = likelyRange(day);
  const unknown = day.unknown_us ? `, no data ${duration(day.unknown_us)}` : "";
  return [
    localDay(day.begin_local),
    day.business_us ? open : "closed",
    likely && `${likely} %`,
    `offline ${duration(day.downtime_us)}${unknown}`,
    `uncertain ${duration(day.uncertain_us)}`,
    counted(day.incidents, "outage"),
  ]
    .filter(Boolean)
    .join("\n");
}

function draw(days, whole) {
  const width = whole - LEFT - 4;
  const step = width / Math.max(days.length, 30);
  const y = (hour) => HEIGHT - (hour / LONGEST) * HEIGHT;
  const grid = [0, 12, 24].map((hour) => [
    s("line", { class: "grid", x1: LEFT, x2: LEFT + width, y1: y(hour), y2: y(hour) }),
    s("text", { x: LEFT - 5, y: y(hour) + 4, "text-anchor": "end" }, `${hour} h`),
  ]);
  const column = (day, number) => {
    const x = LEFT + number * step;
    let below = HEIGHT;
    const stack = [
      ["up", day.uptime_us],
      ["down", day.downtime_us],
      ["unknown", day.unknown_us],
    ].map(([kind, amount]) => {
      const height = (amount / (LONGEST * HOUR)) * HEIGHT;
      below -= height;
      const size = { x: x + 0.5, y: below, width: Math.max(1, step - 1.5), height };
      return s("rect", { class: `f-${kind}`, ...size });
    });
    const target = s("rect", { x, y: 0, width: step, height: HEIGHT, fill: "transparent" });
    return s("g", { "data-tip": tipOf(day) }, target, stack);
  };
  const end = LEFT + days.length * step;
  const dates = [s("text", { x: LEFT, y: HEIGHT + 14 }, localDate(days[0].begin_local))];
  if (days.length > 1) {
    const anchor = days.length * step > 140 ? "end" : "start";
    const text = localDate(days.at(-1).begin_local);
    dates.push(s("text", { x: end, y: HEIGHT + 14, "text-anchor": anchor }, text));
  }
  const label = "Opening hours of each day, offline above online";
  return frame({ y: -6, width: whole, height: HEIGHT + 24, label }, grid, days.map(column), dates);
}
