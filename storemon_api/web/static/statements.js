// Pages of statements come from the server whole: this sends what their buttons and forms say.

import { ask, root } from "./lib/api.js";
import { showProblem } from "./lib/live.js";

// The page that follows an answer: the statement that was sent, or the same page again.
function follow({ statement_id: id }) {
  if (id) location.assign(`${root}/pages/statements/${id}`);
  else location.reload();
}

// A field for several addresses has commas between them.
const addresses = (text) => text.split(",").map((one) => one.trim());

async function send(control, button, fields) {
  const { path, method = "POST", body = "{}" } = control.dataset;
  const options = { method };
  if (method === "POST") {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify({ ...JSON.parse(body), ...fields });
  }
  button.disabled = true;
  try {
    const answer = await ask(path, options);
    showProblem(null);
    follow(answer.status === 204 ? {} : await answer.json());
  } catch (error) {
    showProblem(error);
    button.disabled = false;
  }
}

// The buttons come disabled: pressed before this ran, a form would be sent to nowhere and emptied.
for (const button of document.querySelectorAll("button[data-path]")) {
  button.addEventListener("click", () => send(button, button, {}));
  button.disabled = false;
}
for (const form of document.querySelectorAll("form[data-path]")) {
  const button = form.querySelector("button[type=submit]");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const filled = [...new FormData(form)]
      .filter(([, value]) => value.trim() !== "")
      .map(([name, value]) => [name, form.elements[name].multiple ? addresses(value) : value]);
    send(form, button, Object.fromEntries(filled));
  });
  button.disabled = false;
}
document.body.dataset.ready = "true";
