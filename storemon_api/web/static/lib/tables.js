// Tables and lists: columns, empty states, pages of rows, scrolling sideways by keyboard.

import { count, counted } from "./amounts.js";
import { root } from "./api.js";
import { h, refill } from "./elements.js";

// On a phone each row is a card, and each cell has its column's name beside it.
function labelOf(column) {
  if (column.label !== undefined) return column.label;
  return typeof column.head === "string" && column.head ? column.head : null;
}

export function fillTable(table, columns, rows, empty = "None") {
  const heads = columns.map((column) =>
    h("th", { class: column.class, scope: "col", "aria-sort": column.sorted || null }, column.head),
  );
  const cell = (column, row) =>
    h("td", { class: column.class, "data-label": labelOf(column) }, column.cell(row));
  const lines = rows.map((row) =>
    h(
      "tr",
      {},
      columns.map((column) => cell(column, row)),
    ),
  );
  const nothing = h("tr", {}, h("td", { colspan: columns.length, class: "empty" }, empty));
  refill(table.tHead.rows[0], heads);
  refill(table.tBodies[0], rows.length ? lines : nothing);
}

// `page` is an answer of the API with `total`, `offset`, `limit` and `next`.
export function pager(box, page, shown, thing, go) {
  if (page.total <= page.limit) {
    box.replaceChildren(page.total ? counted(page.total, thing) : "");
    return;
  }
  const button = (word, offset, isDisabled) =>
    h(
      "button",
      { class: "small", type: "button", disabled: isDisabled, onclick: () => go(offset) },
      word,
    );
  refill(
    box,
    button("Previous", Math.max(0, page.offset - page.limit), page.offset === 0),
    h("span", {}, rangeOfRows(page, shown, thing)),
    button("Next", page.offset + page.limit, page.next === null),
  );
}

// Links to all rows of a table as files, not only those of the page that is shown. `pathOf` gives
// the path of the rows with a `format`.
export function downloads(box, pathOf, word = "Download") {
  const link = (format) => {
    const address = pathOf({ format });
    const name = format.toUpperCase();
    return h("a", { href: root + address, download: true, "aria-label": `${word} ${name}` }, name);
  };
  refill(box, h("span", {}, word), ["csv", "xlsx"].map(link));
}

function rangeOfRows(page, shown, thing) {
  const first = count(page.offset + 1);
  return `${first}–${count(page.offset + shown)} of ${counted(page.total, thing)}`;
}

// What can be scrolled sideways can be reached by keyboard, and nothing else.
const overflowing = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const box = target.matches(".scroll") ? target : target.parentElement;
    const title = box.closest("section")?.querySelector("h2");
    const isWide = box.scrollWidth > box.clientWidth;
    const attributes = { tabindex: "0", role: "group", "aria-label": title?.textContent };
    for (const [name, value] of Object.entries(attributes)) {
      if (isWide && value) box.setAttribute(name, value);
      else box.removeAttribute(name);
    }
  }
});

for (const box of document.querySelectorAll(".scroll")) {
  overflowing.observe(box);
  if (box.firstElementChild) overflowing.observe(box.firstElementChild);
}
