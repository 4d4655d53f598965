import {
  arrow, at, clamp, colour, dot, fixed, handle, painter, percent, plot, polyline, range, rotate, signed, speaker, stage, svg, tag, text, track,
  watch, word, write,
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

const COLOURS = { add: "sinusoidal", scale: "learned", rotate: "rope" };
const MEANING = { add: "add p(m) = (cos mθ, sin mθ)", scale: "scale by κᵐ, κ = 0.96", rotate: "rotate by mθ" };
const REACH = 2.45; // half the plane's side
const LOW = -2.6, HIGH = 5.2; // the score's axis
const TOP = 34, TALL = 190; // the plot's box, px

function plane({ m, n, shift, theta, encoder }) {
  const side = 260, unit = 130 / REACH, centre = side / 2;
  const point = (p) => [centre + unit * p[0], centre - unit * p[1]];
  const vector = (x, tail, name, width, attributes) =>
    arrow(...point(tail), ...point([tail[0] + x[0], tail[1] + x[1]]), name, width, attributes);
  function label(x, words, name) {
    const reach = 1 + 0.2 / Math.hypot(...x);
    const place = { "text-anchor": "middle", fill: colour(name), "font-weight": 600 };
    return text(centre + unit * reach * x[0], centre - unit * reach * x[1] + 4, words, place);
  }
  const origin = [0, 0], faint = { opacity: 0.35 }, encode = ENCODE[encoder];
  const now = { q: encode(QUERY, m + shift, theta), k: encode(KEY, n + shift, theta) };
  const before = { q: encode(QUERY, m, theta), k: encode(KEY, n, theta) };
  const parts = encoder === "add"
    ? [["q", QUERY], ["k", KEY]].map(([name, x]) => vector([now[name][0] - x[0], now[name][1] - x[1]], x, "muted", 1.5, {}))
    : [];
  const grid = { stroke: colour("grid"), "stroke-width": 1.5 };
  const pair = (x) => `(${fixed(x[0], 2)}, ${fixed(x[1], 2)})`;
  const title = `The plane. Encoded by ${encoder}, the query at position ${m + shift} is ${pair(now.q)}, the key at ${n + shift} is ${pair(now.k)}.`;
  return svg(
    side, side, title, {},
    tag("circle", { cx: centre, cy: centre, r: unit, fill: "none", ...grid }),
    tag("line", { x1: 0, x2: side, y1: centre, y2: centre, ...grid }),
    tag("line", { x1: centre, x2: centre, y1: 0, y2: side, ...grid }),
    vector(before.q, origin, "q", 3, faint), vector(before.k, origin, "k", 3, faint), ...parts,
    vector(now.q, origin, "q", 4, {}), vector(now.k, origin, "k", 4, {}),
    label(now.q, "q", "q"), label(now.k, "k", "k"),
  );
}

const rail = (shift) => 10 + 84 * shift / LONGEST; // percent of the width
const height = (value) => TOP + TALL * (HIGH - value) / (HIGH - LOW);
const shifted = ({ m, n, shift, theta, encoder }, by = shift) => score(encoder, m + by, n + by, theta);

function scores(state) {
  const { m, n, shift, theta, encoder } = state;
  const value = shifted(state), before = shifted(state, 0);
  const levels = [-2, 0, 2, 4].map((level) =>
    tag("line", { x1: "10%", x2: "94%", y1: height(level), y2: height(level), stroke: colour("grid") }) +
    text("8.5%", height(level) + 4, fixed(level, 0), { "text-anchor": "end", fill: colour("muted"), "font-size": 12 }));
  const ticks = range(0, LONGEST, 10).map((s) =>
    text(percent(rail(s)), TOP + TALL + 16, fixed(s, 0), { "text-anchor": "middle", fill: colour("muted"), "font-size": 12 }));
  const names = Object.keys(ENCODE);
  const curves = names.map((name) => {
    const points = range(0, 5 * LONGEST, 1).map((s) => [s / 5, -score(name, m + s / 5, n + s / 5, theta)]);
    const line = { stroke: colour(COLOURS[name]), "stroke-width": name === encoder ? 3 : 1.5, "vector-effect": "non-scaling-stroke" };
    return polyline(points, { ...line, opacity: name === encoder ? 1 : 0.5 });
  });
  const legend = names.map((name, i) =>
    text(percent(10 + 28 * i), 16, name, { fill: colour(COLOURS[name]), "font-weight": name === encoder ? 700 : 400, "font-size": 14 }));
  const x = percent(rail(shift));
  const change = signed(value - before, 2);
  const title = `Score by common shift. Encoded by ${encoder}, it is ${fixed(before, 2)} unshifted and ${fixed(value, 2)} after a shift of ${shift} tokens.`;
  return svg(
    "100%", TOP + TALL + 36, title, {},
    ...levels, ...ticks, ...legend,
    text("94%", TOP + TALL + 34, "both shifted by s tokens", { "text-anchor": "end", fill: colour("muted"), "font-size": 12 }),
    tag("line", { x1: "10%", x2: "94%", y1: height(before), y2: height(before), stroke: colour("ink"), "stroke-dasharray": "2 4" }),
    plot("10%", TOP, "84%", TALL, 0, LONGEST, LOW, HIGH, ...curves),
    at(x, height(value), tag("circle", { r: 8, fill: colour(COLOURS[encoder]), stroke: colour("paper"), "stroke-width": 2 })),
    text(x, TOP + 8, change, { "text-anchor": "middle", "font-weight": 600, "font-size": 14 }),
  );
}

function readout(state) {
  const { m, n, shift, encoder } = state;
  return `${MEANING[encoder]}; query at ${m}, key at ${n}, shift ${shift}: score ${fixed(shifted(state, 0), 2)} → ${fixed(shifted(state), 2)}`;
}

export function picture(state) {
  const row = { style: "display:flex;flex-wrap:wrap;justify-content:center;align-items:center;gap:8px 16px" };
  return [
    tag("p", { style: "margin:0 0 6px;font-size:125%;font-weight:600" }, "What survives a shift?"),
    tag("p", { style: "margin:4px 0 14px" }, "A ", word("q", "query"), " and a ", word("k", "key"),
      " are written into the plane at their positions, then both positions move by the same shift."),
    tag("div", row, tag("div", { "data-slot": "plane", style: "flex:0 0 auto" }, plane(state)),
      tag("div", { style: "flex:1 1 280px;min-width:0" }, track("plot", scores(state)))),
    tag("p", { "data-slot": "readout", style: "text-align:center;margin:8px 0 0" }, readout(state)),
  ].join("");
}

// ---- the living figure ----

const HINT = "Choose an encoder, then drag the dot: which score stays on the dotted line?";
const KEYS = ["m", "n", "shift", "theta", "encoder"];
const SLIDERS = [["m", "query at m", 0, 20, 1], ["n", "key at n", 0, 20, 1], ["shift", "shift s", 0, LONGEST, 1], ["theta", "θ, rad per token", 0.05, 1.5, 0.05]];
let groups = 0; // radio buttons of one figure share a name

function controls(root, model) {
  const group = `rb-encoder-${groups++}`;
  const radios = Object.keys(ENCODE).map((name) =>
    `<label style="color:var(--rb-${COLOURS[name]})"><input type="radio" name="${group}" value="${name}">${MEANING[name]}</label>`);
  const sliders = SLIDERS.map(([key, label, min, max, step]) =>
    `<label>${label}<input type="range" name="${key}" min="${min}" max="${max}" step="${step}"><output></output></label>`);
  const box = document.createElement("div");
  box.className = "rb-controls";
  box.innerHTML = `<fieldset><legend>Encoder</legend>${radios.join("")}</fieldset>${sliders.join("")}`;
  root.querySelector(".rb-status").before(box);
  box.addEventListener("input", ({ target }) => {
    write(model, target.type === "radio" ? { encoder: target.value } : { [target.name]: Number(target.value) });
  });
  return function show(state) {
    for (const input of box.querySelectorAll("input")) {
      if (input.type === "radio") input.checked = input.value === state.encoder;
      else {
        input.value = state[input.name];
        input.nextElementSibling.textContent = fixed(state[input.name], input.name === "theta" ? 2 : 0);
      }
    }
  };
}

function render({ model, el }) {
  const wanted = () => Object.fromEntries(KEYS.map((key) => [key, model.get(key)]));
  const { root, slot } = stage(el, picture(wanted()), HINT);
  const say = speaker(root), show = controls(root, model);

  const request = painter(root, () => {
    const state = wanted();
    slot("plane").innerHTML = plane(state);
    slot("plot").innerHTML = scores(state);
    slot("readout").textContent = readout(state);
    show(state);
    const value = shifted(state);
    place(percent(rail(state.shift)), height(value), { now: state.shift, min: 0, max: LONGEST, words: `shift ${state.shift}, score ${fixed(value, 2)}` });
    return false;
  });
  const shiftTo = (shift) => write(model, { shift: clamp(Math.round(shift), 0, LONGEST) });
  const place = handle(slot("plot").parentElement, {
    label: "Shift of both positions", width: 44, height: 44, page: 5,
    grab: () => model.get("shift"),
    move: (from, fraction) => shiftTo(from + fraction * LONGEST / 0.84),
    drop: () => {},
    step: (by) => shiftTo(model.get("shift") + by),
  });
  const unwatch = watch(model, KEYS, () => {
    const state = wanted(), change = shifted(state) - shifted(state, 0);
    const verdict = Math.abs(change) < 1e-9 ? "is unchanged" : `changed by ${signed(change, 2)}`;
    say(`Encoder ${state.encoder}, shift ${state.shift}: the score ${verdict}.`);
    request();
  });
  request();
  return unwatch;
}

export default { render };
