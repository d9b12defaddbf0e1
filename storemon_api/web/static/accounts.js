// The page of accounts: who may sign in, and inviting, changing and disabling them.

import { openChange, openInvitation } from "./accounts/edit.js";
import { sendJson } from "./accounts/send.js";
import { addressedChoices } from "./lib/address.js";
import { counted } from "./lib/amounts.js";
import { get, withParameters } from "./lib/api.js";
import { byId, deedButton, h, refill } from "./lib/elements.js";
import { guard, live, showAsOf } from "./lib/live.js";
import { newestOnly } from "./lib/newest.js";
import { badge } from "./lib/stores.js";
import { downloads, fillTable, pager } from "./lib/tables.js";
import { utc } from "./lib/times.js";

const LIMIT = 50;
const TYPING_MS = 200;
const MOST_NAMED = 3;

const choices = addressedChoices({ q: "", offset: 0 });
const { state, whenChanged } = choices;
whenChanged(() => guard(show));

const form = byId("filters");
let typing = null;
form.addEventListener("submit", (event) => event.preventDefault());
form.elements.q.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    typing = null;
    choices.choose({ q: form.elements.q.value, offset: 0 }, { isTyping: state.q !== "" });
  }, TYPING_MS);
});

function sees({ role, stores, groups }) {
  if (role !== "owner") return "all stores";
  const ids = stores.length > MOST_NAMED ? [counted(stores.length, "store")] : stores;
  return [...ids, ...groups.map((group) => `group ${group}`)].join(", ");
}

function status(account) {
  if (!account.enabled) return badge("closed", "Disabled");
  if (account.has_password || account.is_at_provider) return badge("up", "Active");
  return badge("silent", "Invited");
}

const pathOf = (account) => `/accounts/${account.account_id}`;

const button = (deed, word, account, onclick) =>
  deedButton(deed, word, onclick, { "aria-label": `${word} ${account.email}` });

// Opens the dialog that says where the link went; the list is read again once it is closed.
function showLink({ account, link, expires_at: expiresAt, mail_error: error }) {
  const dialog = byId("link");
  const until = `It works once, until ${utc.at(expiresAt)}.`;
  const send = `Send this link to ${account.email}. ${until}`;
  refill(byId("link-title"), link ? `Link for ${account.name}` : "Mail sent");
  byId("link-text").textContent = link
    ? `${error ? `The mail was not sent: ${error}. ` : ""}${send}`
    : `The link was sent to ${account.email}. ${until}`;
  byId("link-label").hidden = !link;
  const field = dialog.querySelector("input");
  field.value = link ?? "";
  dialog.onclose = () => guard(show);
  dialog.showModal();
  if (link) field.select();
}

const change = (account, body) =>
  guard(async () => {
    await sendJson("PATCH", pathOf(account), body);
    await show();
  });

const newLink = (account) =>
  guard(async () => showLink(await sendJson("POST", `${pathOf(account)}/link`)));

function actions(account) {
  const patch = `PATCH ${pathOf(account)}`;
  const link = `POST ${pathOf(account)}/link`;
  return h(
    "div",
    { class: "account-acts" },
    button(patch, "Change", account, () => openChange(account, () => guard(show))),
    account.enabled ? button(link, "New link", account, () => newLink(account)) : null,
    account.enabled
      ? button(patch, "Disable", account, () => change(account, { enabled: false }))
      : button(patch, "Enable", account, () => change(account, { enabled: true })),
  );
}

const columns = [
  {
    head: "Person",
    class: "id",
    label: "",
    cell: ({ name, email }) => [name, h("div", { class: "sub" }, email)],
  },
  { head: "Status", class: "state", label: "", cell: status },
  { head: "Role", label: "role", cell: ({ role }) => role },
  { head: "Sees", label: "sees", cell: sees },
  {
    head: "Last sign-in",
    class: "since",
    label: "last sign-in",
    cell: ({ last_sign_in_at: at }) => (at ? utc.at(at) : "never"),
  },
  { head: h("span", { class: "sr-only" }, "Actions"), class: "wide", label: "", cell: actions },
];

const show = newestOnly(async (newest) => {
  const { q, offset } = state;
  const page = await newest(get("/accounts", { q, offset, limit: LIMIT }));
  if (typing === null) form.elements.q.value = q;
  const empty = q ? "No accounts match" : "No accounts yet – the first one must be an admin";
  fillTable(byId("accounts"), columns, page.accounts, empty);
  pager(byId("pager"), page, page.accounts.length, "account", (next) =>
    choices.choose({ offset: next }),
  );
  downloads(byId("accounts-files"), (format) => withParameters("/accounts", { q, ...format }));
});

// Until here a click would be lost.
const invite = byId("invite");
invite.addEventListener("click", () => openInvitation(showLink));
invite.disabled = false;

live(async () => {
  const [now] = await Promise.all([get("/fleet/now").catch(() => null), show()]);
  if (now) showAsOf(now.as_of);
  document.body.dataset.ready = "true";
});
