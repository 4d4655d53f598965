import {
  OWN_KEYS, at, card, clamp, colour, dot, fixed, follow, frequencies, gaussians, grouped, handle, label, level, painter, percent, pickable,
  plot, polyline, range, readout, rotate, speaker, stage, svg, tag, text, track, word, write,
} from "./common.js";

// ---- mathematics (equal to decay.py; a complex row is a pair of lists, real and imaginary parts) ----

const DRAWS = 8, WIDEST = 256; // WIDEST: the largest head dimension
const SAMPLES = 300; // steps along a curve
export const NUMBERS = gaussians(2021, 4096); // each draw: q, then k

const sum = (values) => values.reduce((total, value) => total + value);
export const mean = (values) => sum(values) / values.length;
const sizes = ([x, y]) => x.map((a, i) => Math.sqrt(a * a + y[i] * y[i]));

// q_i k_i* of each pair.
function products(q, k) {
  const pairs = range(0, q.length / 2 - 1, 1).map((i) => [q[2 * i], q[2 * i + 1], k[2 * i], k[2 * i + 1]]);
  return [pairs.map(([a, b, c, d]) => a * c + b * d), pairs.map(([a, b, c, d]) => b * c - a * d)];
}

function normalised(h) {
  const whole = sum(sizes(h));
  return h.map((part) => part.map((value) => whole && value / whole)); // where all are 0 they stay 0
}

export function shares(distribution, d, base, target, own) {
  const theta = frequencies(d, base);
  if (distribution === "ramp") return [normalised([theta.map((_, i) => 1 - 2 * i / d), theta.map(() => 0)])];
  if (distribution === "your own") { // straight lines between the four
    const h = theta.map((_, i) => dot(own, own.map((_, j) => Math.max(0, 1 - Math.abs(6 * i / (d - 2) - j)))));
    return [normalised([h, theta.map(() => 0)])];
  }
  return range(1, DRAWS, 1).map((_, draw) => {
    const vector = (which) => NUMBERS.slice((2 * draw + which) * WIDEST).slice(0, d), q = vector(0);
    const k = distribution === "independent" ? vector(1) : distribution === "tuned" ? rotate(q, target, theta) : q;
    return normalised(products(q, k));
  });
}

export const wave = (m, theta) => [theta.map((rate) => Math.cos(m * rate)), theta.map((rate) => Math.sin(m * rate))];
export const score = ([x, y], [c, s]) => x.reduce((total, a, i) => total + a * c[i] - y[i] * s[i], 0);

export function partial(values) {
  let total = 0;
  return values.map((value) => total += value);
}

export function meanSum([c, s]) {
  const x = partial(c), y = partial(s);
  return x.reduce((total, a, i) => total + Math.sqrt(a * a + y[i] * y[i]), 0) / x.length;
}

export function jump([x, y]) {
  const steps = (values) => values.map((value, i) => value - (values[i + 1] ?? 0));
  return Math.max(...sizes([steps(x), steps(y)]));
}

export function distances(reach, axis) {
  const steps = axis === "linear" ? Math.min(reach, SAMPLES) : SAMPLES;
  return [...new Set(range(0, steps, 1).map((j) => along(j / steps, reach, axis)))];
}

export const rail = (m, reach, axis) => axis === "linear" ? m / reach : Math.log(1 + m) / Math.log(1 + reach);
export const along = (part, reach, axis) => Math.round(axis === "linear" ? part * reach : (1 + reach) ** part - 1); // rail's inverse

// ---- the picture (equal to decay.py) ----

const MEANING = {
  matched: "k = q, numbers from N(0, 1)",
  independent: "q and k drawn apart, numbers from N(0, 1)",
  ramp: "h falls evenly from 1 to 0, which suits Abel’s bound best",
  tuned: "k = q turned by the target distance",
  "your own": "h is what you make it, real and on straight lines between the four; only the products of q and k count",
};
const NOTHING = "All four h are 0: there is no score and no bound.";

