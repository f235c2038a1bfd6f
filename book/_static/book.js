// A formula or table that scrolls within itself must be reachable by keyboard.
function makeScrollable() {
  for (const box of document.querySelectorAll("div.math, .cell_output .text_html, .cell_output .text_markdown")) {
    box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1;
  }
}
window.addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(makeScrollable));
window.addEventListener("resize", makeScrollable);

// What a search has found is marked on the page it leads to, and scrolled to. Sphinx would mark it, but not where
// searchtools.js is loaded, and the theme loads that on every page.
function showHits() {
  if (document.getElementById("search-results")) return;
  const terms = (localStorage.getItem("sphinx_highlight_terms") || "").split(/\s+/).filter(Boolean);
  localStorage.removeItem("sphinx_highlight_terms");
  const article = document.querySelector("article");
  terms.forEach((term) => _highlightText(article, term, "highlighted"));
  const first = article.querySelector(".highlighted");
  if (!first || window.location.hash) return;
  for (let fold = first.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  first.scrollIntoView({ block: "center" });
}
window.addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(showHits));

// A side bar that closes on a phone hands the keyboard back to the button that opened it.
window.addEventListener("load", () => {
  for (const side of ["primary", "secondary"]) {
    const opener = document.querySelector(`.${side}-toggle`);
    const bar = document.getElementById(`pst-${side}-sidebar-modal`);
    if (opener && bar) bar.addEventListener("close", () => setTimeout(() => opener.focus()));
  }
});

// The list of pages shows the page that one reads.
window.addEventListener("load", () => {
  const here = [...document.querySelectorAll("#pst-primary-sidebar li.current.active > a")].pop();
  const list = here?.closest(".sidebar-primary-item");
  if (list) list.scrollTop += here.getBoundingClientRect().top - list.getBoundingClientRect().top - list.clientHeight / 2;
});

// The table of a cell tagged "filterable" gets a list of choices for each column but the first, which it counts.
function makeFilterable(table) {
  const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const rows = [...table.tBodies[0].rows];
  const words = (row, column) => row.cells[column].textContent.split(",").map((word) => word.trim());
  const count = (some) => some.reduce((sum, row) => sum + words(row, 0).length, 0);
  const add = (parent, tag, text = "") => {
    const child = parent.appendChild(document.createElement(tag));
    child.textContent = text;
    return child;
  };
  const bar = document.createElement("div");
  bar.className = "filters";
  bar.setAttribute("role", "group");
  bar.setAttribute("aria-label", `Show only some ${heads[0]}`);
  const lists = heads.slice(1).map((head, place) => {
    const list = add(add(bar, "label", head), "select");
    add(list, "option", "any").value = "";
    for (const word of new Set(rows.flatMap((row) => words(row, place + 1)))) add(list, "option", word).value = word;
    return list;
  });
  const button = add(bar, "button", "Show all");
  button.type = "button";
  const said = add(bar, "p");
  said.setAttribute("role", "status");
  const show = () => {
    const fits = (row) => lists.every((list, place) => !list.value || words(row, place + 1).includes(list.value));
    for (const row of rows) row.hidden = !fits(row);
    said.textContent = `${count(rows.filter(fits))} of ${count(rows)} ${heads[0]}`;
    makeScrollable();
  };
  bar.addEventListener("change", show);
  button.addEventListener("click", () => {
    for (const list of lists) list.value = "";
    show();
  });
  table.closest(".cell_output > *").before(bar);
  show();
}
window.addEventListener("load", () => document.querySelectorAll(".tag_filterable .cell_output table").forEach(makeFilterable));
