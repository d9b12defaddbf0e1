// A tooltip for all that has `data-tip`, by pointer and by focus, and the keyboard in charts.

import { byId, h } from "./elements.js";

const tip = byId("tip");

function showTip(target, x, y) {
  tip.textContent = target.dataset.tip;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const isLow = y + 16 + box.height > innerHeight;
  tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - box.width - 4))}px`;
  tip.style.top = `${isLow ? y - box.height - 8 : y + 16}px`;
}

function showTipAt(target) {
  const box = target.getBoundingClientRect();
  showTip(target, box.left, box.bottom - 12);
}

const tipOf = (event) => event.target.closest?.("[data-tip]");

document.addEventListener("pointermove", (event) => {
  const target = tipOf(event);
  if (target) showTip(target, event.clientX, event.clientY);
  else tip.hidden = true;
});

document.addEventListener("pointerdown", (event) => {
  const target = tipOf(event);
  if (target && event.pointerType !== "mouse") showTip(target, event.clientX, event.clientY);
});

document.addEventListener("focusin", (event) => {
  const target = tipOf(event);
  if (target) showTipAt(target);
  else tip.hidden = true;
});

// What the arrow keys come to is read aloud.
const spoken = h("div", { class: "sr-only", role: "status", "aria-live": "polite" });
document.body.append(spoken);

function nextMark(key, now, length) {
  switch (key) {
    case "ArrowRight":
    case "ArrowDown":
      return now + 1;
    case "ArrowLeft":
    case "ArrowUp":
      return now < 0 ? length - 1 : now - 1;
    case "Home":
      return 0;
    case "End":
      return length - 1;
    default:
      return -1;
  }
}

// A chart is one stop of the Tab key; the arrow keys walk through its marks.
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    tip.hidden = true;
    return;
  }
  const chart = document.activeElement;
  if (!chart.matches("svg[data-walk]")) return;
  const marks = [...chart.querySelectorAll("[data-tip]:not([data-again])")];
  const now = marks.indexOf(chart.querySelector(".at"));
  const next = marks[nextMark(event.key, now, marks.length)];
  if (!next) return;
  event.preventDefault();
  marks[now]?.classList.remove("at");
  next.classList.add("at");
  showTipAt(next);
  spoken.textContent = next.dataset.tip.replaceAll("\n", ", ");
});