const LEFT = 10, WIDE = 84; // where the plots lie, percent of the width
const TOP = 44; // where each plot begins, px
const BOUNDS = 110, SCORES = 220; // the heights of the plots, px
const LOW = -2, HIGH = 3; // the bounds' axis, powers of ten
const EDGE = 1.1; // the scores' axis ends here, up and down
const FINE = 10; // coordinates are rounded to two decimals: ten times the value draws smoother

const MEAN_S = "mean\u00a0|S|\u2060\u00a0=\u00a0"; // in one line

const tokens = (n) => `${grouped(n)} token${n === 1 ? "" : "s"}`;
const left = (m, { reach, axis }) => percent(LEFT + WIDE * rail(m, reach, axis));
const height = (value) => TOP + SCORES * (EDGE - value) / (2 * EDGE);
const power = (bound) => Math.log10(Math.max(bound, 10 ** LOW)); // a bound below the axis is drawn at its low end
const levelOf = (bound) => TOP + BOUNDS * (HIGH - Math.min(power(bound), HIGH)) / (HIGH - LOW);

// What was made last is kept, for as long as all that it depends on is the same.
function remember(make) {
  let known, value;
  return (...given) => {
    if (known !== String(given)) [known, value] = [String(given), make(...given)];
    return value;
  };
}

const sharesOf = remember((...given) => {
  const draws = shares(...given);
  return { draws, factor: mean(draws.map(jump)) };
});

function entry(m, theta) {
  const row = wave(m, theta);
  return { row, size: meanSum(row) };
}

const tableOf = remember((d, base, reach, axis) => {
  const theta = frequencies(d, base);
  return new Map(distances(reach, axis).map((m) => [m, entry(m, theta)]));
});

// The distances drawn; the peak of tuned scores is among them, however narrow.
function placesOf(distribution, reach, axis, target) {
  const places = distances(reach, axis);
  return distribution === "tuned" ? [...new Set([...places, target])].sort((a, b) => a - b) : places;
}

// The mean score, Abel's bound and mean |S| at one distance.
function reading({ distribution, d, base, target, own, m }) {
  const { draws, factor } = sharesOf(distribution, d, base, target, own), { row, size } = entry(m, frequencies(d, base));
  return { value: mean(draws.map((h) => score(h, row))), bound: factor * size * d / 2, size, many: draws.length > 1 };
}

const ABEL = { stroke: colour("ink"), "stroke-width": 2, "stroke-dasharray": "7 4" };
const TRIVIAL = { stroke: colour("muted"), "stroke-width": 2 };
const MEAN = { stroke: colour("score"), "stroke-width": 2 };
const DRAW = { stroke: colour("score"), "stroke-width": 1, opacity: 0.55 };

function legend(column, words, line) {
  const sample = tag("line", { x1: 0, x2: 18, y1: -4, y2: -4, ...line });
  return at(percent(LEFT + 0.56 * WIDE * column), 34, sample, text(23, 0, words, { "font-size": 12 }));
}

function curve(x, values, line) {
  const points = values.map((value, i) => [100 * x[i], -FINE * value]);
  return polyline(points, { ...line, "vector-effect": "non-scaling-stroke", "stroke-linejoin": "round" });
}

// All that is drawn from many distances: it stays while the reader moves along the axis.
const curvesOf = remember((distribution, d, base, reach, axis, target, own) => {
  const { draws, factor } = sharesOf(distribution, d, base, target, own), known = tableOf(d, base, reach, axis);
  const places = placesOf(distribution, reach, axis, target), table = places.map((m) => known.get(m) ?? entry(m, frequencies(d, base)));
  const x = places.map((m) => rail(m, reach, axis));
  const bound = table.map(({ size }) => factor * size * d / 2), lines = draws.map((h) => table.map(({ row }) => score(h, row)));
  const average = table.map((_, i) => mean(lines.map((line) => line[i]))), least = Math.min(...bound), within = least < EDGE;
  const most = Math.max(...average);
  const inside = draws.length > 1 ? lines.map((line) => curve(x, line, DRAW)) : [];
  if (within) inside.push(...[1, -1].map((sign) => curve(x, bound.map((value) => sign * Math.min(value, 2 * EDGE)), ABEL)));
  return {
    first: average[0], last: average.at(-1), count: places.length, least, within, most, peak: places[average.indexOf(most)],
    bounds: plot(percent(LEFT), TOP, percent(WIDE), BOUNDS, 0, 100, FINE * LOW, FINE * HIGH, curve(x, bound.map(power), ABEL)),
    scores: plot(percent(LEFT), TOP, percent(WIDE), SCORES, 0, 100, -FINE * EDGE, FINE * EDGE, ...inside, curve(x, average, MEAN)),
  };
});

