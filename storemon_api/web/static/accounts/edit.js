// The form with which a person is invited, or an account changed.

import { byId, refill } from "../lib/elements.js";
import { clearFound } from "./find.js";
import { sendJson } from "./send.js";

const dialog = byId("edit");
const form = dialog.querySelector("form");
const fields = form.elements;
let save = null;

const lines = (text) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

function showProblem(text) {
  const box = byId("edit-problem");
  box.hidden = !text;
  refill(box, text);
}

const showStores = () => {
  byId("edit-stores").hidden = fields.role.value !== "owner";
};

function rights() {
  const body = { role: fields.role.value };
  if (fields.name.value.trim()) body.name = fields.name.value;
  if (body.role !== "owner") return body;
  const { stores, groups, force } = fields;
  return {
    ...body,
    stores: lines(stores.value),
    groups: lines(groups.value),
    force: force.checked,
  };
}

function open({ title, word, account, onSave }) {
  refill(byId("edit-title"), title);
  byId("edit-save").textContent = word;
  byId("edit-email").hidden = account !== null;
  fields.email.required = account === null;
  fields.email.value = "";
  fields.name.value = account?.name ?? "";
  fields.role.value = account?.role ?? "owner";
  fields.stores.value = (account?.stores ?? []).join("\n");
  fields.groups.value = (account?.groups ?? []).join("\n");
  fields.force.checked = false;
  clearFound();
  save = onSave;
  showProblem("");
  showStores();
  dialog.showModal();
}

fields.role.addEventListener("change", showStores);
byId("edit-cancel").addEventListener("click", () => dialog.close());
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = byId("edit-save");
  button.disabled = true;
  try {
    await save();
  } catch (error) {
    showProblem(error.message);
  }
  button.disabled = false;
});

// Opens the empty form; `done` gets the answer with the link.
export function openInvitation(done) {
  const onSave = async () => {
    const answer = await sendJson("POST", "/accounts", { email: fields.email.value, ...rights() });
    dialog.close();
    done(answer);
  };
  open({ title: "Invite a person", word: "Invite", account: null, onSave });
}

export function openChange(account, done) {
  const onSave = async () => {
    await sendJson("PATCH", `/accounts/${account.account_id}`, rights());
    dialog.close();
    done();
  };
  open({ title: `Change ${account.email}`, word: "Save", account, onSave });
}
