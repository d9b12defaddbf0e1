// The page of one store.

import { byId } from "./lib/elements.js";
import { guard, live, showAsOf } from "./lib/live.js";
import { showBudget } from "./store/budget.js";
import { showChannels } from "./store/channels.js";
import { showCorrections } from "./store/change-corrections.js";
import { showDays } from "./store/days.js";
import { showExplanation } from "./store/explain.js";
import { showFigures, showFiguresLegend, showTitle } from "./store/figures.js";
import { showHoursLegend, showHoursOfWeek } from "./store/hours-of-week.js";
import { showOutages } from "./store/outages.js";
import { showClosures, showHours, showScheduleChanges } from "./store/schedule.js";
import { page, readStore, whenChanged } from "./store/state.js";
import { showLegend, showTimeline } from "./store/timeline.js";

async function readKnownStore() {
  try {
    await readStore();
  } catch (error) {
    if (error.status !== 404) throw error;
    error.message = "Unknown store. Check its ID, or search for it on the Now page.";
    throw error;
  } finally {
    byId("sections").hidden = page.store === null;
  }
}

const SECTIONS = {
  window: showExplanation,
  days: showTimeline,
  outages: () => showOutages(changed),
  objective: showBudget,
  period: showBudget,
};
whenChanged((names) => guard(() => Promise.all(names.map((name) => SECTIONS[name]()))));

async function show() {
  await readKnownStore();
  showAsOf(page.store.as_of, page.clock);
  showTitle();
  showFigures();
  showFiguresLegend();
  showChannels();
  showHours();
  showClosures(changed);
  showCorrections(changed);
  showLegend();
  showHoursLegend();
  await Promise.all([
    showTimeline(),
    showOutages(changed),
    showBudget(),
    showDays(),
    showHoursOfWeek(),
    showExplanation(),
    showScheduleChanges(changed),
  ]);
  document.body.dataset.ready = page.store.as_of;
}

// After a change of hours, closures or corrections all figures may be others.
const changed = () => guard(show);

live(show);
