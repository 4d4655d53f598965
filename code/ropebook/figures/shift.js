import {
  OWN_KEYS, arrow, at, card, clamp, colour, dot, fixed, follow, handle, label, level, painter, percent, plot, polyline, range, readout,
  rotate, signed, speaker, stage, svg, tag, text, track, word, write,
} from "./common.js";

// ---- mathematics (equal to shift.py) ----

export const LONGEST = 40; // the largest shift, tokens
export const QUERY = [1.1, 0.5], KEY = [0.6, 1.0];
export const KAPPA = 0.96; // the scale encoder's factor per token

export const ENCODE = {
  add: (x, position, theta) => [x[0] + Math.cos(position * theta), x[1] + Math.sin(position * theta)],
  scale: (x, position) => x.map((value) => KAPPA ** position * value),
  rotate: (x, position, theta) => rotate(x, position, [theta]),
};

export function score(encoder, m, n, theta) {
  return dot(ENCODE[encoder](QUERY, m, theta), ENCODE[encoder](KEY, n, theta));
}

// ---- the picture (equal to shift.py) ----

const ENCODERS = Object.keys(ENCODE);
const COLOURS = { add: "sinusoidal", scale: "learned", rotate: "rope" };
const DASHES = { add: "7 4", scale: "2 4", rotate: "none" };
const MEANING = { add: "add (cos mθ, sin mθ)", scale: "scale by 0.96ᵐ", rotate: "rotate by mθ" };

const REACH = 2.6; // half the plane's side
const LEFT = 10, WIDE = 84; // where the plot lies, percent of the width
const LOW = -1.5, HIGH = 4.8; // the score's axis
const TOP = 48, TALL = 180; // the plot's box, px

function plane({ m, n, shift, theta, encoder }) {
  const unit = 130 / REACH; // px
  const vector = (tail, tip, name, width, attributes) =>
    arrow(unit * tail[0], -unit * tail[1], unit * tip[0], -unit * tip[1], name, width, attributes);
  function named(x, name) {
    const reach = unit * (1 + 0.22 / Math.hypot(...x));
    const bold = { "text-anchor": "middle", fill: colour(name), "font-weight": 600, "font-size": 15 };
    return text(reach * x[0], 5 - reach * x[1], name, bold);
  }
  function wedge(q, k, attributes) {
    const start = Math.atan2(k[1], k[0]), turn = Math.atan2(k[0] * q[1] - k[1] * q[0], dot(k, q));
    const arc = range(0, 24, 1).map((j) => start + turn * j / 24).map((a) => [0.5 * unit * Math.cos(a), -0.5 * unit * Math.sin(a)]);
    return polyline([[0, 0], ...arc], { fill: colour("score"), ...attributes });
  }
  const origin = [0, 0], encode = ENCODE[encoder];
  const q = encode(QUERY, m + shift, theta), k = encode(KEY, n + shift, theta);
  const q0 = encode(QUERY, m, theta), k0 = encode(KEY, n, theta);
  const sums = encoder === "add" ? [[origin, QUERY], [QUERY, q], [origin, KEY], [KEY, k]] : [];
  const parts = sums.map(([tail, tip]) => vector(tail, tip, "muted", 1.5, {}));
  const grid = { stroke: colour("grid"), "stroke-width": 1.5 };
  const about = `Encoder ${encoder}: the query at position ${m + shift} is (${fixed(q[0], 2)}, ${fixed(q[1], 2)}), ` +
    `the key at ${n + shift} is (${fixed(k[0], 2)}, ${fixed(k[1], 2)}).`;
  return svg(
    260, 260, "The plane of query and key", about, { viewBox: "-130 -130 260 260", style: "display:block" },
    tag("circle", { r: unit, fill: "none", ...grid }),
    tag("line", { x1: -130, x2: 130, y1: 0, y2: 0, ...grid }), tag("line", { x1: 0, x2: 0, y1: -130, y2: 130, ...grid }),
    label(unit + 4, 14, "1", "start"),
    wedge(q0, k0, { "fill-opacity": 0.12 }), wedge(q, k, { "fill-opacity": 0.35 }),
    vector(origin, k0, "k", 5, { opacity: 0.3 }), vector(origin, q0, "q", 2.5, { opacity: 0.3 }), ...parts,
    vector(origin, k, "k", 6, {}), vector(origin, q, "q", 3, {}), named(q, "q"), named(k, "k"),
  );
}

