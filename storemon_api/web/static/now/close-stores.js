// Closing all stores of the chosen group or region in one step. Loaded when it is first asked for.

import { counted, duration } from "../lib/amounts.js";
import { askPreview, openChange, send } from "../lib/change.js";
import { closureFields, readClosure } from "../lib/closure-fields.js";
import { byId, h } from "../lib/elements.js";
import { state } from "./state.js";

async function preview(body) {
  const found = await askPreview("/fleet/closures/preview", body);
  const lines = [
    ["Opening time so far that is taken out", found.business_us],
    ["online in it", found.uptime_us],
    ["offline in it", found.downtime_us],
    ["Opening time to come that is taken out", found.coming_us],
  ];
  return [
    h("p", { class: "note" }, `${counted(found.stores, "store")}, at most 31 days back and ahead.`),
    h(
      "table",
      { class: "preview" },
      h("caption", {}, "What the closure takes out"),
      h(
        "tbody",
        {},
        lines.map(([word, amount]) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, word),
            h("td", { class: "number" }, duration(amount)),
          ),
        ),
      ),
    ),
  ];
}

export function closeStores(done) {
  const { group, region } = state;
  const { elements } = byId("change").querySelector("form");
  const names = [group, region].filter(Boolean).join(", ");
  openChange({
    title: names ? `Close all stores of ${names}` : "Close all stores",
    fields: closureFields(),
    read: () => ({
      ...(group && { group }),
      ...(region && { region }),
      reason: elements.reason.value,
      ...readClosure(elements),
    }),
    preview,
    save: (body) => send("POST", "/fleet/closures", body),
    done,
  });
}
