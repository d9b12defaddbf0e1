// Sending what a form of this page says, as JSON.

import { ask } from "../lib/api.js";

export async function sendJson(method, path, body = null) {
  const options = { method };
  if (body !== null) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  return (await ask(path, options)).json();
}
