// What the page needs besides the theme: equations that overflow are scrolled by keyboard too.
function markWide() {
  for (const box of document.querySelectorAll("div.math")) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
window.addEventListener("load", () => {
  (window.MathJax?.startup?.promise ?? Promise.resolve()).then(markWide);
  window.addEventListener("resize", markWide);
});