const curves = ({ distribution, d, base, reach, axis, target, own }) => curvesOf(distribution, d, base, reach, axis, target, own);

const POWERS = { 0: "0", 1: "1", 10: "10", 100: "100", 1000: "10³", 10000: "10⁴", 100000: "10⁵", 1000000: "10⁶" };

// Distances with a number under them.
function ticks({ reach, axis }) {
  if (axis === "linear") return range(0, 4, 1).map((j) => [reach * j / 4, grouped(reach * j / 4)]);
  return Object.entries(POWERS).map(([m, words]) => [Number(m), words]).filter(([m]) => m <= reach);
}

function uprights(state, tall) {
  const lines = ticks(state).map(([tick]) => [left(tick, state), { stroke: colour("grid") }]);
  lines.push([left(state.m, state), { stroke: colour("ink"), "stroke-dasharray": "3 4", opacity: 0.6 }]);
  return lines.map(([x, line]) => tag("line", { x1: x, x2: x, y1: TOP, y2: TOP + tall, ...line })).join("");
}

const spot = (x, y, name) => at(x, y, tag("circle", { r: 6, fill: colour(name), stroke: colour("paper"), "stroke-width": 2 }));
const wall = (y) => tag("line", { x1: percent(LEFT), x2: percent(LEFT + WIDE), y1: y, y2: y, ...TRIVIAL });

function bounds(state) {
  const { least, bounds } = curves(state), { bound } = reading(state), names = ["0.01", "0.1", "1", "10", "100", "1,000"];
  const about = bound ? `At a distance of ${tokens(state.m)} Abel’s bound is ${fixed(bound, 2)} times the trivial bound; ` +
    `over the whole axis at least ${fixed(least, 2)} times.` : NOTHING;
  return svg(
    "100%", TOP + BOUNDS + 8, "Bounds by distance", about, {},
    text(percent(LEFT), 14, "Bounds ÷ Σ|h|, log scale", { "font-weight": 600 }),
    legend(0, "Abel’s bound (37)", ABEL), legend(1, "trivial bound, 1", TRIVIAL),
    ...names.map((words, i) => level(LEFT, LEFT + WIDE, levelOf(10 ** (LOW + i)), words)),
    uprights(state, BOUNDS), wall(levelOf(1)), bounds, spot(left(state.m, state), levelOf(bound), "ink"),
  );
}

function scores(state) {
  const { distribution, reach, m } = state, { first, last, count, within, scores } = curves(state), { value, bound, many } = reading(state);
  const about = bound ? `${distribution[0].toUpperCase()}${distribution.slice(1)}: the ${many ? "mean " : ""}score is ` +
    `${fixed(first, 2)} at distance 0, ${fixed(value, 2)} at ${grouped(m)} and ${fixed(last, 2)} at ${tokens(reach)}.` : NOTHING;
  return svg(
    "100%", TOP + SCORES + 34, "Score by distance", about, {},
    text(percent(LEFT), 14, "Score ÷ Σ|h|", { "font-weight": 600 }),
    label(percent(LEFT + WIDE), 14, within ? "Abel’s bound drawn up and down" : "Abel’s bound is off the top", "end"),
    legend(0, many ? `mean of ${DRAWS} draws` : "score", MEAN), many ? legend(1, "each draw", DRAW) : "",
    ...[-1, -0.5, 0, 0.5, 1].map((v) => level(LEFT, LEFT + WIDE, height(v), fixed(v, 1))), uprights(state, SCORES),
    ...ticks(state).map(([tick, words]) => label(left(tick, state), TOP + SCORES + 14, words, "middle")),
    label(percent(LEFT + WIDE / 2), TOP + SCORES + 31, `distance m, tokens: ${count} whole distances drawn`, "middle"),
    wall(height(1)), wall(height(-1)), scores, spot(left(m, state), height(value), "score"),
  );
}

