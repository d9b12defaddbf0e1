// What all charts share: their size, their frame, and marks that differ by more than colour.

import { ceilPercent, floorPercent } from "./amounts.js";
import { s } from "./elements.js";
import "./tooltips.js";

const NARROWEST = 240;

// Draws a chart as wide as its box, so that its letters keep their size; again when that changes.
const drawings = new WeakMap();
const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (drawings.get(target).width !== target.clientWidth) paint(target);
  }
});

function paint(box) {
  const drawing = drawings.get(box);
  drawing.width = box.clientWidth;
  box.replaceChildren(drawing.draw(Math.max(drawing.width, NARROWEST)));
}

export function chart(box, draw) {
  drawings.set(box, { draw, width: 0 });
  paint(box);
  resized.observe(box);
}

// The frame of a chart: an image with a name, whose marks the arrow keys walk through.
export function frame({ x = 0, y = 0, width, height, label }, ...children) {
  return s(
    "svg",
    {
      viewBox: `${x} ${y} ${width} ${height}`,
      width,
      height,
      role: "img",
      tabindex: 0,
      "data-walk": true,
      "aria-label": `${label}. Use the arrow keys to move through it.`,
    },
    children,
  );
}

// The hatching of what is probable and not sure; each chart has its own copy.
export function hatching(id) {
  const line = s("line", { class: "hatch", x1: 0, y1: 0, x2: 0, y2: 6 });
  const pattern = {
    id,
    width: 6,
    height: 6,
    patternUnits: "userSpaceOnUse",
    patternTransform: "rotate(45)",
  };
  return s("defs", {}, s("pattern", pattern, line));
}

// A swatch of a legend.
export const swatch = (...children) =>
  s("svg", { viewBox: "0 0 24 12", "aria-hidden": "true" }, children);

// A bar of the share that was online: up to the likely range, the range, and the estimate. Where
// there is no likely range it shows what the checks alone leave open.
export function uptimeBar(figures) {
  const whole = figures.business_us || 1;
  const at = (value) => (100 * value) / whole;
  const lowest = figures.likely_lowest_uptime_us ?? figures.lowest_uptime_us;
  const highest = figures.likely_highest_uptime_us ?? figures.highest_uptime_us;
  const low = at(lowest);
  const high = at(highest);
  const bar = (attributes) => s("rect", { y: 1.5, height: 3, ...attributes });
  const label = figures.business_us
    ? `between ${floorPercent(lowest, whole)} and ${ceilPercent(highest, whole)}`
    : "closed";
  return s(
    "svg",
    {
      viewBox: "0 0 100 6",
      preserveAspectRatio: "none",
      role: "img",
      width: "100%",
      height: 8,
      "aria-label": label,
    },
    bar({ class: "range", x: 0, width: 100 }),
    bar({ class: "f-up", x: 0, width: low }),
    bar({ class: "f-up", x: low, width: Math.max(high - low, 0.2), opacity: 0.4 }),
    s("rect", { class: "mark", x: Math.min(at(figures.uptime_us), 99.5), width: 0.6, height: 6 }),
  );
}
