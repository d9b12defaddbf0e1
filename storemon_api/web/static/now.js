// The page of all stores as they are now.

import { byId, h } from "./lib/elements.js";
import { guard, live, showAsOf } from "./lib/live.js";
import { newestOnly } from "./lib/newest.js";
import { showChosen } from "./now/chosen.js";
import { showStores } from "./now/list.js";
import { showScope, showShares, showStates } from "./now/overview.js";
import { FILTERS, choose, fleet, readFleet, state, whenChanged } from "./now/state.js";
import { showDays, showGroups, showRankings } from "./now/totals.js";

const TYPING_MS = 200;
const form = byId("filters");

let typing = null;
let pressedBefore = [];

function showFilters() {
  const choices = [
    ["group", fleet.all.groups, "all groups"],
    ["region", fleet.all.regions, "all regions"],
    ["timezone", fleet.all.timezones, "all time zones"],
  ];
  for (const [name, totals, all] of choices) {
    const field = form.elements[name];
    const names = totals.map((total) => total.name).filter((value) => value !== null);
    const option = (value) => h("option", { value, selected: value === state[name] }, value);
    field.parentElement.hidden = totals.length === 0;
    field.replaceChildren(h("option", { value: "" }, all), ...names.map(option));
  }
  if (typing === null) form.elements.q.value = state.q;
}

// The button is there for those who may close stores. Other filters than these do not count for it.
const closing = byId("close-stores");

function showClosing() {
  const names = [state.group, state.region].filter(Boolean).join(", ");
  if (closing) closing.textContent = names ? `Close all stores of ${names}` : "Close all stores";
}

const show = newestOnly(async (newest, isNewer) => {
  const stores = showStores();
  Object.assign(fleet, await newest(readFleet(isNewer)));
  showAsOf(fleet.all.as_of);
  showScope();
  showStates();
  showShares();
  showGroups();
  showFilters();
  showClosing();
  showChosen();
  await Promise.all([stores, showRankings(), showDays()]);
});

// After a choice of stores: by Back, the boxes of the list follow.
async function showChoice() {
  showChosen();
  await showStores();
}

// A search covers all stores: its beginning releases the tiles, its end presses them again.
function search(q) {
  const isTyping = state.q !== "";
  if (!isTyping) pressedBefore = state.standing;
  const isEnd = q === "" && !state.standing.length;
  const standing = isEnd ? pressedBefore : isTyping ? state.standing : [];
  choose({ q, standing }, { isTyping });
}

form.elements.q.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    typing = null;
    search(form.elements.q.value);
  }, TYPING_MS);
});
form.addEventListener("submit", (event) => event.preventDefault());
for (const name of FILTERS) {
  form.elements[name].addEventListener("change", (event) => choose({ [name]: event.target.value }));
}
document.addEventListener("keydown", (event) => {
  const isTyping = document.activeElement.matches("input, select, textarea");
  if (event.key !== "/" || isTyping) return;
  event.preventDefault();
  form.elements.q.focus();
});
form.elements.q.value = state.q;

if (closing) {
  const closings = byId("closings");
  const showClosings = async () => {
    const page = await import("./now/close-stores.js");
    if (closings.open) await page.showClosings(whenClosed);
  };
  const whenClosed = () => guard(() => Promise.all([show(true), showClosings()]));
  closings.addEventListener("toggle", () => guard(showClosings));
  closing.addEventListener("click", async () => {
    const { closeStores } = await import("./now/close-stores.js");
    closeStores(whenClosed);
  });
  closing.disabled = false;
}

whenChanged((changed) => {
  // These tabs change nothing else.
  if (String(changed) === "split") showGroups();
  else if (String(changed) === "worst") guard(showRankings);
  else if (changed.every((name) => ["chosen", "month"].includes(name))) guard(showChoice);
  else guard(() => show(false));
});
live(async () => {
  await show(true);
  document.body.dataset.ready = fleet.all.as_of || "empty";
});
