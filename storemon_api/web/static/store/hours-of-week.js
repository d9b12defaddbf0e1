// The worst hours: how much of each hour of the week the store was offline.

import { DAY, count, duration } from "../lib/amounts.js";
import { chart, frame, swatch } from "../lib/charts.js";
import { byId, h, s } from "../lib/elements.js";
import { WEEKDAYS, hourOfDay, us } from "../lib/times.js";
import { KINDS, getView, page } from "./state.js";

const WEEKS = 4;
const LEFT = 36;
const TALL = 17;
const NARROW = 460;

const shareOf = (cell) => (cell.known ? cell.down / cell.known : null);

// The hours of a week, from Monday's first: how much is known of each, and how much was offline.
async function readHours() {
  const from = new Date((us(page.store.as_of) - WEEKS * 7 * DAY) / 1000).toISOString();
  const answer = await getView("/uptime", { by: "hour", limit: 1000, from });
  const cells = WEEKDAYS.flatMap((day) =>
    Array.from({ length: 24 }, (_, hour) => ({
      name: `${day} ${hourOfDay(hour)}`,
      known: 0,
      unknown: 0,
      down: 0,
    })),
  );
  for (const period of answer.periods) {
    const begin = new Date(`${period.begin_local}Z`);
    const cell = cells[((begin.getUTCDay() + 6) % 7) * 24 + begin.getUTCHours()];
    cell.known += period.uptime_us + period.downtime_us;
    cell.unknown += period.unknown_us;
    cell.down += period.downtime_us;
  }
  return cells;
}

export async function showHoursOfWeek() {
  const cells = await readHours();
  const worst = cells
    .filter((cell) => shareOf(cell))
    .sort((a, b) => shareOf(b) - shareOf(a) || b.down - a.down)
    .slice(0, 3)
    .map((cell) => `${cell.name} (${count(Math.floor(100 * shareOf(cell)))} %)`);
  const rest = cells.some((cell) => cell.known) ? "Never offline" : "No data in these 4 weeks";
  byId("heat-note").textContent = worst.length ? `Most often offline: ${worst.join(", ")}` : rest;
  chart(byId("heat"), (whole) => draw(cells, whole));
}

function tipOf(cell) {
  if (!cell.known) return `${cell.name}\n${cell.unknown ? KINDS.unknown : KINDS.closed}`;
  const tenths = (Math.floor((1000 * cell.down) / cell.known) / 10).toFixed(1);
  return `${cell.name}\n${tenths} % offline of ${duration(cell.known)} open`;
}

function draw(cells, whole) {
  const size = (whole - LEFT - 2) / 24;
  const every = whole < NARROW ? 6 : 3;
  const hours = [];
  for (let hour = 0; hour < 24; hour += every) {
    hours.push(s("text", { x: LEFT + hour * size, y: 10 }, hourOfDay(hour)));
  }
  const days = WEEKDAYS.map((name, day) =>
    s("text", { x: LEFT - 6, y: 27 + day * TALL, "text-anchor": "end" }, name),
  );
  const boxes = cells.map((cell, number) => {
    const x = LEFT + (number % 24) * size;
    const y = 15 + Math.floor(number / 24) * TALL;
    const box = { x, y, width: size - 1, height: TALL - 1 };
    return s("g", { "data-tip": tipOf(cell) }, filled(box, shareOf(cell), cell.unknown));
  });
  const label = "Share of opening hours offline by weekday and local hour";
  return frame({ width: whole, height: 18 + 7 * TALL, label }, hours, days, boxes);
}

// A cell fills from below by how much of its time the store was offline: no colour is needed.
function filled(box, part, unknown = 0) {
  const nothing = unknown ? "f-unknown" : "f-closed";
  if (part === null) return s("rect", { class: nothing, opacity: 0.5, ...box });
  const height = part ? Math.max(2, box.height * part) : 0;
  const y = box.y + box.height - height;
  return [
    s("rect", { class: "f-up", opacity: 0.3, ...box }),
    height ? s("rect", { class: "f-down", ...box, y, height }) : null,
  ];
}

export function showHoursLegend() {
  const box = { x: 2, y: 0, width: 18, height: 12 };
  const shares = [
    [null, 0, KINDS.closed],
    [null, 1, KINDS.unknown],
    [0, 0, "never offline"],
    [0.5, 0, "half of the time"],
    [1, 0, "always offline"],
  ];
  byId("heat-legend").replaceChildren(
    ...shares.map(([part, unknown, word]) =>
      h("span", {}, swatch(filled(box, part, unknown)), word),
    ),
  );
}
