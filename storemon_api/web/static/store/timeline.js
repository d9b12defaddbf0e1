// The timeline: a row for each local day, with what the store was and when it was checked.

import { DAY, HOUR, counted, duration } from "../lib/amounts.js";
import { chart, frame, hatching, swatch } from "../lib/charts.js";
import { byId, h, s, segmented } from "../lib/elements.js";
import { newestOnly } from "../lib/newest.js";
import { downloads, fillTable } from "../lib/tables.js";
import { WEEKDAYS, hourOfDay, localDate, us, wallClock } from "../lib/times.js";
import { COUNTS_AS, KINDS, SPANS, choose, getView, kindName, page, pathOfView } from "./state.js";

const ROW = 27;
const BAR = 14;
const NARROW = 560;
const LENGTHS = SPANS.map((days) => [days, `${days} days`]);

const isProbable = (segment) => ["up", "down"].includes(segment.kind) && !segment.is_certain;

// A check: a line, with a filled head below it where the store was offline.
function tick(x, y, isOnline, tip = null) {
  return s(
    "g",
    { class: isOnline ? "tick-up" : "tick-down", "data-tip": tip },
    s("rect", { x: x - 2, y, width: 4, height: 10, fill: "transparent" }),
    s("line", { x1: x, x2: x, y1: y, y2: y + (isOnline ? 8 : 6) }),
    isOnline ? null : s("path", { d: `M${x - 2.6} ${y + 5}h5.2l-2.6 5z` }),
  );
}

export function showLegend() {
  const kinds = ["up", "up?", "down", "down?", "unknown", "closed", "closure"].map((name) => {
    const kind = name.replace("?", "");
    const isSure = kind === name;
    const box = { width: 24, height: 12 };
    const hatched = isSure ? null : s("rect", { fill: "url(#h-legend)", ...box });
    const mark = swatch(hatching("h-legend"), s("rect", { class: `f-${kind}`, ...box }), hatched);
    return h("span", {}, mark, kindName({ kind, is_certain: isSure }));
  });
  byId("legend").replaceChildren(
    ...kinds,
    h("span", {}, swatch(tick(6, 1, true)), "check: online"),
    h("span", {}, swatch(tick(6, 1, false)), "check: offline"),
  );
}

// The local day that an instant falls on, and its microseconds since that day's midnight.
function placing(timeline) {
  const offsets = timeline.offsets.map((one) => [us(one.start), one.offset_seconds * 1e6]);
  return (at) => {
    let offset = offsets[0][1];
    for (const [start, value] of offsets) if (at >= start) offset = value;
    const day = Math.floor((at + offset) / DAY);
    return { day, time: at + offset - day * DAY };
  };
}

function segmentName(segment) {
  if (segment.event) {
    const said = [segment.event.source, segment.event.reason].filter(Boolean);
    return [kindName(segment), ...said].join(": ");
  }
  if (segment.kind !== "closure") return kindName(segment);
  const correction = page.corrections.find(
    (one) =>
      one.kind === "taken_out" &&
      us(one.from_utc) <= us(segment.start) &&
      us(segment.start) < us(one.to_utc),
  );
  if (correction) return `${COUNTS_AS.taken_out}: ${correction.reason}`;
  const at = wallClock(segment.start, page.store.timezone);
  const own = page.closures.find(
    (one) => one.start_local <= at && (!one.end_local || at < one.end_local),
  );
  return own?.reason ? `${KINDS.closure}: ${own.reason}` : KINDS.closure;
}

export const showTimeline = newestOnly(async (newest) => {
  segmented(byId("spans"), LENGTHS, page.days, (days) => choose({ days }));
  const from = new Date((us(page.store.as_of) - page.days * DAY) / 1000).toISOString();
  const timeline = await newest(getView("/timeline", { from }));
  chart(byId("timeline"), (whole) => draw(timeline, whole));
  const { clock } = page;
  const length = (one) => duration(us(one.end) - us(one.start));
  fillTable(
    byId("segments"),
    [
      { head: "When", label: "", cell: (one) => clock.exactRange(one.start, one.end) },
      { head: "What", label: "", cell: segmentName },
      { head: "Length", class: "number", label: "", cell: length },
    ],
    timeline.segments.slice().reverse(),
  );
  downloads(byId("segments-files"), (form) => pathOfView("/timeline", { from, ...form }));
});