function numbers(state) {
  const { value, bound, size, many } = reading(state);
  if (!bound) return NOTHING;
  return `At ${tokens(state.m)}, in units of Σ|h|: ${many ? "mean score" : "score"} ${fixed(value, 2)}, Abel’s bound ${fixed(bound, 2)}, ` +
    `trivial bound 1; ${MEAN_S}${fixed(size, 2)}.`;
}

const note = ({ distribution, d, base }) => `${distribution}: ${MEANING[distribution]}; d = ${d}, base = ${grouped(base)}.`;
const limited = (state) => {
  const { reach, m, target, h1, h2, h3, h4 } = state;
  return { ...state, m: Math.min(m, reach), target: Math.min(target, reach), own: [h1, h2, h3, h4] };
};

export function picture(given) {
  const state = limited(given);
  return card(
    "Does the score fall with distance?",
    ["A query meets a key m tokens away. Here is their ", word("score", "score"), ", beside Abel’s bound (37), on which the paper’s " +
      "argument for decay rests. Σ|h| is the largest score that these pairs can reach."],
    tag("p", { "data-slot": "note", style: "margin:8px 0 12px;text-align:center" }, note(state)),
    track("bounds", bounds(state)), track("scores", scores(state)),
    readout(numbers(state)),
  );
}

// ---- the living figure ----

const HINT = "Choose how q and k are made, then drag the dot or press anywhere in a plot.";
const CHOICES = { // trait: the group's name, its values
  distribution: ["q and k", Object.keys(MEANING)],
  axis: ["axis", ["linear", "log"]],
  d: ["d", [32, 64, 128, 256]],
  reach: ["range", [256, 4096, 65536, 1000000]],
};
const BASES = [...range(2, 6, 1).flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power)), 10 ** 7];
const OWN = { h1: "h, fastest pair", h2: "h, one third", h3: "h, two thirds", h4: "h, slowest pair" };
const KEYS = [...Object.keys(CHOICES), "base", "target", ...Object.keys(OWN), "m"];
let groups = 0; // the radio buttons of one figure share a name

const lastUpTo = (list, value) => list.filter((item) => item <= value).length - 1; // a place in a sorted list
const listOf = (trait, { reach, axis }) => trait in OWN ? range(-10, 10, 1) : trait === "base" ? BASES : distances(reach, axis);

// Radio buttons above the picture, sliders below it; returns what shows a state in them.
function controls(root, slot, model, wanted) {
  const group = groups++;
  const radio = (trait, value) =>
    `<label><input ${OWN_KEYS}="true" type="radio" name="rb-decay-${trait}-${group}" data-trait="${trait}" value="${value}">` +
    `${typeof value === "number" ? grouped(value) : value}</label>`;
  const row = ([trait, [name, values]]) => `<div class="rb-row" style="gap:0 12px;margin:0" role="radiogroup" aria-label="${name}">` +
    `<span style="align-self:center;color:var(--rb-muted)">${name}</span>${values.map((value) => radio(trait, value)).join("")}</div>`;
  const slider = (trait, words) => `<label style="grid-template-columns:7.6em 1fr 5.6em">${words}` +
    `<input ${OWN_KEYS}="true" type="range" min="0" data-trait="${trait}"><output></output></label>`;
  slot("note").insertAdjacentHTML("beforebegin",
    `<div style="display:flex;flex-wrap:wrap;justify-content:center;gap:0 36px">${Object.entries(CHOICES).map(row).join("")}</div>` +
    `<div class="rb-sliders">${slider("base", "base")}${slider("target", "target, tokens")}</div>` +
    `<div class="rb-sliders" style="margin:0;grid-template-columns:repeat(auto-fit,minmax(max(260px,40%),1fr))">${Object.entries(OWN).map(([trait, words]) => slider(trait, words)).join("")}</div>`);
  root.addEventListener("input", ({ target: { dataset: { trait }, type, value } }) => {
    const chosen = type === "radio" ? CHOICES[trait][1].find((one) => String(one) === value) : listOf(trait, wanted())[Number(value)];
    write(model, { [trait]: chosen });
  });
  return function show(state) {
    for (const button of root.querySelectorAll("[type=radio]")) button.checked = button.value === String(state[button.dataset.trait]);
    for (const slider of root.querySelectorAll("[type=range]")) {
      const { trait } = slider.dataset, list = listOf(trait, state), own = trait in OWN;
      const words = own ? fixed(state[trait] / 10, 1) : grouped(state[trait]);
      const serves = own ? "your own" : trait === "target" ? "tuned" : state.distribution;
      slider.max = list.length - 1;
      slider.value = lastUpTo(list, state[trait]);
      slider.setAttribute("aria-valuetext", words);
      slider.nextElementSibling.textContent = words;
      slider.parentElement.style.display = serves === state.distribution ? "" : "none";
    }
  };
}

