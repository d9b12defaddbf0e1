// Entering and cancelling planned closures of a store.

import { byId, h, refill } from "../lib/elements.js";
import { dayAfter } from "../lib/times.js";
import { send } from "../lib/change.js";
import { openChange } from "./preview.js";
import { page } from "./state.js";

const field = (label, attributes) => h("label", {}, label, " ", h("input", attributes));

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

function addClosure(done) {
  const { elements } = byId("change").querySelector("form");
  openChange({
    title: "Add a planned closure",
    fields: closureFields(),
    read: () => ({ closure: readClosure(elements) }),
    save: ({ closure }) =>
      send("POST", "/closures", {
        store_id: page.store.store_id,
        reason: elements.reason.value,
        ...closure,
      }),
    done,
  });
}

export function cancelButton(closure, done) {
  const onclick = () =>
    openChange({
      title: "Cancel this closure",
      read: () => ({ cancelled_closure: closure.closure_id }),
      save: () => send("DELETE", `/closures/${closure.closure_id}`),
      word: "Cancel the closure",
      done,
    });
  return h("button", { type: "button", class: "small", onclick }, "Cancel closure");
}

export function offerClosures(done) {
  const onclick = () => addClosure(done);
  refill(
    byId("closures-acts"),
    h("button", { type: "button", class: "small", onclick }, "Add a closure"),
  );
}
