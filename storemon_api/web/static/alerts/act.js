// Acting on an alert: acknowledge it, silence it until a time, write a note on it.

import { ask } from "../lib/api.js";
import { byId, h, refill } from "../lib/elements.js";

// A page of a key that may not act has no dialog.
const dialog = byId("act");
const HOURS_OF_SILENCE = 8;
const MINUTE_MS = 60_000;

export const canAct = dialog !== null;

// A field of a browser's local time takes it without a zone.
function localTime(date) {
  const shifted = new Date(date.getTime() - date.getTimezoneOffset() * MINUTE_MS);
  return shifted.toISOString().slice(0, 16);
}

function showProblem(text) {
  const box = byId("act-problem");
  box.hidden = !text;
  refill(box, text);
}

function until(form) {
  const chosen = new Date(form.until.value);
  if (Number.isNaN(chosen.getTime())) throw new Error("Choose until when it is to be silent.");
  if (chosen <= new Date()) throw new Error("Pick a time in the future.");
  return chosen.toISOString();
}

const ACTIONS = [
  ["acknowledge", "Acknowledge", (alert) => !alert.acknowledged_at],
  ["unacknowledge", "Take acknowledgement back", (alert) => alert.acknowledged_at],
  ["silence", "Silence", () => true],
  ["unsilence", "End silence", (alert) => alert.silenced_until],
  ["note", "Save note", () => true],
];

// Opens the dialog; `done` is called after an action.
export function openActions(alert, name, done) {
  const form = dialog.querySelector("form").elements;
  form.note.value = "";
  form.until.value = localTime(new Date(Date.now() + HOURS_OF_SILENCE * 60 * MINUTE_MS));
  refill(byId("act-what"), name);
  showProblem("");
  async function act(action) {
    try {
      const body = { action, note: form.note.value };
      if (action === "silence") body.until = until(form);
      await ask(`/alerts/${alert.alert_id}/actions`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      dialog.close();
      done();
    } catch (error) {
      showProblem(error.message);
    }
  }
  const button = ([action, word]) =>
    h("button", { type: "button", class: "small", onclick: () => act(action) }, word);
  refill(
    byId("act-buttons"),
    ACTIONS.filter(([, , isOffered]) => isOffered(alert)).map(button),
    h("button", { type: "submit", class: "small" }, "Cancel"),
  );
  dialog.showModal();
}
