// What the pages need besides the theme.

// Equations wider than the page scroll by themselves: by keyboard too, and the long ones in a line get a line of their own.
function markWide() {
  for (const span of document.querySelectorAll("span.math")) {
    span.classList.remove("wide");
    const formula = span.querySelector("mjx-container");
    const block = span.parentElement.closest(":not(strong, em, a, span)");  // bold words are as narrow as they are
    span.classList.toggle("wide", formula !== null && formula.offsetWidth > block.clientWidth);
  }
  for (const box of document.querySelectorAll("div.math, span.math.wide")) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
window.addEventListener("load", () => {
  (window.MathJax?.startup?.promise ?? Promise.resolve()).then(markWide);
  window.addEventListener("resize", markWide);
});

// Paper is white.
window.addEventListener("beforeprint", () => { document.documentElement.dataset.theme = "light"; });
window.addEventListener("afterprint", () => {
  const { mode } = document.documentElement.dataset;
  const dark = mode === "auto" ? matchMedia("(prefers-color-scheme: dark)").matches : mode === "dark";
  document.documentElement.dataset.theme = dark ? "dark" : "light";
});
