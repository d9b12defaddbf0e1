// Closing all stores of the chosen group or region in one step, and taking such a closing back.
// Loaded when it is first asked for.

import { counted, duration } from "../lib/amounts.js";
import { askPreview, openChange, send } from "../lib/change.js";
import { closureFields, closureTime, readClosure } from "../lib/closure-fields.js";
import { get, withParameters } from "../lib/api.js";
import { byId, deedButton, h, refill } from "../lib/elements.js";
import { downloads } from "../lib/tables.js";
import { utc } from "../lib/times.js";
import { state } from "./state.js";

const TAKEN_OUT = { is: "is taken out", caption: "What the closure takes out" };
const BACK = { is: "comes back", caption: "What comes back" };

async function preview(path, words, body) {
  const found = await askPreview(path, body);
  const lines = [
    [`Opening time so far that ${words.is}`, found.business_us],
    ["online in it", found.uptime_us],
    ["offline in it", found.downtime_us],
    [`Opening time to come that ${words.is}`, found.coming_us],
  ];
  return [
    h("p", { class: "note" }, `${counted(found.stores, "store")}, at most 31 days back and ahead.`),
    h(
      "table",
      { class: "preview" },
      h("caption", {}, words.caption),
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
    preview: (body) => preview("/fleet/closures/preview", TAKEN_OUT, body),
    save: (body) => send("POST", "/fleet/closures", body),
    done,
  });
}

// That of every store is a single closure, which its page offers to cancel, too.
const pathOf = (closing) =>
  closing.closure_id === null
    ? `/fleet/closures/${closing.load_id}`
    : `/closures/${closing.closure_id}`;

function takeBack(closing, done) {
  openChange({
    title: "Take this closing back",
    read: () => undefined,
    preview: () => preview(`/fleet/closures/${closing.load_id}/preview`, BACK),
    save: () => send("DELETE", pathOf(closing)),
    word: "Take back",
    done,
  });
}

function closingLine(one, done) {
  const stores = one.closure_id === null ? counted(one.closures, "store") : "all stores";
  const left = one.cancelled ? `, ${one.cancelled} more were opened again` : "";
  const more = [
    one.reason,
    `entered ${utc.at(one.loaded_at)}${one.author ? ` by ${one.author}` : ""}`,
  ];
  const onclick = () => takeBack(one, done);
  return h(
    "li",
    {},
    `${closureTime(one)}: ${stores}${left}`,
    h(
      "span",
      { class: "sub" },
      more
        .filter(Boolean)
        .map((text) => ` · ${text}`)
        .join(""),
      " ",
    ),
    deedButton(`DELETE ${pathOf(one)}`, "Take back", onclick),
  );
}

// What was closed in one step and is in force; `done` is called after one is taken back.
export async function showClosings(done) {
  const { closings } = await get("/fleet/closures");
  const files = h("p", { class: "files" });
  downloads(files, (form) => withParameters("/fleet/closures", form));
  refill(
    byId("closings-list"),
    closings.length
      ? h(
          "ul",
          { class: "plain" },
          closings.map((one) => closingLine(one, done)),
        )
      : h("p", { class: "empty" }, "Nothing is closed in one step."),
    closings.length ? files : null,
  );
}
