// Following the data: the page's first figures, newer ones as they arrive, and how old they are.

import { HOUR, age } from "./amounts.js";
import { byId, h, refill } from "./elements.js";
import { signInAgain } from "./api.js";
import { subscribe } from "./events.js";
import { us, utc } from "./times.js";

// Stores are polled hourly: data older than this is late.
const OLD_US = 2 * HOUR;

let isConnected = false;
let isOld = false;

export function showProblem(error) {
  const box = byId("problem");
  box.hidden = !error;
  if (!error) return;
  refill(box, error.status === undefined ? "The server cannot be reached." : error.message);
}

// Runs some work; the page says what went wrong with it.
export async function guard(work) {
  try {
    await work();
    showProblem(null);
  } catch (error) {
    showProblem(error);
  }
}

// Calls `update` now, and whenever the server has newer data.
export async function live(update) {
  let isRunning = false;
  let isDue = false;
  // Newer data can arrive during an update: another one follows it.
  const run = async () => {
    isDue = true;
    if (isRunning) return;
    isRunning = true;
    while (isDue) {
      isDue = false;
      await guard(update);
    }
    isRunning = false;
  };
  subscribe({ onConnection: setConnected, onData: run, onRefused: signInAgain });
  await run();
}

function setConnected(value) {
  isConnected = value;
  showBadge();
}

function showBadge() {
  const badge = document.querySelector(".live");
  if (!badge) return;
  badge.classList.toggle("on", isConnected && !isOld);
  badge.classList.toggle("old", isConnected && isOld);
  badge.textContent = !isConnected ? "Not connected, retrying" : isOld ? "Out of date" : "Live";
  badge.title = isConnected ? "This page shows new data as it arrives" : "";
}

let shown = null;

// Says in the bar up to when the page's data goes, and warns where that is long ago.
export function showAsOf(asOf, clock = utc) {
  shown = { asOf, clock };
  showAge();
}

export const isOldData = (asOf) => Date.now() * 1000 - us(asOf) > OLD_US;

function showAge() {
  const box = byId("as-of");
  const { asOf, clock } = shown;
  if (!asOf) {
    box.replaceChildren("No data yet");
    return;
  }
  const behind = Date.now() * 1000 - us(asOf);
  isOld = isOldData(asOf);
  box.replaceChildren(
    box.querySelector(".live") || h("span", { class: "live" }),
    " · data up to ",
    h("strong", {}, clock.at(asOf)),
    isOld ? h("strong", { class: "late" }, `, ${age(behind)} ago`) : "",
  );
  showBadge();
}

// Data gets old while nothing arrives.
setInterval(() => {
  if (shown) showAge();
}, 60_000);
