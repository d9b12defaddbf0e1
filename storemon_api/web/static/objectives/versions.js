// The objectives that are set, with all their versions; setting, ending and taking back.

import { count, counted } from "../lib/amounts.js";
import { get, withParameters } from "../lib/api.js";
import { askPreview, canChange, openChange, send } from "../lib/change.js";
import { byId, deedButton, h } from "../lib/elements.js";
import { newestOnly } from "../lib/newest.js";
import { storeLink } from "../lib/stores.js";
import { downloads, fillTable } from "../lib/tables.js";
import { utc } from "../lib/times.js";
import { VERDICTS } from "./verdicts.js";

const SET = "PUT /objectives";
const KINDS = { all: "all stores", group: "a group", region: "a region", store: "one store" };

const form = () => byId("change").querySelector("form").elements;
const option = (value, word, chosen) => h("option", { value, selected: value === chosen }, word);

const names = async (kind) => {
  const fleet = await get("/fleet/now");
  return fleet[`${kind}s`].map(({ name }) => name).filter(Boolean);
};

// The field for the name that fits what is chosen: a group, a region, or the ID of a store.
async function nameField(kind, name) {
  if (kind === "all") return null;
  if (kind === "store") {
    return h(
      "label",
      {},
      "Store ID ",
      h("input", { name: "name", value: name, required: true, autocomplete: "off" }),
    );
  }
  const options = (await names(kind)).map((one) => option(one, one, name));
  const word = { group: "Group ", region: "Region " }[kind];
  return h("label", {}, word, h("select", { name: "name", required: true }, options));
}

async function fields({ applies_to: kind, name, objective, by }) {
  const place = h("div", {}, await nameField(kind, name));
  const onchange = async ({ target }) => {
    const field = await nameField(target.value, "");
    place.replaceChildren(...(field ? [field] : []));
  };
  const kinds = Object.entries(KINDS).map(([value, word]) => option(value, word, kind));
  const since = (value, word, isChosen) =>
    h(
      "label",
      { class: "choice" },
      h("input", { type: "radio", name: "since", value, checked: isChosen }),
      word,
    );
  return [
    h("label", {}, "For ", h("select", { name: "kind", "aria-label": "For", onchange }, kinds)),
    place,
    h(
      "div",
      { class: "pair" },
      h(
        "label",
        {},
        "Online for at least, in % of opening hours ",
        h("input", {
          ...{ type: "number", name: "percent", min: 0, max: 100, step: "any", required: true },
          ...{ value: objective, placeholder: "98.5", inputmode: "decimal" },
        }),
      ),
      h(
        "label",
        {},
        "Per ",
        h("select", { name: "by" }, option("month", "month", by), option("week", "week", by)),
      ),
    ),
    h(
      "fieldset",
      { class: "since" },
      h("legend", {}, "It holds"),
      since("", "from this period on", true),
      since("always", "always, for past periods too", false),
    ),
  ];
}

function readObjective() {
  const { kind, name, percent, by, since } = form();
  if (!percent.value) throw new Error("Give a percentage, such as 98.5.");
  return {
    applies_to: kind.value,
    name: kind.value === "all" ? "" : name.value,
    objective: Number(percent.value),
    by: by.value,
    valid_from: since.value,
  };
}

function line(word, before, after) {
  const cell = (value) => h("td", { class: "number" }, count(value));
  const head = h("th", { scope: "row" }, word);
  return h("tr", { class: before === after ? null : "changed" }, head, cell(before), cell(after));
}

async function preview(body) {
  const answer = await askPreview("/objectives/preview", body);
  const { before, after } = answer;
  const heads = ["Now", "Then"].map((word) => h("th", { scope: "col", class: "number" }, word));
  const lines = Object.entries(VERDICTS).map(([verdict, { word }]) =>
    line(word, before.verdicts[verdict], after.verdicts[verdict]),
  );
  return [
    h("p", { class: "note" }, `${counted(answer.stores_changed, "store")} get another objective.`),
    h(
      "table",
      { class: "preview" },
      h("caption", {}, `Stores this ${answer.by}, so far`),
      h("thead", {}, h("tr", {}, h("td", {}), heads)),
      h("tbody", {}, lines, line("Used up", before.spent, after.spent)),
    ),
  ];
}

async function set(version, done) {
  openChange({
    title: "Set an objective",
    fields: await fields(version),
    read: readObjective,
    preview,
    save: (body) => send("PUT", "/objectives", body),
    done,
  });
}

const end = ({ applies_to: kind, name, by }, done) =>
  openChange({
    title: "End this objective",
    read: () => ({ applies_to: kind, name, by, objective: null, valid_from: "" }),
    preview,
    save: (body) => send("PUT", "/objectives", body),
    word: "End it",
    done,
  });

const takeBack = ({ objective_id: id }, done) =>
  openChange({
    title: "Take this objective back",
    read: () => null,
    preview: async () =>
      h("p", { class: "note" }, "It is as if it had never been set, in past periods too."),
    save: () => send("DELETE", `/objectives/${id}`),
    word: "Take back",
    done,
  });

function storesOf({ applies_to: kind, name }) {
  if (kind === "all") return "All stores";
  return kind === "store"
    ? ["Store ", storeLink(name)]
    : `${kind === "group" ? "Group" : "Region"} ${name}`;
}

// Everything of one target and period is one objective; its last version is the one to change.
const keyOf = ({ applies_to: kind, name, by }) => JSON.stringify([kind, name, by]);

async function readVersions() {
  const found = [];
  for (let after = 0; after !== null; ) {
    const page = await get("/objectives", { after, limit: 1000 });
    found.push(...page.objectives);
    after = page.next_after;
  }
  return found;
}

export const showVersions = newestOnly(async (newest, done) => {
  const versions = await newest(readVersions());
  const last = new Map(versions.map((one) => [keyOf(one), one.objective_id]));
  const acts = (one) => {
    const isLast = last.get(keyOf(one)) === one.objective_id;
    return h(
      "div",
      { class: "account-acts" },
      isLast ? deedButton(SET, "Change", () => set(one, done)) : null,
      isLast && one.objective !== null ? deedButton(SET, "End", () => end(one, done)) : null,
      deedButton(`DELETE /objectives/${one.objective_id}`, "Take back", () => takeBack(one, done)),
    );
  };
  const columns = [
    { head: "For", class: "id", label: "", cell: storesOf },
    {
      head: "Objective",
      label: "objective",
      cell: ({ objective, by }) => (objective === null ? "none" : `${objective} % per ${by}`),
    },
    {
      head: "Holds",
      label: "holds",
      cell: ({ valid_from: from }) => (from === null ? "always" : `from ${utc.at(from)} on`),
    },
  ];
  const actions = { head: h("span", { class: "sr-only" }, "Actions"), class: "wide", label: "" };
  fillTable(
    byId("versions"),
    canChange ? [...columns, { ...actions, cell: acts }] : columns,
    versions.toReversed(),
    "No objective is set",
  );
  downloads(byId("versions-files"), (format) => withParameters("/objectives", format));
  if (!canChange) return;
  const add = byId("set-objective");
  add.onclick = () => set({ applies_to: "all", name: "", objective: null, by: "month" }, done);
  add.disabled = false;
});