// What changed, in a sentence; null if nothing did.
function happened(said, state) {
  const changed = (trait) => said[trait] !== state[trait], { bound } = reading(state);
  if (!KEYS.some(changed)) return null;
  if (!bound) return NOTHING;
  if (state.distribution === "your own" && !changed("m")) {
    const { most, peak } = curves(state);
    return `Your own: the largest score drawn is ${fixed(most, 2)}, at ${tokens(peak)}.`;
  }
  const tuned = state.distribution === "tuned" && (changed("distribution") || changed("target"));
  if (tuned) return `Tuned to ${tokens(state.target)}: there each score is as large as it can be.`;
  if (bound > 1 - 1e-9) return `At ${tokens(state.m)} Abel’s bound is ${fixed(bound, 2)} times the trivial one: it tells nothing new.`;
  return `At ${tokens(state.m)} Abel’s bound is ${fixed(bound, 2)} of the trivial one: here it tells something.`;
}

function render({ model, el }) {
  const wanted = () => limited(Object.fromEntries(KEYS.map((key) => [key, model.get(key)])));
  const { root, slot, status } = stage(el, picture(wanted()), "scores", HINT);
  const show = controls(root, slot, model, wanted);
  let said = wanted();
  const say = speaker(status, () => {
    const state = wanted(), words = happened(said, state);
    said = state;
    return words;
  });

  const request = painter(root, () => {
    const state = wanted(), { m, reach, axis } = state;
    slot("bounds").innerHTML = bounds(state);
    slot("scores").innerHTML = scores(state);
    slot("note").textContent = note(state);
    slot("readout").textContent = numbers(state);
    show(state);
    const words = `${tokens(m)}, score ${fixed(reading(state).value, 2)}`;
    place(left(m, state), height(reading(state).value), { now: m, min: 0, max: reach, words });
    return false;
  });
  const readAt = (part) => {
    const { reach, axis } = wanted();
    write(model, { m: along(clamp(part, 0, 1), reach, axis) });
  };
  const place = handle(slot("scores").parentElement, {
    label: "Distance that is read", width: 44, height: 44, page: 20,
    grab: () => rail(wanted().m, wanted().reach, wanted().axis),
    move: (from, fraction) => readAt(from + fraction * 100 / WIDE),
    drop: () => {},
    step: (by, shift) => { // to the next distance drawn; with Shift, by one token
      const { m, reach, axis } = wanted(), list = distances(reach, axis);
      write(model, { m: shift ? clamp(m + by, 0, reach) : list[clamp(lastUpTo(list, m) + by, 0, list.length - 1)] });
    },
  });
  const pick = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    readAt(((event.clientX - box.left) / box.width * 100 - LEFT) / WIDE);
  };
  for (const name of ["bounds", "scores"]) pickable(slot(name), pick);
  return follow(model, KEYS, say, request);
}

export default { render };
