// The dialog of a change: its fields, a preview of what it changes, saving.

import { ask } from "./api.js";
import { byId, h, refill } from "./elements.js";
import { newestOnly } from "./newest.js";

// A page of a key that may not change anything has no dialog.
const dialog = byId("change");

export const canChange = dialog !== null;

export const send = (method, path, body, signal) =>
  ask(path, {
    method,
    signal,
    headers: { "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });

// Ends the requests of previews whose answers nobody waits for any more.
let previews = new AbortController();

function endPreviews() {
  previews.abort();
  previews = new AbortController();
}

export const askPreview = async (path, body) =>
  (await send("POST", path, body, previews.signal)).json();

// What is open: `read` gives what is in the fields, `preview` what that would change, as elements,
// and `save` makes the change.
let open = null;

function showProblem(text) {
  const box = byId("change-problem");
  box.hidden = !text;
  refill(box, text);
}

async function attempt(work) {
  try {
    showProblem("");
    await work();
  } catch (error) {
    if (error.name === "AbortError") return;
    forgetPreview();
    showProblem(error.message);
  }
}

// A preview of other values than those in the fields would mislead.
export const forgetPreview = () => refill(byId("change-preview"));

const showPreview = newestOnly(async (newest) => {
  const box = byId("change-preview");
  refill(box, h("p", { class: "note" }, "Working it out …"));
  refill(box, await newest(open.preview(open.read())));
  box.scrollIntoView({ block: "nearest" });
});

// `fields` are shown above the preview. Without fields the preview is shown at once.
export function openChange({ title, fields = null, read, preview, save, word = "Save", done }) {
  endPreviews();
  open = { read, preview, save, done };
  refill(byId("change-title"), title);
  byId("change-save").textContent = word;
  byId("change-show").hidden = fields === null;
  refill(byId("change-fields"), fields);
  refill(byId("change-preview"));
  showProblem("");
  dialog.showModal();
  if (fields === null) attempt(showPreview);
}

if (canChange) {
  byId("change-show").addEventListener("click", () => attempt(showPreview));
  byId("change-close").addEventListener("click", () => dialog.close());
  // This event comes later than the closing, when another change may be open already.
  dialog.addEventListener("close", () => dialog.open || endPreviews());
  byId("change-fields").addEventListener("input", () => {
    endPreviews();
    forgetPreview();
  });
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const button = byId("change-save");
    button.disabled = true;
    const own = open;
    endPreviews();
    attempt(async () => {
      // A body that nobody reads would keep one of the few connections to the server.
      await (await own.save(own.read())).text();
      refill(byId("change-preview"), h("p", { class: "note" }, "Saved. Reading the new figures …"));
      await own.done();
      // Unless the reader has closed it meanwhile, and opened it for another change.
      if (own === open) dialog.close();
    }).finally(() => {
      button.disabled = false;
    });
  });
}
