// Stores that are chosen in the list, to download their days.

import { counted } from "../lib/amounts.js";
import { withParameters } from "../lib/api.js";
import { byId, h, refill } from "../lib/elements.js";
import { downloads } from "../lib/tables.js";
import { choose, fleet, state } from "./state.js";

// As many as the API takes at a time.
const MOST = 100;

export function chooseBox({ store_id: storeId, name }) {
  const isChosen = state.chosen.includes(storeId);
  const onchange = ({ target }) => {
    const others = state.chosen.filter((one) => one !== storeId);
    const chosen = target.checked ? [...others, storeId] : others;
    choose({ chosen: chosen.slice(-MOST), offset: state.offset });
  };
  const label = `Choose ${name || storeId}`;
  return h(
    "label",
    { class: "pick" },
    h("input", { type: "checkbox", checked: isChosen, "aria-label": label, onchange }),
  );
}

// The first days of a month such as "2023-01" and of the next one.
function monthBounds(month) {
  const [year, number] = month.split("-").map(Number);
  const next = number === 12 ? `${year + 1}-01` : `${year}-${String(number + 1).padStart(2, "0")}`;
  return { from: `${month}-01`, to: `${next}-01` };
}

export function showChosen() {
  const { chosen } = state;
  byId("chosen").hidden = !chosen.length;
  if (!chosen.length) return;
  const month = state.month || (fleet.all.as_of ?? "").slice(0, 7);
  const field = h("input", {
    type: "month",
    value: month,
    onchange: ({ target }) => choose({ month: target.value, offset: state.offset }),
  });
  const clear = () => choose({ chosen: [], offset: state.offset });
  const files = h("span", { class: "files" });
  refill(
    byId("chosen"),
    h("strong", {}, `${counted(chosen.length, "store")} chosen`),
    h("label", {}, "days of ", field),
    files,
    h("button", { type: "button", class: "small", onclick: clear }, "Choose none"),
  );
  const days = month ? monthBounds(month) : {};
  downloads(files, (form) =>
    withParameters("/fleet/store-days", { store_id: chosen, ...days, ...form }),
  );
}
