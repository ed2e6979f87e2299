// For every page: printing shows what is folded away, and tables can be sorted by a column.
"use strict";

window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not([open])")) {
    details.dataset.closed = "";
    details.open = true;
  }
});

window.addEventListener("afterprint", () => {
  for (const details of document.querySelectorAll("details[data-closed]")) {
    delete details.dataset.closed;
    details.open = false;
  }
});

// A link to what is folded away opens it.
const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let parent = target; parent; parent = parent.parentElement) {
    if (parent.tagName === "DETAILS") parent.open = true;
  }
};
window.addEventListener("hashchange", reveal);
reveal();

const cellValue = (row, column) => {
  const text = row.cells[column].textContent.trim();
  const number = Number.parseFloat(text.replace("−", "-").replaceAll(",", ""));
  return Number.isNaN(number) ? text.toLowerCase() : number;
};

const compare = (one, other) => {
  if (typeof one === typeof other) return one < other ? -1 : Number(one > other);
  return typeof one === "number" ? -1 : 1;
};

for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const upward = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", upward ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => compare(cellValue(a, column), cellValue(b, column)) * (upward ? 1 : -1));
      table.tBodies[0].append(...rows);
    });
  });
}
