// What every figure shares: the mathematics of a rotation, SVG as text, a slider that answers to pointer and keys.
// PALETTE is put before this text by ropebook.figures.static, the figure's own module after it.

// ---- mathematics (equal to ropebook.frequencies, ropebook.rotate and encodings.normals) ----

export function frequencies(dim, base) {
  return Array.from({ length: dim / 2 }, (_, i) => base ** (-2 * i / dim)); // radians per token
}

export function rotate(x, position, theta) {
  return theta.flatMap((rate, i) => {
    const c = Math.cos(position * rate), s = Math.sin(position * rate);
    const a = x[2 * i], b = x[2 * i + 1];
    return [a * c - b * s, a * s + b * c];
  });
}

export function dot(x, y) {
  return x.reduce((sum, value, i) => sum + value * y[i], 0);
}

const PRIME = 2147483647;

// Nearly normal numbers, the same in every language: twelve uniform ones by Park and Miller, less 6.
export function normals(seed) {
  const next = () => (seed = 48271 * seed % PRIME);
  return () => range(1, 12, 1).map(next).reduce((sum, value) => sum + value) / PRIME - 6;
}

export const gaussians = (seed, count) => Array.from({ length: count }, normals(seed));

// ---- SVG as text, character for character what drawing.py writes ----

export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

export function fixed(x, digits) {
  const scale = 10 ** digits, value = Math.floor(x * scale + 0.5 + 1e-6) / scale;
  return (value < 0 ? "−" : "") + Math.abs(value).toFixed(digits);
}

export function signed(x, digits) {
  const words = fixed(x, digits);
  return words.startsWith("−") ? words : "+" + words;
}

export const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ","); // a whole number, 1,000,000
export const num = (x) => String(Math.floor(x * 100 + 0.5 + 1e-6) / 100);
export const percent = (x) => num(x) + "%";
export const colour = (name) => `var(--rb-${name},${PALETTE.light[name]})`;

export function escape(words) {
  const names = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
  return words.replace(/[&<>"']/g, (c) => names[c]);
}

export function tag(name, attributes, ...inside) {
  const pairs = Object.entries(attributes).map(([key, value]) => ` ${key}="${escape(typeof value === "string" ? value : num(value))}"`);
  return `<${name}${pairs.join("")}>${inside.join("")}</${name}>`;
}

export const text = (x, y, words, attributes) => tag("text", { x, y, ...attributes }, escape(words));

export const label = (x, y, words, anchor) => text(x, y, words, { "text-anchor": anchor, fill: colour("muted"), "font-size": 12 });

export function level(x1, x2, y, words) {
  const line = { x1: percent(x1), x2: percent(x2), y1: y, y2: y, stroke: colour("grid") };
  return tag("line", line) + label(percent(x1 - 1.5), y + 4, words, "end");
}

export function svg(width, height, title, about, attributes, ...inside) {
  const outer = { width, height, role: "img", "font-family": FONT, "font-size": 13, fill: colour("ink") };
  const style = { style: `display:block;width:100%;height:${height}px;overflow:visible` };
  return tag("svg", { ...outer, ...style, ...attributes }, tag("title", {}, escape(title)), tag("desc", {}, escape(about)), ...inside);
}

export const at = (x, y, ...inside) => tag("svg", { x, y, overflow: "visible" }, ...inside);

export function polyline(points, attributes) {
  return tag("path", { d: "M" + points.map(([x, y]) => `${num(x)} ${num(y)}`).join("L"), fill: "none", ...attributes });
}

export function arrow(x0, y0, x1, y1, name, width, attributes) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  const head = Math.min(4 + 2.5 * width, length);
  const [along, across] = length > 1e-9 ? [(x1 - x0) / length, (y1 - y0) / length] : [1, 0];
  const bx = x1 - head * along, by = y1 - head * across, half = 0.45 * head;
  const tip = `${num(x1)},${num(y1)} ${num(bx - half * across)},${num(by + half * along)} ${num(bx + half * across)},${num(by - half * along)}`;
  const shaft = { x1: x0, y1: y0, x2: bx, y2: by, stroke: colour(name), "stroke-width": width, "stroke-linecap": "round" };
  return tag("g", attributes, tag("line", shaft), tag("polygon", { points: tip, fill: colour(name) }));
}

export function plot(x, y, width, height, left, right, low, high, ...inside) {
  const viewBox = `${num(left)} ${num(-high)} ${num(right - left)} ${num(high - low)}`;
  return tag("svg", { x, y, width, height, viewBox, preserveAspectRatio: "none" }, ...inside);
}

export function cells(matrix, scale, names = ["q", "k"]) {
  const shades = names.map(() => new Map());
  matrix.forEach((row, i) => row.forEach((value, j) => {
    const shade = shades[value < 0 ? 1 : 0], strength = num(Math.min(Math.abs(value) / scale, 1));
    shade.set(strength, `${shade.get(strength) ?? ""}M${j} ${i}h1`);
  }));
  const runs = (shade) => [...shade].map(([opacity, d]) => tag("path", { d, opacity }));
  return shades.map((shade, i) => tag("g", { stroke: colour(names[i]), "shape-rendering": "crispEdges" }, ...runs(shade))).join("");
}

export function dots(matrix) {
  const places = matrix.flatMap((row, i) => row.map((value, j) => value < 0 ? `M${j}.5 ${i}h0` : ""));
  return tag("path", { d: places.join(""), stroke: colour("ink"), "stroke-width": 0.2, "stroke-linecap": "round" });
}

export const range = (from, to, step) => Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);

