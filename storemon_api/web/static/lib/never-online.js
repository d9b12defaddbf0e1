// Stores that were never online would fill the whole list of what is worst: they are apart.

import { h, refill } from "./elements.js";

// `total` rows are apart, or alone are listed where `never` is "true".
export function showApart(box, { never, total, words, choose }) {
  const button = (type, value, text) =>
    h("button", { type: "button", class: type, onclick: () => choose({ never: value }) }, text);
  box.hidden = !never && !total;
  if (box.hidden) return;
  refill(
    box,
    never
      ? ["Only stores that were never online in the last 7 days ", button("small", "", "Show all")]
      : ["Not listed: ", button("link", "true", `${words(total)} never online in the last 7 days`)],
  );
}
