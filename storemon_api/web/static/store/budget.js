// The objective on file, or one that is typed in: time offline that it allows, and time used.

import { count, duration, percent } from "../lib/amounts.js";
import { byId, h, segmented } from "../lib/elements.js";
import { newestOnly } from "../lib/newest.js";
import { PERIODS, choose, getView, page } from "./state.js";

const EXAMPLE = 98.5;
const target = byId("objective").elements.objective;
target.addEventListener("change", () => choose({ objective: target.value }));
byId("objective").addEventListener("submit", (event) => event.preventDefault());

// The percentage in the address, as the API takes it; null if there is none.
function chosenObjective() {
  const value = Number(page.objective);
  return page.objective && value >= 0 && value <= 100 ? Math.round(value * 1e4) / 1e4 : null;
}

function pace({ rate }) {
  return rate === null ? percent(null) : `${count(Math.round(rate * 10) / 10)} × allowed`;
}

function usedUp(budget) {
  if (budget.runs_out_at) return page.clock.at(budget.runs_out_at);
  return `not before the ${budget.by} ends`;
}

function numbers(budget) {
  const [day, threeDays] = budget.burns;
  const left = duration(Math.abs(budget.left_us));
  return [
    [`${budget.by} so far`, `${percent(budget.uptime_percent)} online`],
    ["objective so far", budget.verdict],
    ["may be offline", duration(budget.budget_us)],
    ["used", duration(budget.spent_us)],
    budget.is_spent ? ["over by", left] : ["left", left],
    ["pace, last 24 hours", pace(day)],
    ["pace, last 3 days", pace(threeDays)],
    ["used up", usedUp(budget)],
  ];
}

export const showBudget = newestOnly(async (newest) => {
  segmented(byId("budget-periods"), Object.entries(PERIODS), page.period, (period) =>
    choose({ period }),
  );
  target.value = page.objective;
  const stored = page.store.objectives[page.period];
  target.placeholder = stored ?? EXAMPLE;
  const objective = chosenObjective() ?? stored;
  const budget =
    objective === undefined
      ? null
      : await newest(getView("/budget", { objective, by: page.period }));
  const span = budget && page.clock.range(budget.start, budget.end);
  byId("budget-note").textContent = budget
    ? `At least ${objective} % of ${duration(budget.opening_us)} open in ${span}`
    : "Type in a percentage to see how much time offline it allows.";
  const terms = budget ? numbers(budget) : [];
  byId("budget").replaceChildren(
    ...terms.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))),
  );
});
