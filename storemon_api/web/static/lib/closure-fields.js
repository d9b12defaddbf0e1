// The fields of a planned closure in a dialog, and its time as text.

import { h } from "./elements.js";
import { dayAfter, localTime } from "./times.js";

const field = (label, attributes) => h("label", {}, label, " ", h("input", attributes));

export function closureTime({ start_local: start, end_local: end }) {
  const from = localTime(start);
  return end ? `${from} – ${localTime(end)}` : `${from} until further notice`;
}

// Whole days, unless times are given.
export function closureFields() {
  return [
    h(
      "div",
      { class: "pair" },
      field("First day", { type: "date", name: "first", required: true }),
      field("Last day", { type: "date", name: "last" }),
    ),
    h(
      "label",
      { class: "choice" },
      h("input", { type: "checkbox", name: "open" }),
      "until further notice",
    ),
    h(
      "details",
      {},
      h("summary", {}, "Only part of the first and last day"),
      h(
        "div",
        { class: "pair" },
        field("Closed from", { type: "time", name: "from" }),
        field("Open again at", { type: "time", name: "to" }),
      ),
    ),
    field("Reason", { type: "text", name: "reason", maxlength: 2000 }),
  ];
}

export function readClosure({ first, last, from, to, open }) {
  if (!first.value) throw new Error("Choose the first day.");
  const until = last.value || first.value;
  const end = to.value ? `${until} ${to.value}` : `${dayAfter(until)} 00:00`;
  return {
    start_local: `${first.value} ${from.value || "00:00"}`,
    end_local: open.checked ? null : end,
  };
}