export function card(heading, lead, ...inside) {
  const frame = `box-sizing:border-box;padding:14px 16px;border:1px solid ${colour("grid")};border-radius:12px;` +
    `background:${colour("paper")};color:${colour("ink")};font-family:${FONT};font-size:15px;line-height:1.45`;
  const title = tag("div", { style: "font-size:125%;font-weight:600" }, escape(heading));
  return tag("div", { style: frame }, title, tag("p", { style: "margin:4px 0 16px" }, ...lead), ...inside);
}

export const caption = (...inside) => tag("p", { style: "margin:6px 0;text-align:center" }, ...inside);
export const readout = (words) =>
  tag("p", { "data-slot": "readout", style: "margin:8px 0 0;text-align:center;font-variant-numeric:tabular-nums" }, escape(words));
export const track = (name, panel) => tag("div", { style: "position:relative" }, tag("div", { "data-slot": name }, panel));
export const word = (name, words) => tag("b", { style: `color:${colour(name)}` }, escape(words));

// ---- the living page ----

const scheme = (name) => Object.entries(PALETTE[name]).map(([key, hex]) => `--rb-${key}:${hex};`).join("") + `color-scheme:${name};`;
const marked = (name, lab) => `:is([data-theme=${name}],[data-jp-theme-light=${lab}],[theme=${name}],.vscode-${name}) .rb-live`;
const STYLE = `
.rb-live{${scheme("light")}}
@media (prefers-color-scheme:dark){.rb-live{${scheme("dark")}}}
${marked("light", "true")}{${scheme("light")}}
${marked("dark", "false")}{${scheme("dark")}}
.rb-handle{position:absolute;box-sizing:border-box;transform:translate(-50%,-50%);border-radius:14px;cursor:grab;touch-action:none;
  -webkit-tap-highlight-color:transparent}
.rb-handle:active{cursor:grabbing}
.rb-handle:hover{box-shadow:0 0 0 2px color-mix(in srgb,var(--rb-ink) 35%,transparent)}
.rb-handle:focus{outline:none}
.rb-handle:focus-visible{outline:3px solid var(--rb-ink);outline-offset:1px;box-shadow:none}
.rb-live .rb-status{min-height:1.45em;margin:6px 0;text-align:center;font-size:90%;color:var(--rb-muted)}
.rb-row{display:flex;flex-wrap:wrap;justify-content:center;gap:2px 20px;margin:0 0 8px}
.rb-row label{display:inline-flex;align-items:center;gap:6px;min-height:36px;margin:0;cursor:pointer}
.rb-row input{margin:0;accent-color:var(--rb-ink)}
.rb-row input:focus-visible{outline:3px solid var(--rb-ink);outline-offset:2px}
.rb-sliders{display:grid;grid-template-columns:repeat(auto-fit,minmax(260px,1fr));gap:2px 28px;margin:8px 0 0}
.rb-sliders label{display:grid;grid-template-columns:7.6em 1fr 2.4em;align-items:center;gap:8px;min-height:36px;margin:0}
.rb-sliders input{width:100%;min-width:0;min-height:32px;margin:0;accent-color:var(--rb-ink);touch-action:pan-y}
.rb-sliders input:focus-visible{outline:3px solid var(--rb-ink);outline-offset:1px}
.rb-sliders output{text-align:right;font-variant-numeric:tabular-nums}
.rb-board{cursor:pointer}
.rb-board svg{pointer-events:none}
.rb-pick{appearance:none;position:absolute;inset:0;width:100%;height:100%;margin:0;border:0;border-radius:8px;background:none;cursor:pointer}
.rb-pick:hover{box-shadow:0 0 0 2px color-mix(in srgb,var(--rb-ink) 35%,transparent)}
.rb-pick:focus-visible{outline:3px solid var(--rb-ink);outline-offset:2px;box-shadow:none}
@media (max-width:600px){.rb-live .rb-status{min-height:2.9em}}
`;