function draw(timeline, whole) {
  const place = placing(timeline);
  const first = place(us(timeline.start)).day;
  const last = place(us(timeline.end) - 1).day;
  const days = last - first + 1;
  const isNarrow = whole < NARROW;
  const left = isNarrow ? 52 : 82;
  const width = whole - left - (isNarrow ? 20 : 24);
  const x = (time) => left + (time / DAY) * width;
  const y = (day) => (last - day) * ROW + 20;
  const label = `Timeline of ${counted(days, "day")} in local time, the same as the table below`;
  return frame(
    { width: whole, height: days * ROW + 22, label },
    hatching("h-line"),
    hourLines(x, days * ROW + 14, isNarrow ? 6 : 3),
    Array.from({ length: days }, (_, number) => dayName(first + number, left, y, isNarrow)),
    timeline.segments.map((segment) => pieces(segment, timeline, place, x, y)),
    timeline.polls.map((poll) => check(poll, place, x, y)),
  );
}

function hourLines(x, bottom, every) {
  const lines = [];
  for (let hour = 0; hour <= 24; hour += every) {
    const at = x(hour * HOUR);
    lines.push(
      s("line", { class: "grid", x1: at, x2: at, y1: 14, y2: bottom }),
      s("text", { x: at, y: 10, "text-anchor": "middle" }, hourOfDay(hour)),
    );
  }
  return lines;
}

function dayName(day, left, y, isNarrow) {
  const date = new Date((day * DAY) / 1000);
  const weekday = WEEKDAYS[(date.getUTCDay() + 6) % 7];
  const text = isNarrow
    ? `${weekday} ${date.getUTCDate()}`
    : `${weekday}, ${localDate(date.toISOString())}`;
  return s("text", { x: left - 8, y: y(day) + 11, "text-anchor": "end" }, text);
}

// A segment's pieces: one for each local day that it falls on.
function pieces(segment, timeline, place, x, y) {
  const { clock } = page;
  const start = us(segment.start);
  const end = us(segment.end);
  const tip = [
    segmentName(segment),
    `${clock.exactly(segment.start)} to`,
    clock.exactly(segment.end),
    duration(end - start),
  ].join("\n");
  const drawn = [];
  for (let at = start; at < end; ) {
    const { day, time } = place(at);
    let until = Math.min(end, at + DAY - time);
    // A change of the clock ends a piece, so that each lies where the wall clock shows it.
    for (const one of timeline.offsets) {
      if (us(one.start) > at && us(one.start) < until) until = us(one.start);
    }
    const width = Math.max(0.4, x(time + until - at) - x(time));
    const box = { x: x(time), y: y(day), width, height: BAR };
    const isRepeated = drawn.length > 0;
    drawn.push(s("g", { "data-tip": tip, "data-again": isRepeated }, piece(segment, box)));
    at = until;
  }
  return drawn;
}

// Offline is taller than online, and a closure is struck through: no colour is needed to tell.
function piece(segment, box) {
  const height = segment.kind === "down" ? BAR + 3 : BAR;
  const middle = box.y + BAR / 2;
  const line = { x1: box.x, x2: box.x + box.width, y1: middle, y2: middle };
  return [
    s("rect", { class: `f-${segment.kind}`, ...box, height }),
    isProbable(segment) ? s("rect", { fill: "url(#h-line)", ...box }) : null,
    segment.kind === "closure" ? s("line", { class: "struck", ...line }) : null,
  ];
}

function check(poll, place, x, y) {
  const { day, time } = place(us(poll.at));
  const tip = `check: ${poll.is_active ? "online" : "offline"}\n${page.clock.exactly(poll.at)}`;
  return tick(x(time), y(day) + BAR - 5, poll.is_active, tip);
}