const rail = (shift) => LEFT + WIDE * shift / LONGEST; // percent of the width
const height = (value) => TOP + TALL * (HIGH - value) / (HIGH - LOW);
const after = ({ m, n, shift, theta, encoder }) => score(encoder, m + shift, n + shift, theta);
const before = ({ m, n, theta, encoder }) => score(encoder, m, n, theta);

function curve(name, { m, n, theta, encoder }) {
  const points = range(0, 5 * LONGEST, 1).map((s) => [s / 5, -score(name, m + s / 5, n + s / 5, theta)]);
  const line = { stroke: colour(COLOURS[name]), "stroke-dasharray": DASHES[name], "vector-effect": "non-scaling-stroke" };
  return polyline(points, { ...line, "stroke-width": name === encoder ? 3.5 : 1.5, opacity: name === encoder ? 1 : 0.6 });
}

function legend(i, name, encoder) {
  const start = LEFT + WIDE * i / ENCODERS.length;
  const chosen = name === encoder, ink = colour(COLOURS[name]);
  const line = { x1: 0, x2: 22, y1: -5, y2: -5, stroke: ink, "stroke-dasharray": DASHES[name], "stroke-width": chosen ? 3.5 : 1.5 };
  return at(percent(start), 14, tag("line", line), text(28, 0, name, { fill: ink, "font-weight": chosen ? 700 : 400, "font-size": 14 }));
}

function scores(state) {
  const { shift, encoder } = state, value = after(state), x = percent(rail(shift));
  const levels = [-1, 0, 1, 2, 3, 4].map((v) => level(LEFT, LEFT + WIDE, height(v), fixed(v, 0)));
  const ticks = range(0, LONGEST, 10).map((s) => label(percent(rail(s)), TOP + TALL + 14, fixed(s, 0), "middle"));
  const plumb = { x1: x, x2: x, y1: TOP - 6, y2: TOP + TALL, stroke: colour("ink"), "stroke-dasharray": "3 4", opacity: 0.5 };
  const anchor = shift < LONGEST / 4 ? "start" : shift > 3 * LONGEST / 4 ? "end" : "middle";
  const about = `Encoder ${encoder}: score ${fixed(before(state), 2)} before the shift, ${fixed(value, 2)} after a shift of ${shift} tokens.`;
  return svg(
    "100%", TOP + TALL + 32, "Score by shift, for three encoders", about, {},
    ...levels, ...ticks, label(percent(LEFT + WIDE / 2), TOP + TALL + 29, "shift s of both positions, tokens", "middle"),
    ...ENCODERS.map((name, i) => legend(i, name, encoder)), tag("line", plumb),
    text(x, TOP - 11, `score ${fixed(value, 2)}`, { "text-anchor": anchor, "font-weight": 600, "font-size": 14 }),
    plot(percent(LEFT), TOP, percent(WIDE), TALL, 0, LONGEST, LOW, HIGH, ...ENCODERS.map((name) => curve(name, state))),
    at(x, height(value), tag("circle", { r: 8, fill: colour(COLOURS[encoder]), stroke: colour("paper"), "stroke-width": 2 })),
  );
}

function numbers(state) {
  const { m, n, shift, encoder } = state;
  const start = `${MEANING[encoder]}: score ${fixed(before(state), 2)} at (m, n) = (${m}, ${n})`;
  return shift ? `${start}, ${fixed(after(state), 2)} at (${m + shift}, ${n + shift})` : start;
}

