// Pages of statements come from the server whole: this sends what their buttons say.

import { ask, root } from "./lib/api.js";
import { showProblem } from "./lib/live.js";

// The page that follows an answer: the statement that was sent, or the same page again.
function follow({ statement_id: id }) {
  if (id) location.assign(`${root}/pages/statements/${id}`);
  else location.reload();
}

for (const button of document.querySelectorAll("[data-post]")) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const answer = await ask(button.dataset.post, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: button.dataset.body,
      });
      showProblem(null);
      follow(await answer.json());
    } catch (error) {
      showProblem(error);
      button.disabled = false;
    }
  });
}
document.body.dataset.ready = "true";
