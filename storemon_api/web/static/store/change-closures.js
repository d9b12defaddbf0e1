// Entering and cancelling planned closures of a store.

import { send } from "../lib/change.js";
import { closureFields, readClosure } from "../lib/closure-fields.js";
import { byId, deedButton, refill } from "../lib/elements.js";
import { openChange } from "./preview.js";
import { page } from "./state.js";

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
  return deedButton(`DELETE /closures/${closure.closure_id}`, "Cancel closure", onclick);
}

export function offerClosures(done) {
  const add = deedButton("POST /closures", "Add a closure", () => addClosure(done));
  refill(byId("closures-acts"), add);
}
