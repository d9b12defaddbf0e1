// Finding stores and groups by a part of their names, to add them to what a person sees.

import { get } from "../lib/api.js";
import { byId, h, refill } from "../lib/elements.js";
import { guard } from "../lib/live.js";
import { newestOnly } from "../lib/newest.js";

const TYPING_MS = 200;
const MOST = 5;

const { find, stores, groups } = byId("edit").querySelector("form").elements;
let typing = null;

// Adds a line, unless it is there.
function addLine(field, line) {
  const lines = field.value.split("\n").map((one) => one.trim());
  if (!lines.includes(line)) field.value = [...lines.filter(Boolean), line].join("\n");
}

function choice(field, line, ...words) {
  const onclick = () => {
    addLine(field, line);
    clearFound();
    find.focus();
  };
  return h("button", { type: "button", class: "small", onclick }, words);
}

export function clearFound() {
  find.value = "";
  refill(byId("edit-found"));
}

const show = newestOnly(async (newest) => {
  const q = find.value.trim();
  if (!q) {
    clearFound();
    return;
  }
  const [fleet, page] = await newest(
    Promise.all([get("/fleet/now"), get("/stores", { q, limit: MOST })]),
  );
  const isLike = (name) => name.toLowerCase().includes(q.toLowerCase());
  const names = fleet.groups.map(({ name }) => name).filter((name) => name && isLike(name));
  const found = [
    ...names.slice(0, MOST).map((name) => choice(groups, name, `Group ${name}`)),
    ...page.stores.map(({ store_id: id, name, group }) =>
      choice(stores, id, [name, id, group].filter(Boolean).join(" · ")),
    ),
  ];
  refill(byId("edit-found"), found.length ? found : h("p", { class: "note" }, "Nothing found"));
});

find.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => guard(show), TYPING_MS);
});
// Enter in this field does not invite anybody.
find.addEventListener("keydown", (event) => {
  if (event.key === "Enter") event.preventDefault();
});