// Put the picture into el, with a sentence after the part `after` that says what just happened; slot(name) is a part that is redrawn.
export function stage(el, markup, after, hint) {
  el.innerHTML = `<style>${STYLE}</style><div class="rb-live">${markup}</div>`;
  const root = el.querySelector(".rb-live"), slot = (name) => root.querySelector(`[data-slot=${name}]`);
  const status = document.createElement("p");
  status.className = "rb-status";
  status.setAttribute("role", "status");
  status.textContent = hint;
  slot(after).parentElement.after(status);
  return { root, slot, status };
}

// Redraw at most once a frame; root.frameTimes holds the last 100 costs in milliseconds.
export function painter(root, paint) {
  root.frameTimes = [];
  let due = 0;
  return function request() {
    due ||= requestAnimationFrame(() => {
      due = 0;
      const start = performance.now();
      const again = paint(start);
      root.frameTimes = [...root.frameTimes.slice(-99), performance.now() - start];
      if (again) request();
    });
  };
}

export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Put words() into the polite live region once the reader has paused.
export function speaker(status, words) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(() => { status.textContent = words() ?? status.textContent; }, 300);
  };
}

// On every element that takes the focus: it keeps JupyterLab from using the arrow keys as its own shortcuts.
export const OWN_KEYS = "data-lm-suppress-shortcuts";

// A handle over the picture: role=slider, dragged by mouse or touch, stepped by keys.
// move(start, fraction) gets what grab() gave and how far the pointer went, in widths of the parent;
// step(by, shift) gets whole steps, where Home and End are -Infinity and Infinity.
export function handle(parent, { label, width, height, grab, move, drop, step, page }) {
  const node = document.createElement("div");
  node.className = "rb-handle";
  node.tabIndex = 0;
  node.setAttribute("role", "slider");
  node.setAttribute(OWN_KEYS, "true");
  node.setAttribute("aria-label", label);
  node.style.width = `${width}px`;
  node.style.height = `${height}px`;
  parent.append(node);
  let held = null;
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    node.focus({ preventScroll: true });
    node.setPointerCapture(event.pointerId);
    held = { x: event.clientX, from: grab() };
  });
  node.addEventListener("pointermove", (event) => {
    if (held) move(held.from, (event.clientX - held.x) / parent.clientWidth);
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    node.addEventListener(end, () => {
      if (held) drop();
      held = null;
    });
  }
  const keys = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: page, PageDown: -page, Home: -Infinity, End: Infinity };
  node.addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    step(keys[event.key], event.shiftKey);
  });
  return function place(left, top, { now, min, max, words }) {
    node.style.left = left;
    node.style.top = `${top}px`;
    const aria = { valuenow: now, valuemin: min, valuemax: max, valuetext: words };
    for (const [key, value] of Object.entries(aria)) node.setAttribute(`aria-${key}`, value);
  };
}

export const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

// Write values to the model in one go.
export function write(model, values) {
  for (const [key, value] of Object.entries(values)) model.set(key, value);
  model.save_changes();
}

// Call `react` on every change of these keys; returns what undoes it.
export function watch(model, keys, react) {
  const events = keys.map((key) => `change:${key}`);
  for (const event of events) model.on(event, react);
  return () => { for (const event of events) model.off(event, react); };
}

// Draws now, and speaks and draws again at every change; returns what ends it.
export function follow(model, keys, say, request) {
  request();
  return watch(model, keys, () => {
    say();
    request();
  });
}

// A press, or the mouse moved with its button down, picks. The pointer falls through to the board itself: a picture that is redrawn
// between press and release takes the click with it.
export function pickable(board, pick) {
  board.classList.add("rb-board");
  board.addEventListener("click", pick);
  board.addEventListener("pointermove", (event) => { if (event.pointerType === "mouse" && event.buttons === 1) pick(event); });
}
