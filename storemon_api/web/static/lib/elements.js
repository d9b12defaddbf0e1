// Making HTML and SVG elements, and putting them into the page.

// Characters that change the direction of text, as their numbers: no name looks like another.
export const shown = (text) =>
  text.replace(
    /\p{Bidi_Control}/gu,
    (one) => `[U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}]`,
  );

// Attributes that people read. Others are data.
const READ = ["aria-label", "data-label", "data-tip", "title"];

function make(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (READ.includes(name)) element.setAttribute(name, shown(String(value)));
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...present(children));
  return element;
}

const present = (children) =>
  children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined)
    .map((child) => (typeof child === "string" ? shown(child) : child));

export const h = (tag, attributes = {}, ...children) =>
  make(document.createElement(tag), attributes, children);

export const s = (tag, attributes = {}, ...children) =>
  make(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

export const byId = (id) => document.getElementById(id);

const CONTROLS = "a, button, input, select, summary";

// Puts other children into a box. Whoever was on one of its controls by keyboard stays there.
export function refill(box, ...children) {
  const focused = box.contains(document.activeElement)
    ? [...box.querySelectorAll(CONTROLS)].indexOf(document.activeElement)
    : -1;
  box.replaceChildren(...present(children));
  if (focused >= 0) box.querySelectorAll(CONTROLS)[focused]?.focus({ preventScroll: true });
}

// Moves the reader to a section of the page.
export function reveal(id, block = "nearest") {
  const box = byId(id);
  box.focus({ preventScroll: true });
  box.scrollIntoView({ block });
}

// A button that changes something; `deed` is its request, such as "DELETE /closures/7". A test
// makes the requests of all that a visitor is offered.
export const deedButton = (deed, word, onclick, attributes = {}) =>
  h("button", { type: "button", class: "small", "data-deed": deed, onclick, ...attributes }, word);

// A choice of one of a few values, as buttons side by side.
export function segmented(box, choices, chosen, choose) {
  const button = ([value, word]) =>
    h(
      "button",
      { type: "button", "aria-pressed": String(value === chosen), onclick: () => choose(value) },
      word,
    );
  refill(box, choices.map(button));
}

const unfolded = new Set();

// A part that is folded away at first. When it is filled again it is as the reader left it.
export function fold(key, summary, ...children) {
  const box = h(
    "details",
    { open: unfolded.has(key) },
    h("summary", {}, summary),
    h("div", {}, children),
  );
  box.addEventListener("toggle", () => {
    if (box.open) unfolded.add(key);
    else unfolded.delete(key);
  });
  return box;
}