export function picture(state) {
  const row = { style: "display:flex;flex-wrap:wrap;justify-content:center;align-items:center;gap:12px" };
  return card(
    "What survives a shift?",
    ["A ", word("q", "query"), " at position m and a ", word("k", "key"), " at n are encoded (faint), then again after both positions " +
      "have moved by s (bold). Which score stays?"],
    tag("div", row, tag("div", { "data-slot": "plane", style: "flex:0 0 260px" }, plane(state)),
      tag("div", { style: "flex:1 1 270px;min-width:0" }, track("scores", scores(state)))),
    readout(numbers(state)),
  );
}

// ---- the living figure ----

const HINT = "Choose an encoder, then drag the dot.";
const SLIDERS = [ // trait, label, lowest, highest, step, decimals
  ["m", "query at m", 0, 20, 1, 0],
  ["n", "key at n", 0, 20, 1, 0],
  ["shift", "shift s", 0, LONGEST, 1, 0],
  ["theta", "θ, rad/token", 0.05, 1.5, 0.05, 2],
];
const KEYS = [...SLIDERS.map(([key]) => key), "encoder"];
let groups = 0; // the radio buttons of one figure share a name

// Radio buttons above the picture, sliders below it; returns what shows a state in them.
function controls(root, slot, model) {
  const group = `rb-encoder-${groups++}`;
  const radios = ENCODERS.map((name) =>
    `<label style="color:var(--rb-${COLOURS[name]})"><input ${OWN_KEYS}="true" type="radio" name="${group}" value="${name}">${MEANING[name]}</label>`);
  const sliders = SLIDERS.map(([key, words, min, max, step]) =>
    `<label>${words}<input ${OWN_KEYS}="true" type="range" name="${key}" min="${min}" max="${max}" step="${step}"><output></output></label>`);
  const choice = `<div class="rb-row" role="radiogroup" aria-label="Encoder">${radios.join("")}</div>`;
  slot("plane").parentElement.insertAdjacentHTML("beforebegin", choice);
  slot("readout").insertAdjacentHTML("afterend", `<div class="rb-sliders">${sliders.join("")}</div>`);
  root.addEventListener("input", ({ target }) => {
    write(model, target.type === "radio" ? { encoder: target.value } : { [target.name]: Number(target.value) });
  });
  return function show(state) {
    for (const radio of root.querySelectorAll("[type=radio]")) radio.checked = radio.value === state.encoder;
    for (const [key, , , , , digits] of SLIDERS) {
      const slider = root.querySelector(`[name=${key}]`);
      slider.value = state[key];
      slider.nextElementSibling.textContent = fixed(state[key], digits);
    }
  };
}

function render({ model, el }) {
  const wanted = () => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));
  const { root, slot, status } = stage(el, picture(wanted()), "scores", HINT);
  const show = controls(root, slot, model);
  const say = speaker(status, () => {
    const state = wanted(), change = after(state) - before(state);
    if (state.shift === 0) return null;
    const verdict = Math.abs(change) < 1e-9 ? "stays" : `changes by ${signed(change, 2)}`;
    return `Shifted by ${state.shift}: the score ${verdict}.`;
  });

  const request = painter(root, () => {
    const state = wanted(), value = after(state);
    slot("plane").innerHTML = plane(state);
    slot("scores").innerHTML = scores(state);
    slot("readout").textContent = numbers(state);
    show(state);
    const words = `shift ${state.shift}, score ${fixed(value, 2)}`;
    place(percent(rail(state.shift)), height(value), { now: state.shift, min: 0, max: LONGEST, words });
    return false;
  });
  const shiftTo = (shift) => write(model, { shift: clamp(Math.round(shift), 0, LONGEST) });
  const place = handle(slot("scores").parentElement, {
    label: "Shift of both positions", width: 44, height: 44, page: 5,
    grab: () => model.get("shift"),
    move: (from, fraction) => shiftTo(from + fraction * LONGEST * 100 / WIDE),
    drop: () => {},
    step: (by) => shiftTo(model.get("shift") + by),
  });
  return follow(model, KEYS, say, request);
}

export default { render };
