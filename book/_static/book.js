// A formula or table that scrolls within itself must be reachable by keyboard.
function makeScrollable() {
  for (const box of document.querySelectorAll("div.math, .cell_output .text_html, .cell_output .text_markdown")) {
    box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1;
  }
}
window.addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(makeScrollable));
window.addEventListener("resize", makeScrollable);
